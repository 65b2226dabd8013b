"""Erasures of data subjects, and exports of what is held about them."""

from __future__ import annotations

import json

from fastapi import APIRouter, Response
from pydantic import Field, StrictBool
from starlette.responses import StreamingResponse

from monitor.api.auditor import about
from monitor.api.forms import Whole, listed_whole, lists
from monitor.api.parameters import TheService, answer
from monitor.erasure.erase import Request
from monitor.erasure.erased import ErasureList
from monitor.erasure.export import line_of
from monitor.resources.erasures import Erasure, Erasures, Proof
from monitor.values import Strict

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["erasures"])

LINES = "application/x-ndjson"


class PostedErasure(Strict):
    """Whom to erase. In the body, since addresses end up in logs."""

    subject: str = Field(min_length=1, description="as it stands at the model's `keep.subject`")
    model: str = Field(default="", description="all models if empty")
    fields: list[str] = Field(
        default_factory=list, description="category signals, beside the subject's own, in which its name is replaced"
    )
    dry_run: StrictBool = Field(default=False, description="only look")


@router.post("/erasures", summary="Erase a data subject", response_model=Proof)
def erase(posted: PostedErasure, service: TheService) -> Response:
    request = Request(posted.subject, posted.model, tuple(posted.fields))
    # By its hash: whoever is erased is named nowhere. Before that, since it may end half-way.
    erased = service.erase(request, dry_run=posted.dry_run, on_begun=lambda digest: about(digest, posted.model))
    about(erased.state)
    return answer(erased.to_dict())


@lists(router, Erasures)
def erasures(service: TheService, form: Whole) -> Response:
    erased = sorted(ErasureList(service.store).all(), key=lambda erasure: (erasure.at_ms, erasure.subject_hash))
    rows = [{**vars(erasure), "until_ms": erasure.ended_ms} for erasure in erased]
    return listed_whole(form, rows, Erasure, {}, lambda row: {**row, "report": json.loads(row["report"])})


class PostedExport(Strict):
    """Whom it is about. In the body, since addresses end up in logs."""

    subject: str = Field(min_length=1, description="as it stands at the model's `keep.subject`")
    model: str = Field(default="", description="all models if empty")
    fields: list[str] = Field(
        default_factory=list, description="category signals, beside the subject's own, in which its name is looked for"
    )


@router.post(
    "/exports",
    summary="All that is held about a data subject",
    response_class=StreamingResponse,
    responses={200: {"content": {LINES: {"schema": {"type": "string"}}}}},
)
def export(posted: PostedExport, service: TheService) -> StreamingResponse:
    request = Request(posted.subject, posted.model, tuple(posted.fields))
    # By its hash, as erasures are, and before anybody reads it.
    records = service.export(request, on_begun=lambda digest: about(digest, posted.model))
    return StreamingResponse(map(line_of, records), media_type=LINES)
