"""Streams to try detectors on: plain, random and adversarial, each from a seed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detectors.kernel import MAX_ABS

Stream = NDArray[np.float64]


def step(seed: int, size: float, n: int = 2000, at: int = 1000) -> Stream:
    """Noise of sd 1 around 0, then around `size`."""
    x = np.random.default_rng(seed).normal(0.0, 1.0, n)
    x[at:] += size
    return x


def adversarial(n: int = 2000) -> dict[str, Stream]:
    """The shapes of which real features are made, at their worst."""
    rng = np.random.default_rng(20130208)
    noise = rng.normal(0.0, 1.0, n)
    position = np.arange(n)
    return {
        "zeros": np.zeros(n),
        "constant": np.full(n, 0.1),
        "constant, then another": np.where(position < n // 2, 0.1, 5.0),
        "constant but one": np.where(position == n // 2, 100.0, 1.0),
        "alternating": np.where(position % 2 == 0, -1.0, 1.0),
        "coins": (rng.random(n) < np.where(position < n // 2, 0.2, 0.5)).astype(np.float64),
        "rare ones": (rng.random(n) < 0.003).astype(np.float64),
        "heavy tails": rng.standard_cauchy(n),
        "log-normal": rng.lognormal(0.0, 3.0, n),
        "tiny": noise * 1e-12,
        "smallest": noise * 1e-300,
        "huge": noise * 1e60,
        "huge steps": np.cumsum(rng.normal(0.0, 1e30, n)),
        "offset 1e6": noise + 1e6,
        "offset 1e9 and a step": noise + 1e9 + 3.0 * (position > n // 2),
        "offset -1e9": noise - 1e9,
        "ramp up": noise + position / 200.0,
        "ramp down": noise - position / 200.0,
        "steep ramp": position.astype(np.float64),
        "random walk": np.cumsum(noise),
        "bursts": noise + 20.0 * (position % 500 < 10),
        "season": noise + 3.0 * np.sin(position / 80.0),
        "spread grows": noise * np.where(position < n // 2, 1.0, 10.0),
        "integers": rng.poisson(5.0, n).astype(np.float64),
        "negative": noise - 40.0,
    }


def random(count: int, n: int = 2000) -> list[Stream]:
    """`count` streams of random scale, offset and number of level shifts."""
    rng = np.random.default_rng(1954)
    streams = []
    for _ in range(count):
        x = rng.normal(0.0, 1.0, n) * 10.0 ** rng.integers(-3, 3)
        for start in rng.integers(0, n, rng.integers(0, 6)):
            x[start:] += rng.normal(0.0, 1.0) * 10.0 ** rng.integers(-3, 3)
        streams.append(x)
    return streams


def vectors(x: Stream, dimension: int) -> Stream:
    """Return observations of `dimension` numbers: `x`, and copies of it that are scaled and come later."""
    return np.stack([np.roll(x, 7 * k) * (1.0 + 0.5 * k) for k in range(dimension)], axis=1)


def suited(domain: str, x: Stream) -> Stream:
    """Return `x` as a detector of that domain can take it; what is not finite stays as it is.

    What is low stays low: values become ``1 / (1 + exp(-x))`` for ``unit``, and for ``binary`` 1 where they are above
    0.8, which one in five of N(0, 1) is.
    """
    if domain == "real":
        return x
    usable = np.abs(x) <= MAX_ABS
    within = np.clip(np.where(usable, x, 0.0), -500.0, 500.0)
    fitted = (within > 0.8).astype(np.float64) if domain == "binary" else 1.0 / (1.0 + np.exp(-within))
    return np.where(usable, fitted, x)
