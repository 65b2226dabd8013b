"""What flows from a source to the fold: records, events in columns, and what was wrong with some of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = ["KEPT", "REJECTED", "Events", "Headers", "Problem", "Records"]

REJECTED = "rejected"
KEPT = "kept"

Headers = tuple[tuple[str, "bytes | None"], ...]
"""A message's headers, in the order in which they were written; a name may come twice."""


@dataclass(slots=True)
class Records:
    """Consecutive messages of one partition, undecoded.

    Attributes
    ----------
    topic, partition : str, int
    offsets : int64 array [n]
        Ascending; not always dense (compaction, transactions).
    timestamps_ms : int64 array [n]
        The record's own time, ms since the epoch; -1 where there is none.
    payloads : sequence of (bytes or None) [n]
        None is a message without a value, a tombstone.
    keys : sequence of (bytes or None) [n], or None
        None where the source has no keys.
    headers : sequence of Headers [n], or None
        None where no message has any.
    """

    topic: str
    partition: int
    offsets: NDArray[np.int64]
    timestamps_ms: NDArray[np.int64]
    payloads: Sequence[bytes | None]
    keys: Sequence[bytes | None] | None = None
    headers: Sequence[Headers] | None = None

    def __len__(self) -> int:
        return len(self.payloads)


@dataclass(slots=True, frozen=True)
class Problem:
    """Something wrong with one message, with its place.

    Attributes
    ----------
    offset : int
    action : str
        ``rejected`` (the message counts nowhere) or ``kept`` (it counts, but for the field).
    reason : str
        A code of one word: see ``docs/dead-letters.md``.
    field : str
        The signal concerned, or empty.
    detail : str
        For people.
    """

    offset: int
    action: str
    reason: str
    field: str
    detail: str


@dataclass(slots=True)
class Events:
    """Events of one model from consecutive messages of one partition, in columns.

    Attributes
    ----------
    offsets : int64 array [n]
    record_ms : int64 array [n]
        The record's own time; -1 where there is none.
    event_ms : int64 array [n]
    versions : list of str, or None
        None where the configuration names no version field.
    ids : list of str or None, or None
        None where the configuration names no identity.
    numeric : float64 array [features, n]
        NaN is missing; ±inf is present but unusable (not a number, not finite).
    category : list of lists
        One list of n per category field: str, None (missing) or ``detectors.sketch.category.INVALID``.
    subjects : list of str or None, or None
        Whom each event is about; None where the configuration does not say where that stands.
    """

    offsets: NDArray[np.int64]
    record_ms: NDArray[np.int64]
    event_ms: NDArray[np.int64]
    versions: list[str] | None
    ids: list[str | None] | None
    numeric: NDArray[np.float64]
    category: list[list[object]]
    subjects: list[str | None] | None = None
    problems: list[Problem] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.offsets)

    def slice(self, start: int, stop: int) -> Events:
        """Events ``start`` to ``stop``; problems stay behind."""
        return Events(
            self.offsets[start:stop],
            self.record_ms[start:stop],
            self.event_ms[start:stop],
            self.versions[start:stop] if self.versions is not None else None,
            self.ids[start:stop] if self.ids is not None else None,
            self.numeric[:, start:stop],
            [column[start:stop] for column in self.category],
            self.subjects[start:stop] if self.subjects is not None else None,
        )
