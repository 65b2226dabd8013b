"""The unit of event times depends on each value alone, not on its neighbours or how messages were cut into calls."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.decoders.event_time import EventTimes

NOW = 1_700_000_000
NUMBERS = st.one_of(
    st.integers(-10, 10**19),
    st.integers(946_684_800 - 2, 7_258_118_400 + 2),
    st.sampled_from([5_000, 99_999_999, NOW, NOW * 1_000, NOW * 10**6]),
    st.floats(0, 1e19),
    st.sampled_from(["2024-01-01T00:00:00Z", "1700000000000", "", "soon", None, True]),
)


def test_a_stream_may_mix_units() -> None:
    numbers = [NOW * 1_000, NOW + 1, (NOW + 2) * 10**6, (NOW + 3) * 10**9, float(NOW + 4)]
    expected = [(NOW + second) * 1_000 for second in range(5)]
    assert EventTimes("auto").read(numbers)[0].tolist() == expected
    assert EventTimes("auto").read(np.array(numbers[:4]))[0].tolist() == expected[:4]


@pytest.mark.parametrize("unit", ["auto", "s", "ms", "us", "ns"])
@settings(deadline=None)
@given(values=st.one_of(st.lists(NUMBERS, max_size=12), st.lists(st.integers(0, 10**18), max_size=4)))
def test_many_times_are_read_as_each_alone(unit: str, values: list[object]) -> None:
    times = EventTimes(unit)
    event_ms, wrong = times.read(values)
    alone = [times.read([value, None]) for value in values]
    assert event_ms.tolist() == [first for (first, _), _ in alone]
    assert wrong == {index: reasons[0] for index, (_, reasons) in enumerate(alone) if 0 in reasons}


@pytest.mark.parametrize(("unit", "per_s"), [("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)])
def test_the_bounds_are_those_of_2000_and_2200(unit: str, per_s: int) -> None:
    ends = [946_684_800 * per_s, 7_258_118_400 * per_s - 1]
    for times in (EventTimes(unit), EventTimes("auto")):
        assert times.read(ends)[0].tolist() == [946_684_800_000, 7_258_118_400_000 - max(1, 1_000 // per_s)]
        for outside in (ends[0] - 1, ends[1] + 1):
            assert times.read([outside])[1] == {0: "event_time_out_of_bounds"}
