"""Several sketches of the same vectors side by side: one summary, of which each distance takes its part."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt

from detectors.kernel import kernel
from detectors.sketch.vector import VectorFold, VectorLayout, VectorSummary, counted

__all__ = ["VECTOR", "JointFold", "JointLayout"]

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

VECTOR = "vector-"
"""What the ids of layouts of vectors begin with."""


@dataclass(frozen=True, eq=False)
class JointLayout:
    """What of a vector is summed for each of some distances. Two windows are comparable if their layouts are equal.

    Parameters
    ----------
    dimension
        Coordinates of a vector.
    parts
        The layout of each distance, by its name; none where vectors are only counted.

    Raises
    ------
    ValueError
        If a part is for vectors of another dimension.

    Examples
    --------
    >>> from detectors.sketch.moments import MomentsLayout
    >>> layout = JointLayout(3, {"reconstruction": MomentsLayout.plain(3)})
    >>> layout.size, layout.id
    (9, 'vector-8263b37005851fa3')
    """

    dimension: int
    parts: Mapping[str, VectorLayout]

    def __post_init__(self) -> None:
        for name, part in self.parts.items():
            if part.dimension != self.dimension:
                raise ValueError(f"{name}: a layout for {part.dimension} coordinates, not {self.dimension}")

    @property
    def size(self) -> int:
        """How many sums there are."""
        return sum(part.size for part in self.parts.values())

    @cached_property
    def id(self) -> str:
        """``vector-`` and sixteen hexadecimal digits that depend on everything in the layout."""
        described = {name: part.to_dict() for name, part in self.parts.items()}
        content = json.dumps([self.dimension, described], sort_keys=True)
        return f"{VECTOR}{blake2b(content.encode(), digest_size=8).hexdigest()}"

    @cached_property
    def places(self) -> dict[str, slice]:
        """Where the sums of each part stand."""
        ends = np.cumsum([part.size for part in self.parts.values()], dtype=np.int64).tolist()
        return {name: slice(end - part.size, end) for (name, part), end in zip(self.parts.items(), ends, strict=True)}

    def part(self, name: str, summary: VectorSummary) -> VectorSummary:
        """Return what a summary says to one of the parts."""
        return VectorSummary(summary.n, summary.missing, summary.invalid, summary.sums[self.places[name]])

    def empty(self) -> VectorSummary:
        """Return the summary of no vectors."""
        return VectorSummary(0, 0, 0, np.zeros(self.size, dtype=np.int64))

    def __eq__(self, other: object) -> bool:
        return self.id == other.id if isinstance(other, JointLayout) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.id)


class JointFold:
    """Sums of vectors in many rows, folded from batches: a `detectors.sketch.vector.VectorFold` for each part.

    Parameters
    ----------
    layout : JointLayout

    Examples
    --------
    >>> from detectors.sketch.moments import MomentsLayout
    >>> fold = JointFold(JointLayout(2, {"reconstruction": MomentsLayout.plain(2)}))
    >>> fold.ensure(1)
    >>> fold.fold(np.array([0, 0]), np.array([[1.0, 2.0], [np.inf, 0.0]]))
    >>> summary = fold.take(0)
    >>> summary.n, summary.invalid, summary.sums.size
    (1, 1, 5)
    """

    def __init__(self, layout: JointLayout) -> None:
        self.layout = layout
        parts: Sequence[VectorLayout] = list(layout.parts.values()) or [_NoSums(layout.dimension)]
        self._folds = [VectorFold(part) for part in parts]

    def ensure(self, rows: int) -> None:
        """Make room for rows 0 … `rows` - 1; new rows are empty."""
        for fold in self._folds:
            fold.ensure(rows)

    def fold(self, rows: Integers, x: Floats) -> None:
        """Add a batch, float64[n, dimension]; how it is cut and ordered changes no bit of any summary."""
        for fold in self._folds:
            fold.fold(rows, x)

    def take(self, row: int) -> VectorSummary:
        """Return the summary of a row, and empty the row for its next use."""
        taken = [fold.take(row) for fold in self._folds]
        first = taken[0]
        return VectorSummary(first.n, first.missing, first.invalid, np.concatenate([part.sums for part in taken]))

    def snapshot(self, rows: Sequence[int]) -> list[dict[str, Integers]]:
        """Return the content of some rows as arrays."""
        return [fold.snapshot(rows) for fold in self._folds]

    def restore(self, rows: Sequence[int], snapshot: Sequence[Mapping[str, Any]]) -> None:
        """Put a snapshot into rows, the first of it into the first of them; what they held is dropped.

        Raises
        ------
        ValueError
            If the snapshot is not of such a fold and as many rows.
        """
        for fold, saved in zip(self._folds, snapshot, strict=True):
            fold.restore(rows, saved)


@dataclass(frozen=True)
class _NoSums:
    """Vectors are counted, and nothing of them is summed."""

    dimension: int
    size: int = 0

    def add(self, rows: Integers, x: Floats, counts: Integers, sums: Integers) -> None:
        """See `detectors.sketch.vector.VectorLayout`."""
        _count(rows, x, counts)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-able description."""
        return {"kind": "none", "dimension": self.dimension}


@kernel
def _count(rows: Integers, x: Floats, counts: Integers) -> None:
    for i in range(rows.size):
        counted(rows[i], x[i], counts)
