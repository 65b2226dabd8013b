"""Erasures of data subjects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from monitor.resources.contract import Question, Row, TimeMs, described

__all__ = ["Erasure", "Erasures", "Proof"]


@dataclass(frozen=True, kw_only=True)
class Proof(Row):
    """What was erased, or would be."""

    subject_hash: str = described("keyed; empty in a dry run on a store without erasures")
    model: str
    state: str = described("`done`, or `planned` for a dry run")
    at_ms: TimeMs
    rows: dict[str, int] = described("deleted or changed, of every table that was looked through")
    mutations: dict[str, list[str]] = described("their ids in `system.mutations`, by table")
    ingest_log: int = described("messages deleted from the log of HTTP events")
    remaining: int = described("rows found when everything was looked through again")
    elsewhere: dict[str, int] = described(
        "rows that hold such a name and were left alone: by category signal (`model/signal`), also where it is "
        "one word of a category, and by column "
        "(`table.column`) of what alerts are matched by"
    )
    unreachable: list[str] = described("what only its owner can clear")


@dataclass(frozen=True, kw_only=True)
class Erasure(Row):
    """One erasure of the list, which names nobody."""

    subject_hash: str
    model: str
    state: str = described("`started` or `done`")
    at_ms: TimeMs
    until_ms: TimeMs | None = described("events up to then are covered; null: all, while it is not done")
    fields: list[str]
    report: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Erasures(Question):
    """What has been erased, oldest first."""

    path = "/v1/erasures"
    answer = Erasure
    is_paged = False
