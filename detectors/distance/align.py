"""Bring two sparse summaries onto the same cells."""

from __future__ import annotations

from typing import overload

import numpy as np
import numpy.typing as npt

from detectors.distance.matrices import align_all
from detectors.sketch.category_summary import CategorySummary, sampled
from detectors.sketch.summary import NumericSummary

Cells = npt.NDArray[np.int32]
Counts = npt.NDArray[np.int64]


@overload
def align(a: NumericSummary, b: NumericSummary) -> tuple[Cells, Counts, Counts]: ...
@overload
def align(a: CategorySummary, b: CategorySummary) -> tuple[tuple[str, ...], Counts, Counts]: ...
def align(
    a: NumericSummary | CategorySummary, b: NumericSummary | CategorySummary
) -> tuple[Cells | tuple[str, ...], Counts, Counts]:
    """Return the cells of two summaries of one layout, and the counts of each in these cells.

    Parameters
    ----------
    a, b
        Two numeric summaries or two category summaries.

    Returns
    -------
    cells
        For numbers int32[k], ascending: the cells that either has. For categories k - 1 names: those that both count
        one by one, which are the known ones and the bottom-k sample of the names of both.
    counts_a, counts_b
        int64[k]. For categories the last one is of all other names together.

    Raises
    ------
    ValueError
        If category summaries have different layouts; numeric summaries do not know theirs.
    TypeError
        If one summary is of numbers and the other of names.

    Examples
    --------
    >>> from detectors.sketch.category import CategoryLayout, summarize
    >>> layout = CategoryLayout(("a", "b"))
    >>> names, old, new = align(summarize(layout, {"a": 1}), summarize(layout, {"b": 2}, other=3))
    >>> names, old.tolist(), new.tolist()
    (('a', 'b'), [1, 0, 0], [0, 2, 3])
    """
    if isinstance(a, NumericSummary) and isinstance(b, NumericSummary):
        aligned = align_all([a], [b])
        return aligned.cells[0].astype(np.int32), aligned.reference[0], aligned.current[0]
    if isinstance(a, CategorySummary) and isinstance(b, CategorySummary):
        return _align_names(a, b)
    raise TypeError(f"cannot align {type(a).__name__} with {type(b).__name__}")


def _align_names(a: CategorySummary, b: CategorySummary) -> tuple[tuple[str, ...], Counts, Counts]:
    if a.layout != b.layout:
        raise ValueError("the summaries have different layouts")
    every = sorted({*a.names, *b.names})
    # A name in the sample of both together was counted by each side on which it occurs; of another one, a side may
    # have counted some in `other`, and it would seem to have vanished there.
    names = tuple(sorted({*sampled(a.layout, every), *(name for name in every if name in a.layout.known_set)}))
    return names, _counts_of(a, names), _counts_of(b, names)


def _counts_of(summary: CategorySummary, names: tuple[str, ...]) -> Counts:
    of_names = dict(zip(summary.names, summary.counts.tolist(), strict=True))
    counts = [of_names.get(name, 0) for name in names]
    return np.array([*counts, summary.n - sum(counts)], dtype=np.int64)
