"""What must hold between the signals of a window before the life of an alert goes on: from verdicts to verdicts.

A condition over several signals ("the mean moves and the volume does not", "at least three features drift") is a
function in this file and a line in :data:`CONDITIONS`. It gets the verdicts of one window of one model and returns
those from which alerts are made, in place of them: one that it leaves out is as quiet as a series without a verdict.

A condition is pure: it reads no clock, file or store, keeps nothing between windows, changes no verdict in place, and
returns the same verdicts whatever the order of those that it gets. How long something must hold is not its business:
that is `for` in the configuration, which :mod:`monitor.alerts.lifecycle` counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from monitor.alerts.verdict import Verdict

__all__ = ["CONDITIONS", "Condition", "each_signal_alone", "meet"]

Condition = Callable[[Sequence[Verdict]], Sequence[Verdict]]
"""Takes the verdicts of one window: all that say drift, and those of any status of the series of live alerts."""


def each_signal_alone(verdicts: Sequence[Verdict]) -> Sequence[Verdict]:
    """Let every signal alarm by itself, whatever the others do."""
    return verdicts


CONDITIONS: tuple[Condition, ...] = (each_signal_alone,)
"""Every condition, in the order in which they are asked; each gets what the one before it returned."""


def meet(verdicts: Sequence[Verdict], conditions: Sequence[Condition] = CONDITIONS) -> Sequence[Verdict]:
    """Return the verdicts of one window from which alerts are made."""
    for condition in conditions:
        verdicts = condition(verdicts)
    return verdicts
