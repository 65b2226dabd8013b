"""How many events came before a silence, and in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from detectors.chart.legend import N
from monitor.evaluate.columns import sums_of
from monitor.panes.distributions import Part, by_window
from monitor.pictures.plot import Point
from monitor.watch import Watch
from sinks.store.contract import Query, Store

__all__ = ["arrived"]

BARS, IN_SILENCE = 48, 16
"""How many spans are shown, and about how many of them are silent."""


def arrived(store: Store, watch: Watch, silence: Mapping[str, Any], until_ms: int) -> tuple[list[Point], int]:
    """Return how many events stored panes have of spans up to a time, and how long each is; none where nothing says it.

    Parameters
    ----------
    store : Store
    watch : Watch
    silence : mapping
        What an alert about a silence says: ``kind``, ``topic``, ``partition``, ``since_ms``.
    until_ms : int

    Raises
    ------
    StoreError, InputError
        The panes that would say it are gone.
    """
    pane_ms, since_ms = watch.model.spec.detect.pane, silence["since_ms"]
    # Labels have no panes, and a model that watches nothing by windows has none.
    if silence["kind"] == "labels" or not watch.layouts or not since_ms:
        return [], 0
    span_ms = max(-(-(until_ms - since_ms) // (IN_SILENCE * pane_ms)), 1) * pane_ms
    to_ms = -(-until_ms // span_ms) * span_ms
    part = Part(to_ms - BARS * span_ms, to_ms)
    counts = _of_all(store, watch, part) if silence["kind"] == "model" else _of_flow(store, watch, silence, part)
    ends_ms = range(part.from_ms + span_ms, part.to_ms + 1, span_ms)
    points = [
        Point(end_ms, float(count), loud=end_ms > since_ms + span_ms)
        for end_ms, count in zip(ends_ms, counts, strict=True)
    ]
    return (points, span_ms) if any(counts) else ([], 0)


def _of_all(store: Store, watch: Watch, part: Part) -> list[int]:
    span_ms = (part.to_ms - part.from_ms) // BARS
    summaries = by_window(store, watch, part, next(iter(watch.layouts)), span_ms)
    return [0 if each is None else round(float(sums_of(each)[N]) + each.missing + each.invalid) for each in summaries]


def _of_flow(store: Store, watch: Watch, silence: Mapping[str, Any], part: Part) -> list[int]:
    """Of one topic, or one partition of it: only panes say that."""
    where = {"model": watch.name, "segment": "", "signal": next(iter(watch.layouts)), "topic": silence["topic"]}
    if silence["kind"] == "partition":
        where["partition"] = silence["partition"]
    span = {"pane_start_ms": part.from_ms}, {"pane_start_ms": part.to_ms}
    rows = store.read(Query("panes", where, *span, columns=("pane_start_ms", "n", "missing", "invalid")))
    number = (np.asarray(rows["pane_start_ms"]) - part.from_ms) * BARS // (part.to_ms - part.from_ms)
    events = np.asarray(rows["n"]) + np.asarray(rows["missing"]) + np.asarray(rows["invalid"])
    return [round(count) for count in np.bincount(number.astype(np.int64), events, BARS).tolist()]
