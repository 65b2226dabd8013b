"""What every condition over the signals of a window keeps to."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from monitor.alerts import conditions
from monitor.alerts.conditions import CONDITIONS, Condition, meet
from monitor.alerts.verdict import Verdict
from tests.alerts.verdicts import verdict

CONTRIBUTING = Path(__file__).parents[2] / "CONTRIBUTING.md"


def window() -> list[Verdict]:
    signals = ("feature:a", "feature:b", "prediction:p", "volume")
    drifting = [verdict(3, signal, effect=0.2 + number) for number, signal in enumerate(signals)]
    return [*drifting, verdict(3, "feature:c", "ok"), verdict(3, "feature:a", "learning", version="v2")]


@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_condition_returns_verdicts_of_the_same_window(condition: Condition) -> None:
    assert {of_window.at_ms for of_window in condition(window())} == {window()[0].at_ms}


@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_condition_returns_the_same_whatever_the_order_and_however_often(condition: Condition) -> None:
    shuffled = window()
    random.Random(5).shuffle(shuffled)
    first = sorted(map(repr, condition(window())))
    assert sorted(map(repr, condition(shuffled))) == first
    assert sorted(map(repr, condition(window()))) == first


@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_condition_makes_nothing_of_nothing(condition: Condition) -> None:
    assert list(condition([])) == []


def test_today_every_signal_alarms_alone() -> None:
    assert list(meet(window())) == window()


def test_a_condition_gets_what_the_one_before_it_returned() -> None:
    def drifting(verdicts: Sequence[Verdict]) -> Sequence[Verdict]:
        return [of_window for of_window in verdicts if of_window.status == "drift"]

    def at_least_four(verdicts: Sequence[Verdict]) -> Sequence[Verdict]:
        return verdicts if len(verdicts) >= 4 else []

    assert len(meet(window(), (drifting, at_least_four))) == 4
    assert meet(window()[1:], (drifting, at_least_four)) == []


def test_the_recipe_of_contributing_is_a_condition() -> None:
    recipe = CONTRIBUTING.read_text(encoding="utf-8").partition("### A new condition over several signals")[2]
    function, table = re.findall(r"```python\n(.*?)```", recipe.partition("\n### ")[0], flags=re.DOTALL)
    module: dict[str, Any] = dict(vars(conditions))
    exec(compile(f"from __future__ import annotations\n{function}\n{table}", str(CONTRIBUTING), "exec"), module)
    together = [verdict(3, "feature:a"), verdict(3, "feature:b"), verdict(3, "volume")]
    assert list(meet(together, module["CONDITIONS"])) == together
    assert [drift.signal for drift in meet(together[1:], module["CONDITIONS"])] == ["volume"]
