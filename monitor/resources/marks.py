"""Marks: what people say of signals and their alerts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from monitor.resources.contract import Moment, Question, Row, TimeMs, described

__all__ = ["KnownMark", "Marks", "Says"]

Says = Literal["accepted", "false", "harmless", "real", "adopted", "muted", "heard"]


@dataclass(frozen=True, kw_only=True)
class KnownMark(Row):
    """What somebody says of a signal: that its level is the new normal, or what an alert was."""

    table = (
        ("from", "from_ms"),
        "model",
        "signal",
        "segment",
        "version",
        "says",
        ("by", lambda row: row["created_by"] or ("detect.adopt_after" if row["says"] == "adopted" else "leeway")),
        "reason",
        ("has effect from", "effective_ms"),
    )

    id: str
    model: str
    signal: str
    segment: str = described("empty: all of the traffic")
    version: str = described("empty: every version that there was")
    says: Says = described(
        "`accepted`: its level is the new normal; `false`, `harmless`, `real`: what an alert was; `adopted`: what "
        "stood for as long as `detect.adopt_after` says; `muted`, `heard`: that an estimator has lost its fidelity, or "
        "alarms again"
    )
    from_ms: TimeMs = described("from when on it holds; of an alert, its start")
    to_ms: TimeMs | None = described(
        "end of the alert; null while it fires, and of a level: what is usual is learned from the days of a `false` or "
        "`harmless` alert that fires up to `effective_ms`, and a level that stays is to be accepted"
    )
    alert_id: str = described("empty for a level from a time on that was named")
    created_by: str = described("empty: Leeway itself")
    reason: str
    created_ms: TimeMs = described("when it was said")
    effective_ms: TimeMs | None = described(
        "end of the first window that is evaluated with it; null until there is one"
    )
    learned_ms: TimeMs | None = described(
        "of a `real` one: from when on what is usual is learned from the alert, as an older mark said, which this one "
        "came too late to take back; else null"
    )


@dataclass(frozen=True, kw_only=True)
class Marks(Question):
    """What people say of signals and alerts, the latest first."""

    path = "/v1/marks"
    answer = KnownMark
    verb = "List what people say of signals: accepted levels, false alarms."

    model: str | None = None
    signal: str | None = None
    says: Says | None = described("only such marks", default=None)
    from_: Moment | None = None
    to: Moment | None = None
    limit: int | None = None
