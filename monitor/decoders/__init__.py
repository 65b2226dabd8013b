"""Decoders: from a topic's messages to columns of events."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from monitor.decoders.contract import REASONS, Decoded, Decoder, TopicPlan
from monitor.decoders.json import JsonDecoder

__all__ = ["DECODERS", "REASONS", "Decoded", "Decoder", "JsonDecoder", "TopicPlan"]

DECODERS: dict[str, Callable[[Sequence[TopicPlan]], Decoder]] = {
    "json": JsonDecoder,
    "parquet": JsonDecoder,  # the file source hands on each row as a JSON object
}
"""By the `format` of a source."""
