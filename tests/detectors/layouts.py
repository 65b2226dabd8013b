"""Layouts that tests count in."""

from __future__ import annotations

import math

import numpy as np

from detectors.sketch import NumericLayout

__all__ = ["equal_cells"]


def equal_cells(low: float, high: float, cells: int = 128) -> NumericLayout:
    """Cut a range into equal cells, and one below and above, as Leeway did once; `high` is in the last inner cell."""
    width = float(high) - float(low)
    edges = np.append(low + width * (np.arange(cells) / cells), math.nextafter(float(high), math.inf))
    return NumericLayout("linear", edges, float(low), float(high), low + width / 2, width / 256)
