"""What several routes share: their parameters, and how they answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
import numpy as np
from fastapi import Depends, Query, Request, Response
from pydantic import BaseModel, Field

from monitor.api.contract import ApiService
from monitor.api.problems import ProblemError
from monitor.api.reading import MAX_LIMIT
from monitor.api.times import parse_range
from monitor.config import Model
from monitor.config.values import parse_duration
from monitor.errors import InputError

__all__ = [
    "Cursor",
    "Limit",
    "Paged",
    "Stretch",
    "TheService",
    "TimeRange",
    "answer",
    "duration_ms",
    "known_model",
    "known_signal",
    "time_range",
]


def service_of(request: Request) -> ApiService:
    """Return the service that the application was built for."""
    service: ApiService = request.app.state.service
    return service


TheService = Annotated[ApiService, Depends(service_of)]

TIME = "ISO 8601 (UTC without an offset), ms since the epoch, `now`, or relative to now such as `-1h`"
Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="most items in the answer")]
Cursor = Annotated[str | None, Query(description="`next_cursor` of the page before")]


@dataclass(frozen=True)
class TimeRange:
    """``[from_ms, to_ms)``; None where it is open."""

    from_ms: int | None
    to_ms: int | None


def time_range(
    service: TheService,
    from_: Annotated[str | None, Query(alias="from", description=f"start, included: {TIME}")] = None,
    to: Annotated[str | None, Query(description=f"end, excluded: {TIME}")] = None,
) -> TimeRange:
    """Read ``from`` and ``to``; a mistake in them is a problem document."""
    try:
        return TimeRange(*parse_range(from_, to, service.clock.now_ms()))
    except InputError as error:
        field = "to" if from_ is None else "from"
        raise ProblemError("bad-parameter", str(error), errors=[{"field": field, "message": str(error)}]) from error


Stretch = Annotated[TimeRange, Depends(time_range)]


class Paged(BaseModel):
    """A page of items."""

    from_ms: int | None = Field(default=None, description="the start that was asked for")
    to_ms: int | None = Field(default=None, description="the end that was asked for")
    next_cursor: str | None = Field(default=None, description="where to go on; null on the last page")


def answer(document: dict[str, Any] | list[Any], status: int = 200) -> Response:
    """Return a document as JSON; NaN and infinity are null."""
    body = msgspec.json.encode(document, enc_hook=_plain)
    return Response(body, status, media_type="application/json")


def _plain(value: Any) -> Any:
    """Return a number or an array of NumPy as Python's own."""
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    raise NotImplementedError(f"{type(value).__name__} has no JSON form")


def duration_ms(field: str, text: str) -> int:
    """Read a duration such as ``1h``."""
    try:
        length_ms = parse_duration(text)
    except ValueError as error:
        raise ProblemError("bad-parameter", str(error), errors=[{"field": field, "message": str(error)}]) from error
    if length_ms <= 0:
        message = f"a {field} is longer than 0"
        raise ProblemError("bad-parameter", message, errors=[{"field": field, "message": message}])
    return length_ms


def known_model(service: ApiService, name: str) -> Model:
    """Return the model ``name``, or a problem that names the known ones."""
    models = service.configuration.models
    if name not in models:
        raise ProblemError("unknown-model", f"no model is named {name!r}; known are {', '.join(models)}")
    return models[name]


def known_signal(model: Model, signal: str) -> str:
    """Return ``signal``, or a problem that names the signals of which the model keeps a distribution."""
    known = list(model.spec.schema_.signals())
    if signal not in known:
        raise ProblemError(
            "unknown-signal", f"{model.name} keeps no distribution of {signal!r}, but of {', '.join(known)}"
        )
    return signal
