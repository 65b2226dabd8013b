"""Threads that stand and fall together."""

from __future__ import annotations

import pytest

from monitor.stages import Stages


def failing() -> None:
    raise ValueError("no answer")


def test_a_stage_that_fails_stops_the_others_and_its_error_is_raised_by_whoever_asks() -> None:
    stages = Stages()
    stages.run("waiting", stages.stop.wait)
    stages.run("failing", failing)
    assert stages.stop.wait(5)
    stages.join()
    with pytest.raises(ValueError, match="no answer"):
        stages.raise_failure()


def test_the_first_failure_counts() -> None:
    stages = Stages()
    stages.run("first", failing)
    stages.join()

    def later() -> None:
        raise ValueError("later")

    stages.run("second", later)
    stages.join()
    with pytest.raises(ValueError, match="no answer"):
        stages.raise_failure()


def test_stages_that_end_by_themselves_stop_nobody() -> None:
    stages = Stages()
    ended = []
    stages.run("short", lambda: ended.append(True))
    stages.join()
    stages.raise_failure()
    assert ended
