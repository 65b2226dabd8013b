"""Rows that a question is answered with, in the form that is wanted."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monitor.client.asking import Asking
from monitor.client.errors import ClientError

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

__all__ = ["FORMATS", "Answer"]

FORMATS = ("csv", "parquet", "arrow")
PAGE = 10_000


class Answer:
    """Rows that a question is answered with, in the form that is wanted.

    Iterating gives the rows as the HTTP API shows them, over as many pages as it takes: dictionaries, times as
    milliseconds since the epoch.
    """

    def __init__(self, ask: Asking, route: str, given: Mapping[str, Any], limit: int | None, *, paged: bool) -> None:
        self._ask, self._route, self._given = ask, route, given
        self._limit, self._paged = limit, paged
        self._table: pyarrow.Table | None = None

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for document in self.pages():
            yield from document["items"]

    def pages(self) -> Iterator[dict[str, Any]]:
        """Yield the documents that hold the rows; what else they say differs by question."""
        left, cursor = self._limit, None
        while True:
            size = {} if not self._paged else {"limit": PAGE if left is None else min(left, PAGE), "cursor": cursor}
            document = self._ask.document(self._route, {**self._given, **size})
            yield document
            cursor = document["next_cursor"]
            left = None if left is None else left - len(document["items"])
            if cursor is None or (left is not None and left <= 0):
                return

    def document(self) -> dict[str, Any]:
        """Return the first page: ``items``, and what else the HTTP API says."""
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
        return self._ask.stream(self._route, {**self._given, **self._most(), "format": form})

    def save(self, path: str | os.PathLike[str], form: str | None = None) -> Path:
        """Write a file, without holding it; its name's end says the form unless ``form`` does.

        What was there is replaced when all has come.
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
            data = self._ask.whole(self._route, {**self._given, **self._most(), "format": "arrow"})
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

    def _most(self) -> dict[str, int]:
        return {"limit": self._limit} if self._limit is not None else {}


def _need(package: str) -> Any:
    """Import an optional package, or say how to get it."""
    from importlib import import_module

    try:
        return import_module(package)
    except ImportError as error:
        raise ClientError(f"this needs {package}: pip install {package}; .arrow() needs nothing more") from error
