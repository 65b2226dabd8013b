"""Into which cells scores between 0 and 1 are counted: ever finer towards both ends."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["BINS", "CELLS", "cell_middles", "reliability_bins", "score_cells"]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_PER_OCTAVE = 128
_OCTAVES = 19
_MIDDLE = 1 + _OCTAVES * _PER_OCTAVE

CELLS = 2 * _MIDDLE + 1
"""Cells are numbered from 0 up; 4,867 of them."""

BINS = 10
"""Of equal width, in which scores are compared with how often they come true."""


def score_cells(scores: Floats) -> Integers:
    """Return the cells of scores from 0 to 1, ascending with the score.

    A cell is 1/128 of an octave of the distance to the nearer end, so at most 0.002 wide, and 0.8 % of that distance;
    what lies within 2**-20 of an end has one cell.

    Examples
    --------
    >>> score_cells(np.array([0.0, 1e-3, 0.5, 0.999, 1.0])).tolist()
    [0, 1284, 2433, 3582, 4866]
    """
    # Exact where it is used: Sterbenz.
    distance = np.where(scores > 0.5, 1.0 - scores, scores)
    mantissa, exponent = np.frexp(distance)
    step = np.floor((mantissa - 0.5) * (2 * _PER_OCTAVE)).astype(np.int64)
    index = 1 + (exponent.astype(np.int64) + _OCTAVES) * _PER_OCTAVE + step
    index = np.where((exponent < -_OCTAVES) | (distance == 0), 0, index)
    return np.where(scores > 0.5, CELLS - 1 - index, index)


def cell_middles(cells: Integers) -> Floats:
    """Return the scores in the middle of cells.

    Examples
    --------
    >>> middles = cell_middles(np.arange(CELLS))
    >>> bool((score_cells(middles) == np.arange(CELLS)).all()), float(middles[_MIDDLE])
    (True, 0.5)
    """
    index = np.minimum(cells, CELLS - 1 - cells)
    exponent, step = np.divmod(index - 1, _PER_OCTAVE)
    middle = np.ldexp(0.5 + (step + 0.5) / (2 * _PER_OCTAVE), exponent - _OCTAVES)
    distance = np.where(index == 0, np.ldexp(0.5, -_OCTAVES - 1), np.minimum(middle, 0.5))
    middles: Floats = np.where(cells > _MIDDLE, 1.0 - distance, distance)
    return middles


def reliability_bins(scores: Floats) -> Integers:
    """Return the bins of scores from 0 to 1; each holds its lower edge, and the last one 1 too.

    Examples
    --------
    >>> reliability_bins(np.array([0.0, 0.1, 0.95, 1.0])).tolist()
    [0, 1, 9, 9]
    """
    return np.minimum(np.floor(scores * BINS).astype(np.int64), BINS - 1)
