"""Marks: a level is the new normal; an alert was false, harmless or real."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Response
from pydantic import Field

from monitor.alerts.alert_log import ALARM_TABLES
from monitor.api.auditor import about
from monitor.api.choices import listed_names
from monitor.api.contract import ApiService
from monitor.api.forms import InPages, listed, lists
from monitor.api.parameters import TheService, answer, check_model, question_of, span_of, watched
from monitor.api.people import Author, Comment
from monitor.api.problems import ProblemError, bad_parameter
from monitor.api.reading import Order, Page, Row
from monitor.api.standing_alerts import standing_alerts
from monitor.api.tables import schema
from monitor.api.times import PostedTime, parse_time
from monitor.config.performance import is_judged
from monitor.errors import InputError
from monitor.evaluate.mark_log import Mark, is_taken_back, log_mark, read_marks
from monitor.resources.marks import KnownMark, Marks
from monitor.values import Strict
from monitor.watch import Watch
from sinks.store.contract import Query

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["alerts"])

LATEST_FIRST = Order("marks", (int, str), lambda mark: (mark.updated_ms, mark.id))


class PostedMark(Strict):
    """What somebody says of a signal."""

    model: str
    signal: str
    segment: str = Field(default="", description="all of the traffic if empty")
    version: str = Field(default="", description="every version that there is if empty")
    says: Literal["accepted", "false", "harmless", "real"] = Field(
        description="`accepted`: its level is the new normal; `false`, `harmless`, `real`: what its alert was"
    )
    at: PostedTime | None = Field(
        default=None,
        description="ISO 8601, ms since the epoch, or `-5m`: from when on the level is normal, by default since its "
        "alert began, or the first one where it comes each day; or a time at which the alert fired, by default that of "
        "its newest one",
    )
    reason: Comment = ""
    created_by: Author


@router.post("/marks", summary="Say that a level is the new normal, or what an alert was", response_model=KnownMark)
def post_mark(posted: PostedMark, service: TheService) -> Response:
    _check_series(service, watched(service, posted.model), posted)
    if posted.says == "accepted" and not posted.reason:
        raise bad_parameter("reason", "say why this level is the new normal: others will ask")
    at_ms = _at_ms(service, posted)
    chosen = posted.model_dump(include={"model", "signal", "segment", "version", "says", "created_by", "reason"})
    if posted.says == "accepted" and at_ms is not None:
        mark = Mark(from_ms=at_ms, to_ms=0, updated_ms=0, **chosen)
    elif (alert := _alert_of(service, posted, at_ms)) is None:
        if posted.says == "accepted":
            problem = f"{posted.signal} has no alert that has not ended; say from when on its level is normal"
        else:
            problem = f"{posted.signal} has no alert at that time; say another time"
        raise bad_parameter("at", problem)
    else:
        to_ms = 0 if posted.says == "accepted" else alert["ends_ms"] or 0
        span = {"from_ms": alert["since_ms"], "to_ms": to_ms, "alert_id": alert["alert_id"]}
        mark = Mark(updated_ms=0, **span, **chosen)
    about(mark.model, mark.signal, mark.segment, mark.says)
    older = read_marks(service.store, mark.model) if mark.says == "real" else ()
    return answer(_row(log_mark(service.store, service.clock, mark), older))


@lists(router, Marks)
def marks(service: TheService, form: InPages, question: Annotated[Marks, Depends(question_of(Marks))]) -> Response:
    check_model(service, question.model)
    from_ms, to_ms = span_of(service, question)
    types = schema(KnownMark)
    known_marks = read_marks(service.store, question.model)
    matching = [
        mark
        for mark in known_marks
        if question.signal in (None, mark.signal)
        and question.says in (None, mark.says)
        and (from_ms is None or mark.from_ms >= from_ms)
        and (to_ms is None or mark.from_ms < to_ms)
    ]

    def read(limit: int, cursor: str | None) -> Page:
        page, following = LATEST_FIRST.page(matching, limit, cursor)
        return Page.of([_row(mark, known_marks) for mark in page], types.names, following)

    return listed(form, read, types, {"from_ms": from_ms, "to_ms": to_ms})


def _check_series(service: ApiService, watch: Watch, posted: PostedMark) -> None:
    """Raise a problem that says what there is, unless there is such a series with a normal of its own."""
    if watch.model.spec.detect.rule != "change" and not is_judged(posted.signal):
        raise bad_parameter("model", f"{watch.name} has no normal levels: they come with `detect.rule: change`")
    signals = [s for s in dict.fromkeys(("volume", *watch.layouts, *watch.vectors)) if watch.has_normal_levels(s)]
    signals += watch.judged_signals
    if posted.signal not in signals:
        raise ProblemError(
            "unknown-signal", f"{watch.name} has no signal {posted.signal!r}, but {listed_names(signals)}"
        )
    segments = sorted(name for segmentation in watch.segmentations for name in segmentation.names.values())
    if posted.segment and posted.segment not in segments:
        choices = f"known are {listed_names(segments)}" if segments else "it has none"
        raise bad_parameter("segment", f"{watch.name} has no segment {posted.segment!r}; {choices}")
    if posted.version and posted.signal == "volume":
        # Nothing would ever be said of such a series, and the mark would have no effect.
        raise bad_parameter("version", "events of all versions are counted together: leave out `version`")
    stored = service.store.read(Query("versions", {"model": watch.name}, columns=("version",)))
    if posted.version and posted.version not in stored["version"]:
        choices = f"known are {listed_names(stored['version'])}" if len(stored["version"]) else "it has none"
        raise bad_parameter("version", f"{watch.name} has no version {posted.version!r}; {choices}")


def _at_ms(service: ApiService, posted: PostedMark) -> int | None:
    if posted.at is None:
        return None
    try:
        return parse_time(str(posted.at), service.clock.now_ms())
    except InputError as error:
        raise bad_parameter("at", str(error)) from error


def _alert_of(service: ApiService, posted: PostedMark, at_ms: int | None) -> Row | None:
    """Return the alert that a signal had at a time, the newest without one: how long that signal was alarmed in it.

    Of what comes each day anew, a level is normal since it first came: the days since then show how it is.
    """
    alerts = list(_alerts_of(service, posted))
    if posted.says != "accepted":
        return next((alert for alert in alerts if at_ms is None or _fired_at(alert, at_ms)), None)
    alive = next((alert for alert in alerts if alert["ends_ms"] is None), None)
    # Each alert of what comes each day lasts for an hour or two: it is accepted after that, too.
    newest = alive or next((alert for alert in alerts[:1] if alert["daily_since_ms"]), None)
    return newest and newest | {"since_ms": newest["daily_since_ms"] or newest["since_ms"]}


def _alerts_of(service: ApiService, posted: PostedMark) -> Iterator[Row]:
    """Yield the alerts of a signal, the newest first, and how long it was alarmed in each."""
    for alert in standing_alerts(service.store, [posted.model], tables=ALARM_TABLES):
        for member in alert["signals"]:
            series = (member.get("signal"), member.get("segment", ""))
            if series == (posted.signal, posted.segment) and posted.version in ("", member.get("version", "")):
                yield {
                    "alert_id": alert["alert_id"],
                    "since_ms": member.get("since_ms", alert["starts_ms"]),
                    "ends_ms": alert["ends_ms"],
                    "daily_since_ms": member.get("daily_since_ms"),
                }


def _fired_at(alert: Row, at_ms: int) -> bool:
    return bool(alert["since_ms"] <= at_ms < (alert["ends_ms"] or at_ms + 1))


def _row(mark: Mark, marks: Sequence[Mark]) -> Row:
    row = {**vars(mark), "created_ms": mark.updated_ms, "to_ms": mark.to_ms or None}
    del row["updated_ms"]
    return row | {"effective_ms": mark.effective_ms or None, "learned_ms": _learned_ms(mark, marks)}


def _learned_ms(mark: Mark, marks: Sequence[Mark]) -> int | None:
    """Return when older marks of an alert had effect, if one that says it was real came too late to take them back."""
    if mark.says != "real":
        return None
    before_ms = mark.effective_ms or math.inf
    return max(
        (
            other.effective_ms
            for other in marks
            if other.says != "real"
            and mark.replaces(other)
            and (other.signal, other.segment) == (mark.signal, mark.segment)
            and (mark.version in ("", other.version) or not other.version)
            and 0 < other.effective_ms < before_ms
            and not is_taken_back(other, marks, (other.version, other.segment, other.signal))
        ),
        default=None,
    )
