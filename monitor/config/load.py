"""Loading: from files to models, every mistake with its file, line and path."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from monitor.config.access import unguarded
from monitor.config.alerting import Alerting, is_alertmanagers
from monitor.config.document import ConfigError, Document, KeyPath, Mistake, is_file, read_documents
from monitor.config.model import Model
from monitor.config.plain_secrets import plain_secrets
from monitor.config.service import Service
from monitor.config.streams import reader_of
from monitor.config.topics import wrong_formats

__all__ = ["Check", "Configuration", "load", "load_alerting"]

T = TypeVar("T", Model, Service)
Check = Callable[[Model, Path], Iterable[tuple[KeyPath, str]]]
"""From a model and the folder of its file to what is wrong: the key's path, and a message."""

_NO_MODEL = "no model is defined"


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
    """

    service: Service
    models: dict[str, Model]
    root: Path
    files: dict[str, Path] = field(default_factory=dict)
    path: Path | None = None

    @property
    def is_watched(self) -> dict[str, Callable[[str], bool]]:
        """By model, whether it reads a topic whose events are summed up in panes."""
        return {name: model.spec.is_watched for name, model in self.models.items()}

    def resolve(self, model: str, uri: str) -> Path:
        """Return the path of a file named in a model's configuration."""
        return (self.files[model].parent / uri).resolve() if model in self.files else Path(uri)


def load(path: str | os.PathLike[str], checks: Sequence[Check] = ()) -> Configuration:
    """Load a service's file, a model's file, or a folder of models' files.

    Parameters
    ----------
    path : path-like
    checks : sequence of Check
        What else to look for in every model; :func:`monitor.check.load` adds what decoders know.

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
        raise ConfigError([Mistake(str(start), 0, "", "no such file or folder")])
    if start.is_dir():
        files = sorted(p for p in start.iterdir() if p.suffix in {".yaml", ".yml"})
        if not files:
            raise ConfigError([Mistake(str(start), 0, "", "the folder holds no .yaml file")])
    else:
        files = [start]
    documents = [document for file in files for document in read_documents(file)]
    if not documents:
        raise ConfigError([Mistake(str(start), 1, "", _NO_MODEL)])
    root = start if start.is_dir() else start.parent
    return replace(_assemble(documents, root, [_wrong_references, *checks]), path=start)


def load_alerting(path: str | os.PathLike[str]) -> Alerting:
    """Load a file of Alertmanager's, or the routes of a service's file: its ``alerting``, or one for each receiver.

    Raises
    ------
    ConfigError
        With every mistake found, and everything that is not supported.
    """
    if not is_file(path):
        raise ConfigError([Mistake(str(path), 0, "", "no such file")])
    documents = list(read_documents(Path(path)))
    if len(documents) != 1 or not isinstance(documents[0].value, dict):
        raise ConfigError([Mistake(str(path), 0, "", "expected a mapping with a route, as Alertmanager has it")])
    [document] = documents
    if document.value.get("kind") == "Service":
        return load(path).service.spec.routing
    try:
        alerting = Alerting.model_validate(document.value)
    except ValidationError as error:
        raise ConfigError(sorted({_located(document, item) for item in error.errors()})) from None
    wrong = [document.mistake(key, message) for key, message in alerting.wrong_names(())]
    if wrong:
        raise ConfigError(sorted(wrong))
    return alerting


def _assemble(documents: list[Document], root: Path, checks: Sequence[Check]) -> Configuration:
    mistakes: list[Mistake] = []
    services = [d for d in documents if _is_service(d)]
    for second in services[1:]:
        mistakes.append(second.mistake(("kind",), f"a second Service; the first is in {services[0].file}"))
    service = _validate(Service, services[0], mistakes) if services else Service()
    models = [d for d in documents if not _is_service(d)]
    if service is not None and services:
        read = {d.file.resolve() for d in documents}
        models += [d for d in _models_of(service, services[0], mistakes) if d.file.resolve() not in read]
    loaded: dict[str, Model] = {}
    documents_of: dict[str, Document] = {}
    for document in models:
        model = _validate(Model, document, mistakes)
        if model is None:
            continue
        if model.name in loaded:
            message = f"model {model.name!r} is already defined in {documents_of[model.name].file}"
            mistakes.append(document.mistake(("metadata", "name"), message))
        loaded[model.name], documents_of[model.name] = model, document
        mistakes += [document.mistake(*wrong) for check in checks for wrong in check(model, document.file.parent)]
    mistakes += _read_again(service, services, loaded, documents_of)
    if service is not None:
        mistakes += [services[0].mistake(*wrong) for wrong in (*_wrong_names(service), *_unguarded(service))]
        mistakes += [documents_of[name].mistake(path, text) for name, path, text in wrong_formats(loaded, service)]
    # A file that could not be read as a model is a mistake already.
    if not loaded and not mistakes and not _notifies_only(service):
        mistakes.append(documents[0].mistake(("spec", "models"), _NO_MODEL))
    if mistakes:
        raise ConfigError(sorted(set(mistakes)))
    assert service is not None
    return Configuration(service, loaded, root, {name: document.file for name, document in documents_of.items()})


def _notifies_only(service: Service | None) -> bool:
    """Whether a service watches no model on purpose, and takes the alerts of others."""
    return service is not None and not service.spec.models and service.spec.alerting is not None


def _is_service(document: Document) -> bool:
    return isinstance(document.value, dict) and document.value.get("kind") == "Service"


def _models_of(service: Service, document: Document, mistakes: list[Mistake]) -> Iterator[Document]:
    for index, pattern in enumerate(service.spec.models):
        files = sorted(file for file in glob.glob(str(document.file.parent / pattern)) if is_file(file))
        if not files:
            mistakes.append(document.mistake(("spec", "models", index), f"no file matches {pattern!r}"))
        for file in files:
            yield from read_documents(Path(file))


def _validate(kind: type[T], document: Document, mistakes: list[Mistake]) -> T | None:
    if not isinstance(document.value, dict):
        mistakes.append(document.mistake((), f"expected a mapping with apiVersion, kind: {kind.__name__} and spec"))
        return None
    if document.value.get("kind") not in ("Model", "Service"):
        mistakes.append(document.mistake(("kind",), "kind must be Model or Service"))
        return None
    try:
        validated = kind.model_validate(document.value)
    except ValidationError as error:
        mistakes += [_located(document, item) for item in error.errors()]
        return None
    mistakes += _written_secrets(document, validated)
    return validated


def _written_secrets(document: Document, validated: BaseModel) -> Iterator[Mistake]:
    """Secrets that a file holds itself."""
    message = "a secret is not written down: name the environment variable that holds it, such as ${PASSWORD}"
    for path in plain_secrets(validated):
        if path in document.lines and path not in document.referenced:
            yield document.mistake(path, message)


def _located(document: Document, item: Any) -> Mistake:
    """Translate pydantic's location to a path of the file: it inserts the tags of unions, which files do not hold."""
    path: list[str | int] = []
    value = document.value
    for part in item["loc"]:
        inside = (isinstance(value, dict) and part in value) or (
            isinstance(value, list) and isinstance(part, int) and part < len(value)
        )
        if inside:
            value = value[part]
            path.append(part)
        elif part is item["loc"][-1] and item["type"] in {"missing", "extra_forbidden"}:
            path.append(part)
    # The message alone: the error's input may hold a secret.
    message = item["msg"].removeprefix("Value error, ")
    if item["type"] == "extra_forbidden":
        message = "unknown key"
        if is_alertmanagers(str(path[-1])):
            message = "Alertmanager knows this key, but Leeway does not support it"
            if str(path[-1]).endswith("_configs"):
                message += ": have routes name a receiver of spec.receivers, such as one of kind apprise or webhook"
    elif item["type"] == "missing":
        message = "required key is missing"
    return document.mistake(tuple(path), message)


def _wrong_references(model: Model, folder: Path) -> Iterator[tuple[KeyPath, str]]:
    """Signals and detectors that the model names but that do not exist, and its data set."""
    from monitor.config.references import wrong_rules

    uri = model.spec.baseline.uri
    if uri is not None and not is_file(folder / uri):
        yield ("spec", "baseline", "uri"), f"no such file: {(folder / uri)}"
    yield from wrong_rules(model)


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


def _read_again(
    service: Service | None, services: list[Document], models: dict[str, Model], documents: dict[str, Document]
) -> Iterator[Mistake]:
    """Topics of dead letters that a model reads: each message there would come back as another one."""
    message = "model {!r} reads this topic: what is rejected would be read again, and rejected again, without end"
    default = service.spec.kafka.dead_letters if service is not None else None
    if default is not None and (reader := _reader_of(default.topic, models)):
        yield services[0].mistake(("spec", "kafka", "dead_letters"), message.format(reader))
    for name, model in models.items():
        for index, source in enumerate(model.spec.sources):
            letters = source.dead_letters
            if letters is not None and (reader := _reader_of(letters.topic, models)):
                path = ("spec", "sources", index, "dead_letters")
                yield documents[name].mistake(path, message.format(reader))


def _reader_of(topic: str, models: dict[str, Model]) -> str | None:
    """A model that reads the topic, by its name or by a pattern."""
    entries = {name: [entry for s in model.spec.sources for entry in s.kafka or ()] for name, model in models.items()}
    return next((name for name in entries if reader_of(entries[name], topic) is not None), None)
