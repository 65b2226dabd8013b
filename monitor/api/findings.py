"""Findings of per-event detectors."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from monitor.api.forms import InPages, listed, lists
from monitor.api.history import Direction
from monitor.api.parameters import TheService, check_model, check_seen_signal, question_of, span_of
from monitor.api.reading import pages_of
from monitor.api.tables import schema
from monitor.resources.findings import Finding, Findings

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["history"])


@lists(router, Findings)
def findings(
    service: TheService,
    form: InPages,
    question: Annotated[Findings, Depends(question_of(Findings))],
    order: Direction = "asc",
) -> Response:
    check_model(service, question.model)
    check_seen_signal(service, "findings", question.model, question.signal)
    span = span_of(service, question)
    where = {name: getattr(question, name) for name in ("model", "signal", "version", "detector", "segment")}
    read = pages_of(service.store, "findings", where, span, descending=order == "desc")
    return listed(form, read, schema(Finding), span._asdict())
