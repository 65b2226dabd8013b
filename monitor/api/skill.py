"""How models compare with what costs nothing, over spans of labelled hours."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from detectors.performance import (
    Binary,
    Losses,
    Skill,
    Sums,
    Truth,
    gain_of,
    losses_of,
    losses_of_field,
    skill_of,
    worths_of,
)
from detectors.performance.naive import Answer
from detectors.performance.sums import Count
from monitor.api.labelled_hours import HELD_NUMBERS, Chosen, LabelledSpan, rows_of_hours
from monitor.api.problems import bad_parameter
from monitor.config.naive import VALUE, History, Naive
from monitor.config.performance import PerformancePlan
from sinks.store.contract import Store

__all__ = ["Compared", "Skills"]

MANY_CLASSES = "there are too many classes for a table of them"

_WRITTEN = {"brier": "a Brier score of {:.4g}", "error": "wrong in {:.1%}", "squared": "a mean squared error of {:.4g}"}
_INSTEAD = {"brier": "{:.4g}", "error": "{:.1%}", "squared": "{:.4g}"}


class Compared(NamedTuple):
    """What comparing a model with a naive answer gave."""

    naive: Naive
    skill: Skill

    @property
    def sentence(self) -> str:
        """What people read where a model is no better, or why there is no skill; empty if it is better."""
        skill, loss = self.skill, self.naive.loss
        if skill.verdict not in ("no_better", "worse"):
            return skill.reason
        compared = "worse than" if skill.verdict == "worse" else "not shown to be better than"
        if loss == VALUE:
            losses = f"worth {-skill.model:.4g} an event instead of {-skill.naive:.4g}"
        else:
            losses = f"{_WRITTEN[loss].format(skill.model)} instead of {_INSTEAD[loss].format(skill.naive)}"
        return "; ".join(filter(None, (f"{compared} {self.naive.words}: {losses}", skill.reason)))


@dataclass
class Skills:
    """Compares what is asked for with naive answers.

    Parameters
    ----------
    store : Store
    chosen : Chosen
    plan : PerformancePlan or None
        None compares nothing.
    names : iterable of str
        The skills that are asked for.

    Raises
    ------
    ProblemError, StoreError
    """

    store: Store
    chosen: Chosen
    plan: PerformancePlan | None
    names: Iterable[str]
    _trailing: dict[str, Mapping[_Key, Losses]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for naive in self._naive():
            if naive.history is not None:
                self._trailing[naive.metric] = self._losses(naive, naive.history)

    def _naive(self) -> list[Naive]:
        naive = () if self.plan is None else self.plan.naive
        return [each for each in naive if each.metric in self.names]

    def of(self, labelled: LabelledSpan) -> list[Compared]:
        """Return how the model compares in a span."""
        return [Compared(naive, self._skill(naive, labelled)) for naive in self._naive()]

    def _skill(self, naive: Naive, labelled: LabelledSpan) -> Skill:
        assert self.plan is not None
        sums = labelled.sums(self.plan.scheme.id)
        if naive.signal is not None:
            return _without_some(sums, skill_of(losses_of_field(sums), self.plan.min_labels), "it says nothing")
        if sums.count(Count.MANY_CLASSES):
            return Skill(reason=MANY_CLASSES)
        if naive.history is None:
            answer = Truth.of([sums]).answer(naive.loss) if naive.answer is None else naive.answer
            return self._compared(naive, Losses() if answer is None else self._lost(naive, sums, answer))
        key = labelled.from_ms, labelled.version, labelled.segment
        skill = self._compared(naive, self._trailing[naive.metric].get(key, Losses()))
        return _without_some(sums, skill, "there is no earlier one to answer by")

    def _losses(self, naive: Naive, history: History) -> Mapping[_Key, Losses]:
        """Of each span, what is lost in the hours that there is an answer for."""
        assert self.plan is not None
        scheme = self.plan.scheme.id
        answers = _truth(self.store, self.chosen, history, scheme)
        losses: dict[_Key, Losses] = defaultdict(Losses)
        for row in rows_of_hours(self.store, self.chosen):
            trailing = answers.get(row["segment"])
            answer = None if trailing is None else trailing.of(row["hour_ms"]).answer(naive.loss)
            if answer is None or row["scheme"] != scheme:
                continue
            sums = Sums.from_row(row)
            if sums.count(Count.MANY_CLASSES):
                continue
            key = max(self.chosen.start_of(row), self.chosen.span[0]), *self.chosen.key_of(row)
            losses[key] += self._lost(naive, sums, answer)
        return losses

    def _lost(self, naive: Naive, sums: Sums, answer: Answer) -> Losses:
        assert self.plan is not None
        scheme = self.plan.scheme
        if naive.loss == VALUE:
            return worths_of(sums, scheme, answer)
        threshold = scheme.threshold if isinstance(scheme, Binary) else 0.5
        return losses_of(sums, naive.loss, answer, threshold) or Losses()

    def _compared(self, naive: Naive, losses: Losses) -> Skill:
        assert self.plan is not None
        compared = gain_of if naive.loss == VALUE else skill_of
        return compared(losses, self.plan.min_labels)


def _without_some(sums: Sums, skill: Skill, reason: str) -> Skill:
    """Say how many labels there are that the naive answer has none for."""
    if sums.labels == skill.labels:
        return skill
    unanswered = f"of {sums.labels - skill.labels:,} labels {reason}"
    return replace(skill, reason="; ".join(each for each in (unanswered, skill.reason) if each))


_Key = tuple[int, str | None, str]
"""Start, version and segment of a span."""


class _Trailing:
    """What was true of the hours before some hour; hours are asked for in the order of time."""

    def __init__(self, history: History, by_hour: Mapping[int, Truth]) -> None:
        self._history, self._by_hour = history, by_hour
        self._hours = sorted(by_hour)
        self._first = self._end = 0
        self._total = Truth()

    def of(self, hour_ms: int) -> Truth:
        """Return what is known when an hour begins."""
        while self._end < len(self._hours) and self._hours[self._end] <= hour_ms - self._history.last_ms:
            self._total += self._by_hour[self._hours[self._end]]
            self._end += 1
        while self._first < self._end and self._hours[self._first] < hour_ms - self._history.first_ms:
            self._total -= self._by_hour[self._hours[self._first]]
            self._first += 1
        return self._total


def _truth(store: Store, chosen: Chosen, history: History, scheme: str) -> dict[str, _Trailing]:
    """By segment, what was known of hours at an age: of all versions, since what is true is of none of them."""
    where = {name: chosen.where[name] for name in ("model", "segment") if name in chosen.where}
    span = chosen.span[0] - history.first_ms, chosen.span[1] - history.last_ms
    earlier = replace(chosen, span=span, where={**where, "age_ms": history.age_ms})
    by_segment: dict[str, dict[int, Truth]] = defaultdict(dict)
    numbers = 0
    for row in rows_of_hours(store, earlier):
        if row["scheme"] != scheme:
            continue
        of_segment, truth = by_segment[row["segment"]], Truth.of([Sums.from_row(row)])
        of_segment[row["hour_ms"]] = of_segment.get(row["hour_ms"], Truth()) + truth
        numbers += 2 + len(truth.classes)
        if numbers > HELD_NUMBERS:
            raise bad_parameter("from", "the classes of all earlier hours are too many to be held: take a shorter span")
    return {segment: _Trailing(history, by_hour) for segment, by_hour in by_segment.items()}
