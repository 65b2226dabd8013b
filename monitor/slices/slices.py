"""Which labelled events belong to which slice: by what turned out to be true, by outcome, or by how much they lose."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from detectors.performance import Binary, Multiclass, Ranking
from monitor.config.performance import PerformancePlan
from monitor.errors import InputError
from monitor.slices.sample import Sample

__all__ = ["ALL", "LABEL", "REST", "Judged", "UnknownSliceError", "default_slice"]

ALL, REST, WORST, LABEL = "all", "rest", "worst", "label="
OUTCOMES = ("tp", "fp", "fn", "tn")
MOST_CLASSES = 20

_SLICES = {
    "binary": ("right", "wrong", *OUTCOMES, WORST, f"{LABEL}CLASS", ALL),
    "multiclass": ("right", "wrong", f"{LABEL}CLASS", ALL),
    "regression": (WORST, "over", "under", ALL),
    "ranking": (WORST, ALL),
}
_WORDS = {
    ALL: "all labelled events",
    REST: "all others",
    "right": "predicted rightly",
    "wrong": "predicted wrongly",
    "tp": "true positives",
    "fp": "false positives",
    "fn": "false negatives",
    "tn": "true negatives",
    "over": "predicted too high",
    "under": "predicted too low",
}

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


class UnknownSliceError(InputError):
    """There is no such slice of events of this kind."""


def default_slice(plan: PerformancePlan) -> str:
    """Return the slice that is shown where nobody chooses one."""
    return "worst" if plan.scheme.kind in ("regression", "ranking") else "wrong"


@dataclass(frozen=True)
class Judged:
    """A sample of labelled events with the outcome of each.

    Attributes
    ----------
    plan : PerformancePlan
    sample : Sample
    share : float
        Of all events, how many ``worst`` has.
    """

    plan: PerformancePlan
    sample: Sample
    share: float

    @cached_property
    def outcomes(self) -> list[str]:
        """What each event is: an outcome of two classes; ``right``, ``wrong``; or ``over``, ``under``, ``even``.

        Of rankings it is ``ranked``.
        """
        columns, scheme = self.sample.columns, self.plan.scheme
        if isinstance(scheme, Binary):
            says = np.asarray(columns["predicted_value"]) >= scheme.threshold
            names = {(True, True): "tp", (True, False): "fp", (False, True): "fn", (False, False): "tn"}
            truth = [name == scheme.positive for name in columns["label"]]
            return [names[pair] for pair in zip(says.tolist(), truth, strict=True)]
        if isinstance(scheme, Multiclass):
            pairs = zip(columns["predicted_label"], columns["label"], strict=True)
            return ["right" if predicted == true else "wrong" for predicted, true in pairs]
        if isinstance(scheme, Ranking):
            return ["ranked"] * len(self.sample)
        return [("even", "over", "under")[int(sign)] for sign in np.sign(self._errors)]

    @cached_property
    def losses(self) -> Floats | None:
        """What each event loses, or None of classes.

        That is the squared error of a probability, the size of an error of a number, or what NDCG lacks of 1.
        """
        columns, scheme = self.sample.columns, self.plan.scheme
        if isinstance(scheme, Binary):
            truth = np.array([name == scheme.positive for name in columns["label"]], dtype=np.float64)
            squared: Floats = (np.asarray(columns["predicted_value"]) - truth) ** 2
            return squared
        if isinstance(scheme, Ranking):
            return scheme.losses(columns["predicted_label"], columns["label"])
        return None if isinstance(scheme, Multiclass) else np.abs(self._errors)

    @property
    def _errors(self) -> Floats:
        errors: Floats = np.asarray(self.sample.columns["predicted_value"]) - np.asarray(self.sample.columns["value"])
        return errors

    def members(self, name: str, other: str = REST) -> Integers:
        """Return which events a slice has, in the order of the sample; of ``worst``, the worst first.

        Parameters
        ----------
        name : str
            Of the slice; ``rest`` is what ``other`` has not.
        other : str

        Raises
        ------
        UnknownSliceError
        """
        events = len(self.sample)
        if name == REST and other != REST:
            return np.setdiff1d(np.arange(events), self.members(other))
        if name == ALL:
            return np.arange(events)
        if name == WORST and self.losses is not None:
            # Equal losses stand in the order of the sample.
            return np.argsort(-self.losses, kind="stable")[: math.ceil(round(self.share * events, 6))]
        kind = self.plan.scheme.kind
        if name.startswith(LABEL) and kind not in ("regression", "ranking"):
            return self._with_label(name.removeprefix(LABEL))
        if name not in _SLICES[kind] or name == WORST:
            choices = ", ".join(_SLICES[kind])
            raise UnknownSliceError(f"there is no slice {name!r} of {kind} predictions; there are {choices}")
        outcomes = {"right": ("tp", "tn", "right"), "wrong": ("fp", "fn", "wrong")}.get(name, (name,))
        return np.array([row for row, outcome in enumerate(self.outcomes) if outcome in outcomes], dtype=np.int64)

    def words(self, name: str) -> str:
        """Say what a slice is."""
        if name == WORST:
            losses = {"binary": "the largest squared error", "ranking": "the lowest NDCG"}
            return f"the {self.share:.0%} with {losses.get(self.plan.scheme.kind, 'the largest error')}"
        return f"label {name.removeprefix(LABEL)!r}" if name.startswith(LABEL) else _WORDS[name]

    @property
    def choices(self) -> list[str]:
        """The slices that there are, by the classes that are most frequent in the sample."""
        names: list[str] = []
        for name in _SLICES[self.plan.scheme.kind]:
            names += [f"{LABEL}{label}" for label in self._classes()] if name.startswith(LABEL) else [name]
        return names

    def _classes(self) -> list[str]:
        counts: Counter[str] = Counter(self.sample.columns["label"])
        return sorted(counts, key=lambda name: (-counts[name], name))[:MOST_CLASSES]

    def _with_label(self, label: str) -> Integers:
        labels = self.sample.columns["label"]
        if labels and label not in labels:
            names = ", ".join(map(repr, self._classes()))
            raise UnknownSliceError(f"no event of the sample has the label {label!r}; there are {names}")
        return np.array([row for row, name in enumerate(labels) if name == label], dtype=np.int64)
