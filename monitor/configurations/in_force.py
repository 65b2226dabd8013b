"""What one process goes by: a configuration, made ready, and how far it is what the store has last."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import structlog

from monitor.check import read_model
from monitor.config import Configuration, Model
from monitor.config.posted import with_models
from monitor.configurations.failures import Failures
from monitor.configurations.log import ConfigurationLog, Version, digest_of
from monitor.errors import InputError
from monitor.estimators.artefact import read_artefact
from monitor.watch import Watch, compile_watch
from sinks.store.contract import StoreError

__all__ = ["InForce", "compiled", "former_watch", "log_changes", "reads_otherwise", "watches_of"]

MOST_FORMER = 20
"""Versions among which a former one is looked for: to make one ready may take seconds."""

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
    refused : dict of str to str
        Models of the API that are not read here as they want to be, with the reason.
    """

    configuration: Configuration
    watches: dict[str, Watch]
    versions: dict[str, int]
    troubles: dict[str, str]
    files: Configuration = field(repr=False)
    refusal: Callable[[Model], str] = field(default=lambda model: "", repr=False)
    failures: Failures = field(default_factory=Failures, repr=False, compare=False)
    refused: dict[str, str] = field(default_factory=dict)

    @property
    def behind(self) -> dict[str, str]:
        """Models that do not go by their last version, with the reason."""
        return {name: why for name, why in self.troubles.items() if name not in self._owned_files}

    @property
    def stated(self) -> dict[str, tuple[int, str]]:
        """By model, by which version of it this process goes, 0 if by none, and what is in the way of the last one."""
        models = self.versions.keys() | self.troubles.keys()
        stated = {name: (self.versions.get(name, 0), self.troubles.get(name, "")) for name in models}
        return stated | {name: (0, why) for name, why in self.refused.items()}

    def reading(self, refused_topics: Mapping[str, str]) -> InForce:
        """Return it with the models of the API that are not read, because topics are refused."""
        specs = {name: self.configuration.models[name].spec for name in self.configuration.posted}
        refused = {
            name: f"nothing of {topic} is read: {why}"
            for topic, why in sorted(refused_topics.items(), reverse=True)
            for name, spec in specs.items()
            if spec.source_of(topic) is not None
        }
        return replace(self, refused=refused)

    @property
    def _owned_files(self) -> frozenset[str]:
        return self.configuration.posted & self.files.all_read.keys()


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
        A document cannot be used by itself: it names environment variables.
    """
    watches: dict[str, Watch] = {}
    for version in versions:
        if version.document:
            watches[version.digest] = compiled(_with_version(root, version), version.model, {})
    return watches


def _with_version(root: Configuration, version: Version) -> Configuration:
    """Add a model by one of its versions; data sets are relative to its file, if it is of one."""
    name, is_of_file = version.model, version.owner == "file"
    file = root.files.get(name, Path(version.file))
    model = read_model(file.parent if is_of_file else root.root, name, version.document, is_of_file=is_of_file)
    changed = with_models(root, {name: (model, version.document)})
    return replace(changed, files={**root.files, name: file}, posted=root.posted - {name}) if is_of_file else changed


def former_watch(root: Configuration, log_: ConfigurationLog, model: str, hash_: str) -> Watch | None:
    """Return a model as one of its last versions has it; None if that cannot be used.

    Parameters
    ----------
    root : Configuration
        In whose folder data sets are.
    log_ : ConfigurationLog
    model : str
    hash_ : str
        The digest of the document, or the hash of what its fold depends on.

    Raises
    ------
    StoreError
    """
    newest = log_.newest(model)
    for number in range(0 if newest is None else newest.version, 0, -1)[:MOST_FORMER]:
        version = log_.version(model, number)
        try:
            watches = watches_of(root, [] if version is None else [version])
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 -- whatever is wrong with it, reading goes on
            log.warning("a former version cannot be used", model=model, version=number, reason=str(error))
            continue
        for watch in watches.values():
            if hash_ in (watch.fold_hash, watch.document_digest):
                return watch
    return None


def reads_otherwise(former: InForce, in_force: InForce) -> bool:
    """Whether anything changes for what reads: which messages are read, what of them is kept, and what they become."""
    if _names_of(former) != _names_of(in_force) or _leaps(former, in_force):
        return True
    return _read_otherwise(former.watches, in_force.watches)


def _names_of(in_force: InForce) -> tuple[object, ...]:
    """What decides which models wait, and which register themselves."""
    configuration = in_force.configuration
    return configuration.unread, configuration.templates, configuration.registered, configuration.given_up


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


def compiled(configuration: Configuration, name: str, former: Mapping[str, Watch]) -> Watch:
    """Make a model ready, or return what it was made ready as before, if nothing of it has changed.

    Raises
    ------
    InputError
    """
    document = configuration.texts.get(name)
    digest = "" if document is None else digest_of(document)
    watch = former.get(name)
    if watch is not None and (watch.document_digest, watch.model) == (digest, configuration.models[name]):
        _log_replaced(configuration, name, watch)
        return watch
    return replace(compile_watch(configuration, name), document_digest=digest)


def _log_replaced(configuration: Configuration, name: str, watch: Watch) -> None:
    """Say which estimators are others in their files: rows are of a document, and that is as it was."""
    for estimate, estimator in zip(watch.model.spec.estimates.values(), watch.estimators, strict=True):
        path = configuration.resolve(name, estimate.uri)
        try:
            is_same = read_artefact(path).digest == estimator.artefact.digest
        except InputError:
            is_same = False
        if not is_same:
            log.error(
                "an estimator's file is another one than when it was taken up, and is not taken up while its name is "
                "the same: put the former file back, and the new one under a name of its own",
                model=name,
                signal=estimator.signal,
                file=str(path),
            )
