"""The distribution of a signal in one span of time, or in two side by side."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response

from detectors.sketch import NumericLayout, NumericSummary
from monitor.api.comparisons import TheComparisons, check_size
from monitor.api.contract import ApiService
from monitor.api.parameters import TheService, answer, check_signal, closed, question_of, read_span, span_of, watched
from monitor.api.problems import ProblemError
from monitor.panes.compare import Measured
from monitor.panes.differences import Difference, cells_of, differences, kind_of
from monitor.panes.distributions import Part, Summaries, empty_summary, summaries
from monitor.resources.distributions import Distribution, Distributions
from monitor.watch import Layout, Summary, Watch

__all__ = ["refuse_other_layouts", "router", "row_of"]

router = APIRouter(prefix="/v1", tags=["distributions"])


@router.get("/distributions", summary="A signal's distribution, against another span", response_model=Distribution)
def distributions(
    service: TheService,
    comparisons: TheComparisons,
    question: Annotated[Distributions, Depends(question_of(Distributions))],
) -> Response:
    watch = watched(service, question.model)
    check_signal(watch, question.signal)
    series = {name: getattr(question, name) for name in ("model", "signal", "segment", "version")}
    part = _part(question, closed(span_of(service, question), "from", "to"))
    with comparisons.turn():
        current = _stored(service, watch, question.signal, part)
    if question.against_from is None and question.against_to is None:
        return answer(series | _alone(watch.layouts[question.signal], part, current.summaries[question.signal]))
    span = read_span(service, question.against_from, question.against_to, "against_")
    other = _part(question, closed(span, "against_from", "against_to"))
    with comparisons.turn():
        baseline = _stored(service, watch, question.signal, other)
    return answer(series | _beside(watch, question.signal, (other, baseline), (part, current)))


def _part(question: Distributions, ends: tuple[int, int]) -> Part:
    return Part(*ends, question.version, question.segment)


def _stored(service: ApiService, watch: Watch, signal: str, part: Part) -> Summaries:
    check_size(watch, part, [signal])
    stored = summaries(service.store, watch, part, [signal])
    refuse_other_layouts(stored.other_layouts)
    stored.summaries.setdefault(signal, empty_summary(watch.layouts[signal]))
    return stored


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


def _beside(
    watch: Watch, signal: str, baseline: tuple[Part, Summaries], current: tuple[Part, Summaries]
) -> dict[str, Any]:
    layout = watch.layouts[signal]
    (other, baseline_stored), (part, current_stored) = baseline, current
    (difference,) = differences(watch, baseline_stored, current_stored)
    return {
        "kind": kind_of(layout),
        "current": _side(layout, part, difference.current),
        "baseline": _side(layout, other, difference.baseline),
        "cells": cells_of(layout, difference.baseline, difference.current),
        "distances": distance_values(difference.measured),
    }


def distance_values(measured: Any) -> list[dict[str, Any]]:
    """Return measured distances as :class:`DistanceValue` shows them."""
    return [{"detector": name, **_value(distance)} for name, distance in measured.items()]


def _value(distance: Measured) -> dict[str, float]:
    return {name: getattr(distance, name) for name in ("statistic", "p_value", "effect", "min_effect")}


def _side(layout: Layout, part: Part, summary: Summary) -> dict[str, Any]:
    counted = {name: getattr(summary, name, 0) for name in ("n", "missing", "invalid", "out_of_range")}
    side = {"from_ms": part.from_ms, "to_ms": part.to_ms, **counted}
    if not isinstance(layout, NumericLayout) or not isinstance(summary, NumericSummary):
        return side
    return side | {"mean": summary.mean(layout), "min": summary.min, "max": summary.max}


def row_of(watch: Watch, difference: Difference, *, cells: bool) -> dict[str, Any]:
    """Return a signal on both sides as answers have it, with the aligned histograms if ``cells``."""
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
