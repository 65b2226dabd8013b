"""Distances of many series at once, by the kernels that evaluate windows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detectors.distance import find
from detectors.distance.contract import (
    ANSWER,
    CUMULATIVE,
    EFFECT,
    LOCATED,
    NEW_NAMES,
    NO_TEST,
    STATISTIC,
    Comparison,
    Floats,
    Integers,
)
from detectors.distance.counts import add_up
from detectors.distance.dispatch import NUMBERS, dispatch
from detectors.distance.p_values import p_values
from detectors.kernel import kernel

__all__ = ["compare"]

LARGEST_COUNT = 2.0**62


def compare(
    name: str, reference: npt.ArrayLike, current: npt.ArrayLike, positions: npt.ArrayLike | None = None
) -> Comparison:
    """Compare each row of `current` with the same row of `reference`.

    Parameters
    ----------
    name
        Of a distance in `detectors.distance.DISTANCES`.
    reference, current
        [series, cells], whole counts; columns that are zero on both sides make no difference. For rates two columns:
        events with and without the property; for `new_category` one for each name, behind one of all
        names that a side does not count one by one.
    positions
        float64[cells] or [series, cells], ascending where counts are: where the cells lie. Used by distances that read
        ``LOCATED``, which take the cell's number without it.

    Raises
    ------
    LookupError
        If there is no such distance.
    ValueError
        If the shapes differ or are not matrices, or a count is negative or no whole number, or positions are not
        ascending and finite where counts are.

    Examples
    --------
    >>> compare("ks", [[5, 5, 0], [1, 0, 0]], [[0, 5, 5], [0, 0, 0]]).statistic.tolist()
    [0.5, nan]
    """
    distance = find(name)
    a, b = _whole(reference), _whole(current)
    if a.ndim != 2 or a.shape != b.shape:
        raise ValueError(f"expected two matrices of one shape [series, cells], not {a.shape} and {b.shape}")
    if distance.is_rate and distance.reads != NEW_NAMES and a.shape[1] != 2:
        raise ValueError(f"a rate needs two columns, not {a.shape[1]}")
    occupied = (a > 0) | (b > 0)
    places = np.zeros((len(a), 0))
    if distance.reads == LOCATED:
        places = _places(np.arange(a.shape[1]) if positions is None else positions, occupied)
    answers = np.full((len(a), ANSWER), np.nan)
    _measure(NUMBERS[name], distance.reads == CUMULATIVE, a, b, places, answers)
    kinds = np.where(np.isnan(answers[:, STATISTIC]), NO_TEST, distance.p_value)
    return Comparison(answers[:, STATISTIC], p_values(answers, kinds), answers[:, EFFECT])


def _whole(counts: npt.ArrayLike) -> Integers:
    values = np.asarray(counts)
    if values.dtype.kind == "f" and not ((np.abs(values) < LARGEST_COUNT) & (values == np.floor(values))).all():
        raise ValueError("counts must be whole numbers")
    if (values < 0).any():
        raise ValueError("counts must not be negative")
    return np.ascontiguousarray(values, dtype=np.int64)


def _places(positions: npt.ArrayLike, occupied: npt.NDArray[np.bool_]) -> Floats:
    """Return where cells lie [series, cells]; those that are empty on both sides, where the one before them does."""
    places = np.broadcast_to(np.asarray(positions, dtype=np.float64), occupied.shape)
    if not np.isfinite(places[occupied]).all():
        raise ValueError("the positions of occupied cells must be finite")
    filled = np.maximum.accumulate(np.where(occupied, places, -np.inf), axis=1)
    if (filled[occupied] > places[occupied]).any():
        raise ValueError("the positions of occupied cells must be ascending")
    return np.ascontiguousarray(filled)


@kernel
def _measure(
    number: int, cumulative: bool, reference: Integers, current: Integers, positions: Floats, answers: Floats
) -> None:
    reference_so_far = np.zeros(reference.shape[1] + 1, dtype=np.int64)
    current_so_far = np.zeros(reference.shape[1] + 1, dtype=np.int64)
    extremes = np.zeros(2)
    for row in range(reference.shape[0]):
        add_up(reference[row], reference_so_far)
        add_up(current[row], current_so_far)
        if reference_so_far[-1] == 0 or current_so_far[-1] == 0:
            continue
        if positions.shape[1] > 0:
            first = 0
            while reference_so_far[first + 1] == 0 and current_so_far[first + 1] == 0:
                first += 1
            extremes[0] = positions[row, first]
            extremes[1] = positions[row, -1]
        if cumulative:
            dispatch(number, reference_so_far, current_so_far, positions[row], extremes, answers[row])
        else:
            dispatch(number, reference[row], current[row], positions[row], extremes, answers[row])
