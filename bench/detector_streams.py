"""Streams on which change detectors are tried: those in which nothing changes, and those in which something does."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from detectors.kernel import kernel

__all__ = ["CHANGES", "IN_CONTROL", "Change", "Matrix", "Stream", "seeded"]

Matrix = NDArray[np.float64]
Draw = Callable[[np.random.Generator, tuple[int, int]], Matrix]
_SETTLED = 1000  # observations after which a stream that follows itself has forgotten its start


@dataclass(frozen=True)
class Stream:
    """Observations that all have the same distribution, and what it takes to use them.

    Parameters
    ----------
    name
    baseline
        ``mean`` and ``sd``, for detectors that are told them.
    domain
        As of our own detectors: the narrowest that it belongs to.
    draw
    """

    name: str
    baseline: Mapping[str, float]
    domain: str
    draw: Draw


@dataclass(frozen=True)
class Change:
    """What becomes of a stream: `before` and `after` make observations of what `draw` gives.

    Parameters
    ----------
    name, stream
        What it is called, and of which stream in control.
    divergence
        That of Kullback and Leibler, of what comes after from what came before.
    draw, before, after
    span
        How many observations come before the change, and how many after it.
    trials_divisor
        By how much fewer trials there are, where they are long.
    """

    name: str
    stream: str
    divergence: float
    draw: Draw
    before: Callable[[Matrix], Matrix]
    after: Callable[[Matrix], Matrix]
    span: int = 2_000
    trials_divisor: int = 1


def seeded(*words: object) -> np.random.Generator:
    """Return a generator that depends on nothing but `words`."""
    return np.random.default_rng(list("/".join(map(str, words)).encode()))


def _stream(name: str, mean: float, sd: float, draw: Draw, domain: str = "real") -> Stream:
    return Stream(name, {"mean": mean, "sd": sd}, domain, draw)


def _gaussian(rng: np.random.Generator, shape: tuple[int, int]) -> Matrix:
    return rng.normal(0.5, 0.1, shape)


def _uniform(rng: np.random.Generator, shape: tuple[int, int]) -> Matrix:
    return rng.random(shape)


def _sparse(rng: np.random.Generator, shape: tuple[int, int]) -> Matrix:
    return np.where(rng.random(shape) < 0.95, 0.0, rng.exponential(1.0, shape))


def _follows(phi: float, rng: np.random.Generator, shape: tuple[int, int]) -> Matrix:
    noise = rng.normal(0.0, 1.0, (shape[0], shape[1] + _SETTLED))
    return np.asarray(lfilter([1.0], [1.0, -phi], noise)[:, _SETTLED:])


@kernel
def _garch(noise: Matrix, x: Matrix) -> None:
    """Bollerslev 1986: the variance of the next value is 0.05 + 0.1 x**2 + 0.85 of that of this one."""
    for row in range(noise.shape[0]):
        variance = 1.0
        for i in range(noise.shape[1]):
            x[row, i] = math.sqrt(variance) * noise[row, i]
            variance = 0.05 + 0.1 * x[row, i] * x[row, i] + 0.85 * variance


def _bursts(rng: np.random.Generator, shape: tuple[int, int]) -> Matrix:
    noise = rng.normal(0.0, 1.0, (shape[0], shape[1] + _SETTLED))
    x = np.empty_like(noise)
    _garch(noise, x)
    return np.ascontiguousarray(x[:, _SETTLED:])


def _ones_below(share: float) -> Callable[[Matrix], Matrix]:
    return lambda u: (u < share).astype(np.float64)


def _ones(share: float, rng: np.random.Generator, shape: tuple[int, int]) -> Matrix:
    return _ones_below(share)(rng.random(shape))


def _errors(share: float) -> Stream:
    return _stream(f"0/1, {100 * share:g} %", share, math.sqrt(share * (1.0 - share)), partial(_ones, share), "binary")


IN_CONTROL = (
    _stream("gaussian", 0.5, 0.1, _gaussian),
    _stream("uniform", 0.5, math.sqrt(1 / 12), _uniform, "unit"),
    _stream("exponential", 1.0, 1.0, lambda rng, shape: rng.exponential(1.0, shape)),
    _stream("student t(3)", 0.0, math.sqrt(3.0), lambda rng, shape: rng.standard_t(3, shape)),
    _errors(0.2),
    _stream("sparse", 0.05, math.sqrt(0.0975), _sparse),
    _stream(
        "log-normal", math.exp(0.5), math.sqrt((math.e - 1.0) * math.e), lambda rng, shape: rng.lognormal(size=shape)
    ),
    _stream("Pareto(2.5)", 2 / 3, math.sqrt(20 / 9), lambda rng, shape: rng.pareto(2.5, shape)),
    Stream("Cauchy", {}, "real", lambda rng, shape: rng.standard_cauchy(shape)),
    _errors(0.01),
    _errors(0.001),
    _stream("GARCH(1,1)", 0.0, 1.0, _bursts),
    _stream("AR(0.5)", 0.0, 1 / math.sqrt(0.75), partial(_follows, 0.5)),
    _stream("AR(0.9)", 0.0, 1 / math.sqrt(0.19), partial(_follows, 0.9)),
)
"""Streams by the narrowest domain that they belong to."""


def _shift(size: float) -> Change:
    return Change(f"{size:+g} sd", "gaussian", size**2 / 2, _gaussian, _as_it_is, lambda x: x + 0.1 * size)


def _as_it_is(x: Matrix) -> Matrix:
    return x


def _spread(factor: float) -> Change:
    divergence = (factor**2 - 1) / 2 - math.log(factor)
    return Change(f"sd x {factor:g}", "gaussian", divergence, _gaussian, _as_it_is, lambda x: 0.5 + factor * (x - 0.5))


def _rates(before: float, after: float, span: int = 2_000, trials_divisor: int = 1) -> Change:
    divergence = after * math.log(after / before) + (1 - after) * math.log((1 - after) / (1 - before))
    stream = f"0/1, {100 * before:g} %"
    name = f"{before:g} to {after:g}"
    return Change(name, stream, divergence, _uniform, _ones_below(before), _ones_below(after), span, trials_divisor)


def _innovations(phi: float, size: float) -> Change:
    """Return a change of the mean by `size` sd; what is new in each value, of sd 1, moves by 1 - phi times as much."""
    moved = size / math.sqrt(1.0 - phi * phi)
    divergence = ((1.0 - phi) * moved) ** 2 / 2
    stream = f"AR({phi:g})"
    return Change(f"{stream} {size:+g} sd", stream, divergence, partial(_follows, phi), _as_it_is, lambda x: x + moved)


CHANGES = (
    *map(_shift, (0.25, 0.5, 1.0, 2.0, -1.0)),
    _spread(2.0),
    *(_rates(0.2, after) for after in (0.3, 0.5, 0.1)),
    *(_innovations(phi, size) for phi, size in ((0.5, 1.0), (0.9, 2.0))),
    _rates(0.01, 0.03, 5_000, 2),
    _rates(0.001, 0.003, 50_000, 4),
)
"""What there is to find; rare errors need so many observations that no detector could find a change in 2,000."""
