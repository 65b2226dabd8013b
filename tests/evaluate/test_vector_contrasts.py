"""The contrasts of vectors: which directions are chosen, what is said of them, and that they survive a checkpoint."""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt
import pytest

from bench.vector_changes import DAY, ONSET, verdicts_of, watch_of
from bench.vectors import topics_of
from detectors.chart.legend import DRIFT, MISSING, STATUS, SUMS, N
from detectors.distance.mmd import MMD
from detectors.sketch import JointFold, JointLayout, VectorSummary
from monitor.evaluate.columns import Columns
from monitor.evaluate.vector_contrasts import DIRECTIONS, OVERALL, Directions, VectorContrasts
from monitor.evaluate.windows import Windows

LAYOUT = JointLayout(6, {MMD.name: MMD.assume(6, 0.0, 1.0)})
HOUR_MS = 3_600_000
NAMES = [f"{what} along direction {number}" for number in range(1, 9) for what in ("position", "spread")]


def folded(*groups: npt.NDArray[np.float64]) -> list[VectorSummary]:
    fold = JointFold(LAYOUT)
    fold.ensure(1)
    summaries = []
    for vectors in groups:
        fold.fold(np.zeros(len(vectors), dtype=np.int64), vectors)
        summaries.append(fold.take(0))
    return summaries


def windows_of(*summaries: VectorSummary) -> Windows:
    sums = np.zeros((len(summaries), SUMS), dtype=np.int64)
    sums[:, N], sums[:, MISSING] = [each.n for each in summaries], [each.missing for each in summaries]
    counts = np.stack([each.sums for each in summaries])
    ends_ms = HOUR_MS * (1 + np.arange(len(summaries), dtype=np.int64))
    return Windows(ends_ms, counts, sums, np.tile([np.inf, -np.inf], (len(summaries), 1)))


def drawn(rng: np.random.Generator, windows: int, count: int = 80) -> list[VectorSummary]:
    return folded(*rng.normal(size=(windows, count, 6)))


def test_the_first_windows_choose_directions_and_say_how_many_vectors_they_had() -> None:
    contrasts = VectorContrasts(LAYOUT, None, learn_windows=2)
    assert [contrasts.name(row) for row in range(len(contrasts.kinds))] == [
        *NAMES,
        OVERALL,
        "missing",
        "invalid",
        "out of range",
    ]
    evidence = contrasts.evidence(windows_of(*drawn(np.random.default_rng(1), 5)), Columns(LAYOUT))
    # 200 vectors are needed: three windows of 80.
    assert evidence.learned.tolist() == [80, 160, 240, -1, -1]
    described = evidence.values[: 2 * DIRECTIONS + 1]
    assert np.isnan(described[:, :3]).all()
    assert np.isfinite(described[:, 3:]).all()
    assert (evidence.values[-3, :] == 0).all()
    assert evidence.events[0, 3] == 80
    assert evidence.events[1, 3] == evidence.events[2 * DIRECTIONS, 3] == 79


def test_a_checkpoint_and_a_new_version_go_on_with_the_same_directions() -> None:
    rng = np.random.default_rng(2)
    contrasts = VectorContrasts(LAYOUT, None, learn_windows=2)
    contrasts.evidence(windows_of(*drawn(rng, 4)), Columns(LAYOUT))
    later = windows_of(*drawn(rng, 3))
    usual = contrasts.evidence(later, Columns(LAYOUT)).values
    again, heir = VectorContrasts(LAYOUT, None, 2), VectorContrasts(LAYOUT, None, 2)
    again.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(_plain(contrasts.snapshot()))))
    heir.inherit(contrasts)
    for each in (again, heir):
        np.testing.assert_array_equal(each.evidence(later, Columns(LAYOUT)).values, usual)


def _plain(state: dict[str, object]) -> object:
    return msgspec.to_builtins(state, enc_hook=lambda value: value.tolist())


def test_a_data_set_is_the_reference_at_once_and_is_where_it_is() -> None:
    rng = np.random.default_rng(3)
    (dataset,) = folded(rng.normal(size=(2_000, 6)) + 0.3)
    contrasts = VectorContrasts(LAYOUT, dataset, learn_windows=10)
    assert contrasts.ready_ms == 0
    reference = contrasts.reference()
    assert reference[: 2 * DIRECTIONS + 1, 0] == pytest.approx(np.zeros(2 * DIRECTIONS + 1), abs=1e-9)
    assert np.isfinite(reference[: 2 * DIRECTIONS + 1, 1]).all()
    near, far = folded(rng.normal(size=(500, 6)) + 0.3, rng.normal(size=(500, 6)) + 0.9)
    values = contrasts.evidence(windows_of(near, far), Columns(LAYOUT)).values[: 2 * DIRECTIONS : 2]
    assert np.abs(values[:, 0]).max() < 0.25
    assert np.abs(values[:, 1]).max() > 0.7


def test_what_is_stored_of_directions_describes_a_window_like_the_evaluation() -> None:
    rng = np.random.default_rng(4)
    reference, window, small = folded(*(rng.normal(size=(count, 6)) for count in (400, 90, 3)))
    directions = Directions.of(reference.sums, reference.n)
    assert len(set(directions.chosen.tolist())) == DIRECTIONS
    again = Directions.from_json(msgspec.json.decode(msgspec.json.encode(directions.written)))
    described = again.values_in(window, LAYOUT)
    values, _ = directions.describe(window.sums[None], np.array([window.n]))
    assert described == {
        name: (value, 89.0 if name.startswith("spread") else 90.0)
        for name, value in zip([*NAMES, OVERALL], values[0].tolist(), strict=True)
    }
    # Three vectors have no spread along a direction.
    assert list(again.values_in(small, LAYOUT)) == [*NAMES[::2], OVERALL]


def test_values_are_said_in_standard_deviations_and_as_factors() -> None:
    (reference,) = folded(np.random.default_rng(5).normal(size=(400, 6)))
    contrasts = VectorContrasts(LAYOUT, reference, learn_windows=10)
    position, spread, overall, missing = 0, 1, 2 * DIRECTIONS, 2 * DIRECTIONS + 1
    assert contrasts.in_units(position, 0.0) == 0
    assert 0.3 < contrasts.in_units(position, 0.3) < 0.32
    assert contrasts.in_units(spread, np.log(2)) == pytest.approx(2)
    # It is taken several times, since it varies less than that along one direction.
    assert 1.1 < contrasts.in_units(overall, np.log(2)) < 1.9
    assert contrasts.in_units(missing, 0.0) == 0
    assert [contrasts.unit_of(row) for row in (position, spread, overall, missing)] == ["sd", "", "", ""]


def test_a_few_vectors_many_times_as_long_alarm_and_that_stands() -> None:
    """Of so few an hour positions alone alarmed, which are anywhere then, and were back by chance a dozen times."""

    def draw(rng: np.random.Generator, n: int, t: int) -> npt.NDArray[np.float64]:
        return (10.0 if t >= ONSET else 1.0) * topics_of(rng, rng.choice(8, n))

    for count in (3, 6):
        status = []
        for verdicts in verdicts_of(watch_of(384), draw, [count] * (ONSET + 3 * DAY), count):
            status += verdicts.measured.codes[:, 0, STATUS].tolist()
        assert DRIFT not in status[ONSET - 7 * DAY : ONSET]
        assert set(status[ONSET + 1 :]) == {DRIFT}
