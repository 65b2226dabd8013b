"""How a value stands in a file: durations with their units, shares as percentages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

from pydantic import BeforeValidator
from pydantic.fields import FieldInfo

from monitor.config import detect, formats, prometheus
from monitor.values import format_duration, parse_duration, parse_lifetime, parse_share

__all__ = ["as_written", "reader_of_field"]

_AS_WRITTEN: dict[Any, Callable[[Any], str | bool]] = {
    parse_duration: format_duration,
    prometheus.parse_prometheus_duration: format_duration,
    parse_lifetime: lambda value: "forever" if value is None else format_duration(value),
    parse_share: lambda value: {0.0: False, 1.0: True}.get(value, f"{100 * value:g}%"),
    formats.by_name: lambda value: value.kind,
}


def reader_of_field(field: FieldInfo) -> Any:
    """Return the function that reads what the file holds, for types that are written in their own way."""
    # Of `DurationMs | None` the annotation holds what `DurationMs` alone has in the field.
    parts = get_args(field.annotation) if type(None) in get_args(field.annotation) else ()
    optional = [item for part in parts for item in getattr(part, "__metadata__", ())]
    readers = [item.func for item in (*field.metadata, *optional) if isinstance(item, BeforeValidator)]
    return readers[0] if readers else None


def as_written(field: FieldInfo, value: Any) -> Any:
    """Return what a file would hold for a value of a field; the value itself where that is the same.

    Examples
    --------
    >>> as_written(detect.Defaults.model_fields["window"], 300_000)
    '5m'
    """
    reader = reader_of_field(field)
    if reader in _AS_WRITTEN and (value is not None or reader is parse_lifetime):
        return _AS_WRITTEN[reader](value)
    if isinstance(value, list) and (items := get_args(field.annotation)):
        item_field = FieldInfo.from_annotation(items[0])
        if reader_of_field(item_field) in _AS_WRITTEN:
            return [as_written(item_field, item) for item in value]
    if isinstance(value, detect.Budget):
        return f"{value.count:g} per {format_duration(value.per_ms)}"
    return value
