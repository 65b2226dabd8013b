"""The scanner: what it reads is what the standard library reads, and it reads what producers write."""

from __future__ import annotations

import json
import math
import random
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from monitor.decoders.scan import Keys, Scanned, scan
from monitor.decoders.scan_kernel import CHILD, NUMBER, SCALAR
from monitor.decoders.shape import Columns, Shape
from monitor.packed import Packed

KEYS = Keys.of([{"x": (NUMBER, 0), "name": (SCALAR, 1), "f": (CHILD, 1)}, {"y": (NUMBER, 2)}], 3)
SHAPE = Shape({("x",): {"number"}, ("name",): {"text"}, ("f", "y"): {"number"}})

numbers = st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(-(2**70), 2**70))
others = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text("abc", max_size=2), inner, max_size=3)
    ),
    max_leaves=6,
)
scalars = st.one_of(st.none(), st.booleans(), numbers, st.text(max_size=12))
events = st.fixed_dictionaries(
    {},
    optional={
        "x": st.one_of(st.none(), st.booleans(), numbers),
        "name": scalars,
        "f": st.fixed_dictionaries({}, optional={"y": numbers, "z": others}),
        "other": others,
    },
)


def scanned(*payloads: bytes) -> Scanned:
    return scan(KEYS, payloads, 10_000)


def _number(value: Any) -> str:
    return "nan" if value is None else float(value).hex()


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(events, st.permutations(["x", "name", "f", "other"])), max_size=8),
    st.sampled_from([None, 2]),
    st.booleans(),
)
def test_what_python_writes_is_scanned_and_read_as_python_reads_it(
    given: list[tuple[dict[str, Any], list[str]]], indent: int | None, ascii_only: bool
) -> None:
    documents = [{key: event[key] for key in order if key in event} for event, order in given]
    payloads = [json.dumps(document, indent=indent, ensure_ascii=ascii_only) for document in documents]

    found = scan(SHAPE.keys, [payload.encode() for payload in payloads], 10_000)

    assert found.ok.all()
    columns = Columns(SHAPE, found, {})
    assert columns.coded(("name",)).tolist() == [document.get("name") for document in documents]
    assert list(map(type, columns.coded(("name",)))) == [type(document.get("name")) for document in documents]
    read = columns.numbers([("x",), ("f", "y")])
    assert ["nan" if math.isnan(x) else x.hex() for x in read[0].tolist()] == [_number(d.get("x")) for d in documents]
    inner = [document.get("f", {}).get("y") for document in documents]
    assert ["nan" if math.isnan(x) else x.hex() for x in read[1].tolist()] == [_number(value) for value in inner]


def test_numbers_of_any_length_are_read_to_the_last_bit() -> None:
    rng = random.Random(1)
    written = [repr(rng.gauss(0, 1)) for _ in range(5_000)]
    written += [repr(rng.uniform(0, 10.0 ** rng.randrange(-20, 20))) for _ in range(5_000)]
    written += [
        f"{rng.getrandbits(70)}.{rng.getrandbits(rng.randrange(1, 70))}e{rng.randrange(-9, 9)}" for _ in range(5_000)
    ]
    # Halfway between two doubles: 2**53 + 1, and the same in tenths of thousandths.
    written += [
        "9007199254740993.0",
        "9007199254740993",
        "900719925474099.30",
        "0.1",
        "0.30000000000000004",
        "0.0",
        "-0.0",
    ]
    written += [f"{(1 << 53) + 2 * n + 1}.{'0' * zeros}" for n in range(50) for zeros in range(1, 6)]

    found = scanned(*(f'{{"x": {number}}}'.encode() for number in written))

    assert found.ok.all()
    assert [x.hex() for x in found.values[0].tolist()] == [float(number).hex() for number in written]


def test_what_needs_a_closer_look_is_left_to_the_parser() -> None:
    odd = [
        b'{"x": 1, "x": 2}',
        b'{"\\u0078": 1}',
        b'{"x": Nan}',
        b'{"x": -NaN}',
        b'{"x": --Infinity}',
        b'{"x": 01}',
        b'{"x": 1e999}',
        b'{"x": ' + b"9" * 400 + b"}",
        b'{"name": "\\ud800"}',
        b'{"name": "a\tb"}',
        b'{"name": ["a"]}',
        b'{"f": null}',
        b'{"f": 3}',
        b'{"other": ' + b"[" * 40 + b"]" * 40 + b"}",
        b'{"x": 1} {}',
        b'{"x": 1',
        b'{"x": 1,}',
        b'{"x"',
        b'{"x',
        b"[]",
        b"",
        b'{"name": "\xff"}',
        b'\xef\xbb\xbf{"x": 1}',
        b'{"x": 1, "name": "' + b"x" * 10_000 + b'"}',
        b'{"x": 1}\x00',
    ]
    assert not scanned(*odd).ok.any()


def test_what_is_no_number_is_scanned_as_one_that_cannot_be_used() -> None:
    found = scanned(
        b'{"x": "1"}', b'{"x": NaN, "y": NaN}', b'{"x": -Infinity}', b'{"x": "\\n", "y": [Infinity]}', b'{"x": ""}'
    )
    assert found.ok.all()
    assert set(found.values[0].tolist()) == {math.inf}
    assert [found.bytes_at(0, row) for row in range(5)] == [b"1", b"NaN", b"-Infinity", b"\\n", b""]


def test_a_message_that_is_not_scanned_leaves_its_neighbours_alone() -> None:
    found = scanned(b'{"x": 1, "name": "a"}', b'{"x": 2, "na', b'{"x": 3, "name": "\xff"}', b'{"x": 4, "f": {"y": 5}}')

    assert found.ok.tolist() == [True, False, False, True]
    assert found.values[0, [0, 3]].tolist() == [1.0, 4.0]
    assert math.isnan(found.values[2, 0])
    assert found.values[2, 3] == 5.0


def test_few_and_many_different_texts_are_read_alike() -> None:
    few = [json.dumps({"name": f"name {number % 3}"}).encode() for number in range(1000)]
    many = [json.dumps({"name": f"näme {number}"}, ensure_ascii=False).encode() for number in range(1000)]

    for payloads in (few, many, [*few, *many]):
        columns = Columns(SHAPE, scan(SHAPE.keys, payloads, 10_000), {})
        assert columns.coded(("name",)).tolist() == [json.loads(payload)["name"] for payload in payloads]


@settings(deadline=None)
@given(st.lists(st.binary(max_size=6) | st.text(max_size=3).map(str.encode), max_size=6))
@example(
    [b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\x80", b"\xe0\x9f\xbf", b"\xf0\x8f\xbf\xbf", b"\xc3", b"\xe2\x82"]
)
def test_only_messages_that_are_utf_8_are_scanned(texts: list[bytes]) -> None:
    payloads = [b'{"other": "' + text.translate(None, PLAIN) + b'"}' for text in texts]

    assert scanned(*payloads).ok.tolist() == [_is_utf8(payload) for payload in payloads]


def test_bytes_between_messages_do_not_matter() -> None:
    packed = Packed.of([b'{"x": 1}', b"\xff\xfe", b'{"x": 2}'])

    found = scan(KEYS, packed.take([0, 2]), 100)

    assert found.ok.all()
    assert found.values[0].tolist() == [1.0, 2.0]


def test_a_key_that_only_begins_like_the_expected_one_is_another() -> None:
    messages = [b'{"x": 1, "name": "a"}', b'{"x1": 2, "name": "b"}', b'{"x": 3, "nam": "c"}', b'{"": 1, "name": "d"}']

    found = scan(SHAPE.keys, messages, 100)

    assert found.ok.all()
    columns = Columns(SHAPE, found, {})
    assert columns.numbers([("x",)])[0, [0, 2]].tolist() == [1.0, 3.0]
    assert columns.coded(("name",)) == ["a", "b", None, "d"]


PLAIN = bytes(range(0x20)) + b'"\\'
"""What a text may not hold as it is."""


def _is_utf8(payload: bytes) -> bool:
    try:
        payload.decode()
    except UnicodeDecodeError:
        return False
    return True
