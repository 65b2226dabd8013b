"""Two slices of a model's labelled events, signal by signal, those that differ most first."""

from __future__ import annotations

from typing import Annotated

import pyarrow
from fastapi import APIRouter, Depends, Response
from pydantic import Field

from monitor.api.comparisons import TheComparisons
from monitor.api.distributions import row_of
from monitor.api.forms import Whole, listed, lists
from monitor.api.parameters import TheService, question_of
from monitor.api.reading import Page
from monitor.api.sliced import CHOICES, OF_EVENTS, part_of, sliced
from monitor.api.tables import schema
from monitor.resources.compare import SignalDifference
from monitor.resources.distributions import Cells
from monitor.resources.slices import ComparedSlice, NotStored, SampledEvents, Slices
from monitor.slices.fields import not_stored

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["distributions"])


@lists(
    router,
    Slices,
    model=(str, ...),
    version=(str | None, ...),
    segment=(str, ...),
    current=(ComparedSlice, ...),
    baseline=(ComparedSlice, ...),
    events=(SampledEvents, OF_EVENTS),
    choices=(list[str], CHOICES),
    not_stored=(list[NotStored], Field(description="signals that cannot be compared, and why")),
)
def slices(
    service: TheService,
    comparisons: TheComparisons,
    form: Whole,
    question: Annotated[Slices, Depends(question_of(Slices))],
) -> Response:
    watch, part = part_of(service, question)
    with comparisons.turn():
        compared = sliced(service, watch, part, question)
    rows = [row_of(watch, each, cells=question.cells) for each in compared.differences[: question.limit]]
    hidden = [{"signal": signal, "reason": reason} for signal, reason in not_stored(watch).items()]
    types = schema(SignalDifference)
    if question.cells:
        types = pyarrow.schema([*types, *schema(Cells)])
    page = Page.of([row | (row.get("cells") or {}) for row in rows], types.names)
    return listed(form, lambda limit, cursor: page, types, {**compared.head(), "not_stored": hidden}, lambda page: rows)
