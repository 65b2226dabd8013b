"""Before a comparison: cells of two summaries are aligned, and merged into groups that hide nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.distance import align, coarsen, coarsen_names, grouped
from detectors.distance.compare import compare
from detectors.sketch.category import CategoryLayout, summarize
from detectors.sketch.numeric import NumericFold, NumericSummary, quantile_layout, universal_layout

compiled = settings(deadline=None)
counts_of_cells = st.lists(st.one_of(st.just(0), st.integers(0, 100)), min_size=1, max_size=60)


@compiled
@given(counts_of_cells, st.integers(1, 30))
def test_groups_are_runs_of_cells_and_few(counts: list[int], max_groups: int) -> None:
    groups = coarsen(counts, max_groups)
    assert groups[0] == 0
    assert set(np.diff(groups).tolist()) <= {0, 1}
    assert groups[-1] + 1 <= 2 * max_groups + 3


@compiled
@given(counts_of_cells, st.integers(1, 30))
def test_a_heavy_cell_stands_alone(counts: list[int], max_groups: int) -> None:
    groups = coarsen(counts, max_groups)
    for cell, count in enumerate(counts):
        if count and count * max_groups >= sum(counts):
            assert (groups == groups[cell]).sum() == 1


@compiled
@given(counts_of_cells, st.integers(1, 30))
def test_a_light_group_is_outside_the_baseline_or_has_nothing_light_beside_it(
    counts: list[int], max_groups: int
) -> None:
    groups = coarsen(counts, max_groups)
    mass = grouped(counts, groups)
    if not mass.any():
        return
    first_group, last_group = np.flatnonzero(mass)[[0, -1]]
    sizes = np.bincount(groups)
    heavy_alone = [size == 1 and share * max_groups >= sum(counts) for size, share in zip(sizes, mass, strict=True)]
    for group in range(first_group, last_group + 1):
        if mass[group] * max_groups < sum(counts):
            assert all(heavy_alone[beside] for beside in (group - 1, group + 1) if first_group <= beside <= last_group)


@compiled
@given(counts_of_cells)
def test_cells_outside_the_baseline_never_share_a_group_with_it(counts: list[int]) -> None:
    groups = coarsen(counts)
    occupied = np.flatnonzero(counts)
    if occupied.size:
        inside = set(groups[occupied[0] : occupied[-1] + 1].tolist())
        assert inside.isdisjoint(groups[: occupied[0]].tolist())
        assert inside.isdisjoint(groups[occupied[-1] + 1 :].tolist())


@compiled
@given(counts_of_cells, st.integers(1, 30))
def test_grouping_keeps_the_total(counts: list[int], max_groups: int) -> None:
    for groups in (coarsen(counts, max_groups), coarsen_names(counts, max_groups)):
        matrix = np.array([counts, counts[::-1]])
        assert grouped(matrix, groups).sum(axis=1).tolist() == [sum(counts)] * 2
        assert grouped(counts, groups).tolist() == grouped(matrix, groups)[0].tolist()


@pytest.mark.parametrize("name", ["psi", "jensen_shannon", "ks", "chi_squared"])
@pytest.mark.parametrize("heavy", [False, True])
def test_values_beyond_the_baseline_show_up_even_if_they_replace_the_cell_beside_them(name: str, heavy: bool) -> None:
    reference = np.array([0, 900 if heavy else 100, 50, 400, 450, 0])
    current = np.array([reference[1] // 3, reference[1] - reference[1] // 3, 50, 400, 450, 0])
    groups = coarsen(reference)
    result = compare(name, grouped(reference[None], groups), grouped(current[None], groups))
    assert result.effect[0] > 0.03
    # One value in thirty that moves is no surprise to KS, which is made for shifts of the bulk.
    assert name == "ks" or result.p_value[0] < 1e-6


def test_a_value_beyond_every_baseline_value_is_seen_from_summaries() -> None:
    baseline = np.random.default_rng(0).normal(size=5000)
    top = np.quantile(baseline, 0.95)
    moved = np.where(baseline > top, 1000.0, baseline)
    for layout in (quantile_layout(baseline), universal_layout()):
        fold = NumericFold([layout])
        fold.ensure(2)
        fold.fold(np.repeat([0, 1], 5000), np.concatenate((baseline, moved))[None])
        cells, old, new = align(fold.take(0)[0], fold.take(1)[0])
        groups = coarsen(old)
        assert layout.ids([1000.0])[0] in cells
        result = compare("psi", grouped(old[None], groups), grouped(new[None], groups))
        assert result.effect[0] > 0.1


def test_an_empty_baseline_is_one_group() -> None:
    assert coarsen([0, 0, 0]).tolist() == [0, 0, 0]
    assert coarsen([]).tolist() == []


def test_rare_names_are_grouped_by_how_often_they_occur_and_all_others_are_one_group() -> None:
    assert coarsen_names([100, 1, 0, 100, 1, 0, 0]).tolist() == [0, 2, 3, 1, 2, 3, 3]
    assert coarsen_names([100, 1, 3, 100, 2, 7, 5]).tolist() == [0, 2, 3, 1, 3, 4, 5]
    assert coarsen_names([0, 0]).tolist() == [1, 1]


@pytest.mark.parametrize("group", [coarsen, coarsen_names])
def test_impossible_counts_are_refused(group: object) -> None:
    for counts, max_groups in ((np.ones((2, 2)), 5), ([-1, 2], 5), ([1, 2], 0)):
        with pytest.raises(ValueError, match=r"\w"):
            group(counts, max_groups)  # type: ignore[operator]


def test_groups_of_other_cells_are_refused() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        grouped([1, 2, 3], np.array([0, 1]))


def summary(cells: dict[int, int]) -> NumericSummary:
    ids = np.array(sorted(cells), dtype=np.int32)
    counts = np.array([cells[cell] for cell in sorted(cells)], dtype=np.int64)
    return NumericSummary(int(counts.sum()), 0, 0, 0, ids, counts, 0, 0, 0.0, 0.0)


some_cells = st.dictionaries(st.integers(-50, 50), st.integers(1, 99), max_size=20)


@compiled
@given(some_cells, some_cells)
def test_aligned_counts_are_those_of_each_summary(a: dict[int, int], b: dict[int, int]) -> None:
    cells, old, new = align(summary(a), summary(b))
    assert cells.tolist() == sorted({*a, *b})
    assert old.tolist() == [a.get(cell, 0) for cell in cells.tolist()]
    assert new.tolist() == [b.get(cell, 0) for cell in cells.tolist()]


names = st.dictionaries(st.sampled_from([*"abcdefghij"]), st.integers(1, 9), max_size=10)


@given(names, names, st.integers(0, 6))
def test_aligned_names_are_counted_exactly_on_both_sides(a: dict[str, int], b: dict[str, int], sample: int) -> None:
    layout = CategoryLayout(known=("a", "b"), sample=sample)
    aligned, old, new = align(summarize(layout, a), summarize(layout, b))
    # Each side alone keeps other names than both together; a name that one side has dropped must not look gone.
    assert old.tolist() == [*(a.get(name, 0) for name in aligned), sum(a.values()) - old[:-1].sum()]
    assert new.tolist() == [*(b.get(name, 0) for name in aligned), sum(b.values()) - new[:-1].sum()]
    assert (old.sum(), new.sum()) == (sum(a.values()), sum(b.values()))


def test_what_cannot_be_aligned_is_refused() -> None:
    layout = CategoryLayout()
    with pytest.raises(ValueError, match="different layouts"):
        align(summarize(layout, {}), summarize(CategoryLayout(sample=1), {}))
    with pytest.raises(TypeError, match="cannot align"):
        align(summarize(layout, {}), NumericSummary.empty())  # type: ignore[call-overload]
