"""Dead letters: messages, or fields of messages, that could not be used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from monitor.resources.contract import Moment, Question, Row, TimeMs, described

__all__ = ["DeadLetter", "DeadLetters", "Retried"]


@dataclass(frozen=True, kw_only=True)
class DeadLetter(Row):
    """One message, or one field of it."""

    table = (
        ("time", "record_ms"),
        "topic",
        "partition",
        "offset",
        "model",
        "field",
        "action",
        "reason",
        ("retries", lambda row: row["retries"] or ""),
        "detail",
    )

    topic: str
    partition: int
    offset: int
    model: str
    field: str = described("the signal concerned; empty if the whole message is")
    action: Literal["rejected", "kept"] = described("`kept`: the message counts, but for this field")
    reason: str
    detail: str
    record_ms: TimeMs = described("the record's own time; -1 where it has none")
    payload_bytes: int = described("length of the message, of which the payload may hold only the start")
    payload: str | None = described("the message as text; null if it is not UTF-8, or was left out")
    payload_base64: str
    retries: int = described("how many times the message was put back on its stream")
    retried_ms: TimeMs | None = described("when it was last; null if it never was")


@dataclass(frozen=True, kw_only=True)
class Retried(Row):
    """What became of one message."""

    table = (
        "topic",
        "partition",
        "offset",
        "outcome",
        ("attempt", lambda row: row["attempt"] or ""),
        ("now at", lambda row: f"{row['to_partition']} {row['to_offset']}" if row["to_offset"] >= 0 else ""),
        ("detail", lambda row: row["detail"] or ("its key and headers are lost" * (row["taken_from"] == "store"))),
    )

    topic: str
    partition: int
    offset: int
    outcome: Literal["retried", "planned", "refused"]
    detail: str = described("why it was refused")
    taken_from: Literal["log", "store", ""] = described(
        "`store`: its stream no longer has it; what was kept is whole, but without key and headers"
    )
    attempt: int = described("how many times it was put back, this one included; 0 if it was refused")
    to_partition: int = described("where it now stands; -1 if it was not put back")
    to_offset: int


@dataclass(frozen=True, kw_only=True)
class DeadLetters(Question):
    """Messages, or fields of messages, that could not be used, newest first."""

    path = "/v1/dead-letters"
    answer = DeadLetter
    verb = "Look at messages, or fields, that could not be used."

    topic: str | None = None
    model: str | None = None
    reason: str | None = described("a code; docs/dead-letters.md lists them", default=None)
    action: Literal["rejected", "kept"] | None = None
    partition: int | None = described(default=None, low=0, high=2**63 - 1)
    offset: int | None = described(default=None, low=0, high=2**63 - 1)
    payload: bool = described("false: without the messages, which may be large", default=True)
    from_: Moment | None = None
    to: Moment | None = None
    limit: int | None = None
