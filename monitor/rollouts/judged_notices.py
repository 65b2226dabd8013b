"""The alerts about verdicts that labels decide.

Labels come when they come, and the alerts of a model are written in the order of event time. So a verdict is notified
with the first window that is evaluated once it is known; which that is depends on how fast labels were read, and is
written down before it has effect.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from monitor.alerts.transition import Transition
from monitor.rollouts.notices import RESOLVED_AFTER_MS, resolved, verdict_reached
from monitor.rollouts.rollout_log import Rollout, note_notified
from monitor.rollouts.standing import Standing, standings
from monitor.rollouts.strata import read_comparisons
from monitor.rollouts.verdict import compared
from monitor.watch import Watch
from sinks.store.contract import Store

__all__ = ["judged_transitions"]


def judged_transitions(store: Store, watch: Watch, rollouts: Sequence[Rollout], ends: range) -> list[Transition]:
    """Return what is to be notified of verdicts by labels with some windows.

    Parameters
    ----------
    store : Store
    watch : Watch
    rollouts : sequence of Rollout
        All of the model's that have begun.
    ends : range
        Ends of the windows that are evaluated now.

    Raises
    ------
    StoreError
    """
    transitions: list[Transition] = []
    for rollout in _notified(store, [rollout for rollout in rollouts if rollout.by_labels], ends[0]):
        over_ms = rollout.notified_ms + RESOLVED_AFTER_MS
        over_ms = min(over_ms, rollout.ends_ms or over_ms)
        fires, ends_now = (ends[0] - ends.step < at_ms <= ends[-1] for at_ms in (rollout.notified_ms, over_ms))
        if not fires and not ends_now:
            continue
        comparisons, verdict, _ = read_comparisons(store, rollout)
        fired = verdict_reached(watch, rollout, verdict, compared(rollout, comparisons), rollout.notified_ms)
        transitions += [fired] if fires else []
        # Windows may have become others meanwhile: it is over with the first one that ends then, or later.
        transitions += [resolved(fired, over_ms + (ends[0] - over_ms) % ends.step)] if ends_now else []
    return transitions


def _notified(store: Store, rollouts: Sequence[Rollout], end_ms: int) -> list[Rollout]:
    """Return the rollouts whose verdict is notified, those too of which it has become known since the last window."""
    waiting = [rollout for rollout in rollouts if not rollout.notified_ms and not rollout.ends_ms]
    now = standings(store, waiting)
    reached = [rollout for rollout in waiting if _is_reached(now[rollout.id], end_ms)]
    note_notified(store, reached, end_ms)
    return [rollout for rollout in rollouts if rollout.notified_ms] + [
        replace(rollout, notified_ms=end_ms) for rollout in reached
    ]


def _is_reached(now: Standing, end_ms: int) -> bool:
    """Whether there is a verdict, or an end without one; windows that are evaluated once more come before it."""
    return now.state in ("decided", "over") and now.last_ms <= end_ms
