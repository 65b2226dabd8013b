"""Plans and records for the tests of decoders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from monitor.config.model import SourceSpec
from monitor.config.schema import Schema
from monitor.decoders import TopicPlan
from monitor.events import Records

NOON_MS = 1_700_000_000_000


def plan(schema: dict[str, Any], model: str = "m", **source: Any) -> TopicPlan:
    """A plan for topic `t`; fields may be given as their type alone."""
    typed = {
        part: {name: {"type": spec} if isinstance(spec, str) else spec for name, spec in fields.items()}
        if part in {"features", "prediction"}
        else fields
        for part, fields in schema.items()
    }
    spec = SourceSpec.model_validate({"kafka": "t", "max_ahead": "30m", **source})
    return TopicPlan(model, spec, Schema.model_validate(typed))


def records(payloads: Sequence[bytes | None], partition: int = 0, first: int = 0, record_ms: int = NOON_MS) -> Records:
    count = len(payloads)
    offsets = np.arange(first, first + count, dtype=np.int64)
    return Records("t", partition, offsets, np.full(count, record_ms, dtype=np.int64), list(payloads))
