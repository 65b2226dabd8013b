"""How many predictions have a label, and how long labels take."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from monitor.api.forms import Whole, listed_whole, lists
from monitor.api.labelled_hours import LabelledSpan, hours_of, spans
from monitor.api.parameters import TheService, check_model, question_of, span_of
from monitor.api.problems import bad_parameter
from monitor.api.reading import Row
from monitor.resources.labels import LabelCoverage, Labels
from monitor.resources.performance import MAX_ROWS

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["performance"])


@lists(router, Labels)
def labels(service: TheService, form: Whole, question: Annotated[Labels, Depends(question_of(Labels))]) -> Response:
    check_model(service, question.model)
    chosen = hours_of(service, question, span_of(service, question))
    rows: list[Row] = []
    for labelled in spans(service.store, chosen, ""):
        rows.append(_row(question.model, labelled))
        if len(rows) > MAX_ROWS:
            raise bad_parameter("step", f"the answer has more than {MAX_ROWS:,} rows: ask for longer steps")
    return listed_whole(form, rows, LabelCoverage, {"from_ms": chosen.span[0], "to_ms": chosen.span[1]})


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
