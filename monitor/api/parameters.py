"""What several routes share: their parameters, and how they answer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
import numpy as np
from fastapi import Depends, Query, Request, Response
from pydantic import BaseModel, Field

from monitor.api.contract import ApiService
from monitor.api.problems import ProblemError
from monitor.api.reading import stored_models
from monitor.api.times import parse_range
from monitor.errors import InputError
from monitor.routing.matchers import Matcher, MatcherError, parse_matchers
from monitor.values import DAY_MS, parse_duration
from monitor.watch import Watch

__all__ = [
    "Paged",
    "Stretch",
    "TheService",
    "TimeRange",
    "answer",
    "closed",
    "duration_ms",
    "known_model",
    "known_signal",
    "models_in",
    "read_matchers",
    "read_range",
    "watched",
]


# Here and below: what only reads its arguments is asynchronous, since for anything else a thread would be asked.
async def service_of(request: Request) -> ApiService:
    """Return the service that the application was built for."""
    service: ApiService = request.app.state.service
    return service


TheService = Annotated[ApiService, Depends(service_of)]

LONGEST_MS = 100_000 * DAY_MS
TIME = "ISO 8601 (UTC without an offset), ms since the epoch, `now`, or relative to now such as `-1h`"


@dataclass(frozen=True)
class TimeRange:
    """``[from_ms, to_ms)``; None where it is open."""

    from_ms: int | None
    to_ms: int | None


async def time_range(
    service: TheService,
    from_: Annotated[str | None, Query(alias="from", description=f"start, included: {TIME}")] = None,
    to: Annotated[str | None, Query(description=f"end, excluded: {TIME}")] = None,
) -> TimeRange:
    """Read ``from`` and ``to``; a mistake in them is a problem document."""
    return read_range(service, from_, to)


def read_range(service: ApiService, from_: str | None, to: str | None, prefix: str = "") -> TimeRange:
    """Read two ends of time; ``prefix`` stands before the names of their parameters."""
    try:
        return TimeRange(*parse_range(from_, to, service.clock.now_ms()))
    except InputError as error:
        field = prefix + ("to" if from_ is None else "from")
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
    except (ValueError, OverflowError) as error:
        raise ProblemError("bad-parameter", str(error), errors=[{"field": field, "message": str(error)}]) from error
    if not 0 < length_ms <= LONGEST_MS:
        message = f"a {field} is longer than 0, and shorter than {LONGEST_MS // DAY_MS:,} days"
        raise ProblemError("bad-parameter", message, errors=[{"field": field, "message": message}])
    return length_ms


def known_model(service: ApiService, name: str) -> str:
    """Return ``name``, or a problem that names the known models: those stored, where there is no configuration."""
    models = list(service.configuration.models) or stored_models(service.store)
    if name not in models:
        raise ProblemError("unknown-model", f"no model is named {name!r}; known are {', '.join(models)}")
    return name


def watched(service: ApiService, name: str) -> Watch:
    """Return the model ``name``, made ready, or a problem."""
    known_model(service, name)
    if name not in service.watches:
        raise ProblemError("no-configuration", f"the configuration of {name!r} is needed, and is not at hand")
    return service.watches[name]


def known_signal(watch: Watch, signal: str) -> str:
    """Return ``signal``, or a problem that names the signals of which the model keeps a distribution."""
    if signal not in watch.layouts:
        known = ", ".join(watch.layouts)
        raise ProblemError("unknown-signal", f"{watch.name} keeps no distribution of {signal!r}, but of {known}")
    return signal


def models_in(service: ApiService, model: str | None, namespace: str | None) -> list[str] | None:
    """Return the models that ``model`` and ``namespace`` leave, or a problem; None means that all do."""
    if model is not None:
        known_model(service, model)
    if namespace is None:
        return None if model is None else [model]
    spaces = {name: found.metadata.namespace for name, found in service.configuration.models.items()}
    if not spaces:
        raise ProblemError("no-configuration", "namespaces stand in the configuration, which is not at hand")
    if namespace not in spaces.values():
        known = ", ".join(sorted(set(spaces.values())))
        raise ProblemError("unknown-namespace", f"no model is in the namespace {namespace!r}; known are {known}")
    return [name for name, space in spaces.items() if space == namespace and model in (None, name)]


def read_matchers(field: str, texts: Iterable[str] | None) -> list[Matcher]:
    """Read texts, each of which may hold several matchers."""
    try:
        return [matcher for text in texts or () for matcher in parse_matchers(text)]
    except MatcherError as error:
        raise ProblemError("bad-parameter", str(error), errors=[{"field": field, "message": str(error)}]) from error


def closed(stretch: TimeRange, *fields: str) -> tuple[int, int]:
    """Return both ends of ``stretch``, or a problem that names the missing ones."""
    ends = (stretch.from_ms, stretch.to_ms)
    missing = [field for field, end in zip(fields, ends, strict=True) if end is None]
    if missing:
        errors = [{"field": field, "message": "is required here"} for field in missing]
        raise ProblemError("bad-parameter", f"required here: {', '.join(missing)}", errors=errors)
    assert stretch.from_ms is not None
    assert stretch.to_ms is not None
    return stretch.from_ms, stretch.to_ms
