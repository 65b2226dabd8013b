"""Rows to store, ordinary and awkward, and how to compare what comes back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from monitor.clock import SystemClock
from sinks.store.contract import TABLES, Columns, Table

INT64, NOW_MS = np.iinfo(np.int64), SystemClock().now_ms()
STRINGS = [
    "", "plain", "it's", 'say "so"', "back\\slash", "\\N", "tab\tnew\nline\rreturn", "nul\0byte", "Ω é ☃ 😀",
    "{p0:String}", "'; DROP TABLE scores; --", "x" * 1_000_000,
]  # fmt: skip
INTS = [0, 1, -1, int(INT64.max), int(INT64.min), 2**53 + 1, 1_357_000_000_000]
FLOATS = [0.0, -0.0, 0.1 + 0.2, float("nan"), float("inf"), float("-inf"), 5e-324, 1.7976931348623157e308]
BYTES = [b"", b"\0", bytes(range(256)), b"\xff\xfe", b"\\N\n\t'"]
INT_ARRAYS = [[], [0], [int(INT64.min), int(INT64.max)], list(range(130))]
STRING_ARRAYS = [(), ("",), ("a", "it's", "nul\0", "😀"), ("\\N", "[", ",", "'")]

AWKWARD: dict[str, Sequence[Any]] = {
    "str": STRINGS, "int": INTS, "float": FLOATS, "bytes": BYTES, "ints": INT_ARRAYS, "strs": STRING_ARRAYS,
}  # fmt: skip


def awkward(table: Table, count: int = 24) -> Columns:
    """Rows with every awkward value of each kind; an integer of the key, or else its text, makes keys differ."""
    rows: Columns = {}
    for shift, column in enumerate(table.columns):
        values = AWKWARD[column.kind]
        rows[column.name] = [values[(row + shift) % len(values)] for row in range(count)]
    counter = next((name for name in reversed(table.key) if table.column(name).kind == "int"), None)
    if counter is None:
        rows[table.key[-1]] = [f"{text}{row}" for row, text in enumerate(rows[table.key[-1]])]
    else:
        rows[counter] = [INTS[row] if row < len(INTS) else 1_000 + row for row in range(count)]
    return rows | _young(table.name, count)


def _young(table: str, count: int) -> Columns:
    """Times of rows that go after a month, whatever the configuration says: they are not to go meanwhile."""
    return {"at_ms": [NOW_MS + row for row in range(count)]} if table == "configurations_taken" else {}


def plain(table: str, count: int, **columns: Any) -> Columns:
    """``count`` rows of ordinary values; ``columns`` overrides, by a scalar or a sequence of values."""
    ordinary = {"str": "a", "int": 1, "float": 0.5, "bytes": b"state", "ints": [1, 2], "strs": ("de", "fr")}
    rows: Columns = {column.name: [ordinary[column.kind]] * count for column in TABLES[table].columns}
    rows |= _young(table, count)
    for name, value in columns.items():
        rows[name] = list(value) if isinstance(value, (list, range, np.ndarray)) else [value] * count
    return rows


def take(rows: Mapping[str, Sequence[Any]], places: Sequence[int]) -> Columns:
    """The rows at ``places``."""
    return {name: [values[row_index] for row_index in places] for name, values in rows.items()}


def sorted_rows(table: Table, rows: Mapping[str, Sequence[Any]]) -> Columns:
    """``rows`` in the order in which a store returns them."""
    keys = list(zip(*(rows[name] for name in table.key), strict=True))
    return take(rows, sorted(range(len(keys)), key=keys.__getitem__))


def exact(table: Table, rows: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
    """``rows`` as plain lists that compare bit by bit, floats as their bits."""
    return {name: [_exact(table.column(name).kind, value) for value in values] for name, values in rows.items()}


def _exact(kind: str, value: Any) -> Any:
    if kind == "float":
        return np.float64(value).tobytes()
    if kind in ("ints", "strs"):
        return [item if isinstance(item, str) else int(item) for item in value]
    return int(value) if kind == "int" else value
