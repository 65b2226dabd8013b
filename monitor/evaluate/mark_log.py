"""What people say of signals, in the store: a level is the new normal, an alert was false, harmless or real.

Marks are inputs of an evaluation. When one takes effect is written down before it does: at the end of the first window
that was not yet evaluated then, or that ends behind the time from which the mark is to hold, if that is later. A window
was evaluated if anything of it is stored, though a crash may have it evaluated once more. So the same log gives the
same rows live, in a replay, in a backtest and after a crash.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from monitor.clock import Clock
from monitor.config.performance import is_judged
from monitor.events import SeriesKey
from sinks.store.batch import append
from sinks.store.change_log import ChangeLog, Row
from sinks.store.contract import Query, Store
from sinks.store.evaluated import first_unwritten
from sinks.store.rows import rows_of

__all__ = [
    "OF_ALERTS",
    "Mark",
    "Says",
    "is_taken_back",
    "log_mark",
    "marks_in_effect",
    "note_adopted",
    "read_marks",
    "take_up",
]

OF_ALERTS = frozenset({"false", "harmless", "real"})
"""What can be said of an alert: of an alert, and of a series in it, the newest mark counts."""

Says = Literal["accepted", "false", "harmless", "real", "adopted", "muted", "heard"]
"""That a level is the new normal; what an alert was; ``adopted`` is what Leeway accepted by itself, and ``muted`` and
``heard`` what it says of estimators (:mod:`monitor.evaluate.muting`)."""


@dataclass(frozen=True)
class Mark:
    """What somebody says of a signal.

    Attributes
    ----------
    model, signal, segment : str
        The empty segment is all of the traffic.
    version : str
        Empty: every version that there is when the mark takes effect.
    says : {"accepted", "false", "harmless", "real", "adopted", "muted", "heard"}
    from_ms, to_ms : int
        The event time from which a level is the new normal; or the span of the alert, ``to_ms`` being 0 while it fires.
    created_by, reason : str
    updated_ms : int
        When it was said.
    effective_ms : int
        End of the first window that is evaluated with it; 0 until that is settled.
    alert_id : str
        The alert that it is about; empty for a level that no alert was about.
    id : str
        Empty: made of what is said, and of when.
    """

    model: str
    signal: str
    segment: str
    version: str
    says: Says
    from_ms: int
    to_ms: int
    created_by: str
    reason: str
    updated_ms: int
    effective_ms: int = 0
    alert_id: str = ""
    id: str = ""

    @property
    def known_as(self) -> str:
        """Its id, given or made."""
        text = json.dumps([value for name, value in sorted(vars(self).items()) if name not in ("id", "effective_ms")])
        return self.id or hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

    def is_about(self, series: SeriesKey) -> bool:
        """Whether it is about a series, (version, segment, signal)."""
        version, segment, signal = series
        return (signal, segment) == (self.signal, self.segment) and self.version in ("", version)

    @property
    def order(self) -> tuple[int, str]:
        """By what the newest of several is chosen."""
        return self.updated_ms, self.known_as

    def replaces(self, other: Mark) -> bool:
        """Whether it says of an alert what an older mark of it no longer does, as far as both are about a series."""
        is_of_one_alert = bool(self.alert_id) and self.alert_id == other.alert_id
        return is_of_one_alert and {self.says, other.says} <= OF_ALERTS and self.order > other.order


def is_taken_back(mark: Mark, marks: Iterable[Mark], series: SeriesKey) -> bool:
    """Whether the newest mark of an alert says, by the time at which an older one has effect, that it was real.

    Parameters
    ----------
    mark : Mark
    marks : iterable of Mark
        All of its model.
    series : SeriesKey
        Both are about it.
    """
    newer = [
        other
        for other in marks
        if other.replaces(mark) and other.is_about(series) and 0 < other.effective_ms <= mark.effective_ms
    ]
    return bool(newer) and max(newer, key=lambda other: other.order).says == "real"


def read_marks(store: Store, model: str | Sequence[str] | None = None) -> list[Mark]:
    """Return the marks of a model, of several, or of all, by the windows at which they take effect.

    Raises
    ------
    StoreError
    """
    rows = rows_of(store.read(Query("marks", {} if model is None else {"model": model})))
    return sorted((Mark(**row) for row in rows), key=lambda mark: (mark.effective_ms, mark.updated_ms, mark.id))


def log_mark(store: Store, clock: Clock, mark: Mark) -> Mark:
    """Add a mark, and return it with its id.

    Raises
    ------
    StoreError

    Examples
    --------
    >>> from monitor.clock import ManualClock
    >>> from sinks.store.memory import MemoryStore
    >>> store, clock = MemoryStore(), ManualClock(now_ms=9_000)
    >>> store.migrate()
    >>> said = Mark("fraud", "feature:amount", "", "", "accepted", 4_500, 0, "ann", "new prices", 0)
    >>> _ = log_mark(store, clock, said)
    >>> [(mark.says, mark.effective_ms) for mark in take_up(store, "fraud", 3_000, step_ms=1_000)]
    [('accepted', 5000)]
    """
    logged = Mark(**{**vars(mark), "updated_ms": clock.now_ms()})
    row: Row = {**vars(logged), "id": logged.known_as}
    ChangeLog(store, "marks").put([row])
    return Mark(**row)


def marks_in_effect(store: Store, model: str) -> list[Mark]:
    """Return the marks of which is settled from which window on they have effect.

    Raises
    ------
    StoreError
    """
    return [mark for mark in read_marks(store, model) if mark.effective_ms and mark.says != "adopted"]


def take_up(store: Store, model: str, next_end_ms: int, step_ms: int, *, judged: bool = False) -> list[Mark]:
    """Settle when new marks take effect, and return all that have settled.

    Parameters
    ----------
    store : Store
    model : str
    next_end_ms, step_ms : int
        End of the window that is evaluated next, and how far apart windows are.
    judged : bool
        Of signals that are made of labels, or of all others: their windows are not equally far.

    Raises
    ------
    StoreError
    """
    marks = [mark for mark in read_marks(store, model) if is_judged(mark.signal) == judged]
    unsettled = [vars(mark) for mark in marks if not mark.effective_ms]
    if unsettled:
        alerts = "performance_alerts" if judged else "alerts"
        next_end_ms = first_unwritten(
            store, model, next_end_ms, step_ms, alerts, lambda signal: is_judged(signal) == judged
        )
    settled = [
        row | {"effective_ms": _first_end(row["from_ms"], next_end_ms, step_ms, row["says"])} for row in unsettled
    ]
    ChangeLog(store, "marks").put(settled, {row["id"]: row for row in unsettled})
    return marks_in_effect(store, model) if settled else [mark for mark in marks if mark.says != "adopted"]


def note_adopted(store: Store, marks: Iterable[Mark]) -> None:
    """Write what was adopted as a new normal; once more, after a crash, is the same row.

    Raises
    ------
    StoreError
    """
    rows = [{**vars(mark), "id": mark.known_as} for mark in marks]
    if rows:
        append(store, "marks", {name: [row[name] for row in rows] for name in rows[0]})


def _first_end(from_ms: int, next_end_ms: int, step_ms: int, says: str) -> int:
    """Return the end of the first window at or behind the next one that ends behind ``from_ms``."""
    if says != "accepted" or from_ms < next_end_ms:
        return next_end_ms
    return next_end_ms + (from_ms - next_end_ms) // step_ms * step_ms + step_ms
