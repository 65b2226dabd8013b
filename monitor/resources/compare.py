"""Two parts of a model's events, signal by signal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass

from monitor.resources.contract import Moment, Question, Row, TimeMs, described
from monitor.resources.distributions import Cells, DistanceValue, SignalKind

__all__ = ["Compare", "ComparedPart", "SignalDifference"]


@dataclass(frozen=True, kw_only=True)
class ComparedPart(Row):
    """One side: some of the model's events."""

    from_ms: TimeMs
    to_ms: TimeMs
    version: str | None = described("null is all versions together")
    segment: str


@dataclass(frozen=True, kw_only=True)
class SignalDifference(Row):
    """One signal on both sides; `detector` to `min_effect` are those of the strongest distance."""

    table = (
        "signal",
        "strength",
        "detector",
        "effect",
        ("p-value", "p_value"),
        "n",
        "baseline_n",
        ("missing", "missing_rate"),
        ("baseline missing", "baseline_missing_rate"),
    )

    signal: str
    kind: SignalKind
    n: int = described("values of the current side")
    baseline_n: int
    missing_rate: float | None
    baseline_missing_rate: float | None
    invalid_rate: float | None
    baseline_invalid_rate: float | None
    strength: float = described("the largest `effect / min_effect`: from 1 on, the difference matters")
    detector: str | None = described("null where no distance is defined")
    statistic: float | None
    p_value: float | None
    effect: float | None
    min_effect: float | None
    distances: list[DistanceValue] = described("all that apply, the strongest first")
    cells: Cells | None = described("with `cells=true`", default=None, nested=True)


@dataclass(frozen=True)
class Compare(Question):
    """Two spans, versions or segments of a model, signal by signal: those that differ most first.

    The baseline is as the first side where nothing else is stated.
    """

    path = "/v1/compare"
    answer = SignalDifference
    is_paged = False
    verb = "Compare two spans, versions or segments of a model."

    model: str
    _: KW_ONLY
    from_: Moment
    to: Moment
    signals: Sequence[str] | None = described("only these; may be repeated", default=None, wire="signal")
    version: str | None = described("absent is all versions together", default=None)
    segment: str = described("empty is all traffic", default="")
    against_from: Moment | None = described("start of the baseline, `from` if absent", default=None)
    against_to: Moment | None = described("end of the baseline, `to` if absent", default=None)
    against_version: str | None = described("`version` if absent", default=None)
    against_segment: str | None = described("`segment` if absent", default=None)
    cells: bool = described("the aligned histograms too", default=False)
    limit: int = described("most signals in the answer", default=1_000, low=1, high=10_000)
