"""The audit log."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from monitor.api.forms import InPages, listed, lists
from monitor.api.parameters import TheService, question_of, span_of
from monitor.api.reading import pages_of
from monitor.api.tables import schema
from monitor.resources.audit import Audit, AuditEntry

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["access"])


@lists(router, Audit)
def audit(service: TheService, form: InPages, question: Annotated[Audit, Depends(question_of(Audit))]) -> Response:
    span = span_of(service, question)
    read = pages_of(
        service.store, "audit", {"who": question.who, "operation": question.operation}, span, descending=True
    )
    return listed(form, read, schema(AuditEntry), span._asdict())
