"""Decoders: from a topic's messages to columns of events."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

from monitor.decoders.contract import REASONS, Decoded, Decoder, Named, TopicPlan
from monitor.decoders.json import JsonDecoder
from monitor.decoders.schemas import NO_SCHEMAS, Schemas
from monitor.errors import InputError

__all__ = ["DECODERS", "REASONS", "Decoded", "Decoder", "JsonDecoder", "Named", "Schemas", "TopicPlan", "decoder_for"]

DECODERS: dict[str, str] = {
    "json": "monitor.decoders.json:JsonDecoder",
    "parquet": "monitor.decoders.json:JsonDecoder",  # the file source hands on each row as a JSON object
    "avro": "monitor.decoders.avro:AvroDecoder",
    "protobuf": "monitor.decoders.protobuf:ProtobufDecoder",
    "json_schema": "monitor.decoders.json_schema:JsonSchemaDecoder",
    "cloudevents": "monitor.decoders.cloudevents:CloudEventsDecoder",
    "csv": "monitor.decoders.csv:CsvDecoder",
}
"""By the `kind` of a source's `format`. Named, not imported: who reads JSON alone does not wait for the others."""


def decoder_for(plans: Sequence[TopicPlan], schemas: Schemas = NO_SCHEMAS, **limits: int) -> Decoder:
    """Make the decoder of a topic; ``limits`` are the decoder's own.

    Raises
    ------
    InputError
        Something that the format names cannot be used, or the models differ on the format.
    """
    first = plans[0]
    for plan in plans:
        # Two patterns may meet in a topic that nobody has named.
        if plan.source.format != first.source.format:
            kinds = f"{first.source.format.kind} and {plan.source.format.kind}"
            raise InputError(f"models {first.model!r} and {plan.model!r} read a topic in different formats: {kinds}")
    module, _, name = DECODERS[first.source.format.kind].partition(":")
    make: Callable[..., Any] = getattr(import_module(module), name)
    made: Decoder = make(plans, schemas, **limits)
    return made
