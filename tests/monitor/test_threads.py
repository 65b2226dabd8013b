"""Threads that run stages, each by itself."""

from __future__ import annotations

import threading

import pytest

from monitor.clock import SystemClock
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
    assert ran.is_set()
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


def test_pauses_grow_while_a_stage_goes_on_failing(threads: Threads) -> None:
    def failing() -> None:
        raise ValueError("no answer")

    threads.run("failing", failing)
    threading.Event().wait(1.0)
    threads.join()
    assert 3 <= threads.failures["failing"] <= 7, "after 10, 20, 40 … ms"


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
