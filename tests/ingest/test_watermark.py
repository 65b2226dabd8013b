"""The event-time clock against a clock written down as the rule reads."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.ingest.watermark import FUTURE, NEVER, ON_TIME, WITNESSES, advance

PANE_MS, LATENESS_MS, AHEAD_MS = 10, 15, 100
SOURCE = (PANE_MS, LATENESS_MS, AHEAD_MS)
Times = list[int]

times = st.lists(st.integers(0, 40) | st.integers(0, 400) | st.integers(0, 5_000), max_size=60)


def plain_clock(event_ms: Times) -> tuple[list[int], list[int], int]:
    """The rule, event by event, with all the log in view."""
    newest, status, closed = NEVER, [], []
    for i, at_ms in enumerate(event_ms):
        witnesses = event_ms[i + 1 : i + 1 + WITNESSES]
        verdict = ON_TIME
        if at_ms > newest + AHEAD_MS and any(other < at_ms - AHEAD_MS for other in witnesses):
            verdict = FUTURE
        elif newest == NEVER and witnesses and min(witnesses) > at_ms + AHEAD_MS:
            newest = min(witnesses)
        else:
            newest = max(newest, at_ms)
        status.append(verdict)
        closed.append((newest - LATENESS_MS) // PANE_MS * PANE_MS)
    return status, closed, newest


def in_cuts(event_ms: Times, cuts: list[int]) -> tuple[list[int], list[int], int]:
    """The same through :func:`advance`, offered again what it left, cut after cut."""
    newest = NEVER
    status: list[int] = []
    closed: list[int] = []
    waiting: list[int] = []
    bounds = [0, *sorted(min(cut, len(event_ms)) for cut in cuts), len(event_ms)]
    for number, (start, stop) in enumerate(itertools.pairwise(bounds)):
        offered = np.array(waiting + event_ms[start:stop], dtype=np.int64)
        end = number == len(bounds) - 2
        settled, newest, some_status, some_closed = advance(offered, newest, SOURCE, end=end)
        status += some_status.tolist()
        closed += some_closed.tolist()
        waiting = offered[settled:].tolist()
        assert len(waiting) <= WITNESSES
    assert not waiting
    return status, closed, newest


@given(times, st.lists(st.integers(0, 60), max_size=8))
@settings(deadline=None)  # the first call loads what is compiled
def test_the_clock_follows_the_rule_wherever_batches_are_cut(event_ms: Times, cuts: list[int]) -> None:
    assert in_cuts(event_ms, cuts) == plain_clock(event_ms)


@given(times)
def test_the_clock_never_goes_back(event_ms: Times) -> None:
    _, closed, _ = plain_clock(event_ms)
    assert closed == sorted(closed)


def test_a_future_event_waits_for_two_witnesses() -> None:
    first, newest, _, _ = advance(np.array([50, 60, 70]), NEVER, SOURCE, end=False)
    assert (first, newest) == (3, 70)
    for followers, settled in (([], 0), ([5_001], 0), ([5_001, 5_002], 3)):
        assert advance(np.array([5_000, *followers]), newest, SOURCE, end=False)[0] == settled
    assert advance(np.array([5_000]), newest, SOURCE, end=True)[:2] == (1, 5_000)
    _, newest, status, _ = advance(np.array([5_000, 5_001, 80]), newest, SOURCE, end=True)
    assert (newest, status.tolist()) == (80, [FUTURE, FUTURE, ON_TIME])


def test_a_first_event_that_all_others_leave_far_behind_is_late() -> None:
    _, newest, status, closed = advance(np.array([0, 1_000_000, 1_000_005]), NEVER, SOURCE, end=False)
    assert (newest, status.tolist()) == (1_000_005, [ON_TIME] * 3)
    assert closed[0] > 0
