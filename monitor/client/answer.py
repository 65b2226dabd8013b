"""The rows that answer a question, in any form."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monitor.client.connection import Connection
from monitor.client.errors import ClientError
from monitor.resources.contract import Question

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

__all__ = ["FORMATS", "Answer"]

FORMATS = ("csv", "parquet", "arrow")
PAGE = 10_000


class Answer:
    """The rows that answer a question, in any form.

    Iterating gives the rows as the HTTP API shows them, over as many pages as it takes: dictionaries, times as
    milliseconds since the epoch.

    Attributes
    ----------
    row : type of Row
        The names, types, units and descriptions of what a row holds, as fields of a dataclass.
    """

    def __init__(self, connection: Connection, question: Question) -> None:
        self._connection, self._path, self._parameters = connection, question.path, question.wire()
        # Of a question without pages, it is a parameter like any other.
        self._limit: int | None = getattr(question, "limit", None) if question.is_paged else None
        self._is_paged = question.is_paged
        self._table: pyarrow.Table | None = None
        self.row = question.row

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for document in self.pages():
            yield from document["items"]

    def pages(self) -> Iterator[dict[str, Any]]:
        """Yield the documents that hold the rows; what else they hold differs by question."""
        remaining, cursor = self._limit, None
        while True:
            size = {"limit": PAGE if remaining is None else min(remaining, PAGE), "cursor": cursor}
            document = self._connection.document(self._path, {**self._parameters, **(size if self._is_paged else {})})
            yield document
            cursor = document["next_cursor"]
            remaining = None if remaining is None else remaining - len(document["items"])
            if cursor is None or (remaining is not None and remaining <= 0):
                return

    def document(self) -> dict[str, Any]:
        """Return the first page: ``items``, and what else the HTTP API answers."""
        return next(self.pages())

    def stream(self, form: str) -> Iterator[bytes]:
        """Yield the answer as ``csv``, ``parquet`` or ``arrow`` (an IPC stream), a part at a time.

        Raises
        ------
        ValueError
            If the form is none of these.
        """
        if form not in FORMATS:
            raise ValueError(f"no form {form!r}; there are {', '.join(FORMATS)}")
        return self._connection.stream(self._path, self._whole(form))

    def save(self, path: str | os.PathLike[str], form: str | None = None) -> Path:
        """Write a file, without holding it; its suffix names the form unless ``form`` does.

        A file of that name is replaced when all rows have come.
        """
        target = Path(path)
        part = target.with_name(target.name + ".part")
        try:
            with part.open("wb") as file:
                for data in self.stream(form or target.suffix.lstrip(".")):
                    file.write(data)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
        return target

    def arrow(self) -> pyarrow.Table:
        """Return the rows as an Arrow table; times are timestamps in UTC, undefined numbers are null."""
        import pyarrow

        if self._table is None:
            data = self._connection.whole(self._path, self._whole("arrow"))
            self._table = pyarrow.ipc.open_stream(data).read_all()
        return self._table

    def pandas(self) -> pandas.DataFrame:
        """Return the rows as a pandas data frame."""
        _need("pandas")
        frame: pandas.DataFrame = self.arrow().to_pandas()
        return frame

    def polars(self) -> polars.DataFrame:
        """Return the rows as a polars data frame."""
        frame: polars.DataFrame = _need("polars").from_arrow(self.arrow())
        return frame

    def _whole(self, form: str) -> dict[str, Any]:
        limit = {"limit": self._limit} if self._limit is not None else {}
        return {**self._parameters, **limit, "format": form}


def _need(package: str) -> Any:
    """Import an optional package, or say how to get it."""
    from importlib import import_module

    try:
        return import_module(package)
    except ImportError as error:
        raise ClientError(f"this needs {package}: pip install {package}; .arrow() works without it") from error
