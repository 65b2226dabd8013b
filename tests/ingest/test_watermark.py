"""The event-time clock against a clock written down as the rule reads, and against clocks that are wrong."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.ingest.watermark import (
    FEWEST_WITNESSES,
    FUTURE,
    GOING_ON_MS,
    MOST_WITNESSES,
    NEVER,
    NEWEST,
    ON_TIME,
    SPAN_MS,
    EventClock,
    advance,
    beginning,
)

PANE_MS, LATENESS_MS, AHEAD_MS = 10_000, 30_000, 1_800_000
SOURCE = (PANE_MS, LATENESS_MS, AHEAD_MS)
NOW_MS = 1_800_000_000_000
SECOND_MS, MINUTE_MS, HOUR_MS = 1_000, 60_000, 3_600_000
NONE = -1
Pair = tuple[int, int]
"""The time of an event, and that of its record."""


@dataclass
class PlainClock:
    """The rule, event by event, with all the log in view."""

    log: list[Pair]
    newest: int = NEVER
    usual_ahead: int = 0
    most_ahead: int = 0
    usual_events: int = 0
    of_span: int = 0
    moves: list[int] = field(default_factory=list)
    cell: int = max(PANE_MS, LATENESS_MS)

    def run(self) -> tuple[list[int], list[int], int]:
        status, closed = [], []
        for i, (event_ms, record_ms) in enumerate(self.log):
            verdict = self.step(i)
            status.append(verdict)
            if verdict == ON_TIME:
                self.of_span += 1
                if record_ms != NONE and event_ms - record_ms <= self.usual_ahead + self.cell:
                    self.most_ahead = max(self.most_ahead, event_ms - record_ms)
                    if self.usual_ahead:
                        self.usual_ahead = max(self.usual_ahead, self.most_ahead)
            closed.append((self.newest - LATENESS_MS) // PANE_MS * PANE_MS)
        return status, closed, self.newest

    def step(self, i: int) -> int:
        event_ms, record_ms = self.log[i]
        at = self.time(i)
        if self.newest == NEVER:
            two = [self.time(j) for j in range(i + 1, len(self.log))][:2]
            if any(time < at - AHEAD_MS for time in two):
                return FUTURE
            self.move(min(two) if two and min(two) > at + AHEAD_MS else at)
        elif event_ms > self.newest:
            if at < event_ms and self.is_confirmed(event_ms, [event for event, _ in self.log[i + 1 :]]):
                self.usual_ahead = event_ms - record_ms
                self.move(event_ms)
            elif at <= self.newest + self.reach():
                self.move(max(at, self.newest))
            elif self.is_confirmed(at, [self.time(j) for j in range(i + 1, len(self.log))]):
                self.move(at)
            elif event_ms > self.newest + AHEAD_MS:
                return FUTURE
        return ON_TIME

    def time(self, i: int) -> int:
        event_ms, record_ms = self.log[i]
        return event_ms if record_ms == NONE else min(event_ms, record_ms + self.usual_ahead + self.cell)

    def reach(self) -> int:
        second = sorted([1, 1, *self.moves[-8:]])[-2]
        return min((2 * second - 1) * self.cell, AHEAD_MS)

    def is_confirmed(self, at: int, witnesses: list[int]) -> bool:
        asked = min(max(self.of_span, self.usual_events, FEWEST_WITNESSES), MOST_WITNESSES)
        votes = [1 if time >= at - self.reach() else -1 for time in witnesses[:asked]]
        for count, balance in enumerate(itertools.accumulate(votes), start=1):
            agreeing = (count + balance) // 2
            if balance < 0:
                return False
            if 2 * agreeing > asked:
                return True
            if 2 * agreeing > FEWEST_WITNESSES and sum(time >= at + GOING_ON_MS for time in witnesses[:count]) > 1:
                return True
        return len(votes) < asked

    def move(self, at: int) -> None:
        if self.newest != NEVER and at // self.cell > self.newest // self.cell:
            self.moves.append(at // self.cell - self.newest // self.cell)
        if at // SPAN_MS > self.newest // SPAN_MS:
            self.usual_ahead = min(self.usual_ahead, self.most_ahead) if self.most_ahead > self.cell else 0
            self.most_ahead = 0
            self.usual_events, self.of_span = self.of_span, 0
        self.newest = at


def in_cuts(log: list[Pair], cuts: list[int]) -> tuple[list[int], list[int], int]:
    """The same through :func:`advance`, offered again what it left, cut after cut."""
    state = beginning()
    status: list[int] = []
    closed: list[int] = []
    waiting: list[Pair] = []
    bounds = [0, *sorted(min(cut, len(log)) for cut in cuts), len(log)]
    for number, (start, stop) in enumerate(itertools.pairwise(bounds)):
        offered = waiting + log[start:stop]
        end = number == len(bounds) - 2
        settled, state, some_status, some_closed = advance(*columns(offered), state, SOURCE, end=end)
        status += some_status.tolist()
        closed += some_closed.tolist()
        waiting = offered[settled:]
        assert len(waiting) <= MOST_WITNESSES
    assert not waiting
    return status, closed, int(state[NEWEST])


def columns(log: list[Pair]) -> tuple[np.ndarray, np.ndarray]:
    events, records = zip(*log, strict=True) if log else ((), ())
    return np.array(events, dtype=np.int64), np.array(records, dtype=np.int64)


@st.composite
def logs(draw: st.DrawFn) -> list[Pair]:
    """Mostly forward, with silences, stragglers, and runs of events whose clock, or whose record's too, is wrong."""
    now, log = NOW_MS, []
    with_records = draw(st.booleans())
    for _ in range(draw(st.integers(0, 25))):
        now += draw(st.sampled_from([0, 700, 9_000, 45_000, 400_000, 5 * HOUR_MS]))
        off = draw(st.sampled_from([0, 0, 0, -50_000, 20_000, 600_000, 3_000_000, 9_000_000]))
        record_off = draw(st.sampled_from([0, off]))
        for k in range(draw(st.integers(1, 12))):
            log.append((now + off + 100 * k, now + record_off + 100 * k if with_records else NONE))
    return log


@given(logs(), st.lists(st.integers(0, 200), max_size=8))
@settings(deadline=None, max_examples=200)  # the first call loads what is compiled
def test_the_clock_follows_the_rule_wherever_batches_are_cut(log: list[Pair], cuts: list[int]) -> None:
    assert in_cuts(log, cuts) == PlainClock(log).run()


@given(logs())
@settings(deadline=None)
def test_the_clock_never_goes_back(log: list[Pair]) -> None:
    _, closed, _ = in_cuts(log, [])
    assert closed == sorted(closed)


def traffic(count: int, every_ms: int, since_ms: int = NOW_MS, *, with_records: bool = True) -> list[Pair]:
    """Events at their time; records are written two seconds later."""
    times = [since_ms + every_ms * k for k in range(count)]
    return [(at, at + 2 * SECOND_MS if with_records else NONE) for at in times]


def wrong(count: int, by_ms: int, at_ms: int, *, record_by_ms: int = 0) -> list[Pair]:
    """One producer's batch, whose events are ahead, and its records too if it stamps them itself."""
    return [(at_ms + by_ms + k, at_ms + record_by_ms + k) for k in range(count)]


def late(log: list[Pair]) -> int:
    """How many events come when their panes are closed, by a clock that sees the whole log."""
    clock = EventClock(PANE_MS, LATENESS_MS, AHEAD_MS)
    events, records = columns(log)
    _, status, closed = clock.advance(events, records, end=True)
    return int(np.sum((events // PANE_MS * PANE_MS < closed) & (status == ON_TIME)))


def test_a_batch_of_a_wrong_clock_makes_nobody_elses_events_late() -> None:
    for every_ms in (50, 1_000, 5_000):
        before = traffic(300, every_ms)
        now_ms = before[-1][0]
        after = traffic(300, every_ms, now_ms)
        for by_ms in (5 * MINUTE_MS, 25 * MINUTE_MS, 50 * MINUTE_MS):
            for record_by_ms in (0, by_ms):
                for count in (1, 3, 10):
                    batch = wrong(count, by_ms, now_ms, record_by_ms=record_by_ms)
                    assert late(before + batch + after) == 0
    # when a device goes on and on beside the others
    beside = [event for k, event in enumerate(traffic(3_000, 50)) for event in _with_wrong(event, k)]
    assert late(beside) == 0


def _with_wrong(event: Pair, k: int) -> list[Pair]:
    at = event[0]
    return [event, *(wrong(1, 50 * MINUTE_MS, at, record_by_ms=50 * MINUTE_MS) if k % 3 == 0 else [])]


def test_events_behind_a_silence_are_believed_once_as_many_as_usual_have_come() -> None:
    before = traffic(240, 1_000)
    since_ms = before[-1][0] + 3 * HOUR_MS
    clock = EventClock(PANE_MS, LATENESS_MS, AHEAD_MS)
    clock.advance(*columns(before))
    events, records = columns(traffic(61, 1_000, since_ms))
    # half of the events that come in two minutes, and one more, beside the first
    assert clock.advance(events[:61], records[:61])[0] == 0
    events, records = columns(traffic(62, 1_000, since_ms))
    assert clock.advance(events, records)[0] == 62
    assert clock.newest_ms == events[-1]


def test_a_few_events_that_go_on_where_many_ended_are_believed_after_some_minutes() -> None:
    busy = traffic(2_000, 50)
    few = traffic(20, 60 * SECOND_MS, busy[-1][0] + HOUR_MS)
    clock = EventClock(PANE_MS, LATENESS_MS, AHEAD_MS)
    clock.advance(*columns(busy))
    assert clock.advance(*columns(few[:6]))[0] == 0
    assert clock.advance(*columns(few))[0] > 10
    assert clock.newest_ms >= few[-8][0]


def test_stragglers_behind_a_silence_do_not_keep_the_clock_from_going_on() -> None:
    before = traffic(240, 1_000)
    since_ms = before[-1][0] + 3 * HOUR_MS
    after = traffic(300, 1_000, since_ms)
    for k in range(5, 300, 20):
        after[k] = (before[k // 2][0], after[k][1])
    clock = EventClock(PANE_MS, LATENESS_MS, AHEAD_MS)
    settled, status, _ = clock.advance(*columns(before + after))
    assert settled == len(before + after)
    assert np.sum(status == FUTURE) <= 15
    assert clock.newest_ms == after[-1][0]


def test_a_partition_with_few_events_moves_at_once_when_it_is_known_to_be_so() -> None:
    clock = EventClock(PANE_MS, LATENESS_MS, AHEAD_MS)
    every_five_minutes = traffic(40, 5 * MINUTE_MS)
    clock.advance(*columns(every_five_minutes[:12]))
    for event in every_five_minutes[12:]:
        clock.advance(*columns([event]))
    assert clock.newest_ms == every_five_minutes[-1][0]


def test_history_with_records_of_today_advances_as_it_did() -> None:
    year_ago = [(NOW_MS - 365 * 24 * HOUR_MS + k * MINUTE_MS, NOW_MS + k) for k in range(2_000)]
    assert late(year_ago) == 0
    assert PlainClock(year_ago).run()[2] == year_ago[-1][0]


def test_events_that_are_all_ahead_of_their_records_are_soon_usual() -> None:
    ahead_ms = 10 * MINUTE_MS
    log = [(at + ahead_ms, at) for at, _ in traffic(600, 1_000)]
    clock = EventClock(PANE_MS, LATENESS_MS, AHEAD_MS)
    clock.advance(*columns(log))
    assert clock.newest_ms == log[-1][0]
    # one device alone does not become usual
    alone = [(at + (ahead_ms if k % 3 == 0 else 0), at) for k, (at, _) in enumerate(traffic(600, 1_000))]
    clock = EventClock(PANE_MS, LATENESS_MS, AHEAD_MS)
    clock.advance(*columns(alone))
    assert clock.newest_ms <= alone[-1][1] + LATENESS_MS


def test_the_first_event_waits_for_two_witnesses_and_so_does_one_far_behind_them() -> None:
    first = [(50, NONE), (60, NONE)]
    assert advance(*columns(first), beginning(), SOURCE, end=False)[0] == 0
    assert advance(*columns([*first, (70, NONE)]), beginning(), SOURCE, end=False)[0] == 3
    far_behind = [(0, NONE), (NOW_MS, NONE), (NOW_MS + 5, NONE)]
    _, state, status, closed = advance(*columns(far_behind), beginning(), SOURCE, end=False)
    assert (int(state[NEWEST]), status.tolist()) == (NOW_MS + 5, [ON_TIME] * 3)
    assert closed[0] > 0
