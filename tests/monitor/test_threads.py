"""Threads that run stages, each by itself."""

from __future__ import annotations

import threading
from collections import Counter

import pytest

from monitor.clock import ManualClock, SystemClock
from monitor.errors import InputError
from monitor.threads import Threads


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> Threads:
    monkeypatch.setattr("monitor.threads.FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr("monitor.threads.STEADY_S", 0.2)
    return Threads(SystemClock())


def test_a_stage_that_fails_is_mended_and_started_again_and_the_others_go_on(threads: Threads) -> None:
    mended, sound, ran = threading.Event(), threading.Event(), threading.Event()

    def stage() -> None:
        if not mended.is_set():
            raise ValueError("no answer")
        sound.set()
        threads.stop.wait()

    def other() -> None:
        ran.set()
        threads.stop.wait()

    threads.run("waiting", other)
    threads.run("failing", stage, mended.set)
    assert sound.wait(120)
    assert ran.wait(120)
    assert not threads.stop.is_set()
    assert threads.failures == {"waiting": 0, "failing": 1}
    threads.join()


def test_a_stage_that_fails_is_shown_until_it_has_run_for_a_while_again(threads: Threads) -> None:
    failed, may_run = threading.Event(), threading.Event()

    def stage() -> None:
        if not may_run.is_set():
            failed.set()
            raise ValueError("no answer")
        threads.stop.wait()

    threads.run("failing", stage)
    assert failed.wait(120)
    while not threads.failing:
        threading.Event().wait(0.01)
    with pytest.raises(ValueError, match="no answer"):
        threads.raise_failure()
    may_run.set()
    while threads.failing:
        threading.Event().wait(0.01)
    threads.raise_failure()
    threads.join()


def test_a_failure_is_counted_before_anybody_sees_it(threads: Threads) -> None:
    seen: list[dict[str, Exception]] = []

    class Noting(Counter[str]):
        def __setitem__(self, stage: str, count: int) -> None:
            if count:
                seen.append(threads.failing)
            super().__setitem__(stage, count)

    def failing() -> None:
        raise ValueError("no answer")

    threads.failures = Noting()
    threads.run("failing", failing)
    while not threads.failing:
        threading.Event().wait(0.01)
    threads.join()
    assert seen[0] == {}


class PausingClock(ManualClock):
    """Notes how long is waited, and has everything end after some pauses."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most, self.pauses_s = most, list[float]()

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        self.pauses_s.append(timeout_s)
        if len(self.pauses_s) == self.most:
            event.set()
        return super().wait(event, timeout_s)


def test_pauses_grow_while_a_stage_goes_on_failing() -> None:
    def failing() -> None:
        raise ValueError("no answer")

    clock = PausingClock(8)
    threads = Threads(clock)
    threads.run("failing", failing)
    assert threads.stop.wait(120)
    assert threads.join() == []
    assert clock.pauses_s == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
    assert threads.failures["failing"] == 8


def test_what_a_person_has_to_mend_ends_everything(threads: Threads) -> None:
    def wrong() -> None:
        raise InputError("no such topic")

    threads.run("waiting", threads.stop.wait)
    threads.run("wrong", wrong)
    assert threads.stop.wait(120)
    threads.join()
    with pytest.raises(InputError, match="no such topic"):
        threads.raise_failure()


def test_stages_that_end_by_themselves_stop_nobody(threads: Threads) -> None:
    ended = []
    threads.run("short", lambda: ended.append(True))
    threads.join()
    threads.raise_failure()
    assert ended
