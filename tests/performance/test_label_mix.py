"""Where labels of a class stop coming, that is told, and no metric of the others is taken for a worse model."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from monitor.alerts.transition import Transition
from monitor.config.performance import PerformancePlan
from monitor.performance.alarms import JudgedSignals
from monitor.performance.contrasts import JudgedRow
from monitor.watch import Watch, compile_watch
from tests.monitor.streams import HOUR_MS, START_MS, configured
from tests.performance.test_alarm_series import compiled
from tests.performance.test_alarms import SPEC

CHANGE, BACK, HOURS = 220, 320, 400
METRICS = ["accuracy", "recall", "specificity", "brier", "coverage"]
Bools = Any
HasLabel = Callable[[np.random.Generator, int, Bools, Any], Bools]


def watch_of(*alarm_on: str) -> Watch:
    return compiled(metrics=[], alarm_on=list(alarm_on or METRICS))


def plan_of(watch: Watch) -> PerformancePlan:
    plan = watch.model.spec.performance_plan
    assert plan is not None
    return plan


def hour_of(plan: PerformancePlan, score: Any, is_positive: Bools, has_label: Bools) -> JudgedRow:
    sums = plan.scheme.fold(score[has_label], np.where(is_positive[has_label], "true", "false").tolist())
    says = {"true": score >= 0.5, "other": score < 0.5}
    classes = {name: (int(of.sum()), int((of & has_label).sum())) for name, of in says.items()}
    return JudgedRow(len(score), int(has_label.sum()), sums, classes)


def judged(
    watch: Watch, has_label: HasLabel, *, is_wrong: Callable[[int], float] = lambda hour: 0.0, recoded: bool = False
) -> dict[int, Any]:
    """Hours of a calibrated model, of which a part is turned round; the same predictions whichever labels come."""
    plan, rng, hours = plan_of(watch), np.random.default_rng(21), {}
    for hour in range(HOURS):
        score = rng.beta(0.6, 0.6, 60)
        is_positive = rng.random(60) < score
        is_positive ^= rng.random(60) < is_wrong(hour)
        is_positive |= recoded and hour >= CHANGE
        mask = has_label(rng, hour, is_positive, score)
        hours[START_MS + (hour + 1) * HOUR_MS] = {("1", ""): hour_of(plan, score, is_positive, mask)}
    return hours


def alarmed(
    watch: Watch, hours: dict[int, Any], at_once: int = HOURS
) -> tuple[list[Transition], dict[str, list[tuple[str, str]]]]:
    """Return what became of alerts, and by signal what is said of each hour, through checkpoints."""
    transitions: list[Transition] = []
    written: dict[str, list[tuple[str, str]]] = {}
    signals = JudgedSignals(watch)
    for first in range(0, HOURS, at_once):
        ends_ms = range(START_MS + (first + 1) * HOUR_MS, START_MS + (first + at_once) * HOUR_MS + 1, HOUR_MS)
        verdicts, of_alerts = signals.advance({end_ms: hours[end_ms] for end_ms in ends_ms}, ends_ms)
        transitions += of_alerts
        for of_series in verdicts:
            columns = of_series.rows("m", "")
            of_signal = zip(columns["status"], columns["detail"], strict=True)
            written.setdefault(of_series.key[2], []).extend(of_signal)
        state, signals = signals.snapshot(), JudgedSignals(watch)
        signals.lifecycle.restore(state["lifecycle"])
        signals.restore(state)
    return transitions, written


def hour_at(transition: Transition) -> int:
    return (transition.at_ms - START_MS) // HOUR_MS - 1


def signals_in(transitions: list[Transition]) -> set[str]:
    return {signal["signal"] for each in transitions for signal in each.signals}


def reasons_of(transitions: list[Transition], signal: str) -> list[str]:
    return [each["reason"] for of in transitions for each in of.signals if each["signal"] == signal]


def without(positive: bool, rest: float = 0.0) -> HasLabel:
    """Labels of one class no longer come, but for a part of them, and then they are back."""

    def has_label(rng: np.random.Generator, hour: int, is_positive: Bools, score: Any) -> Bools:
        comes = rng.random(60) < rest
        return comes | (is_positive != positive) if CHANGE <= hour < BACK else np.ones(60, dtype=bool)

    return has_label


@pytest.mark.parametrize(
    ("positive", "name", "judged_still"), [(False, "negative", "recall"), (True, "positive", "specificity")]
)
def test_labels_of_a_class_that_stop_coming_are_one_alert_about_coverage(
    positive: bool, name: str, judged_still: str
) -> None:
    watch = watch_of()
    transitions, written = alarmed(watch, judged(watch, without(positive)))

    assert signals_in(transitions) == {"coverage"}
    assert hour_at(transitions[0]) <= CHANGE + 1
    reasons = reasons_of([each for each in transitions if hour_at(each) < BACK], "coverage")
    assert all(f"; labels of the {name} class no longer come" in reason for reason in reasons)
    lacking = ("no_data", f"labels of the {name} class no longer come")
    for signal in ("performance:accuracy", "performance:brier"):
        of_hours = written[signal]
        assert set(of_hours[CHANGE:BACK]) == {lacking}
        assert {status for status, _ in of_hours[BACK:]} == {"ok"}
    assert {status for status, _ in written[f"performance:{judged_still}"][CHANGE:]} == {"ok"}


def test_a_class_of_which_hardly_any_label_comes_is_as_good_as_missing_whatever_comes_at_a_time() -> None:
    watch = watch_of()
    hours = judged(watch, without(positive=False, rest=0.04))
    transitions, written = alarmed(watch, hours)

    assert signals_in(transitions) == {"coverage"}
    assert any(
        "most labels of the negative class no longer come" in each for each in reasons_of(transitions, "coverage")
    )
    # Numbers that are undefined equal nothing.
    assert repr(alarmed(watch, hours, at_once=25)) == repr((transitions, written))


def test_a_model_that_gets_worse_meanwhile_is_told_by_the_metric_of_the_class_that_is_left() -> None:
    watch = watch_of()
    hours = judged(watch, without(positive=False), is_wrong=lambda hour: 0.25 * (hour >= CHANGE + 30))
    transitions, _ = alarmed(watch, hours)

    meanwhile = [each for each in transitions if hour_at(each) < BACK]
    assert signals_in(meanwhile) == {"coverage", "performance:recall"}
    assert not any("class" in reason for reason in reasons_of(meanwhile, "performance:recall"))


def test_an_alarm_that_stands_when_a_class_stops_goes_on_and_says_why() -> None:
    watch = watch_of("accuracy", "coverage")
    hours = judged(watch, without(positive=False), is_wrong=lambda hour: 0.3 * (hour >= CHANGE - 40))
    transitions, _ = alarmed(watch, hours)

    assert any(hour_at(each) < CHANGE for each in transitions)
    states = [each.state for each in transitions if "performance:accuracy" in signals_in([each])]
    assert "resolved" not in states
    newest = reasons_of([each for each in transitions if CHANGE <= hour_at(each) < BACK], "performance:accuracy")
    assert any(": labels of the negative class no longer come" in reason for reason in newest)


def test_an_alert_says_that_no_label_is_negative_where_as_many_have_one() -> None:
    watch = watch_of("accuracy")
    hours = judged(watch, lambda rng, hour, is_positive, score: np.ones(60, dtype=bool), recoded=True)
    transitions, _ = alarmed(watch, hours)

    reasons = reasons_of(transitions, "performance:accuracy")
    assert reasons
    assert all(
        "; no label says the negative class any more, so that labels may have changed" in each for each in reasons
    )


def test_a_metric_that_moves_while_fewer_predictions_have_a_label_says_so() -> None:
    """Of low scores, of both classes, fewer get a label."""

    def has_label(rng: np.random.Generator, hour: int, is_positive: Bools, score: Any) -> Bools:
        is_sure = (score < 0.35) | (score > 0.65)
        return (hour < CHANGE) | ~is_sure

    watch = watch_of("accuracy", "coverage")
    transitions, _ = alarmed(watch, judged(watch, has_label))

    reasons = reasons_of(transitions, "performance:accuracy")
    assert reasons
    assert all(
        "of predictions have a label, 100 % usually: it may be these that differ, and" in each for each in reasons
    )
    assert not any("class" in each for each in reasons)


def watch_of_kinds(*alarm_on: str) -> Watch:
    schema = {**SPEC["schema"], "prediction": {"kind": {"type": "category"}}}
    performance = {"label": "bad", "judge_at": ["1h"], "alarm_on": list(alarm_on)}
    return compile_watch(configured("m", **{**SPEC, "schema": schema, "performance": performance}), "m")


def judged_kinds(watch: Watch, lost: str, rest: float = 0.0, seed: int = 4) -> dict[int, Any]:
    """Hours of a model of three classes, and labels of one of which only a part comes until they are back."""
    plan, rng, hours = plan_of(watch), np.random.default_rng(seed), {}
    for hour in range(HOURS):
        true = rng.choice(["cat", "dog", "fox"], 60, p=[0.5, 0.3, 0.2])
        is_right = rng.random(60) < np.where(true == "cat", 0.95, 0.6)
        said = np.where(is_right, true, rng.choice(["cat", "dog", "fox"], 60))
        mask = (true != lost) | (hour < CHANGE) | (hour >= BACK)
        if rest:
            mask |= rng.random(60) < rest
        sums = plan.scheme.fold(said[mask].tolist(), true[mask].tolist())
        of_said = {name: (int((said == name).sum()), int(((said == name) & mask).sum())) for name in np.unique(said)}
        row = JudgedRow(60, int(mask.sum()), sums, {str(name): counts for name, counts in of_said.items()})
        hours[START_MS + (hour + 1) * HOUR_MS] = {("1", ""): row}
    return hours


def test_of_several_classes_the_one_whose_labels_stop_explains_what_metrics_would_say() -> None:
    watch = watch_of_kinds("accuracy", "balanced_accuracy", "coverage")
    transitions, written = alarmed(watch, judged_kinds(watch, "cat"))

    assert signals_in(transitions) == {"coverage"}
    assert any("labels of class 'cat' no longer come" in each for each in reasons_of(transitions, "coverage"))
    assert {status for status, _ in written["performance:accuracy"][BACK:]} == {"ok"}


def test_a_version_begins_after_one_that_has_fewer_classes_than_are_followed() -> None:
    watch = watch_of_kinds("accuracy", "coverage")
    hours = judged_kinds(watch, "none")
    at_ms = START_MS + CHANGE * HOUR_MS
    of_versions = {end: {("2" if end > at_ms else "1", ""): row for row in of.values()} for end, of in hours.items()}
    transitions, written = alarmed(watch, of_versions)

    assert transitions == []
    assert written["coverage"][-1][0] == "ok"


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("rest", [0.0, 0.03])
def test_an_alert_says_of_which_class_labels_no_longer_come_also_if_that_shows_later(rest: float, seed: int) -> None:
    watch = watch_of_kinds("accuracy", "coverage")
    transitions, written = alarmed(watch, judged_kinds(watch, "fox", rest, seed))

    missing = "labels of class 'fox' no longer come"
    blind = next(hour for hour, (_, detail) in enumerate(written["performance:accuracy"]) if missing in detail)
    of_alert = [each for each in transitions if hour_at(each) < BACK]
    naming = [each for each in of_alert if missing in each.title]
    # In the hour in which it is known, or that of the alert if it is later; and from then on, once.
    assert hour_at(naming[0]) == max(blind, hour_at(of_alert[0]))
    assert missing in reasons_of(naming, "coverage")[0]
    assert all(missing in each.title for each in of_alert if hour_at(each) >= hour_at(naming[0]))
    assert len(of_alert) <= 3
    resolved = next(each for each in transitions if each.state == "resolved")
    assert missing in resolved.title


def test_no_answer_without_a_model_is_as_good_only_because_a_class_is_missing() -> None:
    hours = judged(compiled(metrics=[], alarm_on=["skill:prior"]), without(positive=False))
    watch = compiled(metrics=[], alarm_on=["skill:ones"], baselines={"ones": {"kind": "constant", "answer": 1}})
    transitions, _ = alarmed(watch, hours)
    assert not transitions
    assert repr(alarmed(watch, hours, at_once=25)) == repr(([], alarmed(watch, hours)[1]))


@pytest.mark.parametrize("in_first_hour", [0.0, 0.5])
def test_of_labels_that_stop_altogether_none_are_told(in_first_hour: float) -> None:
    def has_label(rng: np.random.Generator, hour: int, is_positive: Bools, score: Any) -> Bools:
        share = 1.0 if not CHANGE <= hour < BACK else in_first_hour * (hour == CHANGE)
        return rng.random(60) < share

    watch = watch_of("accuracy", "coverage")
    hours = judged(watch, has_label)
    transitions, written = alarmed(watch, hours)

    titles = [each.title for each in transitions if CHANGE < hour_at(each) < BACK]
    meanwhile = [*titles, *(detail for _, detail in written["coverage"][CHANGE + 1 : BACK])]
    assert any("coverage of predicted 'other'" in text for text in meanwhile)
    shares = [share for text in meanwhile for share in re.findall(r"→ ([\d.]+) %", text)]
    assert set(shares) == {"0"}
    details = [detail for _, detail in written["coverage"][CHANGE + 1 : BACK]]
    assert all(
        re.match(r"coverage( of predicted 'other')? [\d.]+ % → 0 %, which is worse", detail) for detail in details
    )
    assert repr(alarmed(watch, hours, at_once=25)) == repr((transitions, written))


def test_coverage_that_falls_from_nearly_all_is_told_to_have_fallen_in_hours_of_few_predictions() -> None:
    watch, hours = watch_of("accuracy", "coverage"), {}
    plan, rng = plan_of(watch), np.random.default_rng(3)
    for hour in range(HOURS):
        score = rng.beta(0.6, 0.6, 37)
        has_label = rng.random(37) >= (0.08 if hour >= CHANGE else 0.0)
        row = hour_of(plan, score, rng.random(37) < score, has_label)
        hours[START_MS + (hour + 1) * HOUR_MS] = {("1", ""): row}
    transitions, written = alarmed(watch, hours)

    assert transitions
    details = [detail for status, detail in written["coverage"] if status == "drift"]
    shares = [re.findall(r"([\d.]+) % → ([\d.]+) %", text)[0] for text in (*details, transitions[0].title)]
    assert all(float(usual) > 99 and 75 < float(current) < 98.5 for usual, current in shares), shares
