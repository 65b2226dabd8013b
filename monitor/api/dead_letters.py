"""Dead letters: messages, or fields of messages, that could not be used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field, StrictBool

from monitor.api.auditor import about
from monitor.api.forms import InPages, listed, lists
from monitor.api.parameters import TheService, answer, question_of, span_of
from monitor.api.reading import Page, query_for, read_page, readable
from monitor.api.tables import schema
from monitor.resources.dead_letters import DeadLetter, DeadLetters, Retried
from monitor.values import Strict
from sinks.store.contract import TABLES, Query, Store
from sinks.store.rows import as_list

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["dead letters"])

WITHOUT_PAYLOAD = tuple(column.name for column in TABLES["dead_letters"].columns if column.name != "payload")
POSITION = ("topic", "partition", "offset")
MOST_RETRIED = 1_000


class Place(Strict):
    """Where a message stands in its log."""

    topic: str
    partition: int = Field(ge=0, lt=2**63)
    offset: int = Field(ge=0, lt=2**63)


class PostedRetries(Strict):
    """Which messages are to be put back."""

    places: list[Place] = Field(min_length=1, max_length=MOST_RETRIED)
    dry_run: StrictBool = Field(default=False, description="only look")


class Retries(BaseModel):
    """What became of each message, in the order of the request."""

    items: list[Retried]


@lists(router, DeadLetters)
def dead_letters(
    service: TheService, form: InPages, question: Annotated[DeadLetters, Depends(question_of(DeadLetters))]
) -> Response:
    span = span_of(service, question)
    where = {name: getattr(question, name) for name in (*POSITION, "model", "reason", "action")}

    def read(limit: int, cursor: str | None) -> Page:
        query = query_for("dead_letters", where, **span._asdict(), limit=limit, descending=True)
        if question.payload:
            return with_retries(service.store, readable(read_page(service.store, query, cursor)))
        query = replace(query, columns=WITHOUT_PAYLOAD)
        return with_retries(service.store, without_payload(read_page(service.store, query, cursor)))

    return listed(form, read, schema(DeadLetter), span._asdict())


@router.post("/dead-letters/retries", summary="Put rejected messages back on their streams", response_model=Retries)
def retry(posted: PostedRetries, service: TheService) -> Response:
    positions = [(position.topic, position.partition, position.offset) for position in posted.places]
    about(f"{len(positions)} messages", "dry run" if posted.dry_run else "")
    return answer({"items": [vars(retried) for retried in service.retry(positions, dry_run=posted.dry_run)]})


def without_payload(letters: Page) -> Page:
    """Return a page of dead letters that were read without their messages, as if these were empty."""
    count = len(letters.columns["topic"])
    return Page(letters.columns | {"payload": [None] * count, "payload_base64": [""] * count}, letters.next_cursor)


def with_retries(store: Store, letters: Page) -> Page:
    """Return a page of dead letters with how often and when each message was put back."""
    positions = _positions(letters.columns)
    retried_ms: dict[tuple[Any, ...], list[int]] = {}
    if positions:
        offsets = [offset for _, _, offset in positions]
        rows = store.read(
            Query(
                "retries",
                {"topic": sorted({topic for topic, _, _ in positions})},
                low={"offset": min(offsets)},
                high={"offset": max(offsets) + 1},
            )
        )
        for position, at_ms in zip(_positions(rows), as_list(rows["at_ms"]), strict=True):
            retried_ms.setdefault(position, []).append(at_ms)
    times = [retried_ms.get(position, []) for position in positions]
    columns = {"retries": list(map(len, times)), "retried_ms": [max(each, default=None) for each in times]}
    return Page(letters.columns | columns, letters.next_cursor)


def _positions(columns: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    return list(zip(*(as_list(columns[name]) for name in POSITION), strict=True))
