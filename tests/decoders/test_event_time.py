"""The unit of event times does not depend on how messages were cut into calls."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.decoders.event_time import EventTimes

NUMBERS = st.one_of(
    st.integers(-10, 10**19),
    st.sampled_from([5_000, 99_999_999, 1_700_000_000, 1_700_000_000_000, 1_700_000_000_000_000]),
    st.floats(0, 1e19),
    st.sampled_from(["2024-01-01T00:00:00Z", "1700000000000", "", "soon", None, True]),
)


def test_what_stands_before_the_settling_number_is_read_in_seconds() -> None:
    times, wrong = EventTimes("auto").read(0, [5_000, 1_700_000_000_000])
    assert (times.tolist(), wrong) == ([5_000_000, 1_700_000_000_000], {})


@settings(deadline=None)
@given(values=st.lists(NUMBERS, max_size=12), cut=st.integers(0, 12))
def test_a_batch_may_be_cut_anywhere(values: list[object], cut: int) -> None:
    whole, whole_wrong = EventTimes("auto").read(0, values)
    times = EventTimes("auto")
    head, head_wrong = times.read(0, values[:cut])
    tail, tail_wrong = times.read(0, values[cut:])
    assert np.concatenate((head, tail)).tolist() == whole.tolist()
    assert head_wrong | {len(values[:cut]) + index: reason for index, reason in tail_wrong.items()} == whole_wrong
