"""What the service does about performance, every so often."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from monitor.evaluate.horizon import standing
from monitor.performance.performance import Performance
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
    return sum(Performance(watch, store).advance(partitions, now_ms, is_enough=is_enough) for watch in judged)


def work_out_ended(watches: Iterable[Watch], store: Store) -> None:
    """Work out everything, of models all of whose partitions have ended.

    Raises
    ------
    StoreError
    """
    for watch in watches:
        if watch.model.spec.performance_plan is not None:
            Performance(watch, store).advance(None, 0, at_once=True)
