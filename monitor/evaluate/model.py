"""All series of a model: windows in, what was said of them out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from monitor.alerts.lifecycle import Lifecycle, Transition
from monitor.evaluate.alarm_rule import limits_of
from monitor.evaluate.series import DistributionSeries
from monitor.evaluate.verdicts import Judged, Outline
from monitor.evaluate.volume import VolumeSeries
from monitor.evaluate.windows import Blocks
from monitor.events import SeriesKey
from monitor.panes.reading import PaneRows
from monitor.watch import Watch

__all__ = ["Judges", "follow"]


class Judges:
    """What is known of each series of a model.

    Parameters
    ----------
    watch : Watch
    wanted : collection of str or None
        Signals whose scores somebody will look at, rather than only at what alarms; all if None.
    """

    def __init__(self, watch: Watch, wanted: Collection[str] | None = None) -> None:
        self._watch, self._wanted = watch, wanted
        self._limits = limits_of(watch)
        self._series: dict[SeriesKey, DistributionSeries] = {}
        self._volumes: dict[str, VolumeSeries] = {}

    def advance(self, panes: PaneRows, ends_ms: range) -> list[Judged]:
        """Judge the windows that end at ``ends_ms``, in order, and learn from them.

        Parameters
        ----------
        panes : PaneRows
            All panes from the first window's start to the last one's end, of all series or of some.
        ends_ms : range
            Behind all that were judged before.

        Returns
        -------
        list of Judged
            Series in the order of their keys, then volumes.
        """
        found: list[Judged] = []
        for key in panes.series():
            series = self._series.get(key) or self._begun(key)
            if series.detectors:
                self._series[key] = series
                found += series.advance(panes.of(key), self._watch, ends_ms)
        if "volume" in self._watch.uses.get("volume", {}):
            found += self._volume(panes, ends_ms)
        return found

    def _begun(self, key: SeriesKey) -> DistributionSeries:
        whole = self._wanted is None or key[2] in self._wanted
        return DistributionSeries(self._watch, key, self._limits, whole=whole)

    def _volume(self, panes: PaneRows, ends_ms: range) -> Iterable[Judged]:
        blocks = Blocks(self._watch, ends_ms)
        for segment in sorted({*self._volumes, *panes.segments()}):
            events, first = blocks.events(panes.volume_of(segment))
            if segment in self._volumes:
                first = 0
            elif first < len(events):
                self._volumes[segment] = VolumeSeries(self._watch, segment, self._limits)
            if first < len(events):
                yield self._volumes[segment].judge(blocks.ends_ms[first:], events[first:])

    def snapshot(self) -> dict[str, Any]:
        """State for a checkpoint."""
        return {
            "series": [series.snapshot() for _, series in sorted(self._series.items())],
            "volumes": [series.snapshot() for _, series in sorted(self._volumes.items())],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a snapshot."""
        for saved in state["series"]:
            version, segment, signal = saved["key"]
            series = self._begun((version, segment, signal))
            series.restore(saved)
            self._series[series.key] = series
        for saved in state["volumes"]:
            volume = VolumeSeries(self._watch, saved["segment"], self._limits)
            volume.restore(saved)
            self._volumes[volume.segment] = volume


def follow(lifecycle: Lifecycle, outlines: Sequence[Outline], ends_ms: Iterable[int]) -> list[Transition]:
    """Lead alerts through windows.

    Parameters
    ----------
    lifecycle : Lifecycle
    outlines : sequence of Outline
        Of all series; those of one series in the order of their windows.
    ends_ms : iterable of int
        Ends of the windows, those without panes too.
    """
    drifts: dict[int, list[Outline]] = {}
    of_series: dict[SeriesKey, list[Outline]] = {}
    for outline in outlines:
        of_series.setdefault(outline.key, []).append(outline)
        for end_ms in outline.drifts:
            drifts.setdefault(end_ms, []).append(outline)
    transitions: list[Transition] = []
    for end_ms in ends_ms:
        verdicts = [verdict for outline in drifts.get(end_ms, ()) for verdict in outline.drifts[end_ms]]
        for series in sorted(lifecycle.members()):
            verdicts += [verdict for outline in of_series.get(series, ()) for verdict in outline.standing(end_ms)]
        transitions += lifecycle.step(end_ms, verdicts)
    return transitions
