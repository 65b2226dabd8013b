"""What the service does about performance, every so often."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from itertools import islice

import structlog

from monitor.alerts.alert_log import PERFORMANCE_ALERTS
from monitor.alerts.transition import Transition
from monitor.errors import LeewayError
from monitor.evaluate.horizon import standing
from monitor.evaluate.unwatched import end_unwatched
from monitor.performance.alarms import STAGE, alarm_judged
from monitor.performance.fidelity import follow_estimators
from monitor.performance.per_event import show_errors
from monitor.performance.performance import Performance
from monitor.rollouts.judged import compare_judged
from monitor.threads import in_words
from monitor.watch import Watch
from sinks.store.contract import Store, StoreError

__all__ = ["end_unjudged", "work_out", "work_out_ended"]

AWAY = 3
"""A store that fails for so many models is away, and no further one is tried."""

log = structlog.get_logger("leeway.performance")


def work_out(watches: Iterable[Watch], store: Store, now_ms: int, is_enough: Callable[[], bool] = lambda: False) -> int:
    """Work out what is due of every model that has ``spec.performance``; return how many rows were written.

    What fails of one model holds up no other.

    Raises
    ------
    LeewayError
        Some model could not be worked out; the others are.
    StoreError
        The store is away.
    """
    judged = [watch for watch in watches if watch.model.spec.performance_plan is not None]
    partitions = standing(store) if judged else {}
    written, failures = 0, dict[str, Exception]()
    for watch in judged:
        try:
            performance = Performance(watch, store)
            written += performance.advance(partitions, now_ms, is_enough=is_enough)
            judged_ms = performance.progress().judged_ms
            compare_judged(store, watch, judged_ms)
            written += show_errors(store, watch, partitions, is_enough)
            alarm_judged(store, watch, judged_ms, is_enough)
            follow_estimators(store, watch, judged_ms, is_enough)
        except Exception as error:
            failures[watch.name] = error
            log.error("the performance of a model is not worked out", model=watch.name, reason=in_words(error))
            if sum(_waits_for_store(each) for each in failures.values()) >= AWAY:
                raise
        if is_enough():
            break
    if failures:
        raise _in_one(failures)
    return written


def _waits_for_store(error: Exception) -> bool:
    return isinstance(error, StoreError) and error.retryable


def _in_one(failures: Mapping[str, Exception]) -> Exception:
    """What people should know, without any message that may quote values."""
    lasting = {name: error for name, error in failures.items() if not _waits_for_store(error)}
    if not lasting:
        return next(iter(failures.values()))
    first = ", ".join(f"{name} ({type(error).__name__})" for name, error in islice(lasting.items(), 3))
    others = f", and {len(lasting) - 3} more" if len(lasting) > 3 else ""
    return LeewayError(f"not worked out: {first}{others}; the log of the process says more")


def end_unjudged(models: Collection[str], store: Store) -> None:
    """End what fires by labels of models that nobody watches any more.

    Raises
    ------
    StoreError
    """
    end_unwatched(store, models, PERFORMANCE_ALERTS, STAGE)


def work_out_ended(watches: Iterable[Watch], store: Store) -> list[Transition]:
    """Work out everything, of models all of whose partitions have ended; return what became of alerts.

    Raises
    ------
    StoreError
    """
    transitions: list[Transition] = []
    for watch in watches:
        if watch.model.spec.performance_plan is not None:
            performance = Performance(watch, store)
            performance.advance(None, 0, at_once=True)
            judged_ms = performance.progress().judged_ms
            compare_judged(store, watch, judged_ms)
            show_errors(store, watch, None)
            transitions += alarm_judged(store, watch, judged_ms)
            follow_estimators(store, watch, judged_ms)
    return transitions
