"""One partition's events into panes and findings.

The fold of a partition is a pure function of its log: where batches end, when panes are asked for and where a
crash falls change no bit of any row. What makes it so: panes are integer sums; the clock is sequential
(:mod:`monitor.ingest.watermark`); an event for a closed pane goes to an addition of its own, keyed by the pane in which
the watermark stood; detectors see every value in the order of the log.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from detectors.sketch import CategoryFold, CategoryLayout, Coded, JointFold, NumericFold, NumericLayout
from monitor.config.model import SourceSpec
from monitor.erasure.erased import ErasedEvents, ErasureList
from monitor.events import ENDED, KEPT, REJECTED, Events, Name, Problem
from monitor.ingest.duplicates import SeenIds, digests
from monitor.ingest.kept_events import Keeper
from monitor.ingest.per_event import PerEvent
from monitor.ingest.watermark import FUTURE, NEVER, advance
from monitor.packed import Texts
from monitor.panes.codec import category_columns, numeric_columns, pane_columns, vector_columns
from monitor.watch import Slices, Watch
from sinks.store.batch import Rows, add_row, empty_rows

__all__ = ["Folded", "PartitionFold"]

LATE_REPORTED = 10
"""Late events that leave a dead letter, for each pane that the watermark stands in; all are counted."""

Integers = NDArray[np.int64]
Key = tuple[int, int, int, str]  # pane start, late_at, index of the version, segment
L = TypeVar("L", NumericLayout, CategoryLayout)


@dataclass(slots=True)
class Folded:
    """What a batch settled.

    Rows of closed panes, findings, events that count nowhere, how many were late, and rows of single events by table.
    """

    panes: Rows = field(default_factory=lambda: empty_rows("panes"))
    findings: Rows = field(default_factory=lambda: empty_rows("findings"))
    problems: list[Problem] = field(default_factory=list)
    late: int = 0
    kept: dict[str, dict[str, Any]] = field(default_factory=dict)


class PartitionFold:
    """The state of one model on one partition.

    Parameters
    ----------
    watch : Watch
    source : SourceSpec
        Which of the model's sources the partition belongs to.
    topic : str
    partition : int
    erasures : ErasureList or None
        Subjects of whom nothing may be stored that stands for them alone.
    """

    def __init__(
        self, watch: Watch, source: SourceSpec, topic: str, partition: int, erasures: ErasureList | None = None
    ) -> None:
        self._watch, self._topic, self._partition = watch, topic, partition
        self._numeric, self._category = watch.signals_of(source)
        self._vectors = watch.vectors_of(source)
        self._fields = watch.vector_fields_of(source)
        self._parts = {s: [self._numeric.index(part) for part in watch.vectors.get(s, ())] for s in self._vectors}
        self._volume = watch.counts_volume(source)
        self._pane_ms = watch.model.spec.detect.pane
        self._clock = (self._pane_ms, source.allowed_lateness, source.max_ahead)
        self._slices = [
            (cut, [self._category.index(signal) for signal in cut.by])
            for cut in watch.slices
            if set(cut.by) <= set(self._category)
        ]
        self._keeper = Keeper(watch, source, topic, partition)
        self._erased = ErasedEvents(erasures, watch.name, self._category)
        self.next_offset = 0
        self.newest_ms = NEVER
        self.closed_ms = NEVER
        self._held: Events | None = None
        self._forget()

    def _forget(self) -> None:
        watch = self._watch
        self._versions: list[str] = []
        self._rows: dict[Key, int] = {}
        self._free: list[int] = []
        self._count = np.zeros(0, dtype=np.int64)
        self._numbers = NumericFold(_layouts(watch, self._numeric, NumericLayout))
        self._names = CategoryFold(_layouts(watch, self._category, CategoryLayout))
        self._joint = [JointFold(layout) for layout in self._vectors.values()]
        self._per_event = PerEvent(watch, self._numeric, self._fields)
        self._seen = SeenIds()
        self._late_reported = (0, 0)

    @property
    def held_offsets(self) -> list[int]:
        """Events that wait for witnesses, the last of the log so far: a successor has to read them again."""
        return [] if self._held is None else list(self._held.offsets.tolist())

    def process(self, events: Events, *, end: bool = False) -> Folded:
        """Fold a batch.

        Parameters
        ----------
        events : Events
            In the order of the log. What lies before ``next_offset`` is skipped, so that a replay does no harm.
        end : bool
            No more events will come: every pane is closed.

        Returns
        -------
        Folded
        """
        out = Folded()
        batch = self._with_held(events)
        settled, newest, status, closed = advance(batch.event_ms, self.newest_ms, self._clock, end=end)
        self._held = batch.slice(settled, len(batch)) if settled < len(batch) else None
        if settled:
            self._fold(batch.slice(0, settled), status, closed, out)
            self.newest_ms = newest
            self.closed_ms = int(closed[-1])
            self.next_offset = int(batch.offsets[settled - 1]) + 1
        if end:
            self.closed_ms = ENDED
        self._emit_closed(out)
        return out

    def let_go(self) -> list[Problem]:
        """The log goes on without what waits for witnesses: it is not believed."""
        held, self._held = self._held, None
        return [] if held is None else [self._future(held, i) for i in range(len(held))]

    def finish(self) -> Folded:
        """No more events will come: close every pane."""
        nothing = np.empty(0, dtype=np.int64)
        numeric = np.empty((len(self._numeric), 0), dtype=np.float64)
        category: list[Coded[Name]] = [Coded.of([]) for _ in self._category]
        versions: Coded[str] | None = Coded.of([]) if self._watch.model.spec.schema_.version else None
        ids = Texts.of([]) if self._watch.model.spec.schema_.id else None
        subjects: Coded[str | None] | None = Coded.of([]) if self._watch.model.spec.keep.subject else None
        vectors = [np.empty((0, dimension)) for dimension in self._fields.values()]
        last = Events(nothing, nothing, nothing, versions, ids, numeric, category, subjects, vectors)
        return self.process(last, end=True)

    def _with_held(self, events: Events) -> Events:
        held, self._held = self._held, None
        first_new = self.next_offset if held is None else int(held.offsets[-1]) + 1
        if len(events) and int(events.offsets[0]) < first_new:
            events = events.slice(int(np.searchsorted(events.offsets, first_new)), len(events))
        return events if held is None else Events.joined(held, events)

    def _fold(self, batch: Events, status: NDArray[np.uint8], closed: Integers, out: Folded) -> None:
        pane = batch.event_ms // self._pane_ms * self._pane_ms
        late_at = np.where(pane < closed, closed, 0)
        keep = status != FUTURE
        for i in np.flatnonzero(~keep).tolist():
            out.problems.append(self._future(batch, i))
        if batch.ids is not None:
            self._drop_duplicates(batch, pane, late_at, keep, out)
        if not keep.all():
            index = np.flatnonzero(keep)
            batch, pane, late_at = batch.take(index), pane[index], late_at[index]
        if not len(batch):
            return
        gone = self._erased.gone(batch) if self._erased.any else None
        if gone is not None:
            batch = self._erased.without_names(batch)
        if self._keeper.keeps:
            out.kept = self._keeper.rows(batch if gone is None else batch.take(np.flatnonzero(~gone)))
        self._note_late(batch, pane, late_at, out)
        version = self._version_indices(batch)
        rows, keys = self._base_rows(pane, late_at, version)
        self._add(rows, batch)
        for cut, columns in self._slices:
            self._fold_slice(cut, columns, batch, rows, keys)
        self._detect(batch, version, gone, out)

    @staticmethod
    def _future(batch: Events, i: int) -> Problem:
        detail = f"event time {int(batch.event_ms[i])} ms is far ahead of the partition's other events"
        return Problem(int(batch.offsets[i]), REJECTED, "future", "", detail)

    def _note_late(self, batch: Events, pane: Integers, late_at: Integers, out: Folded) -> None:
        """Count late events; of each position of the watermark the first few are reported with their place."""
        late = np.flatnonzero(late_at)
        out.late += len(late)
        for i in late.tolist():
            at_ms = int(late_at[i])
            reported = self._late_reported[1] if self._late_reported[0] == at_ms else 0
            if reported < LATE_REPORTED:
                detail = f"its pane starts at {int(pane[i])} ms, and panes before {at_ms} ms were closed"
                out.problems.append(Problem(int(batch.offsets[i]), KEPT, "late", "", detail))
                self._late_reported = (at_ms, reported + 1)

    def _drop_duplicates(
        self, batch: Events, pane: Integers, late_at: Integers, keep: NDArray[np.bool_], out: Folded
    ) -> None:
        """Drop events whose identity stands in the same open pane already."""
        assert batch.ids is not None
        candidates = np.flatnonzero(keep & (late_at == 0) & batch.ids.present)
        found = digests(batch.ids)[candidates]
        for place in self._seen.repeated(pane[candidates], found).tolist():
            i = int(candidates[place])
            keep[i] = False
            detail = f"id {str(batch.ids[i])[:200]!r} came before in the same pane"
            out.problems.append(Problem(int(batch.offsets[i]), REJECTED, "duplicate", "", detail))

    def _version_indices(self, batch: Events) -> Integers:
        versions = batch.versions
        if versions is None:
            if not self._versions:
                self._add_version("")
            return np.zeros(len(batch), dtype=np.int64)
        index = {version: i for i, version in enumerate(self._versions)}
        mine = np.zeros(len(versions.names), dtype=np.int64)
        for code in versions.used():
            version = versions.names[code]
            if version not in index:
                index[version] = self._add_version(version)
            mine[code] = index[version]
        return mine[versions.codes]

    def _add_version(self, version: str) -> int:
        self._versions.append(version)
        self._per_event.add_series()
        return len(self._versions) - 1

    def _base_rows(self, pane: Integers, late_at: Integers, version: Integers) -> tuple[Integers, dict[int, Key]]:
        """A row for every event, looked up once per run of equal keys (events mostly come in the order of time)."""
        change = np.flatnonzero((np.diff(pane) != 0) | (np.diff(late_at) != 0) | (np.diff(version) != 0)) + 1
        starts = np.concatenate(([0], change))
        lengths = np.diff(np.append(starts, len(pane)))
        keys: list[Key] = [(int(pane[i]), int(late_at[i]), int(version[i]), "") for i in starts.tolist()]
        handles = np.array([self._row(key) for key in keys], dtype=np.int64)
        return np.repeat(handles, lengths), dict(zip(handles.tolist(), keys, strict=True))

    def _fold_slice(self, cut: Slices, columns: list[int], batch: Events, rows: Integers, keys: dict[int, Key]) -> None:
        segments = list(cut.names.values())
        codes = _slice_codes(cut, [batch.category[column] for column in columns])
        inside = np.flatnonzero(codes >= 0)
        if not len(inside):
            return
        pairs, which = np.unique(rows[inside] * len(segments) + codes[inside], return_inverse=True)
        based = [divmod(pair, len(segments)) for pair in pairs.tolist()]
        handles = np.array([self._row((*keys[base][:3], segments[code])) for base, code in based], dtype=np.int64)
        picked = batch.take(inside)
        self._add(handles[which], picked)

    def _row(self, key: Key) -> int:
        row = self._rows.get(key)
        if row is None:
            row = self._free.pop() if self._free else len(self._rows)
            self._rows[key] = row
            if row >= len(self._count):
                grown = max(64, 2 * len(self._count))
                self._count = np.concatenate((self._count, np.zeros(grown - len(self._count), dtype=np.int64)))
                self._numbers.ensure(grown)
                self._names.ensure(grown)
                for fold in self._joint:
                    fold.ensure(grown)
        return row

    def _add(self, rows: Integers, batch: Events) -> None:
        self._count += np.bincount(rows, minlength=len(self._count))
        self._numbers.fold(rows, batch.numeric)
        self._names.fold(rows, batch.category)
        fields = dict(zip(self._fields, batch.vectors, strict=True))
        for fold, (signal, parts) in zip(self._joint, self._parts.items(), strict=True):
            fold.fold(rows, fields[signal] if signal in fields else batch.numeric[parts].T)

    def _detect(self, batch: Events, version: Integers, gone: NDArray[np.bool_] | None, out: Folded) -> None:
        for fired in self._per_event.update(version, batch.numeric, batch.vectors):
            shared = {
                "model": self._watch.name,
                "signal": fired.signal,
                "detector": fired.detector,
                "topic": self._topic,
                "partition": self._partition,
                "status": fired.status,
            }
            for place, i in enumerate(fired.places.tolist()):
                if gone is not None and gone[i]:
                    continue
                row = {
                    "version": self._versions[int(version[i])],
                    "offset": int(batch.offsets[i]),
                    "event_ms": int(batch.event_ms[i]),
                    "value": float(fired.value[place]),
                    "score": float(fired.score[place]),
                    "level": float(fired.level[place]),
                }
                add_row(out.findings, shared | row)

    def _emit_closed(self, out: Folded) -> None:
        """Panes that the watermark has passed; additions to closed panes once it has left the pane it stood in."""
        closed = [key for key in self._rows if (key[1] or key[0]) < self.closed_ms]
        for key in sorted(closed, key=lambda k: (k[0], k[1], self._versions[k[2]], k[3])):
            row = self._rows.pop(key)
            self._emit(key, row, out.panes)
            self._free.append(row)
        self._seen.forget_before(self.closed_ms)

    def _emit(self, key: Key, row: int, panes: Rows) -> None:
        start, late_at, version, segment = key
        shared = {
            "model": self._watch.name,
            "segment": segment,
            "version": self._versions[version],
            "pane_start_ms": start,
            "late_at_ms": late_at,
            "topic": self._topic,
            "partition": self._partition,
            "pane_ms": self._pane_ms,
        }
        if self._volume:
            pane_columns(panes, shared, "volume", "", {"n": int(self._count[row])})
        self._count[row] = 0
        for signal, numbers in zip(self._numeric, self._numbers.take(row), strict=True):
            pane_columns(panes, shared, signal, self._watch.layouts[signal].id, numeric_columns(numbers))
        for signal, names in zip(self._category, self._names.take(row), strict=True):
            pane_columns(panes, shared, signal, self._watch.layouts[signal].id, category_columns(names))
        for (signal, layout), fold in zip(self._vectors.items(), self._joint, strict=True):
            pane_columns(panes, shared, signal, layout.id, vector_columns(fold.take(row)))

    def snapshot(self) -> dict[str, Any]:
        """Everything that the rows to come depend on; held events are read again."""
        keys = list(self._rows)
        rows = [self._rows[key] for key in keys]
        return {
            "config": self._watch.fold_hash,
            "next_offset": self.next_offset,
            "newest_ms": self.newest_ms,
            "closed_ms": self.closed_ms,
            "late_reported": list(self._late_reported),
            "versions": list(self._versions),
            "keys": [list(key) for key in keys],
            "counts": self._count[rows],
            "numbers": self._numbers.snapshot(rows),
            "names": self._names.snapshot(rows),
            "vectors": [fold.snapshot(rows) for fold in self._joint],
            "banks": self._per_event.snapshot(),
            "seen": self._seen.snapshot(),
        }

    def restore(self, state: Mapping[str, Any]) -> bool:
        """Go on from a snapshot.

        Returns
        -------
        bool
            False if it was taken under another configuration: then only the offset and the clock are taken over,
            and series start to learn anew.
        """
        self._forget()
        self._held = None
        self.next_offset = int(state["next_offset"])
        self.newest_ms, self.closed_ms = int(state["newest_ms"]), int(state["closed_ms"])
        if state["config"] != self._watch.fold_hash:
            return False
        self._late_reported = (int(state["late_reported"][0]), int(state["late_reported"][1]))
        for version in state["versions"]:
            self._add_version(version)
        keys: list[Key] = [(int(a), int(b), int(c), str(d)) for a, b, c, d in state["keys"]]
        rows = [self._row(key) for key in keys]
        self._count[rows] = state["counts"]
        self._numbers.restore(rows, state["numbers"])
        self._names.restore(rows, state["names"])
        for fold, saved in zip(self._joint, state.get("vectors", []), strict=True):
            fold.restore(rows, saved)
        self._per_event.restore(state["banks"])
        self._seen.restore(state["seen"])
        return True


def _layouts(watch: Watch, signals: list[str], kind: type[L]) -> list[L]:
    return [layout for layout in (watch.layouts[signal] for signal in signals) if isinstance(layout, kind)]


def _slice_codes(cut: Slices, columns: list[Coded[Name]]) -> Integers:
    """For each event the place of its segment in ``cut.names``, or -1: by distinct values, of which there are few."""
    codes = np.zeros(len(columns[0]), dtype=np.int64)
    wanted: list[dict[Name, int]] = []
    for place, column in enumerate(columns):
        values = dict.fromkeys(of_names[place] for of_names in cut.names)
        wanted.append({value: number for number, value in enumerate(values)})
        # One more for every value that no segment has.
        mine = np.array([wanted[-1].get(name, len(values)) for name in column.names], dtype=np.int64)
        codes = codes * (len(values) + 1) + mine[column.codes]
    segment_of = np.full(math.prod(len(values) + 1 for values in wanted), -1, dtype=np.int64)
    for segment, of_names in enumerate(cut.names):
        place = 0
        for values_of, name in zip(wanted, of_names, strict=True):
            place = place * (len(values_of) + 1) + values_of[name]
        segment_of[place] = segment
    return segment_of[codes]
