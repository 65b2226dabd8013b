"""Checkpoints as versions wrote them that had a contrast less."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from detectors.change.legend import FIRST_ROW, ROWS


def take_out(states: list[Any], row: int, is_of: Callable[[str], bool]) -> None:
    """Take a contrast of some signals out of what `Changes` wrote, by its number and their names."""
    charts, skews, begun = states[0]["charts"], states[0]["skews"], states[0]["begun"]
    of_signals = [s for s, (_, _, signal) in enumerate(begun) if is_of(signal)]
    lost = [int(charts["series"][s, FIRST_ROW]) + row for s in of_signals]
    for name, array in charts.items():
        if isinstance(array, np.ndarray) and array.shape[:1] == skews["references"].shape[:1]:
            charts[name] = np.delete(array, lost, axis=0)
    skews["references"] = np.delete(skews["references"], lost, axis=0)
    charts["series"][of_signals, ROWS] -= 1
    counts = charts["series"][:, ROWS]
    charts["series"][:, FIRST_ROW] = np.cumsum(counts) - counts
