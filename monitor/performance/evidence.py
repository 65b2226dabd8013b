"""What judged hours say of every series that is made of labels, before any chart is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from detectors.change.renewal import Renewal, Replacement
from monitor.alerts.verdict import NoValue
from monitor.config.performance import PerformancePlan
from monitor.evaluate.contrasts import Contrasts
from monitor.evaluate.former_versions import former_version
from monitor.evaluate.model_evidence import NEVER, Part
from monitor.events import SeriesKey
from monitor.performance.contrasts import JudgedContrasts, JudgedRow, Observed, contrasts_for
from monitor.values import DAY_MS

__all__ = ["FirstPane", "JudgedEvidence", "JudgedHours", "start_of_window"]

JudgedHours = Mapping[int, Mapping[tuple[str, str], JudgedRow]]
"""By the end of an hour, what was judged of each version and segment."""

FirstPane = Callable[[str, range], int]
"""Of a version, and the window of the first hour that was judged of it: the start of the first pane with its events."""

FORGOTTEN_MS = 60 * DAY_MS
"""A series that had nothing for so long begins anew: charts have let go of it long before."""


def start_of_window(version: str, window: range) -> int:
    """Return when a version first came where its single events are not known."""
    return window.start


class JudgedEvidence:
    """The contrasts of all series of a model that are made of labels.

    Hours are taken one by one, so that it makes no difference how many come at a time.

    Parameters
    ----------
    plan : PerformancePlan
    first_pane_ms : callable
        Says when a version first came.

    Attributes
    ----------
    contrasts : dict of SeriesKey to Contrasts
    formers : dict of SeriesKey to SeriesKey
        Of series that began in the last batch: of which they inherit what was learned.
    """

    def __init__(self, plan: PerformancePlan, first_pane_ms: FirstPane = start_of_window) -> None:
        self._plan, self._first_pane_ms = plan, first_pane_ms
        self.contrasts: dict[SeriesKey, Contrasts] = {}
        self.formers: dict[SeriesKey, SeriesKey] = {}
        self._came_ms: dict[str, int] = {}

    def look_day(self, hours: JudgedHours) -> int:
        """Return a day that never comes: metrics have coordinates of their own."""
        return NEVER

    def renewals(self, day: int, may_renew: Callable[[SeriesKey], bool]) -> dict[SeriesKey, Renewal | Replacement]:
        """Return nothing, as :meth:`look_day` says."""
        return {}

    def parts(self, hours: JudgedHours, ends_ms: range) -> dict[SeriesKey, Part]:
        """Return what hours say, by series; those without anything are left out."""
        self.formers = {}
        self._forget(ends_ms[0])
        parts: dict[SeriesKey, Part] = {}
        for t, end_ms in enumerate(ends_ms):
            for (version, segment), row in sorted(hours.get(end_ms, {}).items()):
                if version not in self._came_ms:
                    self._came_ms[version] = self._first_pane_ms(version, range(end_ms - ends_ms.step, end_ms))
                for signal in self._plan.charted:
                    self._take((version, segment, signal), row, t, parts, ends_ms)
        return parts

    def _take(self, key: SeriesKey, row: JudgedRow, t: int, parts: dict[SeriesKey, Part], ends_ms: range) -> None:
        end_ms = ends_ms[t]
        contrasts = self._of(key, end_ms)
        if contrasts is None:
            contrasts = contrasts_for(self._plan, key[2])
            if not contrasts.is_in(row):
                return
            self._begin(key, contrasts, end_ms)
        has_any = contrasts.is_in(row)
        if not has_any and not contrasts.falls_silent(row):
            return
        events, observed = 0, list[Observed | None]()
        if has_any:
            contrasts.last_ms = end_ms
            events, observed = contrasts.observe(row, end_ms)
        if key not in parts:
            parts[key] = Part.nothing(len(contrasts.kinds), len(ends_ms))
        part = parts[key]
        part.present[t], part.events[t] = 1, events
        part.evidence.learned[t] = contrasts.learned
        if (without := contrasts.windows_without(end_ms, ends_ms.step)) is not None:
            part.evidence.windows_without[t] = without
        if contrasts.odd_labels is not None:
            part.evidence.odd_labels[t] = contrasts.odd_labels
        if contrasts.lacking:
            part.evidence.lacking[t] = NoValue(contrasts.value_ms, contrasts.lacking)
        # Of an hour whose labels wait for more it is said what was expected of so many.
        part.evidence.events[:, t] = max(events, 1)
        for k, of_contrast in enumerate(observed):
            if of_contrast is not None:
                evidence = part.evidence
                evidence.values[k, t], evidence.events[k, t], evidence.units[k, t] = of_contrast

    def _of(self, key: SeriesKey, end_ms: int) -> JudgedContrasts | None:
        contrasts = self.contrasts.get(key)
        assert contrasts is None or isinstance(contrasts, JudgedContrasts)
        return None if contrasts is None or contrasts.last_ms < end_ms - FORGOTTEN_MS else contrasts

    def _begin(self, key: SeriesKey, begun: JudgedContrasts, end_ms: int) -> None:
        """Let a series begin, with what the version before has learned."""
        versions = {
            other: contrasts
            for other, contrasts in self.contrasts.items()
            if other[1:] == key[1:] and self._of(other, end_ms) is not None
        }
        former = former_version(key, end_ms, versions)
        if former is not None:
            begun.inherit(self.contrasts[former])
            begun.former = former[0]
            self.formers[key] = former
        begun.began_ms, begun.version_ms = end_ms, self._came_ms[key[0]]
        self.contrasts[key] = begun

    def _forget(self, end_ms: int) -> None:
        if any(self._of(key, end_ms) is None for key in self.contrasts):
            self.contrasts = {key: each for key, each in self.contrasts.items() if self._of(key, end_ms) is not None}
            versions = {version for version, _, _ in self.contrasts}
            self._came_ms = {version: ms for version, ms in self._came_ms.items() if version in versions}

    def snapshot(self) -> list[dict[str, Any]]:
        """State for a checkpoint."""
        return [
            {
                "key": list(key),
                "began_ms": contrasts.began_ms,
                "version_ms": contrasts.version_ms,
                "former": contrasts.former,
                "stood": dict(contrasts.stood),
                "last_ms": contrasts.last_ms,
                "contrasts": contrasts.snapshot(),
            }
            for key, contrasts in sorted(self.contrasts.items())
            if isinstance(contrasts, JudgedContrasts)
        ]

    def restore(self, states: Sequence[Mapping[str, Any]]) -> None:
        """Continue from a snapshot."""
        for state in states:
            version, segment, signal = state["key"]
            contrasts = contrasts_for(self._plan, signal)
            contrasts.restore(state["contrasts"])
            contrasts.began_ms, contrasts.last_ms = state["began_ms"], state["last_ms"]
            contrasts.version_ms, contrasts.former = state["version_ms"], state["former"]
            contrasts.stood = state.get("stood", {})
            self.contrasts[version, segment, signal] = contrasts
            self._came_ms[version] = min(self._came_ms.get(version, contrasts.version_ms), contrasts.version_ms)
