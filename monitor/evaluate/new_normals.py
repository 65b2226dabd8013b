"""What people say of the signals of a model, done to its charts: levels become the new normal, days teach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.change.model import ModelCharts
from detectors.change.skew import Skews
from monitor.alerts.verdict import NewNormal
from monitor.evaluate.calendar import Calendar
from monitor.evaluate.mark_log import Mark, is_taken_back
from monitor.events import SeriesKey
from monitor.values import DAY_MS, format_duration
from monitor.watch import Watch

__all__ = ["NewNormals"]


class NewNormals:
    """Marks, and what the configuration says of alarms that stand, for the charts of a model.

    Parameters
    ----------
    watch : Watch
    calendar : Calendar
    charts : ModelCharts
    skews : Skews
        Both have the same series, in the same order.

    Attributes
    ----------
    marks : sequence of Mark
        Those of which is settled from which window on they have effect.
    unsaid : dict of SeriesKey to NewNormal
        New normals of signals that have had no window since.
    """

    def __init__(self, watch: Watch, calendar: Calendar, charts: ModelCharts, skews: Skews) -> None:
        detect = watch.model.spec.detect
        self._step_ms, self._adopt_after_ms = detect.defaults.step_ms, detect.adopt_after
        self._calendar, self._charts, self._skews = calendar, charts, skews
        self.marks: Sequence[Mark] = ()
        self.unsaid: dict[SeriesKey, NewNormal] = {}
        self._first_day: int | None = None

    def due(self, windows: range, ends_ms: range) -> list[tuple[int, Mark]]:
        """Return which marks have effect from which of some windows on; ``ends_ms`` are those of all windows."""
        due = []
        for mark in self.marks:
            # A level that begins within a window has the next one for itself.
            again_ms = self._calendar.first_end(mark.from_ms) if mark.says == "accepted" else 0
            for at_ms in sorted({mark.effective_ms, max(mark.effective_ms, again_ms)}):
                t = -(-(at_ms - ends_ms[0]) // self._step_ms)
                if t in windows:
                    due.append((t, mark))
        return due

    def begin(self, key: SeriesKey, s: int, end_ms: int) -> None:
        """Let series ``s`` begin with the window that ends at ``end_ms``: its skew may have been accepted before.

        Of an acceptance from before what is remembered, that is what is left. A version that comes later is none of
        those that were accepted without a name.
        """
        day = self._charts.day
        self._first_day = day if self._first_day is None else self._first_day
        for mark in self.marks:
            was_there = mark.version == key[0] or day == self._first_day
            if mark.says == "accepted" and mark.is_about(key) and mark.effective_ms < end_ms and was_there:
                self._skews.accept(s, self._calendar.days_from(mark.from_ms)[1])

    def take_effect(self, mark: Mark, keys: Sequence[SeriesKey]) -> dict[int, NewNormal]:
        """Do what a mark says to the series with these keys, and return those whose level is a new normal."""
        from_day, whole_day = self._calendar.days_from(mark.from_ms)
        new_normals = {}
        for s in (s for s, key in enumerate(keys) if mark.is_about(key)):
            if mark.says == "accepted":
                if self._charts.windows_stood(s) or not self._skews.skewed[s]:
                    self._charts.accept(s, from_day, whole_day)
                self._skews.accept(s, whole_day)
                new_normals[s] = NewNormal(mark.created_by, mark.reason, mark.from_ms)
                continue
            to_day = self._calendar.days_from(mark.to_ms or mark.effective_ms)[0]
            if mark.says == "real":
                self._charts.call_real(s, range(from_day, to_day + 1))
            elif mark.says in ("false", "harmless") and not is_taken_back(mark, self.marks, keys[s]):
                self._charts.teach(s, range(from_day, to_day + 1), is_false=mark.says == "false")
        return new_normals

    def adopt(self, start_ms: int) -> dict[int, NewNormal]:
        """Accept what has stood for as long as the configuration says, at the start of a day's first window."""
        if self._adopt_after_ms is None:
            return {}
        new_normals = {}
        for s, days in enumerate(self._skews.accepted.stood.tolist()):
            change_ms = self._charts.windows_stood(s) * self._step_ms
            skew_ms = days * max(self._step_ms, DAY_MS)
            if max(change_ms, skew_ms) < self._adopt_after_ms:
                continue
            is_change = change_ms >= self._adopt_after_ms
            from_ms = start_ms - change_ms if is_change else self._days_before(start_ms, days)
            from_day, whole_day = self._calendar.days_from(from_ms)
            if is_change:
                self._charts.accept(s, from_day, whole_day)
            self._skews.accept(s, whole_day)
            new_normals[s] = NewNormal("", format_duration(self._adopt_after_ms), from_ms)
        return new_normals

    def _days_before(self, start_ms: int, days: int) -> int:
        """Return when a day began, so many days before one that begins: where clocks change, not all have 24 hours."""
        if self._step_ms > DAY_MS:
            return start_ms - days * self._step_ms
        return self._calendar.day_start(start_ms + self._step_ms, days)

    def by_window(
        self, key: SeriesKey, new_normals: Mapping[int, NewNormal], occupied: NDArray[np.int64]
    ) -> dict[int, NewNormal]:
        """Return new normals by the index of the occupied window that says so: the next one; the others stay unsaid."""
        by_index = {}
        for t, new_normal in sorted(new_normals.items()):
            index = int(np.searchsorted(occupied, t))
            if index < len(occupied):
                by_index[index] = new_normal
            else:
                self.unsaid[key] = new_normal
        return by_index

    def snapshot(self) -> dict[str, Any]:
        """State for a checkpoint."""
        unsaid = [[list(key), list(new_normal)] for key, new_normal in sorted(self.unsaid.items())]
        return {"unsaid": unsaid, "first_day": self._first_day}

    def restore(self, snapshot: Mapping[str, Any] | None) -> None:
        """Continue from a snapshot; without one, as checkpoints were before anything could be accepted."""
        if snapshot is None:
            return
        self._first_day = snapshot["first_day"]
        self.unsaid = {
            (version, segment, signal): NewNormal(*new_normal)
            for (version, segment, signal), new_normal in snapshot["unsaid"]
        }
