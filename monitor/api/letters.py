"""Dead letters: messages, or fields of messages, that could not be used."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from monitor.api.parameters import Cursor, Limit, Paged, Stretch, TheService, answer
from monitor.api.reading import query_for, read_page, readable

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["dead letters"])


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
    payload: str | None = Field(description="the message as text; null if it is not UTF-8")
    payload_base64: str
    payload_bytes: int = Field(description="length of the message, of which the payload may hold only the start")


class DeadLetters(Paged):
    """Dead letters, newest first."""

    items: list[DeadLetter]


@router.get("/dead-letters", summary="Messages that could not be used", response_model=DeadLetters)
def dead_letters(
    service: TheService,
    stretch: Stretch,
    *,
    topic: str | None = None,
    model: str | None = None,
    reason: str | None = None,
    action: Literal["rejected", "kept"] | None = None,
    limit: Limit = 1_000,
    cursor: Cursor = None,
) -> Response:
    where = {"topic": topic, "model": model, "reason": reason, "action": action}
    query = query_for("dead_letters", where, from_ms=stretch.from_ms, to_ms=stretch.to_ms, limit=limit, descending=True)
    page = read_page(service.store, query, cursor)
    items = [readable(row) for row in page.rows]
    return answer({"from_ms": stretch.from_ms, "to_ms": stretch.to_ms, "next_cursor": page.next_cursor, "items": items})
