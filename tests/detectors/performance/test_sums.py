"""Sums over events with labels are the same however events are cut, ordered or grouped."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.performance import Binary, Multiclass, Question, Regression, Sums, add_up, estimates, sums
from detectors.performance.exact import digits, total
from detectors.performance.sums import Count
from tests.detectors.performance.streams import SCHEMES, events


def rows_of(batch: dict[str, Any], rows: list[int]) -> dict[str, Any]:
    index = np.array(rows, dtype=np.int64)
    of_lists = {key: [values[row] for row in rows] for key, values in batch.items() if isinstance(values, list)}
    of_pairs = {key: tuple(end[index] for end in ends) for key, ends in batch.items() if isinstance(ends, tuple)}
    return {key: values[index] for key, values in batch.items() if key not in of_lists | of_pairs} | of_lists | of_pairs


@pytest.mark.parametrize("kind", SCHEMES)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_cut_and_order_gives_the_same_row(kind: str, data: st.DataObject) -> None:
    scheme, batch = SCHEMES[kind], data.draw(events(kind, least=2))
    order = data.draw(st.permutations(range(len(batch["label"]))))
    cut = data.draw(st.integers(0, len(order)))
    parts = [scheme.fold(**rows_of(batch, rows)) for rows in (order[:cut], order[cut:])]
    assert json.dumps((parts[0] + parts[1]).to_row()) == json.dumps(scheme.fold(**batch).to_row())


@pytest.mark.parametrize("kind", SCHEMES)
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_a_row_holds_all_there_is(kind: str, data: st.DataObject) -> None:
    folded = SCHEMES[kind].fold(**data.draw(events(kind)))
    stored = json.loads(json.dumps(folded.to_row()))
    assert Sums.from_row(stored) == folded
    assert folded + Sums.empty(folded.scheme) == folded


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=20))
def test_floats_are_added_without_rounding(values: list[float]) -> None:
    places, sums = digits(np.array(values, dtype=np.float64))
    exact = total(zip(places.tolist(), sums.tolist(), strict=True))
    assert exact == sum(map(Fraction, values))


def test_what_cannot_be_summed_is_counted_by_its_reason() -> None:
    folded = Binary("yes").fold(
        np.array([0.5, np.nan, 1.5, np.inf, 0.5, 0.5, 0.5, 0.5]),
        ["yes", "yes", "no", "no", "no", "no", "no", None],
        np.array([1.0, 1.0, 1.0, 1.0, 0.0, 1e9, np.nan, 1.0]),
    )
    counted = {reason: folded.count(reason) for reason in Count if folded.count(reason)}
    assert counted == {Count.LABELS: 1, Count.NO_PREDICTION: 1, Count.OUT_OF_RANGE: 2, Count.BAD_WEIGHT: 3}


def test_numbers_of_any_size_have_a_sum_or_are_counted_apart() -> None:
    folded = Regression().fold(np.array([1e60, -1e60, 1e308, np.inf]), np.array([-1e60, 1e60, 0.0, 1.0]))
    assert (folded.labels, folded.count(Count.WILD)) == (2, 2)
    assert estimates(folded, ["mae", "bias"], Question("regression"))["mae"].value == 2e60


def test_an_event_without_its_worth_still_counts() -> None:
    folded = Regression(has_values=True).fold(np.ones(3), np.ones(3), None, np.array([5.0, np.nan, 1.0]))
    answer = estimates(folded, ["value_per_event", "value_total"], Question("regression"))
    assert (folded.labels, folded.count(Count.WITHOUT_VALUE)) == (3, 1)
    assert (answer["value_per_event"].value, answer["value_total"].value) == (3.0, 6.0)


def test_too_many_classes_leave_accuracy_in_whatever_order_they_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sums, "MAX_PAIRS", 3)
    scheme = Multiclass()
    a, b, c = (scheme.fold(list(names), list("aaa")) for names in ("abc", "def", "aaa"))
    assert (a + b) + c == a + (b + c) == (a + c) + b == scheme.fold(list("abcdefaaa"), list("a" * 9))
    answer = estimates(a + b + c, ["accuracy", "recall"], Question("multiclass"))
    assert answer["accuracy"].value == 4 / 9
    assert math.isnan(answer["recall"].value)
    assert "10,000 pairs" in answer["recall"].reason


def test_of_a_thousand_classes_no_table_is_made() -> None:
    folded = Multiclass().fold([f"c{number}" for number in range(1_001)], ["a"] * 1_001)
    answer = estimates(folded, ["accuracy", "mcc", "confusion", "precision", "f_beta"], Question("multiclass"))
    assert answer["accuracy"].value == 0.0
    assert {name for name, estimate in answer.items() if "1,000 classes" in estimate.reason} == {*answer} - {"accuracy"}


def test_sums_of_another_threshold_are_not_added() -> None:
    a, b = (Binary("yes", threshold).fold(np.array([0.5]), ["yes"]) for threshold in (0.5, 0.6))
    with pytest.raises(ValueError, match="cannot be added"):
        add_up([a, b], a.scheme)


def test_weights_that_would_overflow_are_refused() -> None:
    folded = Regression().fold(np.ones(1), np.ones(1), np.array([65_536.0]))
    huge = Sums(folded.scheme, folded.keys, np.where(folded.sums == 1 << 36, 1 << 61, folded.sums))
    with pytest.raises(OverflowError):
        add_up([huge, huge], huge.scheme)
