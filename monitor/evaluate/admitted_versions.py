"""Which versions have series of their own: at most so many at one time, the same over all partitions.

Each partition bounds the versions that it counts apart by what it has seen itself (`monitor.ingest.model_versions`), so
several of them may have more between them. Here a version gets a place with the first step of windows in which it has
panes, those of one step in the order of their names; panes of others are added to those of `OTHER_VERSION`. When a day
of event time begins and all places are taken, versions that had nothing for a day, nor within a window, make room.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.events import NEED_NO_PLACE, OTHER_VERSION, SeriesKey
from monitor.panes.reading import PaneRows, Piece
from monitor.values import DAY_MS
from monitor.watch import Watch

__all__ = ["AdmittedVersions", "Stint"]

Integers = NDArray[np.int64]

EVER, NEVER = -(1 << 62), 1 << 62


@dataclass(frozen=True)
class Stint:
    """Consecutive windows in which no version loses its place.

    Attributes
    ----------
    ends_ms : range
    panes : PaneRows
        Those of versions without a place as those of `OTHER_VERSION`.
    gone : frozenset of str
        Versions that have made room just before.
    """

    ends_ms: range
    panes: PaneRows
    gone: frozenset[str] = frozenset()


class AdmittedVersions:
    """The versions of one model that have a place.

    Parameters
    ----------
    watch : Watch

    Attributes
    ----------
    begun_ms : dict of str to int
        Of the versions that got a place in the last batch of windows: where the first pane of theirs starts.
    events, other_events : int
        Of the last batch of windows, and those of them that count under `OTHER_VERSION`.
    """

    def __init__(self, watch: Watch) -> None:
        defaults = watch.model.spec.detect.defaults
        self._most = watch.model.spec.schema_.max_versions
        self._step_ms, self._idle_ms = defaults.step_ms, max(DAY_MS, defaults.window)
        self._offset_ms = defaults.offset
        # From which pane on each has its place, and where its newest pane starts.
        self._since_ms: dict[str, int] = {}
        self._last_ms: dict[str, int] = {}
        self._next_ms = EVER
        self.begun_ms: dict[str, int] = {}
        self.events = self.other_events = 0

    def __len__(self) -> int:
        """How many places are taken."""
        return len(self._since_ms)

    def stints(self, panes: PaneRows, ends_ms: range) -> Iterator[Stint]:
        """Yield windows with their panes, cut where versions make room.

        Parameters
        ----------
        panes : PaneRows
            All panes from the first window's start to the last one's end.
        ends_ms : range
            Later than at every call before.
        """
        coming, from_ms = self._coming(panes), self._next_ms
        self.begun_ms = {}
        self.events = self.other_events = 0
        # What lies before the first window of all belongs to its last step.
        first_step_ms = ends_ms[0] - self._step_ms if self._next_ms == EVER else EVER
        days = self._days(coming, ends_ms)
        first, gone = 0, frozenset[str]()
        for start, stop in pairwise(sorted({0, *days, len(ends_ms)})):
            idle = self._idle(ends_ms[start]) if start in days else frozenset()
            if idle:
                if start > first:
                    yield self._stint(panes, ends_ms[first:start], gone, from_ms)
                    from_ms = self._next_ms
                self._let_go(idle)
                first, gone = start, idle
            self._admit(coming, ends_ms[stop - 1], first_step_ms)
        yield self._stint(panes, ends_ms[first:], gone, from_ms)

    def _stint(self, panes: PaneRows, ends_ms: range, gone: frozenset[str], from_ms: int) -> Stint:
        placed = PaneRows([self._placed(piece) for piece in panes.pieces])
        for piece in placed.pieces:
            self._count(piece, from_ms, ends_ms[-1])
        return Stint(ends_ms, placed, gone)

    def _coming(self, panes: PaneRows) -> dict[str, Integers]:
        """Where the panes of each version start that no window has ended behind yet, ascending."""
        starts: defaultdict[str, list[Integers]] = defaultdict(list)
        for piece in panes.pieces:
            for of_kind in (piece.series, piece.findings):
                for (version, segment, _), rows in of_kind.items():
                    if not segment and version not in NEED_NO_PLACE:
                        starts[version].append(np.unique(piece.starts_ms[rows]))
        all_starts = {version: np.unique(np.concatenate(parts)) for version, parts in starts.items()}
        fresh = {version: starts[starts >= self._next_ms] for version, starts in all_starts.items()}
        return {version: starts for version, starts in fresh.items() if len(starts)}

    def _days(self, coming: Iterable[str], ends_ms: range) -> list[int]:
        """The windows with whose step a day begins; none if there are places for all."""
        if len({*coming, *self._since_ms}) < self._most:
            return []
        steps_ms = np.array([self._next_ms, *ends_ms]) - self._step_ms
        days: list[int] = np.flatnonzero(np.diff(steps_ms // DAY_MS)).tolist()
        return days

    def _idle(self, end_ms: int) -> frozenset[str]:
        if len(self) < self._most:
            return frozenset()
        before_ms = (end_ms - self._step_ms) // DAY_MS * DAY_MS - self._idle_ms
        return frozenset(version for version, last_ms in self._last_ms.items() if last_ms < before_ms)

    def _let_go(self, versions: Iterable[str]) -> None:
        for version in versions:
            del self._since_ms[version], self._last_ms[version]

    def _admit(self, coming: Mapping[str, Integers], to_ms: int, first_step_ms: int) -> None:
        """Give places to versions with panes that start before ``to_ms``."""
        steps: list[tuple[int, str, Integers]] = []
        for version, starts in coming.items():
            of_span = starts[(starts >= self._next_ms) & (starts < to_ms)]
            if len(of_span):
                step_ms = self._step_of(int(of_span[0]))
                steps.append((step_ms if step_ms > first_step_ms else EVER, version, of_span))
        for step_ms, version, starts in sorted(steps, key=lambda step: step[:2]):
            if version not in self._since_ms:
                if len(self) >= self._most:
                    continue
                self._since_ms[version] = step_ms
                self.begun_ms[version] = int(starts[0])
            self._last_ms[version] = int(starts[-1])
        self._next_ms = to_ms

    def _step_of(self, start_ms: int) -> int:
        """The start of the step in which a pane lies."""
        return (start_ms - self._offset_ms) // self._step_ms * self._step_ms + self._offset_ms

    def _count(self, piece: Piece, from_ms: int, to_ms: int) -> None:
        """Count the events of panes that start within a span, by one of their signals."""
        signals = sorted({signal for _, segment, signal in piece.series if not segment})
        for (version, segment, signal), rows in piece.series.items():
            if not segment and signal == signals[0]:
                starts_ms = piece.starts_ms[rows]
                events = int(piece.sums[rows[(starts_ms >= from_ms) & (starts_ms < to_ms)], :3].sum())
                self.events += events
                self.other_events += events * (version == OTHER_VERSION)

    def _placed(self, piece: Piece) -> Piece:
        if not len(piece.starts_ms):
            return piece
        first_ms = int(piece.starts_ms.min())
        versions = {key[0] for of_kind in (piece.series, piece.findings) for key in of_kind}
        if all(self._from_ms(version) <= first_ms for version in versions):
            return piece
        series, findings = self._placed_rows(piece, piece.series), self._placed_rows(piece, piece.findings)
        return replace(piece, series=series, findings=findings)

    def _placed_rows(self, piece: Piece, of_kind: Mapping[SeriesKey, Integers]) -> dict[SeriesKey, Integers]:
        placed: defaultdict[SeriesKey, list[Integers]] = defaultdict(list)
        for key, rows in of_kind.items():
            has_place = piece.starts_ms[rows] >= self._from_ms(key[0])
            for mine, own_key in ((has_place, key), (~has_place, (OTHER_VERSION, *key[1:]))):
                if mine.any():
                    placed[own_key].append(rows[mine])
        return {key: np.concatenate(parts) for key, parts in placed.items()}

    def _from_ms(self, version: str) -> int:
        """From which pane on a version has a place."""
        return EVER if version in NEED_NO_PLACE else self._since_ms.get(version, NEVER)

    # -- state -------------------------------------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """State for a checkpoint."""
        places = [[version, since_ms, self._last_ms[version]] for version, since_ms in sorted(self._since_ms.items())]
        return {"next_ms": self._next_ms, "places": places}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a snapshot."""
        self._next_ms = state["next_ms"]
        self._since_ms = {version: since_ms for version, since_ms, _ in state["places"]}
        self._last_ms = {version: last_ms for version, _, last_ms in state["places"]}

    def adopt(self, versions: Iterable[str]) -> None:
        """Continue from a checkpoint of before there was a bound: versions that come no more make room."""
        needing = sorted(set(versions) - NEED_NO_PLACE)
        self._since_ms, self._last_ms = dict.fromkeys(needing, EVER), dict.fromkeys(needing, EVER)
