"""What models have to agree on about the streams that they read, and what these need of the service."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from monitor.config.model import Model, SourceSpec
from monitor.config.service import Service
from monitor.config.streams import is_pattern, matches

__all__ = ["wrong_formats"]

Path_ = tuple[str | int, ...]


def wrong_formats(models: Mapping[str, Model], service: Service) -> Iterator[tuple[str, Path_, str]]:
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
