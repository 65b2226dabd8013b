"""How a resource is declared: its rows, and a question that is answered with them. Read this page first.

A row is a dataclass that is never made: its fields say the names, types, units and descriptions of what programs read
as JSON, CSV, Parquet or Arrow, and its ``table`` says what people see of it. A question is a dataclass that is made of
keywords by the client, of options by the command line, and of parameters by the HTTP API.

``leeway --help`` reads every declaration, so that nothing here may import more than the standard library.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, ClassVar, get_type_hints

__all__ = ["Column", "LengthMs", "Moment", "Question", "Row", "TimeMs", "described", "hints", "parameters", "written"]

TimeMs = Annotated[int, "ms since the epoch"]
LengthMs = Annotated[int, "ms"]

Moment = str | int | date | datetime | timedelta
"""A time in a question: ISO 8601, ms since the epoch, ``-1h``; a datetime or date (UTC without a zone); or how long
ago, as a timedelta."""

Column = str | tuple[str, str | Callable[[Mapping[str, Any]], object]]
"""A column of a table for people: a field; or a heading, and the field (`worst.effect` in a nested row) or what is made
of a row."""


def described(description: str = "", **facts: Any) -> Any:
    """Describe a field of a row or a question.

    Parameters
    ----------
    description : str
        A phrase without an end: documents have it as it is, the command line's help makes a sentence of it.
    **facts
        ``default``, where there is one. Of a question: ``wire``, the parameter's name in HTTP; ``low`` and ``high``,
        between which a number lies; ``flags``, what the command line spells otherwise. Of a row: ``columns``, the row
        type of objects that JSON leaves open; ``shared``, members of a nested row that the outer one has already;
        ``nested=True``, where all forms but JSON leave the field out.
    """
    default = facts.pop("default", MISSING)
    metadata = {"description": description, **facts} if description else facts
    return field(default=default, metadata=metadata)


class Row:
    """What every row is.

    Attributes
    ----------
    table : sequence of Column
        What people see of it, in order.
    """

    table: ClassVar[Sequence[Column]] = ()


@dataclass(frozen=True, kw_only=True)
class Question:
    """What every question is.

    Attributes
    ----------
    path : str
        Where HTTP answers it.
    answer : type of Row
        What it is answered with.
    is_paged : bool
        Whether JSON answers come in pages.
    verb : str
        The line of the command line's help, if the resource's name is a command; else empty.
    """

    path: ClassVar[str]
    answer: ClassVar[type[Row]]
    is_paged: ClassVar[bool] = True
    verb: ClassVar[str] = ""

    @property
    def row(self) -> type[Row]:
        """What this question is answered with."""
        return self.answer

    def wire(self) -> dict[str, Any]:
        """Return its parameters as HTTP has them; those with their defaults are left out."""
        chosen = ((each, getattr(self, each.name)) for each in parameters(type(self)))
        return {wire_name(each): _wire(value) for each, value in chosen if value is not None and value != each.default}


def parameters(question: type[Question]) -> Iterator[Field[Any]]:
    """Yield the fields of a question, less the limit of one with pages, which belongs to the form of the answer."""
    return (each for each in fields(question) if each.name != "limit" or not question.is_paged)


def wire_name(parameter: Field[Any]) -> str:
    """Return the name that HTTP has for a parameter."""
    name: str = parameter.metadata.get("wire", parameter.name.rstrip("_"))
    return name


def hints(declared: type) -> dict[str, Any]:
    """Return the types of fields, with their units."""
    return get_type_hints(declared, include_extras=True)


def written(moment: Moment) -> str:
    """Return a time as parameters are written.

    Examples
    --------
    >>> written(datetime(2024, 5, 1, 12)), written(date(2024, 5, 1)), written(timedelta(hours=1)), written(5)
    ('2024-05-01T12:00:00+00:00', '2024-05-01T00:00:00+00:00', '-3600000ms', '5')
    """
    if isinstance(moment, timedelta):
        return f"-{moment // timedelta(milliseconds=1)}ms"
    if isinstance(moment, date) and not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day)
    if isinstance(moment, datetime):
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat()
    return str(moment)


def _wire(value: Any) -> str | list[str]:
    if isinstance(value, bool):
        return str(value).lower()
    return list(value) if isinstance(value, (list, tuple)) else written(value)
