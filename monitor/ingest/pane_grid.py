"""The open panes of one partition: a row of running sums for each pane, version and segment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from detectors.sketch import CategoryFold, CategoryLayout, FindingFold, JointFold, NumericFold, NumericLayout
from monitor.config.model import SourceSpec
from monitor.events import Events, Partition
from monitor.ingest.model_versions import ModelVersions
from monitor.ingest.per_event import Judged
from monitor.ingest.segments import SegmentColumns
from monitor.panes.codec import (
    category_columns,
    finding_columns,
    numeric_columns,
    pane_columns,
    signal_of_findings,
    vector_columns,
)
from monitor.watch import Watch
from sinks.store.batch import Rows, empty_rows

__all__ = ["PaneGrid"]

Integers = NDArray[np.int64]
OfDetector = tuple[Integers, Integers, Integers]  # with a finding, not judged, with which a spell begins
Key = tuple[int, int, int, str]  # pane start, late_at, number of the version, segment
L = TypeVar("L", NumericLayout, CategoryLayout)

_FEWEST_ROWS = 64


class PaneGrid:
    """Sums of the events of one model on one partition.

    Sums are of integers, so that neither the order of events nor where batches end changes a bit of them. The rows of
    panes that are closed are used again.

    Parameters
    ----------
    watch : Watch
    source : SourceSpec
    partition : Partition
    versions : ModelVersions
        Numbers of versions are among the keys.
    """

    def __init__(self, watch: Watch, source: SourceSpec, partition: Partition, versions: ModelVersions) -> None:
        self._watch, self._partition, self._versions = watch, partition, versions
        self._carried = watch.carried_by(source)
        self._segments = SegmentColumns(watch.segmentations, self._carried.category)
        self._rows: dict[Key, int] = {}
        self._free_rows: list[int] = []
        self._counts = np.zeros(0, dtype=np.int64)
        self._numbers = NumericFold(_layouts(watch, self._carried.numeric, NumericLayout))
        self._names = CategoryFold(_layouts(watch, self._carried.category, CategoryLayout))
        self._vectors = {signal: JointFold(layout) for signal, layout in self._carried.summed.items()}
        judged = (*self._carried.numeric, *self._carried.fields, *self._carried.together)
        self._findings = {
            signal: FindingFold(watch.finding_layouts[signal]) for signal in judged if signal in watch.finding_layouts
        }

    def add(
        self, batch: Events, pane: Integers, late_at: Integers, version: Integers, judged: Sequence[Judged]
    ) -> None:
        """Count events in their panes.

        Parameters
        ----------
        batch : Events [n]
        pane : int64 array [n]
            Where each event's pane starts.
        late_at : int64 array [n]
            The pane in which the watermark stood, of an event whose own was closed by then, and some ms more where
            additions have several parts; else 0, or less where an addition has to be told from what may be written
            already.
        version : int64 array [n]
        judged : sequence of Judged
            What per-event detectors say of each event.
        """
        rows, keys = self._rows_of(pane, late_at, version)
        of_detectors = self._of_detectors(judged)
        self._count_findings(rows, self._fold(rows, batch), of_detectors)
        for segments, codes in self._segments.codes(batch.category):
            inside = np.flatnonzero(codes >= 0)
            if len(inside):
                of_segments = self._segment_rows(rows[inside], codes[inside], keys, segments)
                events = self._fold(of_segments, batch.take(inside))
                if of_detectors:
                    of_all = np.full(len(batch), -1, dtype=np.int64)
                    of_all[inside] = of_segments
                    self._count_findings(of_all, events, of_detectors)

    def close(self, before_ms: int) -> Rows:
        """Return the rows of panes that start before, and of additions made before, and forget them."""
        return self._close(key for key in self._rows if (key[1] if key[1] > 0 else key[0]) < before_ms)

    def close_additions(self) -> Rows:
        """Return the rows of all additions to closed panes, and forget them."""
        return self._close(key for key in self._rows if key[1] > 0)

    def _close(self, keys: Iterable[Key]) -> Rows:
        panes = empty_rows("panes")
        for key in sorted(keys, key=lambda k: (k[0], k[1], self._versions.names[k[2]], k[3])):
            row = self._rows.pop(key)
            self._take(key, row, panes)
            self._free_rows.append(row)
        return panes

    def keep(self, versions: Integers) -> None:
        """Number versions anew in the order given; panes of others are closed."""
        numbers = {former: number for number, former in enumerate(versions.tolist())}
        self._rows = {(at, late, numbers[v], segment): row for (at, late, v, segment), row in self._rows.items()}

    def snapshot(self) -> dict[str, Any]:
        """The sums of every row."""
        keys, rows = list(self._rows), list(self._rows.values())
        return {
            "keys": [list(key) for key in keys],
            "counts": self._counts[rows],
            "numbers": self._numbers.snapshot(rows),
            "names": self._names.snapshot(rows),
            "vectors": [fold.snapshot(rows) for fold in self._vectors.values()],
            "findings": [fold.snapshot(rows) for fold in self._findings.values()],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a snapshot; nothing may have been added yet."""
        rows = [self._row((int(a), int(b), int(c), str(d))) for a, b, c, d in state["keys"]]
        self._counts[rows] = state["counts"]
        self._numbers.restore(rows, state["numbers"])
        self._names.restore(rows, state["names"])
        for fold, saved in zip(self._vectors.values(), state.get("vectors", []), strict=True):
            fold.restore(rows, saved)
        # Checkpoints from before findings were counted hold none.
        for counted, counts in zip(self._findings.values(), state.get("findings", []), strict=False):
            counted.restore(rows, counts)

    def _rows_of(self, pane: Integers, late_at: Integers, version: Integers) -> tuple[Integers, dict[int, Key]]:
        """A row for every event, looked up once per run of equal keys (events mostly come in the order of time)."""
        change = np.flatnonzero((np.diff(pane) != 0) | (np.diff(late_at) != 0) | (np.diff(version) != 0)) + 1
        starts = np.concatenate(([0], change))
        lengths = np.diff(np.append(starts, len(pane)))
        keys: list[Key] = [(int(pane[i]), int(late_at[i]), int(version[i]), "") for i in starts.tolist()]
        rows = np.array([self._row(key) for key in keys], dtype=np.int64)
        return np.repeat(rows, lengths), dict(zip(rows.tolist(), keys, strict=True))

    def _segment_rows(self, rows: Integers, codes: Integers, keys: dict[int, Key], segments: list[str]) -> Integers:
        """The rows of the events' segments, looked up once for each that occurs beside each row of ``keys``."""
        pairs, pair_of = np.unique(rows * len(segments) + codes, return_inverse=True)
        based = [divmod(pair, len(segments)) for pair in pairs.tolist()]
        return np.array([self._row((*keys[row][:3], segments[code])) for row, code in based], dtype=np.int64)[pair_of]

    def _row(self, key: Key) -> int:
        row = self._rows.get(key)
        if row is None:
            row = self._free_rows.pop() if self._free_rows else len(self._rows)
            self._rows[key] = row
            if row >= len(self._counts):
                self._grow(max(_FEWEST_ROWS, 2 * len(self._counts)))
        return row

    def _grow(self, rows: int) -> None:
        self._counts = np.concatenate((self._counts, np.zeros(rows - len(self._counts), dtype=np.int64)))
        self._numbers.ensure(rows)
        self._names.ensure(rows)
        for fold in self._vectors.values():
            fold.ensure(rows)
        for counted in self._findings.values():
            counted.ensure(rows)

    def _fold(self, rows: Integers, batch: Events) -> Integers:
        """Count events in their rows, and return how many each row has."""
        events = np.bincount(rows, minlength=len(self._counts))
        self._counts += events
        self._numbers.fold(rows, batch.numeric)
        self._names.fold(rows, batch.category)
        fields = dict(zip(self._carried.fields, batch.vectors, strict=True))
        for signal, fold in self._vectors.items():
            fold.fold(rows, fields[signal] if signal in fields else batch.numeric[self._carried.together[signal]].T)
        return events

    def _of_detectors(self, judged: Sequence[Judged]) -> dict[str, list[OfDetector]]:
        """What is said of each signal, in the order of its layout's detectors."""
        by_use = {(each.signal, each.detector): (each.fired, each.unjudged, each.begins) for each in judged}
        return {
            signal: [by_use[signal, detector] for detector in fold.layout.detectors]
            for signal, fold in self._findings.items()
        }

    def _count_findings(
        self, rows: Integers, events: Integers, of_detectors: Mapping[str, Sequence[OfDetector]]
    ) -> None:
        for signal, judged in of_detectors.items():
            self._findings[signal].fold(rows, events, judged)

    def _take(self, key: Key, row: int, panes: Rows) -> None:
        start_ms, late_at_ms, version, segment = key
        shared = {
            "model": self._watch.name,
            "segment": segment,
            "version": self._versions.names[version],
            "pane_start_ms": start_ms,
            "late_at_ms": late_at_ms,
            "topic": self._partition[0],
            "partition": self._partition[1],
            "pane_ms": self._watch.model.spec.detect.pane,
        }
        layouts = self._watch.layouts
        events, self._counts[row] = int(self._counts[row]), 0
        if self._carried.volume:
            pane_columns(panes, shared, "volume", "", {"n": events})
        for signal, numbers in zip(self._carried.numeric, self._numbers.take(row), strict=True):
            pane_columns(panes, shared, signal, layouts[signal].id, numeric_columns(numbers))
        for signal, names in zip(self._carried.category, self._names.take(row), strict=True):
            pane_columns(panes, shared, signal, layouts[signal].id, category_columns(names))
        for signal, fold in self._vectors.items():
            pane_columns(panes, shared, signal, layouts[signal].id, vector_columns(fold.take(row)))
        for signal, findings in self._findings.items():
            columns = {"n": events, **finding_columns(findings.layout, findings.take(row))}
            pane_columns(panes, shared, signal_of_findings(signal), findings.layout.id, columns)


def _layouts(watch: Watch, signals: list[str], kind: type[L]) -> list[L]:
    return [layout for layout in (watch.layouts[signal] for signal in signals) if isinstance(layout, kind)]
