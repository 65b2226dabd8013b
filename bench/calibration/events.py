"""Events that have exactly the panes that were drawn: what is measured on panes holds for a log."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from bench.calibration.draw import Drawn, names_of
from bench.calibration.panes import values_of_cells
from bench.calibration.watched import Watched

__all__ = ["event_lines"]


def event_lines(model: Watched, drawn: Drawn, ends_ms: range, seed: int = 0) -> Iterator[bytes]:
    """Yield events as lines of JSON, in the order of their times.

    Parameters
    ----------
    model : Watched
    drawn : Drawn
    ends_ms : range
        Ends of its windows.
    seed : int
        Decides which values of different features share an event.
    """
    rng = np.random.default_rng(seed)
    layouts, names = model.layouts, names_of(model.stream)
    choices: list[Any] = [values_of_cells(layout).tolist() for layout in layouts] if layouts else []
    choices = choices or [names] * len(model.signals)
    fields = [signal.partition(":")[2] for signal in model.signals]
    starts = range(ends_ms.start - model.grid.window_ms, ends_ms.stop, model.grid.window_ms)
    for window, (start_ms, end_ms) in enumerate(pairwise(starts[: len(ends_ms) + 1])):
        columns = []
        for feature, choice in enumerate(choices):
            present = np.repeat(np.arange(len(choice)), drawn.counts[feature, window])
            missing = np.full(drawn.missing[feature, window], -1)
            columns.append(rng.permutation(np.concatenate((present, missing))).tolist())
        times = np.linspace(start_ms, end_ms, int(drawn.events[window]), endpoint=False).astype(np.int64)
        for at_ms, cells in zip(times.tolist(), zip(*columns, strict=True), strict=True):
            event = {
                name: None if cell < 0 else choice[cell]
                for name, choice, cell in zip(fields, choices, cells, strict=True)
            }
            yield json.dumps({"ts": at_ms, **event}).encode()
