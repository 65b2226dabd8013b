"""Labels: what turned out to be true of events, stored as it comes.

A label may come weeks after its event, so labels have no panes, and no window waits for them: each message becomes
rows, one for each label that it holds, under the id of the event that it speaks of. A field that is ``null`` takes back
what was said; one that is not there says nothing.

Each row has the time at which it was known: its own, or where the partition's labels stood if that is later
(:mod:`monitor.ingest.label_clock`). So what was known of an event by some time follows from the log alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from monitor.config.model import SourceSpec
from monitor.decoders.contract import TopicPlan
from monitor.erasure.erased import ErasedEvents, ErasureList
from monitor.events import REJECTED, Events, Partition, Problem
from monitor.ingest.duplicates import digests
from monitor.ingest.fold import Folded
from monitor.ingest.kept_events import Columns, texts_of
from monitor.ingest.label_clock import LabelClock
from monitor.watch import Watch

__all__ = ["LABELS", "LabelFold"]

LABELS = "labels"
"""In place of a configuration: rows of labels depend on nothing that came before."""

_NO_NUMBER = float("nan")


class LabelFold:
    """The labels of one model on one partition.

    Parameters
    ----------
    watch : Watch
    source : SourceSpec
        Of kind ``labels``.
    partition : Partition
    erasures : ErasureList or None
        Subjects whose labels are not stored.

    Attributes
    ----------
    clock : LabelClock
    next_offset : int
        Behind the last label that was read.
    """

    def __init__(
        self, watch: Watch, source: SourceSpec, partition: Partition, erasures: ErasureList | None = None
    ) -> None:
        plan = TopicPlan(watch.name, source, watch.model.spec.schema_)
        self._numeric, self._category = plan.numeric, plan.category
        self._model, self._partition = watch.name, partition
        self._keeps = watch.model.spec.keep.labels and not watch.privacy.summaries_only
        self._hidden = watch.privacy.hidden
        self._erased = ErasedEvents(erasures, watch.name, [])
        self.clock = LabelClock(source.allowed_lateness)
        self.next_offset = 0

    def process(self, events: Events) -> Folded:
        """Make rows of messages; what lies before ``next_offset`` is skipped."""
        out = Folded()
        first = int(np.searchsorted(events.offsets, self.next_offset))
        batch = events.slice(first, len(events))
        if not len(batch):
            return out
        self.next_offset = int(batch.offsets[-1]) + 1
        closed_ms = self.clock.advance(batch.event_ms, batch.record_ms)
        identified = self._identified(batch, out)
        if self._keeps:
            rows = self._rows(batch, identified) | {"known_ms": []}
            index = np.searchsorted(batch.offsets, rows["offset"])
            rows["known_ms"] = np.maximum(batch.event_ms, closed_ms)[index]
            if len(rows["offset"]):
                out.rows["labels"] = rows
        return out

    def _identified(self, batch: Events, out: Folded) -> list[int]:
        ids = [] if batch.ids is None else batch.ids.tolist()
        for offset, identity in zip(batch.offsets.tolist(), ids, strict=True):
            if identity is None:
                detail = "a label without the id of the event that it is for"
                out.problems.append(Problem(offset, REJECTED, "no_id", "", detail))
        gone = self._erased.gone(batch)
        return [i for i, identity in enumerate(ids) if identity is not None and not gone[i]]

    def _rows(self, batch: Events, identified: list[int]) -> Columns:
        labels: list[tuple[str, int, float, str, int]] = []
        for signal, numbers in zip(self._numeric, batch.numeric, strict=True):
            finite = np.isfinite(numbers) & (signal not in self._hidden)
            labels += [(signal, i, float(numbers[i]), "", 0) for i in identified if finite[i]]
        for signal, names in zip(self._category, batch.category, strict=True):
            shown = () if signal in self._hidden else identified
            labels += [(signal, i, _NO_NUMBER, name, 0) for i in shown if isinstance(name := names[i], str)]
        labels += self._retracted(batch, identified)
        index = np.array([i for _, i, _, _, _ in labels], dtype=np.int64)
        return {
            "model": [self._model] * len(labels),
            "signal": [signal for signal, _, _, _, _ in labels],
            "event_ms": batch.event_ms[index],
            "topic": [self._partition[0]] * len(labels),
            "partition": [self._partition[1]] * len(labels),
            "offset": batch.offsets[index],
            "id": texts_of(batch.ids, index),
            "subject": texts_of(batch.subjects, index),
            "value": [value for _, _, value, _, _ in labels],
            "label": [label for _, _, _, label, _ in labels],
            "retracted": [retracted for _, _, _, _, retracted in labels],
            "id_digest": [] if batch.ids is None else digests(batch.ids).view(np.int64)[index],
        }

    def _retracted(self, batch: Events, identified: list[int]) -> list[tuple[str, int, float, str, int]]:
        if batch.retracted is None or not batch.retracted.any():
            return []
        by_signal = zip([*self._numeric, *self._category], batch.retracted, strict=True)
        shown = [(signal, nulls) for signal, nulls in by_signal if signal not in self._hidden]
        return [(signal, i, _NO_NUMBER, "", 1) for signal, nulls in shown for i in identified if nulls[i]]

    def finish(self) -> None:
        """No more labels will come."""
        self.clock.finish()

    def snapshot(self) -> dict[str, Any]:
        """How far the partition has been read, and where its labels stand."""
        return {"config": LABELS, "next_offset": self.next_offset, "held": [], **self.clock.snapshot()}

    def restore(self, state: Mapping[str, Any]) -> bool:
        """Go on from a snapshot."""
        self.next_offset = int(state["next_offset"])
        self.clock.restore(state)
        return True
