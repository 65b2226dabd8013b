"""Sources: where records come from."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["SOURCES", "source_class"]

SOURCES: dict[str, str] = {
    "kafka": "monitor.sources.kafka.source:KafkaSource",
    "file": "monitor.sources.files:FileSource",
    "http": "monitor.sources.http_log:HttpSource",
}
"""By the key of a model's source. Named, not imported: a command that reads no Kafka does not wait for its client."""


def source_class(kind: str) -> type[Any]:
    """Import a source of the table.

    Raises
    ------
    KeyError
        The table has no such source.

    Examples
    --------
    >>> source_class("file").__name__
    'FileSource'
    """
    module, _, name = SOURCES[kind].partition(":")
    loaded: type[Any] = getattr(import_module(module), name)
    return loaded
