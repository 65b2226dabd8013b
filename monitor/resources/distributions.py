"""How a signal is distributed in one span of time, or in two side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from monitor.resources.contract import Moment, Question, Row, TimeMs, described

__all__ = ["Cells", "DistanceValue", "Distribution", "Distributions", "Side", "SignalKind"]

SignalKind = Literal["numeric", "category", "vector"]


@dataclass(frozen=True, kw_only=True)
class Side(Row):
    """How many events one span holds, and what was wrong with them."""

    from_ms: TimeMs
    to_ms: TimeMs
    n: int = described("values")
    missing: int
    invalid: int
    out_of_range: int
    mean: float | None = described("numeric signals", default=None)
    min: float | None = None
    max: float | None = None


@dataclass(frozen=True, kw_only=True)
class Cells(Row):
    """Counts by cell: numeric cells `[low, high)` with null for an open end, or names, null being all others.

    A vector has none.
    """

    low: list[float | None] | None = None
    high: list[float | None] | None = None
    names: list[str | None] | None = None
    current: list[int]
    baseline: list[int] | None = described("with `against_from` and `against_to`", default=None)


@dataclass(frozen=True, kw_only=True)
class DistanceValue(Row):
    """One distance from the baseline to the current span."""

    detector: str
    statistic: float | None
    p_value: float | None = described("as if observations were independent")
    effect: float | None = described("how large the change is")
    min_effect: float = described("how large it must be to matter: the model's own, or the detector's default")


@dataclass(frozen=True, kw_only=True)
class Distribution(Row):
    """One span, or two whose cells are aligned."""

    model: str
    signal: str
    segment: str
    version: str | None
    kind: SignalKind
    current: Side
    baseline: Side | None
    cells: Cells
    distances: list[DistanceValue] = described("the strongest first")


@dataclass(frozen=True, kw_only=True)
class Distributions(Question):
    """A signal's distribution, against another span."""

    path = "/v1/distributions"
    answer = Distribution

    model: str
    signal: str
    segment: str = described("empty is all traffic", default="")
    version: str | None = described("absent is all versions together", default=None)
    from_: Moment
    to: Moment
    against_from: Moment | None = described("start of the other span", default=None)
    against_to: Moment | None = described("end of the other span", default=None)
