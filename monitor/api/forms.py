"""The forms of a list: a page as JSON, or all of it as CSV, Parquet or an Arrow stream."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import chain
from operator import or_
from typing import Annotated, Any, Literal, Protocol

import pyarrow
from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, Field, create_model
from starlette.responses import StreamingResponse

from monitor.api.parameters import answer
from monitor.api.problems import ProblemError
from monitor.api.reading import MAX_LIMIT, Page
from monitor.api.tables import batch, flat, schema
from monitor.resources.contract import Question, Row

__all__ = ["FORMS", "Form", "InPages", "ReadPage", "Whole", "listed", "listed_whole", "lists", "takes_gzip", "written"]

FORMS = {
    "json": "application/json",
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
    "arrow": "application/vnd.apache.arrow.stream",
}
"""Every form, and the media type that asks for it."""

DEFAULT_LIMIT = 1_000
EXPORT_ROWS = 50_000
"""Rows that an export holds at a time."""

IN_FORMS: dict[int | str, dict[str, Any]] = {
    200: {"content": {media: {"schema": {"type": "string", "format": "binary"}} for media in list(FORMS.values())[1:]}}
}
"""For the OpenAPI document: the forms that every list has beside JSON."""

ReadPage = Callable[[int, "str | None"], Page]
"""Reads at most so many rows behind a cursor."""


@dataclass(frozen=True)
class Form:
    """How a list is to be answered.

    Attributes
    ----------
    name : str
        A key of :data:`FORMS`.
    limit : int or None
        Most rows; None where the parameter is absent.
    cursor : str or None
    """

    name: str
    limit: int | None
    cursor: str | None

    @property
    def page_limit(self) -> int:
        """How many items a page of JSON has at most."""
        return DEFAULT_LIMIT if self.limit is None else self.limit


FormName = Annotated[
    Literal["json", "csv", "parquet", "arrow"] | None,
    Query(alias="format", description="instead of an `Accept` header"),
]


async def form_of(
    request: Request,
    form: FormName = None,
    limit: Annotated[
        int | None,
        Query(
            ge=1,
            le=2**31,
            description=f"most items in the answer; JSON has {DEFAULT_LIMIT:,} by default, and at most "
            f"{MAX_LIMIT:,} on a page, the other forms everything",
        ),
    ] = None,
    cursor: Annotated[str | None, Query(description="`next_cursor` of the previous page")] = None,
) -> Form:
    """Read the form of a list that has pages."""
    name = form or accepted(request.headers.get("accept", ""))
    if name == "json" and limit is not None and limit > MAX_LIMIT:
        message = f"a page of JSON has at most {MAX_LIMIT} items; follow `next_cursor`, or ask for another format"
        raise ProblemError("bad-parameter", f"limit: {message}", errors=[{"field": "limit", "message": message}])
    return Form(name, limit, cursor)


InPages = Annotated[Form, Depends(form_of)]


async def form_of_whole(request: Request, form: FormName = None) -> Form:
    """Read the form of a list that has no pages."""
    return Form(form or accepted(request.headers.get("accept", "")), None, None)


Whole = Annotated[Form, Depends(form_of_whole)]


class Listing(BaseModel):
    """A page of items."""

    from_ms: int | None = Field(default=None, description="the start, as `from` was understood")
    to_ms: int | None = Field(default=None, description="the end, as `to` was understood")
    next_cursor: str | None = Field(default=None, description="the cursor of the next page; null on the last page")


def lists(
    router: APIRouter, question: type[Question], *other_rows: type[Row], **head: Any
) -> Callable[[Callable[..., Response]], Callable[..., Response]]:
    """Return the decorator of the route that answers a question with a list, as its declaration describes it.

    Parameters
    ----------
    router : APIRouter
    question : type of Question
    *other_rows : type of Row
        What it may be answered with beside ``question.answer``.
    **head
        What the JSON document says beside the items: from a name to a type and a Field.
    """
    rows = [list[row] for row in (question.answer, *other_rows)]  # type: ignore[valid-type]
    members: dict[str, Any] = {**head, "items": (reduce(or_, rows), ...)}
    document = create_model(question.__name__, __base__=Listing, __doc__=question.__doc__, **members)
    summary = (question.__doc__ or "").splitlines()[0].rstrip(".")
    return router.get(
        question.path.removeprefix(router.prefix), summary=summary, response_model=document, responses=IN_FORMS
    )


def accepted(header: str) -> str:
    """Return the form that an ``Accept`` header asks for; JSON where it names none of them.

    Examples
    --------
    >>> accepted("text/html, text/csv;q=0.5, application/vnd.apache.parquet;q=0.9"), accepted("*/*")
    ('parquet', 'json')
    """
    names = {media: form for form, media in FORMS.items()}
    weighed: list[tuple[float, str]] = []
    for part in header.split(","):
        media, *parameters = (word.strip().lower() for word in part.split(";"))
        if media in names:
            weighed.append((_weight(parameters), names[media]))
    best = max(weighed, key=lambda item: item[0], default=(0.0, "json"))
    return best[1] if best[0] > 0 else "json"


def takes_gzip(request: Request) -> bool:
    """Whether whoever asks can unpack gzip: `gzip;q=0` says that they cannot (RFC 9110, 12.5.3)."""
    for part in request.headers.get("accept-encoding", "").split(","):
        coding, *parameters = (word.strip().lower() for word in part.split(";"))
        if coding == "gzip":
            return _weight(parameters) > 0
    return False


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


def listed(
    form: Form,
    read: ReadPage,
    types: pyarrow.Schema,
    head: Mapping[str, Any],
    items: Callable[[Page], list[dict[str, Any]]] = lambda page: page.rows,
) -> Response:
    """Answer with a list in the form that the request names.

    Parameters
    ----------
    form : Form
    read : callable
    types : pyarrow.Schema
        Of the rows in every form but JSON.
    head : mapping
        What the JSON document says beside ``items`` and ``next_cursor``.
    items : callable
        Gives the items of the JSON document.
    """
    if form.name == "json":
        page = read(form.page_limit, form.cursor)
        return answer({**head, "next_cursor": page.next_cursor, "items": items(page)})
    pages = _pages(read, form.limit, form.cursor)
    # The first page now, while a failure can still become a problem document.
    batches = chain([batch(next(pages).columns, types)], (batch(page.columns, types) for page in pages))
    return StreamingResponse(written(batches, types, form.name), media_type=FORMS[form.name])


def listed_whole(
    form: Form,
    rows: Sequence[dict[str, Any]],
    row: type[Row],
    head: Mapping[str, Any],
    item: Callable[[dict[str, Any]], dict[str, Any]] = lambda row: row,
) -> Response:
    """Answer with a list that has no pages; `item` makes the JSON document's item of a row."""
    types = schema(row)  # type: ignore[arg-type]  # a class is hashable
    page = Page.of(rows, types.names)
    return listed(form, lambda limit, cursor: page, types, head, lambda page: [item(row) for row in page.rows])


def _pages(read: ReadPage, limit: int | None, cursor: str | None) -> Iterator[Page]:
    remaining = limit if limit is not None else 2**62
    while True:
        page = read(min(remaining, EXPORT_ROWS), cursor)
        yield page
        remaining -= len(next(iter(page.columns.values())))
        cursor = page.next_cursor
        if cursor is None or remaining <= 0:
            return


def written(batches: Iterator[pyarrow.RecordBatch], types: pyarrow.Schema, form: str) -> Iterator[bytes]:
    r"""Yield record batches of the schema ``types`` as ``csv``, ``parquet`` or ``arrow``, batch by batch.

    Examples
    --------
    >>> rows = pyarrow.RecordBatch.from_pydict({"n": [1, 2]})
    >>> b"".join(written(iter([rows]), rows.schema, "csv"))
    b'"n"\n1\n2\n'
    """
    return _WRITERS[form](batches, types)


class _Writer(Protocol):
    def write(self, batch: pyarrow.RecordBatch) -> None: ...

    def close(self) -> None: ...


def _written(batches: Iterator[pyarrow.RecordBatch], opened: Callable[[Any], _Writer]) -> Iterator[bytes]:
    """Yield what a writer writes, batch by batch."""
    sink = _Drain()
    writer = opened(pyarrow.PythonFile(sink, mode="w"))
    for rows in batches:
        writer.write(rows)
        yield sink.drained()
    writer.close()
    yield sink.drained()


class _Drain(io.RawIOBase):
    """A file that only passes on what is written to it."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []
        self._position = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def write(self, data: Any) -> int:
        part = bytes(data)
        self._parts.append(part)
        self._position += len(part)
        return len(part)

    def drained(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)


def _arrow(batches: Iterator[pyarrow.RecordBatch], types: pyarrow.Schema) -> Iterator[bytes]:
    return _written(batches, lambda sink: pyarrow.ipc.new_stream(sink, types))


def _parquet(batches: Iterator[pyarrow.RecordBatch], types: pyarrow.Schema) -> Iterator[bytes]:
    import pyarrow.parquet

    class Writer:
        def __init__(self, sink: Any) -> None:
            self._file = pyarrow.parquet.ParquetWriter(sink, types, compression="zstd")

        def write(self, rows: pyarrow.RecordBatch) -> None:
            self._file.write_batch(rows)

        def close(self) -> None:
            self._file.close()

    return _written(batches, Writer)


def _csv(batches: Iterator[pyarrow.RecordBatch], types: pyarrow.Schema) -> Iterator[bytes]:
    import pyarrow.csv

    plain = pyarrow.schema([pyarrow.field(field.name, _csv_type(field.type)) for field in types])
    return _written((_csv_batch(rows, plain) for rows in batches), lambda sink: pyarrow.csv.CSVWriter(sink, plain))


def _csv_type(kind: pyarrow.DataType) -> pyarrow.DataType:
    """Times are milliseconds, as in JSON; what is nested is JSON."""
    if pyarrow.types.is_timestamp(kind):
        return pyarrow.int64()
    return pyarrow.string() if pyarrow.types.is_nested(kind) else kind


def _csv_batch(rows: pyarrow.RecordBatch, plain: pyarrow.Schema) -> pyarrow.RecordBatch:
    arrays = [
        _json_texts(column) if pyarrow.types.is_nested(column.type) else column.cast(field.type)
        for column, field in zip(rows.columns, plain, strict=True)
    ]
    return pyarrow.RecordBatch.from_arrays(arrays, schema=plain)


def _json_texts(column: Any) -> Any:
    as_object = dict if pyarrow.types.is_map(column.type) else lambda value: value
    texts = [None if value is None else flat(as_object(value)) for value in column.to_pylist()]
    return pyarrow.array(texts, pyarrow.string())


_WRITERS: dict[str, Callable[[Iterator[pyarrow.RecordBatch], pyarrow.Schema], Iterator[bytes]]] = {
    "csv": _csv,
    "parquet": _parquet,
    "arrow": _arrow,
}
