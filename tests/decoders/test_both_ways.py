"""The fast and the slow way through the decoder must be told apart by nothing but time."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from monitor.decoders import REASONS, Decoded, JsonDecoder
from tests.decoders.plans import plan, records

SCHEMA = {
    "id": "id",
    "version": "meta.version",
    "features": {
        "n": "numeric",
        "nested": {"type": "numeric", "path": "f.x"},
        "c": "category",
        "deep": {"type": "category", "path": "f.g.c"},
        "both": {"type": "category", "path": "n2"},
    },
    "prediction": {"p": {"type": "numeric", "path": "n2"}, "leaf": {"type": "numeric", "path": "f.g"}},
    "extra": "count",
}
PLANS = [
    plan(SCHEMA, "everything", event_time="ts"),
    plan({"features": {"c": "category"}}, "by_text", where={"c": "a"}),
    plan({"features": {"n": "numeric"}}, "by_number", where={"n": 1, "flag": True}, event_time="f.ts"),
]


FAST, FAST_TOO, SLOW = JsonDecoder(PLANS), JsonDecoder(PLANS), JsonDecoder(PLANS, fast=False)


def _object(pairs: list[tuple[str, str]]) -> str:
    return "{" + ", ".join(f'"{key}":{value}' for key, value in pairs) + "}"


KEYS = st.sampled_from(
    ["id", "meta", "version", "n", "n2", "f", "x", "g", "c", "ts", "flag", "other", "a\\u0062", "\\u006e"]
)
LITERAL_TEXTS = r"""
null true false 0 -0 -0.0 1 1.0 1e0 17 1.5 -2.25e-7 1e308 1e309 -1e400 1e-400 5e-324 NaN Infinity -Infinity 01 1. .5 +1
1e 0.1 123456789012345678 9007199254740993 0.30000000000000004 2.2250738585072011e-308 1e23 8.5e22 tru nul "" "a" "DE"
"\u00e4" "ä" "\ud83d\ude00" "\ud800" "\q" "\u12" "1.5" "NaN" 1700000000 1700000000000 1700000000.25 -1
1700000000000000 "2023-11-14T22:13:20Z" "1700000000" 99999999999999999999 [] {} [1,{}] [[
"""
LITERALS = st.sampled_from(LITERAL_TEXTS.split())
HUGE = st.sampled_from(
    ["9" * 309, "9" * 400, "9" * 5000, '"' + "x" * 256 + '"', '"' + "x" * 257 + '"', "[" * 300 + "]" * 300]
)
NUMBERS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.integers().map(str),
    st.from_regex(r"-?[0-9]{1,25}\.[0-9]{1,25}([eE][+-]?[0-9]{1,3})?", fullmatch=True),
)
VALUES: st.SearchStrategy[str] = st.recursive(
    st.one_of(LITERALS, LITERALS, NUMBERS, st.text(max_size=8).map(json.dumps), HUGE),
    lambda inner: st.one_of(
        st.lists(st.tuples(KEYS, inner), max_size=5).map(_object),
        st.lists(inner, max_size=3).map(lambda items: "[" + ",".join(items) + "]"),
    ),
    max_leaves=12,
)


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    text = _object(draw(st.lists(st.tuples(KEYS, VALUES), max_size=8)))
    payload = (
        draw(st.sampled_from(["", " ", "\n\t", "\ufeff"])) + text + draw(st.sampled_from(["", "", "\r\n", "x"]))
    ).encode()
    damage = draw(st.sampled_from(["none"] * 6 + ["cut", "byte", "zero"]))
    at = draw(st.integers(0, max(len(payload) - 1, 0)))
    if damage == "cut":
        return payload[:at]
    if damage == "byte":
        return payload[:at] + b"\xff" + payload[at + 1 :]
    return payload[:at] + b"\x00" + payload[at:] if damage == "zero" else payload


def seen(decoded: Decoded) -> dict[str, Any]:
    """Everything that a decoder returned, in a form that compares NaN and -0.0 by their bits."""
    return {
        "problems": decoded.problems,
        "unmatched": decoded.unmatched,
        "extra": decoded.extra,
        "events": {
            model: (
                events.offsets.tolist(),
                events.event_ms.tolist(),
                events.versions and events.versions.tolist(),
                events.ids and events.ids.tolist(),
                [["nan" if math.isnan(x) else x.hex() for x in row] for row in events.numeric.tolist()],
                [names.tolist() for names in events.category],
            )
            for model, events in decoded.events.items()
        },
    }


@settings(max_examples=120, deadline=None)
@given(st.lists(st.one_of(messages(), messages(), st.binary(max_size=40)), max_size=6))
@example([b'{"n": 1}', b'{"n": NaN}', b"{}", b""])
@example([b'{"ts": 1e302}', b'{"ts": -1e308, "n": 1}'])
@example([b'{"c": "a\\u00e4\\n", "ts": 1}', b'{"c": "\\ud800", "ts": 1}', b'{"c": "\\ud83d\\ude00", "ts": 1}'])
@example(
    [b'{"n": 1,}', b'{"n": [1,], "f": {}}', b'{"other": [1,]}', b'{"other": [,1]}', b'{"other": {,}}', b'{"n": 1}}']
)
@example([b'{"other": [[1, {"x": []}], {}, -0.5e-3, true], "n": 2, "f": {"other": {"x": 1}, "x": 3}}'])
@example([b'{"f": null, "ts": 1700000000}', b'{"f": "x", "ts": 1700000000}', b'{"f": {"g": 3}, "ts": 1700000000}'])
@example([b'{"other": "\xff"}', b'{"other": "\xed\xa0\x80"}', b'{"\xff": 1}'])
@example([b'{"n": "x", "n": 1, "ts": 1700000000}', b'{"f": {"x": 1}, "f": {"g": 2}, "ts": 1700000000}'])
@example([b'{"ts": "2023-11-14T22:13:20Z"}', b'{"ts": 5}', b'{"ts": "17"}', b'{"ts": "1700000000"}', b'{"ts": ""}'])
@example([b'{"ts": "2023-11-14T22:13:20.5+01:00"}', b'{"ts": "2023-11-14 22:13:20"}'])
def test_the_fast_and_the_slow_way_agree(payloads: list[bytes]) -> None:
    fast, slow = FAST, SLOW
    fast.forget(0)
    slow.forget(0)

    decoded = fast.decode(records(payloads))
    assert seen(decoded) == seen(slow.decode(records(payloads)))
    assert fast.state(0) == slow.state(0)
    assert all(REASONS[problem.reason] == problem.action for _, problem in decoded.problems)


@settings(max_examples=40, deadline=None)
@given(st.lists(messages(), max_size=8), st.integers(0, 8))
def test_where_a_batch_is_cut_makes_no_difference(payloads: list[bytes], cut: int) -> None:
    whole, parts, resumed = FAST, FAST_TOO, SLOW
    for decoder in (whole, parts, resumed):
        decoder.forget(0)

    expected = seen(whole.decode(records(payloads)))
    head = parts.decode(records(payloads[:cut]))
    resumed.restore(0, json.loads(json.dumps(parts.state(0))))
    tail = resumed.decode(records(payloads[cut:], first=min(cut, len(payloads))))

    assert resumed.state(0) == whole.state(0)
    assert head.problems + tail.problems == expected["problems"]
    assert head.extra + tail.extra == expected["extra"]
    for model in ("everything", "by_text", "by_number"):
        times = [part.events[model].event_ms for part in (head, tail) if model in part.events]
        found = np.concatenate(times).tolist() if times else None
        assert found == (expected["events"][model][1] if model in expected["events"] else None)


@settings(max_examples=300, deadline=None)
@given(NUMBERS)
def test_numbers_are_read_to_the_last_bit(literal: str) -> None:
    decoder = JsonDecoder([plan({"features": {"n": "numeric"}})])

    decoded = decoder.decode(records([b'{"n": %s}' % literal.encode()]))

    parsed = json.loads(literal) if literal.lstrip("-")[:1] != "0" or literal.lstrip("-")[1:2] in {"", "."} else None
    if parsed is None:
        assert [problem.reason for _, problem in decoded.problems] == ["not_json"]
        return
    try:
        expected = float(parsed)
    except OverflowError:
        expected = math.inf
    found = float(decoded.events["m"].numeric[0, 0])
    assert found.hex() == (expected if math.isfinite(expected) else math.inf).hex() or (expected == 0 == found)
