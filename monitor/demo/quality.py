"""How good the demonstration's models were, once their flights had landed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from detectors.performance import Question, Sums, add_up, estimates
from detectors.sketch import NumericLayout, NumericSummary
from monitor.demo.flights import CONSTANT_FROM, INJECTED, TWIN_FROM, TWIN_TO
from monitor.panes.distributions import Part, summaries
from monitor.watch import Watch
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of

__all__ = ["Quality", "mean_of", "qualities", "story"]

METRICS = ("accuracy", "recall", "specificity", "value_per_event")
NEW_YORK = timedelta(hours=5)


@dataclass(frozen=True)
class Quality:
    """One span of the summary.

    Attributes
    ----------
    model, span : str
    flights, labelled : int
    estimated : float or None
        The accuracy by what is known when a flight departs; None of the twin, which has no estimator.
    accuracy, low, high : float
        With its 95 % interval, once flights have landed.
    recall : float
        Share of the late flights that were said to be late.
    specificity : float
        Share of the others that were not.
    value : float
        USD a flight.
    """

    model: str
    span: str
    flights: int
    labelled: int
    estimated: float | None
    accuracy: float
    low: float
    high: float
    recall: float
    specificity: float
    value: float


def qualities(store: Store, watches: Mapping[str, Watch]) -> list[Quality]:
    """Return the model month by month, and then beside its twin, before and after the failure."""
    rows = [*_of_spans(store, watches["flights"], _months())]
    for model in ("flights", INJECTED):
        rows += _of_spans(store, watches[model], _around_failure())
    return rows


def mean_of(store: Store, watch: Watch, signal: str, part: Part) -> float | None:
    """Return the mean of a number; None where there is none."""
    summary, layout = summaries(store, watch, part, [signal]).summaries.get(signal), watch.layouts.get(signal)
    if not isinstance(summary, NumericSummary) or not isinstance(layout, NumericLayout) or not summary.n:
        return None
    return float(summary.mean(layout))


def story(rows: Sequence[Quality]) -> list[str]:
    """Return how near estimates came, and what the failure looked like; nothing where it was left out."""
    of_twin = [row for row in rows if row.model == INJECTED]
    if len(of_twin) < 2:
        return []
    earlier, later = of_twin
    (model,) = (row for row in rows if row.model == "flights" and row.span == later.span)
    warned = f"specificity {earlier.specificity:.1%} → {later.specificity:.1%}"
    missed = f"recall {earlier.recall:.1%} → {later.recall:.1%}"
    right = f"{later.accuracy:.1%} of the flights"
    worth = f"a flight is worth {later.value:.2f} USD, and {model.value:.2f} by the model"
    return [
        _of_estimates(rows),
        f"From 16 September on the twin answers a constant, and is still right about {right}.",
        f"One figure even gets better: no flight that is on time is called late any more ({warned}).",
        f"Nor is one that is late ({missed}): {worth}.",
    ]


def _of_estimates(rows: Sequence[Quality]) -> str:
    off_by = {row.span: abs(row.estimated - row.accuracy) for row in rows[:12] if row.estimated is not None}
    worst = max(off_by, key=lambda span: off_by[span])
    usual = sum(off_by.values()) / len(off_by)
    return (
        f"What is estimated at departure is {100 * usual:.1f} points off in a month on average, "
        f"and {100 * off_by[worst]:.1f} in {worst}."
    )


def _of_spans(store: Store, watch: Watch, spans: Sequence[tuple[str, int, int]]) -> Iterator[Quality]:
    for name, from_ms, to_ms in spans:
        where = {"model": watch.name, "age_ms": 0, "segment": ""}
        stored = rows_of(store.read(Query("performance", where, {"hour_ms": from_ms}, {"hour_ms": to_ms})))
        if stored:
            scheme = stored[0]["scheme"]
            sums = add_up([Sums.from_row(row) for row in stored], scheme)
            estimated = mean_of(store, watch, "estimated:accuracy", Part(from_ms, to_ms))
            flights = sum(row["predictions"] for row in stored)
            yield Quality(watch.name, name, flights, sums.labels, estimated, *_figures(sums))


def _figures(sums: Sums) -> tuple[float, ...]:
    worth = estimates(sums, METRICS, Question("binary"))
    accuracy = worth["accuracy"]
    numbers = (accuracy.value, accuracy.low, accuracy.high, *(worth[name].value for name in METRICS[1:]))
    return tuple(map(float, numbers))


def _months() -> list[tuple[str, int, int]]:
    begins = [datetime(2013 + month // 12, month % 12 + 1, 1, tzinfo=UTC) + NEW_YORK for month in range(13)]
    return [(f"{begin:%B}", _ms(begin), _ms(end)) for begin, end in pairwise(begins)]


def _around_failure() -> list[tuple[str, int, int]]:
    begin, failure, end = (_ms(datetime.fromisoformat(time)) for time in (TWIN_FROM, CONSTANT_FROM, TWIN_TO))
    return [("15 July to 15 September", begin, failure), ("16 September to 31 October", failure, end)]


def _ms(time: datetime) -> int:
    return int(time.timestamp()) * 1000
