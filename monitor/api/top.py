"""The signals that drifted most, of a model, of a namespace, or of all."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from monitor.api.alarms import standing_alerts
from monitor.api.forms import IN_FORMS, AskedWhole, listed
from monitor.api.history import EARLIEST_MS, LATEST_MS
from monitor.api.parameters import Paged, Stretch, TheService, models_in
from monitor.api.reading import Page, Row
from monitor.api.tables import schema
from sinks.store.contract import Buckets, Store
from sinks.store.contract import Query as StoreQuery
from sinks.store.rows import as_list, rows_of

__all__ = ["read_top", "router"]

router = APIRouter(prefix="/v1", tags=["history"])

TOP = schema(
    "model:str signal:str segment:str version:str strength:float detector:str effect:float min_effect:float "
    "statistic:float p_value:float worst_ms:int windows:int drift_windows:int drift_share:float first_drift_ms:int "
    "last_drift_ms:int detectors:strs alert_ids:strs"
)
SERIES = ("model", "signal", "segment", "version")
Series = tuple[str, ...]
AHEAD = 10
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
    worst = _worst_series(store, Buckets(*ends, 0, where, order="worst", limit=AHEAD + 2 * limit), limit)
    if not worst:
        return []
    drifts = _drifts(store, ends, worst)
    alerts = _alert_ids(store, sorted({series[0] for series in worst}), span)
    return [_row(bucket, drifts[series], alerts.get(series, [])) for series, bucket in worst.items()]


def _worst_series(store: Store, asked: Buckets, limit: int) -> dict[Series, Row]:
    """Return the series with a window in drift, the worst first, each with the bucket of its strongest detector."""
    found: dict[Series, Row] = {}
    while True:
        columns = store.buckets(asked)
        for bucket in rows_of(columns):
            if bucket["severity"] <= 0 or len(found) == limit:
                return found
            found.setdefault(tuple(bucket[name] for name in SERIES), bucket)
        if len(columns["windows"]) < (asked.limit or 0):
            return found
        asked = replace(asked, after=asked.cursor(columns))


@dataclass
class _Drift:
    """When the first and the last window in drift ended, and by detector how far the furthest went."""

    first_ms: int
    last_ms: int
    strengths: dict[str, float]

    def add(self, end_ms: int, detector: str, strength: float) -> None:
        self.first_ms, self.last_ms = min(self.first_ms, end_ms), max(self.last_ms, end_ms)
        self.strengths[detector] = max(strength, self.strengths.get(detector, 0.0))

    @property
    def detectors(self) -> list[str]:
        """The strongest first."""
        return sorted(self.strengths, key=lambda name: (-self.strengths[name], name))


def _drifts(store: Store, ends: tuple[int, int], worst: Mapping[Series, Row]) -> dict[Series, _Drift]:
    among = {name: sorted(set(values)) for name, values in zip(SERIES, zip(*worst, strict=True), strict=True)}
    query = StoreQuery(
        "scores",
        {**among, "status": "drift"},
        {"window_end_ms": ends[0]},
        {"window_end_ms": ends[1]},
        columns=(*SERIES, "window_end_ms", "detector", "effect", "min_effect"),
    )
    if sum(bucket["drift"] for bucket in worst.values()) > MANY:
        return {series: _drift_of_many(store, query, Buckets(*ends, 0), series) for series in worst}
    rows = store.read(query)
    drifts: dict[Series, _Drift] = {}
    for *series, end_ms, detector, effect, least in zip(*(as_list(rows[n]) for n in query.columns), strict=True):
        drift = drifts.setdefault(tuple(series), _Drift(end_ms, end_ms, {}))
        drift.add(end_ms, detector, effect / least if least else math.inf)
    return drifts


def _drift_of_many(store: Store, query: StoreQuery, buckets: Buckets, series: Series) -> _Drift:
    """The same without reading every window."""
    where = dict(zip(SERIES, series, strict=True))
    of_series = replace(query, where={**where, "status": "drift"}, order=("window_end_ms",), limit=1)
    first, last = (store.read(replace(of_series, descending=down))["window_end_ms"][0] for down in (False, True))
    found = rows_of(store.buckets(replace(buckets, where=where)))
    strengths = {bucket["detector"]: bucket["severity"] for bucket in found if bucket["severity"] > 0}
    return _Drift(int(first), int(last), strengths)


def _alert_ids(store: Store, models: Sequence[str], span: tuple[int | None, int | None]) -> dict[Series, list[str]]:
    ids: dict[Series, list[str]] = {}
    for alert in standing_alerts(store, models, span):
        if alert["state"] in ("firing", "resolved"):
            for series in _moved(alert["model"], alert["signals"]):
                ids.setdefault(series, []).append(alert["alert_id"])
    return ids


def _moved(model: str, signals: Iterable[Row]) -> set[Series]:
    return {(model, s.get("signal", ""), s.get("segment", ""), s.get("version", "")) for s in signals}


def _row(worst: Row, drift: _Drift, alert_ids: list[str]) -> Row:
    return {
        **{name: worst[name] for name in SERIES},
        "strength": worst["severity"],
        "detector": worst["detector"],
        **{name: worst[f"worst_{name}"] for name in ("effect", "min_effect", "statistic", "p_value")},
        "worst_ms": worst["worst_window_end_ms"],
        "windows": worst["windows"],
        "drift_windows": worst["drift"],
        "drift_share": worst["drift"] / worst["windows"],
        "first_drift_ms": drift.first_ms,
        "last_drift_ms": drift.last_ms,
        "detectors": drift.detectors,
        "alert_ids": alert_ids,
    }
