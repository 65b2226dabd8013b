"""What becomes of levels when observations follow one another: anomalies in 100,000 in which there is none.

``python -m bench.anomaly_dependence`` prints, for every scorer, how many ordinary observations are flagged at a stated
rate of 1 and of 100 in 100,000, over streams of which the first 20,000 observations do not count; and in how many of 30
streams a value is found, at the rate of 1, to which ten standard deviations of what is new in each were added.

* independent: normal.
* AR 0.5, AR 0.9: ``x[t] = phi x[t-1] + noise``, with correlations of neighbours of a half and of nine tenths.
* walk: normal about a level that walks by a twentieth of that.
* GARCH: ``sd[t]**2 = 0.05 + 0.10 x[t-1]**2 + 0.85 sd[t-1]**2``: independent in sign, with bursts of volatility.
* daily: a sine of 288 observations, twice as high as the noise is wide, with AR 0.5.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from detectors.anomaly import SCORERS, AnomalyBank

Floats = NDArray[np.float64]
SETTLED, COUNTED = 20_000, 100_000
RATES = (1e-5, 1e-3)
PLACED, SHIFT = 30, 10.0


def autoregressive(noise: Floats, phi: float) -> Floats:
    """Return what the noise makes of itself, each value `phi` times the one before and new noise."""
    return np.asarray(lfilter([1.0], [1.0, -phi], noise))


def bursts(noise: Floats) -> Floats:
    """Return the noise with a standard deviation that remembers what came before."""
    x, variance = np.empty_like(noise), 1.0
    for t, innovation in enumerate(noise.tolist()):
        x[t] = variance**0.5 * innovation
        variance = 0.05 + 0.10 * x[t] ** 2 + 0.85 * variance
    return x


def walking(noise: Floats) -> Floats:
    """Return the noise about a level that walks."""
    steps = np.random.default_rng((13, noise.size, int(noise[0] * 1e9) & 0xFFFF)).normal(size=noise.size)
    return noise + 0.05 * np.cumsum(steps)


def daily(noise: Floats) -> Floats:
    """Return correlated noise on a sine of 288 observations."""
    return autoregressive(noise, 0.5) + 2.0 * np.sin(2 * np.pi * np.arange(noise.size) / 288)


STREAMS: dict[str, Callable[[Floats], Floats]] = {
    "independent": lambda noise: noise,
    "AR 0.5": lambda noise: autoregressive(noise, 0.5),
    "AR 0.9": lambda noise: autoregressive(noise, 0.9),
    "walk": walking,
    "GARCH": bursts,
    "daily": daily,
}
SETTINGS: dict[tuple[str, str], dict[str, object]] = {
    ("forecast", "daily"): {"season": 288},
    ("holt_winters", "daily"): {"season": 288},
}


def counted(name: str, stream: str, streams: int, slow: bool) -> dict[str, float]:
    """Return flags in 100,000 at each rate, and the share of placed values that are found."""
    settings = SETTINGS.get((name, stream), {})
    found: dict[str, float] = {}
    length = COUNTED // 5 if slow else COUNTED
    for rate in RATES:
        flags = 0
        for seed in range(streams):
            x = STREAMS[stream](np.random.default_rng((11, seed)).normal(size=SETTLED + length))
            bank = AnomalyBank(SCORERS[name], settings | {"false_alarm_rate": rate}, series=1)
            flags += int(bank.update(np.zeros(x.size, dtype=np.int64), x).flag[SETTLED:].sum())
        found[f"{rate:g}"] = flags / streams * COUNTED / length
    hits = 0
    for seed in range(PLACED):
        x = STREAMS[stream](np.random.default_rng((12, seed)).normal(size=SETTLED + 1))
        x[SETTLED] += SHIFT
        bank = AnomalyBank(SCORERS[name], settings, series=1)
        hits += bool(bank.update(np.zeros(x.size, dtype=np.int64), x).flag[SETTLED])
    found["found"] = hits
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line for each scorer, and all of it as JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.anomaly_dependence", description=__doc__)
    parser.add_argument("--streams", type=int, default=4)
    parser.add_argument("--scorers", nargs="*", default=list(SCORERS))
    options = parser.parse_args(arguments)
    print(f"{'flags at 1, at 100; found of 30':34}" + "".join(f"{stream:>20}" for stream in STREAMS))
    found: dict[str, Any] = {}
    for name in options.scorers:
        slow = SCORERS[name].vectors
        found[name] = {stream: counted(name, stream, options.streams, slow) for stream in STREAMS}
        cells = (f"{of['1e-05']:.1f}, {of['0.001']:.0f}; {of['found']:.0f}" for of in found[name].values())
        print(f"{name:34}" + "".join(f"{cell:>20}" for cell in cells), flush=True)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
