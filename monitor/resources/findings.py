"""Findings of per-event detectors."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal

from monitor.resources.contract import Moment, Question, Row, TimeMs, described

__all__ = ["Finding", "Findings"]


def _level(row: Mapping[str, Any]) -> str:
    """Levels of anomalies differ only in what comes after some nines."""
    level = row["level"]
    return "" if level is None or math.isnan(level) else f"{level:.8f}"


@dataclass(frozen=True, kw_only=True)
class Finding(Row):
    """One observation at which a per-event detector fired."""

    table = (
        ("time", "event_ms"),
        "signal",
        "version",
        "segment",
        "detector",
        "status",
        "value",
        "score",
        ("level", _level),
        "topic",
        "partition",
        "offset",
    )

    model: str
    signal: str
    version: str
    detector: str
    topic: str
    partition: int
    offset: int
    event_ms: TimeMs
    value: float | None
    score: float | None
    status: Literal["drift", "anomaly"] = described("that things are different from here on, or only here")
    level: float | None = described(
        "how an anomaly's score compares with those before: 0 to 1; null for a drift", default=None
    )
    segment: str = described("of findings on the errors of predictions; empty for all traffic", default="")


@dataclass(frozen=True)
class Findings(Question):
    """Observations at which a per-event detector fired, oldest first."""

    path = "/v1/findings"
    answer = Finding
    verb = "Show observations at which a per-event detector fired."

    model: str
    signal: str | None = None
    _: KW_ONLY
    version: str | None = None
    detector: str | None = None
    segment: str | None = None
    from_: Moment | None = None
    to: Moment | None = None
    limit: int | None = None
