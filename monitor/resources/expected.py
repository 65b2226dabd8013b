"""What was expected of a signal over time, and what there was."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

from monitor.resources.contract import Moment, Question, Row, TimeMs, described
from monitor.resources.windows import ExplainedContrast, Outcome

__all__ = ["Expected", "ExpectedWindow"]


@dataclass(frozen=True, kw_only=True)
class _OfWindow(Row):
    window_start_ms: TimeMs
    window_end_ms: TimeMs
    version: str
    n: int = described("events")
    outcome: Outcome = described("of all contrasts of the signal together")


@dataclass(frozen=True, kw_only=True)
class ExpectedWindow(ExplainedContrast, _OfWindow):
    """A contrast in one window: what was expected at that hour, what there was, and how much would have alarmed."""

    table = ("window_end_ms", "version", "outcome", *ExplainedContrast.table)


@dataclass(frozen=True)
class Expected(Question):
    """What was expected of a signal over time, what there was, and what would have alarmed; contrast by contrast."""

    path = "/v1/expected"
    answer = ExpectedWindow
    is_paged = False
    verb = "Show what was expected of a signal over time, and what there was."

    model: str
    signal: str
    _: KW_ONLY
    segment: str = described("empty is all traffic", default="")
    version: str | None = described("absent: of each window the one with most events", default=None)
    contrast: str | None = described("such as `typical value`; absent: all of them", default=None)
    from_: Moment | None = described("absent: a week before the end", default=None)
    to: Moment | None = None
    points: int = described(
        "most windows of a contrast; of more, each step of `step=auto` of the history is shown by the one that was "
        "furthest towards an alarm, or beyond",
        default=500,
        low=1,
        high=5_000,
    )
