"""What people see of rows: headings, and cells as text, on a terminal and in a notebook alike."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from monitor.resources.contract import LengthMs, Row, TimeMs, hints
from sinks.receivers.times import moment

__all__ = ["ShownColumn", "columns_of", "duration", "number", "when"]


class ShownColumn(NamedTuple):
    """One column: its heading, and what writes a row's cell."""

    heading: str
    write: Callable[[Mapping[str, Any]], object]


def columns_of(row: type[Row]) -> list[ShownColumn]:
    """Return the columns that the declaration of a row describes.

    Examples
    --------
    >>> from monitor.resources.top import TopSignal
    >>> [column.heading for column in columns_of(TopSignal)][:2]
    ['model', 'signal']
    """
    columns = [(each.replace("_", " "), each) if isinstance(each, str) else each for each in row.table]
    return [ShownColumn(heading, _writer(row, shown)) for heading, shown in columns]


def number(value: float | None) -> str:
    """Write a number with four significant digits; nothing for a missing one.

    Examples
    --------
    >>> number(0.123456), number(None)
    ('0.1235', '')
    """
    return "" if value is None or math.isnan(value) else f"{value:.4g}"


def when(time_ms: int | None) -> str:
    """Write a time as ISO 8601 in UTC; nothing for a missing one, which is None, 0, or the -1 of a record.

    Examples
    --------
    >>> when(1_700_000_000_000)
    '2023-11-14T22:13:20Z'
    """
    if time_ms in (None, 0, -1):
        return ""
    text = moment(time_ms).isoformat(timespec="milliseconds" if time_ms % 1000 else "seconds")
    return text.replace("+00:00", "Z")


def duration(length_ms: int | None) -> str:
    """Write a length of time in its two largest units; nothing for a missing one.

    Examples
    --------
    >>> duration(5_400_000), duration(90_000), duration(0), duration(None)
    ('1h 30m', '1m 30s', '0s', '')
    """
    if length_ms is None:
        return ""
    rest_s, parts = round(length_ms / 1000), []
    for unit, size_s in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, rest_s = divmod(rest_s, size_s)
        parts.append((count, unit))
    first = next((index for index, (count, _) in enumerate(parts) if count), 3)
    return " ".join(f"{count}{unit}" for count, unit in parts[first : first + 2] if count) or "0s"


def _writer(
    row: type[Row], shown: str | Callable[[Mapping[str, Any]], object]
) -> Callable[[Mapping[str, Any]], object]:
    """Return what writes a cell: by the type of its field, or as the declaration says."""
    if callable(shown):
        return shown
    *outer, name = shown.split(".")
    for part in outer:
        kind = hints(row)[part]
        if not isinstance(kind, type) or not issubclass(kind, Row):
            break
        row = kind
    write = _WRITERS.get(hints(row).get(name), _text)

    def cell(values: Mapping[str, Any]) -> object:
        for part in outer:
            values = values[part]
        return write(values.get(name))

    return cell


def _text(value: object) -> str:
    return "" if value is None else str(value)


_WRITERS: dict[Any, Callable[[Any], str]] = {
    TimeMs: when,
    TimeMs | None: when,
    LengthMs: duration,
    LengthMs | None: duration,
    float: number,
    float | None: number,
}
