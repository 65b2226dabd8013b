"""What the alarm rule has to keep to and to find, and in which cells it does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bench.calibration.false_alarms import BUDGETS, Counted, interval, pooled
from bench.calibration.power import Found

__all__ = ["BUDGET_GOALS", "POWER_GOALS", "BudgetGoal", "PowerGoal", "goal_lines"]

ENOUGH = 0.9
"""The share of trials in which something is to be found."""


@dataclass(frozen=True)
class BudgetGoal:
    """A goal for false alarms.

    Attributes
    ----------
    meaning : str
    concerns, is_met : callable
        Whether it is about a cell, and whether that meets it.
    over_all : bool
        It is about the sums over streams.
    """

    meaning: str
    concerns: Callable[[Counted], bool]
    is_met: Callable[[Counted], bool]
    over_all: bool = False


@dataclass(frozen=True)
class PowerGoal:
    """A goal for what is found.

    Attributes
    ----------
    meaning : str
    concerns, is_met : callable
        Whether it is about a cell, and whether that meets it.
    """

    meaning: str
    concerns: Callable[[Found], bool]
    is_met: Callable[[Found], bool]


def _is(stream: str = "", window: str = "", injection: str = "", hour: int = 10) -> Callable[[Found], bool]:
    """About cells of the streams, windows and injections that are named, separated by spaces; all without a name."""

    def concerns(found: Found) -> bool:
        return (
            found.hour == hour
            and (not stream or found.stream in stream.split())
            and (not window or found.window in window.split())
            and (not injection or found.injection in injection.split())
        )

    return concerns


def _within_days(days: float, share: float = ENOUGH) -> Callable[[Found], bool]:
    return lambda found: found.within_days(days) >= share


def _within_windows(windows: int) -> Callable[[Found], bool]:
    return lambda found: found.within(windows) >= ENOUGH


def _oracle_finds(found: Found) -> bool:
    return found.stream in ("iid", "season") and found.oracle_within(1) >= ENOUGH and "skew" not in found.injection


def _ramp_is_slow(found: Found) -> bool:
    """Where levels wander as far as the ramp goes in a week."""
    return (found.stream, found.window) == ("ar09", "1d")


BUDGET_GOALS = (
    BudgetGoal(
        "the upper bound is at most 2, 1 per 7d",
        lambda cell: cell.budget == BUDGETS[0],
        lambda cell: interval(cell.later)[1] <= 2 * cell.accepted_later,
    ),
    BudgetGoal(
        "the upper bound is at most 2 over all streams, 1 per 30d",
        lambda cell: cell.budget == BUDGETS[1],
        lambda cell: interval(cell.later)[1] <= 2 * cell.accepted_later,
        over_all=True,
    ),
    BudgetGoal(
        "the lower bound is at most 1: not certainly over the budget",
        lambda cell: True,
        lambda cell: interval(cell.later)[0] <= cell.accepted_later,
    ),
)

POWER_GOALS = (
    PowerGoal(
        "`iid`, `season`: what the chart that is told all finds in a window, within 2",
        _oracle_finds,
        _within_windows(2),
    ),
    PowerGoal("`ar09`, 1h: 0.5 sd within 7 days", _is("ar09", "1h", "mean0.5"), _within_days(7)),
    PowerGoal("`ar09`, 1h: 0.25 sd within 14 days in half", _is("ar09", "1h", "mean0.25"), _within_days(14, 0.5)),
    PowerGoal("`ar09`, 1h: a blip at once", _is("ar09", "1h", "blip1"), _within_windows(1)),
    PowerGoal(
        "`daylevels`, inside a day: within 2 windows",
        _is("daylevels", "5m 1h", "mean0.25 mean0.5 mean1"),
        _within_windows(2),
    ),
    PowerGoal(
        "`daylevels`, from midnight on: 0.5 sd within 7 days", _is("daylevels", "", "mean0.5", 0), _within_days(7)
    ),
    PowerGoal(
        "a ramp to 1 sd within 3 days of 0.5 sd",
        lambda found: _is("", "", "ramp1")(found) and not _ramp_is_slow(found),
        _within_days(10),
    ),
    PowerGoal(
        "a ramp to 2 sd within 3 days of 0.5 sd",
        lambda found: _is("", "", "ramp2")(found) and not _ramp_is_slow(found),
        _within_days(6.5),
    ),
    PowerGoal("`ar09`, 1d: a ramp within 3 days of 1 sd", _is("ar09", "1d", "ramp1"), _within_days(17)),
    PowerGoal("a tenth that moves by 1 sd within 7 days", _is("", "5m 1h", "segment1"), _within_days(7)),
    PowerGoal(
        "an outage, every time",
        lambda found: found.recurrences > 0,
        lambda found: found.recurrences_found == found.recurrences,
    ),
    PowerGoal("skew of 1 sd within 4 days", _is("", "", "skew1"), _within_days(4)),
    PowerGoal("skew of 0.5 sd within 10 days", _is("", "", "skew0.5"), _within_days(10)),
)


def goal_lines(counted: Sequence[Counted], found: Sequence[Found]) -> Iterator[str]:
    """Yield a table of the goals: of how many cells each is, in how many it is met, and where it is not."""
    yield "### Goals"
    yield ""
    yield "| goal | cells | met | missed in |"
    yield "|---|---|---|---|"
    sums = list(pooled(counted))
    for goal in BUDGET_GOALS:
        cells = [cell for cell in (sums if goal.over_all else counted) if goal.concerns(cell)]
        missed = [f"{_name(cell)}, {cell.budget}" for cell in cells if not goal.is_met(cell)]
        yield from _line(goal.meaning, len(cells), missed)
    for aim in POWER_GOALS:
        concerned = [cell for cell in found if aim.concerns(cell)]
        missed = [f"{cell.window} {cell.course} {cell.injection}" for cell in concerned if not aim.is_met(cell)]
        yield from _line(aim.meaning, len(concerned), missed)


def _line(meaning: str, cells: int, missed: Sequence[str]) -> Iterator[str]:
    if cells:
        yield f"| {meaning} | {cells} | {cells - len(missed)} | {'; '.join(missed)} |"


def _name(cell: Counted) -> str:
    return f"{cell.window} {cell.stream}, {cell.features} features"
