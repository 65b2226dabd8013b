"""What JSON means is what orjson and msgspec say it means; where we are more lenient, this file says so."""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from detectors.sketch.category import INVALID
from monitor.decoders import JsonDecoder
from monitor.decoders.document import is_tame
from monitor.decoders.values import MAX_NAME
from tests.decoders.plans import plan, records
from tests.decoders.test_both_ways import messages

SCHEMA = {
    "id": "id",
    "features": {
        "n": "numeric",
        "inner": {"type": "numeric", "path": "f.x"},
        "c": "category",
        "deep": {"type": "category", "path": "f.g"},
    },
}
DECODERS = [JsonDecoder([plan(SCHEMA)]), JsonDecoder([plan(SCHEMA)], fast=False)]
REFUSED = object()


@settings(max_examples=300, deadline=None)
@given(messages())
@example(b'{"n": 1, "n": 2, "c": "a", "c": "\\u0062"}')
@example(b'{"n": -0, "f": {"x": -0.0}}')
@example(b'{"n": 0.30000000000000004, "f": {"x": 123456789012345678901234567890}}')
@example(b'{"n": 2.2250738585072011e-308, "f": {"x": 1.7976931348623157e308}}')
@example(b'{"n": 1e309}')
@example(b'{"c": "\\ud83d\\ude00\\n\\/", "id": "\xc3\xa4"}')
@example(b'{"c": "\xed\xa0\x80"}')
@example(b'{"id": ["\\ud800"], "id": {}}')
@example(b'\n\t{ "n" :\r1 , "f" : { "x" : [ { } ] , "g" : "y" } }\n')
@example(b'{"n": 12')
@example(b'{"n": "12", "c": {"a": []}, "f": 3, "id": 1.0}')
@example(b'{"id": 18446744073709551616, "c": -9223372036854775809}')
@pytest.mark.parametrize("decoder", DECODERS, ids=["scanned", "parsed"])
def test_a_message_that_both_peers_read_has_the_values_that_they_read(decoder: JsonDecoder, payload: bytes) -> None:
    assume(is_tame(payload))  # deeper nesting we refuse, the peers at other depths
    documents = [_read(orjson.loads, payload), _read(msgspec.json.decode, payload)]
    decoded = decoder.decode(records([payload]))
    events = decoded.events.get("m")

    if any(isinstance(document, dict) for document in documents):
        assert events is not None
        assert events.ids is not None
        found = {
            "id": events.ids[0],
            "numbers": [_bits(x) for x in events.numeric[:, 0].tolist()],
            "names": [column[0] for column in events.category],
        }
        # Only integers beyond 64 bits and what overflows to infinity do the peers read differently from each other.
        assert found in [_expected(document) for document in documents if isinstance(document, dict)]
    elif all(document is not REFUSED for document in documents):
        assert [problem.reason for _, problem in decoded.problems] == ["not_an_object"]
    elif events is not None:
        # We read NaN, Infinity, numbers beyond any double and halves of surrogate pairs, which Python writes.
        json.loads(payload, parse_int=float)
        with pytest.raises((ValueError, UnicodeEncodeError)):
            _strict(payload)


@settings(max_examples=200, deadline=None)
@given(
    st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(-(2**63), 2**64 - 1)
    | st.decimals(allow_nan=False, allow_infinity=False, places=20).map(float).filter(math.isfinite)
)
def test_numbers_are_read_to_the_bit_as_the_peers_read_what_they_write(x: float) -> None:
    for written in (json.dumps({"n": x}).encode(), orjson.dumps({"n": x}), msgspec.json.encode({"n": x})):
        (found,) = DECODERS[0].decode(records([written])).events["m"].numeric[0].tolist()
        assert (
            _bits(found) == _bits(float(orjson.loads(written)["n"])) == _bits(float(msgspec.json.decode(written)["n"]))
        )


def _read(loads: Any, payload: bytes) -> Any:
    try:
        return loads(payload)
    except (ValueError, msgspec.MsgspecError, RecursionError):
        return REFUSED


def _strict(payload: bytes) -> None:
    """Raise for what the standard alone does not allow, or no double or text can hold."""

    def refuse(name: str) -> float:
        raise ValueError(name)

    def finite(written: str) -> float:
        x = float(written)
        if not math.isfinite(x):
            raise ValueError(written)
        return x

    # As pairs, since of a field that is there twice a dictionary holds the last.
    written = json.loads(payload, parse_constant=refuse, parse_float=finite, parse_int=finite, object_pairs_hook=list)
    json.dumps(written, ensure_ascii=False).encode()


def _expected(document: dict[str, Any]) -> dict[str, Any]:
    inner = document.get("f")
    below = inner if isinstance(inner, dict) else {}
    # A field of something that is no object is there, but is not what it should be.
    astray: dict[str, Any] = {} if isinstance(inner, dict) or inner is None else {"x": [], "g": []}
    of = [document.get("n"), {**below, **astray}.get("x")]
    names = [document.get("c"), {**below, **astray}.get("g")]
    identity = document.get("id")
    return {
        "id": _text(identity) or None,
        "numbers": [_bits(_number(x)) for x in of],
        "names": [_name(x) for x in names],
    }


def _text(value: object) -> str | None:
    if isinstance(value, float) and value.is_integer() and abs(value) <= 2**53:
        value = int(value)
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None


def _number(value: object) -> float:
    if value is None:
        return math.nan
    if not isinstance(value, (bool, int, float)):
        return math.inf
    try:
        x = float(value)
    except OverflowError:
        return math.inf
    return x if math.isfinite(x) else math.inf


def _name(value: object) -> object:
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    name = _text(value)
    return INVALID if name is None or len(name) > MAX_NAME else name


def _bits(x: float) -> str:
    return "nan" if math.isnan(x) else x.hex()
