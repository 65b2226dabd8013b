"""How quiet signals are whose shifted level was accepted as the new normal, and what is found of them afterwards.

Half of the numbers of a model shift on their 22nd day at ten o'clock, and are accepted some hours later; the others
stay as they are. For each size of shift, in standard deviations either way: alarms in the three weeks after the
acceptance, divided by those that a budget of 1 per 7d in a model of ten accepts of so many signals; and how many of
them alarm within a day when they move once more, some days after the acceptance::

    python -m bench.acceptance [--models 20] [--seed 1] [--window 1h] [--stream season week] [--after 0 5 72]
        [--moves-after 3]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.special import ndtr, stdtr

from detectors.change.contrasts import OUTER_DISTANCES, ScoreTable, number_contrasts
from detectors.change.legend import (
    EXCEEDS,
    GROUPS,
    INNER,
    LOCATION,
    RATE,
    RATES,
    SCORE,
    SPREAD,
    STATUS,
)
from detectors.change.model import Evidence, ModelCharts, Settings

__all__ = ["SHIFTS", "STREAMS", "Setting", "Watched", "watched"]

Floats = NDArray[np.float64]

SHIFTS = (0.0,) * 8 + (-4.0, -2.0, -1.0, -0.5, 0.5, 1.0, 2.0, 4.0)
"""Of the signals of a model, in standard deviations."""

SHIFT_DAY, SHIFT_HOUR, FOLLOWED_DAYS = 21, 10, 24
"""When signals shift, and days that are followed after that."""

RATE_OF_ALARMS = 1 / 70
"""Accepted of each signal a day."""

MISSING = 0.02
OF_REFERENCE = 100 * INNER
EVENTS = {24: 500, 288: 60, 1: 1000}
WINDOWS = {"1h": 24, "5m": 288, "1d": 1}
FURTHER = {"0.5 sd": (0.5, 1.0), "spread ×1.25": (0.0, 1.25)}
"""What moves once more: by how many standard deviations, and by which factor the spread."""


@dataclass(frozen=True)
class Stream:
    """Values: a function of a level and noise.

    Attributes
    ----------
    levels : callable
        Of a generator, signals, windows and windows a day: float64[signals, windows].
    below : callable
        The distribution function of the noise.
    ends : float
        Beyond which, on either side, a reference has half a value.
    sigma : float
        Of a log-normal one, whose logarithm is what levels move; 0 for values that they move themselves.
    """

    levels: Callable[[np.random.Generator, int, int, int], Floats]
    below: Callable[[Floats], Floats] = ndtr
    sigma: float = 0.0


def seasonal(rng: np.random.Generator, signals: int, windows: int, per_day: int) -> Floats:
    """A sine a day, of 0.6 standard deviations, and weekends that are 0.3 higher."""
    days = (np.arange(windows) + 0.5) / per_day
    wave = 0.6 * np.sin(2 * np.pi * (days + rng.random((signals, 1)))) * (per_day > 1)
    return np.asarray(wave + 0.3 * (np.floor(days) % 7 >= 5))


def weekly(rng: np.random.Generator, signals: int, windows: int, per_day: int) -> Floats:
    """The same, and half of the height on weekends, which are 0.6 lower."""
    days = (np.arange(windows) + 0.5) / per_day
    is_weekend = np.floor(days) % 7 >= 5
    wave = 0.6 * np.sin(2 * np.pi * (days + rng.random((signals, 1)))) * (per_day > 1)
    return np.asarray(wave * (1 - 0.5 * is_weekend) - 0.6 * is_weekend)


def autoregressive(carry: float) -> Callable[[np.random.Generator, int, int, int], Floats]:
    """Levels that are AR(1) from window to window, with a standard deviation of 0.25."""

    def levels(rng: np.random.Generator, signals: int, windows: int, per_day: int) -> Floats:
        steps = rng.normal(0, 0.25 * np.sqrt(1 - carry * carry), (signals, windows))
        return np.asarray(lfilter([1.0], [1.0, -carry], steps, axis=1))

    return levels


def daily(rng: np.random.Generator, signals: int, windows: int, per_day: int) -> Floats:
    """A level for each day, with a standard deviation of 0.25, on a season."""
    levels = np.repeat(rng.normal(0, 0.25, (signals, -(-windows // per_day))), per_day, axis=1)[:, :windows]
    return levels + seasonal(rng, signals, windows, per_day)


STREAMS = {
    "season": Stream(seasonal),
    "week": Stream(weekly),
    "lognormal": Stream(seasonal, sigma=0.8),
    "t3": Stream(seasonal, below=lambda x: np.asarray(stdtr(3.0, np.sqrt(3.0) * x))),
    "AR 0.5": Stream(autoregressive(0.5)),
    "AR 0.9": Stream(autoregressive(0.9)),
    "day levels": Stream(daily),
}


@dataclass(frozen=True)
class Setting:
    """Models, and what is done to them.

    Attributes
    ----------
    stream : str
    windows_per_day : int
    after_hours : int
        From the shift to its acceptance.
    further : str
        A name in `FURTHER`, or nothing.
    quiet_days : int
        From the acceptance until signals move once more.
    """

    stream: str
    windows_per_day: int = 24
    after_hours: int = 5
    further: str = ""
    quiet_days: int = 3

    @property
    def days(self) -> int:
        """Days that are followed."""
        return self.moves_at // self.windows_per_day + 2 if self.further else SHIFT_DAY + FOLLOWED_DAYS

    @property
    def shifts_at(self) -> int:
        """The window in which signals shift."""
        return SHIFT_DAY * self.windows_per_day + SHIFT_HOUR * self.windows_per_day // 24

    @property
    def accepted_at(self) -> int:
        """The window before which the shift is accepted."""
        return self.shifts_at + -(-self.after_hours * self.windows_per_day // 24)

    @property
    def moves_at(self) -> int:
        """The window in which signals move once more."""
        return self.accepted_at + self.quiet_days * self.windows_per_day


@dataclass
class Watched:
    """Alarms after the acceptance.

    Attributes
    ----------
    alarms : int64 array [signals]
        Until they move once more, if they do.
    found : bool array [signals]
        Which alarmed within a day of the further move.
    """

    alarms: NDArray[np.int64]
    found: NDArray[np.bool_]


def watched(setting: Setting, seed: int) -> Watched:
    """Lead a model through a shift, its acceptance, and what comes then."""
    evidence = drawn(setting, np.random.default_rng(seed))
    per_day, signals = setting.windows_per_day, len(SHIFTS)
    charts = ModelCharts(Settings(RATE_OF_ALARMS * signals, signals, per_day))
    charts.add([[(SCORE, LOCATION), (SCORE, SPREAD), (RATE, RATES)]] * signals, 0)
    result = Watched(np.zeros(signals, dtype=np.int64), np.zeros(signals, dtype=np.bool_))
    for day in range(setting.days):
        charts.begin(day, weekend=day % 7 >= 5)
        first, last = day * per_day, (day + 1) * per_day
        cuts = sorted({first, last, min(max(setting.accepted_at, first), last)})
        for start, stop in pairwise(cuts):
            if start == setting.accepted_at:
                for s in np.flatnonzero(SHIFTS):
                    charts.accept(int(s), SHIFT_DAY, SHIFT_DAY + (per_day > 1))
            _note(setting, charts.watch(cut(evidence, start, stop, per_day)), start, result)
        _note(setting, charts.close()[:, np.newaxis], last - 1, result)
    return result


def _note(setting: Setting, verdicts: Floats, first: int, result: Watched) -> None:
    """Count the alarms of windows."""
    for s, t in zip(*np.nonzero(verdicts[:, :, STATUS] == EXCEEDS), strict=True):
        window = first + t
        has_moved = bool(setting.further) and window >= setting.moves_at
        result.alarms[s] += window >= setting.accepted_at and not has_moved
        result.found[s] |= has_moved and window < setting.moves_at + max(setting.windows_per_day, 2)


def drawn(setting: Setting, rng: np.random.Generator) -> Evidence:
    """Draw all windows of a model."""
    stream, per_day = STREAMS[setting.stream], setting.windows_per_day
    windows = setting.days * per_day
    levels = stream.levels(rng, len(SHIFTS), windows, per_day)
    number = np.arange(windows)
    levels = levels + np.array(SHIFTS)[:, np.newaxis] * (number >= setting.shifts_at)
    spreads = np.ones(windows)
    if setting.further:
        more, factor = FURTHER[setting.further]
        levels = levels + more * (number >= setting.moves_at)
        spreads = np.where(number >= setting.moves_at, factor, 1.0)
    signals = [number_of(stream, of_signal, spreads, EVENTS[per_day], rng) for of_signal in levels]
    values, events, units = (np.concatenate([signal[i] for signal in signals]) for i in range(3))
    repeats = np.stack([signal[3] for signal in signals])
    return Evidence(values, events, units, repeats, np.ones(repeats.shape), (number % per_day + 0.5) / per_day)


def cut(evidence: Evidence, start: int, stop: int, per_day: int) -> Evidence:
    """Return some windows of a day."""
    parts = (evidence.values, evidence.events, evidence.units, evidence.repeats, evidence.present)
    values, events, units, repeats, present = (np.ascontiguousarray(part[:, start:stop]) for part in parts)
    return Evidence(values, events, units, repeats, present, evidence.places[start:stop].copy())


TABLE = ScoreTable(np.full(INNER, OF_REFERENCE // INNER))


def number_of(
    stream: Stream, levels: Floats, spreads: Floats, events: int, rng: np.random.Generator
) -> tuple[Floats, Floats, Floats, Floats]:
    """Draw the windows of a number: its contrasts, out of how many, what one value contributes, and repeats."""
    below = stream.below((fences_of(stream) - levels[:, np.newaxis]) / spreads[:, np.newaxis])
    shares = np.diff(below, axis=1, prepend=0.0, append=1.0)
    of_windows = rng.poisson(events, len(levels))
    missing = rng.binomial(of_windows, MISSING)
    grouped = rng.multinomial(of_windows - missing, shares / shares.sum(axis=1, keepdims=True))
    values, units, repeats = np.empty((3, len(levels))), np.empty((len(levels), 2)), np.empty(len(levels))
    number_contrasts(
        grouped, np.arange(GROUPS), TABLE.scores, np.zeros(GROUPS, dtype=np.int64), TABLE.locations, TABLE.spreads,
        TABLE.floor, TABLE.fewest, TABLE.resolved, TABLE.units, values[0], values[1], repeats, units,
    )  # fmt: skip
    values[2] = missing
    count = grouped.sum(axis=1)
    out_of = np.array([np.maximum(count, 1), np.maximum(count - 1, 1), of_windows], dtype=np.float64)
    return values, out_of, np.concatenate((units.T, np.ones((1, len(levels))))), repeats


def fences_of(stream: Stream) -> Floats:
    """Return what lies between the groups of values, as noise at a level of 0."""
    # Quantiles by bisection: the distribution function is all that a stream states.
    shares = np.concatenate(([0.5 / OF_REFERENCE, 0.25], np.arange(1, INNER) / INNER, [0.75, 1 - 0.5 / OF_REFERENCE]))
    low, high = np.full(len(shares), -60.0), np.full(len(shares), 60.0)
    for _ in range(64):
        middle = (low + high) / 2
        under = stream.below(middle) < shares
        low, high = np.where(under, middle, low), np.where(under, high, middle)
    noise = (low + high) / 2
    values = np.exp(stream.sigma * noise) if stream.sigma else noise
    robust_sd = (values[-2] - values[1]) / 1.349
    fences = np.concatenate(
        (values[0] - robust_sd * OUTER_DISTANCES[::-1], values[2:-2], values[-1] + robust_sd * OUTER_DISTANCES)
    )
    if not stream.sigma:
        return fences
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(fences > 0, np.log(fences) / stream.sigma, -np.inf)


def line(setting: Setting, models: int, seed: int) -> str:
    """Measure one setting, and return its line of the table."""
    quiet = np.stack([watched(setting, seed + model).alarms for model in range(models)])
    accepted = (setting.days - setting.accepted_at / setting.windows_per_day) * RATE_OF_ALARMS
    cells = [f"{quiet[:, chosen].mean() / accepted:5.1f}" for chosen in by_size()]
    for further in FURTHER:
        moved = replace(setting, further=further)
        found = np.stack([watched(moved, seed + model).found for model in range(models)])
        cells += ["  ", *(f"{found[:, chosen].mean():5.0%}" for chosen in by_size())]
    return " ".join(cells)


def by_size() -> list[NDArray[np.bool_]]:
    """Return which signals have each size of shift."""
    sizes = np.abs(SHIFTS)
    return [sizes == size for size in np.unique(sizes)]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line for each setting and size of shift."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=20, help="of each setting (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="(default: %(default)s)")
    parser.add_argument("--window", default="1h", choices=list(WINDOWS), help="(default: %(default)s)")
    parser.add_argument("--stream", nargs="+", default=list(STREAMS), choices=list(STREAMS), metavar="STREAM")
    parser.add_argument("--after", nargs="+", type=int, default=[0, 5, 72], metavar="HOURS", help="until accepted")
    parser.add_argument(
        "--moves-after", type=int, default=3, metavar="DAYS", help="they move again (default: %(default)s)"
    )
    options = parser.parse_args(arguments)
    sizes = " ".join(f"{size:5}" for size in np.unique(np.abs(SHIFTS)))
    titles = ["alarms / accepted", *(f"found: {further}" for further in FURTHER)]
    print(" " * 22 + "".join(f"{title:33}" for title in titles))
    print(f"{'stream':11} {'accepted':9} {sizes}    {sizes}    {sizes}")
    for stream in options.stream:
        for after in options.after:
            setting = Setting(stream, WINDOWS[options.window], after, quiet_days=options.moves_after)
            print(f"{stream:11} {after:3} h     {line(setting, options.models, options.seed)}", flush=True)


if __name__ == "__main__":
    main()
