"""One partition's events into panes and findings.

The fold of a partition is a pure function of its log, and of where people have set its clock back: where batches end,
when panes are asked for and where a crash falls change no bit of any row. What makes it so: panes are integer sums; the
clock is sequential (:mod:`monitor.ingest.watermark`), and set back at an offset that the store keeps
(:mod:`monitor.ingest.set_clocks`); an event for a closed pane goes to an addition of its own, keyed by the pane that
the watermark stood in, and by its part (:mod:`monitor.ingest.additions`); detectors see every value in the order of
the log.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.config.model import SourceSpec
from monitor.erasure.erased import ErasedEvents, ErasureList
from monitor.events import ENDED, KEPT, REJECTED, Events, Partition, Problem
from monitor.ingest.additions import MOST_HELD, Additions
from monitor.ingest.duplicates import SeenIds, digests
from monitor.ingest.kept_events import Keeper
from monitor.ingest.model_versions import ModelVersions
from monitor.ingest.pane_grid import PaneGrid
from monitor.ingest.per_event import PerEvent
from monitor.ingest.set_clocks import SetClock, SettingBack
from monitor.ingest.watermark import FUTURE, EventClock
from monitor.values import DAY_MS
from monitor.watch import Watch
from sinks.store.batch import joined

__all__ = ["Folded", "PartitionFold"]

TOO_LATE = "too many closed panes have had additions since the watermark moved last: there is no key for another one"

Integers = NDArray[np.int64]


@dataclass(slots=True)
class Folded:
    """What a batch settled.

    Attributes
    ----------
    rows : dict of str to rows
        By table: closed panes, findings, single events.
    problems : list of Problem
        Of events that count nowhere, and of the first that are late.
    events, late : int
        How many events count, and how many of them were late.
    newest_late_ms : int
        The time of the last of these; 0 without one.
    """

    rows: dict[str, Mapping[str, Sequence[Any]]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    events: int = 0
    late: int = 0
    newest_late_ms: int = 0

    def add(self, table: str, rows: Mapping[str, Sequence[Any]]) -> None:
        """Put rows behind those of a table that are there."""
        self.rows[table] = joined([self.rows[table], rows]) if table in self.rows else rows


class PartitionFold:
    """The state of one model on one partition.

    Parameters
    ----------
    watch : Watch
    source : SourceSpec
        Which of the model's sources the partition belongs to.
    partition : Partition
    erasures : ErasureList or None
        Subjects of whom nothing may be stored that stands for them alone.

    Attributes
    ----------
    clock : EventClock
    next_offset : int
        Behind the last event that is settled.
    """

    def __init__(
        self, watch: Watch, source: SourceSpec, partition: Partition, erasures: ErasureList | None = None
    ) -> None:
        self.clock = EventClock(watch.model.spec.detect.pane, source.allowed_lateness, source.max_ahead)
        self.next_offset = 0
        self._config = watch.fold_hash
        self._keeper = Keeper(watch, source, partition)
        self._erased = ErasedEvents(erasures, watch.name, watch.carried_by(source).category)
        self._versions = ModelVersions(watch.model.spec.schema_.max_versions)
        self._panes = PaneGrid(watch, source, partition, self._versions)
        self._per_event = PerEvent(watch, source, partition, self._versions)
        self._seen = SeenIds()
        self._held: Events | None = None
        self._set_back, self._additions = SettingBack(), Additions(MOST_HELD)

    @property
    def held_offsets(self) -> list[int]:
        """Events that wait for witnesses, the last of the log so far: a successor has to read them again."""
        return [] if self._held is None else list(self._held.offsets.tolist())

    @property
    def closed_ms(self) -> int:
        """Up to where panes get no more events on time: a clock that will be set back may have closed more."""
        closed_ms, back_ms = self.clock.closed_ms, self._set_back.earliest_ms
        return closed_ms if back_ms is None or closed_ms >= ENDED else min(closed_ms, self.clock.closed_at(back_ms))

    def process(self, events: Events) -> Folded:
        """Fold a batch.

        Parameters
        ----------
        events : Events
            In the order of the log. What lies before ``next_offset`` is skipped, so that a replay does no harm.
        """
        out = Folded()
        self._settle(self._with_held(events), out)
        self._close(out)
        return out

    def know_set_clocks(self, set_clocks: Sequence[SetClock]) -> None:
        """Take in which clocks of the partition were set back, in the order of their offsets; each time all of them."""
        self._set_back.know(set_clocks)

    def finish(self) -> Folded:
        """No more events will come: settle those that wait, and close every pane."""
        out = Folded()
        if self._held is not None:
            self._settle(self._held, out, end=True)
        self.clock.closed_ms = ENDED
        self._close(out)
        return out

    def let_go(self) -> list[Problem]:
        """The log goes on without what waits for witnesses: it is not believed."""
        held, self._held = self._held, None
        return [] if held is None else [_future(held, i) for i in range(len(held))]

    def snapshot(self) -> dict[str, Any]:
        """Everything that the rows to come depend on; held events are read again."""
        return {
            "config": self._config,
            "next_offset": self.next_offset,
            "held": self.held_offsets,
            "newest_ms": self.clock.newest_ms,
            "closed_ms": self.clock.closed_ms,
            "clock": self.clock.snapshot(),
            "clocks_set": self._set_back.done,
            "additions": self._additions.snapshot(),
            "late_reported": list(self._additions.reported),
            **self._versions.snapshot(),
            **self._panes.snapshot(),
            "banks": self._per_event.snapshot(),
            "spells": self._per_event.spells(),
            "seen": self._seen.snapshot(),
        }

    def restore(self, state: Mapping[str, Any]) -> bool:
        """Go on from a snapshot, before anything is folded.

        Returns
        -------
        bool
            False if it was taken under another configuration: then only the offset and the clock are taken over,
            and series learn from scratch.
        """
        self.next_offset = int(state["next_offset"])
        self.clock.start(int(state["newest_ms"]), int(state["closed_ms"]))
        self._set_back.restore(state.get("clocks_set"), self.next_offset)
        # Checkpoints from before additions had a bound hold none.
        if "additions" in state:
            self._additions.restore(state["additions"])
        if state["config"] != self._config:
            return False
        # Checkpoints from before clocks knew what is usual hold none.
        if "clock" in state:
            self.clock.restore(state["clock"])
        self._additions.reported = (int(state["late_reported"][0]), int(state["late_reported"][1]))
        self._versions.restore(state)
        self._panes.restore(state)
        self._per_event.restore(state["banks"])
        self._per_event.restore_spells(state.get("spells", []))
        self._seen.restore(state["seen"])
        return True

    def _with_held(self, events: Events) -> Events:
        held = self._held
        first_new = self.next_offset if held is None else int(held.offsets[-1]) + 1
        if len(events) and int(events.offsets[0]) < first_new:
            events = events.slice(int(np.searchsorted(events.offsets, first_new)), len(events))
        return events if held is None else Events.joined(held, events)

    def _settle(self, batch: Events, out: Folded, *, end: bool = False) -> None:
        while len(batch):
            for to_ms in self._set_back.due(int(batch.offsets[0])):
                self._close(out)
                self.clock.set_back(to_ms)
            count, before_ms = self._set_back.count_before_next(batch.offsets), self.clock.closed_ms
            settled, status, closed = self.clock.advance(batch.event_ms, batch.record_ms, end=end, count=count)
            if settled:
                self._fold_in_turn(batch.slice(0, settled), status, closed, before_ms, out)
                self.next_offset = int(batch.offsets[settled - 1]) + 1
                batch = batch.slice(settled, len(batch))
            if settled < count:
                break
        self._held = batch if len(batch) else None

    def _fold_in_turn(
        self, events: Events, status: NDArray[np.uint8], closed: Integers, before_ms: int, out: Folded
    ) -> None:
        days = self._days(events, closed, before_ms)
        pane = self._pane(events)
        is_late = (pane < closed) & (status != FUTURE)
        parts, begins = self._additions.number(pane, is_late, closed, events.versions)
        for first, stop in pairwise(sorted({0, *days, *begins, len(events)})):
            if first in days:
                self._make_room(int(closed[first]), out)
            if first in begins:
                out.add("panes", self._panes.close_additions())
            of_slice = status[first:stop], closed[first:stop], parts[first:stop]
            self._fold(events.slice(first, stop), *of_slice, out)

    def _pane(self, events: Events) -> Integers:
        """Where the pane of each event starts."""
        return events.event_ms // self.clock.pane_ms * self.clock.pane_ms

    def _days(self, events: Events, closed: Integers, before_ms: int) -> list[int]:
        """The events with which a day begins by the watermark; none if there are places for all versions."""
        if not self._versions.fill_up(events.versions):
            return []
        days: list[int] = np.flatnonzero(np.diff(closed // DAY_MS, prepend=before_ms // DAY_MS)).tolist()
        return days

    def _make_room(self, closed_ms: int, out: Folded) -> None:
        """Let versions go that come no more, once their panes are written."""
        staying = self._versions.staying(closed_ms // DAY_MS * DAY_MS)
        if len(staying) < len(self._versions.names):
            out.add("panes", self._panes.close(closed_ms))
            for part in (self._panes, self._per_event, self._versions):
                part.keep(staying)

    def _fold(self, batch: Events, status: NDArray[np.uint8], closed: Integers, parts: Integers, out: Folded) -> None:
        pane = self._pane(batch)
        position = self._set_back.keys(pane, closed)
        late_at = position + parts
        known_ms = np.maximum(batch.event_ms, closed)
        counts = status != FUTURE
        out.problems += [_future(batch, i) for i in np.flatnonzero(~counts).tolist()]
        # The next position's keys begin there.
        for i in np.flatnonzero(counts & (position > 0) & (late_at >= closed + self.clock.pane_ms)).tolist():
            counts[i] = False
            out.problems.append(Problem(int(batch.offsets[i]), REJECTED, "too_late", "", TOO_LATE))
        if batch.ids is not None:
            self._drop_duplicates(batch, pane, late_at, counts, out)
        if not counts.all():
            index = np.flatnonzero(counts)
            batch, known_ms = batch.take(index), known_ms[index]
            pane, position, late_at = pane[index], position[index], late_at[index]
        if not len(batch):
            return
        out.events += len(batch)
        erased = self._erased.gone(batch) if self._erased.any else None
        if erased is not None:
            batch = self._erased.without_names(batch)
        version = self._versions.numbers(batch.versions, np.maximum(pane, position))
        if self._keeper.keeps:
            staying = np.arange(len(batch)) if erased is None else np.flatnonzero(~erased)
            counted_as = [self._versions.names[number] for number in version[staying].tolist()]
            staying_events = batch if erased is None else batch.take(staying)
            for table, rows in self._keeper.rows(staying_events, known_ms[staying], counted_as).items():
                out.add(table, rows)
        self._note_late(batch, pane, position, out)
        judged = self._per_event.judge(batch, version)
        self._panes.add(batch, pane, late_at, version, judged)
        out.add("findings", self._per_event.findings(judged, batch, version, erased))

    def _drop_duplicates(
        self, batch: Events, pane: Integers, late_at: Integers, counts: NDArray[np.bool_], out: Folded
    ) -> None:
        """Drop events whose identity stands in the same open pane already."""
        assert batch.ids is not None
        candidates = np.flatnonzero(counts & (late_at <= 0) & batch.ids.present)
        repeated = self._seen.repeated(pane[candidates], digests(batch.ids)[candidates])
        for i in candidates[repeated].tolist():
            counts[i] = False
            detail = f"id {str(batch.ids[i])[:200]!r} came before in the same pane"
            out.problems.append(Problem(int(batch.offsets[i]), REJECTED, "duplicate", "", detail))

    def _note_late(self, batch: Events, pane: Integers, position: Integers, out: Folded) -> None:
        """Count late events; of each position of the watermark the first few are reported with their log position."""
        late = np.flatnonzero(position > 0)
        out.late += len(late)
        if len(late):
            out.newest_late_ms = int(batch.event_ms[late[-1]])
        for i in late.tolist():
            at_ms = int(position[i])
            if self._additions.reports(at_ms):
                closed_ms = at_ms // self.clock.pane_ms * self.clock.pane_ms
                detail = f"its pane starts at {int(pane[i])} ms, and panes before {closed_ms} ms were closed"
                out.problems.append(Problem(int(batch.offsets[i]), KEPT, "late", "", detail))

    def _close(self, out: Folded) -> None:
        """Panes that the watermark has passed; additions to closed panes once it has left the pane it stood in."""
        out.add("panes", self._panes.close(self.clock.closed_ms))
        self._seen.forget_before(self.clock.closed_ms)


def _future(batch: Events, i: int) -> Problem:
    detail = f"event time {int(batch.event_ms[i])} ms is far ahead of the partition's other events"
    return Problem(int(batch.offsets[i]), REJECTED, "future", "", detail)
