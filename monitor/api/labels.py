"""How many predictions have a label, and how long labels take."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from pydantic import Field

from monitor.api.contract import ApiService
from monitor.api.forms import Whole, listed_whole, lists
from monitor.api.labelled_hours import LabelledSpan, hours_of, spans
from monitor.api.own_store import OwnStore
from monitor.api.parameters import TheService, check_model, question_of, span_of
from monitor.api.problems import bad_parameter
from monitor.api.reading import Row
from monitor.performance.waiting import waiting
from monitor.resources.labels import HoldsBack, LabelCoverage, Labels, Said
from monitor.resources.performance import MAX_ROWS
from sinks.store.label_counts import label_counts

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["performance"])


JUDGED = Field(
    description="hours are judged at an age where their end and the age lie before it, in ms since the epoch; null "
    "where none is"
)
KNOWN = Field(description="up to when all predictions and labels are known; null where that cannot be said")
HELD = Field(
    description="partitions for which hours that are to be judged wait, the furthest behind first; null for who is "
    "bound to namespaces, since partitions are of the service"
)
SAID = Field(
    description="how many labels state a time of the span, and what they do; null where nothing is compared, and for "
    "who is bound to namespaces"
)


@lists(
    router,
    Labels,
    said=(Said | None, SAID),
    judged_ms=(int | None, JUDGED),
    known_ms=(int | None, KNOWN),
    held_back_by=(list[HoldsBack] | None, HELD),
)
def labels(service: TheService, form: Whole, question: Annotated[Labels, Depends(question_of(Labels))]) -> Response:
    check_model(service, question.model)
    chosen = hours_of(service, question, span_of(service, question))
    rows: list[Row] = []
    for labelled in spans(service.store, chosen, ""):
        rows.append(_row(question.model, labelled))
        if len(rows) > MAX_ROWS:
            raise bad_parameter("step", f"the answer has more than {MAX_ROWS:,} rows: ask for longer steps")
    head = {
        "from_ms": chosen.span[0],
        "to_ms": chosen.span[1],
        "said": _said(service, question.model, chosen.span),
        **_waiting(service, question.model),
    }
    return listed_whole(form, rows, LabelCoverage, head)


def _said(service: ApiService, model: str, span: tuple[int, int]) -> Row | None:
    """What the labels of a span do, of all versions and segments: of those of no prediction none is known."""
    watch = service.watches.get(model)
    plan = None if watch is None else watch.model.spec.performance_plan
    if plan is None or isinstance(service.store, OwnStore):
        return None
    return asdict(label_counts(service.store, model, plan.label, span))


def _waiting(service: ApiService, model: str) -> dict[str, Any]:
    """How far hours are judged, and what the next ones wait for."""
    watch = service.watches.get(model)
    if isinstance(service.store, OwnStore) or watch is None or watch.model.spec.performance_plan is None:
        return {"judged_ms": None, "known_ms": None, "held_back_by": None}
    facts = waiting(service.store, watch)
    held = [
        {"topic": topic, "partition": partition, "known_ms": known_ms}
        for (topic, partition), known_ms in facts.held_back_by
    ]
    return {"judged_ms": facts.judged_ms, "known_ms": facts.known_ms, "held_back_by": held}


def _row(model: str, labelled: LabelledSpan) -> Row:
    classes = [
        {
            "name": name,
            "predictions": predictions,
            "labelled": labelled.labelled_classes[name],
            "coverage": labelled.labelled_classes[name] / predictions,
        }
        for name, predictions in sorted(labelled.classes.items())
    ]
    return {
        "model": model,
        "version": labelled.version,
        "segment": labelled.segment,
        "from_ms": labelled.from_ms,
        "to_ms": labelled.to_ms,
        "predictions": labelled.predictions,
        "labelled": labelled.labelled,
        "coverage": labelled.coverage,
        "delay_median_ms": labelled.delay_ms(0.5),
        "delay_p90_ms": labelled.delay_ms(0.9),
        "classes": classes,
    }
