"""Loading a configuration, with what decoders say of it; and which of its detectors are not for its signals."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from detectors.contract import SIGNALS, Detector, Unsuited
from detectors.signals import kinds_of
from monitor import config
from monitor.config import Configuration, Model, Service
from monitor.config.access import Access
from monitor.config.document import ConfigError, KeyPath, is_file
from monitor.config.model import SourceSpec
from monitor.config.references import RIVERS, WINDOWED, uses_for
from monitor.config.templates import wrong_templates
from monitor.dataset import Dataset, read_dataset
from monitor.errors import InputError
from monitor.tls.client import trusting

__all__ = ["Caution", "cautions", "fields_beside_data_set", "load", "read_model", "with_posted"]


@dataclass(frozen=True)
class Caution:
    """A detector that should not be given a signal, if the signal is of a kind.

    Attributes
    ----------
    signal, detector : str
    kind : str
        Of :data:`detectors.contract.SIGNALS`.
    meaning : str
        The kind, in words.
    seen : str
        What shows in the data set that the signal is of that kind; empty if there is none that could show it.
    reason : str
        What happens then, with what was measured.
    instead : str
        A detector that does work for such signals.
    """

    signal: str
    detector: str
    kind: str
    meaning: str
    seen: str
    reason: str
    instead: str


def load(path: str | os.PathLike[str], *, data_sets: bool = False, certificate: bool = False) -> Configuration:
    """Load a configuration as :func:`monitor.config.load` does, and see whether decoders can use the files it names.

    Parameters
    ----------
    path : path-like
    data_sets : bool
        Whether to read those too, and see whether they hold what they are named for.
    certificate : bool
        Whether to see if the API can use its certificate, whose key others may not read.

    Raises
    ------
    ConfigError
        With every mistake, not only the first.
    """
    checks = [_unusable_files, _unusable_data_set, _unusable_estimators] if data_sets else [_unusable_files]
    loaded = config.load(path, checks=checks, service_checks=[_unusable_certificate] if certificate else [])
    if mistakes := sorted(set(wrong_templates(loaded, [_unusable_files]))):
        raise ConfigError(mistakes)
    return loaded


def read_model(folder: Path, name: str, text: str, *, is_of_file: bool = False) -> Model:
    """Return the model that a document of the API describes, with what decoders say of it.

    Parameters
    ----------
    folder : Path
    name, text : str
    is_of_file : bool
        Whether it may name what only files may, but for environment variables.

    Raises
    ------
    ConfigError
    """
    return config.read_model(folder, name, text, checks=[_unusable_files], is_of_file=is_of_file)


def with_posted(configuration: Configuration, name: str, text: str) -> Configuration:
    """Add a model whose document came through the API: checked as files are, with the data set that it names.

    Raises
    ------
    ConfigError
    """
    return config.with_posted(
        configuration, name, text, checks=[_unusable_files, _unusable_data_set, _unusable_estimators]
    )


def cautions(configuration: Configuration, name: str) -> list[Caution]:
    """Return where a model's detectors are not for its signals, in the order of its signals.

    What the model's data set shows is said of the signals that are so. Of a signal that no data set has, every kind is
    named that its detectors are not for; error rates are thought of only with detectors of errors.

    Parameters
    ----------
    configuration : Configuration
    name : str
        Of the model.

    Raises
    ------
    InputError
        If the data set is broken, or a number's column is none of numbers.
    """
    model = configuration.models[name]
    watching = {signal: detectors for signal, uses in uses_for(model).items() if (detectors := _of_change(uses))}
    if not watching:
        return []
    uri = model.spec.baseline.uri
    dataset = (
        read_dataset(configuration.resolve(name, uri), model.spec.schema_.paths(), model.spec.conditions)
        if uri
        else None
    )
    return [caution for signal, detectors in watching.items() for caution in _of_signal(signal, detectors, dataset)]


def fields_beside_data_set(configuration: Configuration, name: str) -> list[str]:
    """Return the signals of a model for whose fields its data set has no column; none where it has no data set.

    Raises
    ------
    InputError
        If the data set is broken.
    """
    spec = configuration.models[name].spec
    if spec.baseline.uri is None:
        return []
    dataset = read_dataset(configuration.resolve(name, spec.baseline.uri), spec.schema_.paths())
    return [signal for signal in spec.schema_.signals() if not dataset.has(signal.partition(":")[2])]


def _unusable_files(model: Model, folder: Path) -> Iterator[tuple[KeyPath, str]]:
    """Yield path and message of every file of a format that is not there or cannot be used."""
    for index, source in enumerate(model.spec.sources):
        for key, name in source.format.files.items():
            path = ("spec", "sources", index, "format", key)
            if not is_file(folder / name):
                yield path, f"no such file: {folder / name}"
            elif message := _refusal(model, source, folder):
                yield path, message


def _unusable_certificate(service: Service, folder: Path) -> Iterator[tuple[KeyPath, str]]:
    """Yield path and message of a file with which the API cannot encrypt, or trust an issuer."""
    tls, access = service.spec.api.tls, service.spec.access
    for key, message in tls.wrong_files(folder) if tls is not None else ():
        yield ("spec", "api", "tls", key), message
    if isinstance(access, Access) and access.oidc is not None and access.oidc.ca:
        try:
            trusting(str(folder / access.oidc.ca))
        except InputError as error:
            yield ("spec", "access", "oidc", "ca"), str(error)


def _unusable_data_set(model: Model, folder: Path) -> Iterator[tuple[KeyPath, str]]:
    """Yield path and message of a data set that lacks what is needed of it."""
    # Only here: layouts bring the compiler along.
    from monitor.watch import watch_of

    path = folder / model.spec.baseline.uri if model.spec.baseline.uri else None
    if path is not None and is_file(path):
        try:
            watch = watch_of(model, path.resolve())
            if model.spec.baseline.kind == "dataset" and not watch.reference:
                columns = ", ".join(read_dataset(path).columns)
                yield ("spec", "baseline", "uri"), f"{path} has no field of the model; its columns are {columns}"
        except InputError as error:
            yield ("spec", "baseline", "uri"), str(error)


def _unusable_estimators(model: Model, folder: Path) -> Iterator[tuple[KeyPath, str]]:
    """Yield path and message of an estimator that cannot be read, or is none of such a model."""
    # Only here: they bring the compiler along.
    from monitor.watch import estimator_of

    for name, estimate in model.spec.estimates.items():
        if is_file(folder / estimate.uri):
            try:
                estimator_of(model, name, folder / estimate.uri)
            except InputError as error:
                yield ("spec", "performance", "estimates", name, "uri"), str(error)


def _refusal(model: Model, source: SourceSpec, folder: Path) -> str:
    """Why a decoder cannot use the files of a source's format; empty if it can."""
    # Only here: decoders bring the compiler along, and most configurations name no file.
    from monitor.decoders import Schemas, TopicPlan, decoder_for

    schemas = Schemas(resolve=lambda _model, name: (folder / name).resolve())
    try:
        decoder_for([TopicPlan(model.name, source, model.spec.schema_)], schemas)
    except InputError as error:
        return str(error)
    return ""


def _of_change(names: Iterable[str]) -> list[Detector]:
    """Return those that see every value and look for changes, of the detectors that a signal is given."""
    names = [name for name in names if name not in WINDOWED and not name.startswith(RIVERS)]
    if not names:
        return []
    # Only here: they bring the compiler along, and most configurations name none of them.
    from detectors.drift import DETECTORS

    return [DETECTORS[name] for name in names if name in DETECTORS]


def _of_signal(signal: str, detectors: list[Detector], dataset: Dataset | None) -> Iterator[Caution]:
    field = signal.partition(":")[2]
    seen = kinds_of(dataset.numeric(field)) if dataset is not None and dataset.has(field) else None
    for detector in detectors:
        for unsuited in detector.unsuited:
            if _is_doubtful(unsuited, detector, seen):
                yield Caution(
                    signal,
                    detector.name,
                    unsuited.signals,
                    SIGNALS[unsuited.signals],
                    (seen or {}).get(unsuited.signals, ""),
                    unsuited.reason,
                    unsuited.instead,
                )


def _is_doubtful(unsuited: Unsuited, detector: Detector, seen: Mapping[str, str] | None) -> bool:
    if seen is not None:
        return unsuited.signals in seen
    return unsuited.signals != "few errors" or detector.domain != "real"
