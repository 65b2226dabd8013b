"""Category sketches: exact counts of what is kept, and the same names kept however the events are split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.sketch.category import (
    INVALID,
    CategoryFold,
    CategoryLayout,
    CategorySummary,
    Invalid,
    name_hash,
    sum_categories,
    summarize,
)

LAYOUTS = (
    CategoryLayout(known=("a", "b", "never")),
    CategoryLayout(known=("a",), sample=3),
    CategoryLayout(sample=1),
    CategoryLayout(known=("a", ""), sample=0),
)
Value = str | None | Invalid
values = st.one_of(
    st.sampled_from(["a", "b", "", None, INVALID, "\ud800", "Ω"]),
    st.integers(0, 30).map(str),
    st.text(st.characters(codec=None), max_size=3),
)
batches = st.lists(values, max_size=60)
# The first example waits for the compiler.
compiled = settings(deadline=None)


def by_hand(layout: CategoryLayout, column: Sequence[Value]) -> CategorySummary:
    """The obvious twin of the fold: all names at once, sorted by hash."""
    counts = Counter(value for value in column if isinstance(value, str))
    unknown = sorted(set(counts) - set(layout.known), key=lambda name: (name_hash(name), name))
    sampled = sorted({*(set(counts) & set(layout.known)), *unknown[: layout.sample]})
    return CategorySummary(
        n=counts.total(),
        missing=sum(value is None for value in column),
        invalid=sum(value is INVALID for value in column),
        names=tuple(sampled),
        counts=np.array([counts[name] for name in sampled], dtype=np.int64),
        other=counts.total() - sum(counts[name] for name in sampled),
        layout=layout,
    )


def folded(column: Sequence[Value], rows: Sequence[int] | None = None, size: int = 1) -> CategoryFold:
    fold = CategoryFold(LAYOUTS)
    fold.ensure(size)
    add(fold, column, [0] * len(column) if rows is None else rows)
    return fold


def add(fold: CategoryFold, column: Sequence[Value], rows: Sequence[int]) -> None:
    fold.fold(np.array(rows, dtype=np.int64), [column] * len(fold.layouts))


@compiled
@given(batches)
def test_a_fold_counts_what_is_counted_by_hand(column: list[Value]) -> None:
    assert folded(column).peek(0) == [by_hand(layout, column) for layout in LAYOUTS]


@compiled
@given(st.lists(st.tuples(values, st.integers(0, 3)), max_size=60), st.randoms(use_true_random=False))
def test_events_may_be_split_and_ordered_anyhow(events: list[tuple[Value, int]], random: object) -> None:
    together = folded([value for value, _ in events])
    random.shuffle(events)  # type: ignore[attr-defined]
    parts = folded([value for value, _ in events], [row for _, row in events], size=4)
    taken = [parts.take(row) for row in range(4)]
    assert [sum_categories(of_feature) for of_feature in zip(*taken, strict=True)] == together.peek(0)


@compiled
@given(batches, batches, batches)
def test_addition_is_associative_and_commutative(a: list[Value], b: list[Value], c: list[Value]) -> None:
    for x, y, z in zip(*(folded(column).take(0) for column in (a, b, c)), strict=True):
        assert (x + y) + z == x + (y + z) == sum_categories([z, x, y])
        assert x + y == y + x
        assert x + summarize(x.layout, {}) == x


@compiled
@given(batches, st.lists(st.integers(0, 60), max_size=5))
def test_a_batch_may_be_cut_anywhere(column: list[Value], cuts: list[int]) -> None:
    fold = folded([])
    for start, stop in pairwise([0, *sorted(cuts), len(column)]):
        add(fold, column[start:stop], [0] * len(column[start:stop]))
    assert fold.peek(0) == folded(column).peek(0)


def test_a_column_of_ids_gives_the_same_summary_in_any_order_and_in_any_parts() -> None:
    rng = np.random.default_rng(0)
    names = [f"user-{i}" for i in rng.zipf(1.2, size=30_000) % 20_000]
    layout = CategoryLayout(known=("user-1", "user-7"), sample=64)
    expected = by_hand(layout, names)
    assert expected.other > 0
    for seed in range(3):
        shuffled = [names[i] for i in np.random.default_rng(seed).permutation(len(names))]
        fold = CategoryFold([layout])
        fold.ensure(5)
        rows = np.random.default_rng(seed).integers(0, 5, len(names))
        for start in range(0, len(names), 7001):
            fold.fold(rows[start : start + 7001], [shuffled[start : start + 7001]])
        parts = [fold.take(row)[0] for row in range(5)]
        assert sum_categories(parts) == expected


def test_a_name_that_comes_back_after_it_was_dropped_counts_as_other() -> None:
    layout = CategoryLayout(sample=2)
    names = [str(i) for i in range(20_000)]
    twice = names + names[:10_000]
    fold = CategoryFold([layout])
    fold.ensure(2)
    for start in range(0, len(twice), 1000):
        fold.fold(np.zeros(1000, dtype=np.int64), [twice[start : start + 1000]])
    # Another row has seen few names: it still counts one by one what the first has dropped.
    fold.fold(np.ones(2, dtype=np.int64), [["19999", "5"]])
    assert fold.take(0)[0] == by_hand(layout, twice)
    assert fold.take(1)[0] == by_hand(layout, ["19999", "5"])


def test_memory_does_not_follow_the_number_of_ids() -> None:
    fold = CategoryFold([CategoryLayout(sample=16)])
    fold.ensure(2)
    column = fold._columns[0]
    for turn in range(40):
        names = [f"{turn}-{i}" for i in range(2000)]
        fold.fold(np.arange(2000) % 2, [names])
        if turn % 10 == 9:
            fold.take(turn % 2)
    assert len(column._codes) < 12_000
    assert len(column._codes.names) < 12_000
    assert column._entries.shape[0] <= 4096


def test_taking_a_row_empties_it_and_no_other() -> None:
    fold = folded(["a", "b", None, "c"], rows=[0, 1, 0, 0], size=2)
    sampled = fold.peek(1)
    assert fold.take(0) == [by_hand(layout, ["a", None, "c"]) for layout in LAYOUTS]
    assert fold.take(0) == [by_hand(layout, []) for layout in LAYOUTS]
    add(fold, ["d", "d"], [0, 0])
    assert fold.take(0) == [by_hand(layout, ["d", "d"]) for layout in LAYOUTS]
    assert fold.peek(1) == sampled


@compiled
@given(st.lists(st.tuples(values, st.integers(0, 2)), max_size=60), batches, batches)
def test_a_snapshot_restores_rows_elsewhere_and_they_go_on(
    events: list[tuple[Value, int]], earlier: list[Value], later: list[Value]
) -> None:
    fold = folded([value for value, _ in events], [row for _, row in events], size=3)
    snapshot = fold.snapshot([2, 0])
    other = folded(earlier, [1] * len(earlier), size=5)
    other.restore([1, 4], snapshot)
    again = other.snapshot([1, 4])
    assert {key: array.tobytes() for key, array in again.items()} == {
        key: array.tobytes() for key, array in snapshot.items()
    }
    add(other, later, [4] * len(later))
    assert other.peek(4) == folded([*(value for value, row in events if row == 0), *later]).peek(0)


def test_a_snapshot_of_other_features_is_refused() -> None:
    snapshot = folded(["a"]).snapshot([0])
    fold = CategoryFold(LAYOUTS[:2])
    fold.ensure(1)
    with pytest.raises(ValueError, match="does not fit"):
        fold.restore([0], snapshot)
    with pytest.raises(ValueError, match="room is for"):
        folded([]).restore([1], snapshot)


@pytest.mark.parametrize("rows", [[1], [-1]])
def test_a_row_without_room_is_refused(rows: list[int]) -> None:
    with pytest.raises(ValueError, match="room is for 1"):
        add(folded([]), ["a"], rows)


def test_columns_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="columns of 1 names"):
        folded([]).fold(np.zeros(1, dtype=np.int64), [["a"]])


def test_a_value_of_another_type_is_refused() -> None:
    with pytest.raises(TypeError, match="not 5"):
        folded([]).fold(np.zeros(1, dtype=np.int64), [[5]] * len(LAYOUTS))  # type: ignore[list-item]


def test_summaries_of_different_layouts_are_not_added() -> None:
    with pytest.raises(ValueError, match="one layout"):
        summarize(LAYOUTS[0], {"a": 1}) + summarize(LAYOUTS[1], {"a": 1})


def test_the_hash_of_a_name_is_the_same_in_every_process() -> None:
    # Which names stored panes hold depends on it.
    assert [name_hash(name) for name in ("", "DE", "\ud800")] == [
        16476032584258269876,
        15703480383978616970,
        4758185216457903464,
    ]
    assert CategoryLayout(("a", "b")).id == "28bdd531430754e1"


def test_layouts_with_different_content_have_different_ids() -> None:
    layouts = [CategoryLayout(), CategoryLayout(sample=5), CategoryLayout(("ab",)), CategoryLayout(("a", "b"))]
    assert len({layout.id for layout in layouts}) == 4
    assert CategoryLayout(("b", "a", "b")).id == CategoryLayout(("a", "b")).id
    with pytest.raises(ValueError, match="negative"):
        CategoryLayout(sample=-1)


def test_the_number_of_distinct_names_is_exact_while_all_are_kept_and_close_after() -> None:
    layout = CategoryLayout(known=("a",), sample=512)
    assert by_hand(layout, ["a", "b", "c", "b"]).distinct() == 3
    many = by_hand(layout, ["a", *(str(i) for i in range(50_000))])
    # The standard error is 1 / sqrt(510), 4.4 %.
    assert many.distinct() == pytest.approx(50_001, rel=0.15)


def test_the_sample_is_a_fair_one() -> None:
    names = {str(i) for i in range(4000)}
    sampled = set(summarize(CategoryLayout(sample=1000), dict.fromkeys(names, 1)).names)
    # Of any half of the names a quarter should be kept: 500 of 1000, with a standard deviation of 14.
    assert abs(len({name for name in sampled if int(name) % 2}) - 500) < 56
    assert abs(len({name for name in sampled if int(name) < 2000}) - 500) < 56
