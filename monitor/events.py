"""What flows from a source to the fold: records, events in columns, and what was wrong with some of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from detectors.sketch import Coded
from detectors.sketch.category import Invalid
from monitor.packed import Packed, Texts

__all__ = [
    "ENDED",
    "KEPT",
    "NEED_NO_PLACE",
    "OTHER_VERSION",
    "REJECTED",
    "Appearance",
    "Change",
    "Events",
    "Gap",
    "Headers",
    "Name",
    "Partition",
    "Problem",
    "Records",
    "SeriesKey",
]

Integers = NDArray[np.int64]
Name = str | Invalid | None
C = TypeVar("C")

REJECTED = "rejected"
KEPT = "kept"

Partition = tuple[str, int]
"""Topic and partition."""

SeriesKey = tuple[str, str, str]
"""Version, segment and signal: what a model's panes, verdicts and alerts are about."""

OTHER_VERSION = "other"
"""Under which versions count that are too many to be told apart."""

NEED_NO_PLACE = frozenset({"", OTHER_VERSION})
"""Versions that do not count towards how many there may be."""

Change = tuple[Literal["assigned", "revoked", "lost"], frozenset[Partition]]
"""Partitions that changed hands; those that are lost may have been somebody else's for a while."""

Gap = tuple[str, int, int, int]
"""Messages that were gone before they were read: topic, partition, first offset, and the offset after the last."""

ENDED = 1 << 62
"""``closed_ms`` of a partition whose input has ended."""

Headers = tuple[tuple[str, "bytes | None"], ...]
"""A message's headers, in the order in which they were written; a name may come twice."""


@dataclass(frozen=True)
class Appearance:
    """A model that is to register itself: like which template, and where the first message of it stands."""

    template: str
    name: str
    topic: str
    partition: int
    offset: int


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
    are_times_given : bool
        Whether the times are no record's own: each was given one, for models that read no time from its event.
    """

    topic: str
    partition: int
    offsets: NDArray[np.int64]
    timestamps_ms: NDArray[np.int64]
    payloads: Sequence[bytes | None]
    keys: Sequence[bytes | None] | None = None
    headers: Sequence[Headers] | None = None
    are_times_given: bool = False

    def __len__(self) -> int:
        return len(self.payloads)

    def __getitem__(self, part: slice) -> Records:
        return Records(
            self.topic,
            self.partition,
            self.offsets[part],
            self.timestamps_ms[part],
            self.payloads[part],
            None if self.keys is None else self.keys[part],
            None if self.headers is None else self.headers[part],
            self.are_times_given,
        )

    @property
    def payload_bytes(self) -> int:
        """How many bytes the payloads have together."""
        if isinstance(self.payloads, Packed):
            return self.payloads.total_bytes
        return sum(map(len, filter(None, self.payloads)))


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
    versions : Coded of str [n], or None
        None where the configuration names no version field.
    ids : Texts [n], or None
        None where the configuration names no identity.
    numeric : float64 array [features, n]
        NaN is missing; ±inf is present but unusable (not a number, not finite).
    category : list of Coded [n]
        For each category field str, None (missing) or ``detectors.sketch.category.INVALID``.
    subjects : Coded of (str or None) [n], or None
        Whom each event is about; None where the configuration does not say where that stands.
    vectors : list of float64 array [n, dimension]
        For each vector field: a row of NaN is missing, one of inf present but unusable.
    digested : mapping of str to str
        By each digest of a private field the name that it stands for: who was erased by name stays erased. Nothing
        stores it.
    rankings : list of Coded [n]
        For each prediction that is an ordered list, as JSON; None where it is missing or unusable.
    retracted : bool array [numeric and category fields, n], or None
        Of labels: which fields say ``null`` outright, and so take back what was said; None where nothing can.
    """

    offsets: Integers
    record_ms: Integers
    event_ms: Integers
    versions: Coded[str] | None
    ids: Texts | None
    numeric: NDArray[np.float64]
    category: list[Coded[Name]]
    subjects: Coded[str | None] | None = None
    vectors: list[NDArray[np.float64]] = field(default_factory=list)
    digested: Mapping[str, str] = field(default_factory=dict)
    retracted: NDArray[np.bool_] | None = None
    rankings: list[Coded[str | None]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.offsets)

    def slice(self, start: int, stop: int) -> Events:
        """Events ``start`` to ``stop``."""
        return self._each(lambda column: column[start:stop], lambda of_each: of_each[:, start:stop])

    def take(self, indices: Integers) -> Events:
        """Events at ``indices``."""
        return self._each(_take(indices), lambda of_each: np.ascontiguousarray(of_each[:, indices]))

    @classmethod
    def joined(cls, first: Events, second: Events) -> Events:
        """Two batches of the same columns, one after the other."""
        return cls(
            np.concatenate((first.offsets, second.offsets)),
            np.concatenate((first.record_ms, second.record_ms)),
            np.concatenate((first.event_ms, second.event_ms)),
            _both(Coded.joined, first.versions, second.versions),
            _both(Texts.joined, first.ids, second.ids),
            np.concatenate((first.numeric, second.numeric), axis=1),
            [Coded.joined(pair) for pair in zip(first.category, second.category, strict=True)],
            _both(Coded.joined, first.subjects, second.subjects),
            [np.concatenate(pair) for pair in zip(first.vectors, second.vectors, strict=True)],
            {**first.digested, **second.digested},
            _both(_side_by_side, first.retracted, second.retracted),
            [Coded.joined(pair) for pair in zip(first.rankings, second.rankings, strict=True)],
        )

    def _each(self, change: Callable[[Any], Any], change_fields: Callable[[Any], Any]) -> Events:
        return Events(
            change(self.offsets),
            change(self.record_ms),
            change(self.event_ms),
            None if self.versions is None else change(self.versions),
            None if self.ids is None else change(self.ids),
            change_fields(self.numeric),
            [change(column) for column in self.category],
            None if self.subjects is None else change(self.subjects),
            [change(column) for column in self.vectors],
            self.digested,
            None if self.retracted is None else change_fields(self.retracted),
            [change(column) for column in self.rankings],
        )


def _take(indices: Integers) -> Callable[[Any], Any]:
    return lambda column: column[indices] if isinstance(column, np.ndarray) else column.take(indices)


def _side_by_side(parts: list[NDArray[np.bool_]]) -> NDArray[np.bool_]:
    return np.concatenate(parts, axis=1)


def _both(joined: Callable[[list[C]], C], first: C | None, second: C | None) -> C | None:
    return None if first is None or second is None else joined([first, second])
