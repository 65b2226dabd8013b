"""Byte strings in one buffer are the strings that were packed."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.packed import Packed, Texts

ITEMS = st.lists(st.none() | st.binary(max_size=6), max_size=12)


@settings(deadline=None)
@given(ITEMS, st.slices(12))
def test_what_was_packed_comes_out_again_whole_and_in_slices(items: list[bytes | None], part: slice) -> None:
    packed = Packed.of(items)
    assert list(packed) == items
    assert [packed[index] for index in range(len(packed))] == items
    assert list(packed[part]) == items[part]
    assert packed.total_bytes == sum(map(len, filter(None, items)))


@settings(deadline=None)
@given(ITEMS)
def test_a_byte_0_follows_each_of_them(items: list[bytes | None]) -> None:
    packed = Packed.of(items)
    ends = packed.starts + np.maximum(packed.lengths, 0)
    assert {packed.buffer[end] for end in ends.tolist()} <= {0}


def test_those_taken_lie_in_the_same_buffer() -> None:
    packed = Packed.of([b"a", None, b"c"])
    taken = packed.take([2, 1])
    assert list(taken) == [b"c", None]
    assert taken.buffer is packed.buffer


TEXTS = st.lists(st.none() | st.text(max_size=4), max_size=12)


@settings(deadline=None)
@given(ITEMS, st.slices(12))
def test_a_buffer_of_their_own_holds_the_same(items: list[bytes | None], part: slice) -> None:
    compact = Packed.of(items)[part].compact()
    assert list(compact) == items[part]
    assert len(compact.buffer) == compact.total_bytes + len(compact)


@settings(deadline=None)
@given(TEXTS, TEXTS, st.slices(12))
def test_texts_are_the_texts_that_were_packed(one: list[str | None], two: list[str | None], part: slice) -> None:
    texts = Texts.of(one)
    assert texts == one
    assert texts[part] == one[part]
    assert Texts.joined([texts[part], Texts.of(two)]) == one[part] + two
    assert texts.present.tolist() == [text is not None for text in one]
