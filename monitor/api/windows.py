"""Why a window of a signal alarmed, or did not: what is stored of it, put together."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response

from detectors.change import legend
from monitor.alerts.alert_log import ALARM_TABLES
from monitor.api.choices import listed_names
from monitor.api.contract import ApiService
from monitor.api.detectable import SERIES, newest_days
from monitor.api.incidents import Book
from monitor.api.parameters import TheService, answer, check_model, question_of
from monitor.api.problems import ProblemError, bad_parameter
from monitor.api.reading import Row, read_all
from monitor.api.standing_alerts import standing_alerts
from monitor.api.times import parse_time
from monitor.api.window_contrasts import CHANGE, contrast_row, measured_along, outcome_of
from monitor.api.window_words import words
from monitor.errors import InputError, nearest_hint
from monitor.evaluate.calendar import Calendar
from monitor.evaluate.expectations import ExpectedDay
from monitor.evaluate.expected_windows import NEAR_MS, alarms_over, contrasts_along
from monitor.evaluate.mark_log import read_marks
from monitor.evaluate.muting import is_muted, mutings
from monitor.events import SeriesKey
from monitor.resources.history import Score
from monitor.resources.windows import ExplainedWindow, ExplainWindow, Outcome
from monitor.values import DAY_MS
from sinks.receivers.times import utc
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["models"])

LONGEST_MS = 366 * DAY_MS
"""A window that is longer is not looked for."""

EVENTS = ("n", "missing", "invalid")
"""Columns of panes that make up the number of events."""

OF_SIGNAL = ("contrast", "failure", "answer", "answer_before", "answer_after", "reason")
"""What an alert says of the signal whose window is explained."""

SCORE = tuple(each.name for each in fields(Score))


@dataclass(frozen=True)
class _Window:
    """A window with the rows of ``scores`` that it has.

    Attributes
    ----------
    model, signal, segment, version : str
    start_ms, end_ms : int
    scores : list of dict
    other_versions : sequence of str
        Of the same window, where none was asked for.
    """

    model: str
    signal: str
    segment: str
    version: str
    start_ms: int
    end_ms: int
    scores: Sequence[Row]
    other_versions: Sequence[str] = ()

    @property
    def series(self) -> SeriesKey:
        """Its version, segment and signal."""
        return self.version, self.segment, self.signal

    @property
    def change(self) -> Row | None:
        """What the detector `change` said; None under another rule."""
        return next((row for row in self.scores if row["detector"] == CHANGE), None)

    @property
    def outcome(self) -> Outcome:
        """What became of it."""
        if self.change is not None:
            return outcome_of(self.change)
        outcomes = {outcome_of(row) for row in self.scores}
        order: tuple[Outcome, ...] = ("alarmed", "quiet", "learning", "not_judged")
        return next(outcome for outcome in order if outcome in outcomes)


@router.get("/explain", summary="Why a window alarmed, or did not", response_model=ExplainedWindow)
def explain_window(
    service: TheService, question: Annotated[ExplainWindow, Depends(question_of(ExplainWindow))]
) -> Response:
    check_model(service, question.model)
    window = _window(service, question)
    change = window.change
    day = None if change is None or window.outcome == "learning" else _day(service, window)
    # From the first one of its day on, if it is known what was expected then.
    step_ms = window.end_ms - window.start_ms if day is None else day.window_ms
    first_ms = window.end_ms if day is None else day.from_ms + step_ms
    ends_ms = range(first_ms, window.end_ms + 1, step_ms)
    over_ms = alarms_over(service.store, window.model, window.series, ends_ms)
    explained = {
        **{name: getattr(window, name) for name in SERIES},
        "other_versions": list(window.other_versions),
        "window_start_ms": window.start_ms,
        "window_end_ms": window.end_ms,
        "outcome": window.outcome,
        "n": max(row["n"] for row in window.scores),
        "late": _late(service.store, window),
        "evidence": None if change is None else change["surprise"],
        "threshold": None if change is None else change["surprise_limit"],
        "raised": 0.0 if day is None else day.raised[legend.BY_DAY if day.windows_per_day == 1 else legend.BY_WINDOW],
        "idle": next((row["idle"] for row in window.scores if row["idle"]), ""),
        "muted_because": _muted_because(service, window),
        "contrasts": [] if day is None else list(_contrasts(service, window, day, ends_ms, over_ms)),
        "alerts": list(_alerts(service, window)),
        "scores": [{name: row[name] for name in SCORE} for row in window.scores],
    }
    return answer(explained | {"words": list(words(explained, change, alarm_is_over=window.end_ms in over_ms))})


def _late(store: Store, window: _Window) -> int:
    """Return how many events of the window's time came late; of a volume those of all versions."""
    where = {"model": window.model, "signal": window.signal, "segment": window.segment}
    if window.signal != "volume":
        where["version"] = window.version
    low, high = {"pane_start_ms": window.start_ms, "late_at_ms": 1}, {"pane_start_ms": window.end_ms}
    panes = store.read(Query("panes", where, low, high, columns=EVENTS))
    return sum(int(column.sum()) for column in panes.values())


def _muted_because(service: ApiService, window: _Window) -> str:
    """Return why a drift in the window alarms nobody; empty where it would."""
    watch = service.watches.get(window.model)
    if watch is None or not watch.estimators:
        return ""
    spells = [
        spell
        for spell in mutings(read_marks(service.store, window.model))
        if is_muted(watch, [spell], window.signal, window.end_ms)
    ]
    return f"since {utc(spells[-1].muted.effective_ms)}, {spells[-1].muted.reason}" if spells else ""


# -- which window ------------------------------------------------------------------------------------------------------


def _window(service: ApiService, question: ExplainWindow) -> _Window:
    """Return the window that holds a time, or a problem that names the nearest ones."""
    at_ms = _time(service, question)
    where = {"model": question.model, "signal": question.signal, "segment": question.segment}
    if question.version is not None:
        where["version"] = question.version
    for row in _ends(service.store, where, at_ms, after=True):
        if row["window_end_ms"] - row["window_ms"] <= at_ms:
            rows = rows_of(service.store.read(Query("scores", where | {"window_end_ms": row["window_end_ms"]})))
            version = max(rows, key=lambda each: (each["n"], each["version"]))["version"]
            of_version = [each for each in rows if each["version"] == version]
            start_ms = max(each["window_end_ms"] - each["window_ms"] for each in of_version)
            series = (question.model, question.signal, question.segment, version)
            others = sorted({each["version"] for each in rows} - {version})
            return _Window(*series, start_ms, row["window_end_ms"], of_version, others)
    raise _no_window(service, question, where, at_ms)


def _time(service: ApiService, question: ExplainWindow) -> int:
    if question.at is None:
        raise bad_parameter("at", "is required here: a time in the window")
    try:
        return parse_time(str(question.at), service.clock.now_ms())
    except InputError as error:
        raise bad_parameter("at", str(error)) from error


def _ends(store: Store, where: Mapping[str, Any], at_ms: int, *, after: bool) -> list[Row]:
    """Return the window that ends next after a time, or last before it, if there is one."""
    columns = ("window_end_ms", "window_ms")
    low, high = (
        ({"window_end_ms": at_ms + 1}, {"window_end_ms": at_ms + LONGEST_MS})
        if after
        else ({}, {"window_end_ms": at_ms + 1})
    )
    order = Query("scores", where, low, high, order=("window_end_ms",), descending=not after, limit=1, columns=columns)
    return rows_of(store.read(order))


def _no_window(service: ApiService, question: ExplainWindow, where: Mapping[str, Any], at_ms: int) -> ProblemError:
    series = rows_of(service.store.read(Query("latest", {"model": question.model}, columns=(*SERIES, "detector"))))
    signals = sorted({row["signal"] for row in series})
    if question.signal not in signals:
        hint = nearest_hint(question.signal, signals)
        choices = f"known are {listed_names(signals)}" if signals else "no window was evaluated yet"
        return ProblemError("unknown-signal", f"nothing was said of a signal {question.signal!r}; {hint}{choices}")
    for name in ("segment", "version"):
        stored = sorted({row[name] for row in series if row["signal"] == question.signal})
        if getattr(question, name) not in (None, *stored):
            names = ", ".join(map(repr, stored))
            detail = f"{question.signal} has no {name} {getattr(question, name)!r}; there are {names}"
            return ProblemError("unknown-window", detail)
    sides = (
        ("before", _ends(service.store, where, at_ms, after=False)),
        ("after", _ends(service.store, where, at_ms, after=True)),
    )
    near = [
        f"the nearest {side} it is from {utc(row['window_end_ms'] - row['window_ms'])} to {utc(row['window_end_ms'])}"
        for side, rows in sides
        for row in rows
    ]
    detail = f"{question.signal} has no window that holds {utc(at_ms)}: {'; '.join(near)}"
    return ProblemError("unknown-window", detail)


# -- what was expected -------------------------------------------------------------------------------------------------


def _day(service: ApiService, window: _Window) -> ExpectedDay | None:
    """Return what was expected on the day of a window, if that is stored."""
    days = newest_days(service.store, [window.model], window.signal, window.end_ms)
    day = days.get((window.model, window.signal, window.segment, window.version))
    return None if day is None or not day.window_ms <= window.end_ms - day.from_ms <= NEAR_MS else day


def _contrasts(
    service: ApiService, window: _Window, day: ExpectedDay, ends_ms: range, over_ms: Collection[int]
) -> Iterator[Row]:
    """Yield each contrast of a window, the last of those that end at ``ends_ms``, of which something was expected."""
    watch = service.watches.get(window.model)
    if watch is None:
        return
    detect = watch.model.spec.detect
    calendar = Calendar(detect.time_zone, detect.holidays, day.window_ms)
    measured = measured_along(service.store, watch, window.series, [day] * len(ends_ms), ends_ms)
    for _, contrasts in contrasts_along(day, ends_ms, measured, calendar, window.end_ms, over_ms):
        for contrast in contrasts:
            if not math.isnan(contrast.expected):
                yield contrast_row(contrast, window.outcome)


# -- what became of it -------------------------------------------------------------------------------------------------


def _alerts(service: ApiService, window: _Window) -> Iterator[Row]:
    """Yield the alerts that held in a window, and in which the series moved, or is a part of what did."""
    standing = standing_alerts(service.store, [window.model], (window.start_ms, window.end_ms), tables=ALARM_TABLES)
    of_series = ((alert, next((each for each in alert["signals"] if _is_of(window, each)), None)) for alert in standing)
    moved = [(alert, signal) for alert, signal in of_series if signal is not None] or list(_of_others(window, standing))
    if not moved:
        return
    alert_ids = [alert["alert_id"] for alert, _ in moved]
    of_alerts, receivers = Book(service).incidents_of(alert_ids), _receivers(service.store, alert_ids)
    for alert, signal in moved:
        names = ("alert_id", "state", "severity", "starts_ms", "ends_ms", "title")
        yield {
            **{name: alert[name] for name in names},
            # Alerts of earlier versions, and of others, say less.
            **{name: signal.get(name) for name in OF_SIGNAL},
            # None of one that never fired.
            "incident_id": of_alerts[alert["alert_id"]].id if alert["alert_id"] in of_alerts else None,
            "receivers": receivers[alert["alert_id"]],
        }


def _of_others(window: _Window, standing: Iterable[Row]) -> Iterator[tuple[Row, Row]]:
    """Yield the alerts of the same signal in other segments and versions: what joined one of them was no news in it."""
    if window.outcome in ("alarmed", "stands"):
        for alert in standing:
            fired = alert["state"] in ("firing", "resolved")
            if fired and any(each.get("signal") == window.signal for each in alert["signals"]):
                yield alert, {}


def _is_of(window: _Window, signal: Mapping[str, Any]) -> bool:
    return all(signal[name] == getattr(window, name) for name in ("signal", "segment", "version") if name in signal)


def _receivers(store: Store, alert_ids: Sequence[str]) -> dict[str, list[Row]]:
    """Return the last decision about each receiver, by alert."""
    decisions = sorted(
        read_all(store, Query("decisions", where={"alert_id": alert_ids})),
        key=lambda row: (row["at_ms"], row["sequence"]),
    )
    newest = {(row["alert_id"], row["receiver"], row["route"]): row for row in decisions}
    receivers: dict[str, list[Row]] = {alert_id: [] for alert_id in alert_ids}
    for (alert_id, *_), row in sorted(newest.items()):
        receivers[alert_id].append({name: row[name] for name in ("receiver", "why", "detail")})
    return receivers
