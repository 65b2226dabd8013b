"""Dead letters: messages, or fields of messages, that could not be used."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from monitor.api.forms import IN_FORMS, Asked, listed
from monitor.api.parameters import Paged, Stretch, TheService
from monitor.api.reading import Page, query_for, read_page, readable
from monitor.api.tables import of_table

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["dead letters"])

LETTERS = of_table("dead_letters", without=["payload"], more="payload:str payload_base64:str")


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
) -> Response:
    where = {"topic": topic, "model": model, "reason": reason, "action": action}

    def read(limit: int, cursor: str | None) -> Page:
        query = query_for(
            "dead_letters", where, from_ms=stretch.from_ms, to_ms=stretch.to_ms, limit=limit, descending=True
        )
        return readable(read_page(service.store, query, cursor))

    return listed(asked, read, LETTERS, {"from_ms": stretch.from_ms, "to_ms": stretch.to_ms})
