"""What is watched, since when, and what is blind."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Literal

from monitor.resources.contract import LengthMs, Question, Row, TimeMs, described
from monitor.resources.history import Status

__all__ = [
    "STATES",
    "ModelProtection",
    "Protection",
    "ProtectionState",
    "ProtectionSummary",
    "SeriesProtection",
]

ProtectionState = Literal["firing", "blind", "learning", "protecting"]
STATES: tuple[ProtectionState, ...] = ("firing", "blind", "learning", "protecting")
"""What a detector can be on a series, in the order in which people should look at them."""


@dataclass(frozen=True, kw_only=True)
class SeriesProtection(Row):
    """One detector that decides about one series: how it is, and since when it can alarm."""

    table = (
        "state",
        "model",
        "signal",
        "segment",
        "version",
        "detector",
        ("protects since", "protects_since_ms"),
        ("blind since", "blind_since_ms"),
        "evidence",
        "threshold",
        ("in drift", lambda row: f"{row['drift_windows']} of {row['windows']}"),
        ("newest window", "window_end_ms"),
        ("because", lambda row: row["reason"] or row["detail"]),
    )

    state: ProtectionState = described(
        "`blind`: its newest window is missing or could not be judged; `firing`, `learning`, `protecting`: that window "
        "is in drift, is only learned from, or was judged"
    )
    model: str
    signal: str
    segment: str
    version: str
    detector: str
    protects_since_ms: TimeMs | None = described("end of the first window that was judged; null while there is none")
    blind_since_ms: TimeMs | None = described("end of the last window that was judged, if it is blind now")
    reason: str = described("why it is blind")
    window_end_ms: TimeMs | None = described("end of its newest window; null if there never was one")
    age_ms: LengthMs | None = described("how much newer the model's newest window is")
    status: Status | None = described("of its newest window")
    evidence: float | None = described("`surprise` of that window: what is compared with the threshold")
    threshold: float | None
    windows: int = described("windows that were judged")
    drift_windows: int = described("those of them in drift")
    detail: str = described("what was said of the newest window")


@dataclass(frozen=True, kw_only=True)
class ModelProtection(Row):
    """One model: what its detectors are, and its alerts beside the false alarms that its configuration accepts."""

    table = (
        "model",
        "firing",
        "blind",
        "learning",
        "protecting",
        ("protects since", "protects_since_ms"),
        ("newest window", "window_end_ms"),
        ("days", lambda row: f"{row['days']:.1f}"),
        "alerts",
        ("false alarms accepted", "accepted"),
        ("alerts / accepted", "alerts_per_accepted"),
    )

    model: str
    firing: int = described("detectors on series that are `firing`")
    blind: int
    learning: int
    protecting: int
    protects_since_ms: TimeMs | None = described("end of the first window that any of them judged")
    window_end_ms: TimeMs | None = described("end of the newest window")
    days: float = described("from the start of the first window that was judged to the end of the newest window")
    alerts: int = described("alerts that fired in these days, false or not")
    false_alarms: float | None = described("accepted in `per_ms`; null without the configuration")
    per_ms: LengthMs | None
    accepted: float | None = described("false alarms accepted in these days")
    alerts_per_accepted: float | None = described("`alerts / accepted`; null where nothing is known of either")


@dataclass(frozen=True)
class Protection(Question):
    """What is watched, since when, and what is blind: a row for each series and detector that decides.

    What fires comes first, then what is blind (the latest first), what still learns, and what protects.
    """

    path = "/v1/series"
    answer = SeriesProtection
    is_paged = False
    verb = "Show what is watched, since when, and what is blind."

    model: str | None = None
    signal: str | None = None
    _: KW_ONLY
    namespace: str | None = described("the models of this namespace", default=None)
    state: ProtectionState | None = described("only what is in this state", default=None)
    limit: int = described("most rows in the answer", default=10_000, low=1, high=100_000)


@dataclass(frozen=True, kw_only=True)
class ProtectionSummary(Question):
    """How many detectors protect each model, and its alerts beside the false alarms that are accepted."""

    path = "/v1/series/summary"
    answer = ModelProtection
    is_paged = False

    model: str | None = None
    namespace: str | None = described("the models of this namespace", default=None)
