"""What a process is to go by: the files that it was started with, and what the API has accepted since."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import TypeVar

import structlog

from monitor.check import read_model
from monitor.config import Configuration, Model
from monitor.config.posted import with_models
from monitor.config.privacy_checks import wrong_privacy
from monitor.config.topics import read_dead_letters, wrong_streams
from monitor.configurations.in_force import InForce, compiled
from monitor.configurations.log import Change, ConfigurationLog, ConflictError, Version, digest_of
from monitor.errors import LeewayError
from monitor.watch import Watch

__all__ = ["begun", "following", "note_files", "note_given_up", "untaken"]

T = TypeVar("T")
log = structlog.get_logger("leeway.configurations")


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
    templates = {name: each for name, each in files.templates.items() if _owner(heads, name) != "api"}
    configuration = replace(files, models=own, templates=templates)
    watches = {name: compiled(configuration, name, ready) for name in own}
    begins = InForce(configuration, {**ready, **watches}, {}, {}, files, refusal)
    if former is not None:
        carried = _carried(begins, former, {name for name in heads if _owner(heads, name) == "api"})
        begins, _, _ = _fitting(carried, {}, heads)
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


def note_files(files: Configuration, log_: ConfigurationLog) -> bool:
    """Write down the models of files, and those that no file has any more, where the API does not own them.

    Returns
    -------
    bool
        Whether that was news.

    Raises
    ------
    StoreError
    """
    heads, changes = log_.heads(), list[Change]()
    for name, file in files.files.items():
        document = files.texts[name]
        head = heads.get(name)
        if head is None or (head.owner != "api" and (head.digest, head.owner) != (digest_of(document), "file")):
            changes.append(Change(name, document, "file", str(file)))
    given_up = [name for name, head in heads.items() if head.owner == "file" and name not in files.files]
    changes += [Change(name, "", "nobody") for name in given_up]
    for change in changes:
        _note(change, log_)
    return bool(changes)


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


def _owner(heads: Mapping[str, Version], model: str) -> str:
    return heads[model].owner if model in heads else "nobody"


def _goes_by(current: InForce, head: Version) -> bool:
    """Whether a process goes by a version, and not by one of that number which somebody wrote at the same moment."""
    watch = current.watches.get(head.model)
    is_last = head.model in current.configuration.posted and current.versions.get(head.model) == head.version
    return is_last and watch is not None and watch.document_digest == head.digest


def _followed(current: InForce, heads: Mapping[str, Version], log_: ConfigurationLog) -> InForce:
    base = _of_owners(current, heads)
    news = {name: head for name, head in heads.items() if head.owner == "api" and not _goes_by(base, head)}
    waiting = base.failures.waiting({name: head.version for name, head in news.items()})
    tried = {name: news[name] for name in news.keys() - waiting.keys()}
    read, troubles = _read(base, tried, log_)
    if read or base is not current:
        base, read, unfit = _fitting(base, read, heads)
        troubles |= unfit
    in_force, unready = _made_ready(base, read)
    troubles |= unready
    base.failures.note({name: head.version for name, head in tried.items()}, _among(troubles, tried))
    taken = {name: head.version for name, head in tried.items() if name not in troubles}
    troubles |= waiting | _other_files(in_force, heads)
    configuration = replace(
        in_force.configuration,
        unread=frozenset(troubles.keys() - in_force.configuration.models.keys()),
        registered={name: head.template for name, head in heads.items() if head.owner == "api" and head.template},
        given_up=frozenset(name for name, head in heads.items() if head.owner == "nobody"),
        templates={name: each for name, each in base.files.templates.items() if _owner(heads, name) != "api"},
    )
    versions = _versions(in_force, heads, taken)
    return replace(in_force, configuration=configuration, versions=versions, troubles=_passed_over(in_force) | troubles)


def _of_owners(current: InForce, heads: Mapping[str, Version]) -> InForce:
    """Leave out models that the API has given up; a file of such a name comes into its own."""
    configuration, files = current.configuration, current.files
    given_up = {name for name in configuration.posted if _owner(heads, name) != "api"}
    restored = {name for name in files.models if name not in configuration.models and _owner(heads, name) != "api"}
    restored |= given_up & files.models.keys()
    if not given_up and not restored:
        return current
    models = {name: model for name, model in configuration.models.items() if name not in given_up}
    configuration = replace(
        configuration,
        models=models | {name: files.models[name] for name in sorted(restored)},
        texts=configuration.texts | _among(files.texts, restored),
        posted=configuration.posted - given_up,
    )
    return replace(current, configuration=configuration, watches=_among(current.watches, models))


def _read(
    current: InForce, tried: Mapping[str, Version], log_: ConfigurationLog
) -> tuple[dict[str, tuple[Model, str]], dict[str, str]]:
    """Read documents of the API; of those that cannot be used, why."""
    read: dict[str, tuple[Model, str]] = {}
    troubles: dict[str, str] = {}
    for name, head in sorted(tried.items()):
        stored = log_.version(name, head.version)
        document = "" if stored is None else stored.document
        try:
            model = read_model(current.configuration.root, name, document)
        except Exception as error:  # noqa: BLE001 -- one document may fail in any way, and the others are taken up
            troubles[name] = f"version {head.version} cannot be used here: {_in_words(error)}"
        else:
            if refusal := current.refusal(model):
                troubles[name] = refusal
            else:
                read[name] = model, document
    return read, troubles


def _fitting(
    base: InForce, read: Mapping[str, tuple[Model, str]], heads: Mapping[str, Version]
) -> tuple[InForce, dict[str, tuple[Model, str]], dict[str, str]]:
    """Leave out what does not fit the other models, also of what was in force before: files may have changed since.

    Of two models of the API the one that was accepted last is left out, so that every process leaves out the same.
    """
    unfit: dict[str, str] = {}
    while misfits := _misfits(with_models(base.configuration, read), heads):
        # In place of a new version goes on what it was to replace, if that fits.
        base = _without(base, misfits.keys() - read.keys())
        read = {name: each for name, each in read.items() if name not in misfits}
        unfit |= misfits
    return base, dict(read), unfit


def _misfits(configuration: Configuration, heads: Mapping[str, Version]) -> dict[str, str]:
    posted = sorted(configuration.posted, key=lambda name: (heads[name].at_ms, name))
    files = [name for name in configuration.models if name not in configuration.posted]
    models = {name: configuration.models[name] for name in (*files, *posted)}
    models, service = {**configuration.templates, **models}, configuration.service
    wrong = [*wrong_streams(models, service), *read_dead_letters(models, service), *wrong_privacy(models, service)]
    return {name: message for name, _, message in reversed(wrong) if name in configuration.posted}


def _without(base: InForce, names: Collection[str]) -> InForce:
    if not names:
        return base
    models = {name: model for name, model in base.configuration.models.items() if name not in names}
    configuration = replace(base.configuration, models=models, posted=base.configuration.posted.difference(names))
    return replace(base, configuration=configuration, watches=_among(base.watches, models))


def _made_ready(base: InForce, read: Mapping[str, tuple[Model, str]]) -> tuple[InForce, dict[str, str]]:
    """Make what has changed ready; what cannot be stays as it was."""
    changed = with_models(base.configuration, read)
    watches, troubles = dict(base.watches), dict[str, str]()
    for name in [name for name in changed.models if name in read or name not in watches]:
        try:
            watch = compiled(changed, name, watches)
        except Exception as error:  # noqa: BLE001 -- one model may fail in any way, and the others are taken up
            troubles[name] = f"it cannot be made ready here: {_in_words(error)}"
        else:
            # A watch of its own, also where its document is one of before: others may have gone by those in between.
            watches[name] = replace(watch) if watch is watches.get(name) else watch
    configuration = with_models(base.configuration, {n: each for n, each in read.items() if n not in troubles})
    configuration = replace(configuration, models=_among(configuration.models, watches))
    return replace(base, configuration=configuration, watches=_among(watches, configuration.models)), troubles


def _in_words(error: Exception) -> str:
    """Return what went wrong; what others raise may quote values."""
    return str(error) if isinstance(error, LeewayError) else type(error).__name__


def _among(entries: Mapping[str, T], names: Collection[str]) -> dict[str, T]:
    return {name: entry for name, entry in entries.items() if name in names}


def _versions(in_force: InForce, heads: Mapping[str, Version], taken: Mapping[str, int]) -> dict[str, int]:
    """Return which version each model is, 0 if none that is stored; and which one says that nobody owns it."""
    versions = {name: head.version for name, head in heads.items() if head.owner == "nobody"}
    for name in in_force.configuration.models:
        if name in in_force.configuration.posted:
            versions[name] = taken.get(name, in_force.versions.get(name, 0))
        else:
            versions[name] = heads[name].version if _is_of_file(in_force, heads, name) else 0
    for name in [name for name in in_force.files.templates if name in heads and heads[name].owner != "api"]:
        is_last = heads[name].digest == digest_of(in_force.files.texts[name])
        versions[name] = heads[name].version if is_last else 0
    return versions


def _is_of_file(in_force: InForce, heads: Mapping[str, Version], name: str) -> bool:
    return name in heads and heads[name].digest == in_force.watches[name].document_digest


def _other_files(in_force: InForce, heads: Mapping[str, Version]) -> dict[str, str]:
    """Models of files of which another process has read another one."""
    configuration = in_force.configuration
    return {
        name: f"{configuration.files[name]} is another one here than where version {heads[name].version} was read: put"
        " the same files everywhere, and send SIGHUP"
        for name in configuration.models.keys() & configuration.files.keys()
        if _owner(heads, name) == "file" and not _is_of_file(in_force, heads, name)
    }


def _passed_over(in_force: InForce) -> dict[str, str]:
    """Models and templates of files that the API owns."""
    files = in_force.files
    return {
        name: f"{files.files[name]} is passed over: the API owns {name}. Remove the file; or end that with"
        f" `leeway release {name}`, and the file holds"
        for name in in_force.configuration.posted & files.all_read.keys()
    }
