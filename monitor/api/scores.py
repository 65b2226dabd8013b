"""History: scores of windows, and findings of per-event detectors."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from monitor.api.history import read_buckets
from monitor.api.parameters import Cursor, Limit, Paged, Stretch, TheService, answer, duration_ms, known_model
from monitor.api.problems import ProblemError
from monitor.api.reading import Page, query_for, read_page

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["history"])

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
    idle: str = Field(description="partitions that were silent when this was decided")
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

    step_ms: int | None = None
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
    status: Status


class Findings(Paged):
    """Findings, by event time."""

    items: list[Finding]


@router.get("/history", summary="Scores of a model's windows", response_model=History)
def history(
    service: TheService,
    stretch: Stretch,
    *,
    model: str,
    signal: str | None = None,
    segment: Segment = None,
    version: str | None = None,
    detector: str | None = None,
    step: Annotated[str | None, Query(description="buckets of this length, such as `1h`")] = None,
    order: Order = "asc",
    limit: Limit = 1_000,
    cursor: Cursor = None,
) -> Response:
    known_model(service, model)
    where = {"model": model, "signal": signal, "segment": segment, "version": version, "detector": detector}
    step_ms = duration_ms("step", step) if step is not None else None
    query = query_for(
        "scores", where, from_ms=stretch.from_ms, to_ms=stretch.to_ms, limit=limit, descending=order == "desc"
    )
    if step_ms is None:
        page = read_page(service.store, query, cursor)
    elif query.descending:
        message = "buckets are ascending: leave out either `order=desc` or `step`"
        raise ProblemError("bad-parameter", message, errors=[{"field": "order", "message": message}])
    else:
        page = read_buckets(service.store, query, step_ms, cursor)
    return answer(_document(page, stretch) | {"step_ms": step_ms})


@router.get("/findings", summary="Observations at which a per-event detector fired", response_model=Findings)
def findings(
    service: TheService,
    stretch: Stretch,
    *,
    model: str,
    signal: str | None = None,
    version: str | None = None,
    detector: str | None = None,
    order: Order = "asc",
    limit: Limit = 1_000,
    cursor: Cursor = None,
) -> Response:
    known_model(service, model)
    where = {"model": model, "signal": signal, "version": version, "detector": detector}
    query = query_for(
        "findings", where, from_ms=stretch.from_ms, to_ms=stretch.to_ms, limit=limit, descending=order == "desc"
    )
    return answer(_document(read_page(service.store, query, cursor), stretch))


def _document(page: Page, stretch: Stretch) -> dict[str, object]:
    return {
        "from_ms": stretch.from_ms,
        "to_ms": stretch.to_ms,
        "next_cursor": page.next_cursor,
        "items": page.rows,
    }
