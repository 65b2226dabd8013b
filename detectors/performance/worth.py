"""What predictions were worth."""

from __future__ import annotations

from detectors.performance.means import mean_of
from detectors.performance.metric import Estimate, Question, nothing
from detectors.performance.sums import Quantity, Sums

__all__ = ["value_per_event", "value_total"]

WITHOUT = "of no event it is known what it was worth"


def value_per_event(sums: Sums, question: Question) -> Estimate:
    """The mean of what events were worth; the normal interval."""
    weight = sums.weight(Quantity.VALUE_WEIGHT)
    return mean_of(sums, Quantity.VALUE, Quantity.VALUE_2, weight) if weight else nothing(WITHOUT)


def value_total(sums: Sums, question: Question) -> Estimate:
    """What the events that have a label were worth together, by their weights; the interval is that of the mean."""
    mean, weight = value_per_event(sums, question), sums.weight(Quantity.VALUE_WEIGHT)
    return Estimate(mean.value * weight, mean.low * weight, mean.high * weight, reason=mean.reason)
