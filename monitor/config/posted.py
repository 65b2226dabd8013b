"""Models whose documents come through the API: the same checks as for files, and nothing that only files may name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from monitor.config.document import (
    ConfigError,
    Document,
    KeyPath,
    Mistake,
    judged,
    read_posted,
    read_posted_as_far_as_known,
)
from monitor.config.load import Check, Configuration, read_again, wrong_references
from monitor.config.model import Model
from monitor.config.privacy_checks import wrong_privacy
from monitor.config.streams import is_pattern, is_simple
from monitor.config.topics import wrong_streams
from monitor.config.validate import validated

__all__ = ["read_model", "with_models", "with_posted"]


def with_posted(configuration: Configuration, name: str, text: str, checks: Sequence[Check] = ()) -> Configuration:
    """Add a model whose document came through the API, in place of one of that name.

    It is checked as files are, also against the other models. Besides, it names nothing that only files may: no
    environment variable, no file outside of the service's folder, no topic that Leeway writes to, and no pattern that
    takes long to match.

    Parameters
    ----------
    configuration : Configuration
    name : str
        What the model is to be called.
    text : str
    checks : sequence of Check

    Raises
    ------
    ConfigError
        With every mistake found; they name no file.
    """
    try:
        model = read_model(configuration.root, name, text, checks)
    except ConfigError as error:
        raise ConfigError([_explained(configuration, mistake) for mistake in error.mistakes]) from None
    document = read_posted(configuration.root / f"{name}.yaml", text)
    changed = with_models(configuration, {name: (model, text)})
    mistakes = {
        document.mistake(path if other == name else ("spec", "sources"), message)
        for other, path, message in wrong_streams(changed.all_read, changed.service)
    }
    own = {name: changed.models[name]}
    mistakes |= {document.mistake(path, message) for _, path, message in wrong_privacy(own, changed.service)}
    documents = dict.fromkeys(changed.all_read, document)
    for mistake in read_again(changed.service, [document], changed.all_read, documents):
        # Files are as they were: what is wrong there now, this document has brought about.
        mistakes.add(document.mistake(("spec", "sources"), mistake.message))
    if mistakes:
        raise ConfigError(sorted(replace(mistake, file="") for mistake in mistakes))
    return changed


def _explained(configuration: Configuration, mistake: Mistake) -> Mistake:
    """Say of a key that is missing why defaults do not state it, where there are any."""
    has_defaults = any(document.layers for document in configuration.layered.values())
    if not has_defaults or "is missing" not in mistake.message:
        return mistake
    hint = "defaults of files are not for documents of the API"
    return replace(mistake, message=f"{mistake.message} ({hint})")


def with_models(configuration: Configuration, posted: Mapping[str, tuple[Model, str]]) -> Configuration:
    """Add models of the API, with their documents, in place of those of their names."""
    return replace(
        configuration,
        models={**configuration.models, **{name: model for name, (model, _) in posted.items()}},
        texts={**configuration.texts, **{name: text for name, (_, text) in posted.items()}},
        posted=configuration.posted | posted.keys(),
    )


def read_model(folder: Path, name: str, text: str, checks: Sequence[Check] = (), *, is_of_file: bool = False) -> Model:
    """Return the model that a document of the API describes, checked by itself.

    Parameters
    ----------
    folder : Path
    name, text : str
    checks : sequence of Check
    is_of_file : bool
        Whether it may name what only files may, but for environment variables.

    Raises
    ------
    ConfigError
        With every mistake found; they name no file.
    """
    document = read_posted_as_far_as_known(folder / f"{name}.yaml", text)
    if isinstance(document.value, dict) and document.value.get("kind") in ("Service", "Defaults"):
        raise ConfigError([Mistake("", *document.position(("kind",)), "kind", "kind must be Model here")])
    mistakes: list[Mistake] = []
    model = _model(document, mistakes)
    if model is not None:
        outside = () if is_of_file else _outside(model)
        mistakes += [document.mistake(*wrong) for wrong in _mistakes_of(model, name, folder, checks, outside)]
    if wrong := {replace(mistake, file="") for mistake in judged(mistakes, document.wrong_variables())}:
        raise ConfigError(sorted(wrong))
    assert model is not None
    return model


def _model(document: Document, mistakes: list[Mistake]) -> Model | None:
    if not isinstance(document.value, dict):
        mistakes.append(document.mistake((), "expected a mapping with apiVersion, kind: Model and spec"))
        return None
    return validated(Model, document, mistakes)


def _mistakes_of(
    model: Model, name: str, folder: Path, checks: Sequence[Check], outside: Iterable[tuple[KeyPath, str]]
) -> Iterator[tuple[KeyPath, str]]:
    if model.name != name:
        yield ("metadata", "name"), f"the address names {name!r}, and the document {model.name!r}"
    outside = list(outside)
    yield from outside
    # What stands there is not even looked at.
    for check in () if outside else (wrong_references, *checks):
        yield from check(model, folder)


def _outside(model: Model) -> Iterator[tuple[KeyPath, str]]:
    """What only a model of a file may name."""
    inside = "a document that comes through the API names files by a path inside of the service's folder"
    if model.spec.baseline.uri is not None and not _is_inside(model.spec.baseline.uri):
        yield ("spec", "baseline", "uri"), inside
    for name, estimate in model.spec.estimates.items():
        if not _is_inside(estimate.uri):
            yield ("spec", "performance", "estimates", name, "uri"), inside
    for index, source in enumerate(model.spec.sources):
        if source.models is not None:
            message = "only a document that is a file may have models register themselves"
            yield ("spec", "sources", index, "models"), message
        if source.file is not None:
            yield ("spec", "sources", index, "file"), "only a model whose document is a file may read files"
        if source.dead_letters is not None:
            written = (
                "only a model whose document is a file may name a topic that Leeway writes to; the service's is used"
            )
            yield ("spec", "sources", index, "dead_letters"), written
        for number, entry in enumerate(source.kafka or ()):
            if is_pattern(entry) and not is_simple(entry):
                yield ("spec", "sources", index, "kafka", number), _elaborate(entry)
        for key, name in source.format.files.items():
            if not _is_inside(name):
                yield ("spec", "sources", index, "format", key), inside


def _elaborate(pattern: str) -> str:
    return (
        f"{pattern[:80]!r} may take long to match: in a document that comes through the API a pattern has at most 249"
        " characters and three of `*`, `+`, `?`, `{` and `(`, of these none behind a `)`, and no `(?` but `(?:`"
    )


def _is_inside(name: str) -> bool:
    return not Path(name).is_absolute() and ".." not in Path(name).parts
