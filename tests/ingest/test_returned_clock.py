"""After a machine's clock came back, the clocks that it carried away are set back: those, and each of them once."""

from __future__ import annotations

from monitor.ingest.late_events import LateShare
from monitor.ingest.returned_clock import ReturnedClock
from monitor.ingest.set_clocks import ASKED, read_set_clocks, take_up
from sinks.store.memory import MemoryStore
from tests.evaluate.test_waiting_windows import MINUTE_MS, TurnedClock
from tests.monitor.streams import HOUR_MS, START_MS


class Following:
    """A process whose clock has run an hour ahead, and shares of what comes late."""

    def __init__(self) -> None:
        self.clock, self.store = TurnedClock(START_MS), MemoryStore()
        self.returned = ReturnedClock(self.store, self.clock)

    def requests(self, seconds: int, ahead_ms: int, late: bool = False, number: int = 0) -> int:
        """How many requests there are after a partition was so far ahead, with late events or without."""
        for _ in range(seconds):
            self.clock.advance(1.0)
            now_ms = self.clock.now_ms()
            late_ms = now_ms if late else 1
            self.returned.step([LateShare("loans", ("loans", number), 900, 400, now_ms + ahead_ms, late_ms)])
        return len(read_set_clocks(self.store, ("loans", number)))

    def take_up(self) -> None:
        for request in read_set_clocks(self.store):
            if request.from_offset == ASKED:
                take_up(self.store, request, 5, self.clock.now_ms() + HOUR_MS)

    def leap_and_return(self) -> None:
        self.clock.ahead_ms = HOUR_MS
        self.returned.step([])
        self.clock.ahead_ms = 0


def test_a_clock_is_asked_for_once_and_again_only_if_events_come_late_after_it_was_taken_up() -> None:
    following = Following()
    following.leap_and_return()
    assert following.requests(30, HOUR_MS, late=True) == 1
    following.take_up()
    assert following.requests(5, HOUR_MS) == 1
    assert following.requests(5, HOUR_MS, late=True) == 2
    # and not for ever: another clock is wrong
    for _ in range(4):
        following.take_up()
        following.requests(5, HOUR_MS, late=True)
    assert following.requests(1, HOUR_MS, late=True) == 3


def test_partitions_that_were_ahead_before_the_clock_leapt_are_left_where_they_are() -> None:
    following = Following()
    following.requests(2, 2 * MINUTE_MS)
    following.leap_and_return()
    assert following.requests(30, 2 * MINUTE_MS, late=True) == 0
    assert following.requests(1, HOUR_MS) == 1
