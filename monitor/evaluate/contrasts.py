"""The contrasts of one signal: which there are, what windows say of each, and what a value means to a reader.

A number or a category is described against a reference: a data set, or its first windows. The reference only chooses
coordinates, groups of values and names with a share of their own; what is usual is learned by the charts.
"""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.change import legend
from detectors.change.accepted_skew import FEWEST_DAYS, variance_of_mean
from detectors.change.contrasts import (
    FEWEST_SPREAD,
    OUTER_DISTANCES,
    OUTER_MIDDLES,
    SHIFTS,
    ScoreTable,
    group_counts,
    normal_quantiles,
    number_contrasts,
)
from detectors.change.detectable import MOST_EVENTS, contrast_at, contrast_on_average
from detectors.change.legend import (
    CATEGORIES,
    GROUPS,
    INNER,
    LOCATION,
    OUTER,
    RATE,
    RATES,
    SCORE,
    SHARES,
    SPREAD,
    VOLUME,
    VOLUMES,
)
from detectors.change.renewal import Renewal, Replacement, Scores
from detectors.change.residuals import events_of, to_expectation
from detectors.chart.legend import INVALID, MISSING, OTHER, OUT_OF_RANGE, N
from detectors.distance.tail import normal_sf
from detectors.performance.evidence import Scale
from detectors.sketch import CategoryLayout, CategorySummary, NumericLayout, NumericSummary, coarse_step
from monitor.alerts.verdict import OF_NO_USE, Change, Failure, NoValue, OddLabels, Plain
from monitor.evaluate.answers import Answers, Described, clumping_of, equal_pairs, is_narrow
from monitor.evaluate.baselines import add_up, extremes_of
from monitor.evaluate.columns import Columns, keys_of, sums_of
from monitor.evaluate.newer_values import Newer, NewerNames, NewerValues
from monitor.evaluate.number_windows import NumberLog, NumberWindows, Recent
from monitor.evaluate.windows import Windows
from monitor.panes.codec import pack_summary, unpack_summary
from monitor.values import DAY_MS
from monitor.watch import Layout, Summary

__all__ = [
    "DESCRIBED",
    "EQUAL_PAIRS",
    "RATE_COLUMNS",
    "REFERENCE_EVENTS",
    "Contrasts",
    "Groups",
    "NumberContrasts",
    "SignalEvidence",
    "VolumeContrasts",
    "referred_contrasts",
    "share_at",
    "share_of",
    "usual_share",
]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Kinds = Sequence[tuple[int, int]]
NewValues = tuple[tuple[str, int], ...]

NAMED = 3
"""New values of a window that are named."""

LONGEST_NAME = 40
"""Characters of a value that are shown."""

REFERENCE_EVENTS = 200
"""Values from which coordinates are chosen, unless the configuration names a data set."""

COMES, STRAY = 0.1, 0.01
"""Share of a window's events that have a value once values come, and share of all events that may have one before."""

DESCRIBED = -1
"""In place of a number of values that were seen: there are coordinates."""

BEYOND = 0.05
"""Share of a period's values beyond their reference from which on it is another one."""

STAYS = 0.5
"""Part of the least frequent of a period's most frequent names that another one must have to keep its place."""

MOST_NAMES = 10_000
"""Names that are remembered, so that they are not new when they come again."""

MANY_GROUPS = INNER // 2
"""Groups in use from which on a number has many values: what is typical of few is near their mean."""

MOST_USUAL = 100
"""Mean scores of which it is remembered what median and mean are usual."""

MISSHAPEN, MISSHAPEN_ERRORS = 0.4, 2.0
"""Part of what moved, and standard errors, within which a typical value is near the median or the mean of windows."""

HARDLY_EVER = 1e-5
"""Share of values that is said to be none."""

FARTHEST = 20.0
"""Scores beyond the ends of a reference that still become a value."""

HARDLY_ANY = 0.15
"""Events of a window that are said to be none: so many of those that an expectation is made with may be left, where
windows differ in size."""

MISLED, MISLED_SD = 2.0, 4.0
"""How many times as many events there are on average as in a window, and how many standard deviations of these more,
that the average says nothing of the window."""

EQUAL_PAIRS = "share of equal pairs"
"""What it is called how alike answers are: of two of them, the probability that they are equal."""

RATE_COLUMNS = dict(zip(OF_NO_USE, (MISSING, INVALID, OUT_OF_RANGE), strict=True))
"""Rates of all events that every number and category is watched by, as the last of its rows."""


@dataclass
class SignalEvidence:
    """What windows say of the contrasts of a signal.

    Attributes
    ----------
    values, events, units : float64 arrays [K, T]
        As `detectors.change.windows.watch_windows` takes them. Once they are watched, a contrast without a value has
        the events that it has at that hour as a rule, 0 if that is not known.
    repeats : float64 array [T]
    learned : int64 array [T]
        Values that were seen of the `REFERENCE_EVENTS` without which a number or a category says nothing but how many
        of its values cannot be used; ``DESCRIBED`` once it says more.
    new_values : dict of int to tuples of (str, int)
        The most frequent names that the reference lacks, with their counts, by the number of a window that has any.
    first_values : int or None
        The window in which values come of which there were none before, although there were events.
    failures : dict of int to Failure
        By the number of a window: which answer of a model stands for too many, if it alarms.
    lacking : dict of int to NoValue
        By the number of a window that has events and yet says nothing, since when and why.
    windows_without : dict of int to tuple of int
        By the number of a window, of shares: for how many windows there has been none at all of each contrast.
    odd_labels : dict of int to OddLabels
        By the number of a window: how labels do not come as they did.
    numbers : NumberWindows or None
        What a reader can recompute of windows of a number.
    """

    values: Floats
    events: Floats
    units: Floats
    repeats: Floats
    learned: Integers
    new_values: dict[int, NewValues] = field(default_factory=dict)
    first_values: int | None = None
    failures: dict[int, Failure] = field(default_factory=dict)
    lacking: dict[int, NoValue] = field(default_factory=dict)
    windows_without: dict[int, tuple[int, ...]] = field(default_factory=dict)
    odd_labels: dict[int, OddLabels] = field(default_factory=dict)
    numbers: NumberWindows | None = None

    @classmethod
    def nothing(cls, rows: int, windows: int) -> SignalEvidence:
        """Return evidence of nothing, to be written into."""
        shape = (rows, windows)
        learned = np.full(windows, DESCRIBED, dtype=np.int64)
        return cls(np.full(shape, np.nan), np.ones(shape), np.ones(shape), np.zeros(windows), learned)


class Contrasts(ABC):
    """What a signal is watched by.

    Attributes
    ----------
    kinds : sequence of (int, int)
        The kind and the family of each contrast (`detectors.change.legend`).
    added_row : int or None
        The contrast that checkpoints of earlier versions lack.
    is_number : bool
        Whether a typical value and a spread are among them.
    is_referred : bool
        Whether a data set or a period has them, too.
    began_ms : int
        End of the first window that had any.
    version_ms : int
        When events of their version first came; 0 if that is not known.
    former : str or None
        The version from which they inherit.
    stood : mapping of str to float
        Which contrasts of that version were off by alarms that stood when theirs began, and how far: its own, and those
        of the whole or of segments.
    ready_ms : int or None
        End of the window with which they had all coordinates, 0 if from the beginning; None before that.
    unit, better, age_ms : str, str, int
        As a :class:`~monitor.alerts.verdict.Change` has them.
    """

    kinds: Kinds
    added_row: int | None = None
    is_number: bool = False
    is_referred: bool = False
    began_ms: int = 0
    version_ms: int = 0
    former: str | None = None
    stood: Mapping[str, float] = MappingProxyType({})
    ready_ms: int | None = 0
    unit: str = ""
    better: str = ""
    age_ms: int = 0

    def reference(self) -> Floats:
        """Return what the configured data set has, float64[K, 2]: expectation and variance, NaN without one."""
        return np.full((len(self.kinds), 2), np.nan)

    def level(self, parts: Sequence[Summary]) -> Floats:
        """Return what a period has that consists of some parts, as :meth:`reference` does; NaN of too few of them."""
        return Contrasts.reference(self)

    @abstractmethod
    def name(self, row: int) -> str:
        """What a contrast is called."""

    def is_of_new_values(self, row: int) -> bool:
        """Whether a contrast is the share of values that the reference lacks."""
        return False

    @abstractmethod
    def in_units(self, row: int, value: float) -> float:
        """Return an expectation in the units of the data: a value, a factor, a share, or a number of events."""

    def unit_of(self, row: int) -> str:
        """Return what :meth:`in_units` returns numbers of, where its name does not say so: as ``unit``."""
        return self.unit

    def usual(self, row: int, expected: float, events: float, in_hour: float) -> float:
        """Return what an expectation says in the units of the data, of so many events a window.

        What never happens is expected as if it had once in a while (`detectors.change.residuals.to_expectation`).
        """
        value = self.in_units(row, expected)
        return usual_share(value, events * in_hour) if self.kinds[row][0] == RATE else value

    def shifted(
        self, row: int, expected: float, shift: float, events: float, in_hour: float, *, on_average: bool = False
    ) -> float:
        """Return what lies by a residual beyond an expectation, in the units of the data.

        Parameters
        ----------
        row : int
        expected, shift : float
        events, in_hour : float
            Of the window; and windows in an hour.
        on_average : bool
            Whether the residual is the mean of those of many windows.
        """
        kind = self.kinds[row][0]
        if kind == SCORE or events <= 0:
            return self.in_units(row, expected + shift)
        of_kind = np.zeros(legend.ROW)
        of_kind[[legend.KIND, legend.IN_HOUR]] = kind, in_hour
        look_up = contrast_on_average if on_average else contrast_at
        count = look_up(of_kind, shift, events, expected)
        if math.isnan(count):
            # Beyond what there can be: all events or none of them, and of a volume as many as it cannot have.
            return float(shift > 0) * (1.0 if kind == RATE else MOST_EVENTS)
        if count < HARDLY_ANY:
            return 0.0
        return count / events if kind == RATE else count

    def is_misled(self, row: int, shifted: float, measured: float) -> bool:
        """Whether what windows have on average says nothing of one: of hours that are not alike, and without events."""
        return False

    def measured(self, row: int, evidence: SignalEvidence, t: int) -> float | None:
        """Return what window ``t`` alone has, in the units of the data; None if it has nothing."""
        value, events = float(evidence.values[row, t]), float(evidence.events[row, t])
        if math.isnan(value) or events <= 0:
            return None
        return self.in_units(row, value) if self.kinds[row][0] == SCORE else value / events

    def recent(self, evidence: SignalEvidence, t: int, windows: int, since_ms: int | None = None) -> Recent | None:
        """Describe so many windows up to window ``t`` as a reader can recompute them; None of anything but a number.

        Those that ended at a time or earlier are left out.
        """
        return None

    def plainly(self, change: Change, row: int, expected: float, recent: Recent) -> Change:
        """Say of a change what a reader can recompute, where a mean score says something else.

        Parameters
        ----------
        change : Change
        row : int
        expected : float
            What was expected of the contrast.
        recent : Recent
            The windows in which it is off, as far as they are at hand.
        """
        return change

    def keep(self, evidence: SignalEvidence) -> None:  # noqa: B027 -- where there is nothing to keep
        """Remember of the windows of a batch what was expected of them."""

    def groups(self) -> msgspec.Raw | None:
        """Return the groups of a number's values in JSON; None of anything else."""
        return None

    @property
    def step(self) -> float:
        """How far apart values of a number are told, where that is wider than they spread; else 0."""
        return 0.0

    def scale(self) -> Scale | None:
        """Return the scale of a metric that is no share; None of anything else."""
        return None

    def inherit(self, former: Contrasts) -> None:
        """Take over the coordinates of the same signal in another version."""
        self.restore(former.snapshot())

    def snapshot(self) -> dict[str, Any]:
        """State for a checkpoint."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:  # noqa: B027 -- where there is nothing to keep
        """Continue from a snapshot."""


class VolumeContrasts(Contrasts):
    """The number of events."""

    kinds = ((VOLUME, VOLUMES),)

    def name(self, row: int) -> str:
        return "events"

    def in_units(self, row: int, value: float) -> float:
        return max(math.exp(value) - 0.5, 0.0)

    def usual(self, row: int, expected: float, events: float, in_hour: float) -> float:
        return max(float(events_of(expected, in_hour)), 0.0)

    def is_misled(self, row: int, shifted: float, measured: float) -> bool:
        ratio = (shifted + 0.5) / (measured + 0.5)
        return max(ratio, 1 / ratio) > MISLED and abs(shifted - measured) > MISLED_SD * math.sqrt(max(shifted, 1.0))

    def evidence(self, events: Integers) -> SignalEvidence:
        """Return the evidence of windows with so many events, int64[T]."""
        evidence = SignalEvidence.nothing(1, len(events))
        evidence.values[0] = events
        return evidence


class ReferredContrasts(Contrasts):
    """Contrasts that are described against a reference.

    Parameters
    ----------
    layout : Layout
    dataset : Summary or None
        The reference, if the configuration names one.
    learn_windows : int
        Otherwise: windows from which it is made at least.

    Attributes
    ----------
    answers : Answers or None
        Of a prediction: whether one of them stands for too many.
    newer : Newer or None
        What has come since coordinates were looked at; None where they stay what they are.
    """

    is_referred = True
    spread: float = 1.0
    """The robust standard deviation of the reference, of numbers."""

    def __init__(self, layout: Layout, dataset: Summary | None, learn_windows: int) -> None:
        self._layout, self._learn_windows = layout, learn_windows
        self.answers: Answers | None = None
        self.newer: Newer | None = None
        self._windows = 0
        self._reference = dataset
        self._of_dataset = dataset is not None
        self.ready_ms = 0 if self._of_dataset else None
        # Values and events so far, until values come.
        self._absent: list[int] | None = [0, 0]
        if dataset is not None:
            self._refer(dataset)

    def reference(self) -> Floats:
        if not self._of_dataset or self._reference is None:
            return super().reference()
        (level,) = self._levels([self._reference])
        return level

    def level(self, parts: Sequence[Summary]) -> Floats:
        if len(parts) < FEWEST_DAYS:
            return super().level(parts)
        level, *of_parts = self._levels([add_up(parts), *parts])
        for row, expectations in enumerate(np.stack(of_parts)[:, :, 0].T):
            defined = expectations[~np.isnan(expectations)]
            # Parts of a period differ by more than sampling: by as much a period differs from what is usual.
            level[row, 1] = max(level[row, 1], variance_of_mean(defined)) if len(defined) >= FEWEST_DAYS else np.nan
        level[np.isnan(level[:, 1])] = np.nan
        return level

    def _levels(self, summaries: Sequence[Summary]) -> list[Floats]:
        """Return what each of some summaries has of the contrasts, float64[K, 2]: expectations and variances."""
        keys = {key for summary in summaries for key in keys_of(summary)}
        columns = Columns(self._layout, keys)
        windows = Windows(
            np.arange(len(summaries), dtype=np.int64),
            np.stack([columns.counts_of(summary) for summary in summaries]),
            np.stack([sums_of(summary) for summary in summaries]),
            np.array([extremes_of(summary) for summary in summaries], dtype=np.float64),
        )
        # Windows as large as these, seen by contrasts of their own: they are before no others.
        evidence = type(self)(self._layout, self._reference, self._learn_windows).evidence(windows, columns)
        levels = np.full((len(summaries), len(self.kinds), 2), np.nan)
        for row, (kind, _) in enumerate(self.kinds):
            for s in np.flatnonzero(~np.isnan(evidence.values[row])).tolist():
                value, events = float(evidence.values[row, s]), float(evidence.events[row, s])
                total = value * events if kind == SCORE else value
                levels[s, row] = to_expectation(kind, total, events, 1.0), abs(evidence.units[row, s]) / events
        return list(levels)

    def evidence(self, windows: Windows, columns: Columns) -> SignalEvidence:
        """Return the evidence of windows in order, and learn from them what a reference needs."""
        evidence = SignalEvidence.nothing(len(self.kinds), len(windows.ends_ms))
        total = windows.sums[:, N] + windows.sums[:, MISSING] + windows.sums[:, INVALID]
        occupied = total > 0
        for row, column in enumerate(RATE_COLUMNS.values(), start=len(self.kinds) - len(RATE_COLUMNS)):
            evidence.values[row, occupied] = windows.sums[occupied, column]
            evidence.events[row, occupied] = total[occupied]
        evidence.first_values = self._first_values(windows.sums[:, N], total)
        first = 0 if self.ready_ms is not None else self._learn(windows, columns, evidence)
        if first < len(windows.ends_ms):
            if self.newer is not None:
                self.newer.add(windows.since(first), columns)
            self._describe(windows, columns, first, evidence)
            evidence.failures = self._failures(windows, columns, first)
        return evidence

    def _failures(self, windows: Windows, columns: Columns, first: int) -> dict[int, Failure]:
        """Return which answer stands for too many, by the number of a window, of those from ``first`` on."""
        if self.answers is None or self._reference is None:
            return {}
        described = Described(self._reference, self.spread)
        failures = self.answers.failures(windows.since(first), columns, described)
        return {first + t: failure for t, failure in failures}

    def _first_values(self, values: Integers, events: Integers) -> int | None:
        """Return the window in which values come that were missing from the first one on, if there is one."""
        if self._absent is None:
            return None
        come = np.flatnonzero((values > 0) & (values >= COMES * events))
        first = int(come[0]) if len(come) else len(values)
        stray, in_all = self._absent[0] + int(values[:first].sum()), self._absent[1] + int(events[:first].sum())
        self._absent = None if len(come) else [stray, in_all]
        was_absent = in_all >= REFERENCE_EVENTS and stray <= STRAY * in_all
        return first if len(come) and was_absent else None

    def _learn(self, windows: Windows, columns: Columns, evidence: SignalEvidence) -> int:
        """Take windows into the reference until it is large enough; return how many it took."""
        if self.newer is not None and self.newer.from_ms is None:
            self.newer.from_ms = int(windows.ends_ms[0])
        learned = self._reference.n if self._reference is not None else 0
        numbers = self._windows + 1 + np.arange(len(windows.ends_ms))
        events = learned + np.cumsum(windows.sums[:, N])
        enough = np.flatnonzero((numbers >= self._learn_windows) & (events >= REFERENCE_EVENTS))
        count = int(enough[0]) + 1 if len(enough) else len(windows.ends_ms)
        evidence.learned[:count] = events[:count]
        counts, sums = windows.counts[:count].sum(axis=0), windows.sums[:count].sum(axis=0)
        extremes = np.array([windows.extremes[:count, 0].min(), windows.extremes[:count, 1].max()])
        summary = columns.summary_of(counts, sums, extremes)
        self._reference = summary if self._reference is None else add_up([self._reference, summary])
        self._windows += count
        if len(enough):
            self._refer(self._reference)
            self.ready_ms = int(windows.ends_ms[count - 1])
        return count

    @property
    def look_day(self) -> int | None:
        """The day on which coordinates are looked at, 0 if that is not known yet; None if they stay what they are."""
        if self.newer is None:
            return None
        return 0 if self.ready_ms is None else self.newer.look_day

    def renewed(self, day: int, *, may_renew: bool = True) -> tuple[ReferredContrasts, Renewal | Replacement] | None:
        """Return contrasts with other coordinates, if it is time and values have left those that there are.

        The others stay as they are, so that what was said in their coordinates can still be read.

        Parameters
        ----------
        day : int
            That begins.
        may_renew : bool
            Otherwise it is put off.
        """
        return None

    def _looked_at(self, day: int, *, may_renew: bool) -> tuple[Summary, float] | None:
        """Return what has come since coordinates were looked at, if they are looked at now and it is enough.

        And for how long the windows were that these come from, in ms, if they were not looked at yet.
        """
        if self.newer is None or self.ready_ms is None:
            return None
        # Checkpoints of earlier versions do not say from when on their coordinates are.
        span_ms = math.inf if self.newer.from_ms is None else self.ready_ms - self.newer.from_ms
        if not self.newer.is_time(day, span_ms) or not may_renew:
            return None
        period, self.newer = self.newer.summary, self.newer.after_a_look(day)
        return (period, span_ms) if period.n >= REFERENCE_EVENTS else None

    @abstractmethod
    def _refer(self, reference: Summary) -> None:
        """Choose coordinates."""

    @abstractmethod
    def _describe(self, windows: Windows, columns: Columns, first: int, evidence: SignalEvidence) -> None:
        """Write what depends on the reference, of the windows from ``first`` on."""

    def snapshot(self) -> dict[str, Any]:
        reference = None if self._reference is None else pack_summary(self._reference)
        return {
            "windows": self._windows,
            "ready_ms": self.ready_ms,
            "reference": reference,
            "absent": self._absent,
            **({} if self.answers is None else {"answers": self.answers.snapshot()}),
            **({} if self.newer is None else {"newer": self.newer.snapshot()}),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        self._windows = state["windows"]
        # Earlier checkpoints say whether there are coordinates, and not since when.
        self.ready_ms = state["ready_ms"] if "ready_ms" in state else 0 if state["ready"] else None
        # Earlier checkpoints do not say whether values have come.
        self._absent = state.get("absent")
        if self.answers is not None:
            self.answers.restore(state.get("answers"))
        if self.newer is not None and "newer" in state:
            self.newer.restore(state["newer"])
        if state["reference"] is not None:
            self._reference = unpack_summary(state["reference"], self._layout)
            if self.ready_ms is not None:
                self._refer(self._reference)

    def _rate_name(self, row: int) -> str:
        return list(RATE_COLUMNS)[row - len(self.kinds) + len(RATE_COLUMNS)]


@dataclass
class Groups:
    """The groups of a number's values.

    Attributes
    ----------
    starts, inner : int64 arrays [G]
        The lowest cell of each inner group that is in use, and its number.
    ends : (float, float)
        The smallest and the largest value of the reference.
    spread : float
        Its robust standard deviation.
    middles : float64 array [GROUPS]
        A value for each group.
    sizes : int64 array [INNER]
        Values of the reference in each inner group.
    beyond : bool
        Whether it is known how far beyond an end a value lies.
    clumping : float
        Of equal values (`monitor.evaluate.answers.clumping_of`).
    step : float
        How far apart values are told, where that is wider than they spread (`detectors.sketch.coarse_step`); else 0.
    """

    starts: Integers
    inner: Integers
    ends: tuple[float, float]
    spread: float
    middles: Floats
    sizes: Integers
    beyond: bool
    clumping: float = 0.0
    step: float = 0.0

    @cached_property
    def table(self) -> ScoreTable:
        """The scores of the groups."""
        return ScoreTable(self.sizes, beyond=self.beyond)

    @cached_property
    def written(self) -> msgspec.Raw:
        """JSON of which :meth:`from_json` makes the same groups."""
        document = {
            "starts": self.starts.tolist(),
            "inner": self.inner.tolist(),
            "ends": [float(end) for end in self.ends],
            "spread": float(self.spread),
            "middles": self.middles.tolist(),
            "sizes": self.sizes.tolist(),
            "beyond": self.beyond,
            "clumping": float(self.clumping),
            "step": float(self.step),
        }
        return msgspec.Raw(msgspec.json.encode(document))

    @classmethod
    def from_json(cls, written: Mapping[str, Any]) -> Groups:
        """Return the groups of which JSON was made."""
        starts, inner, sizes = (np.array(written[name], dtype=np.int64) for name in ("starts", "inner", "sizes"))
        low, high = written["ends"]
        middles = np.array(written["middles"], dtype=np.float64)
        # Rows of earlier versions do not know of equal values, nor of steps.
        later = [written.get(name, 0.0) for name in ("clumping", "step")]
        return cls(starts, inner, (low, high), written["spread"], middles, sizes, written["beyond"], *later)

    @classmethod
    def of(cls, reference: NumericSummary | None, layout: NumericLayout) -> Groups:
        """Return the groups of a reference; of none, groups that hold nothing."""
        if reference is None or not len(reference.cells):
            nothing = np.zeros(1, dtype=np.int64)
            return cls(nothing, nothing, (0.0, 0.0), 1.0, np.zeros(GROUPS), np.ones(INNER, dtype=np.int64), beyond=True)
        counts = reference.counts.astype(np.int64)
        reached, n = np.cumsum(counts), max(int(counts.sum()), 1)
        group = np.minimum((2 * reached - counts) * INNER // (2 * n), INNER - 1)
        inner, first = np.unique(group, return_index=True)
        values = np.clip(layout.midpoint(reference.cells), reference.min, reference.max)
        sizes, sums = np.zeros(INNER, dtype=np.int64), np.zeros(INNER)
        np.add.at(sizes, group, counts)
        np.add.at(sums, group, values * counts)
        quarter, three_quarters = (float(values[np.searchsorted(reached, share * n)]) for share in (0.25, 0.75))
        low, high = reference.min, reference.max
        spread = (three_quarters - quarter) / 1.349 or (high - low) / 6 or abs(high) / 10 or 1.0
        beyond = spread * OUTER_MIDDLES
        middles = np.concatenate((low - beyond[::-1], np.zeros(INNER), high + beyond))
        clumping = clumping_of(counts[is_narrow(layout, reference.cells, spread)], n)
        starts = reference.cells[first].astype(np.int64)
        step = coarse_step(layout, reference)
        groups = cls(starts, inner, (low, high), spread, middles, sizes, beyond=True, clumping=clumping, step=step)
        # Between two values that are there a mean score lies as the mean of the values does.
        scores = groups.table.scores[OUTER : OUTER + INNER]
        middles[OUTER : OUTER + INNER] = np.interp(scores, scores[inner], sums[inner] / sizes[inner])
        return groups

    def numbers(self, columns: Columns) -> tuple[Integers, Floats]:
        """Return the group and the score of each column."""
        # A cell that the reference lacks belongs to the group below it.
        inside = np.maximum(np.searchsorted(self.starts, columns.cells, side="right") - 1, 0)
        low, high = self.ends
        positions = self.positions(columns)
        above, below = (positions - high) / self.spread, (low - positions) / self.spread
        numbers = OUTER + self.inner[inside]
        outer = np.searchsorted(OUTER_DISTANCES, np.maximum(above, below), side="right") - 1
        numbers = np.where(above > 0, OUTER + INNER + outer, np.where(below > 0, OUTER - 1 - outer, numbers))
        scores = self.table.scores[numbers]
        if self.beyond:
            beyond = np.log1p(np.maximum(above, below).clip(0))
            lowest, highest = self.table.scores[OUTER], self.table.scores[OUTER + INNER - 1]
            scores = np.where(above > 0, highest + beyond, np.where(below > 0, lowest - beyond, scores))
        return numbers.astype(np.int64), scores

    def positions(self, columns: Columns) -> Floats:
        """Return a value in each column: one of the reference has it within its ends."""
        low, high = self.ends
        assert isinstance(columns.layout, NumericLayout)
        lowest_cell, highest_cell = columns.layout.ids([low, high])
        # The middle of a cell may lie beyond the reference's end although the cell does not.
        is_inside = (columns.cells >= lowest_cell) & (columns.cells <= highest_cell)
        return np.where(is_inside, columns.positions.clip(low, high), columns.positions)

    def understates(self, distance: float, *, is_below: bool) -> bool:
        """Whether scores of values so far beyond an end say less than how far they are, in robust standard deviations.

        An end may be near: that of what is never negative has a score that is farther from the middle than it is.
        """
        end, score = self.ends[0 if is_below else 1], self.table.scores[OUTER if is_below else OUTER + INNER - 1]
        linear = (abs(end - self.value(0.0)) + distance) / self.spread
        return bool(linear > abs(score) + math.log1p(distance / self.spread))

    def scores(self, columns: Columns) -> Scores:
        """Return the scores of each column, and what they are compared with."""
        return Scores(self.numbers(columns)[1], self.table.shape, self.table.floor)

    def equal_pairs(self, counts: Integers, n: Integers, columns: Columns) -> tuple[Floats, Floats]:
        """Return how many pairs of the values of each window are equal, and out of how many, float64[T] twice."""
        assert isinstance(columns.layout, NumericLayout)
        return equal_pairs(counts[:, is_narrow(columns.layout, columns.cells, self.spread)], n, self.clumping)

    def value(self, score: float) -> float:
        """Return the value that has a score."""
        lowest, highest = float(self.table.scores[OUTER]), float(self.table.scores[OUTER + INNER - 1])
        low, high = self.ends
        if self.beyond and self.only is not None:
            return self._beside_the_only_value(score)
        if self.beyond and score > highest:
            return high + self.spread * math.expm1(min(score - highest, FARTHEST))
        if self.beyond and score < lowest:
            return low - self.spread * math.expm1(min(lowest - score, FARTHEST))
        return float(np.interp(score, self.table.scores, self.middles))

    @property
    def only(self) -> float | None:
        """The value that all of the reference are; None if there are several, or none at all."""
        low, high = self.ends
        return low if low == high and self.sizes.max() == self.sizes.sum() else None

    def _beside_the_only_value(self, score: float) -> float:
        """Return the mean of values of which some are not the only one of the reference, and the others are near it.

        A mean score says how many there are, or how far they are: of a flag it is how many.
        """
        usual = self.ends[0]
        distance = 1.0 if usual in (0.0, 1.0) else self.spread
        end = abs(float(self.table.scores[OUTER + INNER - 1 if score > 0 else OUTER]))
        of_others, size = end + math.log1p(distance / self.spread), abs(score)
        if size <= of_others:
            return usual + math.copysign(distance * size / of_others, score)
        return usual + math.copysign(self.spread * math.expm1(min(size - end, FARTHEST)), score)

    def usual(self, score: float) -> tuple[float, float] | None:
        """Return the median and the mean of the reference once it is shifted to a mean score; None beyond reach."""
        # While an alarm stands, each window asks for those of the windows before it, too.
        if score not in self._usual:
            if len(self._usual) >= MOST_USUAL:
                self._usual.clear()
            self._usual[score] = self._shifted(score)
        return self._usual[score]

    @cached_property
    def _usual(self) -> dict[float, tuple[float, float] | None]:
        return {}

    @cached_property
    def _reached(self) -> Floats:
        """Which part of the reference lies in each inner group or below."""
        return np.asarray(np.cumsum(self.sizes) / max(int(self.sizes.sum()), 1))

    @cached_property
    def _fences(self) -> Floats:
        return normal_quantiles(np.clip(self._reached[:-1], 1e-9, 1 - 1e-9))

    def _shifted(self, score: float) -> tuple[float, float] | None:
        locations = self.table.locations
        if not locations[0] < score < locations[-1]:
            return None
        shift = float(np.interp(score, locations, SHIFTS))
        above = normal_sf(np.concatenate(([-40.0], self._fences, [40.0])) - shift)
        middles = self.middles[OUTER : OUTER + INNER]
        at_middle = float(1 - normal_sf(np.array([shift]))[0])
        halves = self.sizes / max(int(self.sizes.sum()), 1) / 2
        median = float(np.interp(at_middle, self._reached - halves, middles))
        return median, float(((above[:-1] - above[1:]) * middles).sum())


class NumberContrasts(ReferredContrasts):
    """Location and spread of a number, repeats, and the rates of unusable values."""

    is_number = True
    kinds = ((SCORE, LOCATION), (SCORE, SPREAD), *((RATE, RATES),) * len(RATE_COLUMNS))
    anew: Sequence[int] = ()
    """Contrasts that mean nothing in other coordinates."""

    def __init__(self, layout: NumericLayout, dataset: Summary | None, learn_windows: int) -> None:
        self._groups = Groups.of(None, layout)
        self._previous = np.zeros(GROUPS, dtype=np.int64)
        self._log = NumberLog(layout)
        super().__init__(layout, dataset, learn_windows)

    def name(self, row: int) -> str:
        return ("typical value", "spread")[row] if row < 2 else self._rate_name(row)

    def in_units(self, row: int, value: float) -> float:
        if row == 0:
            return self._groups.value(value)
        return math.exp(value) if row == 1 else share_at(value)

    def recent(self, evidence: SignalEvidence, t: int, windows: int, since_ms: int | None = None) -> Recent | None:
        return (self._log.newest() if evidence.numbers is None else evidence.numbers).until(t, windows, since_ms)

    def plainly(self, change: Change, row: int, expected: float, recent: Recent) -> Change:
        if row > 1:
            return change
        if self._groups.only is not None:
            return self._of_a_constant(change, row, expected, recent)
        plain = self._beyond(recent)
        usual = None if row or change.step else self._usual(change, expected, recent)
        if usual is not None and self._is_misshapen(change, usual, recent):
            plain = plain._replace(usual_median=usual[0], median=recent.median, usual_mean=usual[1], mean=recent.mean)
            change = change._replace(before=usual[0], after=recent.median)
        return change if plain == Plain() else change._replace(plain=plain)

    def keep(self, evidence: SignalEvidence) -> None:
        if evidence.numbers is not None:
            self._log.keep(evidence.numbers)

    def _of_a_constant(self, change: Change, row: int, expected: float, recent: Recent) -> Change:
        only, share = self._groups.only, recent.below + recent.above
        assert only is not None
        far = 0.0 if recent.outside is None else recent.outside - only
        usual = None
        if row == 0:
            expected_share = (self._groups.value(expected) - only) / far if far else 0.0
            usual = min(expected_share, 1.0) if expected_share >= HARDLY_EVER else 0.0
            change = change._replace(before=only + usual * far, after=only + share * far)
        mostly = recent.mostly if share else None
        distance = recent.distance if share and mostly is None else None
        return change._replace(plain=Plain(only, usual, share, mostly, distance))

    def _beyond(self, recent: Recent) -> Plain:
        """Say how many values lie beyond an end of the reference, if that are many."""
        low, high = self._groups.ends
        is_below, is_above = recent.below >= BEYOND, recent.above >= BEYOND
        if not is_below and not is_above:
            return Plain()
        share = recent.below * is_below + recent.above * is_above
        mostly = recent.mostly
        if mostly is not None and not ((is_below and mostly < low) or (is_above and mostly > high)):
            mostly = None
        is_more = self._groups.understates(recent.distance, is_below=recent.below > recent.above)
        ends = low if is_below else None, high if is_above else None
        return Plain(share=share, mostly=mostly, low=ends[0], high=ends[1], is_more=is_more)

    def _usual(self, change: Change, expected: float, recent: Recent) -> tuple[float, float] | None:
        """Return the median and the mean that are usual at the hours of windows; None where that is not known.

        The reference has one of each, and so has an hour of which it is not known what was expected.
        """
        of_windows = [expected if change.against_reference or math.isnan(e) else e for e in recent.expected]
        usual = [self._groups.usual(each) for each in of_windows]
        if None in usual:
            return None
        median, mean = (
            math.fsum(weight * of[i] for weight, of in zip(recent.weights, usual, strict=True) if of is not None)
            for i in range(2)
        )
        return median / recent.n, mean / recent.n

    def _is_misshapen(self, change: Change, usual: tuple[float, float], recent: Recent) -> bool:
        """Whether the value that has the mean score moves as neither the median nor the mean do, of many values."""
        moved = change.after - change.before
        gap = min(abs(recent.median - usual[0] - moved), abs(recent.mean - usual[1] - moved))
        return bool(
            len(self._groups.inner) >= MANY_GROUPS
            and gap > MISSHAPEN * abs(moved)
            and gap > MISSHAPEN_ERRORS * self.spread / math.sqrt(recent.n)
        )

    @property
    def step(self) -> float:
        return self._groups.step

    def groups(self) -> msgspec.Raw | None:
        return self._groups.written if self.ready_ms is not None else None

    def _refer(self, reference: Summary) -> None:
        assert isinstance(reference, NumericSummary)
        assert isinstance(self._layout, NumericLayout)
        self._groups = Groups.of(reference, self._layout)
        self.spread = self._groups.spread

    def renewed(self, day: int, *, may_renew: bool = True) -> tuple[NumberContrasts, Renewal] | None:
        """Return contrasts with the coordinates of a period, as in `ReferredContrasts.renewed`."""
        looked = self._looked_at(day, may_renew=may_renew)
        if looked is None:
            return None
        period, span_ms = looked
        assert isinstance(period, NumericSummary)
        assert isinstance(self._layout, NumericLayout)
        columns = Columns(self._layout, period.cells)
        counts = columns.counts_of(period)
        numbers, _ = self._groups.numbers(columns)
        is_beyond = (numbers < OUTER) | (numbers >= OUTER + INNER)
        if counts[is_beyond].sum() <= BEYOND * period.n:
            return None
        after = copy.copy(self)
        after._previous = np.zeros(GROUPS, dtype=np.int64)
        after._log = NumberLog(self._layout)
        after._reference = period
        after._refer(period)
        former, renewed = self._groups.scores(columns), after._groups.scores(columns)
        # What was learned within a day is learned again as soon.
        anew = (0, 1, *self.anew) if span_ms < DAY_MS else self.anew
        return after, Renewal(former, renewed, counts.astype(np.float64), anew)

    def _describe(self, windows: Windows, columns: Columns, first: int, evidence: SignalEvidence) -> None:
        table = self._groups.table
        units = np.ones((len(windows.ends_ms) - first, 2))
        number_contrasts(
            windows.counts[first:], *self._groups.numbers(columns), self._previous,
            table.locations, table.spreads, table.floor, table.fewest, table.resolved, table.units,
            evidence.values[0, first:], evidence.values[1, first:], evidence.repeats[first:], units,
        )  # fmt: skip
        positions, (low, high) = self._groups.positions(columns), self._groups.ends
        beyond = positions - positions.clip(low, high)
        evidence.numbers = self._log.take(windows.since(first), columns.cells, positions, beyond, first)
        # Of a spread one value is not free.
        evidence.events[:2, first:] = np.maximum(windows.sums[first:, N] - [[0], [1]], 1)
        evidence.units[:2, first:] = units.T

    def snapshot(self) -> dict[str, Any]:
        return super().snapshot() | {"previous": self._previous.copy(), "log": self._log.snapshot()}

    def restore(self, state: Mapping[str, Any]) -> None:
        super().restore(state)
        self._previous = np.array(state["previous"])
        self._log.restore(state.get("log"))

    def inherit(self, former: Contrasts) -> None:
        super().inherit(former)
        # Its first window is before no other.
        self._previous[:] = 0
        assert isinstance(self._layout, NumericLayout)
        self._log = NumberLog(self._layout)


class AnswerContrasts(NumberContrasts):
    """Those of a number that a model predicts: also how alike its answers are."""

    EQUAL = 2
    anew = (EQUAL,)
    kinds = (*NumberContrasts.kinds[:EQUAL], (RATE, SHARES), *NumberContrasts.kinds[EQUAL:])
    added_row = EQUAL

    def __init__(self, layout: NumericLayout, dataset: Summary | None, learn_windows: int) -> None:
        super().__init__(layout, dataset, learn_windows)
        self.answers = Answers(layout)

    def name(self, row: int) -> str:
        return EQUAL_PAIRS if row == self.EQUAL else super().name(row)

    def _describe(self, windows: Windows, columns: Columns, first: int, evidence: SignalEvidence) -> None:
        super()._describe(windows, columns, first, evidence)
        n = windows.sums[first:, N]
        equal, pairs = self._groups.equal_pairs(windows.counts[first:], n, columns)
        evidence.values[self.EQUAL, first:] = np.where(n >= FEWEST_SPREAD, equal, np.nan)
        evidence.events[self.EQUAL, first:] = np.where(n >= FEWEST_SPREAD, pairs, 1.0)


class CategoryContrasts(ReferredContrasts):
    """The shares of the most frequent names, of the others, and of new ones; and the rates of unusable values.

    Names that came to be among the most frequent take the places of those that did not stay, which begin anew. What was
    known is never new again, as far as so many names can be remembered.
    """

    OTHERS, NEW = CATEGORIES, CATEGORIES + 1
    kinds = (*((RATE, SHARES),) * (CATEGORIES + 2), *((RATE, RATES),) * len(RATE_COLUMNS))

    def __init__(self, layout: CategoryLayout, dataset: Summary | None, learn_windows: int) -> None:
        self._groups: dict[str, int] = {}
        self._frequent: list[str] = []
        self._complete = False
        super().__init__(layout, dataset, learn_windows)

    def name(self, row: int) -> str:
        if row > self.NEW:
            return self._rate_name(row)
        if row < len(self._frequent):
            return share_of(self._frequent[row])
        return "share of new values" if row == self.NEW else "share of other values"

    def is_of_new_values(self, row: int) -> bool:
        return row == self.NEW

    def in_units(self, row: int, value: float) -> float:
        return share_at(value)

    def reference(self) -> Floats:
        reference = super().reference()
        if self._reference is not None and not math.isnan(reference[self.NEW, 0]):
            others, once = self._beyond_the_frequent(self._reference)
            # A sample lacks what is rare: as many of the next values are new as occur in it just once (Good 1953).
            for row, count in ((self.OTHERS, others - once), (self.NEW, once)):
                reference[row, 0] = to_expectation(RATE, float(count), float(self._reference.n), 1.0)
        return reference

    def _beyond_the_frequent(self, reference: Summary) -> tuple[int, int]:
        """Return how many values have no share of their own, and how many of these occur once."""
        assert isinstance(reference, CategorySummary)
        rare = [n for name, n in zip(reference.names, reference.counts, strict=True) if name not in self._frequent]
        return int(sum(rare)), sum(n == 1 for n in rare)

    def _refer(self, reference: Summary) -> None:
        assert isinstance(reference, CategorySummary)
        self._choose(_most_frequent(reference), reference.names)
        # Where not all names could be noted, one that was not is not new.
        self._complete = reference.other == 0

    def _choose(self, frequent: Sequence[str], names: Iterable[str]) -> None:
        """Watch the share of each of some names; none of the others is new."""
        self._frequent = list(frequent)
        self._groups = dict.fromkeys(names, self.OTHERS) | {name: slot for slot, name in enumerate(frequent)}

    def renewed(self, day: int, *, may_renew: bool = True) -> tuple[CategoryContrasts, Replacement] | None:
        """Return contrasts of the names of a period, as in `ReferredContrasts.renewed`."""
        looked = self._looked_at(day, may_renew=may_renew)
        if looked is None:
            return None
        period, _ = looked
        assert isinstance(period, CategorySummary)
        counts = dict(zip(period.names, period.counts.tolist(), strict=True))
        ranked = _most_frequent(period)
        # Of two that are about as frequent, the one that has a place keeps it.
        enough = counts[ranked[-1]] * STAYS if len(ranked) == CATEGORIES else 1
        slots: list[str | None] = [*self._frequent, *[None] * (CATEGORIES - len(self._frequent))]
        free = [slot for slot, name in enumerate(slots) if name is None or counts.get(name, 0) < enough]
        come = [name for name in ranked if name not in self._frequent][: len(free)]
        if sum(counts[name] for name in come) <= BEYOND * period.n:
            return None
        # What nobody has first, then what the rarest have.
        free.sort(key=lambda slot: (slots[slot] is not None, counts.get(slots[slot] or "", 0), slot))
        replaced = free[: len(come)]
        for slot, name in zip(replaced, come, strict=True):
            slots[slot] = name
        after = copy.copy(self)
        after._reference = period
        after._complete = self._complete and period.other == 0
        remembered = [name for name in self._groups if name not in counts][: max(MOST_NAMES - len(counts), 0)]
        after._choose([name for name in slots if name is not None], [*period.names, *remembered])
        return after, Replacement((*sorted(replaced), self.OTHERS, self.NEW))

    def snapshot(self) -> dict[str, Any]:
        named = {"frequent": self._frequent, "names": list(self._groups), "complete": self._complete}
        return super().snapshot() | named

    def restore(self, state: Mapping[str, Any]) -> None:
        super().restore(state)
        # Earlier checkpoints have the names of their reference alone.
        if self.ready_ms is not None and "names" in state:
            self._choose(state["frequent"], state["names"])
            self._complete = state["complete"]

    def _describe(self, windows: Windows, columns: Columns, first: int, evidence: SignalEvidence) -> None:
        unknown = self.NEW if self._complete else self.OTHERS
        group_of = np.array([self._groups.get(name, unknown) for name in columns.names], dtype=np.int64)
        grouped = np.empty((len(windows.ends_ms) - first, CATEGORIES + 2), dtype=np.int64)
        group_counts(windows.counts[first:], group_of, grouped)
        grouped[:, unknown] += windows.sums[first:, OTHER]
        values, n = grouped.T.astype(np.float64), windows.sums[first:, N]
        values[:, n == 0] = np.nan
        values[len(self._frequent) : CATEGORIES] = np.nan
        if not self._complete:
            values[self.NEW] = np.nan
        else:
            unseen = np.flatnonzero(group_of == self.NEW)
            evidence.new_values = {
                first + int(t): _most(windows.counts[first + t], unseen, columns.names)
                for t in np.flatnonzero(grouped[:, self.NEW])
            }
        evidence.values[: CATEGORIES + 2, first:] = values
        evidence.events[: CATEGORIES + 2, first:] = np.maximum(n, 1)


def _most_frequent(names: CategorySummary) -> list[str]:
    """Return the most frequent names, the most frequent one first; of equal ones in their order."""
    ranked = sorted(zip((-names.counts).tolist(), names.names, strict=True))
    return [name for _, name in ranked[:CATEGORIES]]


def _most(counts: Integers, among: Integers, names: Sequence[str]) -> NewValues:
    """Return the names with the largest counts among some columns; of equal ones the first, since names ascend."""
    occurring = among[counts[among] > 0]
    ranked = occurring[np.argsort(-counts[occurring], kind="stable")[:NAMED]]
    return tuple((names[i], int(counts[i])) for i in ranked)


def usual_share(share: float, events: float) -> float:
    """Return a share that was expected, without the 3/8 of an event that every expectation is made with; at most 1."""
    if events <= 0:
        return share
    count = share * (events + 0.75) - 0.375
    # It may have been learned of more events than these.
    return min(count / events, 1.0) if count > HARDLY_ANY else 0.0


def share_of(name: str) -> str:
    """Return what the share of a category's value is called."""
    return f"share of {name[:LONGEST_NAME]!r}"


def referred_contrasts(
    layout: NumericLayout | CategoryLayout,
    dataset: Summary | None,
    learn_windows: int,
    *,
    is_prediction: bool = False,
    follows: bool = False,
) -> ReferredContrasts:
    """Return the contrasts of the values of a number or a category.

    Parameters
    ----------
    layout, dataset, learn_windows
        As `ReferredContrasts` has them.
    is_prediction : bool
    follows : bool
        Whether coordinates are renewed once values have left them.
    """
    if isinstance(layout, CategoryLayout):
        names = CategoryContrasts(layout, dataset, learn_windows)
        names.answers = Answers(layout) if is_prediction else None
        names.newer = NewerNames(layout) if follows else None
        return names
    made = AnswerContrasts if is_prediction else NumberContrasts
    numbers = made(layout, dataset, learn_windows)
    numbers.newer = NewerValues(layout) if follows else None
    return numbers


def share_at(angle: float) -> float:
    """Return the share of which the expectation is 2 asin √share."""
    return math.sin(min(max(angle, 0.0), math.pi) / 2) ** 2
