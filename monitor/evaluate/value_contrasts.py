"""Which contrasts the values of a signal have."""

from __future__ import annotations

from detectors.sketch import CategoryLayout, NumericLayout
from monitor.evaluate.answers import Answers
from monitor.evaluate.category_contrasts import CategoryContrasts
from monitor.evaluate.newer_values import NewerNames, NewerValues
from monitor.evaluate.number_contrasts import AnswerContrasts, NumberContrasts
from monitor.evaluate.referred_contrasts import ReferredContrasts
from monitor.watch import Summary

__all__ = ["referred_contrasts"]


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
