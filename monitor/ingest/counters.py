"""What has come through ingest and what became of it, counted: for metrics and summaries."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from monitor.events import REJECTED, Problem

__all__ = ["Counters", "add"]

_COUNTED = ("records", "events", "labels", "rejected", "kept", "late", "unmatched", "unregistered", "findings", "bytes")
_COUNTED_BY = ("reasons", "by_field", "rejected_bytes", "changes", "failures", "seconds")


@dataclass
class Counters:
    """What has come and what became of it; for metrics and summaries.

    Attributes
    ----------
    records, events, labels, rejected, kept, late, unmatched, unregistered, findings : int
    reasons : dict of str to int
        Problems by reason.
    by_field : dict of (str, str, str) to int
        Problems by reason, model (empty where the message itself is at fault) and field (empty of a whole message).
    rejected_bytes : dict of str to int
        Bytes of rejected messages, by reason.
    changes : dict of str to int
        How often partitions were assigned, revoked and lost.
    failures : dict of str to int
        How often reading went back to the checkpoints, by what had failed: source or store.
    seconds : dict of str to float
        Time by step: poll, decode, fold, write, dead_letters, checkpoint.
    """

    records: int = 0
    events: int = 0
    labels: int = 0
    rejected: int = 0
    kept: int = 0
    late: int = 0
    unmatched: int = 0
    unregistered: int = 0
    findings: int = 0
    bytes: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    by_field: dict[tuple[str, str, str], int] = field(default_factory=dict)
    rejected_bytes: dict[str, int] = field(default_factory=dict)
    changes: dict[str, int] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    @classmethod
    def sum(cls, parts: Iterable[Counters]) -> Counters:
        """Add counters up."""
        total = cls()
        for part in parts:
            for name in _COUNTED:
                setattr(total, name, getattr(total, name) + getattr(part, name))
            for name in _COUNTED_BY:
                sums: dict[Any, float] = getattr(total, name)
                # A copy: the worker's thread may meet a new reason meanwhile.
                for key, value in getattr(part, name).copy().items():
                    sums[key] = sums.get(key, 0) + value
        return total

    def problem(self, model: str, problem: Problem, size: int = 0) -> None:
        """Count one, of a message of ``size`` bytes."""
        if problem.action == REJECTED:
            self.rejected += 1
            add(self.rejected_bytes, problem.reason, size)
        else:
            self.kept += 1
        add(self.reasons, problem.reason)
        add(self.by_field, (problem.reason, model, problem.field))


def add(counts: dict[Any, int], key: object, count: int = 1) -> None:
    """Add to a count."""
    counts[key] = counts.get(key, 0) + count
