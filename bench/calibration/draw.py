"""Draw the counts of windows: how many values fall into each cell of a number, or bear each name."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from bench.calibration.streams import Stream
from bench.calibration.traffic import CONSTANT, FROZEN, TWO, Traffic
from detectors.kernel import kernel
from detectors.sketch import NumericLayout

__all__ = ["NEW", "RENAMED", "Drawn", "draw", "names_of", "share_of_names", "values"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

NEW, RENAMED = "new", "renamed"
"""Names that occur only when something is injected."""

GUIDES = 64
LOGNORMAL_MEAN = math.exp(0.5)
LOGNORMAL_SD = math.sqrt((math.e - 1) * math.e)


@dataclass(frozen=True)
class Drawn:
    """T windows of F features, each with the same number of cells or names.

    Attributes
    ----------
    events : int64 array [T]
    missing : int64 array [F, T]
    counts : int64 array [F, T, K]
    """

    events: Integers
    missing: Integers
    counts: Integers


def draw(
    stream: Stream, layouts: Sequence[NumericLayout] | None, traffic: Traffic, frozen: Traffic, seed: Sequence[int]
) -> Drawn:
    """Draw windows.

    Parameters
    ----------
    stream : Stream
    layouts : sequence of NumericLayout or None
        Of numbers, with equally many cells.
    traffic : Traffic
    frozen : Traffic
        The window that is repeated while a feature is frozen.
    seed : sequence of int
        The last of them says which block of windows this is.
    """
    rng = np.random.default_rng(list(seed))
    events = rng.poisson(traffic.events[0] / stream.cluster) * stream.cluster
    missing = rng.binomial(events, traffic.missing)
    present = (events - missing) // stream.cluster
    # A missing value leaves its cluster incomplete; the rest of that cluster is missing too.
    missing = events - present * stream.cluster
    counts = _counted(rng, reached(stream, layouts, traffic), present) * stream.cluster
    if (traffic.source == FROZEN).any():
        again = np.random.default_rng(list(seed)[:-1])
        count = np.array([[int(frozen.events[0, 0] * (1 - stream.missing))]] * len(missing))
        _repeat(rng, counts, _counted(again, reached(stream, layouts, frozen), count)[:, 0], traffic.source == FROZEN)
    return Drawn(events, missing, counts)


def values(stream: Stream, level: Floats, rng: np.random.Generator) -> Floats:
    """Draw a number for each level, in standard deviations."""
    match stream.family:
        case "t3":
            return level + rng.standard_t(3, level.shape) / math.sqrt(3)
        case "lognormal":
            return level + (np.exp(rng.normal(size=level.shape)) - LOGNORMAL_MEAN) / LOGNORMAL_SD
        case _:
            return level + rng.normal(size=level.shape)


def names_of(stream: Stream) -> list[str]:
    """Return the names of a stream in the order of their counts."""
    return [*(f"n{number:03}" for number in range(len(stream.shares))), NEW, RENAMED]


def reached(stream: Stream, layouts: Sequence[NumericLayout] | None, traffic: Traffic) -> Floats:
    """Return the probability of each cell or name and those before it, float64[F, T, K]."""
    if layouts is None:
        return np.cumsum(share_of_names(stream, traffic), axis=2)
    edges = np.stack([layout.edges for layout in layouts])[:, None, :]
    level, spread = traffic.level[:, :, None], traffic.spread[:, :, None]
    below = np.ones((*traffic.level.shape, edges.shape[2] + 1))
    below[:, :, :-1] = _below(stream.family, (edges - level) / spread)
    if traffic.tenth.any():
        moved = _below(stream.family, (edges - level - traffic.tenth[:, :, None]) / spread)
        below[:, :, :-1] = 0.9 * below[:, :, :-1] + 0.1 * moved
    if traffic.filled.any():
        filled = traffic.filled[:, :, None]
        below[:, :, :-1] = (1 - filled) * below[:, :, :-1] + filled * (edges > 0.0)
    # A constant has the value of the middle of the distribution.
    source = traffic.source[:, :, None]
    below[:, :, :-1] = np.where(source == CONSTANT, edges > 0.0, below[:, :, :-1])
    if (traffic.source == TWO).any():
        either = ((edges > level - spread) * 1.0 + (edges > level + spread)) / 2
        below[:, :, :-1] = np.where(source == TWO, either, below[:, :, :-1])
    return below


def share_of_names(stream: Stream, traffic: Traffic) -> Floats:
    """Return the probability of each name, float64[F, T, K]."""
    count = len(stream.shares)
    weights = np.zeros((*traffic.level.shape, count + 2))
    weights[:, :, :count] = stream.shares
    weights[:, :, 0] *= np.exp(traffic.level)
    weights[:, :, 1] *= np.exp(-traffic.level)
    shares = np.asarray(weights / weights.sum(axis=2, keepdims=True))
    if traffic.moved.any():
        moved = np.minimum(traffic.moved, shares[:, :, 0])
        shares[:, :, 0] -= moved
        shares[:, :, min(2, count - 1)] += moved
    shares *= 1 - traffic.new[:, :, None]
    shares[:, :, count] = traffic.new
    shares[:, :, count + 1] = traffic.renamed * shares[:, :, 0]
    shares[:, :, 0] *= 1 - traffic.renamed
    constant = traffic.source == CONSTANT
    shares[constant] = np.arange(count + 2) == 0
    return shares


def _below(family: str, x: Floats) -> Floats:
    if family == "t3":
        x = x * math.sqrt(3)
        return np.asarray(0.5 + (np.arctan(x / math.sqrt(3)) + x * math.sqrt(3) / (x * x + 3)) / math.pi)
    if family == "lognormal":
        return np.asarray(ndtr(np.log(np.maximum(x * LOGNORMAL_SD + LOGNORMAL_MEAN, 1e-300))))
    return np.asarray(ndtr(x))


def _counted(rng: np.random.Generator, probabilities: Floats, events: Integers) -> Integers:
    cells = probabilities.shape[2]
    counts = np.zeros((events.size, cells), dtype=np.int64)
    uniforms = rng.random(int(events.sum()), dtype=np.float32)
    count_cells(probabilities.reshape(-1, cells), events.ravel(), uniforms, np.empty(GUIDES, dtype=np.int64), counts)
    return counts.reshape(probabilities.shape)


def _repeat(rng: np.random.Generator, counts: Integers, repeated: Integers, where: NDArray[np.bool_]) -> None:
    """Fill windows with one and the same window, as often as it fits, and with a random part of it."""
    for feature, window in np.argwhere(where).tolist():
        times, rest = divmod(int(counts[feature, window].sum()), int(repeated[feature].sum()))
        part = rng.multivariate_hypergeometric(repeated[feature], rest, method="marginals")
        counts[feature, window] = times * repeated[feature] + part


@kernel
def count_cells(
    probabilities: Floats, events: Integers, uniforms: NDArray[np.float32], guide: Integers, counts: Integers
) -> None:
    """Count in which cell uniform numbers fall, by inverting the distribution from a guide table (Chen and Asau 1974).

    Parameters
    ----------
    probabilities
        float64[N, K]: of each cell and those before it.
    events
        int64[N].
    uniforms
        float32[sum of events].
    guide
        int64[GUIDES], left behind in any state.
    counts
        int64[N, K], to which is added.
    """
    last = probabilities.shape[1] - 1
    taken = 0
    for i in range(events.size):
        cell = 0
        for g in range(guide.size):
            while cell < last and probabilities[i, cell] <= g / guide.size:
                cell += 1
            guide[g] = cell
        for _ in range(events[i]):
            u = uniforms[taken]
            taken += 1
            cell = guide[int(u * guide.size)]
            while cell < last and probabilities[i, cell] <= u:
                cell += 1
            counts[i, cell] += 1
