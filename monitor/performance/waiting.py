"""For what the hours of a model wait that are to be judged: facts for people."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.evaluate.horizon import NOTHING_MS, standing
from monitor.events import Partition
from monitor.performance.horizon import reach_of
from monitor.performance.performance import Performance
from monitor.watch import Watch
from sinks.store.contract import Store

__all__ = ["Waiting", "waiting"]


@dataclass(frozen=True)
class Waiting:
    """How far the hours of a model are judged, and for what the next ones wait.

    Attributes
    ----------
    judged_ms : int or None
        Hours are judged whose end and age lie before it; None if none are. Those beyond wait, since then in event time.
    known_ms : int or None
        Up to when predictions and labels are known; None while that cannot be said of some partition.
    held_back_by : list of (Partition, int or None)
        Partitions of predictions and labels, the furthest behind first, and up to when each is known.
    touched : int
        Hours of which more has become known than their newest rows have.
    """

    judged_ms: int | None
    known_ms: int | None
    held_back_by: list[tuple[Partition, int | None]]
    touched: int


def waiting(store: Store, watch: Watch) -> Waiting:
    """Return for what a model with ``spec.performance`` waits.

    Raises
    ------
    StoreError
    """
    progress = Performance(watch, store).progress()
    reach = reach_of(store, watch.name, watch.model.spec, standing(store))
    judged_ms = None if progress.judged_ms == NOTHING_MS else progress.judged_ms
    known_ms = reach.complete_ms
    is_known = known_ms is not None and known_ms > NOTHING_MS
    return Waiting(judged_ms, known_ms if is_known else None, reach.held_back_by(), len(progress.touched))
