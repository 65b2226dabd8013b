"""Who has been erased: so that reading the log again does not bring them back.

The list holds no names. A subject is a keyed hash (BLAKE2b, 128 bits) under a key that the store makes at its first
erasure: with the store at hand one can tell whether a given subject is on the list, but not read off who is. An erasure
covers everything while it is under way, and from its end on what happened before it; whoever comes back later is news.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from detectors.sketch import Coded
from monitor.events import Events, Name
from sinks.store.batch import append
from sinks.store.contract import Query, Store

__all__ = ["ALWAYS", "DONE", "STARTED", "ErasedEvents", "Erasure", "ErasureList", "marker_of"]

STARTED, DONE = "started", "done"
ALWAYS = 1 << 62
_NEVER = -1


@dataclass(frozen=True)
class Erasure:
    """A row of the table ``erasures``.

    Attributes
    ----------
    subject_hash : str
    model : str
        Empty: of all models.
    at_ms : int
        When it was begun.
    until_ms : int
        Events up to then are covered: :data:`ALWAYS` while it is under way, then the time of its end.
    state : str
        ``started`` or ``done``.
    fields : tuple of str
        ``model/signal`` of the category signals in which the name was replaced.
    report : str
        JSON: how many rows of which table.
    """

    subject_hash: str
    model: str
    at_ms: int
    until_ms: int
    state: str
    fields: tuple[str, ...]
    report: str = "{}"

    @property
    def ended_ms(self) -> int | None:
        """When it ended; None if it has not."""
        return None if self.until_ms == ALWAYS else self.until_ms


@dataclass(frozen=True)
class _Known:
    """What is on the list, as one value: readers take it once and never see half a change."""

    key: bytes = b""
    until_ms: Mapping[tuple[str, str], int] = field(default_factory=dict)
    fields: Mapping[tuple[str, str], frozenset[str]] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)

    def hash_of(self, subject: str) -> str:
        """The subject's hash, remembered: names and subjects repeat."""
        digest = self.hashes.get(subject)
        if digest is None:
            if len(self.hashes) >= _REMEMBERED:
                self.hashes.clear()
            digest = self.hashes[subject] = _hash(self.key, subject)
        return digest

    def until(self, model: str, subject: str) -> int:
        digest = self.hash_of(subject)
        return max(self.until_ms.get((digest, name), _NEVER) for name in (model, ""))


_REMEMBERED = 100_000


class ErasureList:
    """The list of one store; any thread may ask it.

    Parameters
    ----------
    store : Store

    Examples
    --------
    >>> from sinks.store.memory import MemoryStore
    >>> erasures = ErasureList(MemoryStore())
    >>> digest = erasures.hash_of("customer 7", make_key=lambda: (1, "00" * 32))
    >>> erasures.add(Erasure(digest, "", 4_000, 5_000, DONE, ()))
    >>> erasures.covers("fraud", "customer 7", 4_999), erasures.covers("fraud", "customer 7", 5_001)
    (True, False)
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known = _Known()
        self.reload()

    def __bool__(self) -> bool:
        return bool(self._known.until_ms)

    def reload(self) -> None:
        """Read the list; other processes may have added to it."""
        read = _Known(self._key(), _until(self.all()), _fields(self.all()))
        if (read.key, read.until_ms, read.fields) != (self._known.key, self._known.until_ms, self._known.fields):
            self._known = read

    def all(self) -> list[Erasure]:
        """Every erasure, those that did not come to their end included."""
        rows = self._store.read(Query("erasures"))
        names = ("subject_hash", "model", "at_ms", "until_ms", "state", "fields", "report")
        return [
            Erasure(digest, model, int(at_ms), int(until_ms), state, tuple(fields), report)
            for digest, model, at_ms, until_ms, state, fields, report in zip(*map(rows.__getitem__, names), strict=True)
        ]

    def hash_of(self, subject: str, make_key: Callable[[], tuple[int, str]] | None = None) -> str:
        """Return the subject's hash.

        Parameters
        ----------
        subject : str
        make_key : callable or None
            Gives the time and a new key, for a store that has none yet. Without it the hash is empty then.
        """
        if not self._known.key and make_key is not None:
            at_ms, key = make_key()
            append(self._store, "erasure_keys", {"at_ms": [at_ms], "key": [key]})
            self.reload()
        return self._known.hash_of(subject) if self._known.key else ""

    def digest_of(self, subject: str, at_ms: int) -> str:
        """Return the subject's hash; a store that has no key for it yet makes one."""
        return self.hash_of(subject, lambda: (at_ms, secrets.token_hex(32)))

    def add(self, erasure: Erasure) -> None:
        """Write an erasure, or its new state; it holds when this returns."""
        append(self._store, "erasures", {name: [value] for name, value in vars(erasure).items()})
        self.reload()

    def covers(self, model: str, subject: str, at_ms: int) -> bool:
        """Whether what happened to ``subject`` at ``at_ms`` is erased; with an unknown time (-1) it is."""
        return bool(self) and at_ms <= self._known.until(model, subject)

    def until(self, model: str, subject: str) -> int:
        """Up to when what happened to ``subject`` is erased; -1 if nothing is."""
        return self._known.until(model, subject)

    def replacement(self, model: str, signal: str, name: str) -> str | None:
        """Return what stands for an erased subject's name in a category, as long as :meth:`until` says; else None."""
        erased = self._known
        digest = erased.hash_of(name)
        named = any(f"{model}/{signal}" in erased.fields.get((digest, scope), ()) for scope in (model, ""))
        return marker_of(digest) if named else None

    def names_in(self, model: str, signal: str) -> bool:
        """Whether names of the signal have been replaced by any erasure."""
        scoped = f"{model}/{signal}"
        return any(scoped in fields for fields in self._known.fields.values())

    def _key(self) -> bytes:
        rows = self._store.read(Query("erasure_keys", limit=1))
        return bytes.fromhex(rows["key"][0]) if rows["key"] else b""


def marker_of(digest: str) -> str:
    """Return the name that replaces an erased one: the same in every pane, so that counts go on to add up."""
    return f"erased-{digest[:12]}"


def _hash(key: bytes, subject: str) -> str:
    return hashlib.blake2b(subject.encode("utf-8", "surrogatepass"), key=key, digest_size=16).hexdigest()


def _until(erasures: Iterable[Erasure]) -> dict[tuple[str, str], int]:
    # The one begun last counts: it has completed what an earlier one left unfinished.
    in_order = sorted(erasures, key=lambda erasure: erasure.at_ms)
    return {(erasure.subject_hash, erasure.model): erasure.until_ms for erasure in in_order}


def _fields(erasures: Iterable[Erasure]) -> dict[tuple[str, str], frozenset[str]]:
    fields: dict[tuple[str, str], frozenset[str]] = {}
    for erasure in erasures:
        key = (erasure.subject_hash, erasure.model)
        fields[key] = fields.get(key, frozenset()) | frozenset(erasure.fields)
    return fields


class ErasedEvents:
    """Applies the list to one model's events.

    Parameters
    ----------
    erasures : ErasureList or None
    model : str
    category : list of str
        The signals of ``Events.category``.
    """

    def __init__(self, erasures: ErasureList | None, model: str, category: list[str]) -> None:
        self._erasures, self._model, self._category = erasures, model, category

    @property
    def any(self) -> bool:
        """Whether there is anything to apply."""
        return bool(self._erasures)

    def gone(self, batch: Events) -> NDArray[np.bool_]:
        """Which events are of erased subjects: they count, and leave nothing that stands for them alone."""
        if self._erasures is None or batch.subjects is None:
            return np.zeros(len(batch), dtype=np.bool_)
        # Subjects repeat: each is looked up once.
        subjects = batch.subjects
        until = [-1 if subject is None else self._until(batch, subject) for subject in subjects.names]
        return np.asarray(batch.event_ms <= np.array(until, dtype=np.int64)[subjects.codes])

    def without_names(self, batch: Events) -> Events:
        """Return the events with the names of erased subjects replaced."""
        erasures = self._erasures
        if erasures is None:
            return batch
        columns = list(batch.category)
        for column, signal in enumerate(self._category):
            if erasures.names_in(self._model, signal):
                columns[column] = self._renamed(erasures, signal, batch.category[column], batch)
        return replace(batch, category=columns)

    def _renamed(self, erasures: ErasureList, signal: str, names: Coded[Name], batch: Events) -> Coded[Name]:
        made, codes = list(names.names), names.codes.copy()
        for code, name in enumerate(names.names):
            if not isinstance(name, str):
                continue
            markers = (erasures.replacement(self._model, signal, meant) for meant in _meant_by(batch, name))
            if (marker := next(filter(None, markers), None)) is not None:
                codes[(names.codes == code) & (batch.event_ms <= self._until(batch, name))] = len(made)
                made.append(marker)
        return Coded(made, codes)

    def _until(self, batch: Events, subject: str) -> int:
        erasures = self._erasures
        if erasures is None:
            return -1
        return max(erasures.until(self._model, meant) for meant in _meant_by(batch, subject))


def _meant_by(batch: Events, name: str) -> tuple[str, ...]:
    """A name, and the one that it is the digest of: an erasure may be older than the digest, or than its key."""
    return (name, batch.digested[name]) if name in batch.digested else (name,)
