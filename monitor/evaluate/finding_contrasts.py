"""How often per-event detectors fire: a contrast for each, of the signal that they watch.

One anomaly wakes nobody, since single odd values come with every stream; that they come much more often than they do at
this hour is a change like any other. Each detector has a row of its own, since each fires at a rate of its own: in a
common one a detector that fires at one event in a hundred would hide another's at one in a hundred thousand. A row
costs a signal the logarithm of how many more rows it has: of a number's five, a sixth costs 0.2 nats.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.anomaly import SCORERS
from detectors.change.legend import RATE, RATES
from detectors.change.renewal import Renewal, Replacement
from detectors.river_adapter import is_anomalies
from detectors.sketch import FindingLayout, JointLayout
from detectors.sketch.findings import COUNTED
from monitor.alerts.verdict import Change
from monitor.config.baseline import RollingBaseline
from monitor.evaluate.contrasts import Contrasts, SignalEvidence, share_at
from monitor.evaluate.fallback import FallbackContrasts
from monitor.evaluate.number_windows import Recent
from monitor.evaluate.referred_contrasts import ReferredContrasts
from monitor.evaluate.value_contrasts import referred_contrasts
from monitor.evaluate.vector_contrasts import VectorContrasts
from monitor.values import DAY_MS
from monitor.watch import Summary, Watch

__all__ = ["FindingContrasts", "SignalContrasts", "contrasts_of", "rates_of_findings"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

FINDINGS, JUDGED, SPELLS = range(len(COUNTED))

PRIOR_SPELLS = 5.0
"""Spells of one finding each, as if they had been seen."""

MOST_SPELLS = 1000.0
"""Spells from which on older ones count for less."""

LONGEST = 10
"""Findings of a spell that are learned from."""


class FindingContrasts(Contrasts):
    """Of the observations that a detector judged, the share that are findings; a row for each detector.

    Findings come in spells where observations depend on each other. What a window has is therefore counted in spells of
    the size that they had before, observations too, so that the share stays what it is.

    Parameters
    ----------
    layout : FindingLayout
    """

    def __init__(self, layout: FindingLayout) -> None:
        self._names = [_name(detector) for detector in layout.detectors]
        self.kinds = ((RATE, RATES),) * len(self._names)
        self._begun = np.zeros(len(self._names), dtype=np.bool_)
        self._spells = np.full((len(self._names), 2), PRIOR_SPELLS)

    def name(self, row: int) -> str:
        return self._names[row]

    def in_units(self, row: int, value: float) -> float:
        return share_at(value)

    def judged(self, counts: Integers) -> Integers:
        """Return how many observations the detector judged that judged most, int64[T]."""
        of_detectors: Integers = _by_detector(counts)[:, :, JUDGED].max(axis=1)
        return of_detectors

    def evidence(self, counts: Integers) -> SignalEvidence:
        """Return the evidence of windows with so many findings, int64[T, names of the layout].

        The first window in which a detector judges anything says nothing: it may have judged a few observations of it.
        """
        evidence = SignalEvidence.nothing(len(self.kinds), len(counts))
        for row, (findings, judged, spells) in enumerate(_by_detector(counts).transpose(1, 2, 0)):
            says = np.flatnonzero(judged)
            sizes = self._sizes_of_spells(row, findings, spells)
            if len(says) and not self._begun[row]:
                self._begun[row], says = True, says[1:]
            evidence.values[row, says] = findings[says] / sizes[says]
            evidence.events[row, says] = judged[says] / sizes[says]
        return evidence

    def _sizes_of_spells(self, row: int, findings: Integers, spells: Integers) -> Floats:
        """Return how many findings a spell had before each window, float64[T], and learn from the windows."""
        sizes, sums, first = np.empty(len(findings)), self._spells[row], 0
        for t in np.flatnonzero(findings).tolist():
            sizes[first : t + 1] = sums[0] / sums[1]
            first = t + 1
            # A change that lasts, with a finding at every observation, is one spell, and no usual one.
            sums += min(findings[t], LONGEST * max(spells[t], 1)), spells[t]
            if sums[1] > MOST_SPELLS:
                sums *= 0.5
        sizes[first:] = sums[0] / sums[1]
        return sizes

    def inherit(self, former: Contrasts) -> None:
        super().inherit(former)
        self._begun[:] = False

    def snapshot(self) -> dict[str, Any]:
        return {"begun": self._begun.tolist(), "spells": self._spells.copy()}

    def restore(self, state: Mapping[str, Any]) -> None:
        self._begun, self._spells = np.array(state["begun"], dtype=np.bool_), np.array(state["spells"])


class SignalContrasts(Contrasts):
    """What a signal is watched by: its values, its findings, or both, and the share of a default answer.

    Parameters
    ----------
    own : ReferredContrasts or None
        None where none of the signal's values is watched.
    findings : FindingContrasts or None
        None where no per-event detector runs.
    fallback : FallbackContrasts or None
        None where no answer is a default.

    Attributes
    ----------
    first_finding, fallback_row : int
        The first row of the findings, and that of the default answer.
    """

    def __init__(
        self,
        own: ReferredContrasts | None,
        findings: FindingContrasts | None,
        fallback: FallbackContrasts | None = None,
    ) -> None:
        self.own, self.findings, self.fallback = own, findings, fallback
        self._parts = [part for part in (own, findings, fallback) if part is not None]
        self.kinds = [kind for part in self._parts for kind in part.kinds]
        self.first_finding = 0 if own is None else len(own.kinds)
        self.fallback_row = len(self.kinds) - 1
        self.is_number, self.is_referred = own is not None and own.is_number, own is not None
        self.added_row = None if own is None else own.added_row

    @property
    def ready_ms(self) -> int | None:  # type: ignore[override]
        """Those of its values."""
        return 0 if self.own is None else self.own.ready_ms

    def reference(self) -> Floats:
        return np.vstack([part.reference() for part in self._parts])

    def level(self, parts: Sequence[Summary]) -> Floats:
        return np.vstack([part.level(parts) for part in self._parts])

    def name(self, row: int) -> str:
        part, of_part = self._part(row)
        return part.name(of_part)

    def is_of_new_values(self, row: int) -> bool:
        part, of_part = self._part(row)
        return part.is_of_new_values(of_part)

    def in_units(self, row: int, value: float) -> float:
        part, of_part = self._part(row)
        return part.in_units(of_part, value)

    def recent(self, evidence: SignalEvidence, t: int, windows: int, since_ms: int | None = None) -> Recent | None:
        return None if self.own is None else self.own.recent(evidence, t, windows, since_ms)

    def plainly(self, change: Change, row: int, expected: float, recent: Recent) -> Change:
        part, of_part = self._part(row)
        return part.plainly(change, of_part, expected, recent)

    def unit_of(self, row: int) -> str:
        part, of_part = self._part(row)
        return part.unit_of(of_part)

    def keep(self, evidence: SignalEvidence) -> None:
        if self.own is not None:
            self.own.keep(evidence)

    def groups(self) -> msgspec.Raw | None:
        return None if self.own is None else self.own.groups()

    @property
    def step(self) -> float:
        return 0.0 if self.own is None else self.own.step

    @property
    def look_day(self) -> int | None:
        """The day on which coordinates of its values are looked at, as those have it."""
        return None if self.own is None else self.own.look_day

    def renewed(self, day: int, *, may_renew: bool) -> tuple[SignalContrasts, Renewal | Replacement] | None:
        """Return what watches the signal from a day on if coordinates of its values are renewed then."""
        renewed = None if self.own is None else self.own.renewed(day, may_renew=may_renew)
        if renewed is None:
            return None
        after = copy.copy(self)
        after.own = renewed[0]
        after._parts = [after.own if part is self.own else part for part in self._parts]
        return after, renewed[1]

    def _part(self, row: int) -> tuple[Contrasts, int]:
        for part in self._parts[:-1]:
            if row < len(part.kinds):
                return part, row
            row -= len(part.kinds)
        return self._parts[-1], row

    def inherit(self, former: Contrasts) -> None:
        assert isinstance(former, SignalContrasts)
        for part, of_former in zip(self._parts, former._parts, strict=True):
            part.inherit(of_former)

    def snapshot(self) -> dict[str, Any]:
        of_findings = {} if self.findings is None else {"findings": self.findings.snapshot()}
        return of_findings if self.own is None else {**self.own.snapshot(), **of_findings}

    def restore(self, state: Mapping[str, Any]) -> None:
        if self.own is not None:
            self.own.restore(state)
        if self.findings is not None:
            self.findings.restore(state["findings"])


def follows_values(watch: Watch) -> bool:
    """Whether coordinates of a model follow their values: those of a baseline that rolls do."""
    return isinstance(watch.model.spec.baseline, RollingBaseline)


def contrasts_of(watch: Watch, segment: str, signal: str) -> SignalContrasts | None:
    """Return the contrasts of a signal; None if it has none."""
    layout, findings = watch.layouts.get(signal), watch.finding_layouts.get(signal)
    dataset, defaults = watch.reference.get((segment, signal)), watch.model.spec.detect.defaults
    own: ReferredContrasts | None = None
    fallback = None
    if layout is not None and watch.is_charted(signal):
        answer = watch.fallbacks.get(signal)
        fallback = None if answer is None else FallbackContrasts(answer, layout, dataset)
        # A day is enough for coordinates: weeks of windows of a day would be weeks in which no value is watched.
        learn_windows = defaults.learn_windows if defaults.step_ms < DAY_MS else 1
        if isinstance(layout, JointLayout):
            own = VectorContrasts(layout, dataset, learn_windows)
        else:
            own = referred_contrasts(
                layout,
                dataset,
                learn_windows,
                is_prediction=signal.startswith("prediction:"),
                follows=dataset is None and follows_values(watch),
            )
    if own is None and findings is None:
        return None
    return SignalContrasts(own, None if findings is None else FindingContrasts(findings), fallback)


def rates_of_findings(
    layout: FindingLayout, windows: Sequence[Mapping[str, int]], sampling: Mapping[str, float]
) -> list[dict[str, tuple[float, float]]]:
    """Return what windows that are looked at again have of each detector's findings, by the names of contrasts.

    How many findings made a spell is not stored, but follows from what sampling made of as many observations.

    Parameters
    ----------
    layout : FindingLayout
    windows : sequence of mapping of str to int
        Counts by the names of the layout; what is 0 may be missing.
    sampling : mapping of str to float
        The variance that sampling gave each contrast, by its name.
    """
    rates: list[dict[str, tuple[float, float]]] = [{} for _ in windows]
    for detector in layout.detectors:
        judged = np.array([counts.get(f"{detector} judged", 0) for counts in windows], dtype=np.float64)
        if not judged.any():
            continue
        name = _name(detector)
        size = max(1.0, sampling.get(name, 0.0) * float(judged[judged > 0].mean()))
        for rate, counts, events in zip(rates, windows, judged.tolist(), strict=True):
            if events:
                rate[name] = counts.get(f"{detector} findings", 0) / size, events / size
    return rates


def _name(detector: str) -> str:
    """Return what the contrast of a detector's findings is called."""
    return f"{detector} {'anomalies' if detector in SCORERS or is_anomalies(detector) else 'drifts'}"


def _by_detector(counts: Integers) -> Integers:
    """Return counts as int64[T, detectors, COUNTED]."""
    return counts.reshape(len(counts), -1, len(COUNTED))
