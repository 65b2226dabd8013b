"""What models have to agree on about the streams that they read, and what these need of the service."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from monitor.config.model import Model, SourceSpec
from monitor.config.service import Service
from monitor.config.streams import is_pattern, matches, reader_of

__all__ = ["read_dead_letters", "wrong_files", "wrong_streams"]

Path_ = tuple[str | int, ...]


def wrong_streams(models: Mapping[str, Model], service: Service) -> Iterator[tuple[str, Path_, str]]:
    """Yield model, path and message of every source that does not fit those of the models before, or the service."""
    yield from _wrong_formats(models, service)
    yield from _ambiguous_names(models)


def wrong_files(models: Mapping[str, Model], folder_of: Callable[[str], Path]) -> Iterator[tuple[str, Path_, str]]:
    """Yield model, path and message of every source that calls its files as a model before calls others.

    A stream is known by its name alone: both models would be given the files of the first.
    """
    first: dict[str, tuple[str, Path]] = {}
    for name, model in models.items():
        for index, source in enumerate(model.spec.sources):
            if source.file is not None:
                folder = folder_of(name).resolve()
                file = (folder / source.file).resolve()
                other, other_file = first.setdefault(source.file, (name, file))
                if file != other_file:
                    message = f"model {other!r} reads {other_file} by this name, and here it is another file"
                    other_name = f"../{folder.name}/{source.file}"
                    yield name, ("spec", "sources", index, "file"), f"{message}: call it `{other_name}`, say"


def read_dead_letters(models: Mapping[str, Model], service: Service) -> Iterator[tuple[str, Path_, str]]:
    """Yield model, path and message of every source that reads what Leeway writes there of what was rejected."""
    letters = [source.dead_letters for model in models.values() for source in model.spec.sources]
    topics = sorted({each.topic for each in (service.spec.kafka.dead_letters, *letters) if each is not None})
    for name, model in models.items():
        for topic in topics:
            if model.spec.source_of(topic) is not None:
                message = f"it reads {topic!r}, where dead letters go: what is rejected would be read again without end"
                yield name, ("spec", "sources"), message


def _ambiguous_names(models: Mapping[str, Model]) -> Iterator[tuple[str, Path_, str]]:
    """A stream of HTTP that is called as a topic of Kafka: where reading goes on is kept by the name alone."""
    topics: dict[str, str] = {}
    streams: dict[str, str] = {}
    patterns: list[str] = []
    for name, model in models.items():
        for index, source in enumerate(model.spec.sources):
            if source.http is not None:
                entry = source.http if source.http in topics else reader_of(patterns, source.http)
                streams.setdefault(source.http, name)
                if entry is not None:
                    yield name, ("spec", "sources", index, "http"), _ambiguous(source.http, topics[entry])
            for number, entry in enumerate(source.kafka or ()):
                topics.setdefault(entry, name)
                patterns += [entry] if is_pattern(entry) else []
                candidates = streams if is_pattern(entry) else streams.keys() & {entry}
                stream = next((stream for stream in candidates if matches(entry, stream)), None)
                if stream is not None:
                    yield name, ("spec", "sources", index, "kafka", number), _ambiguous(stream, streams[stream])


def _ambiguous(stream: str, other: str) -> str:
    return f"{stream!r} is a topic of Kafka and a stream of HTTP at once, of model {other!r}: give one another name"


def _wrong_formats(models: Mapping[str, Model], service: Service) -> Iterator[tuple[str, Path_, str]]:
    """Yield model, path and message of every format that does not fit the other models, or the service.

    A message is decoded once for all models that read its topic, so they cannot differ on what it is written in.
    """
    first: dict[str, tuple[str, SourceSpec]] = {}
    patterns: list[str] = []
    for name, model in models.items():
        for index, source in enumerate(model.spec.sources):
            path = ("spec", "sources", index, "format")
            for stream in source.streams:
                other, other_source = _other_format(first, patterns, stream, source) or (name, source)
                if first.setdefault(stream, (name, source))[0] == name and is_pattern(stream):
                    patterns.append(stream)
                if other_source.format != source.format:
                    yield name, path, f"model {other!r} gives {stream!r} another format; a topic has one"
            if source.format.needs_registry and service.spec.schema_registry is None:
                message = f"{source.format.kind} needs a schema_registry in the service's file"
                yield name, path, message + (", or a file that is named here" if source.format.can_be_bare else "")


def _other_format(
    first: Mapping[str, tuple[str, SourceSpec]], patterns: Iterable[str], stream: str, source: SourceSpec
) -> tuple[str, SourceSpec] | None:
    """A model that reads the same in another format. Two patterns are compared only where a topic is named."""
    candidates = first if is_pattern(stream) else [stream, *patterns]
    for entry in candidates:
        name, other = first.get(entry, ("", source))
        if other.format != source.format and (matches(entry, stream) or matches(stream, entry)):
            return name, other
    return None
