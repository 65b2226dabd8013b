"""The signals that drifted most, of a model, of a namespace, or of all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from monitor.api.alarms import standing_alerts
from monitor.api.forms import IN_FORMS, AskedWhole, listed
from monitor.api.history import EARLIEST_MS, LATEST_MS
from monitor.api.parameters import Paged, Stretch, TheService, models_in
from monitor.api.reading import Page, Row, rows_of
from monitor.api.tables import schema
from sinks.store.contract import Buckets, Store
from sinks.store.contract import Query as StoreQuery

__all__ = ["read_top", "router"]

router = APIRouter(prefix="/v1", tags=["history"])

TOP = schema(
    "model:str signal:str segment:str version:str strength:float detector:str effect:float min_effect:float "
    "statistic:float p_value:float worst_ms:int windows:int drift_windows:int drift_share:float first_drift_ms:int "
    "last_drift_ms:int detectors:strs alert_ids:strs"
)
SERIES = ("model", "signal", "segment", "version")
Series = tuple[str, ...]
AHEAD = 20
"""Buckets that are read beyond those that the signals wanted are likely to need."""
MANY = 200_000
"""Windows in drift from which on only the first and the last one are looked up, series by series."""


class TopSignal(BaseModel):
    """One signal of one version and segment; `detector` to `worst_ms` tell of the window that drifted furthest."""

    model: str
    signal: str
    segment: str
    version: str
    strength: float | None = Field(description="the largest `effect / min_effect` of a window in drift")
    detector: str
    effect: float | None
    min_effect: float | None
    statistic: float | None
    p_value: float | None
    worst_ms: int = Field(description="end of that detector's window with the largest effect")
    windows: int = Field(description="windows that this detector judged")
    drift_windows: int = Field(description="those of them in drift")
    drift_share: float
    first_drift_ms: int = Field(description="end of the first window in drift, by any detector")
    last_drift_ms: int
    detectors: list[str] = Field(description="all that saw drift, the strongest first")
    alert_ids: list[str] = Field(description="alerts of that time in which this signal moved")


class Top(Paged):
    """Signals that drifted, the strongest first."""

    items: list[TopSignal]


@router.get("/top", summary="The signals that drifted most", response_model=Top, responses=IN_FORMS)
def top(
    service: TheService,
    stretch: Stretch,
    asked: AskedWhole,
    *,
    model: str | None = None,
    namespace: Annotated[str | None, Query(description="the models of this namespace")] = None,
    limit: Annotated[int, Query(ge=1, le=10_000, description="most signals in the answer")] = 20,
) -> Response:
    models = models_in(service, model, namespace)
    rows = read_top(service.store, models, (stretch.from_ms, stretch.to_ms), limit)
    page = Page.of(rows, TOP.names)
    head = {"from_ms": stretch.from_ms, "to_ms": stretch.to_ms}
    return listed(asked, lambda limit, cursor: page, TOP, head)


def read_top(store: Store, models: Sequence[str] | None, span: tuple[int | None, int | None], limit: int) -> list[Row]:
    """Return the signals with the largest ``effect / min_effect`` of a window in drift, the largest first.

    Parameters
    ----------
    store : Store
    models : sequence of str or None
        Only of these.
    span : (int or None, int or None)
        Windows that end in ``[from_ms, to_ms)``.
    limit : int

    Raises
    ------
    StoreError
    """
    ends = EARLIEST_MS if span[0] is None else span[0], LATEST_MS if span[1] is None else span[1]
    where = {} if models is None else {"model": list(models)}
    found = _worst_series(store, Buckets(*ends, 0, where, order="worst", limit=AHEAD + 3 * limit), limit)
    if not found:
        return []
    times = _drift_times(store, ends, found)
    alerts = _alert_ids(store, sorted({series[0] for series in found}), span)
    return [_row(buckets, times[series], alerts.get(series, [])) for series, buckets in found.items()]


def _worst_series(store: Store, asked: Buckets, limit: int) -> dict[Series, list[Row]]:
    """Return the series with a window in drift, the worst first, and what each detector that saw one has to say."""
    found: dict[Series, list[Row]] = {}
    while True:
        columns = store.buckets(asked)
        for bucket in rows_of(columns):
            series = tuple(bucket[name] for name in SERIES)
            if bucket["severity"] <= 0:
                return found
            if series in found or len(found) < limit:
                found.setdefault(series, []).append(bucket)
        if len(columns["windows"]) < (asked.limit or 0):
            return found
        if len(found) == limit:
            # Among the buckets not read yet may be further detectors of these.
            return _by_detector(store, asked, list(found))
        asked = replace(asked, after=asked.cursor(columns))


def _among(worst: Iterable[Series]) -> dict[str, list[str]]:
    """Conditions that the series meet, and a few others."""
    return {name: sorted(set(values)) for name, values in zip(SERIES, zip(*worst, strict=True), strict=True)}


def _by_detector(store: Store, asked: Buckets, worst: Sequence[Series]) -> dict[Series, list[Row]]:
    """Return the buckets of some series in which there was drift, the strongest first."""
    found: dict[Series, list[Row]] = {series: [] for series in worst}
    for bucket in rows_of(store.buckets(replace(asked, where=_among(worst), after=(), limit=None))):
        series = tuple(bucket[name] for name in SERIES)
        if bucket["severity"] > 0 and series in found:
            found[series].append(bucket)
    return found


def _drift_times(
    store: Store, ends: tuple[int, int], found: Mapping[Series, list[Row]]
) -> dict[Series, tuple[int, int]]:
    """When the first and the last window in drift ended, of each series."""
    query = StoreQuery(
        "scores",
        {**_among(found), "status": "drift"},
        {"window_end_ms": ends[0]},
        {"window_end_ms": ends[1]},
        columns=(*SERIES, "window_end_ms"),
    )
    if sum(bucket["drift"] for buckets in found.values() for bucket in buckets) > MANY:
        return {series: _first_and_last(store, query, series) for series in found}
    rows = store.read(query)
    times: dict[Series, tuple[int, int]] = {}
    for *series, end_ms in zip(*(_listed(rows[name]) for name in query.columns), strict=True):
        first, last = times.get(tuple(series), (end_ms, end_ms))
        times[tuple(series)] = min(first, end_ms), max(last, end_ms)
    return times


def _first_and_last(store: Store, query: StoreQuery, series: Series) -> tuple[int, int]:
    of_series = replace(query, where={**query.where, **dict(zip(SERIES, series, strict=True))}, limit=1)
    ends = [
        store.read(replace(of_series, order=("window_end_ms",), descending=last))["window_end_ms"][0]
        for last in (False, True)
    ]
    return int(ends[0]), int(ends[1])


def _listed(values: Any) -> list[Any]:
    return list(values.tolist() if hasattr(values, "tolist") else values)


def _alert_ids(store: Store, models: Sequence[str], span: tuple[int | None, int | None]) -> dict[Series, list[str]]:
    ids: dict[Series, list[str]] = {}
    for alert in standing_alerts(store, models, span):
        if alert["state"] in ("firing", "resolved"):
            for series in _moved(alert["model"], alert["signals"]):
                ids.setdefault(series, []).append(alert["alert_id"])
    return ids


def _moved(model: str, signals: Iterable[Row]) -> set[Series]:
    return {(model, s.get("signal", ""), s.get("segment", ""), s.get("version", "")) for s in signals}


def _row(buckets: list[Row], times: tuple[int, int], alert_ids: list[str]) -> Row:
    worst = buckets[0]
    return {
        **{name: worst[name] for name in SERIES},
        "strength": worst["severity"],
        "detector": worst["detector"],
        **{name: worst[f"worst_{name}"] for name in ("effect", "min_effect", "statistic", "p_value")},
        "worst_ms": worst["worst_window_end_ms"],
        "windows": worst["windows"],
        "drift_windows": worst["drift"],
        "drift_share": worst["drift"] / worst["windows"],
        "first_drift_ms": times[0],
        "last_drift_ms": times[1],
        "detectors": [bucket["detector"] for bucket in buckets],
        "alert_ids": alert_ids,
    }
