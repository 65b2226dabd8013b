"""Scores of windows, one by one or in buckets of time."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Literal

from monitor.resources.contract import LengthMs, Moment, Question, Row, TimeMs, described

__all__ = ["POINTS", "SERIES", "Bucket", "History", "Score", "Status"]

Status = Literal["ok", "warning", "drift", "no_data", "learning"]
POINTS = 500
SERIES = ("signal", "segment", "version", "detector")


@dataclass(frozen=True, kw_only=True)
class Score(Row):
    """The verdict of one detector on one window of one series."""

    table = (
        ("window end", "window_end_ms"),
        *SERIES,
        "effect",
        ("min", "min_effect"),
        "surprise",
        ("limit", "surprise_limit"),
        "n",
        "status",
        ("without", "idle"),
    )

    model: str
    signal: str
    segment: str
    version: str
    detector: str
    window_end_ms: TimeMs
    window_ms: LengthMs
    statistic: float | None
    effect: float | None = described("how large the change is")
    min_effect: float | None = described("how large it must be to matter")
    p_value: float | None
    surprise: float | None = described("how far beyond the signal's usual variation")
    surprise_limit: float | None
    status: Status
    n: int = described("events in the window")
    baseline_n: int
    baseline_from_ms: TimeMs
    baseline_to_ms: TimeMs
    idle: str = described(
        "partitions that it was decided without, as they were silent, or that lost messages of it (`:lost`)"
    )
    detail: str


@dataclass(frozen=True, kw_only=True)
class Bucket(Row):
    """The windows of one series and detector that end in `(bucket_start_ms, bucket_end_ms]`."""

    table = (
        ("bucket end", "bucket_end_ms"),
        *SERIES,
        "windows",
        ("drift", "statuses.drift"),
        ("mean", "statistic_mean"),
        ("worst effect", "worst.effect"),
        ("worst at", "worst.window_end_ms"),
        ("status", "worst.status"),
    )

    model: str
    signal: str
    segment: str
    version: str
    detector: str
    bucket_start_ms: TimeMs
    bucket_end_ms: TimeMs
    windows: int
    n: int
    statuses: dict[Status, int] = described("how many windows had each status")
    statistic_min: float | None
    statistic_mean: float | None
    statistic_max: float | None
    worst: Score = described("the window with the largest effect", shared=("model", *SERIES))


@dataclass(frozen=True)
class History(Question):
    """Scores of a model's windows, oldest first.

    With ``step`` ("1h", "auto") they come in buckets of time.
    """

    path = "/v1/history"
    answer = Score
    verb = "Show the scores of a model's windows."

    model: str
    signal: str | None = None
    _: KW_ONLY
    segment: str | None = described("such as `country=DE`; empty is all traffic, absent is every segment", default=None)
    version: str | None = None
    detector: str | None = None
    from_: Moment | None = None
    to: Moment | None = None
    step: str | None = described(
        "buckets of this length, such as `1h`, with the worst window of each; `auto` chooses one for the span",
        default=None,
    )
    points: int = described(
        "with `step=auto`: most buckets of each series and detector", default=POINTS, low=1, high=100_000
    )
    limit: int | None = None

    @property
    def row(self) -> type[Row]:
        """Buckets, if there is a step."""
        return Score if self.step is None else Bucket
