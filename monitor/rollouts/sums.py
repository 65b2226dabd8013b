"""What both versions of a rollout did in one span of time, from panes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from detectors.sketch import (
    CategorySummary,
    NumericLayout,
    NumericSummary,
    VectorSummary,
    coarse_step,
    sum_summaries,
)
from monitor.events import Partition
from monitor.panes.codec import summary_of
from monitor.panes.coverage import ON_TIME
from monitor.rollouts.rollout_log import JUDGED, Rollout
from monitor.watch import Summary, Watch
from sinks.store.contract import Query, Store

__all__ = ["RATES", "Sums", "fields_of", "is_rate", "step_between", "sums_of"]

PANES_LOOKED_AT = 500

RATES = ("missing", "invalid")
"""Shares of events that are compared as rates, by what stands before the name of a field."""

COLUMNS = (
    "signal", "version", "layout", "topic", "partition", "pane_start_ms", "n", "missing", "invalid", "out_of_range",
    "cells", "counts", "names", "other", "sum_q", "sum_q2", "min", "max",
)  # fmt: skip


@dataclass(frozen=True)
class Sums:
    """What one version did: how many observations, their mean, and the sum of their squared distances from it."""

    n: int = 0
    mean: float = 0.0
    squares: float = 0.0


def is_rate(signal: str) -> bool:
    """Whether a metric is a share of events.

    Examples
    --------
    >>> is_rate("missing:amount"), is_rate("prediction:score")
    (True, False)
    """
    return signal.partition(":")[0] in RATES or signal == f"{JUDGED}accuracy"


def fields_of(watch: Watch) -> dict[str, str]:
    """Return what versions may be compared by, and of which signal's panes that is made."""
    signals = list(watch.model.spec.schema_.signals())
    names = Counter(signal.partition(":")[2] for signal in signals)
    # A feature and a prediction of one name are told apart by what they are.
    by_field = {(name if names[name := each.partition(":")[2]] == 1 else each): each for each in signals}
    rates = {f"{rate}:{name}": signal for rate in RATES for name, signal in by_field.items()}
    numbers = {signal: signal for signal, layout in watch.layouts.items() if isinstance(layout, NumericLayout)}
    return {**numbers, **{name: signal for name, signal in rates.items() if signal in watch.layouts}}


def sums_of(
    store: Store, watch: Watch, rollout: Rollout, span: tuple[int, int], counted_ms: Mapping[Partition, int]
) -> dict[str, tuple[Sums, Sums]]:
    """Return what the candidate and the champion did in a span, by metric, while both were there.

    Panes before the first and behind the last one that has events of either do not count: what the hour does to both
    alike would count for one of them alone.

    Parameters
    ----------
    store : Store
    watch : Watch
    rollout : Rollout
    span : (int, int)
        Panes that start in it.
    counted_ms : mapping of Partition to int
        Panes of a partition count that start before this, as in the window that ends with the span.

    Raises
    ------
    StoreError
    """
    fields, (low_ms, high_ms) = fields_of(watch), span
    read_signals = sorted({fields[metric.signal] for metric in rollout.metrics if metric.signal in fields})
    if not read_signals:
        return {metric.signal: (Sums(), Sums()) for metric in rollout.metrics}
    where = {
        "model": watch.name,
        "segment": "",
        "signal": read_signals,
        "version": [rollout.candidate, rollout.champion],
    }
    high = {"pane_start_ms": high_ms, **ON_TIME}
    rows = store.read(Query("panes", where, {"pane_start_ms": low_ms}, high, columns=COLUMNS))
    panes: dict[str, list[Pane]] = {}
    for i, signal in enumerate(rows["signal"]):
        partition, start_ms = (rows["topic"][i], int(rows["partition"][i])), int(rows["pane_start_ms"][i])
        layout = watch.layouts[signal]
        if start_ms < counted_ms.get(partition, start_ms) and rows["layout"][i] == layout.id:
            pane = Pane(rows["version"][i] == rollout.candidate, start_ms, summary_of(rows, i, layout))
            panes.setdefault(signal, []).append(pane)
    return {
        metric.signal: _compared(watch, metric.signal, panes.get(fields.get(metric.signal, ""), ()))
        for metric in rollout.metrics
    }


def step_between(store: Store, watch: Watch, signal: str, version: str) -> float:
    """Return how far apart values of a number are told, where that is wider than they spread of late; else 0.

    Raises
    ------
    StoreError
    """
    layout = watch.layouts.get(signal)
    if not isinstance(layout, NumericLayout):
        return 0.0
    where = {"model": watch.name, "segment": "", "signal": signal, "version": version, "layout": layout.id}
    newest = Query(
        "panes", where, order=("pane_start_ms",), descending=True, limit=PANES_LOOKED_AT, columns=COLUMNS
    )  # fmt: skip
    rows = store.read(newest)
    return coarse_step(layout, _numbers([summary_of(rows, i, layout) for i in range(len(rows["signal"]))]))


class Pane(NamedTuple):
    """What one version did in one pane of a partition."""

    is_candidate: bool
    start_ms: int
    summary: Summary


def _compared(watch: Watch, signal: str, panes: Sequence[Pane]) -> tuple[Sums, Sums]:
    count = _events if is_rate(signal) else _values
    sides = [[pane for pane in panes if pane.is_candidate is side and count(pane.summary)] for side in (True, False)]
    if not all(sides):
        candidate, champion = ([pane.summary for pane in side] for side in sides)
    else:
        first_ms = max(min(pane.start_ms for pane in side) for side in sides)
        last_ms = min(max(pane.start_ms for pane in side) for side in sides)
        candidate, champion = (
            [pane.summary for pane in side if first_ms <= pane.start_ms <= last_ms] for side in sides
        )
    if is_rate(signal):
        rate = signal.partition(":")[0]
        return _rate(rate, candidate), _rate(rate, champion)
    layout = watch.layouts.get(signal)
    if not isinstance(layout, NumericLayout):
        return Sums(), Sums()
    return _means(layout, _numbers(candidate), _numbers(champion))


def _rate(rate: str, summaries: Sequence[Summary]) -> Sums:
    n = sum(map(_events, summaries))
    ones = sum(int(getattr(summary, rate)) for summary in summaries)
    return Sums(n, ones / n, ones * (n - ones) / n) if n else Sums()


def _means(layout: NumericLayout, candidate: NumericSummary, champion: NumericSummary) -> tuple[Sums, Sums]:
    """Return what is known of both means; nothing where one cell has all values, which tells none of them apart."""
    both = sum_summaries([candidate, champion])
    if layout.kind != "universal" or not both.n:
        return _mean(layout, candidate), _mean(layout, champion)
    if len(both.cells) == 1 and both.min < both.max:
        return Sums(), Sums()
    return _mean_of_cells(layout, candidate, both), _mean_of_cells(layout, champion, both)


def _mean(layout: NumericLayout, summary: NumericSummary) -> Sums:
    return Sums(summary.n, summary.mean(layout), summary.n * summary.std(layout) ** 2) if summary.n else Sums()


def _mean_of_cells(layout: NumericLayout, summary: NumericSummary, both: NumericSummary) -> Sums:
    """Return a mean for which the values of a cell are assumed where those of the other version are."""
    if not summary.n:
        return Sums()
    values = np.clip(layout.midpoint(summary.cells), both.min, both.max)
    mean = float(values @ (summary.counts / summary.n))
    return Sums(summary.n, mean, float((values - mean) ** 2 @ summary.counts))


def _numbers(summaries: Sequence[Summary]) -> NumericSummary:
    return sum_summaries([summary for summary in summaries if isinstance(summary, NumericSummary)])


def _values(summary: Summary) -> int:
    assert isinstance(summary, NumericSummary | CategorySummary | VectorSummary)
    return int(summary.n)


def _events(summary: Summary) -> int:
    assert isinstance(summary, NumericSummary | CategorySummary | VectorSummary)
    return int(summary.n + summary.missing + summary.invalid)
