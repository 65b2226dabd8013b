"""Dead letters: messages, or fields of messages, that could not be used."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from monitor.api.forms import IN_FORMS, Asked, listed
from monitor.api.parameters import Paged, Stretch, TheService, answer
from monitor.api.reading import Page, query_for, read_page, readable
from monitor.api.tables import of_table
from sinks.store.contract import TABLES, Store
from sinks.store.contract import Query as StoreQuery
from sinks.store.rows import as_list

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["dead letters"])

LETTERS = of_table(
    "dead_letters", without=["payload"], more="payload:str payload_base64:str retries:int retried_ms:int"
)
PLAIN = tuple(column.name for column in TABLES["dead_letters"].columns if column.name != "payload")
MOST_PLACES = 1_000
Coordinate = Annotated[int, Query(ge=0, le=2**63 - 1)]


class DeadLetter(BaseModel):
    """One message, or one field of it."""

    topic: str
    partition: int
    offset: int
    model: str
    field: str = Field(description="the signal concerned; empty if the whole message is")
    action: Literal["rejected", "kept"] = Field(description="`kept`: the message counts, but for this field")
    reason: str
    detail: str
    record_ms: int = Field(description="the record's own time; -1 where it has none")
    payload: str | None = Field(description="the message as text; null if it is not UTF-8, or was not asked for")
    payload_base64: str
    payload_bytes: int = Field(description="length of the message, of which the payload may hold only the start")
    retries: int = Field(description="how many times the message was put back on its stream")
    retried_ms: int | None = Field(description="when it was last; null if it never was")


class DeadLetters(Paged):
    """Dead letters, newest first."""

    items: list[DeadLetter]


class Place(BaseModel):
    """A message's coordinates."""

    model_config = ConfigDict(extra="forbid")

    topic: str
    partition: int = Field(ge=0, lt=2**63)
    offset: int = Field(ge=0, lt=2**63)


class Wanted(BaseModel):
    """Which messages are to be put back."""

    model_config = ConfigDict(extra="forbid")

    places: list[Place] = Field(min_length=1, max_length=MOST_PLACES)
    dry_run: bool = Field(default=False, description="only look")


class Retried(Place):
    """What became of one message."""

    outcome: Literal["retried", "planned", "refused"]
    detail: str = Field(description="why it was refused")
    taken_from: Literal["log", "store", ""] = Field(
        description="`store`: its stream no longer has it; what was kept is whole, but without key and headers"
    )
    attempt: int = Field(description="how many times it was put back, this one included; 0 if it was refused")
    to_partition: int = Field(description="where it now stands; -1 if it was not put back")
    to_offset: int


class Retries(BaseModel):
    """What became of each message, in the order in which they were named."""

    items: list[Retried]


@router.get("/dead-letters", summary="Messages that could not be used", response_model=DeadLetters, responses=IN_FORMS)
def dead_letters(
    service: TheService,
    stretch: Stretch,
    asked: Asked,
    *,
    topic: str | None = None,
    model: str | None = None,
    reason: str | None = None,
    action: Literal["rejected", "kept"] | None = None,
    partition: Coordinate | None = None,
    offset: Coordinate | None = None,
    payload: Annotated[bool, Query(description="false: without the messages, which may be large")] = True,
) -> Response:
    place = {"topic": topic, "partition": partition, "offset": offset}
    where = {**place, "model": model, "reason": reason, "action": action}

    def read(limit: int, cursor: str | None) -> Page:
        query = query_for(
            "dead_letters", where, from_ms=stretch.from_ms, to_ms=stretch.to_ms, limit=limit, descending=True
        )
        if payload:
            return with_retries(service.store, readable(read_page(service.store, query, cursor)))
        return with_retries(service.store, unread(read_page(service.store, replace(query, columns=PLAIN), cursor)))

    return listed(asked, read, LETTERS, {"from_ms": stretch.from_ms, "to_ms": stretch.to_ms})


@router.post("/dead-letters/retries", summary="Put rejected messages back on their streams", response_model=Retries)
def retry(wanted: Wanted, service: TheService) -> Response:
    places = [(place.topic, place.partition, place.offset) for place in wanted.places]
    return answer({"items": [vars(one) for one in service.retry(places, dry_run=wanted.dry_run)]})


def unread(letters: Page) -> Page:
    """Return a page of dead letters that were read without their messages, as if these were empty."""
    count = len(letters.columns["topic"])
    return Page(letters.columns | {"payload": [None] * count, "payload_base64": [""] * count}, letters.next_cursor)


def with_retries(store: Store, letters: Page) -> Page:
    """Return a page of dead letters with how often and when each message was put back."""
    names = ("topic", "partition", "offset")
    places = list(zip(*(as_list(letters.columns[name]) for name in names), strict=True))
    at_ms: dict[tuple[str, int, int], list[int]] = {}
    if places:
        offsets = [place[2] for place in places]
        rows = store.read(
            StoreQuery(
                "retries",
                {"topic": sorted({place[0] for place in places})},
                low={"offset": min(offsets)},
                high={"offset": max(offsets) + 1},
            )
        )
        for *place, time_ms in zip(*(as_list(rows[name]) for name in (*names, "at_ms")), strict=True):
            at_ms.setdefault((place[0], place[1], place[2]), []).append(time_ms)
    times = [at_ms.get(place, []) for place in places]
    more = {"retries": list(map(len, times)), "retried_ms": [max(found, default=None) for found in times]}
    return Page(letters.columns | more, letters.next_cursor)
