"""The signals that drifted most, of a model, of a namespace, or of all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Response

from monitor.alerts.alert_log import ALARM_TABLES
from monitor.api.buckets import EARLIEST_MS, LATEST_MS
from monitor.api.forms import Whole, listed_whole, lists
from monitor.api.parameters import Span, TheService, models_in, question_of, span_of
from monitor.api.reading import Row
from monitor.api.standing_alerts import standing_alerts
from monitor.resources.top import Top, TopSignal
from sinks.store.contract import Buckets, Drifting, Query, Store
from sinks.store.parallel import side_by_side
from sinks.store.rows import rows_of

__all__ = ["read_top", "router"]

router = APIRouter(prefix="/v1", tags=["history"])

SERIES = ("model", "signal", "segment", "version")
DETECTED = (*SERIES, "detector")
WORST = ("effect", "min_effect", "statistic", "p_value")
WINDOW = ("window_end_ms", *WORST)
Series = tuple[str, ...]
OF_BUCKETS = (*DETECTED, "windows", "drift", *(f"worst_{name}" for name in WINDOW))


@lists(router, Top)
def top(service: TheService, form: Whole, question: Annotated[Top, Depends(question_of(Top))]) -> Response:
    span = span_of(service, question)
    models = models_in(service, question.model, question.namespace)
    where = {name: [value] for name in ("segment", "version") if (value := getattr(question, name)) is not None}
    rows = read_top(service.store, models, span, question.limit, where)
    return listed_whole(form, rows, TopSignal, span._asdict())


def read_top(
    store: Store,
    models: Sequence[str] | None,
    span: Span,
    limit: int,
    of_series: Mapping[str, Sequence[str]] | None = None,
) -> list[Row]:
    """Return the signals with the largest ``effect / min_effect`` of a window in drift, the largest first.

    Parameters
    ----------
    store : Store
    models : sequence of str or None
        Only of these.
    span : Span
        In which windows end.
    limit : int
    of_series : mapping of str to sequence of str or None
        Only of series with one of these values of ``segment`` and ``version``.

    Raises
    ------
    StoreError
    """
    ends = EARLIEST_MS if span.from_ms is None else span.from_ms, LATEST_MS if span.to_ms is None else span.to_ms
    where = {**({} if models is None else {"model": list(models)}), **(of_series or {})}
    drifted, alerts = side_by_side(
        lambda: _drifted(store, Drifting(*ends, where, limit)), lambda: _alert_ids(store, models, span)
    )
    worst = _worst_in_drift(store, ends, drifted)
    return [_row(row, bucket, worst[_detected(row)], alerts.get(_series(row), [])) for row, bucket in drifted]


def _drifted(store: Store, drifting: Drifting) -> list[tuple[Row, Row]]:
    """The series that drifted, each with what its detector said of all windows."""
    ranked = rows_of(store.drifting(drifting))
    buckets = _buckets(store, (drifting.from_ms, drifting.to_ms), ranked) if ranked else {}
    # Without a bucket where rows of an hour that the span cuts are gone, as a lifetime has it.
    return [(row, buckets[key]) for row in ranked if (key := _detected(row)) in buckets]


def _buckets(store: Store, ends: tuple[int, int], drifted: Sequence[Row]) -> dict[Series, Row]:
    """What the detectors that saw the strongest drift said of all windows, by series and detector."""
    among = tuple(map(_detected, drifted))
    buckets = store.buckets(Buckets(*ends, 0, among=among, columns=OF_BUCKETS))
    return {_detected(bucket): bucket for bucket in rows_of(buckets)}


def _worst_in_drift(store: Store, ends: tuple[int, int], drifted: Sequence[tuple[Row, Row]]) -> dict[Series, Row]:
    """The windows in drift with the largest effects, of the detectors that saw the strongest drift."""
    worst, quiet = {}, []
    for row, bucket in drifted:
        worst[_detected(row)] = window = {name: bucket[f"worst_{name}"] for name in WINDOW}
        if not window["min_effect"] or window["effect"] / window["min_effect"] != row["severity"]:
            # A window that was not in drift had a larger one.
            quiet.append(row)
    if quiet:
        where = {name: sorted({row[name] for row in quiet}) for name in DETECTED} | {"status": "drift"}
        low, high = ({"window_end_ms": end_ms} for end_ms in ends)
        columns = (*DETECTED, *WINDOW)
        query = Query(
            "scores", where, low, high, order=("effect",), descending=True, first_by=DETECTED, columns=columns
        )
        worst |= {_detected(row): row for row in rows_of(store.read(query))}
    return worst


def _series(row: Row) -> Series:
    return tuple(row[name] for name in SERIES)


def _detected(row: Row) -> Series:
    return tuple(row[name] for name in DETECTED)


def _alert_ids(store: Store, models: Sequence[str] | None, span: Span) -> dict[Series, list[str]]:
    ids: dict[Series, list[str]] = {}
    for alert in standing_alerts(store, models, span, tables=ALARM_TABLES):
        if alert["state"] in ("firing", "resolved"):
            for series in _moved(alert["model"], alert["signals"]):
                ids.setdefault(series, []).append(alert["alert_id"])
    return ids


def _moved(model: str, signals: Iterable[Row]) -> set[Series]:
    return {(model, s.get("signal", ""), s.get("segment", ""), s.get("version", "")) for s in signals}


def _row(drifted: Row, bucket: Row, worst: Row, alert_ids: list[str]) -> Row:
    return {
        **{name: drifted[name] for name in SERIES},
        "strength": drifted["severity"],
        "detector": drifted["detector"],
        **{name: worst[name] for name in WORST},
        "worst_ms": worst["window_end_ms"],
        "windows": bucket["windows"],
        "drift_windows": bucket["drift"],
        "drift_share": bucket["drift"] / bucket["windows"],
        "first_drift_ms": drifted["first_drift_ms"],
        "last_drift_ms": drifted["last_drift_ms"],
        "detectors": list(drifted["detectors"]),
        "alert_ids": alert_ids,
    }
