"""Whether labels still come as they did: of as many predictions, and of each class among them.

A metric is of predictions that have a label. Where the labels of one class stop coming, those that are left are other
predictions than before, and a metric of them says nothing of the model.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from monitor.values import DAY_MS

__all__ = ["LabelMix"]

BEYOND_DOUBT = 10.0
"""Log-likelihood ratio from which on a share has fallen; chance goes so far once in e¹⁰, 22,000, runs at most."""

NONE_LEFT = 5.0
"""Where so many labels of a class are usual, none is no chance: that is as likely as e⁻⁵."""

NEARLY_GONE, FEWER = 0.1, 0.7
"""Parts of what is usual to which labels of a class are taken to fall, and the share of predictions with a label."""

FEWEST_LABELS = 200
"""Labels from which on it is known what is usual."""

MOST_CLASSES = 100
"""So many classes of labels are followed, those that come first."""

HALF_LIFE_MS = 7 * DAY_MS
"""Of what is usual."""

LONGEST_MS = 30 * DAY_MS
"""A class whose labels have not come for so long was one: charts have let go of what was usual with it by then."""


@dataclass
class _Decline:
    """Evidence that a share of events has fallen to a part of what it was: a CUSUM of its log-likelihood ratios.

    Page (1954, Biometrika 41): ``evidence = max(evidence + log(likelihood fallen / likelihood usual), 0)``. It is held
    at :data:`BEYOND_DOUBT`, so that what shows that the share is back is as much as showed that it fell.
    """

    evidence: float = 0.0
    events: float = 0.0
    hits: float = 0.0
    usual: float = 0.0
    stands: bool = False

    def take(self, hits: float, events: float, usual: float, part: float) -> None:
        """Take in events of a window."""
        ratio = hits * math.log(part) + (events - hits) * math.log((1 - part * usual) / (1 - usual))
        self.evidence = min(max(self.evidence + ratio, 0.0), BEYOND_DOUBT)
        if self.evidence == 0:
            self.events, self.hits, self.usual, self.stands = 0.0, 0.0, 0.0, False
        else:
            # What is usual goes on to be learned, of these windows as well.
            self.usual = self.usual or usual
            self.events, self.hits = self.events + events, self.hits + hits
            self.stands = self.stands or self.evidence >= BEYOND_DOUBT


@dataclass
class _Class:
    """Labels that say a class.

    Attributes
    ----------
    usual : float
    among_labels, of_predictions : _Decline
        That labels say it less often, and that as many fewer predictions have a label at all.
    labels_without : float
        Labels since the last that said it.
    """

    usual: float = 0.0
    among_labels: _Decline = field(default_factory=_Decline)
    of_predictions: _Decline = field(default_factory=_Decline)
    labels_without: float = 0.0


class LabelMix:
    """How many predictions of a version and segment have a label, and what these labels say."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._predictions = self._labelled = self._labels = 0.0
        self._newest_ms = self._since_ms = 0
        self._classes: dict[str, _Class] = {}
        self._fewer = _Decline()

    def take(self, predictions: int, labelled: int, counts: Mapping[str, float], end_ms: int) -> None:
        """Take in a window.

        Parameters
        ----------
        predictions, labelled : int
        counts : mapping of str to float
            Of labels, by the class that they say; empty where they say none.
        end_ms : int
        """
        if self._since_ms and end_ms - self._since_ms >= LONGEST_MS:
            self._begin()
        if self._labelled >= FEWEST_LABELS:
            self._look(predictions, labelled, counts)
        if self.missing() or self.unsaid():
            self._since_ms = self._since_ms or end_ms
        else:
            self._since_ms = 0
            self._learn(predictions, labelled, counts, end_ms)

    @property
    def usual_share(self) -> float:
        """The share of predictions that usually have a label."""
        return self._labelled / max(self._predictions, 1.0)

    def missing(self) -> dict[str, bool]:
        """Return the classes of which labels no longer come, and whether none does: predictions go without one."""
        return {
            name: self._is_unsaid(each)
            for name, each in sorted(self._classes.items())
            if each.among_labels.stands and each.of_predictions.stands
        }

    def unsaid(self) -> list[str]:
        """Return the classes that no label says any more, although as many predictions have one as ever."""
        return [
            name
            for name, each in sorted(self._classes.items())
            if self._is_unsaid(each) and not each.of_predictions.stands
        ]

    def fewer(self) -> tuple[float, float] | None:
        """Return the share of predictions that usually have a label, and what has one now, if that is far less."""
        fewer = self._fewer
        return (fewer.usual, fewer.hits / fewer.events) if fewer.stands else None

    def _is_unsaid(self, of_class: _Class) -> bool:
        return bool(self._labels) and of_class.labels_without * of_class.usual > NONE_LEFT * self._labels

    def _look(self, predictions: int, labelled: int, counts: Mapping[str, float]) -> None:
        # Where all of them had a label, half of one more had none: nothing is ruled out.
        covered, labels = (self._labelled + 0.5) / (self._predictions + 1), sum(counts.values())
        self._fewer.take(labelled, predictions, covered, FEWER)
        for name, each in self._classes.items():
            share, count = (each.usual + 0.5) / (self._labels + 1), counts.get(name, 0.0)
            each.labels_without = 0.0 if count else each.labels_without + labels
            # Where all labels say one class, its share among them says nothing.
            part = NEARLY_GONE / (NEARLY_GONE * share + 1 - share)
            each.among_labels.take(count, labels, share, part)
            each.of_predictions.take(labelled, predictions, covered, 1 - (1 - NEARLY_GONE) * share)

    def _learn(self, predictions: int, labelled: int, counts: Mapping[str, float], end_ms: int) -> None:
        remains = 0.5 ** ((end_ms - self._newest_ms) / HALF_LIFE_MS) if self._newest_ms else 0.0
        self._newest_ms = end_ms
        for name in sorted(counts):
            if name not in self._classes and len(self._classes) < MOST_CLASSES:
                self._classes[name] = _Class()
        self._predictions = self._predictions * remains + predictions
        self._labelled = self._labelled * remains + labelled
        self._labels = self._labels * remains + sum(counts.values())
        for name, each in self._classes.items():
            each.usual = each.usual * remains + counts.get(name, 0.0)

    def snapshot(self) -> dict[str, Any]:
        """State for a checkpoint."""
        return {
            "usual": [self._predictions, self._labelled, self._labels],
            "fewer": asdict(self._fewer),
            "classes": {name: asdict(each) for name, each in sorted(self._classes.items())},
            "newest_ms": self._newest_ms,
            "since_ms": self._since_ms,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a snapshot."""
        self._predictions, self._labelled, self._labels = state["usual"]
        self._fewer = _Decline(**state["fewer"])
        for name, each in state["classes"].items():
            declines = {of: _Decline(**each[of]) for of in ("among_labels", "of_predictions")}
            self._classes[name] = _Class(**{**each, **declines})
        self._newest_ms, self._since_ms = state["newest_ms"], state["since_ms"]
