"""That a model is not shown to be better than an answer that costs nothing is said once, until it is again."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from detectors.performance import Sums, losses_of, skill_of
from monitor.alerts.transition import Transition
from monitor.checkpoint import decode_state, encode_state
from monitor.evaluate.mark_log import Mark
from monitor.performance.alarms import JudgedSignals
from monitor.performance.contrasts import JudgedRow
from monitor.performance.skill_statements import LITTLE
from monitor.watch import Watch, compile_watch
from tests.monitor.streams import DAY_MS, HOUR_MS, START_MS, configured
from tests.performance.test_alarms import SPEC

SKILL = "skill:nothing"
GOOD, BAD = 0.02, 0.5
"""Shares of the negative that are called positive: doing nothing is wrong of one in four."""


def watched(**performance: Any) -> Watch:
    changes = {
        "metrics": ["accuracy"], "baselines": {"nothing": {"kind": "constant", "answer": 0, "loss": "error"}},
        "alarm_on": [SKILL], "min_labels": 50,
    }  # fmt: skip
    metrics = ["accuracy", SKILL]
    spec = {**SPEC, "performance": {**SPEC["performance"], **changes, "metrics": metrics, **performance}}
    return compile_watch(configured("m", **spec), "m")


@pytest.fixture(scope="module")
def watch() -> Watch:
    return watched()


def hours(watch: Watch, wrong: list[float], labels: int = 120) -> dict[int, dict[tuple[str, str], JudgedRow]]:
    """A day for each share of errors of the negative; three of four events are negative, and all positive are found."""
    rng, scheme = np.random.default_rng(3), watch.judged_plan.scheme
    judged = {}
    for hour in range(24 * len(wrong)):
        is_positive = rng.random(labels) < 0.25
        score = np.where(is_positive | (rng.random(labels) < wrong[hour // 24]), 0.9, 0.1)
        sums = scheme.fold(score, ["true" if positive else "false" for positive in is_positive])
        judged[START_MS + (hour + 1) * HOUR_MS] = {("1", ""): JudgedRow(labels, labels, sums)}
    return judged


def led(signals: JudgedSignals, judged: Any, ends_ms: range) -> tuple[list[tuple[int, str]], list[Transition]]:
    """The status of each window, and what became of alerts."""
    verdicts, transitions = signals.advance(judged, ends_ms)
    rows = [of_series.rows("m", "") for of_series in verdicts if of_series.key[2] == SKILL]
    return [pair for row in rows for pair in zip(row["window_end_ms"], row["status"], strict=True)], transitions


def ends(days: int, first: int = 0) -> range:
    return range(START_MS + first * DAY_MS + HOUR_MS, START_MS + days * DAY_MS + 1, HOUR_MS)


def test_a_model_that_becomes_no_better_is_said_once_in_words_and_until_it_is_better(watch: Watch) -> None:
    judged = hours(watch, [GOOD, GOOD, BAD, BAD, BAD, GOOD, GOOD])
    statuses, transitions = led(JudgedSignals(watch), judged, ends(7))
    by_day = [
        {status for end_ms, status in statuses if (end_ms - START_MS - HOUR_MS) // DAY_MS == day} for day in range(7)
    ]
    # The first of two days may be chance; what is true of a day is known at its end.
    assert by_day[1:3] == [{"ok"}, {"ok"}]
    assert by_day[4] == {"drift"}
    assert by_day[6] == {"ok"}
    assert [each.state for each in transitions if each.state == "firing"] == ["firing"]
    firing = transitions[0]
    assert firing.at_ms == START_MS + 4 * DAY_MS
    assert firing.title.startswith("m: not shown to be better than always answering 0: it loses 0.3")
    assert "a prediction instead of 0.2" in firing.title
    reason = firing.signals[0]["reason"]
    assert "is worth its cost" in reason
    assert "when last better" in reason
    json.dumps(firing.to_row())


def test_a_block_decides_what_the_interval_of_its_labels_says(watch: Watch) -> None:
    judged = hours(watch, [GOOD])
    signals = JudgedSignals(watch)
    led(signals, judged, ends(1))
    sums = sum((row["1", ""].sums for row in judged.values()), Sums.empty(watch.judged_plan.scheme.id))
    losses = losses_of(sums, "error", 0.0, 0.5)
    assert losses is not None
    expected = skill_of(losses, 50)
    assert expected.low > LITTLE
    (state,) = signals.skills.snapshot()
    assert (state["newest"]["value"], state["newest"]["low"]) == (expected.value, expected.low)
    assert state["sums"] is None


def test_an_interval_that_reaches_0_for_lack_of_labels_decides_nothing(watch: Watch) -> None:
    statuses, transitions = led(JudgedSignals(watch), hours(watch, [0.3] * 5, labels=2), ends(5))
    assert {status for _, status in statuses} == {"learning"}
    assert transitions == []


def test_days_may_end_when_there_is_nothing_and_what_serves_no_longer_is_not_spoken_of(watch: Watch) -> None:
    # given a model that has predictions from nine to five, and then no more
    judged = {end_ms: rows for end_ms, rows in hours(watch, [GOOD, BAD, BAD, BAD], labels=360).items()
              if 9 < (end_ms - START_MS) // HOUR_MS % 24 <= 17}  # fmt: skip
    statuses, _ = led(JudgedSignals(watch), judged, ends(16))
    drifting = [(end_ms - START_MS) // HOUR_MS for end_ms, status in statuses if status == "drift"]
    # The third day is asked with the first hour of the fourth.
    assert (drifting[0], drifting[-1]) == (3 * 24 + 10, 3 * 24 + 17 + 7 * 24)


def test_a_restart_anywhere_says_the_same(watch: Watch) -> None:
    judged = hours(watch, [GOOD, BAD, BAD, BAD])
    unbroken = led(JudgedSignals(watch), judged, ends(4))
    first, other = JudgedSignals(watch), JudgedSignals(watch)
    middle_ms = START_MS + 2 * DAY_MS + 7 * HOUR_MS
    earlier = led(first, judged, range(START_MS + HOUR_MS, middle_ms + 1, HOUR_MS))
    state = decode_state(encode_state(first.snapshot()))
    other.lifecycle.restore(state["lifecycle"])
    other.restore(state)
    later = led(other, judged, range(middle_ms + HOUR_MS, ends(4)[-1] + 1, HOUR_MS))
    assert earlier[0] + later[0] == unbroken[0]
    assert [each.to_row() for each in earlier[1] + later[1]] == [each.to_row() for each in unbroken[1]]


def test_what_is_accepted_is_not_said_again_before_the_model_was_better(watch: Watch) -> None:
    judged, signals = hours(watch, [GOOD, BAD, BAD, BAD, GOOD, BAD, BAD, BAD]), JudgedSignals(watch)
    led(signals, judged, ends(3))
    mark = Mark("m", SKILL, "", "", "accepted", START_MS, 0, "ann", "cheap enough", 0)
    signals.decide([replace(mark, effective_ms=START_MS + 3 * DAY_MS + 5 * HOUR_MS)])
    statuses, _ = led(signals, judged, ends(8, first=3))
    drifting = sorted({(end_ms - START_MS) // HOUR_MS for end_ms, status in statuses if status == "drift"})
    # It stood up to the acceptance, and stands again two days after the model was better and no longer is.
    assert drifting == [*range(73, 77), *range(7 * 24, 8 * 24 + 1)]


def test_skills_alarm_where_they_are_named_and_where_sums_of_an_hour_say_all() -> None:
    assert watched().judged_signals == (SKILL,)
    assert SKILL not in watched(alarm_on=None).judged_signals
    weekly = {"nothing": {"kind": "constant", "answer": 0}, "weekly": {"kind": "seasonal"}}
    with pytest.raises(ValueError, match="none that alarms"):
        watched(baselines=weekly, metrics=[], alarm_on=["skill:weekly"])
