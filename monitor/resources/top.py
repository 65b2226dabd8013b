"""The signals that drifted most."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.resources.contract import Moment, Question, Row, TimeMs, described

__all__ = ["Top", "TopSignal"]


@dataclass(frozen=True, kw_only=True)
class TopSignal(Row):
    """One signal of one version and segment; `detector` to `worst_ms` are of the window that drifted furthest."""

    table = (
        "model",
        "signal",
        "segment",
        "version",
        "strength",
        "detector",
        ("in drift", lambda row: f"{row['drift_share']:.0%} of {row['windows']}"),
        ("first", "first_drift_ms"),
        ("worst", "worst_ms"),
        ("last", "last_drift_ms"),
        ("alerts", lambda row: " ".join(row["alert_ids"])),
    )

    model: str
    signal: str
    segment: str
    version: str
    strength: float | None = described("the largest `effect / min_effect` of a window in drift")
    detector: str
    effect: float | None
    min_effect: float | None
    statistic: float | None
    p_value: float | None
    worst_ms: TimeMs = described("end of that detector's window in drift with the largest effect")
    windows: int = described("windows that this detector evaluated")
    drift_windows: int = described("those of them in drift")
    drift_share: float
    first_drift_ms: TimeMs = described("end of the first window in drift, by any detector")
    last_drift_ms: TimeMs
    detectors: list[str] = described("all that saw drift, the strongest first")
    alert_ids: list[str] = described("alerts of that time in which this signal moved")


@dataclass(frozen=True, kw_only=True)
class Top(Question):
    """The signals that drifted most, the strongest first."""

    path = "/v1/top"
    answer = TopSignal
    is_paged = False
    verb = "Show the signals that drifted most."

    model: str | None = None
    namespace: str | None = described("the models of this namespace", default=None)
    segment: str | None = described("such as `country=DE`; empty is all traffic, absent is every segment", default=None)
    version: str | None = None
    from_: Moment | None = None
    to: Moment | None = None
    limit: int = described("most signals in the answer", default=20, low=1, high=10_000)
