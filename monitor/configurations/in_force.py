"""What one process goes by: the files that it was started with, and what the API has accepted since."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

import structlog

from monitor.check import read_model
from monitor.config import Configuration, Model
from monitor.config.posted import with_models
from monitor.config.privacy_checks import wrong_privacy
from monitor.config.topics import wrong_formats
from monitor.configurations.failures import Failures
from monitor.configurations.log import Change, ConfigurationLog, ConflictError, Version, digest_of
from monitor.errors import LeewayError
from monitor.watch import Watch, compile_watch

__all__ = [
    "InForce",
    "begun",
    "following",
    "log_changes",
    "note_files",
    "note_given_up",
    "reads_otherwise",
    "untaken",
    "watches_of",
]

log = structlog.get_logger("leeway.configurations")


@dataclass(frozen=True)
class InForce:
    """A configuration, and how far it is what the store has last.

    Attributes
    ----------
    configuration : Configuration
        The models of files, and those that the API owns.
    watches : dict of str to Watch
        All of its models, made ready.
    versions : dict of str to int
        Which version of each model that is; 0 of one that the store does not have.
    troubles : dict of str to str
        Why a model does not go by its last version; or which file is passed over.
    files : Configuration
        As the files alone have it.
    refusal : callable
        From a model to why this process cannot watch it; empty if it can.
    failures : Failures
        Versions that are not tried with every look.
    """

    configuration: Configuration
    watches: dict[str, Watch]
    versions: dict[str, int]
    troubles: dict[str, str]
    files: Configuration = field(repr=False)
    refusal: Callable[[Model], str] = field(default=lambda model: "", repr=False)
    failures: Failures = field(default_factory=Failures, repr=False, compare=False)

    @property
    def behind(self) -> dict[str, str]:
        """Models that do not go by their last version, with the reason."""
        return {name: why for name, why in self.troubles.items() if name not in self._passed_over}

    @property
    def _passed_over(self) -> frozenset[str]:
        return self.configuration.posted & self.files.models.keys()


def begun(
    files: Configuration,
    log_: ConfigurationLog,
    ready: Mapping[str, Watch],
    refusal: Callable[[Model], str] = lambda model: "",
    former: InForce | None = None,
) -> InForce:
    """Return what a process begins with: all files that the API does not own models of, and what the API owns.

    Parameters
    ----------
    files : Configuration
    log_ : ConfigurationLog
    ready : mapping of str to Watch
        Models that were made ready before: what has not changed stays as it is.
    refusal : callable
        From a model to why this process cannot watch it; empty if it can.
    former : InForce or None
        What it went by, with other files: models that the API still owns go on by the version that they are at.

    Raises
    ------
    InputError
        A file's model cannot be made ready. What cannot be of the API's is left out, and named.
    StoreError
    """
    heads = log_.heads()
    own = {name: model for name, model in files.models.items() if _owner(heads, name) != "api"}
    configuration = replace(files, models=own)
    watches = {name: _compiled(configuration, name, ready) for name in own}
    begins = InForce(configuration, {**ready, **watches}, {}, {}, files, refusal)
    if former is not None:
        begins = _carried(begins, former, {name for name in heads if _owner(heads, name) == "api"})
    return _followed(begins, heads, log_)


def _carried(begins: InForce, former: InForce, owned: Collection[str]) -> InForce:
    """Add the models of the API that were in force."""
    lasting = former.configuration.posted.intersection(owned)
    models, texts = former.configuration.models, former.configuration.texts
    configuration = with_models(begins.configuration, {name: (models[name], texts[name]) for name in lasting})
    versions = {name: former.versions[name] for name in lasting}
    return replace(begins, configuration=configuration, versions=versions)


def following(current: InForce, log_: ConfigurationLog) -> InForce | None:
    """Return what is in force now, if it is something else than what this process goes by.

    Raises
    ------
    StoreError
    """
    following_ = _followed(current, log_.heads(), log_)
    unchanged = following_.versions == current.versions and following_.troubles == current.troubles
    return None if unchanged and following_.configuration.texts == current.configuration.texts else following_


def note_files(files: Configuration, log_: ConfigurationLog) -> None:
    """Write down the models of files, and those that no file has any more, where the API does not own them.

    Raises
    ------
    StoreError
    """
    heads = log_.heads()
    for name, file in files.files.items():
        document = files.texts[name]
        head = heads.get(name)
        if head is None or (head.owner != "api" and (head.digest, head.owner) != (digest_of(document), "file")):
            _note(Change(name, document, "file", str(file)), log_)
    for name in [name for name, head in heads.items() if head.owner == "file" and name not in files.files]:
        _note(Change(name, "", "nobody"), log_)


def note_given_up(files: Configuration, log_: ConfigurationLog) -> None:
    """Write down the models of files that nobody owns: those whose files hold again.

    Where another process has other files, one of the two would otherwise write down each second what the other has not.

    Raises
    ------
    StoreError
    """
    heads = log_.heads()
    for name, file in files.files.items():
        if _owner(heads, name) == "nobody":
            _note(Change(name, files.texts[name], "file", str(file)), log_)


def _note(change: Change, log_: ConfigurationLog) -> None:
    try:
        log_.put(change)
    except ConflictError as error:
        # The next look finds the other version, and says that this file is another one, or passed over.
        log.warning("a model of a file is not written down", model=change.model, reason=str(error))


def untaken(current: InForce, following_: InForce, why: str) -> InForce:
    """Say of everything that was to change why it has not."""
    changed = {name for name, number in following_.versions.items() if current.versions.get(name) != number}
    current.failures.note(following_.versions, dict.fromkeys(changed & following_.configuration.posted, why))
    troubles = {**current.troubles, **dict.fromkeys(changed, why)}
    if troubles != current.troubles:
        log.error("configurations are not taken up; trying again", models=sorted(changed), reason=why)
    return replace(current, troubles=troubles)


def watches_of(root: Configuration, versions: Iterable[Version]) -> dict[str, Watch]:
    """Make versions of a model ready, by their digests.

    Parameters
    ----------
    root : Configuration
        In whose folder data sets are.
    versions : iterable of Version
        With their documents.

    Raises
    ------
    InputError, ConfigError
        A document cannot be used by itself: it names environment variables, or stands above defaults.
    """
    watches: dict[str, Watch] = {}
    for version in versions:
        if version.document:
            model = read_model(root.root, version.model, version.document)
            changed = with_models(root, {version.model: (model, version.document)})
            watches[version.digest] = _compiled(changed, version.model, {})
    return watches


def reads_otherwise(former: InForce, in_force: InForce) -> bool:
    """Whether anything changes for what reads: which messages are read, what of them is kept, and what they become."""
    if former.configuration.unread != in_force.configuration.unread or _leaps(former, in_force):
        return True
    return _read_otherwise(former.watches, in_force.watches)


def _leaps(former: InForce, in_force: InForce) -> bool:
    """Whether versions were passed over here: other processes may have read by them, and this one is beyond that."""
    return any(number > former.versions.get(name, 0) + 1 for name, number in in_force.versions.items())


def _read_otherwise(former: Mapping[str, Watch], watches: Mapping[str, Watch]) -> bool:
    changed = {name for name in former.keys() | watches.keys() if former.get(name) is not watches.get(name)}
    return any(
        name not in former or name not in watches or _reading(former[name]) != _reading(watches[name])
        for name in changed
    )


def _reading(watch: Watch) -> tuple[object, ...]:
    spec = watch.model.spec
    return watch.fold_hash, spec.sources, spec.schema_, spec.keep


def log_changes(former: InForce, in_force: InForce) -> None:
    """Say in the log what has changed."""
    for name in sorted(former.watches.keys() | in_force.watches.keys()):
        if former.watches.get(name) is not in_force.watches.get(name):
            log.info("a configuration is in force", model=name, version=in_force.versions.get(name, 0))
    for name, why in sorted(in_force.troubles.items()):
        if former.troubles.get(name) != why:
            log.error("a configuration is not in force as it is stored", model=name, reason=why)


def _owner(heads: Mapping[str, Version], model: str) -> str:
    return heads[model].owner if model in heads else "nobody"


def _goes_by(current: InForce, head: Version) -> bool:
    """Whether a process goes by a version, and not by one of that number which somebody wrote at the same moment."""
    watch = current.watches.get(head.model)
    return (
        current.versions.get(head.model) == head.version and watch is not None and watch.document_digest == head.digest
    )


def _followed(current: InForce, heads: Mapping[str, Version], log_: ConfigurationLog) -> InForce:
    posted = {name: head for name, head in heads.items() if head.owner == "api"}
    changed = {name: head for name, head in posted.items() if not _goes_by(current, head)}
    waiting = current.failures.waiting({name: head.version for name, head in changed.items()})
    read, troubles = _read(current, {name: changed[name] for name in changed.keys() - waiting.keys()}, log_)
    dropped = current.configuration.posted - posted.keys()
    # A file comes into its own when the API gives its model up.
    restored = {name: current.files.models[name] for name in dropped & current.files.models.keys()}
    lasting = {n: m for n, m in current.configuration.models.items() if n not in dropped}
    base = replace(
        current.configuration,
        models={**lasting, **restored},
        texts={**current.configuration.texts, **{n: current.files.texts[n] for n in restored}},
        posted=current.configuration.posted - dropped,
    )
    read, unfit = _fitting(base, read)
    configuration, watches, unready = _made_ready(base, current.watches, read, restored)
    troubles |= unfit | unready
    current.failures.note(*_failed(changed, troubles))
    troubles |= waiting
    versions = {name: current.versions.get(name, 0) for name in configuration.posted}
    versions |= {name: head.version for name, head in changed.items() if name not in troubles}
    versions |= {
        name: _of_file(configuration, heads, name, troubles) for name in configuration.models.keys() - versions
    }
    versions |= {
        n: head.version for n, head in heads.items() if head.owner == "nobody" and n not in configuration.models
    }
    for name in configuration.posted & current.files.models.keys():
        troubles.setdefault(name, _passed_over(current.files, name))
    configuration = replace(configuration, unread=frozenset(troubles.keys() - configuration.models.keys()))
    return replace(current, configuration=configuration, watches=watches, versions=versions, troubles=troubles)


def _failed(heads: Mapping[str, Version], troubles: Mapping[str, str]) -> tuple[dict[str, int], dict[str, str]]:
    """Of what failed, the versions that the API has, and why."""
    failed = {name: why for name, why in troubles.items() if name in heads}
    return {name: heads[name].version for name in failed}, failed


def _read(
    current: InForce, changed: Mapping[str, Version], log_: ConfigurationLog
) -> tuple[dict[str, tuple[Model, str]], dict[str, str]]:
    """Read documents of the API; of those that cannot be used, why."""
    read: dict[str, tuple[Model, str]] = {}
    troubles: dict[str, str] = {}
    for name, head in sorted(changed.items()):
        stored = log_.version(name, head.version)
        document = "" if stored is None else stored.document
        try:
            model = read_model(current.configuration.root, name, document)
        except LeewayError as error:
            troubles[name] = f"version {head.version} cannot be used here: {error}"
        else:
            if refusal := current.refusal(model):
                troubles[name] = refusal
            else:
                read[name] = model, document
    return read, troubles


def _fitting(
    base: Configuration, read: Mapping[str, tuple[Model, str]]
) -> tuple[dict[str, tuple[Model, str]], dict[str, str]]:
    """Leave out what does not fit the other models: files have changed since it was accepted."""
    models = with_models(base, read).models if read else {}
    wrong = (*wrong_formats(models, base.service), *wrong_privacy(models, base.service))
    unfit = {name: message for name, _, message in wrong if name in read}
    return {name: each for name, each in read.items() if name not in unfit}, unfit


def _made_ready(
    base: Configuration,
    watches: Mapping[str, Watch],
    read: Mapping[str, tuple[Model, str]],
    restored: Mapping[str, Model],
) -> tuple[Configuration, dict[str, Watch], dict[str, str]]:
    """Make what has changed ready; what cannot be stays as it was."""
    changed = with_models(base, read)
    made: dict[str, Watch] = {}
    troubles: dict[str, str] = {}
    for name in (*read, *restored):
        try:
            watch = _compiled(changed, name, watches)
            # A watch of its own, also where its document is one of before: others may have gone by those in between.
            made[name] = replace(watch) if name in read and watch is watches.get(name) else watch
        except LeewayError as error:
            troubles[name] = f"it cannot be made ready here: {error}"
    configuration = with_models(base, {name: read[name] for name in read.keys() & made.keys()})
    configuration = replace(
        configuration, models={n: m for n, m in configuration.models.items() if n in made or n in watches}
    )
    return configuration, {n: made.get(n) or watches[n] for n in configuration.models}, troubles


def _compiled(configuration: Configuration, name: str, former: Mapping[str, Watch]) -> Watch:
    document = configuration.texts.get(name)
    digest = "" if document is None else digest_of(document)
    watch = former.get(name)
    if watch is not None and (watch.document_digest, watch.model) == (digest, configuration.models[name]):
        return watch
    return replace(compile_watch(configuration, name), document_digest=digest)


def _of_file(configuration: Configuration, heads: Mapping[str, Version], name: str, troubles: dict[str, str]) -> int:
    """Return which version a file is; if another process has another one, that is a trouble."""
    document, head = configuration.texts.get(name), heads.get(name)
    if document is None or head is None:
        return 0
    if head.digest == digest_of(document):
        return head.version
    if head.owner == "file":
        troubles[name] = (
            f"{configuration.files[name]} is another one here than where version {head.version} was read: put the same"
            " files everywhere, and send SIGHUP"
        )
    return 0


def _passed_over(files: Configuration, name: str) -> str:
    return (
        f"{files.files[name]} is passed over: the API owns {name}. Remove the file; or end that with"
        f" `leeway release {name}`, and the file holds"
    )
