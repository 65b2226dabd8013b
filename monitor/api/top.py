"""The signals that drifted most, of a model, of a namespace, or of all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from monitor.api.alarms import standing_alerts
from monitor.api.forms import IN_FORMS, AskedWhole, listed
from monitor.api.history import EARLIEST_MS, LATEST_MS
from monitor.api.parameters import Paged, Stretch, TheService, models_in
from monitor.api.reading import Page, Row
from monitor.api.tables import schema
from sinks.store.contract import Buckets, Drifting, Store
from sinks.store.parallel import side_by_side
from sinks.store.rows import rows_of

__all__ = ["read_top", "router"]

router = APIRouter(prefix="/v1", tags=["history"])

TOP = schema(
    "model:str signal:str segment:str version:str strength:float detector:str effect:float min_effect:float "
    "statistic:float p_value:float worst_ms:int windows:int drift_windows:int drift_share:float first_drift_ms:int "
    "last_drift_ms:int detectors:strs alert_ids:strs"
)
SERIES = ("model", "signal", "segment", "version")
Series = tuple[str, ...]
OF_BUCKETS = (
    *SERIES,
    "detector",
    "windows",
    "drift",
    *(f"worst_{name}" for name in ("window_end_ms", "effect", "min_effect", "statistic", "p_value")),
)


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
    drifted, alerts = side_by_side(
        lambda: _drifted(store, Drifting(*ends, where, limit)), lambda: _alert_ids(store, models, span)
    )
    return [_row(row, bucket, alerts.get(_series(row), [])) for row, bucket in drifted]


def _drifted(store: Store, drifting: Drifting) -> list[tuple[Row, Row]]:
    """The series that drifted, each with what its detector said of all windows."""
    ranked = rows_of(store.drifting(drifting))
    buckets = _buckets(store, (drifting.from_ms, drifting.to_ms), ranked) if ranked else {}
    # Without a bucket where rows of an hour that the span cuts are gone, as a lifetime has it.
    return [(row, buckets[found]) for row in ranked if (found := _judged(row)) in buckets]


def _buckets(store: Store, ends: tuple[int, int], drifted: Sequence[Row]) -> dict[Series, Row]:
    """What the detectors that saw the strongest drift said of all windows, by series and detector."""
    among = tuple(map(_judged, drifted))
    found = store.buckets(Buckets(*ends, 0, among=among, columns=OF_BUCKETS))
    return {_judged(bucket): bucket for bucket in rows_of(found)}


def _series(row: Row) -> Series:
    return tuple(row[name] for name in SERIES)


def _judged(row: Row) -> Series:
    return (*_series(row), row["detector"])


def _alert_ids(
    store: Store, models: Sequence[str] | None, span: tuple[int | None, int | None]
) -> dict[Series, list[str]]:
    ids: dict[Series, list[str]] = {}
    for alert in standing_alerts(store, models, span):
        if alert["state"] in ("firing", "resolved"):
            for series in _moved(alert["model"], alert["signals"]):
                ids.setdefault(series, []).append(alert["alert_id"])
    return ids


def _moved(model: str, signals: Iterable[Row]) -> set[Series]:
    return {(model, s.get("signal", ""), s.get("segment", ""), s.get("version", "")) for s in signals}


def _row(drifted: Row, bucket: Row, alert_ids: list[str]) -> Row:
    return {
        **{name: drifted[name] for name in SERIES},
        "strength": drifted["severity"],
        "detector": drifted["detector"],
        **{name: bucket[f"worst_{name}"] for name in ("effect", "min_effect", "statistic", "p_value")},
        "worst_ms": bucket["worst_window_end_ms"],
        "windows": bucket["windows"],
        "drift_windows": bucket["drift"],
        "drift_share": bucket["drift"] / bucket["windows"],
        "first_drift_ms": drifted["first_drift_ms"],
        "last_drift_ms": drifted["last_drift_ms"],
        "detectors": list(drifted["detectors"]),
        "alert_ids": alert_ids,
    }
