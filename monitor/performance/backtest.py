"""What would have fired of signals that labels make, under another configuration: beside a backtest of stored panes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from monitor.alerts.alert_log import PERFORMANCE_ALERTS
from monitor.alerts.counterparts import compare, fired
from monitor.alerts.transition import Transition
from monitor.config.performance import ERROR, PERFORMANCE
from monitor.evaluate.backtest import Backtest, Tally, alarmed_before
from monitor.evaluate.mark_log import marks_in_effect
from monitor.performance.alarms import JudgedSignals, first_panes, judged_span, read_hours
from monitor.performance.per_event import findings_layout
from monitor.watch import Watch
from sinks.store.batch import joined
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of

__all__ = ["with_labels"]

NOT_JUDGED = (
    "no hour is stored that was judged at this age under this comparison: they are worked out once the service runs"
    " with it, or by a replay"
)

NOT_SHOWN = (
    "no hour is stored in which errors were shown to these detectors with these parameters: they are once the service"
    " runs with them, or by a replay"
)


def with_labels(store: Store, watch: Watch, done: Backtest, keep: Collection[str] = ()) -> Backtest:
    """Return a backtest with what hours of labels say: those that are judged by the end of its span.

    Parameters
    ----------
    store : Store
        Only read.
    watch : Watch
        The other configuration.
    done : Backtest
    keep : collection of str
        Signals whose scores within the span are wanted.

    Raises
    ------
    StoreError
    """
    if not watch.judged_signals:
        return done
    first_ms, last_ms = judged_span(store, watch)
    if first_ms is None or last_ms is None:
        return replace(done, not_judged=done.not_judged | dict.fromkeys(watch.judged_signals, NOT_JUDGED))
    span, tally, transitions = done.span, Tally(done.span, keep), list[Transition]()
    signals = JudgedSignals(watch, first_panes(store, watch))
    signals.decide(marks_in_effect(store, watch.name))
    for ends_ms in signals.windows.between(first_ms, min(last_ms, signals.windows.last(span.to_ms))):
        verdicts, of_hours = signals.advance(read_hours(store, watch, ends_ms), ends_ms)
        transitions += of_hours
        for of_series in verdicts:
            tally.take(watch.name, of_series)
    if watch.judged_plan.detectors and f"{PERFORMANCE}{ERROR}" in watch.judged_signals:
        layouts = store.read(Query("performance_findings", {"model": watch.name}, columns=("layout",)))["layout"]
        if findings_layout(watch.judged_plan).id not in set(layouts):
            done = replace(done, not_judged=done.not_judged | {f"{PERFORMANCE}{ERROR}": NOT_SHOWN})
    stored = rows_of(store.read(Query(PERFORMANCE_ALERTS, {"model": watch.name})))
    now = fired([transition.to_row() for transition in transitions], span.from_ms, span.to_ms)
    outcomes = [*done.outcomes, *compare(fired(stored, span.from_ms, span.to_ms), now)]
    return replace(
        done,
        tests=done.tests + tally.tests,
        outcomes=sorted(outcomes, key=lambda outcome: outcome.starts_ms),
        signals=done.signals | tally.signals(alarmed_before(store, watch.name, span, judged=True)),
        transitions=[*done.transitions, *transitions],
        scores=joined([done.scores, tally.scores]),
    )
