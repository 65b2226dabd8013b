"""Clocks: how far the event time of each partition is; and setting them back."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field

from monitor.api.auditor import about
from monitor.api.contract import ApiService
from monitor.api.forms import Whole, listed_whole, lists
from monitor.api.parameters import TheService, answer, check_model, question_of, watched
from monitor.api.people import Author, Reason
from monitor.api.problems import bad_parameter
from monitor.api.reading import Row
from monitor.api.times import PostedTime, parse_time
from monitor.errors import InputError
from monitor.events import ENDED
from monitor.ingest.set_clocks import ASKED, SetClock, ask_to_set, read_set_clocks
from monitor.ingest.watermark import NEVER
from monitor.resources.clocks import Clocks, ClocksSetBack, KnownClock
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["models"])

Key = tuple[str, str, int]


class PostedClock(BaseModel):
    """Which clocks are to be set back."""

    model_config = ConfigDict(extra="forbid")

    model: str
    topic: str | None = Field(default=None, description="every topic of the model if absent")
    partition: int | None = Field(default=None, ge=0, description="every partition whose clock is ahead if absent")
    to: PostedTime | None = Field(default=None, description="ISO 8601, ms since the epoch, or `-5m`; now if absent")
    reason: Reason
    created_by: Author


@lists(router, Clocks)
def clocks(service: TheService, form: Whole, question: Annotated[Clocks, Depends(question_of(Clocks))]) -> Response:
    check_model(service, question.model)
    shares = {(share.model, *share.partition): share for share in service.late_shares()}
    newest = {_key(each): each for each in read_set_clocks(service.store)}
    now_ms, rows = service.clock.now_ms(), []
    for key, row in _standing(service.store, question.model).items():
        share, set_clock = shares.get(key), newest.get(key)
        row["ahead_ms"] = max(0, row["clock_ms"] - now_ms)
        row |= {"events": share and share.events, "late": share and share.late}
        rows.append(row | _set_back(set_clock))
    return listed_whole(form, rows, KnownClock, {})


@router.post("/clocks", summary="Set clocks of partitions back", response_model=ClocksSetBack)
def set_back(posted: PostedClock, service: TheService) -> Response:
    watched(service, posted.model)
    to_ms = _to_ms(service, posted)
    ahead = {key: row for key, row in _chosen(service.store, posted).items() if row["clock_ms"] > to_ms}
    if not ahead:
        raise bad_parameter("to", "no clock is ahead of that; `GET /v1/clocks` says where they stand")
    items = []
    for key, row in ahead.items():
        request = ask_to_set(service.store, service.clock, SetClock(*key, to_ms, posted.created_by, posted.reason))
        of_key = dict(zip(("model", "topic", "partition"), key, strict=True))
        items.append({"id": request.id, **of_key, "from_ms": row["clock_ms"], "to_ms": to_ms})
    about(posted.model, *(f"{item['topic']}/{item['partition']}" for item in items))
    return answer({"items": items, "evaluated_to_ms": _evaluated_to_ms(service.store, posted.model)})


def _chosen(store: Store, posted: PostedClock) -> dict[Key, Row]:
    standing = _standing(store, posted.model)
    chosen = {
        key: row
        for key, row in standing.items()
        if posted.topic in (None, key[1]) and posted.partition in (None, key[2])
    }
    if not chosen:
        choices = ", ".join(f"{topic}/{partition}" for _, topic, partition in standing) or "none yet"
        raise bad_parameter("topic", f"{posted.model} has no such partition; known are {choices}")
    return chosen


def _to_ms(service: ApiService, posted: PostedClock) -> int:
    now_ms = service.clock.now_ms()
    try:
        return now_ms if posted.to is None else parse_time(str(posted.to), now_ms)
    except InputError as error:
        raise bad_parameter("to", str(error)) from error


def _standing(store: Store, model: str | None) -> dict[Key, Row]:
    """Return where the clocks of inputs stand that have begun and not ended, by model, topic and partition."""
    rows = rows_of(store.read(Query("progress", {} if model is None else {"model": model})))
    return {
        (row["model"], row["topic"], row["partition"]): {
            **{name: row[name] for name in ("model", "topic", "partition", "closed_ms", "next_offset")},
            "clock_ms": row["newest_ms"],
        }
        for row in rows
        if row["closed_ms"] < ENDED and row["newest_ms"] > NEVER
    }


def _set_back(newest: SetClock | None) -> Row:
    if newest is None:
        return {"set_back_to_ms": None, "set_back_by": "", "set_back_reason": "", "set_back_offset": None}
    return {
        "set_back_to_ms": newest.to_ms,
        "set_back_by": newest.created_by,
        "set_back_reason": newest.reason,
        "set_back_offset": None if newest.from_offset == ASKED else newest.from_offset,
    }


def _key(each: SetClock) -> Key:
    return each.model, each.topic, each.partition


def _evaluated_to_ms(store: Store, model: str) -> int | None:
    ends = store.read(Query("latest", {"model": model}, columns=("window_end_ms",)))["window_end_ms"]
    return max(map(int, ends), default=None)
