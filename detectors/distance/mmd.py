"""Maximum mean discrepancy: how far apart the mean features of two sets of vectors are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from detectors.distance.contract import KNOWN, Comparison, VectorDistance
from detectors.distance.energy import BOUND_HOLDS_FROM
from detectors.distance.tail import chi2_sf
from detectors.sketch.fourier import FEATURE_BITS, FourierLayout, fourier_layout, plain_fourier_layout
from detectors.sketch.vector import VectorSummary

Floats = npt.NDArray[np.float64]


def mmd(layout: FourierLayout, reference: Sequence[VectorSummary], current: Sequence[VectorSummary]) -> Comparison:
    """Compute ``sqrt(E k(x, x') + E k(y, y') - 2 E k(x, y))``, k being the layout's kernel.

    The kernel is that of finitely many frequencies, whose mean is the Gaussian one; all that is said here holds for it
    exactly, and the statistic is within about ``1 / sqrt(frequencies)`` of the Gaussian's (Rahimi and Recht, 2007).

    The statistic includes pairs of a vector with itself (the V-statistic of Gretton et al., JMLR 13, 2012, equation 5),
    so that it is above 0 for samples of one distribution. Its square over ``1/n + 1/m`` is a quadratic form in normal
    variables in the limit, with the mean ``E k(x, x) - E k(x, x')``. As for the energy distance, the p-value is an
    upper bound (Székely and Bakirov, 2003), and 1 where that would be above 0.215. In many dimensions it is a wide one.
    A layout that knows the concentration c of the form's coefficients has a second bound. With coefficients e that add
    up to 1, ``sum(e**k)`` is at most ``c**(k/2)``, and so ``E exp(t Q)`` at most ``exp(t - log(1 - u) / 2 - u / 2)``,
    where ``u = 2 t sqrt(c)``; thus (Chernoff) ``P(Q > x)`` is at most ``exp(-(y - log(1 + y)) / 2)`` with
    ``y = (x - 1) / sqrt(c)``.

    The effect leaves those pairs out, and so does not depend on n and m; it is ``sqrt(MMD² / (2 (1 - E k(x, y))))``,
    from 0 to 1, the coefficient of the energy distance (Sejdinovic et al., Ann. Stat. 41, 2013, have both as one).

    Parameters
    ----------
    layout
        That of all summaries.
    reference, current
        One summary of each side for each series.

    Raises
    ------
    ValueError
        If the numbers of summaries differ, or of sums from the layout's.

    Examples
    --------
    >>> from detectors.sketch.vector import VectorFold
    >>> rng = np.random.default_rng(0)
    >>> before, after = rng.normal(size=(2, 1000, 5))
    >>> fold = VectorFold(fourier_layout(before))
    >>> fold.ensure(2)
    >>> fold.fold(np.repeat([0, 1], 1000), np.concatenate((before, after + 0.5)))
    >>> result = mmd(fold.layout, [fold.peek(0)], [fold.peek(1)])
    >>> bool(result.effect[0] > 0.2), bool(result.p_value[0] < 1e-6)
    (True, True)
    """
    if len(reference) != len(current):
        raise ValueError(f"{len(reference)} summaries cannot be compared with {len(current)}")
    a, b = _means(layout, reference), _means(layout, current)
    n, m = (np.array([summary.n for summary in side], dtype=np.float64) for side in (reference, current))
    filled = (n > 0) & (m > 0)
    n, m = np.maximum(n, 1), np.maximum(m, 1)
    square, across = ((a - b) ** 2).sum(axis=1), (a * b).sum(axis=1)
    within = [np.maximum(1 - (side**2).sum(axis=1), 0.0) for side in (a, b)]
    pooled = (n[:, None] * a + m[:, None] * b) / (n + m)[:, None]
    usual = (n + m) / (n + m - 1) * np.maximum(1 - (pooled**2).sum(axis=1), 0.0)
    ratio = np.divide(square / (1 / n + 1 / m), usual, out=np.zeros_like(usual), where=usual > 1e-12)
    beyond = np.maximum(ratio - 1, 0.0) / np.sqrt(layout.concentration)
    p_value = np.where(ratio < BOUND_HOLDS_FROM, 1.0, chi2_sf(ratio, 1))
    p_value = np.minimum(p_value, np.exp(-(beyond - np.log1p(beyond)) / 2))
    unbiased = np.maximum(square - _from_sampling(within, n, m), 0.0)
    effect = np.sqrt(np.divide(unbiased, 2 * (1 - across), out=np.zeros_like(across), where=across < 1 - 1e-12))
    parts = (np.sqrt(square), p_value, np.minimum(effect, 1.0))
    return Comparison(*(np.where(filled, part, np.nan) for part in parts))


def _means(layout: FourierLayout, summaries: Sequence[VectorSummary]) -> Floats:
    """Return mean features [series, size], scaled so that those of one vector have length 1."""
    if any(summary.sums.size != layout.size for summary in summaries):
        raise ValueError(f"the summaries are not of a layout of {layout.size} sums")
    sums = np.array([summary.sums for summary in summaries], dtype=np.float64).reshape(len(summaries), layout.size)
    n = np.array([max(summary.n, 1) for summary in summaries], dtype=np.float64)
    return np.asarray(sums / n[:, None] / (1 << FEATURE_BITS) / np.sqrt(layout.frequencies))


def _from_sampling(within: Sequence[Floats], n: Floats, m: Floats) -> Floats:
    """Return how large the square is on average when nothing changed, from how far vectors of one side are apart.

    A side of one vector does not show that; then the other side speaks for both.
    """
    both = within[0] / np.maximum(n - 1, 1) + within[1] / np.maximum(m - 1, 1)
    from_other_side = (n * within[0] + m * within[1]) / np.maximum(n + m - 2, 1) * (1 / n + 1 / m)
    return np.where((n > 1) & (m > 1), both, np.where(n + m > 2, from_other_side, np.inf))


MMD = VectorDistance(
    "mmd",
    "Maximum mean discrepancy: any change of what goes together.",
    mmd,
    derive=fourier_layout,
    assume=plain_fourier_layout,
    p_value=KNOWN,
    # Half of the energy distance's, of which the effect is the counterpart: what one of many coordinates does counts
    # less than if it stood alone.
    default_min_effect=0.05,
    largest_effect=1.0,
)
