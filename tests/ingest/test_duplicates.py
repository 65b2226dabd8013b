"""An identity is seen once in a pane, however the events are cut."""

from __future__ import annotations

from typing import Any

import chdb
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.checkpoint import decode_state, encode_state
from monitor.ingest.duplicates import SeenIds, digests
from monitor.packed import Texts

EVENTS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 30)), max_size=200)


def test_the_hash_is_the_one_that_clickhouse_computes() -> None:
    texts = [letter * length for length in range(1, 41) for letter in ("a", "é", "\x00", "日")]
    written = ", ".join("unhex('" + text.encode().hex() + "')" for text in texts)
    expected = chdb.query(f"SELECT murmurHash2_64(arrayJoin([{written}]))", "CSV").bytes().split()

    assert digests(Texts.of(texts)).tolist() == [int(value) for value in expected]


@settings(deadline=None)
@given(EVENTS, st.integers(0, 200), st.integers(0, 3))
def test_what_came_before_in_the_same_pane_is_a_repetition(
    events: list[tuple[int, int]], cut: int, closed: int
) -> None:
    known: set[tuple[int, int]] = set()
    expected = [event in known or bool(known.add(event)) for event in events]  # type: ignore[func-returns-value]
    panes = np.array([pane for pane, _ in events], dtype=np.int64)
    found = digests(Texts.of([f"id {number}" for _, number in events]))

    seen = SeenIds()
    head = seen.repeated(panes[:cut], found[:cut]).tolist()
    resumed = SeenIds()
    resumed.restore(decode_state(encode_state(seen.snapshot())))
    tail = resumed.repeated(panes[cut:], found[cut:]) + min(cut, len(events))

    assert [*head, *tail.tolist()] == np.flatnonzero(np.array(expected, dtype=bool)).tolist()
    assert _sizes(resumed) == {str(p): len({e for e in events if e[0] == p}) for p in {p for p, _ in events}}
    resumed.forget_before(closed)
    assert all(int(pane) >= closed for pane in resumed.snapshot())


def test_a_pane_grows_to_any_number_of_identities() -> None:
    seen, count = SeenIds(), 30_000
    for first in range(0, count, 7_000):
        found = digests(Texts.of([f"{number}" for number in range(first, min(first + 7_000, count))]))
        assert not len(seen.repeated(np.zeros(len(found), dtype=np.int64), found))
    again = digests(Texts.of([f"{number}" for number in range(count)]))
    assert len(seen.repeated(np.zeros(count, dtype=np.int64), again)) == count


def _sizes(seen: SeenIds) -> dict[str, Any]:
    return {pane: len(found) for pane, found in seen.snapshot().items()}
