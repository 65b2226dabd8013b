"""Windows that were drawn, as rows of panes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench.calibration.draw import Drawn, names_of
from bench.calibration.watched import Watched
from detectors.chart.legend import MISSING, SUMS, N
from detectors.sketch import NumericLayout
from monitor.panes.reading import PaneRows, Piece, Ragged

__all__ = ["pane_rows", "values_of_cells"]

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


def pane_rows(model: Watched, drawn: Drawn, ends_ms: range) -> PaneRows:
    """Return one pane for each window of each feature, and those that count events.

    Parameters
    ----------
    model : Watched
    drawn : Drawn
    ends_ms : range
        Ends of its windows.
    """
    features, windows, cells = drawn.counts.shape
    flat = drawn.counts.reshape(features * windows, cells)
    occupied = flat > 0
    sums = np.zeros(((features + 1) * windows, SUMS), dtype=np.int64)
    sums[: len(flat), N] = flat.sum(axis=1)
    sums[: len(flat), MISSING] = drawn.missing.ravel()
    sums[len(flat) :, N] = drawn.events
    starts_ms = np.arange(ends_ms.start, ends_ms.stop, ends_ms.step, dtype=np.int64) - model.grid.window_ms
    keys = Ragged(np.nonzero(occupied)[1], _starts(occupied.sum(axis=1), windows))
    nothing = Ragged(np.zeros(0, dtype=np.int64), np.zeros(len(sums) + 1, dtype=np.int64))
    rows = np.arange(len(sums)).reshape(features + 1, windows)
    layouts = model.layouts
    return PaneRows(
        [
            Piece(
                series={("", "", signal): rows[number] for number, signal in enumerate(model.signals)},
                volume={"": rows[features]},
                starts_ms=np.tile(starts_ms, features + 1),
                n=sums[:, N],
                sums=sums,
                extremes=_extremes(layouts, occupied.reshape(drawn.counts.shape)),
                cells=nothing if layouts is None else keys,
                counts=Ragged(flat[occupied], keys.starts),
                names=keys if layouts is None else nothing,
                distinct_names=names_of(model.stream) if layouts is None else [],
            )
        ]
    )


def values_of_cells(layout: NumericLayout) -> Floats:
    """Return a value that lies in each cell, float64[K]."""
    lowest = np.nextafter(layout.edges[0], -np.inf)
    return np.concatenate(([lowest], layout.midpoint(np.arange(1, layout.cells))))


def _starts(lengths: Integers, without: int) -> Integers:
    """Where the keys of rows begin, the last ``without`` of which have none."""
    starts = np.zeros(len(lengths) + without + 1, dtype=np.int64)
    np.cumsum(lengths, out=starts[1 : len(lengths) + 1])
    starts[len(lengths) + 1 :] = starts[len(lengths)]
    return starts


def _extremes(layouts: list[NumericLayout] | None, occupied: NDArray[np.bool_]) -> Floats:
    features, windows, cells = occupied.shape
    extremes = np.tile([np.inf, -np.inf], ((features + 1) * windows, 1))
    if layouts is not None:
        some = occupied.any(axis=2).ravel()
        of_cells = np.stack([values_of_cells(layout) for layout in layouts])
        ends = occupied.argmax(axis=2), cells - 1 - occupied[:, :, ::-1].argmax(axis=2)
        for column, cell in enumerate(ends):
            reached = np.take_along_axis(of_cells, cell, axis=1).ravel()
            extremes[: len(some), column] = np.where(some, reached, extremes[: len(some), column])
    return extremes
