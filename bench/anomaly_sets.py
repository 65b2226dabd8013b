"""Streams of observations of several numbers, of which some are odd, each from a seed; for ranking them by score.

In the first :data:`QUIET` observations nothing is odd, so that scorers can warm up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_digits

__all__ = ["QUIET", "SETS", "Stream"]

Array = NDArray[Any]
Stream = tuple[Array, Array]
"""Observations, float64 [n, d], and which are odd, bool [n]."""

QUIET = 300
_N, _D, _SHARE = 4000, 10, 0.03


def _odd(rng: np.random.Generator) -> Array:
    odd = rng.random(_N) < _SHARE
    odd[:QUIET] = False
    return odd


def _clusters(rng: np.random.Generator, d: int) -> Array:
    """Five clusters in a cube of side 10."""
    centres = 10.0 * rng.random((5, d))
    return centres[rng.integers(0, 5, _N)] + rng.normal(0.0, 0.5, (_N, d))


def wider(seed: int) -> Stream:
    """Normal numbers; what is odd spreads twice as far in all of them."""
    rng = np.random.default_rng(seed)
    odd, x = _odd(rng), rng.normal(size=(_N, _D))
    x[odd] *= 2.0
    return x, odd


def between_clusters(seed: int, d: int = _D) -> Stream:
    """Clusters; what is odd is anywhere in the cube that they are in."""
    rng = np.random.default_rng(seed)
    odd, x = _odd(rng), _clusters(rng, d)
    x[odd] = 10.0 * rng.random((odd.sum(), d))
    return x, odd


def moving_clusters(seed: int) -> Stream:
    """Clusters that all move, by three times their cube's side; what is odd is around the middle of them."""
    rng = np.random.default_rng(seed)
    odd, x = _odd(rng), _clusters(rng, _D)
    x[odd] = x.mean(axis=0) + rng.normal(0.0, 5.0, (odd.sum(), _D))
    return x + np.linspace(0.0, 30.0, _N)[:, None] * rng.choice([-1.0, 1.0], _D), odd


def against_the_rule(seed: int) -> Stream:
    """Ten numbers made of three hidden ones; what is odd has numbers that are usual, but of different observations."""
    rng = np.random.default_rng(seed)
    odd = _odd(rng)
    x = rng.normal(size=(_N, 3)) @ rng.normal(size=(3, _D)) + rng.normal(0.0, 0.2, (_N, _D))
    for q in range(_D):
        x[odd, q] = rng.permutation(x[:, q])[: odd.sum()]
    return x, odd


def two_of_thirty(seed: int) -> Stream:
    """Thirty normal numbers; what is odd is so in the first two, four standard deviations away."""
    rng = np.random.default_rng(seed)
    odd, x = _odd(rng), rng.normal(size=(_N, 30))
    x[odd, :2] = rng.normal(4.0, 0.3, (odd.sum(), 2))
    return x, odd


def skewed(seed: int) -> Stream:
    """Log-normal numbers; of what is odd three are six times as large."""
    rng = np.random.default_rng(seed)
    odd, x = _odd(rng), rng.lognormal(0.0, 1.0, (_N, _D))
    x[odd, :3] *= 6.0
    return x, odd


def units(seed: int) -> Stream:
    """The clusters, each number in a unit of its own, from thousandths to thousands."""
    x, odd = between_clusters(seed)
    return x * 10.0 ** np.linspace(-3.0, 3.0, _D), odd


def _among(rng: np.random.Generator, normal: Array, odd: Array) -> Stream:
    """What is odd at random among what is normal, after the quiet beginning."""
    normal = rng.permutation(normal)
    rest = np.vstack((normal[QUIET:], odd))
    is_odd = np.arange(len(rest)) >= len(normal) - QUIET
    order = rng.permutation(len(rest))
    return np.vstack((normal[:QUIET], rest[order])), np.concatenate((np.zeros(QUIET, dtype=bool), is_odd[order]))


def breast_cancer(seed: int) -> Stream:
    """30 measures of benign tumours (real), 327 of them; ten malignant ones are odd."""
    rng = np.random.default_rng(seed)
    x, benign = load_breast_cancer(return_X_y=True)
    return _among(rng, x[benign == 1], rng.permutation(x[benign == 0])[:10])


def digits(seed: int) -> Stream:
    """64 pixels of handwritten digits (real) but one; 50 of that one are odd."""
    rng = np.random.default_rng(seed)
    x, digit = load_digits(return_X_y=True)
    return _among(rng, x[digit != seed % 10], rng.permutation(x[digit == seed % 10])[:50])


SETS: dict[str, Callable[[int], Stream]] = {
    "wider": wider,
    "clusters": between_clusters,
    "clusters, 3": lambda seed: between_clusters(seed, 3),
    "moving": moving_clusters,
    "units": units,
    "rule": against_the_rule,
    "2 of 30": two_of_thirty,
    "skewed": skewed,
    "cancer": breast_cancer,
    "digits": digits,
}
"""Every set by its short name."""
