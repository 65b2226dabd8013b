"""What every decoder of the table promises: the same events whatever they are written in, and no message forgotten."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.config.formats import FORMAT_KINDS
from monitor.decoders import DECODERS, REASONS, Decoded, Decoder, Schemas, decoder_for
from monitor.errors import InputError
from monitor.events import Headers
from tests.decoders.plans import plan, records
from tests.decoders.test_both_ways import seen
from tests.decoders.written import WRITERS, Written, schemas_of, write
from tests.services.registry import RegistryServer

SCHEMA = {
    "id": "id",
    "version": "v",
    "features": {
        "amount": "numeric",
        "count": "numeric",
        "flag": "numeric",
        "country": "category",
        "whole": {"type": "category", "path": "count"},
    },
}
FORMATS = sorted(WRITERS)


@pytest.fixture(scope="module")
def registry() -> Iterator[RegistryServer]:
    with RegistryServer() as server:
        yield server


@pytest.fixture(scope="module")
def schemas(registry: RegistryServer) -> Iterator[Schemas]:
    with schemas_of(registry.url) as found:
        yield found


@pytest.fixture(scope="module")
def written(registry: RegistryServer) -> dict[str, Written]:
    return {name: write(name, registry.url) for name in FORMATS}


def decoder(form: Any, schemas: Schemas) -> Decoder:
    plans = [
        plan(SCHEMA, "all", event_time="ts", format=form),
        plan({"features": {"amount": "numeric"}}, "some", event_time="ts", format=form, where={"v": 3}),
    ]
    return decoder_for(plans, schemas)


def decode(one: Decoder, payloads: list[Any], headers: list[Headers] | None, first: int = 0) -> Decoded:
    batch = records(payloads, first=first)
    batch.headers = headers
    return one.decode(batch)


def test_every_format_that_can_be_configured_has_a_decoder_and_is_written_by_another_program() -> None:
    assert {kind.model_fields["kind"].annotation.__args__[0] for kind in FORMAT_KINDS} == set(DECODERS)
    # Parquet is rows of JSON by the time it reaches a decoder.
    assert {name.partition(",")[0] for name in WRITERS} == set(DECODERS) - {"parquet"}


def test_models_that_differ_on_a_topic_s_format_are_told_so() -> None:
    with pytest.raises(InputError, match="'a' and 'b' read a topic in different formats: json and cloudevents"):
        decoder_for([plan(SCHEMA, "a"), plan(SCHEMA, "b", format="cloudevents")])


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_events_are_read_from_every_format(name: str, written: dict[str, Written], schemas: Schemas) -> None:
    plain, other = written["json"], written[name]
    expected = decode(decoder("json", schemas), plain.payloads, None)

    found = decode(decoder(other.format, schemas), other.payloads, other.headers)

    assert seen(found) == seen(expected)
    assert found.events["all"].offsets.tolist() == [0, 1, 2, 3]
    assert found.events["some"].offsets.tolist() == [0, 1]


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("cut", range(5))
def test_where_a_batch_is_cut_makes_no_difference(
    name: str, cut: int, written: dict[str, Written], schemas: Schemas
) -> None:
    form, payloads = written[name].format, list(written[name].payloads)
    payloads[1] = payloads[1][:-3]
    headers = written[name].headers
    whole, parts, resumed = (decoder(form, schemas) for _ in range(3))

    expected = decode(whole, payloads, headers)
    head = decode(parts, payloads[:cut], headers and headers[:cut])
    resumed.restore(0, json.loads(json.dumps(parts.state(0))))
    tail = decode(resumed, payloads[cut:], headers and headers[cut:], first=cut)

    assert head.problems + tail.problems == expected.problems
    assert resumed.state(0) == whole.state(0)
    for model, events in expected.events.items():
        of_parts = [part.events[model] for part in (head, tail) if model in part.events]
        assert [ms for part in of_parts for ms in part.event_ms.tolist()] == events.event_ms.tolist()


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_no_bytes_make_it_raise_and_every_message_is_accounted_for(
    name: str, data: st.DataObject, written: dict[str, Written], schemas: Schemas
) -> None:
    form = written[name].format
    damaged = st.builds(damage, st.sampled_from(written[name].payloads), st.integers(0, 200), st.binary(max_size=4))
    payloads = data.draw(st.lists(st.one_of(st.none(), st.binary(max_size=60), damaged), max_size=6))
    known: list[Headers] = [
        (),
        (("content-type", b"\xff"),),
        (("ce_specversion", b"1.0"),),
        *(written[name].headers or ()),
    ]
    headers = data.draw(st.lists(st.sampled_from(known), min_size=len(payloads), max_size=len(payloads)))

    decoded = decode(decoder_for([plan(SCHEMA, format=form, event_time="ts")], schemas), payloads, headers)

    events = decoded.events["m"].offsets.tolist() if "m" in decoded.events else []
    rejected = [problem.offset for _, problem in decoded.problems if problem.action == "rejected"]
    assert sorted(events + rejected) == list(range(len(payloads)))
    assert all(REASONS[problem.reason] == problem.action for _, problem in decoded.problems)


def damage(payload: bytes, at: int, put: bytes) -> bytes:
    """Cut a message off, or put other bytes into it."""
    return payload[:at] + put + (payload[at + len(put) :] if put else b"")


@pytest.mark.parametrize("name", FORMATS)
def test_fields_beside_the_named_ones_are_counted_in_every_format(
    name: str, written: dict[str, Written], schemas: Schemas
) -> None:
    schema = {"id": "id", "features": {"amount": "numeric"}, "extra": "count"}
    one = decoder_for([plan(schema, format=written[name].format)], schemas)

    decoded = decode(one, written[name].payloads, written[name].headers)

    assert set(decoded.extra) == {("m", field) for field in ("ts", "v", "count", "flag", "country")}


@pytest.mark.parametrize("name", FORMATS)
def test_whom_a_message_is_about_can_be_asked_of_any_message(
    name: str, written: dict[str, Written], schemas: Schemas
) -> None:
    form, payload = written[name].format, written[name].payloads[1]
    headers: Headers = (written[name].headers or [()])[-1]
    one = decoder_for([plan(SCHEMA, format=form)], schemas, max_payload_bytes=10)

    assert one.text_at(payload, headers, "id") == "b"
    assert one.text_at(payload, headers, "nothing.here") == ""
    assert one.text_at(payload[:-3], headers, "id") in {"", "b"}
    assert one.text_at(None, headers, "id") == ""
