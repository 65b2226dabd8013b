"""What both versions of a rollout did in one span of time, from panes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from detectors.sketch import CategorySummary, NumericLayout, NumericSummary, VectorSummary, sum_summaries
from monitor.events import Partition
from monitor.panes.codec import summary_of
from monitor.panes.coverage import ON_TIME
from monitor.rollouts.rollout_log import JUDGED, Rollout
from monitor.watch import Summary, Watch
from sinks.store.contract import Query, Store

__all__ = ["RATES", "Sums", "fields_of", "is_rate", "sums_of"]

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
    by_field = {signal.partition(":")[2]: signal for signal in reversed(watch.model.spec.schema_.signals())}
    rates = {f"{rate}:{name}": signal for rate in RATES for name, signal in by_field.items()}
    numbers = {signal: signal for signal, layout in watch.layouts.items() if isinstance(layout, NumericLayout)}
    return {**numbers, **{name: signal for name, signal in rates.items() if signal in watch.layouts}}


def sums_of(
    store: Store, watch: Watch, rollout: Rollout, span: tuple[int, int], counted_ms: Mapping[Partition, int]
) -> dict[str, tuple[Sums, Sums]]:
    """Return what the candidate and the champion did in a span, by metric.

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
    summaries: dict[tuple[str, str], list[Summary]] = {}
    for i, signal in enumerate(rows["signal"]):
        partition = (rows["topic"][i], int(rows["partition"][i]))
        layout = watch.layouts[signal]
        counts = rows["pane_start_ms"][i] < counted_ms.get(partition, int(rows["pane_start_ms"][i]))
        if counts and rows["layout"][i] == layout.id:
            summaries.setdefault((signal, rows["version"][i]), []).append(summary_of(rows, i, layout))
    return {
        metric.signal: (
            _sums(watch, metric.signal, summaries.get((fields.get(metric.signal, ""), rollout.candidate), [])),
            _sums(watch, metric.signal, summaries.get((fields.get(metric.signal, ""), rollout.champion), [])),
        )
        for metric in rollout.metrics
    }


def _sums(watch: Watch, signal: str, summaries: Sequence[Summary]) -> Sums:
    if is_rate(signal):
        n = sum(_events(summary) for summary in summaries)
        ones = sum(int(getattr(summary, signal.partition(":")[0])) for summary in summaries)
        return Sums(n, ones / n, ones * (n - ones) / n) if n else Sums()
    numeric = sum_summaries([summary for summary in summaries if isinstance(summary, NumericSummary)])
    layout = watch.layouts.get(signal)
    if not numeric.n or not isinstance(layout, NumericLayout):
        return Sums()
    return Sums(numeric.n, numeric.mean(layout), numeric.n * numeric.std(layout) ** 2)


def _events(summary: Summary) -> int:
    assert isinstance(summary, NumericSummary | CategorySummary | VectorSummary)
    return int(summary.n + summary.missing + summary.invalid)
