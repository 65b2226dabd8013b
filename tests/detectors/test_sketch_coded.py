"""A coded column is the list of values that it was made from."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from detectors.sketch import Coded

VALUES = st.lists(st.none() | st.sampled_from(["DE", "FR", "PL", ""]), max_size=20)


@given(VALUES, st.slices(20), st.lists(st.integers(0, 19), max_size=10))
def test_it_is_sliced_and_picked_from_like_a_list(values: list[str | None], part: slice, picks: list[int]) -> None:
    column = Coded.of(values)
    inside = [pick for pick in picks if pick < len(values)]

    assert column == values
    assert list(column) == values
    assert column[part] == values[part]
    assert column.take(np.array(inside, dtype=np.int64)) == [values[pick] for pick in inside]
    assert [column.names[code] for code in column.used()] == list(dict.fromkeys(values))


@given(st.lists(VALUES, min_size=1, max_size=4))
def test_parts_follow_each_other(parts: list[list[str | None]]) -> None:
    assert Coded.joined([Coded.of(part) for part in parts]) == [value for part in parts for value in part]


def test_joining_drops_names_that_are_not_used() -> None:
    many = Coded.of([str(number) for number in range(1000)])
    assert Coded.joined([many[998:], many[:1]]).names == ["998", "999", "0"]


def test_the_same_value_many_times() -> None:
    assert Coded.constant("v1", 3) == ["v1", "v1", "v1"]
    assert Coded.constant("v1", 3) == Coded.of(["v1", "v1", "v1"])
    assert Coded.of(["a"]) != ["b"]
