"""Many signals aligned and grouped at once: row by row what is done to one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.distance import Aligned, align, align_all, coarsen, group_all, grouped
from detectors.sketch import NumericSummary

CELLS = st.dictionaries(st.integers(-40, 40), st.one_of(st.integers(1, 9), st.integers(1, 10**12)), max_size=60)
PAIRS = st.lists(st.tuples(CELLS, CELLS), max_size=6)


def summary(counts: dict[int, int]) -> NumericSummary:
    cells = np.array(sorted(counts), dtype=np.int32)
    summary_of_cells = NumericSummary.empty()
    summary_of_cells.cells, summary_of_cells.counts = (
        cells,
        np.array([counts[cell] for cell in cells.tolist()], dtype=np.int64),
    )
    return summary_of_cells


@settings(deadline=None)  # the first example compiles
@given(PAIRS)
def test_each_row_is_the_pair_aligned_by_itself(pairs: list[tuple[dict[int, int], dict[int, int]]]) -> None:
    sides = [(summary(a), summary(b)) for a, b in pairs]
    aligned = align_all([a for a, _ in sides], [b for _, b in sides])
    for row, (a, b) in enumerate(sides):
        width = aligned.widths[row]
        actual = [matrix[row, :width].tolist() for matrix in aligned[:3]]
        assert actual == [part.tolist() for part in align(a, b)]
        assert not aligned.reference[row, width:].any()
        assert not aligned.current[row, width:].any()
    assert aligned.cells.shape == (len(sides), max(aligned.widths, default=0))


@settings(deadline=None)
@given(PAIRS, st.sampled_from([1, 2, 7, 20]))
def test_each_row_is_grouped_as_it_is_by_itself(
    pairs: list[tuple[dict[int, int], dict[int, int]]], max_groups: int
) -> None:
    aligned = align_all([summary(a) for a, _ in pairs], [summary(b) for _, b in pairs])
    sides = group_all(aligned, max_groups)
    widths = []
    for row, width in enumerate(aligned.widths.tolist()):
        groups = coarsen(aligned.reference[row, :width], max_groups)
        for matrix, counts in zip(sides, (aligned.reference, aligned.current), strict=True):
            expected = grouped(counts[row, :width], groups).tolist()
            assert matrix[row].tolist() == expected + [0] * (matrix.shape[1] - len(expected))
            widths.append(len(expected))
    assert {matrix.shape for matrix in sides} == {(len(pairs), max(widths, default=0))}


def test_groups_need_a_least_mass() -> None:
    nothing = np.zeros((1, 2), dtype=np.int64)
    with pytest.raises(ValueError, match="at least 1, not 0"):
        group_all(Aligned(nothing, nothing, nothing, np.array([2])), 0)
