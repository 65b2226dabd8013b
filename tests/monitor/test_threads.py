"""Threads that stand and fall together."""

from __future__ import annotations

import pytest

from monitor.threads import Threads


def failing() -> None:
    raise ValueError("no answer")


def test_a_stage_that_fails_stops_the_others_and_its_error_is_raised_by_whoever_asks() -> None:
    threads = Threads()
    threads.run("waiting", threads.stop.wait)
    threads.run("failing", failing)
    assert threads.stop.wait(5)
    threads.join()
    with pytest.raises(ValueError, match="no answer"):
        threads.raise_failure()


def test_the_first_failure_counts() -> None:
    threads = Threads()
    threads.run("first", failing)
    threads.join()

    def later() -> None:
        raise ValueError("later")

    threads.run("second", later)
    threads.join()
    with pytest.raises(ValueError, match="no answer"):
        threads.raise_failure()


def test_stages_that_end_by_themselves_stop_nobody() -> None:
    threads = Threads()
    ended = []
    threads.run("short", lambda: ended.append(True))
    threads.join()
    threads.raise_failure()
    assert ended
