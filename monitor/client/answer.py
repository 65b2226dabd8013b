"""The rows that answer a question, in any form."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio

from monitor.client.connection import AsyncConnection, Connection
from monitor.client.displays import MOST_ROWS, drawn_history, table
from monitor.client.errors import ClientError
from monitor.client.requests import MEDIA, Paging, Request
from monitor.resources.contract import Question
from monitor.resources.history import History

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

__all__ = ["FORMATS", "Answer", "AsyncAnswer"]

FORMATS = tuple(MEDIA)

POINTS_SHOWN, MOST_SHOWN = 120, 5_000
"""Buckets of a series that a notebook draws, and of all series together that are read for it."""


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
        self._connection, self._question = connection, question
        self._table: pyarrow.Table | None = None
        self.row = question.row

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for document in self.pages():
            yield from document["items"]

    def _repr_html_(self) -> str:
        """Return what a notebook shows: of a history lines over time, of anything else a table of the first rows."""
        if isinstance(self._question, History):
            stepped = replace(self._question, step=self._question.step or "auto", points=POINTS_SHOWN, limit=MOST_SHOWN)
            return drawn_history(Answer(self._connection, stepped))
        return table(self.row, Answer(self._connection, _first(self._question)))

    def pages(self) -> Iterator[dict[str, Any]]:
        """Yield the documents that hold the rows; what else they hold differs by question."""
        paging = Paging(self._question)
        while not paging.is_over:
            yield paging.take(self._connection.document(paging.request()))

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
        return self._connection.stream(_whole(self._question, form))

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
        if self._table is None:
            self._table = _table(self._connection.whole(_whole(self._question, "arrow")))
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


class AsyncAnswer:
    """The rows that answer a question, in any form: what :class:`Answer` is, for ``async for`` and ``await``."""

    def __init__(self, connection: AsyncConnection, question: Question) -> None:
        self._connection, self._question = connection, question
        self._table: pyarrow.Table | None = None
        self.row = question.row

    async def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        async for document in self.pages():
            for row in document["items"]:
                yield row

    async def pages(self) -> AsyncIterator[dict[str, Any]]:
        """Yield the documents that hold the rows; what else they hold differs by question."""
        paging = Paging(self._question)
        while not paging.is_over:
            yield paging.take(await self._connection.document(paging.request()))

    async def document(self) -> dict[str, Any]:
        """Return the first page: ``items``, and what else the HTTP API answers."""
        paging = Paging(self._question)
        return paging.take(await self._connection.document(paging.request()))

    def stream(self, form: str) -> AsyncGenerator[bytes]:
        """Yield the answer as ``csv``, ``parquet`` or ``arrow`` (an IPC stream), a part at a time.

        Whoever does not read it to its end closes it (``contextlib.aclosing``), and with it the connection.

        Raises
        ------
        ValueError
            If the form is none of these.
        """
        return self._connection.stream(_whole(self._question, form))

    async def save(self, path: str | os.PathLike[str], form: str | None = None) -> Path:
        """Write a file, without holding it; its suffix names the form unless ``form`` does.

        A file of that name is replaced when all rows have come.
        """
        target = Path(path)
        part = anyio.Path(target.with_name(target.name + ".part"))
        try:
            async with await part.open("wb") as file, aclosing(self.stream(form or target.suffix.lstrip("."))) as parts:
                async for data in parts:
                    await file.write(data)
            await part.replace(target)
        finally:
            with anyio.CancelScope(shield=True):
                await part.unlink(missing_ok=True)
        return target

    async def arrow(self) -> pyarrow.Table:
        """Return the rows as an Arrow table; times are timestamps in UTC, undefined numbers are null."""
        if self._table is None:
            self._table = _table(await self._connection.whole(_whole(self._question, "arrow")))
        return self._table

    async def pandas(self) -> pandas.DataFrame:
        """Return the rows as a pandas data frame."""
        _need("pandas")
        frame: pandas.DataFrame = (await self.arrow()).to_pandas()
        return frame

    async def polars(self) -> polars.DataFrame:
        """Return the rows as a polars data frame."""
        package = _need("polars")
        frame: polars.DataFrame = package.from_arrow(await self.arrow())
        return frame


def _first(question: Question) -> Question:
    """Return a question for the rows that are shown, and one beyond, so that it can be said that there are more."""
    if "limit" not in {each.name for each in fields(question)}:
        return question
    limit: dict[str, Any] = {"limit": min(getattr(question, "limit", None) or MOST_ROWS + 1, MOST_ROWS + 1)}
    return replace(question, **limit)


def _whole(question: Question, form: str) -> Request:
    if form not in FORMATS:
        raise ValueError(f"no form {form!r}; there are {', '.join(FORMATS)}")
    return Paging(question).whole(form)


def _table(data: bytes) -> pyarrow.Table:
    import pyarrow

    return pyarrow.ipc.open_stream(data).read_all()


def _need(package: str) -> Any:
    """Import an optional package, or say how to get it."""
    from importlib import import_module

    try:
        return import_module(package)
    except ImportError as error:
        raise ClientError(f"this needs {package}: pip install {package}; .arrow() works without it") from error
