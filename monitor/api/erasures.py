"""Erasing data subjects, and what has been erased."""

from __future__ import annotations

import json
from typing import Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from monitor.api.parameters import TheService, answer
from monitor.erasure.erase import Request
from monitor.erasure.erased import ErasureList

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["erasures"])


class Wanted(BaseModel):
    """Who is to be erased. In the body, since addresses end up in logs."""

    model_config = ConfigDict(extra="forbid")

    subject: str = Field(min_length=1, description="as it stands at the model's `keep.subject`")
    model: str = Field(default="", description="all models if empty")
    fields: list[str] = Field(
        default_factory=list, description="category signals, beside the subject's own, in which its name is replaced"
    )
    dry_run: bool = Field(default=False, description="only look")


class Proof(BaseModel):
    """What was erased, or would be."""

    subject_hash: str = Field(description="keyed; empty in a dry run on a store without erasures")
    model: str
    state: str = Field(description="`done`, or `planned` for a dry run")
    at_ms: int
    rows: dict[str, int] = Field(description="deleted or changed, of every table that was looked through")
    mutations: dict[str, list[str]] = Field(description="their ids in `system.mutations`, by table")
    ingest_log: int = Field(description="messages deleted from the log of HTTP events")
    remaining: int = Field(description="rows found when everything was looked through again")
    elsewhere: dict[str, int] = Field(description="category signals with a name like the subject's, left alone")
    unreachable: list[str] = Field(description="what only its owner can clear")


class Erasure(BaseModel):
    """One erasure of the list, which names nobody."""

    subject_hash: str
    model: str
    state: str = Field(description="`started` or `done`")
    at_ms: int
    until_ms: int | None = Field(description="events up to then are covered; null: all, while it is not done")
    fields: list[str]
    report: dict[str, Any]


class Erasures(BaseModel):
    """Erasures, oldest first."""

    items: list[Erasure]


@router.post("/erasures", summary="Erase a data subject", response_model=Proof)
def erase(wanted: Wanted, service: TheService) -> Response:
    request = Request(wanted.subject, wanted.model, tuple(wanted.fields))
    return answer(service.erase(request, dry_run=wanted.dry_run).to_dict())


@router.get("/erasures", summary="What has been erased", response_model=Erasures)
def erasures(service: TheService) -> Response:
    found = sorted(ErasureList(service.store).all(), key=lambda erasure: (erasure.at_ms, erasure.subject_hash))
    items = [{**vars(erasure), "until_ms": erasure.ended_ms, "report": json.loads(erasure.report)} for erasure in found]
    return answer({"items": items})
