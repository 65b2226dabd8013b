"""The event-time clock of one partition: which events are on time, late, or not to be believed.

The rule is sequential, so it does not see where a batch ends:

- ``newest`` is the largest event time believed so far; the watermark is ``newest`` minus the allowed lateness, and
  panes that end at or before it are closed.
- A step is the allowed lateness: so far one event may move the clock, since nobody is late by it. In a partition in
  which the clock usually moves further at once, a step is twice as far, and never more than ``max_ahead``.
- An event further ahead waits for those behind it, its *witnesses*: as many as usually come in :data:`SPAN_MS`. The
  clock moves once more than half of them are no more than a step behind the event, or some of them, and two are as
  much as :data:`GOING_ON_MS` ahead of it. Once more of them speak against the
  event than for it, it does not move the clock: the event counts in its own pane all the same, unless it is more than
  ``max_ahead`` ahead.
- So does an event that is further ahead of its record than an allowed lateness beyond what is usual. If its witnesses
  speak against it, it counts for the clock as if it were no further ahead of its record than that.
- The first event of a partition has two witnesses, and ``max_ahead`` for a step. If both are more than that ahead of
  it, the clock starts at the earlier of them, and the event is late. One event from 1970 would otherwise open fifty
  years of empty windows.

So whoever is to make everybody else's events late has to send more than half of what a partition gets in a while.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.kernel import inlined, kernel

__all__ = [
    "FEWEST_WITNESSES",
    "FUTURE",
    "MOST_WITNESSES",
    "NEVER",
    "ON_TIME",
    "SPAN_MS",
    "EventClock",
    "advance",
    "beginning",
]

Integers = NDArray[np.int64]

FIRST_WITNESSES = 2
FEWEST_WITNESSES, MOST_WITNESSES = 4, 1_000
SPAN_MS = 120_000
"""Of event time: so long a span says how many events, and how far ahead of their records, are usual."""

GOING_ON_MS = 300_000
"""Of event time: witnesses so far beyond an event say that traffic goes on from there, however little it is."""

NEVER = -(1 << 62)
"""``newest`` of a partition without events."""

ON_TIME, FUTURE = 0, 1

EARLIEST_RECORD_MS, LATEST_RECORD_MS = 946_684_800_000, 7_258_118_400_000
"""2000 and 2200: a record's time beyond them says nothing."""

# Where the state has what: the clock; up to where its cell and its span reach; the events of this span and of the one
# before; how far ahead of their records events are usually, and were in this span; how often the clock has moved on;
# and how far, in cells, the last times.
NEWEST, CELL_END, SPAN_END, EVENTS, USUAL_EVENTS, USUAL_AHEAD, MOST_AHEAD, MOVES, MOVED = range(9)
KEPT_MOVES = 8

BELIEVED, REFUTED, OPEN = 1, 0, -1
UNBOUNDED_MS = 1 << 60


def beginning(newest_ms: int = NEVER) -> Integers:
    """Return the state of a clock of which only that is known."""
    state = np.zeros(MOVED + KEPT_MOVES, dtype=np.int64)
    state[NEWEST] = newest_ms
    return state


class EventClock:
    """The clock of one partition, and where it stands.

    Parameters
    ----------
    pane_ms, lateness_ms, ahead_ms : int

    Attributes
    ----------
    closed_ms : int
        Panes that start before this are closed.
    """

    def __init__(self, pane_ms: int, lateness_ms: int, ahead_ms: int) -> None:
        self.pane_ms, self.lateness_ms, self._ahead_ms = pane_ms, lateness_ms, ahead_ms
        self.closed_ms = NEVER
        self._state = beginning()

    @property
    def newest_ms(self) -> int:
        """The largest event time believed so far; :data:`NEVER` before the first."""
        return int(self._state[NEWEST])

    def advance(
        self, event_ms: Integers, record_ms: Integers, *, end: bool = False, count: int | None = None
    ) -> tuple[int, NDArray[np.uint8], Integers]:
        """Move over a batch; return how many of its events are settled, and of each its status and ``closed_ms``.

        With ``count`` no more than so many are settled; those behind them are only witnesses.
        """
        source = (self.pane_ms, self.lateness_ms, self._ahead_ms)
        settled, self._state, status, closed = advance(event_ms, record_ms, self._state, source, end=end, count=count)
        if settled:
            self.closed_ms = int(closed[-1])
        return settled, status, closed

    def set_back(self, to_ms: int) -> None:
        """Go on from an earlier time; of a clock that is not ahead of it nothing changes."""
        if self.newest_ms > to_ms:
            self.start(to_ms, self.closed_at(to_ms))

    def closed_at(self, newest_ms: int) -> int:
        """Panes that start before this are closed when the clock stands there."""
        return (newest_ms - self.lateness_ms) // self.pane_ms * self.pane_ms

    def start(self, newest_ms: int, closed_ms: int) -> None:
        """Go on from where a clock stood of which nothing else is known."""
        self._state, self.closed_ms = beginning(newest_ms), closed_ms

    def snapshot(self) -> Integers:
        """What the times to come are judged by, beside ``closed_ms``."""
        return self._state.copy()

    def restore(self, state: Integers) -> None:
        """Go on from a snapshot."""
        self._state = np.array(state, dtype=np.int64)


def advance(
    event_ms: Integers,
    record_ms: Integers,
    state: Integers,
    source: tuple[int, int, int],
    *,
    end: bool,
    count: int | None = None,
) -> tuple[int, Integers, NDArray[np.uint8], Integers]:
    """Move the clock over a batch.

    Parameters
    ----------
    event_ms, record_ms : int64 array [n]
        The times of events and of their records, -1 where there is none.
    state : int64 array
        The clock before the batch: :func:`beginning`, or what was returned before.
    source : tuple of int
        Pane length, allowed lateness, ``max_ahead``; all in ms.
    end : bool
        No more events will come: what still waits for witnesses is believed.
    count : int or None
        Settle no more than so many.

    Returns
    -------
    settled : int
        How many of the events are settled; the rest must be offered again with what follows.
    state : int64 array
    status : uint8 array [settled]
        :data:`ON_TIME` (or late: see ``closed_ms``) or :data:`FUTURE`.
    closed_ms : int64 array [settled]
        At each event: panes that start before this are closed.

    Examples
    --------
    >>> times = np.array([1_000, 90_000_000, 2_000, 12_000, 50_000, 3_000])
    >>> no_record = np.full(6, -1)
    >>> settled, state, status, closed = advance(times, no_record, beginning(0), (10_000, 15_000, 60_000), end=False)
    >>> settled, int(state[NEWEST]), status.tolist(), closed.tolist()
    (6, 12000, [0, 1, 0, 0, 0, 0], [-20000, -20000, -20000, -10000, -10000, -10000])
    """
    count = len(event_ms) if count is None else count
    status = np.zeros(count, dtype=np.uint8)
    closed = np.zeros(count, dtype=np.int64)
    pane_ms, lateness_ms, ahead_ms = source
    state = state.copy()
    settled = int(_advance(event_ms, record_ms, state, pane_ms, lateness_ms, ahead_ms, end, status, closed))
    return settled, state, status[:settled], closed[:settled]


@kernel
def _advance(
    event_ms: Any,
    record_ms: Any,
    state: Any,
    pane_ms: int,
    lateness_ms: int,
    ahead_ms: int,
    end: bool,
    status: Any,
    closed: Any,
) -> Any:
    cell_ms = max(pane_ms, lateness_ms)
    least_step_ms = min(cell_ms, ahead_ms)
    for i in range(status.shape[0]):
        newest = state[NEWEST]
        at_ms = _bounded(event_ms[i], record_ms[i], state[USUAL_AHEAD] + cell_ms)
        verdict = BELIEVED
        if newest == NEVER:
            at_ms = _start(event_ms, record_ms, i, cell_ms, ahead_ms, end)
            verdict = at_ms if at_ms == OPEN else REFUTED if at_ms == NEVER else BELIEVED
        elif event_ms[i] > newest and (at_ms < event_ms[i] or at_ms > newest + least_step_ms):
            step_ms = _step(state, cell_ms, ahead_ms)
            at_ms, verdict = _heard(event_ms, record_ms, state, i, at_ms, step_ms, cell_ms, end)
        if verdict == OPEN:
            return i
        if verdict == BELIEVED and at_ms > newest:
            _move(state, at_ms, cell_ms)
        if verdict == REFUTED and event_ms[i] > newest + ahead_ms:
            status[i] = FUTURE
        else:
            _count(state, event_ms[i], record_ms[i], cell_ms)
        closed[i] = (state[NEWEST] - lateness_ms) // pane_ms * pane_ms
    return status.shape[0]


@inlined
def _heard(
    event_ms: Any, record_ms: Any, state: Any, i: int, at_ms: int, step_ms: int, cell_ms: int, end: bool
) -> tuple[int, int]:
    """How late an event counts for the clock, and whether that is believed, once its witnesses are heard."""
    if at_ms < event_ms[i]:
        verdict = _verdict(event_ms, record_ms, state, i, event_ms[i], step_ms, UNBOUNDED_MS, end)
        if verdict == BELIEVED:
            state[USUAL_AHEAD] = event_ms[i] - record_ms[i]
        if verdict != REFUTED:
            return event_ms[i], verdict
    if at_ms <= state[NEWEST] + step_ms:
        return at_ms, BELIEVED
    return at_ms, _verdict(event_ms, record_ms, state, i, at_ms, step_ms, state[USUAL_AHEAD] + cell_ms, end)


@inlined
def _bounded(at_ms: int, record_ms: int, ahead_ms: int) -> int:
    """The time of an event, as far as its record's own time allows."""
    if EARLIEST_RECORD_MS <= record_ms < LATEST_RECORD_MS and at_ms > record_ms + ahead_ms:
        return record_ms + ahead_ms
    return at_ms


@inlined
def _start(event_ms: Any, record_ms: Any, i: int, cell_ms: int, ahead_ms: int, end: bool) -> int:
    """Where the clock starts by the first event and its witnesses; `NEVER`: nowhere yet, `OPEN`: they are missing."""
    at_ms = _bounded(event_ms[i], record_ms[i], cell_ms)
    last_witness = min(i + FIRST_WITNESSES, event_ms.shape[0] - 1)
    if last_witness < i + FIRST_WITNESSES and not end:
        return OPEN
    earliest = at_ms
    if last_witness > i:
        earliest = _bounded(event_ms[i + 1], record_ms[i + 1], cell_ms)
        for j in range(i + 2, last_witness + 1):
            earliest = min(earliest, _bounded(event_ms[j], record_ms[j], cell_ms))
    if earliest < at_ms - ahead_ms:
        return NEVER
    return earliest if earliest > at_ms + ahead_ms else at_ms


@inlined
def _step(state: Any, cell_ms: int, ahead_ms: int) -> int:
    """How far one event may move the clock: by the second largest of the last moves, since one may be a silence."""
    largest = second = 1
    for k in range(MOVED, MOVED + KEPT_MOVES):
        if state[k] > largest:
            largest, second = state[k], largest
        elif state[k] > second:
            second = state[k]
    return min((2 * second - 1) * cell_ms, ahead_ms)


@inlined
def _verdict(
    event_ms: Any, record_ms: Any, state: Any, i: int, at_ms: int, step_ms: int, bound_ms: int, end: bool
) -> int:
    """What the witnesses of an event say of its time, each of them at most so far ahead of its record."""
    witnesses = min(max(state[EVENTS], state[USUAL_EVENTS], FEWEST_WITNESSES), MOST_WITNESSES)
    stop = min(i + 1 + witnesses, event_ms.shape[0])
    agreeing = opposed = going_on = 0
    for j in range(i + 1, stop):
        witness_ms = _bounded(event_ms[j], record_ms[j], bound_ms)
        agreeing += witness_ms >= at_ms - step_ms
        opposed += witness_ms < at_ms - step_ms
        going_on += witness_ms >= at_ms + GOING_ON_MS
        if opposed > agreeing:
            return REFUTED
        # Traffic that has fallen off would keep everything waiting for as many as there were.
        if 2 * agreeing > witnesses or (2 * agreeing > FEWEST_WITNESSES and going_on > 1):
            return BELIEVED
    if stop == i + 1 + witnesses:
        return REFUTED
    return BELIEVED if end else OPEN


@inlined
def _move(state: Any, at_ms: int, cell_ms: int) -> None:
    """Set the clock; note how far it moved if it left its cell, and what is usual if it left its span."""
    if at_ms >= state[CELL_END]:
        if state[CELL_END] > 0:
            state[MOVED + state[MOVES] % KEPT_MOVES] = at_ms // cell_ms - state[CELL_END] // cell_ms + 1
            state[MOVES] += 1
        state[CELL_END] = (at_ms // cell_ms + 1) * cell_ms
    if at_ms >= state[SPAN_END]:
        state[USUAL_AHEAD] = min(state[USUAL_AHEAD], state[MOST_AHEAD]) if state[MOST_AHEAD] > cell_ms else 0
        state[USUAL_EVENTS] = state[EVENTS]
        state[EVENTS] = state[MOST_AHEAD] = 0
        state[SPAN_END] = (at_ms // SPAN_MS + 1) * SPAN_MS
    state[NEWEST] = at_ms


@inlined
def _count(state: Any, at_ms: int, record_ms: int, cell_ms: int) -> None:
    """Count an event of this span, and how far it is ahead of its record, if that is nothing unusual."""
    state[EVENTS] += 1
    ahead_ms = at_ms - record_ms
    if state[MOST_AHEAD] < ahead_ms <= state[USUAL_AHEAD] + cell_ms and record_ms >= EARLIEST_RECORD_MS:
        state[MOST_AHEAD] = ahead_ms
        # Where most events are ahead of their records, these bound nothing.
        if state[USUAL_AHEAD] > 0:
            state[USUAL_AHEAD] = max(state[USUAL_AHEAD], ahead_ms)
