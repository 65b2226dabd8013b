"""What the service does about performance, every so often."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from monitor.evaluate.horizon import standing
from monitor.performance.performance import Performance
from monitor.rollouts.judged import compare_judged
from monitor.watch import Watch
from sinks.store.contract import Store

__all__ = ["work_out", "work_out_ended"]


def work_out(watches: Iterable[Watch], store: Store, now_ms: int, is_enough: Callable[[], bool] = lambda: False) -> int:
    """Work out what is due of every model that has ``spec.performance``; return how many rows were written.

    Raises
    ------
    StoreError
    """
    judged = [watch for watch in watches if watch.model.spec.performance_plan is not None]
    partitions = standing(store) if judged else {}
    written = 0
    for watch in judged:
        performance = Performance(watch, store)
        written += performance.advance(partitions, now_ms, is_enough=is_enough)
        compare_judged(store, watch, performance.progress().judged_ms)
    return written


def work_out_ended(watches: Iterable[Watch], store: Store) -> None:
    """Work out everything, of models all of whose partitions have ended.

    Raises
    ------
    StoreError
    """
    for watch in watches:
        if watch.model.spec.performance_plan is not None:
            performance = Performance(watch, store)
            performance.advance(None, 0, at_once=True)
            compare_judged(store, watch, performance.progress().judged_ms)
