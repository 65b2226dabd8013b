"""Values show which kinds of signals they are of."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.detector_streams import IN_CONTROL, Stream, seeded
from detectors.behaviour import STREAMS
from detectors.contract import SIGNALS
from detectors.signals import kinds_of


@pytest.mark.parametrize("stream", IN_CONTROL, ids=lambda stream: stream.name)
def test_the_streams_that_detectors_are_tried_on_are_of_the_kinds_that_they_stand_for(stream: Stream) -> None:
    (values,) = stream.draw(seeded("kinds", stream.name), (1, 20_000))
    assert set(kinds_of(values)) == {kind for kind, streams in STREAMS.items() if stream.name in streams}


def test_a_shuffled_data_set_shows_no_neighbours() -> None:
    walk = np.cumsum(np.random.default_rng(1).normal(size=2_000))
    assert set(kinds_of(walk)) == {"neighbours"}
    assert kinds_of(np.random.default_rng(2).permutation(walk)) == {}


def test_one_wild_value_hides_nothing() -> None:
    walk = np.cumsum(np.random.default_rng(1).normal(size=2_000))
    walk[700] = 1e12
    assert "neighbours" in kinds_of(walk)


@given(st.lists(st.floats(), max_size=400))
def test_any_values_are_of_known_kinds(values: list[float]) -> None:
    assert kinds_of(np.array(values, dtype=np.float64)).keys() <= SIGNALS.keys()


def test_missing_values_are_left_out_and_few_values_say_nothing() -> None:
    values = np.full(5_000, np.nan)
    values[::25] = np.arange(200)
    assert set(kinds_of(values)) == {"neighbours"}
    assert kinds_of(values[25:]) == {}
