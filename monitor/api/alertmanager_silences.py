"""Silences in Alertmanager's documents.

What silences have beyond Alertmanager's stands under their key `leeway`, which its clients pass over; who changes a
silence without that key leaves it as it is. A silence that recurs says so at the end of its comment, too, since that is
what those clients show.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field, StrictBool

from monitor.api.alertmanager import Filters, Time, alerting_of
from monitor.api.auditor import about
from monitor.api.contract import ApiService
from monitor.api.parameters import TheService, answer, read_matchers
from monitor.api.problems import ProblemError
from monitor.api.times import ms_of, rfc3339
from monitor.routing.interval_spec import IntervalSpec, in_words, written
from monitor.routing.intervals import Interval
from monitor.routing.matchers import Matcher, MatcherError
from monitor.routing.silence_log import SilenceLog
from monitor.routing.silences import Silence, SilenceError

__all__ = ["SilenceOptions", "router"]

MOST_SILENCES = 10_000
"""That are not over."""

MOST_CHARACTERS = 65_536
"""Of a silence's matchers, intervals, author and comment together."""

MOST_MATCHERS = 100
"""Of one silence: each alert is compared with all of them, and whoever asks for silences is sent them."""

router = APIRouter(prefix="/api/v2", tags=["alertmanager"])


class PostedMatcher(BaseModel):
    """A matcher in parts."""

    name: str = Field(min_length=1)
    value: str
    isRegex: StrictBool = False  # noqa: N815 -- Alertmanager's name
    isEqual: StrictBool = True  # noqa: N815


class SilenceOptions(BaseModel, extra="forbid"):
    """What Alertmanager's silences do not have."""

    intervals: list[IntervalSpec] = Field(
        default_factory=list,
        max_length=50,
        description="when it counts, if not all the time, as in `time_intervals` of routes",
    )
    tells: list[str] = Field(
        default_factory=list, description="receivers that are notified when it starts and when it is over"
    )


class PostedSilence(BaseModel):
    """A silence to be added, or, with an id, changed."""

    id: str = ""
    matchers: list[PostedMatcher] = Field(min_length=1, max_length=MOST_MATCHERS)
    startsAt: Time  # noqa: N815
    endsAt: Time  # noqa: N815
    createdBy: str  # noqa: N815
    comment: str
    leeway: SilenceOptions | None = Field(default=None, description="as it was, if absent")


class SilenceState(BaseModel):
    """Whether a silence counts now."""

    state: Literal["active", "pending", "expired"]


class KeptSilence(BaseModel):
    """A silence."""

    id: str
    status: SilenceState
    updatedAt: str  # noqa: N815
    startsAt: str  # noqa: N815
    endsAt: str  # noqa: N815
    createdBy: str  # noqa: N815
    comment: str
    matchers: list[PostedMatcher]
    leeway: SilenceOptions | None = Field(default=None, description="absent of silences that Alertmanager could have")


class SilenceId(BaseModel):
    """Which silence it became."""

    silenceID: str  # noqa: N815


@router.get("/silences", summary="Silences; those that are over for five days", response_model=list[KeptSilence])
def silences(service: TheService, filters: Filters = None) -> Response:
    log, now_ms = SilenceLog(service.store, service.clock), service.clock.now_ms()
    matchers = read_matchers("filter", filters)
    matching = [silence for silence in log.all() if _matches(silence, matchers)]
    matching.sort(key=partial(_order, now_ms=now_ms))
    return answer([_row(silence, now_ms) for silence in matching])


@router.post("/silences", summary="Add a silence, or change one", response_model=SilenceId)
def silence(posted: PostedSilence, service: TheService) -> Response:
    log = SilenceLog(service.store, service.clock)
    _refuse_unknown_receivers(service, posted)
    try:
        changed = _changed(log, posted)
        if changed.ends_ms < service.clock.now_ms():
            raise SilenceError("a silence ends in the future")
        _refuse_too_much(log, changed, service.clock.now_ms())
        name = log.set(changed)
    except (SilenceError, MatcherError) as error:
        raise ProblemError("bad-parameter", str(error)) from error
    about(name, *map(str, changed.matchers))
    return answer({"silenceID": name})


@router.get("/silence/{name}", summary="One silence", response_model=KeptSilence)
def one_silence(name: str, service: TheService) -> Response:
    return answer(_row(_stored(SilenceLog(service.store, service.clock), name), service.clock.now_ms()))


@router.delete("/silence/{name}", summary="End a silence", response_class=Response)
def end_silence(name: str, service: TheService) -> Response:
    try:
        SilenceLog(service.store, service.clock).expire(name)
    except SilenceError as error:
        raise ProblemError("not-found", str(error)) from error
    return Response(status_code=200)


def _order(silence: Silence, now_ms: int) -> tuple[int, int, str]:
    """What ends next comes first, then what begins next, then what ended last."""
    state = silence.state(now_ms)
    at_ms = {"active": silence.ends_ms, "pending": silence.starts_ms, "expired": -silence.ends_ms}
    return list(at_ms).index(state), at_ms[state], silence.id


def _stored(log: SilenceLog, name: str) -> Silence:
    try:
        return log.get(name)
    except SilenceError as error:
        raise ProblemError("not-found", str(error)) from error


def _changed(log: SilenceLog, posted: PostedSilence) -> Silence:
    previous = _stored(log, posted.id) if posted.id else None
    if posted.leeway is not None:
        intervals: Sequence[Interval] = [spec.build() for spec in posted.leeway.intervals]
        tells: Sequence[str] = posted.leeway.tells
    else:
        intervals, tells = ((), ()) if previous is None else (previous.intervals, previous.tells)
    return Silence(
        posted.id,
        tuple(Matcher(each.name, _operator(each), each.value) for each in posted.matchers),
        ms_of(posted.startsAt),
        ms_of(posted.endsAt),
        posted.createdBy,
        posted.comment if previous is None else posted.comment.removesuffix(_recurring(previous)),
        intervals=intervals,
        tells=tells,
    )


def _refuse_too_much(log: SilenceLog, silence: Silence, now_ms: int) -> None:
    """Refuse what would be held for as long as it is not over, and asked of each alert."""
    texts = [*map(str, silence.matchers), silence.created_by, silence.comment, json.dumps(written(silence.intervals))]
    if sum(map(len, texts)) > MOST_CHARACTERS:
        raise SilenceError(
            f"the matchers, intervals and comment of a silence have {MOST_CHARACTERS:,} characters at most"
        )
    if not silence.id and sum(each.ends_ms > now_ms for each in log.all()) >= MOST_SILENCES:
        raise SilenceError(f"there are {MOST_SILENCES:,} silences already: end those that nobody needs")


def _refuse_unknown_receivers(service: ApiService, posted: PostedSilence) -> None:
    alerting, others = alerting_of(service)
    names = {*(receiver.name for receiver in alerting.receivers), *others}
    for name in posted.leeway.tells if posted.leeway else ():
        if name not in names:
            raise ProblemError("bad-parameter", f"no receiver is named {name!r}; there are {', '.join(sorted(names))}")


def _recurring(silence: Silence) -> str:
    """What a comment ends with."""
    return f" [only {in_words(silence.intervals)}]" if silence.intervals else ""


def _matches(silence: Silence, matchers: list[Matcher]) -> bool:
    """Whether matchers match a silence: as in Alertmanager, its own matchers stand for labels."""
    values = {matcher.name: matcher.value for matcher in silence.matchers}
    return all(matcher.matches(values) for matcher in matchers)


def _operator(posted: PostedMatcher) -> Literal["=", "!=", "=~", "!~"]:
    if posted.isRegex:
        return "=~" if posted.isEqual else "!~"
    return "=" if posted.isEqual else "!="


def _row(silence: Silence, now_ms: int) -> dict[str, Any]:
    own = {"intervals": written(silence.intervals), "tells": list(silence.tells)}
    named = {name: value for name, value in own.items() if value}
    return {
        "id": silence.id,
        "status": {"state": silence.state(now_ms)},
        "updatedAt": rfc3339(silence.updated_ms),
        "startsAt": rfc3339(silence.starts_ms),
        "endsAt": rfc3339(silence.ends_ms),
        "createdBy": silence.created_by,
        "comment": f"{silence.comment}{_recurring(silence)}",
        "matchers": [matcher.as_posted for matcher in silence.matchers],
        **({"leeway": named} if named else {}),
    }
