"""Results in which every time is one: ClickHouse's Arrow output has the numbers of columns of type ``DateTime``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sinks.store.connection import Connection
from sinks.store.contract import StoreError

if TYPE_CHECKING:
    import pyarrow

__all__ = ["arrow_with_times"]

_DATETIME = re.compile(r"DateTime(?:\('([^']*)'\))?")
_WRAPPED = re.compile(r"(?:Nullable|LowCardinality)\((.*)\)")
_ARRAY = re.compile(r"Array\((.*)\)")


def arrow_with_times(
    connection: Connection, sql: str, parameters: Mapping[str, Any] | None = None
) -> pyarrow.Table[Any]:
    """Run a statement as :meth:`Connection.arrow` does; what is of type ``DateTime``, or a list of it, is a timestamp.

    Raises
    ------
    StoreError
    """
    import pyarrow

    table = connection.arrow(sql, parameters)
    if not any("uint32" in str(field.type) for field in table.schema):
        return table
    try:
        kinds = connection.query(f"DESCRIBE (\n{sql.rstrip().rstrip(';')}\n)", parameters)["type"]
    except StoreError:
        # What is no SELECT, such as SHOW, has been answered, and stands in no other statement.
        return table
    for index, kind in enumerate(kinds):
        steps = _steps(kind)
        if steps:
            column = table.column(index)
            for step in steps:
                column = column.cast(step)
            table = table.set_column(index, pyarrow.field(table.column_names[index], steps[-1]), column)
    return table


def _steps(kind: str) -> list[pyarrow.DataType]:
    """The Arrow types through which numbers of a type become times, in UTC unless it names a zone; none of others."""
    import pyarrow

    if wrapped := _WRAPPED.fullmatch(kind):
        return _steps(wrapped[1])
    if array := _ARRAY.fullmatch(kind):
        return [pyarrow.list_(step) for step in _steps(array[1])]
    match = _DATETIME.fullmatch(kind)
    if match is None:
        return []
    zone = match[1] or "UTC"
    # Times of the store itself are in milliseconds.
    return [pyarrow.int64(), pyarrow.timestamp("s", zone), pyarrow.timestamp("ms", zone)]
