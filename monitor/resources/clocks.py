"""Clocks: how far the event time of each partition is, and who has set it back."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.resources.contract import LengthMs, Question, Row, TimeMs, described

__all__ = ["ClockSetBack", "Clocks", "ClocksSetBack", "KnownClock"]


@dataclass(frozen=True, kw_only=True)
class KnownClock(Row):
    """The clock of a model on a partition."""

    table = (
        "model",
        "topic",
        "partition",
        ("clock", "clock_ms"),
        ("late in 10m", lambda row: "" if row["events"] is None else f"{row['late']:,} of {row['events']:,}"),
        ("set back to", "set_back_to_ms"),
        ("by", "set_back_by"),
        ("reason", "set_back_reason"),
        ("from offset", "set_back_offset"),
    )

    model: str
    topic: str
    partition: int
    clock_ms: TimeMs = described("the newest event time that is believed")
    closed_ms: TimeMs = described("up to where panes are closed")
    next_offset: int
    ahead_ms: LengthMs = described("how far the clock is ahead of the machine's; 0 if it is not")
    events: int | None = described("events of the last ten minutes; null where another process reads them, or nobody")
    late: int | None = described("those of them that came late")
    set_back_to_ms: TimeMs | None = described("to when it was set back the last time; null if it never was")
    set_back_by: str = described("who did")
    set_back_reason: str
    set_back_offset: int | None = described(
        "the first offset that is read with it; null until whoever reads the partition has taken it up"
    )


@dataclass(frozen=True, kw_only=True)
class Clocks(Question):
    """How far the event time of each partition is, and how many events come late."""

    path = "/v1/clocks"
    answer = KnownClock
    is_paged = False
    verb = "Show how far partitions are in event time, and set their clocks back."

    model: str | None = None


@dataclass(frozen=True, kw_only=True)
class ClockSetBack(Row):
    """A clock that is to be set back."""

    table = ("model", "topic", "partition", ("from", "from_ms"), ("to", "to_ms"))

    id: str
    model: str
    topic: str
    partition: int
    from_ms: TimeMs = described("where it stands")
    to_ms: TimeMs


@dataclass(frozen=True, kw_only=True)
class ClocksSetBack(Row):
    """Clocks that are to be set back, and when decisions go on."""

    items: list[ClockSetBack]
    evaluated_to_ms: TimeMs | None = described(
        "end of the model's newest window: windows up to there are not evaluated again"
    )
