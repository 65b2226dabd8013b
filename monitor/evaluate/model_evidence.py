"""What the windows of a batch say of every series of a model, before any chart is asked.

A version that begins inherits what the one before it had learned until then (`former_versions`). A batch is therefore
taken in pieces, cut where a version begins that others may hand something on to: whether the windows after that come in
the same batch makes no difference.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.change import legend, skew
from detectors.change.renewal import Renewal, Replacement
from detectors.chart.legend import INVALID, MISSING, N
from detectors.sketch import CategoryLayout, NumericLayout
from monitor.alerts.verdict import ClockChange, NewNormal
from monitor.evaluate.columns import Columns
from monitor.evaluate.contrasts import Contrasts, SignalEvidence, VolumeContrasts
from monitor.evaluate.finding_contrasts import SignalContrasts, contrasts_of, follows_values
from monitor.evaluate.former_versions import Beginning, former_version, in_order
from monitor.evaluate.tallies import CountedShare
from monitor.evaluate.windows import Blocks, distinct_keys
from monitor.events import SeriesKey
from monitor.panes.reading import PaneRows
from monitor.watch import Watch

__all__ = ["ModelEvidence", "Part", "Standing"]

NEVER = 1 << 40
"""A day that never comes."""

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


class Standing(NamedTuple):
    """How far a contrast is off by an alarm that stands, and for how many windows.

    What is expected of it, whether only a day shows that, and what was counted, if residuals do not say it as well; and
    whether it is off so on average, or in its newest window.
    """

    shift: float
    expected: float
    by_day: bool
    windows: int
    counted: CountedShare | None = None
    on_average: bool = True


@dataclass
class Part:
    """What one series has in the windows of a batch, T of them.

    Attributes
    ----------
    evidence : SignalEvidence
    present : float64 array [T]
        1 where the series has events, or is known to have none.
    events : int64 array [T]
    verdicts, skews : float64 arrays [T, VERDICT] (of `detectors.change.legend`, and of `detectors.change.skew`)
        What the charts say, and the newest day on skew; rows are numbered within the series.
    new_normals : dict of int to NewNormal
        By the number of a window: that the level is one from then on.
    standing : dict of int to dict of int to Standing
        By the number of a window: by row, of those that are off.
    clock_changes : dict of int to list of (ClockChange, float)
        By the number of a window with an alarm: which clocks have changed, and by how much what its verdict names would
        be off then.
    counted : float64 array [T, 2]
        Of the row that a window's verdict names: which share is usual, and which was counted; NaN where residuals say
        it as well.
    """

    evidence: SignalEvidence
    present: Floats
    events: Integers
    verdicts: Floats
    skews: Floats
    counted: Floats
    new_normals: dict[int, NewNormal] = field(default_factory=dict)
    standing: dict[int, dict[int, Standing]] = field(default_factory=dict)
    clock_changes: dict[int, list[tuple[ClockChange, float]]] = field(default_factory=dict)

    @classmethod
    def nothing(cls, rows: int, windows: int) -> Part:
        """Return a part in which the series is not there."""
        verdicts = np.full((windows, legend.VERDICT), np.nan)
        verdicts[:, legend.STATUS] = legend.ABSENT
        skews = np.full((windows, skew.VERDICT), np.nan)
        evidence, events = SignalEvidence.nothing(rows, windows), np.zeros(windows, dtype=np.int64)
        return cls(evidence, np.zeros(windows), events, verdicts, skews, np.full((windows, 2), np.nan))

    def put(self, evidence: SignalEvidence, events: Integers, occupied: Integers, first_row: int = 0) -> None:
        """Take in evidence of some windows among all of them, of the contrasts from ``first_row`` on."""
        rows = slice(first_row, first_row + len(evidence.values))
        self.evidence.values[rows, occupied] = evidence.values
        self.evidence.events[rows, occupied] = evidence.events
        self.evidence.units[rows, occupied] = evidence.units
        self.present[occupied] = 1
        if not first_row:
            self.evidence.repeats[occupied] = evidence.repeats
            self.evidence.learned[occupied] = evidence.learned
            if evidence.first_values is not None:
                self.evidence.first_values = int(occupied[evidence.first_values])
            self.evidence.new_values |= {int(occupied[t]): names for t, names in evidence.new_values.items()}
            self.evidence.failures |= {int(occupied[t]): failure for t, failure in evidence.failures.items()}
            self.evidence.lacking |= {int(occupied[t]): no_value for t, no_value in evidence.lacking.items()}
            if evidence.numbers is not None:
                self.evidence.numbers = evidence.numbers.placed(occupied, self.evidence.numbers)
            self.events[occupied] = events


@dataclass
class _Piece:
    """Consecutive windows of a batch: their panes, and the number of the first one."""

    panes: PaneRows
    blocks: Blocks
    first: int


class ModelEvidence:
    """The contrasts of all series of a model, and what batches of windows say of them.

    Parameters
    ----------
    watch : Watch

    Attributes
    ----------
    contrasts : dict of SeriesKey to Contrasts
    formers : dict of SeriesKey to SeriesKey
        Of series that began in the last batch: of which they inherit what was learned.
    """

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self.contrasts: dict[SeriesKey, Contrasts] = {}
        self.formers: dict[SeriesKey, SeriesKey] = {}

    def parts(self, panes: PaneRows, ends_ms: range) -> dict[SeriesKey, Part]:
        """Return what the windows of a batch say, by series; those without any panes are left out."""
        self.formers = {}
        parts: dict[SeriesKey, Part] = {}
        keys = {*panes.series(), *panes.judged()}
        new = {key: made for key in keys - self.contrasts.keys() if (made := contrasts_of(self._watch, *key[1:]))}
        # Those that begin earlier first: a version inherits from one that may begin in the same batch.
        beginnings = in_order(new, panes, Blocks(self._watch, ends_ms, parts=1))
        for first, stop in pairwise([0, *self._cuts(beginnings, ends_ms), len(ends_ms)]):
            piece = _Piece(panes, Blocks(self._watch, ends_ms[first:stop], parts=1), first)
            of_piece = [beginning for beginning in beginnings if beginning.end_ms in ends_ms[first:stop]]
            self._begin(of_piece, new)
            for key in sorted(keys & self.contrasts.keys()):
                if key not in parts:
                    parts[key] = Part.nothing(len(self.contrasts[key].kinds), len(ends_ms))
                self._put(parts[key], key, self.contrasts[key], piece)
        return parts | self._volumes(panes, ends_ms)

    def look_day(self, panes: PaneRows) -> int:
        """Return the next day on which coordinates are looked at; 0 while some series is so new that it may be any."""
        if not follows_values(self._watch):
            return NEVER
        unseen = {*panes.series(), *panes.judged()} - self.contrasts.keys()
        if any(isinstance(self._watch.layouts.get(signal), NumericLayout | CategoryLayout) for _, _, signal in unseen):
            return 0
        days = [each.look_day for each in self.contrasts.values() if isinstance(each, SignalContrasts)]
        return min((day for day in days if day is not None), default=NEVER)

    def renewals(self, day: int, may_renew: Callable[[SeriesKey], bool]) -> dict[SeriesKey, Renewal | Replacement]:
        """Renew the coordinates of series that have left them, as a day begins; return what that changes.

        Parameters
        ----------
        day : int
        may_renew : callable
            Says of which series they may be renewed now.
        """
        renewals = {}
        for key, contrasts in self.contrasts.items():
            if not isinstance(contrasts, SignalContrasts) or contrasts.look_day is None or contrasts.look_day > day:
                continue
            if made := contrasts.renewed(day, may_renew=may_renew(key)):
                self.contrasts[key], renewals[key] = made
        return renewals

    def _cuts(self, beginnings: Sequence[Beginning], ends_ms: range) -> list[int]:
        """Return the windows, but for the first, in which a series begins that another version came before."""
        signals = {key[1:] for key in self.contrasts}
        cuts = set()
        for beginning in beginnings:
            signal = beginning.key[1:]
            if signal in signals:
                cuts.add(ends_ms.index(beginning.end_ms))
            signals.add(signal)
        return sorted(cuts - {0})

    def _begin(self, beginnings: Sequence[Beginning], contrasts: Mapping[SeriesKey, Contrasts]) -> None:
        """Let series begin with what they inherit; those of one signal in the same window, or only one of them."""
        # Of each signal in a segment its versions: looked for one by one, all series would be gone through for each.
        versions: defaultdict[tuple[str, ...], dict[SeriesKey, Contrasts]] = defaultdict(dict)
        for key in self.contrasts if beginnings else ():
            versions[key[1:]][key] = self.contrasts[key]
        came_ms = self._came_ms(beginnings)
        for end_ms, key, _ in beginnings:
            begun = contrasts[key]
            former = former_version(key, end_ms, versions[key[1:]])
            if former is not None:
                begun.inherit(self.contrasts[former])
                begun.former = former[0]
                self.formers[key] = former
            begun.began_ms, begun.version_ms = end_ms, came_ms[key[0]]
            self.contrasts[key] = begun

    def _came_ms(self, beginnings: Sequence[Beginning]) -> dict[str, int]:
        """Return when each version first came of which series begin; 0 if that is not known."""
        came_ms: dict[str, int] = {}
        for _, key, start_ms in beginnings:
            came_ms[key[0]] = min(start_ms, came_ms.get(key[0], start_ms))
        for key, begun in self.contrasts.items() if beginnings else ():
            # The volume is of no version. Checkpoints from before this was noted do not say it of their series.
            if key[0] in came_ms and key[2] != "volume":
                came_ms[key[0]] = min(came_ms[key[0]], begun.version_ms)
        return came_ms

    def _put(self, part: Part, key: SeriesKey, contrasts: Contrasts, piece: _Piece) -> None:
        assert isinstance(contrasts, SignalContrasts)
        self._put_values(part, key, contrasts, piece)
        self._put_findings(part, key, contrasts, piece)

    def _put_values(self, part: Part, key: SeriesKey, contrasts: SignalContrasts, piece: _Piece) -> None:
        """Take in what windows say of the values of a signal."""
        if contrasts.own is None or not (inside := piece.blocks.inside(piece.panes.of(key))):
            return
        columns = Columns(self._watch.layouts[key[2]])
        if not columns.fixed:
            columns = Columns(columns.layout, distinct_keys(inside, columns))
        windows = piece.blocks.windows(inside, columns)
        events = windows.sums[:, [N, MISSING, INVALID]].sum(axis=1)
        occupied = piece.first + np.searchsorted(piece.blocks.ends_ms, windows.ends_ms)
        part.put(contrasts.own.evidence(windows, columns), events, occupied)
        if contrasts.fallback is not None:
            part.put(contrasts.fallback.evidence(windows, columns), events, occupied, contrasts.fallback_row)

    def _put_findings(self, part: Part, key: SeriesKey, contrasts: SignalContrasts, piece: _Piece) -> None:
        """Take in what windows say of the findings on a signal."""
        if contrasts.findings is None or not (inside := piece.blocks.inside(piece.panes.findings_of(key))):
            return
        occupied, counts = piece.blocks.findings(inside, self._watch.finding_layouts[key[2]])
        evidence = contrasts.findings.evidence(counts)
        part.put(evidence, contrasts.findings.judged(counts), piece.first + occupied, contrasts.first_finding)

    def _volumes(self, panes: PaneRows, ends_ms: range) -> dict[SeriesKey, Part]:
        parts: dict[SeriesKey, Part] = {}
        if not self._watch.is_charted("volume"):
            return parts
        blocks = Blocks(self._watch, ends_ms, parts=1)
        segments = {segment for _, segment, signal in self.contrasts if signal == "volume"}
        for segment in sorted(segments | panes.segments()):
            key = ("", segment, "volume")
            events, first = blocks.events(panes.volume_of(segment))
            first = 0 if key in self.contrasts else first
            if first < len(events):
                contrasts = self.contrasts.setdefault(key, VolumeContrasts())
                assert isinstance(contrasts, VolumeContrasts)
                parts[key] = Part.nothing(len(contrasts.kinds), len(events))
                parts[key].put(contrasts.evidence(events[first:]), events[first:], np.arange(first, len(events)))
        return parts

    def snapshot(self) -> list[dict[str, Any]]:
        """State for a checkpoint."""
        return [
            {
                "key": list(key),
                "began_ms": of_series.began_ms,
                "version_ms": of_series.version_ms,
                "former": of_series.former,
                "stood": dict(of_series.stood),
                **of_series.snapshot(),
            }
            for key, of_series in sorted(self.contrasts.items())
        ]

    def restore(self, states: Sequence[Mapping[str, Any]]) -> None:
        """Continue from a snapshot."""
        for state in states:
            version, segment, signal = state["key"]
            contrasts = VolumeContrasts() if signal == "volume" else contrasts_of(self._watch, segment, signal)
            if contrasts is not None:
                contrasts.restore(state)
                contrasts.began_ms = state.get("began_ms", 0)
                contrasts.version_ms, contrasts.former = state.get("version_ms", 0), state.get("former")
                contrasts.stood = state.get("stood", {})
                self.contrasts[version, segment, signal] = contrasts
