"""The contrasts of one signal: which there are, what windows say of each, and what a value means to a reader."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.change import legend
from detectors.change.detectable import MOST_EVENTS, contrast_at, contrast_on_average
from detectors.change.legend import RATE, SCORE, VOLUME, VOLUMES
from detectors.change.residuals import events_of
from detectors.chart.legend import INVALID, MISSING, OUT_OF_RANGE
from detectors.performance.evidence import Scale
from monitor.alerts.verdict import OF_NO_USE, Change, Failure, NoValue, OddLabels
from monitor.evaluate.number_windows import NumberWindows, Recent
from monitor.watch import Summary

__all__ = [
    "DESCRIBED",
    "RATE_COLUMNS",
    "Contrasts",
    "NewValues",
    "SignalEvidence",
    "VolumeContrasts",
    "share_at",
    "share_of",
    "usual_share",
]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Kinds = Sequence[tuple[int, int]]
NewValues = tuple[tuple[str, int], ...]

LONGEST_NAME = 40
"""Characters of a value that are shown."""

DESCRIBED = -1
"""In place of a number of values that were seen: there are coordinates."""

HARDLY_ANY = 0.15
"""Events of a window that are said to be none: so many of those that an expectation is made with may be left, where
windows differ in size."""

MISLED, MISLED_SD = 2.0, 4.0
"""How many times as many events there are on average as in a window, and how many standard deviations of these more,
that the average says nothing of the window."""

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


def share_at(angle: float) -> float:
    """Return the share of which the expectation is 2 asin √share."""
    return math.sin(min(max(angle, 0.0), math.pi) / 2) ** 2
