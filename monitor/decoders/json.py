"""Decodes JSON objects.

The scanner reads ordinary messages into columns, many at a time. What it refuses goes, one message at a time, through
the standard library's parser, which also tells why.
"""

from __future__ import annotations

from collections.abc import Sequence

from monitor.decoders.contract import TopicPlan
from monitor.decoders.document import MAX_PAYLOAD_BYTES, parse
from monitor.decoders.messages import MessageDecoder, Reading
from monitor.decoders.schemas import NO_SCHEMAS, Schemas
from monitor.events import Records

__all__ = ["JsonDecoder"]


class JsonDecoder(MessageDecoder):
    """Decodes one topic's messages, each one JSON object.

    Parameters
    ----------
    plans : sequence of TopicPlan
        The models that read the topic.
    schemas : Schemas
    max_payload_bytes : int
        Larger messages are rejected.
    fast : bool
        False sends every message through the standard library's parser; the result is the same.

    Examples
    --------
    >>> import numpy as np
    >>> from monitor.config.model import SourceSpec
    >>> from monitor.config.schema import Schema
    >>> schema = Schema.model_validate({"features": {"amount": {"type": "numeric"}}})
    >>> plan = TopicPlan("fraud", SourceSpec(kafka="scores", event_time="ts", max_ahead="30m"), schema)
    >>> payloads = [b'{"ts": 1700000000, "amount": 3}', b'{"ts": 1700000001, "amount": "3"}', b"{"]
    >>> decoded = JsonDecoder([plan]).decode(Records("scores", 0, np.arange(3), np.full(3, -1), payloads))
    >>> decoded.events["fraud"].numeric
    array([[ 3., inf]])
    >>> [(problem.offset, problem.action, problem.reason) for _, problem in decoded.problems]
    [(1, 'kept', 'wrong_type'), (2, 'rejected', 'not_json')]
    """

    def __init__(
        self,
        plans: Sequence[TopicPlan],
        schemas: Schemas = NO_SCHEMAS,
        *,
        max_payload_bytes: int = MAX_PAYLOAD_BYTES,
        fast: bool = True,
    ) -> None:
        super().__init__(plans, schemas, max_payload_bytes=max_payload_bytes)
        self._fast = fast

    def _read(self, records: Records, max_bytes: int) -> Reading:
        return Reading(
            records.payloads if self._fast else [b""] * len(records),
            lambda index: parse(records.payloads[index], max_bytes),
        )
