"""Two parts of a model's events, signal by signal, those that differ most first."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated

import pyarrow
from fastapi import APIRouter, Depends, Response
from pydantic import Field

from monitor.api.comparisons import TheComparisons, check_size
from monitor.api.contract import ApiService
from monitor.api.distributions import refuse_other_layouts, row_of
from monitor.api.forms import Whole, listed, lists
from monitor.api.parameters import (
    Span,
    TheService,
    check_signal,
    closed,
    question_of,
    read_span,
    span_of,
    watched,
)
from monitor.api.problems import ProblemError, bad_parameter
from monitor.api.reading import Page
from monitor.api.tables import schema
from monitor.panes.differences import differences
from monitor.panes.distributions import Part, Summaries, summaries
from monitor.resources.compare import Compare, ComparedPart, SignalDifference
from monitor.resources.distributions import Cells
from sinks.store.parallel import side_by_side

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["distributions"])

NOT_COMPARABLE = Field(description="signals of which a side was counted in other bins than today's")


@lists(
    router,
    Compare,
    model=(str, ...),
    current=(ComparedPart, ...),
    baseline=(ComparedPart, ...),
    not_comparable=(list[str], NOT_COMPARABLE),
)
def compare(
    service: TheService,
    comparisons: TheComparisons,
    form: Whole,
    question: Annotated[Compare, Depends(question_of(Compare))],
) -> Response:
    watch = watched(service, question.model)
    for name in question.signals or ():
        check_signal(watch, name)
    current, baseline = _parts(service, question)
    check_size(watch, current, question.signals)
    check_size(watch, baseline, question.signals, "against_from")
    with comparisons.turn():
        stored_baseline, stored_current = side_by_side(
            *(partial(summaries, service.store, watch, part, question.signals) for part in (baseline, current))
        )
    refused = _not_comparable(stored_baseline, stored_current, question.signals)
    strongest = differences(watch, stored_baseline, stored_current)[: question.limit]
    rows = [row_of(watch, difference, cells=question.cells) for difference in strongest]
    head = {
        "model": question.model,
        "from_ms": current.from_ms,
        "to_ms": current.to_ms,
        "current": vars(current),
        "baseline": vars(baseline),
        "not_comparable": sorted(refused),
    }
    types = schema(SignalDifference)
    if question.cells:
        types = pyarrow.schema([*types, *schema(Cells)])
    page = Page.of([row | (row.get("cells") or {}) for row in rows], types.names)
    return listed(form, lambda limit, cursor: page, types, head, lambda page: rows)


def _parts(service: ApiService, question: Compare) -> tuple[Part, Part]:
    """Return what is compared, and with what."""
    version, segment = question.against_version, question.against_segment
    current = Part(*closed(span_of(service, question), "from", "to"), question.version, question.segment)
    baseline = Part(
        *_baseline_ends(service, question, current),
        current.version if version is None else version,
        current.segment if segment is None else segment,
    )
    if baseline == current:
        raise ProblemError(
            "bad-parameter",
            "both sides are the same: set `against_from` and `against_to`, `against_version`, or `against_segment`",
        )
    return current, baseline


def _baseline_ends(service: ApiService, question: Compare, current: Part) -> tuple[int, int]:
    if question.against_from is None and question.against_to is None:
        return current.from_ms, current.to_ms
    span = read_span(service, question.against_from, question.against_to, "against_")
    from_ms = current.from_ms if span.from_ms is None else span.from_ms
    to_ms = current.to_ms if span.to_ms is None else span.to_ms
    if from_ms >= to_ms:
        raise bad_parameter("against_from", "the baseline's start must be before its end")
    return closed(Span(from_ms, to_ms), "against_from", "against_to")


def _not_comparable(baseline: Summaries, current: Summaries, signals: Sequence[str] | None) -> set[str]:
    """Signals that cannot be compared: a problem if the question names them, or nothing else remains."""
    refused = baseline.other_layouts | current.other_layouts
    if signals is not None or not baseline.summaries.keys() & current.summaries.keys():
        refuse_other_layouts(refused)
    return refused
