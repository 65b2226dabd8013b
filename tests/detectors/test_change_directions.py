"""Positions and spreads of vectors along directions, against sums of complex exponentials and of normal vectors."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.change.directions import direction_contrasts, squared_moduli

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

UNIT = float(1 << 24)
FREQUENCIES = np.random.default_rng(3).normal(0, 0.25, (6, 5))
CHOSEN = np.array([4, 1])


def folded(vectors: Floats) -> Integers:
    """Cosines and sines at all frequencies, in turn, as whole numbers."""
    waves = np.exp(1j * vectors @ FREQUENCIES.T).sum(axis=0)
    return np.rint(np.stack((waves.real, waves.imag), axis=1).ravel() * UNIT).astype(np.int64)


def contrasts(reference: Floats, *windows: Floats, weight: float = 1.0) -> tuple[Floats, Floats]:
    """Return the contrasts of windows, and what one vector contributes to their variance, both float64[T, 5]."""
    sums = folded(reference)
    squares = squared_moduli(sums, len(reference), UNIT)
    means = sums.reshape(-1, 2)[CHOSEN]
    turns = means / np.hypot(*means.T)[:, None]
    values, units = np.empty((len(windows), 5)), np.empty((len(windows), 5))
    direction_contrasts(
        np.stack([folded(window) for window in windows]), np.array([len(window) for window in windows]), UNIT, CHOSEN,
        turns, squares[CHOSEN], float(squares.mean()), weight, values, units,
    )  # fmt: skip
    return values, units


def test_moduli_leave_out_pairs_of_a_vector_with_itself() -> None:
    vectors = np.random.default_rng(1).normal(size=(40, 5))
    waves = np.exp(1j * vectors @ FREQUENCIES.T)
    pairs = [(waves[a] * waves[b].conj()).real for a in range(40) for b in range(40) if a != b]
    assert squared_moduli(folded(vectors), 40, UNIT) == pytest.approx(np.mean(pairs, axis=0), abs=1e-6)


@settings(max_examples=20, deadline=None)
@given(shift=st.floats(-1.5, 1.5), factor=st.floats(0.5, 1.6), seed=st.integers(0, 99))
def test_shifts_and_spreads_of_normal_vectors_are_told_in_their_standard_deviations(
    shift: float, factor: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(5, 5)) / 2
    reference, window = rng.normal(size=(2, 10_000, 5)) @ mixing
    along = FREQUENCIES[CHOSEN[0]]
    sd = float((reference @ along).std())
    (values,), _ = contrasts(reference, factor * window + shift * sd * along / (along @ along))
    assert np.arcsin(values[0] * sd) / sd == pytest.approx(shift, abs=0.07 + 0.02 * sd)
    assert values[1] == pytest.approx(np.log(factor), abs=0.06)
    assert values[3] == pytest.approx(np.log(factor), abs=0.06)
    variances = (reference @ FREQUENCIES.T).var(axis=0)
    overall = [-np.log(np.exp(-each * variances).mean()) for each in (1, factor**2)]
    assert values[4] == pytest.approx(0.5 * np.log(overall[1] / overall[0]), abs=0.06)


def test_a_vector_contributes_what_it_is_said_to() -> None:
    rng = np.random.default_rng(5)
    reference = rng.normal(size=(20_000, 5))
    values, _ = contrasts(reference, *rng.normal(size=(1_500, 100, 5)))
    _, (units,) = contrasts(reference, reference)
    assert values.mean(axis=0) == pytest.approx(np.zeros(5), abs=0.02)
    assert 100 * values[:, :4].var(axis=0) == pytest.approx(units[:4], rel=0.15)
    # In five directions that over all varies less.
    assert 0.5 / 5 * 0.7 < 100 * values[:, 4].var() < 0.5 / 5 * 2


def test_the_weight_of_the_spread_over_all_directions() -> None:
    reference, window = np.random.default_rng(6).normal(size=(2, 500, 5))
    (plain,), (heavy,) = contrasts(reference, window)[0], contrasts(reference, window, weight=4.0)[0]
    assert heavy.tolist() == pytest.approx([*plain[:4], 4 * plain[4]])


def test_few_vectors_have_a_position_and_a_spread_over_all_directions_at_most() -> None:
    rng = np.random.default_rng(7)
    windows = [rng.normal(size=(count, 5)) for count in (0, 1, 2, 3, 9, 10)]
    values, units = contrasts(rng.normal(size=(500, 5)), *windows)
    assert np.isfinite(values).sum(axis=1).tolist() == [0, 2, 2, 3, 3, 5]
    assert np.isfinite(values[3:, 4]).all()
    assert np.isfinite(units).all()


@pytest.mark.parametrize("window", [np.zeros((30, 5)), np.full((30, 5), 1e3), np.eye(5).repeat(6, axis=0) * 1e3])
@pytest.mark.parametrize("reference", [np.zeros((300, 5)), 1e3 * np.random.default_rng(8).normal(size=(300, 5))])
def test_what_is_constant_or_spreads_beyond_all_bounds_is_finite(reference: Floats, window: Floats) -> None:
    values, units = contrasts(reference, window)
    assert np.isfinite(values).all()
    assert (units >= 0).all()
    assert np.isfinite(units).all()
