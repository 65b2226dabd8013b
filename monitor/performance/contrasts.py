"""What judged hours say of a metric, and of how many predictions have a label: the contrasts of signals made of labels.

Shares are counted hour by hour, however few labels there are. Of other metrics, hours of few labels are added up until
there are enough to say something: none is left out, and what they say together stands in the hour that completed them.
"""

from __future__ import annotations

import math
import sys
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.change.legend import LOCATION, RATE, SCORE, SHARES
from detectors.performance import METRICS, Question, Sums
from detectors.performance.evidence import (
    FEWEST,
    FEWEST_EVENTS,
    NEGATIVE,
    POSITIVE,
    Scale,
    count_classes,
    count_share,
    form_of,
    measure,
)
from detectors.performance.schemes import Binary, Multiclass
from detectors.sketch import FindingLayout
from monitor.alerts.verdict import OddLabels
from monitor.config.performance import COVERAGE, ERROR, PerformancePlan, metric_of
from monitor.evaluate.contrasts import DESCRIBED, Contrasts, share_at
from monitor.evaluate.finding_contrasts import FindingContrasts
from monitor.evaluate.referred_contrasts import REFERENCE_EVENTS
from monitor.performance.hours import OTHER
from monitor.performance.label_mix import LabelMix
from monitor.values import DAY_MS

__all__ = ["MOST_CLASSES", "JudgedContrasts", "JudgedRow", "Observed", "contrasts_for"]

Integers = NDArray[np.int64]

LONGEST_ALIKE_MS = 7 * DAY_MS
"""For so long labels are added up where all are alike, before that is taken for how they are."""

MOST_CLASSES = 10
"""Of so many classes it is followed how many of their predictions have a label."""

USUAL = (30.0, 5.0)
"""Labels, and events among them that a metric is made of, as if they had been seen."""

MOST_USUAL = 10_000.0
"""Labels from which on older ones count for less."""

FEWEST_OF_SHARE = 2.5
"""Where twice as many events of a share are usual, none is no chance: that is as likely as e⁻⁵."""

FEWEST_MISSED = 5.0
"""Labels that usually come, of which that none does is no chance."""

OF_ONE_CLASS = {"recall": POSITIVE, "specificity": NEGATIVE}
"""Metrics of two classes that only labels of one of them are in."""

SMALLEST_SPREAD = 1e-6
"""Of one event, in the units of a metric's scale: where all of the first ones were alike."""


@dataclass(frozen=True)
class JudgedRow:
    """What was known of some predictions of an hour when it was judged.

    Attributes
    ----------
    predictions, labelled : int
    sums : Sums
        Of those that have a label.
    classes : dict of str to (int, int)
        By predicted class: predictions, and how many of them have a label.
    findings : int64 array or None
        What is counted of the errors that came to be known in the hour, if there are any.
    """

    predictions: int
    labelled: int
    sums: Sums
    classes: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    findings: Integers | None = None

    @cached_property
    def label_counts(self) -> Mapping[str, float]:
        """How many labels say each class, if they say any."""
        return count_classes(self.sums)

    def __add__(self, other: JudgedRow) -> JudgedRow:
        """Return what was known of the predictions of two hours together."""
        classes = dict(self.classes)
        for name, (predictions, labelled) in other.classes.items():
            of_both = classes.get(name, (0, 0))
            classes[name] = of_both[0] + predictions, of_both[1] + labelled
        counted = [row.findings for row in (self, other) if row.findings is not None]
        return JudgedRow(
            self.predictions + other.predictions,
            self.labelled + other.labelled,
            self.sums + other.sums,
            classes,
            np.sum(counted, axis=0) if counted else None,
        )

    @classmethod
    def read(cls, row: Mapping[str, Any]) -> JudgedRow:
        """Return what a row of ``performance`` holds."""
        counts = zip(map(int, row["class_predictions"]), map(int, row["class_labelled"]), strict=True)
        classes = dict(zip(row["classes"], counts, strict=True))
        return cls(int(row["predictions"]), int(row["labelled"]), Sums.from_row(row), classes)

    @classmethod
    def of_findings(cls, scheme: str, counts: Integers) -> JudgedRow:
        """Return what is counted of the errors of an hour, and nothing else."""
        return cls(0, 0, Sums.empty(scheme), findings=counts)


class Observed(NamedTuple):
    """A contrast in an hour, as `detectors.change.windows.watch_windows` takes it."""

    value: float
    events: float
    unit: float = 1.0


class JudgedContrasts(Contrasts):
    """What a signal made of labels is watched by.

    Parameters
    ----------
    plan : PerformancePlan

    Attributes
    ----------
    learned : int
        Labels that were seen of those without which there is no scale; ``DESCRIBED`` once there is one.
    last_ms : int
        End of the newest hour that had anything.
    value_ms : int
        End of the newest hour that had a value, where it can lack one; 0 before that.
    lacking : str
        Why there is nothing to say since some hours although labels come; empty otherwise.
    odd_labels : OddLabels or None
        How labels do not come as they did, if what is said is of other predictions for that.
    """

    learned = DESCRIBED
    last_ms = 0
    value_ms = 0
    lacking = ""
    odd_labels: OddLabels | None = None

    def __init__(self, plan: PerformancePlan) -> None:
        self.age_ms = plan.judge_at_ms[0]

    def is_in(self, row: JudgedRow) -> bool:
        """Whether an hour has anything that the signal is made of."""
        return row.labelled > 0

    def falls_silent(self, row: JudgedRow) -> bool:
        """Take in an hour of predictions without a label; return whether chance does not explain how many have none."""
        return False

    @abstractmethod
    def observe(self, row: JudgedRow, end_ms: int) -> tuple[int, list[Observed | None]]:
        """Take in an hour; return of how many events what is said is, and what is said of each contrast."""

    def windows_without(self, end_ms: int, step_ms: int) -> tuple[int, ...] | None:
        """Return of shares for how many windows there has been none of each contrast; None of anything else."""
        return None

    def use_scale(self, scale: Scale) -> None:
        """Go by a scale that was found before."""

    def say_all(self) -> None:
        """Say what there is of every class, whichever came first: of hours that are only looked at."""


class _Pooled(JudgedContrasts):
    """A metric: sums of hours of few labels wait for more."""

    def __init__(self, plan: PerformancePlan, name: str) -> None:
        super().__init__(plan)
        self._name, self._kind = name, plan.scheme.kind
        self._pool: Sums | None = None
        self._question = Question(plan.scheme.kind, plan.min_labels, plan.beta)
        self._usual = USUAL
        self._mix = LabelMix()
        self._unlabelled = 0
        metric = METRICS[name]
        self.better = metric.better if metric.better in ("higher", "lower") else ""
        if metric.needs_value:
            self.unit = plan.currency or ""

    def name(self, row: int) -> str:
        return self._name

    def falls_silent(self, row: JudgedRow) -> bool:
        self._unlabelled += row.predictions
        if not row.predictions or self._mix.usual_share * self._unlabelled < FEWEST_MISSED:
            return False
        self.lacking, self.odd_labels = "no label has come", None
        return True

    def observe(self, row: JudgedRow, end_ms: int) -> tuple[int, list[Observed | None]]:
        self._unlabelled = 0
        self._mix.take(row.predictions, row.labelled, row.label_counts, end_ms)
        self.odd_labels = self._odd_labels()
        if self.odd_labels is not None and self.odd_labels.is_missing:
            # What the others say is of the class, and not of the model; nothing is added to hours of both.
            self.lacking, self.odd_labels = self.odd_labels.missing, None
            return row.labelled, [None]
        pool = row.sums if self._pool is None else self._pool + row.sums
        observed = self._of(pool, end_ms)
        self._pool = pool if observed is None else None
        if observed is None:
            self.lacking = self._lacking(pool)
            return row.labelled, [None]
        self.lacking, self.value_ms = "", end_ms
        labels, events = self._usual[0] + pool.labels, self._usual[1] + self._events(pool)
        self._usual = (labels / 2, events / 2) if labels > MOST_USUAL else (labels, events)
        return pool.labels, [observed]

    def _odd_labels(self) -> OddLabels | None:
        """Return how labels do not come as they did, of the classes that the metric is made of."""
        odd, of_class = odd_labels(self._mix, self._kind), OF_ONE_CLASS.get(self._name, "")
        if odd is None or self._kind != "binary" or not of_class:
            return odd
        # That there are fewer labels is explained by the class that is missing.
        return None if odd.classes and named_class(of_class, self._kind) not in odd.classes else odd

    def _lacking(self, pool: Sums) -> str:
        """Return why so many labels say nothing; empty while they may be too few of what the metric is made of."""
        labels, events = self._usual
        if pool.labels * events / labels < 2 * self.fewest or self._is_measured(pool):
            return ""
        return METRICS[self._name].estimate(pool, self._question).reason or "nothing to compare"

    @property
    @abstractmethod
    def fewest(self) -> float:
        """How many events there have to be to say something."""

    @abstractmethod
    def _events(self, pool: Sums) -> float:
        """Return how many events the metric is made of."""

    @abstractmethod
    def _is_measured(self, pool: Sums) -> bool:
        """Whether there are enough of these."""

    @abstractmethod
    def _of(self, pool: Sums, end_ms: int) -> Observed | None:
        """Return what events say; None while they are too few."""

    def snapshot(self) -> dict[str, Any]:
        pool = None if self._pool is None else self._pool.to_row()
        state = {"pool": pool, "usual": list(self._usual), "mix": self._mix.snapshot(), "value_ms": self.value_ms}
        return state | {"unlabelled": self._unlabelled}

    def restore(self, state: Mapping[str, Any]) -> None:
        self._pool = None if state["pool"] is None else Sums.from_row(state["pool"])
        # Checkpoints from before it was noted do not have it.
        labels, events = state.get("usual", USUAL)
        self._usual = labels, events
        if "mix" in state:
            self._mix.restore(state["mix"])
        self.value_ms, self._unlabelled = state.get("value_ms", 0), state.get("unlabelled", 0)

    def inherit(self, former: Contrasts) -> None:
        super().inherit(former)
        # Labels of the former version that wait are of that version.
        self._pool = None


class ShareContrasts(_Pooled):
    """A metric that is a share of events."""

    kinds = ((RATE, SHARES),)

    def __init__(self, plan: PerformancePlan, name: str) -> None:
        super().__init__(plan, name)
        self.unit = "%"

    def in_units(self, row: int, value: float) -> float:
        return share_at(value)

    @property
    def fewest(self) -> float:
        return FEWEST_OF_SHARE

    def _events(self, pool: Sums) -> float:
        return count_share(pool, self._name, self._kind)[1]

    def _is_measured(self, pool: Sums) -> bool:
        return self._events(pool) > 0

    def _of(self, pool: Sums, end_ms: int) -> Observed | None:
        hits, events = count_share(pool, self._name, self._kind)
        # Charts know what few events are worth; one without anything to count says nothing.
        return Observed(hits, events) if events else None


class MeanContrasts(_Pooled):
    """A metric that is a mean of events, or about as sure as one, on a scale that its first labels give."""

    kinds = ((SCORE, LOCATION),)

    def __init__(self, plan: PerformancePlan, name: str) -> None:
        super().__init__(plan, name)
        self._form = form_of(name, plan.scheme.kind)
        self.unit = "%" if self._form == "angle" else self.unit
        self._scale: Scale | None = None
        self.ready_ms = None
        self.learned = 0

    def scale(self) -> Scale | None:
        return self._scale

    def use_scale(self, scale: Scale) -> None:
        self._scale = scale

    def in_units(self, row: int, value: float) -> float:
        return (self._scale or Scale(self._form)).value(value)

    @property
    def fewest(self) -> float:
        return FEWEST.get(self._name, FEWEST_EVENTS)

    def _events(self, pool: Sums) -> float:
        return float(METRICS[self._name].events(pool))

    def _is_measured(self, pool: Sums) -> bool:
        return measure(pool, self._name, self._question) is not None

    def _of(self, pool: Sums, end_ms: int) -> Observed | None:
        if self._scale is None:
            self.learned = pool.labels
        measured = measure(pool, self._name, self._question)
        if measured is None:
            return None
        if self._scale is None:
            # Of the first hours alone it would be that of a night, say, from which any day is far away.
            least_ms = DAY_MS if measured.variance else LONGEST_ALIKE_MS
            if measured.events < REFERENCE_EVENTS or end_ms - self.began_ms < least_ms:
                return None
            self._scale = Scale.of(self._form, measured, SMALLEST_SPREAD)
            self.ready_ms, self.learned = end_ms, DESCRIBED
        # In an hour in which all went well by chance, events seem to differ less than they do; one of which a single
        # error makes up nearly all says no more than few events.
        unit = max(self._scale.variance(measured), 1.0)
        return Observed(self._scale.at(measured.value), measured.events / unit)

    def snapshot(self) -> dict[str, Any]:
        scale = None if self._scale is None else list(self._scale)
        return super().snapshot() | {"scale": scale, "ready_ms": self.ready_ms, "learned": self.learned}

    def restore(self, state: Mapping[str, Any]) -> None:
        super().restore(state)
        self._scale = None if state["scale"] is None else Scale(*state["scale"])
        self.ready_ms, self.learned = state["ready_ms"], state["learned"]


class CoverageContrasts(JudgedContrasts):
    """How many predictions have a label: of all, and of those of each class.

    Of several classes the first :data:`MOST_CLASSES` are followed, in the order of the hours in which they come, and
    within one of how many predictions they have.
    """

    unit, better = "%", "higher"

    def __init__(self, plan: PerformancePlan) -> None:
        super().__init__(plan)
        self._classes = [plan.scheme.positive, OTHER] if isinstance(plan.scheme, Binary) else []
        self._most = MOST_CLASSES if isinstance(plan.scheme, Multiclass) else len(self._classes)
        self._kind, self._mix = plan.scheme.kind, LabelMix()
        # End of the newest window in which a prediction had a label: of all, and of those of each class.
        self._some_ms = [0] * (1 + self._most)
        self.kinds = ((RATE, SHARES),) * (1 + self._most)

    def is_in(self, row: JudgedRow) -> bool:
        return row.predictions > 0

    def name(self, row: int) -> str:
        if 0 < row <= len(self._classes):
            return f"{COVERAGE} of predicted {self._classes[row - 1]!r}"
        return f"{COVERAGE} of another class" if row else COVERAGE

    def in_units(self, row: int, value: float) -> float:
        return share_at(value)

    def say_all(self) -> None:
        self._most = sys.maxsize

    def observe(self, row: JudgedRow, end_ms: int) -> tuple[int, list[Observed | None]]:
        if len(self._classes) < self._most:
            new = sorted(row.classes.keys() - set(self._classes), key=lambda name: (-row.classes[name][0], name))
            self._classes += new[: self._most - len(self._classes)]
        self._mix.take(row.predictions, row.labelled, row.label_counts, end_ms)
        odd = odd_labels(self._mix, self._kind)
        self.odd_labels = odd if odd is not None and odd.is_missing else None
        counts = [(row.predictions, row.labelled), *(row.classes.get(name, (0, 0)) for name in self._classes)]
        for k, (_, labelled) in enumerate(counts[: len(self._some_ms)]):
            if labelled:
                self._some_ms[k] = end_ms
        return row.predictions, [Observed(labelled, count) if count else None for count, labelled in counts]

    def windows_without(self, end_ms: int, step_ms: int) -> tuple[int, ...]:
        return tuple((end_ms - some_ms) // step_ms for some_ms in self._some_ms)

    def snapshot(self) -> dict[str, Any]:
        return {"classes": self._classes, "mix": self._mix.snapshot(), "some_ms": self._some_ms}

    def restore(self, state: Mapping[str, Any]) -> None:
        # Checkpoints from before several classes were followed have none, and binary predictions have always two.
        self._classes = list(state.get("classes", self._classes))
        # As if any had one just then, where it was not noted.
        self._some_ms = list(state.get("some_ms", [sys.maxsize] * len(self._some_ms)))
        if "mix" in state:
            self._mix.restore(state["mix"])


class ErrorContrasts(JudgedContrasts):
    """How often the detectors fire that are shown errors; hours are those in which these came to be known."""

    unit = "%"

    def __init__(self, plan: PerformancePlan) -> None:
        super().__init__(plan)
        self.age_ms = 0
        self._findings = FindingContrasts(FindingLayout(plan.detectors))
        self.kinds = self._findings.kinds

    def is_in(self, row: JudgedRow) -> bool:
        return row.findings is not None

    def name(self, row: int) -> str:
        return self._findings.name(row)

    def in_units(self, row: int, value: float) -> float:
        return share_at(value)

    def observe(self, row: JudgedRow, end_ms: int) -> tuple[int, list[Observed | None]]:
        if row.findings is None:
            return 0, [None] * len(self.kinds)
        counts = row.findings[None, :]
        evidence = self._findings.evidence(counts)
        pairs = zip(evidence.values[:, 0].tolist(), evidence.events[:, 0].tolist(), strict=True)
        observed = [None if math.isnan(value) else Observed(value, events) for value, events in pairs]
        return int(self._findings.judged(counts)[0]), observed

    def inherit(self, former: Contrasts) -> None:
        super().inherit(former)
        assert isinstance(former, ErrorContrasts)
        self._findings.inherit(former._findings)

    def snapshot(self) -> dict[str, Any]:
        return self._findings.snapshot()

    def restore(self, state: Mapping[str, Any]) -> None:
        self._findings.restore(state)


def named_class(name: str, kind: str) -> str:
    """Return what a class of labels is called."""
    return f"the {name} class" if kind == "binary" else f"class {name!r}"


def odd_labels(mix: LabelMix, kind: str) -> OddLabels | None:
    """Return how labels do not come as they did; None if they do."""
    missing, fewer = mix.missing(), mix.fewer()
    classes = tuple(named_class(name, kind) for name in missing or mix.unsaid())
    if not classes and fewer is None:
        return None
    return OddLabels(classes, is_missing=bool(missing), has_some=not all(missing.values()), fewer=fewer)


def contrasts_for(plan: PerformancePlan, signal: str) -> JudgedContrasts:
    """Return the contrasts of a signal that is made of labels."""
    if signal == COVERAGE:
        return CoverageContrasts(plan)
    name = metric_of(signal)
    if name == ERROR:
        return ErrorContrasts(plan)
    made = ShareContrasts if form_of(name, plan.scheme.kind) == "share" else MeanContrasts
    return made(plan, name)
