"""How strongly every signal of a model has moved, cell by cell of time."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

from monitor.resources.contract import LengthMs, Moment, Question, Row, TimeMs, described

__all__ = ["CELLS", "MOST_STRENGTH", "HeatRow", "Heatmap"]

CELLS = 168
"""The hours of a week."""

MOST_STRENGTH = 1e6
"""More is as much: a drift of a detector whose ``min_effect`` is 0 is infinitely strong, which JSON cannot say."""


@dataclass(frozen=True, kw_only=True)
class HeatRow(Row):
    """A signal. The windows of a cell end in `(start, start + cell_ms]`."""

    signal: str
    first_cell_ms: TimeMs = described("when the first cell starts")
    cell_ms: LengthMs = described("length of a cell")
    strength: float | None = described("the largest of `strengths`")
    windows: int = described("verdicts of all detectors, segments and versions that were asked for")
    drift_windows: int = described("those of them in drift")
    strengths: list[float | None] = described(
        "of each cell the largest of any detector, to four digits: of windows in drift `effect / min_effect`, 1 at "
        "least and 1,000,000 at most; of others how near they were, the smaller of that and `surprise / "
        "surprise_limit`, since an alarm needs both; null where none was judged"
    )
    drift_cells: list[int] = described("which cells, counted from 0, have a window in drift")


@dataclass(frozen=True)
class Heatmap(Question):
    """How strongly every signal of a model has moved, cell by cell of time; the strongest first."""

    path = "/v1/heatmap"
    answer = HeatRow
    is_paged = False

    model: str
    _: KW_ONLY
    segment: str | None = described("such as `country=DE`; empty is all traffic, absent is every segment", default=None)
    version: str | None = None
    from_: Moment | None = None
    to: Moment | None = None
    cells: int = described(
        "most cells of a signal; they are as long as `step=auto` of the history makes them",
        default=CELLS,
        low=1,
        high=2_000,
    )
    limit: int = described("most signals in the answer", default=500, low=1, high=10_000)
