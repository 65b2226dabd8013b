"""History: scores of windows, and findings of per-event detectors."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from monitor.api.contract import ApiService
from monitor.api.forms import IN_FORMS, Asked, ReadPage, Wanted, listed
from monitor.api.history import (
    BUCKET_TYPES,
    LADDER_MS,
    bucket_rows,
    chosen_step_ms,
    cursor_step_ms,
    read_buckets,
    span_of,
)
from monitor.api.parameters import Paged, Stretch, TheService, TimeRange, duration_ms, known_model
from monitor.api.problems import ProblemError
from monitor.api.reading import Page, query_for, read_page
from monitor.api.tables import of_table
from sinks.store.contract import Store

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["history"])

SCORES, FINDINGS = of_table("scores"), of_table("findings")
POINTS = 500
Where = dict[str, "str | None"]

Status = Literal["ok", "warning", "drift", "no_data", "learning"]
Order = Annotated[Literal["asc", "desc"], Query(description="by time")]
Segment = Annotated[
    str | None, Query(description="such as `country=DE`; empty is all traffic, absent is every segment")
]


class Score(BaseModel):
    """What one detector said about one window of one series."""

    model: str
    signal: str
    segment: str
    version: str
    detector: str
    window_end_ms: int
    window_ms: int
    statistic: float | None
    effect: float | None = Field(description="how large the change is")
    min_effect: float | None = Field(description="how large it must be to matter")
    p_value: float | None
    surprise: float | None = Field(description="how far beyond the signal's usual variation")
    surprise_limit: float | None
    status: Status
    n: int = Field(description="events in the window")
    baseline_n: int
    baseline_from_ms: int
    baseline_to_ms: int
    idle: str = Field(description="partitions that were silent when this was decided, or lost messages of it (`:lost`)")
    detail: str


class Bucket(BaseModel):
    """The windows of one series and detector that end in `(bucket_start_ms, bucket_end_ms]`."""

    model: str
    signal: str
    segment: str
    version: str
    detector: str
    bucket_start_ms: int
    bucket_end_ms: int
    windows: int
    n: int
    statistic_min: float | None
    statistic_mean: float | None
    statistic_max: float | None
    statuses: dict[Status, int] = Field(description="how many windows had each status")
    worst: Score = Field(description="the window with the largest effect")


class History(Paged):
    """Scores, or buckets of them where `step` was given."""

    step_ms: int | None = Field(default=None, description="the length of a bucket, chosen by `step=auto` too")
    items: list[Score] | list[Bucket]


class Finding(BaseModel):
    """One observation at which a per-event detector fired."""

    model: str
    signal: str
    version: str
    detector: str
    topic: str
    partition: int
    offset: int
    event_ms: int
    value: float | None
    score: float | None
    status: Literal["drift", "anomaly"] = Field(description="that things are different from here on, or only here")
    level: float | None = Field(
        default=None, description="how an anomaly's score compares with those before: 0 to 1; null for a drift"
    )


class Findings(Paged):
    """Findings, by event time."""

    items: list[Finding]


@router.get("/history", summary="Scores of a model's windows", response_model=History, responses=IN_FORMS)
def history(
    service: TheService,
    stretch: Stretch,
    asked: Asked,
    *,
    model: str,
    signal: str | None = None,
    segment: Segment = None,
    version: str | None = None,
    detector: str | None = None,
    step: Annotated[
        str | None, Query(description="buckets of this length, such as `1h`; `auto` chooses one for the span")
    ] = None,
    points: Annotated[
        int, Query(ge=1, le=100_000, description="with `step=auto`: most buckets of each series and detector")
    ] = POINTS,
    order: Order = "asc",
) -> Response:
    known_model(service, model)
    where: Where = {"model": model, "signal": signal, "segment": segment, "version": version, "detector": detector}
    head = {"from_ms": stretch.from_ms, "to_ms": stretch.to_ms, "step_ms": None}
    if step is None:
        return listed(asked, _rows("scores", service.store, where, stretch, order), SCORES, head)
    if order == "desc":
        message = "buckets are ascending: leave out either `order=desc` or `step`"
        raise ProblemError("bad-parameter", message, errors=[{"field": "order", "message": message}])
    span = stretch.from_ms, stretch.to_ms
    step_ms = _auto_ms(service, where, span, points, asked) if step == "auto" else duration_ms("step", step)

    def read(limit: int, cursor: str | None) -> Page:
        return read_buckets(service.store, where, span, step_ms, limit=limit, cursor=cursor)

    return listed(asked, read, BUCKET_TYPES, head | {"step_ms": step_ms}, bucket_rows)


@router.get(
    "/findings",
    summary="Observations at which a per-event detector fired",
    response_model=Findings,
    responses=IN_FORMS,
)
def findings(
    service: TheService,
    stretch: Stretch,
    asked: Asked,
    *,
    model: str,
    signal: str | None = None,
    version: str | None = None,
    detector: str | None = None,
    order: Order = "asc",
) -> Response:
    known_model(service, model)
    where: Where = {"model": model, "signal": signal, "version": version, "detector": detector}
    head = {"from_ms": stretch.from_ms, "to_ms": stretch.to_ms}
    return listed(asked, _rows("findings", service.store, where, stretch, order), FINDINGS, head)


def _rows(table: str, store: Store, where: Where, stretch: TimeRange, order: str) -> ReadPage:
    def read(limit: int, cursor: str | None) -> Page:
        query = query_for(
            table, where, from_ms=stretch.from_ms, to_ms=stretch.to_ms, limit=limit, descending=order == "desc"
        )
        return read_page(store, query, cursor)

    return read


def _auto_ms(service: ApiService, where: Where, span: tuple[int | None, int | None], points: int, asked: Wanted) -> int:
    """A further page keeps the step of the one before, though new scores may have made the span longer."""
    if asked.cursor:
        return cursor_step_ms(asked.cursor)
    watch = service.watches.get(str(where["model"]))
    window_ms = watch.model.spec.detect.defaults.step_ms if watch is not None else LADDER_MS[0]
    ends = span_of(service.store, where, span)
    return window_ms if ends is None else chosen_step_ms(ends[1] - ends[0], points, window_ms)
