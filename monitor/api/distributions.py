"""The distribution of a signal in one stretch of time, or in two side by side."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from detectors.sketch import NumericLayout, NumericSummary
from monitor.api.contract import ApiService
from monitor.api.parameters import TIME, Stretch, TheService, answer, closed, known_signal, read_range, watched
from monitor.api.problems import ProblemError
from monitor.panes.compare import Measured
from monitor.panes.differences import cells_of, differences, kind_of
from monitor.panes.distributions import Found, Part, empty_summary, summaries
from monitor.watch import Layout, Summary, Watch

__all__ = ["Cells", "DistanceValue", "distance_values", "refuse_other_layouts", "router"]

router = APIRouter(prefix="/v1", tags=["distributions"])


class Side(BaseModel):
    """How many events one stretch holds, and what was wrong with them."""

    from_ms: int
    to_ms: int
    n: int = Field(description="values")
    missing: int
    invalid: int
    out_of_range: int
    mean: float | None = Field(default=None, description="numeric signals")
    min: float | None = None
    max: float | None = None


class Cells(BaseModel):
    """Counts by cell: numeric cells `[low, high)` with null for an open end, or names, null being all others.

    A vector has none.
    """

    low: list[float | None] | None = None
    high: list[float | None] | None = None
    names: list[str | None] | None = None
    current: list[int]
    baseline: list[int] | None = Field(default=None, description="with `against_from` and `against_to`")


class DistanceValue(BaseModel):
    """One distance from the baseline to the current stretch."""

    detector: str
    statistic: float | None
    p_value: float | None = Field(description="as if observations were independent")
    effect: float | None = Field(description="how large the change is")
    min_effect: float = Field(description="how large it must be to matter: the model's own, or the detector's default")


class Distribution(BaseModel):
    """One stretch, or two whose cells are aligned."""

    model: str
    signal: str
    segment: str
    version: str | None
    kind: Literal["numeric", "category", "vector"]
    current: Side
    baseline: Side | None
    cells: Cells
    distances: list[DistanceValue] = Field(description="the strongest first")


@router.get("/distributions", summary="A signal's distribution, against another stretch", response_model=Distribution)
def distributions(
    service: TheService,
    stretch: Stretch,
    *,
    model: str,
    signal: str,
    segment: Annotated[str, Query(description="empty is all traffic")] = "",
    version: Annotated[str | None, Query(description="absent is all versions together")] = None,
    against_from: Annotated[str | None, Query(description=f"start of the other stretch: {TIME}")] = None,
    against_to: Annotated[str | None, Query(description="end of the other stretch")] = None,
) -> Response:
    watch = watched(service, model)
    known_signal(watch, signal)
    part = Part(*closed(stretch, "from", "to"), version, segment)
    current = _found(service, watch, signal, part)
    series = {"model": model, "signal": signal, "segment": segment, "version": version}
    if against_from is None and against_to is None:
        return answer(series | _alone(watch.layouts[signal], part, current.summaries[signal]))
    ends = closed(read_range(service, against_from, against_to, "against_"), "against_from", "against_to")
    other = Part(*ends, version, segment)
    baseline = _found(service, watch, signal, other)
    return answer(series | _beside(watch, signal, (other, baseline), (part, current)))


def _found(service: ApiService, watch: Watch, signal: str, part: Part) -> Found:
    found = summaries(service.store, watch, part, [signal])
    refuse_other_layouts(found.other_layouts)
    found.summaries.setdefault(signal, empty_summary(watch.layouts[signal]))
    return found


def refuse_other_layouts(signals: set[str]) -> None:
    """Raise a problem if panes of any signal were counted in other bins than the configuration's."""
    if signals:
        names = ", ".join(sorted(signals))
        raise ProblemError(
            "different-layouts", f"{names}: panes of this time were kept under another configuration, in other bins"
        )


def _alone(layout: Layout, part: Part, summary: Summary) -> dict[str, Any]:
    cells = cells_of(layout, empty_summary(layout), summary)
    del cells["baseline"]
    side = _side(layout, part, summary)
    return {"kind": kind_of(layout), "current": side, "baseline": None, "cells": cells, "distances": []}


def _beside(watch: Watch, signal: str, baseline: tuple[Part, Found], current: tuple[Part, Found]) -> dict[str, Any]:
    layout = watch.layouts[signal]
    (other, before), (part, now) = baseline, current
    (difference,) = differences(watch, before, now)
    return {
        "kind": kind_of(layout),
        "current": _side(layout, part, difference.current),
        "baseline": _side(layout, other, difference.baseline),
        "cells": cells_of(layout, difference.baseline, difference.current),
        "distances": distance_values(difference.measured),
    }


def distance_values(measured: Any) -> list[dict[str, Any]]:
    """Return measured distances as :class:`DistanceValue` shows them."""
    return [{"detector": name, **_value(found)} for name, found in measured.items()]


def _value(found: Measured) -> dict[str, float]:
    return {name: getattr(found, name) for name in ("statistic", "p_value", "effect", "min_effect")}


def _side(layout: Layout, part: Part, summary: Summary) -> dict[str, Any]:
    counted = {name: getattr(summary, name, 0) for name in ("n", "missing", "invalid", "out_of_range")}
    side = {"from_ms": part.from_ms, "to_ms": part.to_ms, **counted}
    if not isinstance(layout, NumericLayout) or not isinstance(summary, NumericSummary):
        return side
    return side | {"mean": summary.mean(layout), "min": summary.min, "max": summary.max}
