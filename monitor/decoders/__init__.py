"""Decoders: from a topic's messages to columns of events."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

from monitor.decoders.contract import REASONS, Decoded, Decoder, TopicPlan
from monitor.decoders.json import JsonDecoder
from monitor.decoders.schemas import NO_SCHEMAS, Schemas

__all__ = ["DECODERS", "REASONS", "Decoded", "Decoder", "JsonDecoder", "Schemas", "TopicPlan", "decoder_for"]

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
    """Make the decoder of a topic, of which all models say the same format; ``limits`` are the decoder's own.

    Raises
    ------
    InputError
        Something that the format names cannot be used.
    """
    module, _, name = DECODERS[plans[0].source.format.kind].partition(":")
    make: Callable[..., Any] = getattr(import_module(module), name)
    made: Decoder = make(plans, schemas, **limits)
    return made
