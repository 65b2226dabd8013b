"""What windows are made of, before chance has its say."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from bench.calibration.grid import HISTORY_DAYS, Grid
from bench.calibration.streams import Stream

__all__ = ["AS_USUAL", "CONSTANT", "FROZEN", "TWO", "Traffic", "traffic_of"]

Floats = NDArray[np.float64]

AS_USUAL, CONSTANT, FROZEN, TWO = range(4)


@dataclass(frozen=True)
class Traffic:
    """T windows of F features.

    Attributes
    ----------
    events : float64 array [1, T]
        Expected.
    level, spread : float64 arrays [F, T]
        Of numbers in their standard deviations; of names the level of log-odds.
    tenth : float64 array [F, T]
        How far the values of a tenth of the events are shifted, as if one segment had moved.
    missing : float64 array [F, T]
        The rate of missing values.
    moved, new : float64 arrays [F, T]
        Of names: the share that goes from the first to the third one; the share of a name that nobody has seen.
    renamed : float64 array [F, T]
        Of names: 1 where the first one is called by another name.
    source : float64 array [F, T]
        Where values come from: ``AS_USUAL``, ``CONSTANT``, ``FROZEN``, or ``TWO`` of the same mean and spread.
    filled : float64 array [F, T]
        The share of values in whose place there is the one in the middle.
    """

    events: Floats
    level: Floats
    spread: Floats
    tenth: Floats
    missing: Floats
    moved: Floats
    new: Floats
    renamed: Floats
    source: Floats
    filled: Floats

    @property
    def windows(self) -> int:
        """T."""
        return len(self.events[0])

    def between(self, start: int, stop: int) -> Traffic:
        """Return some of the windows."""
        return replace(self, **{field.name: getattr(self, field.name)[:, start:stop] for field in fields(self)})


def traffic_of(stream: Stream, grid: Grid, features: int, days: int, rng: np.random.Generator) -> tuple[Traffic, ...]:
    """Return the history that a model is built on, and the days that follow it."""
    history = HISTORY_DAYS * grid.per_day
    shape = features, history + days * grid.per_day
    events, missing = np.full((1, shape[1]), float(grid.events)), np.broadcast_to(stream.missing, shape)
    if stream.burst_sd:
        events = events * np.exp(rng.normal(0.0, stream.burst_sd, events.shape))
    if stream.rush and grid.per_day > 1:
        times = (np.arange(shape[1]) + 0.5) / grid.per_day
        events = events * np.exp(stream.rush * np.sin(2 * np.pi * times))
    if stream.missing_sd:
        odds = stream.missing / (1 - stream.missing) * np.exp(rng.normal(0.0, stream.missing_sd, shape))
        missing = odds / (1 + odds)
    nothing = np.broadcast_to(0.0, shape)
    whole = Traffic(
        events=events,
        level=stream.levels(rng, grid, *shape),
        spread=np.broadcast_to(1.0, shape),
        tenth=nothing,
        missing=missing,
        moved=nothing,
        new=nothing,
        renamed=nothing,
        source=nothing,
        filled=nothing,
    )
    return whole.between(0, history), whole.between(history, shape[1])
