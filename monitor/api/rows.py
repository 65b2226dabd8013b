"""Stored events of a slice with their labels, one by one."""

from __future__ import annotations

import math
from collections.abc import Container, Iterator
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Depends, Response

from detectors.performance import Multiclass, Ranking, Regression
from monitor.api.comparisons import TheComparisons
from monitor.api.contract import ApiService
from monitor.api.forms import Whole, listed_whole, lists
from monitor.api.parameters import TheService, question_of
from monitor.api.reading import Row
from monitor.api.sliced import CHOICES, OF_EVENTS, Sliced, part_of, sliced, withheld
from monitor.resources.rows import EventRow, Rows
from monitor.resources.slices import ComparedSlice, SampledEvents
from monitor.slices.fields import Fields, fields_of
from monitor.slices.slices import LABEL
from monitor.watch import Watch

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["distributions"])


@lists(
    router,
    Rows,
    model=(str, ...),
    version=(str | None, ...),
    segment=(str, ...),
    current=(ComparedSlice, ...),
    baseline=(ComparedSlice, ...),
    events=(SampledEvents, OF_EVENTS),
    choices=(list[str], CHOICES),
)
def rows(
    service: TheService,
    comparisons: TheComparisons,
    form: Whole,
    question: Annotated[Rows, Depends(question_of(Rows))],
) -> Response:
    watch, part = part_of(service, question)
    with comparisons.turn():
        compared = sliced(service, watch, part, question)
        shown = list(_rows(service, compared, question.limit))
    return listed_whole(form, shown, EventRow, _head(compared))


def _head(compared: Sliced) -> Row:
    """What is said of the events; of a label that is not shown no class, not even its digest."""
    head = compared.head()
    if compared.judged.plan.label in withheld(compared.watch):
        head["choices"] = [name for name in head["choices"] if not name.startswith(LABEL)]
    return head


def _rows(service: ApiService, compared: Sliced, limit: int) -> Iterator[Row]:
    watch, sample = compared.watch, compared.judged.sample
    hidden = withheld(watch)
    signals = [each.signal for each in compared.differences if each.signal not in hidden]
    chosen = compared.members[0][:limit]
    shows_ids = _shows_ids(watch)
    for events, fields in fields_of(service.store, watch, compared.part, sample, chosen):
        for event, values in zip(events.tolist(), fields, strict=True):
            yield {
                **_event(compared, event, hidden, shows_id=shows_ids),
                "values": [_value(values, s) for s in signals],
            }


def _shows_ids(watch: Watch) -> bool:
    """Whether the id of an event is nobody's name: neither whom it is about, nor a private field."""
    spec = watch.model.spec
    return spec.schema_.id != spec.keep.subject and spec.schema_.id not in watch.privacy.paths


def _event(compared: Sliced, event: int, hidden: Container[str], *, shows_id: bool) -> Row:
    judged, columns = compared.judged, compared.judged.sample.columns
    is_number = isinstance(judged.plan.scheme, Regression)
    is_name = isinstance(judged.plan.scheme, (Multiclass, Ranking))
    compared_signals = {"predicted": judged.plan.prediction, "true": judged.plan.label}
    shows = {side for side, signal in compared_signals.items() if signal not in hidden}
    position = {name: int(columns[name][event]) for name in ("event_ms", "partition", "offset")}
    return {
        **position,
        "topic": columns["topic"][event],
        "id": columns["id"][event] if shows_id else None,
        "version": columns["version"][event],
        "outcome": judged.outcomes[event],
        "loss": float(judged.losses[event]) if judged.losses is not None and shows == {"predicted", "true"} else None,
        "predicted_number": _number(columns["predicted_value"][event])
        if "predicted" in shows and not is_name
        else None,
        "predicted_name": columns["predicted_label"][event] if "predicted" in shows and is_name else None,
        "true_number": _number(columns["value"][event]) if is_number and "true" in shows else None,
        "true_name": columns["label"][event] if not is_number and "true" in shows else None,
    }


def _value(fields: Fields, signal: str) -> dict[str, Any]:
    value = fields.get(signal)
    is_name = isinstance(value, str)
    return {"signal": signal, "number": None if is_name else value, "name": value if is_name else None}


def _number(value: np.float64) -> float | None:
    return None if math.isnan(value) else float(value)
