"""Loading: from files to models, every mistake with its file, line and path."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import ValidationError

from monitor.config.access import unguarded
from monitor.config.alerting import Alerting
from monitor.config.document import (
    ConfigError,
    Document,
    KeyPath,
    Mistake,
    is_file,
    judged,
    read_as_far_as_known,
    read_documents,
)
from monitor.config.layers import RULES, Layered, Layers, is_mergeable
from monitor.config.model import Model
from monitor.config.privacy_checks import wrong_privacy
from monitor.config.quotas import wrong_quotas
from monitor.config.service import Service
from monitor.config.streams import is_pattern, reader_of
from monitor.config.topics import wrong_files, wrong_streams
from monitor.config.validate import mistakes_of, validated, wrong_defaults
from monitor.errors import InputError

__all__ = [
    "Check",
    "Configuration",
    "ServiceCheck",
    "files_of",
    "load",
    "load_alerting",
    "load_service",
    "read_again",
    "wrong_references",
]

Check = Callable[[Model, Path], Iterable[tuple[KeyPath, str]]]
"""From a model and the folder of its file to what is wrong: the key's path, and a message."""

ServiceCheck = Callable[[Service, Path], Iterable[tuple[KeyPath, str]]]
"""The same of a service, which may be its defaults."""

_NO_MODEL = "no model is defined"
_MODELS_UNCHECKED = "models that have these defaults are checked in full once this is mended"
_FILES_UNCHECKED = "the other files are checked once this is mended"


@dataclass(frozen=True)
class Configuration:
    """A service with its models.

    Attributes
    ----------
    service : Service
    models : dict of str to Model
    root : Path
        The folder that relative paths in the service's file are relative to.
    files : dict of str to Path
        The file of each model, by the model's name; data sets are relative to its folder.
    path : Path or None
        What was loaded, a file or a folder.
    layered : dict of str to Document
        What each model's file says, above the defaults that are in force for it.
    texts : dict of str to str
        Each model's document as it is written; together with the defaults that are in force for it.
    posted : frozenset of str
        Models whose documents came through the API; data sets are relative to ``root``.
    unread : frozenset of str
        Models of the API that cannot be made ready here now: what they read waits for them.
    templates : dict of str to Model
        What models that register themselves are like; they are in files, and are no models themselves.
    registered : dict of str to str
        Models that have registered themselves, and nobody has taken over since, with their templates.
    given_up : frozenset of str
        Models that nobody owns any more.
    """

    service: Service
    models: dict[str, Model]
    root: Path
    files: dict[str, Path] = field(default_factory=dict)
    path: Path | None = None
    layered: dict[str, Document] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    posted: frozenset[str] = frozenset()
    unread: frozenset[str] = frozenset()
    templates: dict[str, Model] = field(default_factory=dict)
    registered: dict[str, str] = field(default_factory=dict)
    given_up: frozenset[str] = frozenset()

    @property
    def all_read(self) -> dict[str, Model]:
        """The models and the templates: what says which streams are read."""
        return {**self.templates, **self.models}

    @property
    def is_watched(self) -> dict[str, Callable[[str], bool]]:
        """By model, whether it reads a topic whose events are summed up in panes."""
        return {name: model.spec.is_watched for name, model in self.models.items()}

    def resolve(self, model: str, uri: str) -> Path:
        """Return the path of a file named in a model's configuration."""
        if model in self.posted:
            return (self.root / uri).resolve()
        return (self.files[model].parent / uri).resolve() if model in self.files else Path(uri)

    def files_named(self, stream: str) -> list[Path]:
        """Return the files that a source says its stream is; none where it is no stream of files.

        Raises
        ------
        InputError
            No file matches a glob.
        """
        of = (name for name, model in self.all_read.items() if any(s.file == stream for s in model.spec.sources))
        if (name := next(of, None)) is None:
            return []
        base, path, root = self.resolve(name, ""), Path(stream), Path(stream).anchor
        if not glob.has_magic(stream):
            return [base / path]
        paths = sorted(Path(root).glob(str(path.relative_to(root))) if root else base.glob(stream))
        if not paths:
            raise InputError(f"model {name!r}: no file matches {base / stream}")
        return paths


def load(
    path: str | os.PathLike[str], checks: Sequence[Check] = (), service_checks: Sequence[ServiceCheck] = ()
) -> Configuration:
    """Load a service's file, a model's file, or a folder of models' files.

    Parameters
    ----------
    path : path-like
    checks : sequence of Check
        What else to look for in every model; :func:`monitor.check.load` adds what decoders know.
    service_checks : sequence of ServiceCheck
        What else to look for in the service's file.

    Returns
    -------
    Configuration

    Raises
    ------
    ConfigError
        With every mistake found, not only the first.
    """
    start = Path(path)
    if not os.path.exists(start):
        raise ConfigError([Mistake(str(start), 0, 0, "", "no such file or folder")])
    if start.is_dir():
        files = sorted(p for p in start.iterdir() if p.suffix in {".yaml", ".yml"})
        if not files:
            raise ConfigError([Mistake(str(start), 0, 0, "", "the folder holds no .yaml file")])
    else:
        files = [start]
    documents = _read(files)
    if not documents:
        raise ConfigError([Mistake(str(start), 1, 1, "", _NO_MODEL)])
    root = start if start.is_dir() else start.parent
    return replace(_assemble(documents, root, [wrong_references, *checks], service_checks), path=start)


def _read(files: Sequence[Path]) -> list[Document]:
    """The documents of files; models are not looked at while what cannot be read may be their defaults."""
    documents: list[Document] = []
    unreadable: list[Mistake] = []
    for file in files:
        try:
            documents += read_as_far_as_known(file)
        except ConfigError as error:
            unreadable += error.mistakes
    if unreadable and documents:
        final_mistake = max(unreadable)
        unreadable[unreadable.index(final_mistake)] = replace(
            final_mistake, message=f"{final_mistake.message} ({_FILES_UNCHECKED})"
        )
    if unreadable:
        raise ConfigError(sorted(unreadable))
    return documents


def load_service(path: str | os.PathLike[str]) -> Service:
    """Load a service's file alone, whose models may not be there yet.

    Raises
    ------
    ConfigError
        With every mistake found.
    """
    documents = [each for each in read_documents(Path(path)) if _kind_of(each) == "Service"] if is_file(path) else []
    if not documents:
        raise ConfigError([Mistake(str(path), 0, 0, "", "no such file, or it has no kind: Service")])
    mistakes: list[Mistake] = []
    service = validated(Service, documents[0], mistakes)
    if service is None or mistakes:
        raise ConfigError(sorted(mistakes))
    return service


def load_alerting(path: str | os.PathLike[str]) -> Alerting:
    """Load a file of Alertmanager's, or the routes of a service's file: its ``alerting``, or one for each receiver.

    Raises
    ------
    ConfigError
        With every mistake found, and everything that is not supported.
    """
    if not is_file(path):
        raise ConfigError([Mistake(str(path), 0, 0, "", "no such file")])
    documents = list(read_documents(Path(path)))
    if len(documents) != 1 or not isinstance(documents[0].value, dict):
        raise ConfigError([Mistake(str(path), 0, 0, "", "expected a mapping with a route, as Alertmanager has it")])
    [document] = documents
    if document.value.get("kind") == "Service":
        return load(path).service.spec.routing
    try:
        alerting = Alerting.model_validate(document.value)
    except ValidationError as error:
        raise ConfigError(sorted(set(mistakes_of(Alerting, document, error.errors())))) from None
    wrong = [document.mistake(key, message) for key, message in alerting.wrong_names(())]
    if wrong:
        raise ConfigError(sorted(wrong))
    return alerting


def _assemble(
    documents: list[Document], root: Path, checks: Sequence[Check], service_checks: Sequence[ServiceCheck] = ()
) -> Configuration:
    mistakes: list[Mistake] = []
    services = [d for d in documents if _kind_of(d) == "Service"]
    for second in services[1:]:
        mistakes.append(second.mistake(("kind",), f"a second Service; the first is in {services[0].file}"))
    service = validated(Service, services[0], mistakes) if services else Service()
    others = [d for d in documents if _kind_of(d) != "Service"]
    if service is not None and services:
        read = {d.file.resolve() for d in documents}
        others += [d for d in _models_of(service, services[0], mistakes) if d.file.resolve() not in read]
    unknown = [mistake for d in {id(d): d for d in (*documents, *others)}.values() for mistake in d.wrong_variables()]
    models = _Models(others, checks)
    mistakes += unknown + models.mistakes
    loaded, documents_of = models.loaded, models.documents
    mistakes += read_again(service, services, loaded, documents_of)
    if service is not None:
        mistakes += [services[0].mistake(*wrong) for wrong in (*_wrong_names(service), *_unguarded(service))]
        wrong = (
            *wrong_streams(loaded, service),
            *wrong_files(loaded, lambda name: documents_of[name].file.parent),
            *wrong_privacy(loaded, service),
            *wrong_quotas(_watched(loaded), service.spec.quotas),
        )
        mistakes += [documents_of[name].mistake(path, text) for name, path, text in wrong]
        mistakes += [services[0].mistake(*wrong) for check in service_checks for wrong in check(service, root)]
    # A file that could not be read as a model is a mistake already.
    if not loaded and not mistakes and not _watches_no_file(service):
        mistakes.append(documents[0].mistake(("spec", "models"), _NO_MODEL))
    if mistakes:
        raise ConfigError(sorted(set(judged(mistakes, unknown))))
    assert service is not None
    files = {name: document.file for name, document in documents_of.items()}
    texts = {name: _text_of(document) for name, document in documents_of.items()}
    own = _watched(loaded)
    templates = {name: model for name, model in loaded.items() if name not in own}
    return Configuration(service, own, root, files, layered=documents_of, texts=texts, templates=templates)


def _watched(loaded: Mapping[str, Model]) -> dict[str, Model]:
    return {name: model for name, model in loaded.items() if not model.spec.is_template}


def _text_of(document: Document) -> str:
    """A model's document as it is written; together with the defaults that are in force for it, if there are any."""
    return document.whole() if isinstance(document, Layered) else document.text


class _Models:
    """Models as they are loaded, each above the defaults that are in force for it: those with mistakes, too.

    Parameters
    ----------
    documents : list of Document
        Of models and of defaults.
    checks : sequence of Check

    Attributes
    ----------
    mistakes : list of Mistake
    """

    def __init__(self, documents: list[Document], checks: Sequence[Check]) -> None:
        self.loaded: dict[str, Model] = {}
        self.documents: dict[str, Document] = {}
        self._checks = checks
        defaults = [document for document in documents if _kind_of(document) == "Defaults"]
        self._layers = Layers(document for document in defaults if is_mergeable(document))
        # Defaults, by their `id`, above which models are not checked in full.
        self._hiding: set[int] = {id(document) for document in defaults if not is_mergeable(document)}
        self._is_known_below = not self._hiding
        self.mistakes: list[Mistake] = list(self._layers.mistakes)
        for document in documents:
            if _kind_of(document) != "Defaults" and _is_model(document, self.mistakes):
                self._add(document)
        for document in defaults:
            self._note_wrong(document, wrong_defaults(document))

    def _note_wrong(self, defaults: Document, mistakes: list[Mistake]) -> None:
        """Note what is wrong with defaults: behind the last of it, that models are not checked in full above them."""
        self.mistakes += mistakes
        if mistakes and id(defaults) in self._hiding:
            final_mistake = max(mistakes)
            self.mistakes = [mistake for mistake in self.mistakes if mistake != final_mistake]
            self.mistakes.append(replace(final_mistake, message=f"{final_mistake.message} ({_MODELS_UNCHECKED})"))

    def _add(self, own: Document) -> None:
        """Load a model, or note what is wrong with it."""
        if not self._is_known_below:
            return
        document = self._layers.below(own)
        model = validated(Model, document, self.mistakes)
        if model is None:
            self._hiding |= {id(layer) for layer in document.layers}
            return
        if model.name in self.loaded:
            message = f"model {model.name!r} is already defined in {self.documents[model.name].file}"
            self.mistakes.append(document.mistake(("metadata", "name"), message))
        self.loaded[model.name], self.documents[model.name] = model, document
        for check in self._checks:
            for path, message in check(model, own.file.parent):
                if not self._is_for_others(own, document, path):
                    self.mistakes.append(document.mistake(path, message))

    @staticmethod
    def _is_for_others(own: Document, document: Document, path: KeyPath) -> bool:
        """Whether this is a rule of defaults that is for no signal of this model: it may be for those of others."""
        layer, key = document.origin(path)
        return layer is not own and key[:3] == RULES and key[4:] == ("on",)


def _watches_no_file(service: Service | None) -> bool:
    """Whether a service has no models of files on purpose: the API may own some, or it takes the alerts of others."""
    return service is not None and not service.spec.models


def _kind_of(document: Document) -> object:
    return document.value.get("kind") if isinstance(document.value, dict) else None


def _is_model(document: Document, mistakes: list[Mistake]) -> bool:
    if not isinstance(document.value, dict):
        mistakes.append(document.mistake((), "expected a mapping with apiVersion, kind: Model and spec"))
    elif _kind_of(document) != "Model":
        mistakes.append(document.mistake(("kind",), "kind must be Model, Service or Defaults"))
    return _kind_of(document) == "Model"


def files_of(service: Path, pattern: str) -> list[str]:
    """Return the files that a pattern under `models` of a service's file means."""
    return sorted(file for file in glob.glob(str(service.parent / pattern)) if is_file(file))


def _models_of(service: Service, document: Document, mistakes: list[Mistake]) -> list[Document]:
    files: list[Path] = []
    for index, pattern in enumerate(service.spec.models):
        matching = files_of(document.file, pattern)
        if not matching:
            mistakes.append(document.mistake(("spec", "models", index), f"no file matches {pattern!r}"))
        files += map(Path, matching)
    return _read(files)


def wrong_references(model: Model, folder: Path) -> Iterator[tuple[KeyPath, str]]:
    """Signals, detectors and files that the model names but that do not exist."""
    from monitor.config.references import wrong_rules

    uri = model.spec.baseline.uri
    if uri is not None and not is_file(folder / uri):
        yield ("spec", "baseline", "uri"), _no_file(folder, uri)
    for name, estimate in model.spec.estimates.items():
        if not is_file(folder / estimate.uri):
            yield ("spec", "performance", "estimates", name, "uri"), _no_file(folder, estimate.uri)
    yield from wrong_rules(model)


def _no_file(folder: Path, uri: str) -> str:
    """Say what a file is not that cannot be read."""
    scheme, is_address, _ = uri.partition("://")
    if is_address:
        return f"a path of this machine belongs here, and {scheme}:// is none: fetch the file, and name its copy"
    return f"is a folder: {folder / uri}" if os.path.isdir(folder / uri) else f"no such file: {folder / uri}"


def _wrong_names(service: Service) -> Iterator[tuple[KeyPath, str]]:
    """Receivers and intervals that routes name but that do not exist."""
    if service.spec.alerting is not None:
        receivers = service.spec.receivers
        machines = [receiver.name for receiver in receivers if not receiver.takes_summaries]
        for path, message in service.spec.alerting.wrong_names([receiver.name for receiver in receivers], machines):
            yield ("spec", "alerting", *path), message


def _unguarded(service: Service) -> Iterator[tuple[KeyPath, str]]:
    """An address that others reach, of a service that does not say who may."""
    if message := unguarded(service.spec.access, service.spec.api.host):
        yield ("spec", "api", "host"), message


def read_again(
    service: Service | None, services: list[Document], models: dict[str, Model], documents: dict[str, Document]
) -> Iterator[Mistake]:
    """Topics of dead letters that a model reads: each message there would come back as another one."""
    message = "model {!r} reads this topic: what is rejected would be read again, and rejected again, without end"
    default = service.spec.kafka.dead_letters if service is not None else None
    readers = _Readers(models)
    if default is not None and (reader := readers.of(default.topic)):
        yield services[0].mistake(("spec", "kafka", "dead_letters"), message.format(reader))
    for name, model in models.items():
        for index, source in enumerate(model.spec.sources):
            letters = source.dead_letters
            if letters is not None and (reader := readers.of(letters.topic)):
                path = ("spec", "sources", index, "dead_letters")
                yield documents[name].mistake(path, message.format(reader))


class _Readers:
    """Which model reads a topic, by its name or by a pattern: of a thousand models none is looked at again."""

    def __init__(self, models: dict[str, Model]) -> None:
        self._by_name: dict[str, str] = {}
        self._by_pattern: dict[str, str] = {}
        for name, model in models.items():
            for entry in [entry for source in model.spec.sources for entry in source.kafka or ()]:
                (self._by_pattern if is_pattern(entry) else self._by_name).setdefault(entry, name)

    def of(self, topic: str) -> str | None:
        """Return a model that reads the topic; None if none does."""
        reader = reader_of([*([topic] if topic in self._by_name else ()), *self._by_pattern], topic)
        return None if reader is None else self._by_name.get(reader) or self._by_pattern[reader]
