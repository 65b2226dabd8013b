"""What became of a silence."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.resources.alerts import Decision
from monitor.resources.contract import Row, TimeMs, described

__all__ = ["Notice", "SilenceOutcome"]


@dataclass(frozen=True, kw_only=True)
class Notice(Decision):
    """A decision about notifying a receiver that a silence started, or that it is over."""

    table = ("receiver", ("notice", "why"), ("at", "at_ms"), ("because", "detail"))


@dataclass(frozen=True, kw_only=True)
class SilenceOutcome(Row):
    """A silence, and what became of it."""

    id: str
    state: str = described("`pending`, also between two times at which it counts, `active` or `expired`")
    matchers: list[str]
    starts_ms: TimeMs
    ends_ms: TimeMs
    created_by: str
    comment: str
    kept_quiet: list[str] = described("ids of the alerts of which it kept somebody from being notified")
    notices: list[Notice]
