"""Scores of windows, one by one or in buckets of time."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Response
from pydantic import Field

from monitor.api.buckets import LADDER_MS, bucket_rows, chosen_step_ms, cursor_step_ms, read_buckets, span_of_scores
from monitor.api.contract import ApiService
from monitor.api.forms import Form, InPages, listed, lists
from monitor.api.parameters import Span, TheService, check_model, check_seen_signal, duration_ms, question_of, span_of
from monitor.api.problems import bad_parameter
from monitor.api.reading import Page, pages_of
from monitor.api.tables import schema
from monitor.resources.history import SERIES, Bucket, History, Score

__all__ = ["Direction", "router"]

router = APIRouter(prefix="/v1", tags=["history"])

Direction = Annotated[Literal["asc", "desc"], Query(description="by time")]
STEP = (int | None, Field(default=None, description="the length of a bucket, chosen by `step=auto` too"))


@lists(router, History, Bucket, step_ms=STEP)
def history(
    service: TheService,
    form: InPages,
    question: Annotated[History, Depends(question_of(History))],
    order: Direction = "asc",
) -> Response:
    check_model(service, question.model)
    check_seen_signal(service, "scores", question.model, question.signal)
    span = span_of(service, question)
    head = {**span._asdict(), "step_ms": None}
    where = {name: getattr(question, name) for name in ("model", *SERIES)}
    if question.step is None:
        read_scores = pages_of(service.store, "scores", where, span, descending=order == "desc")
        return listed(form, read_scores, schema(Score), head)
    if order == "desc":
        raise bad_parameter("order", "buckets are ascending: leave out either `order=desc` or `step`")
    step_ms = _step_ms(service, question, where, span, form)

    def read(limit: int, cursor: str | None) -> Page:
        return read_buckets(service.store, where, span, step_ms, limit=limit, cursor=cursor)

    return listed(form, read, schema(Bucket), head | {"step_ms": step_ms}, bucket_rows)


def _step_ms(service: ApiService, question: History, where: dict[str, Any], span: Span, form: Form) -> int:
    if question.step is not None and question.step != "auto":
        return duration_ms("step", question.step)
    if form.cursor:
        # As on the page before, though new scores may have made the span longer.
        return cursor_step_ms(form.cursor)
    watch = service.watches.get(question.model)
    window_ms = watch.model.spec.detect.defaults.step_ms if watch is not None else LADDER_MS[0]
    ends = span_of_scores(service.store, where, span)
    return window_ms if ends is None else chosen_step_ms(ends[1] - ends[0], question.points, window_ms)
