"""Events with real values, of streams in which nothing changes or something does."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bench.calibration.draw import Drawn, names_of, reached, values
from bench.calibration.streams import Stream
from bench.calibration.traffic import CONSTANT, Traffic
from bench.calibration.watched import Watched

__all__ = ["Chance", "Log"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Log:
    """n events of F features in T windows.

    Attributes
    ----------
    stream : Stream
    windows : int
        T.
    window : int64 array [n]
        In which each event is, from 0 on; ascending.
    columns : float64 array [F, n]
        Values, or the numbers of names; NaN where missing.
    """

    stream: Stream
    windows: int
    window: Integers
    columns: Floats

    def of(self, features: slice) -> Log:
        """Return some of the features."""
        return replace(self, columns=self.columns[features])

    def sample(self, rows: int, rng: np.random.Generator) -> Log:
        """Return some of the events, in one window."""
        chosen = np.sort(rng.choice(len(self.window), rows, replace=False))
        return replace(self, windows=1, window=np.zeros(rows, dtype=np.int64), columns=self.columns[:, chosen])

    def table(self) -> dict[str, pa.Array]:
        """Return columns as a data set has them."""
        return {f"f{number:03}": self._array(column) for number, column in enumerate(self.columns)}

    def counted(self, model: Watched) -> Drawn:
        """Sum up what ingest would: how many values of each window fall into which cell, or bear which name."""
        layouts = model.layouts
        cells = layouts[0].cells if layouts else len(names_of(self.stream))
        counts = np.zeros((len(self.columns), self.windows, cells), dtype=np.int64)
        missing = np.zeros(counts.shape[:2], dtype=np.int64)
        for number, column in enumerate(self.columns):
            absent = np.isnan(column)
            window, present = self.window[~absent], column[~absent]
            cell = layouts[number].ids(present) if layouts else present.astype(np.int64)
            flat = np.bincount(window * cells + cell, minlength=self.windows * cells)
            counts[number] = flat.reshape(self.windows, cells)
            missing[number] = np.bincount(self.window[absent], minlength=self.windows)
        return Drawn(np.bincount(self.window, minlength=self.windows), missing, counts)

    def _array(self, column: Floats) -> pa.Array:
        absent = np.isnan(column)
        if self.stream.shares:
            column = np.array(names_of(self.stream))[np.where(absent, 0, column).astype(np.int64)]
        return pa.array(column, mask=absent)


@dataclass(frozen=True)
class Chance:
    """What chance gives to events, whatever happens to them: with and without an injection they are the same.

    Attributes
    ----------
    stream : Stream
    window : int64 array [n]
    values : float64 array [F, n]
        Numbers as they are at a level of zero and with a spread of one; of names uniform numbers.
    absence : float64 array [F, n]
        Uniform numbers; those below the rate of missing values are missing.
    """

    stream: Stream
    window: Integers
    values: Floats
    absence: Floats

    @classmethod
    def drawn(cls, stream: Stream, traffic: Traffic, rng: np.random.Generator) -> Chance:
        """Draw for all windows."""
        clusters = rng.poisson(traffic.events[0] / stream.cluster)
        shape = len(traffic.level), int(clusters.sum())
        numbers = rng.random(shape) if stream.shares else values(stream, np.zeros(shape), rng)
        numbers, absence = (np.repeat(array, stream.cluster, axis=1) for array in (numbers, rng.random(shape)))
        return cls(stream, np.repeat(np.arange(traffic.windows), clusters * stream.cluster), numbers, absence)

    def log(self, traffic: Traffic, first: int, stop: int) -> Log:
        """Return the events of some windows, as they are in this traffic."""
        start, end = np.searchsorted(self.window, [first, stop])
        window, part = self.window[start:end] - first, traffic.between(first, stop)
        made = self._named if self.stream.shares else _numbers
        columns = made(part, window, self.values[:, start:end])
        columns[self.absence[:, start:end] < part.missing[:, window]] = np.nan
        return Log(self.stream, stop - first, window, columns)

    def _named(self, part: Traffic, window: Integers, uniforms: Floats) -> Floats:
        shares = reached(self.stream, None, part)
        shares[:, :, -1] = 1.0
        # The distributions of all windows, one after the other, are inverted at once.
        upon_another = shares + np.arange(part.windows)[:, None]
        return np.stack(
            [
                np.searchsorted(of_feature.ravel(), column + window, side="right") - window * shares.shape[2]
                for of_feature, column in zip(upon_another, uniforms, strict=True)
            ]
        ).astype(np.float64)


def _numbers(part: Traffic, window: Integers, deviations: Floats) -> Floats:
    numbers = part.level[:, window] + part.spread[:, window] * deviations
    return np.where(part.source[:, window] == CONSTANT, 0.0, numbers)
