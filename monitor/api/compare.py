"""Two parts of a model's events, signal by signal, those that differ most first."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from monitor.api.distributions import Cells, DistanceValue, distance_values, refuse_other_layouts
from monitor.api.forms import IN_FORMS, AskedWhole, listed
from monitor.api.parameters import (
    TIME,
    Paged,
    Stretch,
    TheService,
    TimeRange,
    closed,
    known_signal,
    read_range,
    watched,
)
from monitor.api.problems import ProblemError
from monitor.api.reading import Page
from monitor.api.tables import schema
from monitor.panes.differences import Difference, cells_of, differences, kind_of
from monitor.panes.distributions import Found, Part, summaries
from monitor.watch import Summary, Watch
from sinks.store.parallel import side_by_side

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["distributions"])

COLUMNS = (
    "signal:str kind:str n:int baseline_n:int missing_rate:float baseline_missing_rate:float invalid_rate:float "
    "baseline_invalid_rate:float strength:float detector:str statistic:float p_value:float effect:float "
    "min_effect:float distances:[detector:str statistic:float p_value:float effect:float min_effect:float]"
)
CELLS = " low:floats high:floats names:strs current:ints baseline:ints"


class ComparedPart(BaseModel):
    """One side: some of the model's events."""

    from_ms: int
    to_ms: int
    version: str | None = Field(description="null is all versions together")
    segment: str


class SignalDifference(BaseModel):
    """One signal on both sides; `detector` to `min_effect` are those of the strongest distance."""

    signal: str
    kind: Literal["numeric", "category", "vector"]
    n: int = Field(description="values of the current side")
    baseline_n: int
    missing_rate: float | None
    baseline_missing_rate: float | None
    invalid_rate: float | None
    baseline_invalid_rate: float | None
    strength: float = Field(description="the largest `effect / min_effect`: from 1 on, the difference matters")
    detector: str | None = Field(description="null where no distance is defined")
    statistic: float | None
    p_value: float | None
    effect: float | None
    min_effect: float | None
    distances: list[DistanceValue] = Field(description="all that apply, the strongest first")
    cells: Cells | None = Field(default=None, description="with `cells=true`")


class Comparison(Paged):
    """Every signal that both sides have, those that differ most first."""

    model: str
    current: ComparedPart
    baseline: ComparedPart
    not_comparable: list[str] = Field(description="signals of which a side was counted in other bins than today's")
    items: list[SignalDifference]


@router.get(
    "/compare",
    summary="Two stretches, versions or segments of a model, signal by signal",
    response_model=Comparison,
    responses=IN_FORMS,
)
def compare(
    service: TheService,
    stretch: Stretch,
    asked: AskedWhole,
    *,
    model: str,
    signal: Annotated[list[str] | None, Query(description="only these; may be repeated")] = None,
    version: Annotated[str | None, Query(description="absent is all versions together")] = None,
    segment: Annotated[str, Query(description="empty is all traffic")] = "",
    against_from: Annotated[str | None, Query(description=f"start of the baseline, `from` if absent: {TIME}")] = None,
    against_to: Annotated[str | None, Query(description="end of the baseline, `to` if absent")] = None,
    against_version: Annotated[str | None, Query(description="`version` if absent")] = None,
    against_segment: Annotated[str | None, Query(description="`segment` if absent")] = None,
    cells: Annotated[bool, Query(description="the aligned histograms too")] = False,
    limit: Annotated[int, Query(ge=1, le=10_000, description="most signals in the answer")] = 1_000,
) -> Response:
    watch = watched(service, model)
    for name in signal or ():
        known_signal(watch, name)
    current = Part(*closed(stretch, "from", "to"), version, segment)
    baseline = Part(
        *_other_ends(service, current, against_from, against_to),
        version if against_version is None else against_version,
        segment if against_segment is None else against_segment,
    )
    if baseline == current:
        raise ProblemError(
            "bad-parameter", "both sides are the same: set `against_from` and `against_to`, or another `against_…`"
        )
    before, now = side_by_side(
        *(partial(summaries, service.store, watch, part, signal) for part in (baseline, current))
    )
    refused = _not_comparable(before, now, signal)
    found = differences(watch, before, now)[:limit]
    rows = [_row(watch, difference, cells=cells) for difference in found]
    head = {
        "model": model,
        "from_ms": current.from_ms,
        "to_ms": current.to_ms,
        "current": _part(current),
        "baseline": _part(baseline),
        "not_comparable": sorted(refused),
    }
    types = schema(COLUMNS + CELLS * cells)
    page = Page.of([row | (row.get("cells") or {}) for row in rows], types.names)
    return listed(asked, lambda limit, cursor: page, types, head, lambda page: rows)


def _other_ends(service: TheService, current: Part, from_: str | None, to: str | None) -> tuple[int, int]:
    if from_ is None and to is None:
        return current.from_ms, current.to_ms
    given = read_range(service, from_, to, "against_")
    from_ms = current.from_ms if given.from_ms is None else given.from_ms
    to_ms = current.to_ms if given.to_ms is None else given.to_ms
    if from_ms >= to_ms:
        message = "the baseline's start must be before its end"
        raise ProblemError("bad-parameter", message, errors=[{"field": "against_from", "message": message}])
    return closed(TimeRange(from_ms, to_ms), "against_from", "against_to")


def _not_comparable(before: Found, now: Found, signals: Sequence[str] | None) -> set[str]:
    """Signals that cannot be compared: a problem if they were asked for, or nothing else is left."""
    refused = before.other_layouts | now.other_layouts
    if signals is not None or not before.summaries.keys() & now.summaries.keys():
        refuse_other_layouts(refused)
    return refused


def _row(watch: Watch, difference: Difference, *, cells: bool) -> dict[str, Any]:
    layout = watch.layouts[difference.signal]
    distances = distance_values(difference.measured)
    strongest = distances[0] if difference.strength > 0 else {}
    row = {
        "signal": difference.signal,
        "kind": kind_of(layout),
        "n": difference.current.n,
        "baseline_n": difference.baseline.n,
        **_rates("", difference.current),
        **_rates("baseline_", difference.baseline),
        "strength": difference.strength,
        **{name: strongest.get(name) for name in ("detector", "statistic", "p_value", "effect", "min_effect")},
        "distances": distances,
    }
    if cells:
        aligned = cells_of(layout, difference.baseline, difference.current)
        row["cells"] = {"low": None, "high": None, "names": None} | aligned
    return row


def _rates(prefix: str, summary: Summary) -> dict[str, float | None]:
    total = summary.total
    return {
        f"{prefix}missing_rate": summary.missing / total if total else None,
        f"{prefix}invalid_rate": summary.invalid / total if total else None,
    }


def _part(part: Part) -> dict[str, Any]:
    return {"from_ms": part.from_ms, "to_ms": part.to_ms, "version": part.version, "segment": part.segment}
