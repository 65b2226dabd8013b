"""The distribution of a signal in one stretch of time, or in two side by side."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from monitor.api.aligned import NotComparableError, align, distances
from monitor.api.contract import ApiService
from monitor.api.parameters import (
    TIME,
    Stretch,
    TheService,
    TimeRange,
    answer,
    known_model,
    known_signal,
    time_range,
)
from monitor.api.problems import ProblemError
from monitor.errors import InputError

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["distributions"])


class Side(BaseModel):
    """How many events one stretch holds, and what was wrong with them."""

    from_ms: int
    to_ms: int
    n: int = Field(description="events")
    missing: int
    invalid: int
    out_of_range: int
    mean: float | None = Field(default=None, description="numeric signals")
    min: float | None = None
    max: float | None = None


class Cells(BaseModel):
    """Counts by cell: numeric cells `[low, high)` with null for an open end, or names, null being all others."""

    low: list[float | None] | None = None
    high: list[float | None] | None = None
    names: list[str | None] | None = None
    current: list[int]
    baseline: list[int] | None = Field(default=None, description="with `against_from` and `against_to`")


class DistanceValue(BaseModel):
    """One distance from the baseline to the current stretch."""

    detector: str
    statistic: float | None
    p_value: float | None
    effect: float | None
    default_min_effect: float


class Distribution(BaseModel):
    """One stretch, or two whose cells are aligned."""

    model: str
    signal: str
    segment: str
    version: str
    kind: Literal["numeric", "category"]
    current: Side
    baseline: Side | None
    cells: Cells
    distances: list[DistanceValue]


@router.get("/distributions", summary="A signal's distribution, against another stretch", response_model=Distribution)
def distributions(
    service: TheService,
    stretch: Stretch,
    *,
    model: str,
    signal: str,
    segment: Annotated[str, Query(description="empty is all traffic")] = "",
    version: str = "",
    against_from: Annotated[str | None, Query(description=f"start of the other stretch: {TIME}")] = None,
    against_to: Annotated[str | None, Query(description="end of the other stretch")] = None,
) -> Response:
    known_signal(known_model(service, model), signal)
    series = {"model": model, "signal": signal, "segment": segment, "version": version}
    current = _read(service, series, _closed(stretch, "from", "to"))
    if against_from is None and against_to is None:
        return answer(_document(series, current, None))
    against = _closed(time_range(service, against_from, against_to), "against_from", "against_to")
    return answer(_document(series, current, _read(service, series, against)))


def _closed(stretch: TimeRange, *fields: str) -> tuple[int, int]:
    ends = (stretch.from_ms, stretch.to_ms)
    missing = [field for field, end in zip(fields, ends, strict=True) if end is None]
    if missing:
        errors = [{"field": field, "message": "is required here"} for field in missing]
        raise ProblemError("bad-parameter", f"required here: {', '.join(missing)}", errors=errors)
    assert stretch.from_ms is not None
    assert stretch.to_ms is not None
    return stretch.from_ms, stretch.to_ms


def _read(service: ApiService, series: dict[str, str], ends: tuple[int, int]) -> dict[str, Any]:
    try:
        found = service.distribution(**series, from_ms=ends[0], to_ms=ends[1])
    except InputError as error:
        raise ProblemError("different-layouts", str(error)) from error
    return found | {"from_ms": ends[0], "to_ms": ends[1]}


def _document(series: dict[str, str], current: dict[str, Any], baseline: dict[str, Any] | None) -> dict[str, Any]:
    try:
        cells = align(baseline or _nothing(current), current)
    except NotComparableError as error:
        raise ProblemError("different-layouts", str(error)) from error
    found = distances(current["kind"], cells) if baseline is not None else []
    if baseline is None:
        del cells["baseline"]
    return {
        **series,
        "kind": current["kind"],
        "current": _side(current),
        "baseline": _side(baseline) if baseline is not None else None,
        "cells": cells,
        "distances": found,
    }


def _nothing(like: dict[str, Any]) -> dict[str, Any]:
    return {"kind": like["kind"], "low": [], "high": [], "names": [], "count": [], "other": 0}


def _side(side: dict[str, Any]) -> dict[str, Any]:
    return {name: side.get(name) for name in Side.model_fields}
