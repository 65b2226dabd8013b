"""Rollouts in the store: which candidate is compared with which champion, by what, and since when.

A rollout is an input of an evaluation. From which event time on it counts, and up to which, is written down before it
does: with the first window that was not yet evaluated then. So nobody begins one behind what they have seen, and the
same log gives the same rows live, in a replay and after a crash.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from monitor.clock import Clock
from monitor.config.performance import is_judged
from sinks.store.change_log import ChangeLog, Row, after
from sinks.store.contract import Query, Store
from sinks.store.evaluated import first_unwritten
from sinks.store.rows import rows_of
from sinks.store.spans import HOUR_MS

__all__ = [
    "FINEST",
    "JUDGED",
    "Better",
    "Metric",
    "Rollout",
    "log_rollout",
    "log_stop",
    "note_notified",
    "read_rollouts",
    "take_up",
]

JUDGED = "performance:"
"""What signals begin with that labels decide about."""

Better = Literal["higher", "lower", "same"]
"""What is better of a metric: `same` is neither, and the candidate must not differ."""

FINEST = 500
"""A span is a window long at first, and later no longer than this part of what has been compared, or an hour."""


@dataclass(frozen=True)
class Metric:
    """What versions are compared by.

    Attributes
    ----------
    signal : str
    better : {"higher", "lower", "same"}
    max_loss : float
        By how much the candidate may be worse, in the signal's units.
    """

    signal: str
    better: Better
    max_loss: float


@dataclass(frozen=True)
class Rollout:
    """A candidate beside its champion.

    Attributes
    ----------
    id : str
    model, candidate, champion : str
    metrics : tuple of Metric
    level : float
        How often a verdict may be wrong.
    lasts_ms : int
        For how long versions are compared, in event time.
    created_by, reason : str
    created_ms, updated_ms : int
        When it was started, and changed last, by the clock.
    from_ms, stratum_ms : int
        From which event time on versions are compared, and in spans of which length at first; 0 until that is settled.
    stopped_by, stop_reason : str
    stopped_ms : int
        When somebody stopped it, by the clock; 0 if nobody has.
    ends_ms : int
        Of a rollout that was stopped, the end of the first window that it has no part in; 0 until that is settled.
    notified_ms : int
        Of a rollout by labels, the end of the window with which its verdict is notified; 0 until that is settled.
    """

    id: str
    model: str
    candidate: str
    champion: str
    metrics: tuple[Metric, ...]
    level: float
    lasts_ms: int
    created_by: str
    reason: str = ""
    created_ms: int = 0
    updated_ms: int = 0
    from_ms: int = 0
    stratum_ms: int = 0
    stopped_by: str = ""
    stop_reason: str = ""
    stopped_ms: int = 0
    ends_ms: int = 0
    notified_ms: int = 0

    @property
    def until_ms(self) -> int:
        """Up to which event time versions are compared if there is no verdict before."""
        return self.from_ms + self.lasts_ms

    @property
    def by_labels(self) -> bool:
        """Whether labels decide, hours after windows."""
        return any(metric.signal.startswith(JUDGED) for metric in self.metrics)

    def next_ms(self, last_ms: int) -> int:
        """Return the end of the span behind one that ends at a time.

        Months of windows of a minute would be more spans than anybody can look through after each of them.

        Examples
        --------
        >>> rollout = Rollout("", "fraud", "v8", "v7", (), 0.05, 0, "ann", from_ms=0, stratum_ms=60_000)
        >>> [(rollout.next_ms(hours * HOUR_MS) - hours * HOUR_MS) // 60_000 for hours in (0, 8, 25, 240, 2_000)]
        [1, 1, 3, 28, 60]
        """
        compared = (last_ms - self.from_ms) // self.stratum_ms
        most = max(1, HOUR_MS // self.stratum_ms)
        return last_ms + self.stratum_ms * min(max(1, compared // FINEST), most)

    def is_like(self, other: Rollout) -> bool:
        """Whether another one compares the same versions by the same metrics."""
        return _content(self) == _content(other)


def read_rollouts(store: Store, models: Sequence[str] | str | None = None) -> list[Rollout]:
    """Return the rollouts of some models, or of all, in the order in which they were started.

    Raises
    ------
    StoreError
    """
    rows = rows_of(store.read(Query("rollouts", {} if models is None else {"model": models})))
    return sorted(map(_read, rows), key=lambda rollout: (rollout.created_ms, rollout.id))


def log_rollout(store: Store, clock: Clock, rollout: Rollout, rollouts: Sequence[Rollout] = ()) -> Rollout:
    """Start a rollout, and return it with its id, or another one of its model that was started meanwhile.

    Parameters
    ----------
    store : Store
    clock : Clock
    rollout : Rollout
    rollouts : sequence of Rollout
        All that there were of the model when it was decided, as :func:`read_rollouts` gives them.

    Raises
    ------
    StoreError

    Examples
    --------
    >>> from monitor.clock import ManualClock
    >>> from sinks.store.memory import MemoryStore
    >>> store, clock = MemoryStore(), ManualClock(now_ms=9_000)
    >>> metrics = (Metric("missing:amount", "lower", 0.01),)
    >>> started = log_rollout(store, clock, Rollout("", "fraud", "v8", "v7", metrics, 0.05, 600_000, "ann"))
    >>> [(rollout.from_ms, rollout.until_ms) for rollout in take_up(store, "fraud", 60_000, step_ms=10_000)]
    [(50000, 650000)]
    >>> log_stop(store, clock, started, "ann", "a bug").stopped_ms
    9000
    >>> [(rollout.from_ms, rollout.ends_ms) for rollout in take_up(store, "fraud", 80_000, step_ms=10_000)]
    [(50000, 80000)]
    """
    # Whatever follows the same rollout has the same id, of which there is one: the first that the store takes.
    newest_ms, newest = max(((each.created_ms, each.id) for each in rollouts), default=(0, ""))
    text = json.dumps([rollout.model, newest])
    named = hashlib.blake2b(text.encode(), digest_size=6).hexdigest()
    now_ms = after(newest_ms, clock.now_ms())
    logged = replace(rollout, id=rollout.id or named, created_ms=now_ms, updated_ms=now_ms)
    row = ChangeLog(store, "rollouts").change(logged.id, lambda stored: _row(logged) if stored is None else None)
    return logged if row is None else _read(row)


def log_stop(store: Store, clock: Clock, rollout: Rollout, stopped_by: str, reason: str) -> Rollout:
    """Stop a rollout, and return it as it stands then; one that is stopped stays as it is.

    Raises
    ------
    StoreError
    """
    now_ms = clock.now_ms()
    stop = {"updated_ms": now_ms, "stopped_ms": now_ms, "stopped_by": stopped_by, "stop_reason": reason}
    # What was settled since it was read stays.
    row = ChangeLog(store, "rollouts").change(
        rollout.id, lambda stored: None if stored is None or stored["stopped_ms"] else stored | stop
    )
    return rollout if row is None else _read(row)


def finest_of(pane_ms: int, step_ms: int) -> int:
    """Return how long spans are at first: as long as windows, but no longer than an hour, where panes are as short.

    Within a longer span the hour of the day would be taken for the version that had more of the traffic then.

    Examples
    --------
    >>> minute, day = HOUR_MS // 60, 24 * HOUR_MS
    >>> [finest_of(pane, step) // minute for pane, step in ((minute, 5 * minute), (HOUR_MS, day), (day, day))]
    [5, 60, 1440]
    """
    return max(pane_ms, math.gcd(step_ms, HOUR_MS)) if step_ms > HOUR_MS else step_ms


def take_up(store: Store, model: str, next_end_ms: int, step_ms: int, finest_ms: int = 0) -> list[Rollout]:
    """Settle from which event time on, and up to which, rollouts count, and return all that have begun.

    Parameters
    ----------
    store : Store
    model : str
    next_end_ms, step_ms : int
        End of the window that is evaluated next, and how far apart windows are.
    finest_ms : int
        How long spans are at first; 0: as long as windows.

    Raises
    ------
    StoreError
    """
    rollouts = read_rollouts(store, model)
    finest_ms = finest_ms or step_ms
    if any(_settled(rollout, next_end_ms, step_ms, finest_ms) != rollout for rollout in rollouts):
        next_end_ms = first_unwritten(
            store, model, next_end_ms, step_ms, "alerts", lambda signal: not is_judged(signal)
        )
    return [
        _changed(store, rollout, lambda each: _settled(each, next_end_ms, step_ms, finest_ms)) for rollout in rollouts
    ]


def note_notified(store: Store, rollouts: Sequence[Rollout], end_ms: int) -> None:
    """Write down with which window the verdicts of rollouts are notified, before they are.

    Raises
    ------
    StoreError
    """
    for rollout in rollouts:
        _changed(store, rollout, lambda each: replace(each, notified_ms=end_ms))


def _changed(store: Store, rollout: Rollout, change: Callable[[Rollout], Rollout]) -> Rollout:
    """Write what changes of a rollout, as it stands then, and return it."""
    if change(rollout) == rollout:
        return rollout

    def decide(stored: Row | None) -> Row | None:
        current = rollout if stored is None else _read(stored)
        changed = change(current)
        return None if changed == current else _row(changed)

    row = ChangeLog(store, "rollouts").change(rollout.id, decide)
    return rollout if row is None else _read(row)


def _settled(rollout: Rollout, next_end_ms: int, step_ms: int, finest_ms: int) -> Rollout:
    if not rollout.stratum_ms:
        rollout = replace(rollout, from_ms=next_end_ms - step_ms, stratum_ms=finest_ms)
    if rollout.stopped_ms and not rollout.ends_ms:
        rollout = replace(rollout, ends_ms=next_end_ms)
    return rollout


def _content(rollout: Rollout) -> list[Any]:
    metrics = sorted((metric.signal, metric.better, metric.max_loss) for metric in rollout.metrics)
    return [rollout.model, rollout.candidate, rollout.champion, metrics, rollout.level, rollout.lasts_ms]


def _row(rollout: Rollout) -> Row:
    return {**vars(rollout), "metrics": json.dumps([vars(metric) for metric in rollout.metrics], sort_keys=True)}


def _read(row: Mapping[str, Any]) -> Rollout:
    return Rollout(**{**row, "metrics": tuple(Metric(**metric) for metric in json.loads(row["metrics"]))})
