"""What is watched, since when, and what is blind."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from monitor.resources.contract import Column, LengthMs, Question, Row, TimeMs, described
from monitor.resources.history import Status

__all__ = [
    "SHIFT_COLUMNS",
    "STATES",
    "Judged",
    "ModelProtection",
    "Protection",
    "ProtectionState",
    "ProtectionSummary",
    "SeriesProtection",
    "SmallestShift",
    "Unit",
    "amount",
]

ProtectionState = Literal["firing", "blind", "learning", "protecting"]
STATES: tuple[ProtectionState, ...] = ("firing", "blind", "learning", "protecting")
"""What a detector can be on a series, in the order in which people should look at them."""


Unit = Literal["value", "sd", "factor", "share", "events"]
Judged = Literal["levels", "changes", "standing", "too_few", "unresolved"]


NEAR = 0.1
"""Part of a value: an end of a shift that differs by less needs more digits to be told from what is usual."""


def amount(value: float, unit: Unit) -> str:
    """Write a value of a contrast.

    Examples
    --------
    >>> amount(0.0213, "share"), amount(1.25, "factor"), amount(1234.5, "events")
    ('2.13 %', '×1.25', '1,234')
    """
    if unit == "share":
        return f"{100 * value:.3g} %"
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"×{text}" if unit == "factor" else f"{text} sd" if unit == "sd" else text


def _within(span: str) -> Callable[[Mapping[str, Any]], str]:
    """Return what writes the smallest shift that is found within a span of time."""

    def write(row: Mapping[str, Any]) -> str:
        if row[f"{span}_shift"] is None:
            return "none"
        ends = {"below": row[f"{span}_low"], "above": row[f"{span}_high"]}
        parts = [f"{side} {_end(value, row)}" for side, value in ends.items() if value is not None]
        size = f" ({row[f'{span}_shift']:.2g} sd)" if row["unit"] == "value" else ""
        return f"{' or '.join(parts)}{size}"

    return write


def _end(value: float, row: Mapping[str, Any]) -> str:
    """Write an end of a shift, with two digits of what it is from the usual where that is small."""
    gap = 0.0 if row["usual"] is None else abs(value - row["usual"])
    if row["unit"] != "value" or not 0 < gap < NEAR * abs(value):
        return amount(value, row["unit"])
    return f"{value:,.{max(1 - math.floor(math.log10(gap)), 0)}f}"


def _usual(row: Mapping[str, Any]) -> str:
    """Write what is usual, and in which steps it is known."""
    if row["usual"] is None:
        return ""
    step = row.get("step")
    return amount(row["usual"], row["unit"]) + (f" (in steps of {amount(step, 'value')})" if step else "")


SHIFT_COLUMNS: tuple[Column, ...] = (
    "contrast",
    ("usual", _usual),
    ("found in one window", _within("window")),
    ("in a day", _within("day")),
    ("in a week", _within("week")),
)
"""What people see of a smallest shift."""


@dataclass(frozen=True, kw_only=True)
class SmallestShift(Row):
    """The smallest lasting shift of one contrast that alarms nine times in ten, if it begins within a day."""

    table = ("segment", "version", *SHIFT_COLUMNS, ("judged by", "judged"))

    segment: str
    version: str
    contrast: str
    unit: Unit = described("of `usual`, and of all that is low or high; a factor is one on the reference's spread")
    usual: float | None = described("what is expected, on average over the day; null of `too_few`")
    step: float | None = described(
        "of a typical value: how far apart values are told, where that is wider than they spread, so that a shift of "
        "less may not be seen; else null"
    )
    window_shift: float | None = described(
        "what one window shows, in standard deviations of a value, its logarithm, or 2 asin √share; null: no shift does"
    )
    window_low: float | None = described("below which that is; null where even nothing at all is too little")
    window_high: float | None = described("above which that is; null where nothing can be that large")
    day_shift: float | None = described("what shows within a day")
    day_low: float | None
    day_high: float | None
    week_shift: float | None = described("what shows within a week")
    week_low: float | None
    week_high: float | None
    judged: Judged = described(
        "`changes`: its level wanders, or is hardly known yet, so that a shift must show soon after its onset or over "
        "days; `standing`: an alert holds, and what moves on from the new level alarms; `too_few`: nothing can alarm, "
        "since no window had the 10 values (20 at most) of a spread yet, or all of them the 200 without which there is "
        "no typical value, unless there is a data set; `unresolved`: a spread that cannot alarm, since values lie at "
        "an end of their reference or beyond, until it has another reference or the level is accepted, or one that may "
        "change unseen, since values are told apart in steps wider than they spread (`step`); else `levels`"
    )


def _because(row: Mapping[str, Any]) -> str:
    return "; ".join(_reasons(row))


def _reasons(row: Mapping[str, Any]) -> Iterator[str]:
    if row["stands"]:
        since = "" if row["stands_since_ms"] is None else f" since {_minute(row['stands_since_ms'])}"
        yield f"its alarm stands{since}, and the evidence is of more"
    if text := row["reason"] or row["detail"]:
        yield text
    if row["learns_until_ms"] is not None:
        yield f"may alarm from {_minute(row['learns_until_ms'])} on"
    if row["idle"]:
        yield f"decided without {row['idle']}"


def _minute(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"


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
        ("because", _because),
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
    learns_until_ms: TimeMs | None = described(
        "end of the first window that may alarm, if windows go on coming; of the detector `change` while it learns, "
        "with the configuration"
    )
    reason: str = described("why it is blind")
    window_end_ms: TimeMs | None = described("end of its newest window; null if there never was one")
    age_ms: LengthMs | None = described("how much newer the model's newest window is")
    status: Status | None = described("of its newest window")
    stands: bool = described(
        "of the detector `change`, of what fires: whether that is an alarm which an earlier window raised and which is "
        "not over; `evidence` is then of what moves on from there"
    )
    stands_since_ms: TimeMs | None = described(
        "start of the first window that alarmed; null of what does not stand, and where no alert says so"
    )
    evidence: float | None = described(
        "`surprise` of that window: what is compared with the threshold; while an alarm `stands`, that it moved on"
    )
    threshold: float | None
    windows: int = described("windows that were judged")
    drift_windows: int = described("those of them in drift")
    detail: str = described("what was said of the newest window")
    idle: str = described("partitions that it was decided without, as they were silent, or that lost messages of it")
    detectable: list[SmallestShift] = described(
        "of the detector `change`, if the question names a signal: the smallest shift of each contrast that can be "
        "found; empty until a day is known"
    )


@dataclass(frozen=True, kw_only=True)
class BegunVersion(Row):
    """A version of a model, and since when there are events of it."""

    table = ("version", ("since", "first_ms"))

    version: str
    first_ms: TimeMs = described("event time of its first events")


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
        ("marked false", "marked_false"),
        ("false alarms accepted", "accepted"),
        ("alerts / accepted", "alerts_per_accepted"),
    )

    model: str
    firing: int = described("detectors on series that are `firing`")
    blind: int
    learning: int
    protecting: int
    protects_since_ms: TimeMs | None = described("end of the first window that any of them judged")
    window_end_ms: TimeMs | None = described(
        "end of the newest window: of events, or, where there is none of them, of hours that labels judge"
    )
    days: float = described("from the start of the first window that was judged to the end of the newest window")
    alerts: int = described("alerts that fired in these days, false or not")
    marked_false: int = described("those of them whose newest mark says so, of `leeway mark`")
    false_alarms: float | None = described("accepted in `per_ms`; null without the configuration")
    per_ms: LengthMs | None
    accepted: float | None = described("false alarms accepted in these days")
    alerts_per_accepted: float | None = described("`alerts / accepted`; null where nothing is known of either")
    metrics: list[str] = described("that its labels are to give; empty where none are expected")
    versions: list[BegunVersion] = described("if the question names a model: the 50 that came last, the oldest first")


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
