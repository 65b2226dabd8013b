"""All models at a glance."""

from __future__ import annotations

import gzip
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from monitor.alerts.alert_log import FRESHNESS
from monitor.alerts.policy import SEVERITIES
from monitor.api.contract import ApiService
from monitor.api.forms import FORMS, Whole, listed_whole, lists, takes_gzip
from monitor.api.own_part import OwnPart
from monitor.api.parameters import TheService, models_in, question_of
from monitor.api.reading import Row, stored_models
from monitor.api.standing_alerts import rejected_models, standing_alerts
from monitor.api.status import newest_end_ms
from monitor.resources.fleet import HEALTHS, STEPS, Fleet, FleetModel
from monitor.resources.heatmap import MOST_STRENGTH
from monitor.routing.acknowledgement_log import Acknowledgement, acknowledgements_of
from monitor.values import DAY_MS
from sinks.store.contract import Drifting, Query, Store
from sinks.store.parallel import side_by_side
from sinks.store.rows import rows_of

__all__ = ["read_fleet", "router"]

router = APIRouter(prefix="/v1", tags=["models"])

JUDGED = ("ok", "warning", "drift")
OF_LATEST = ("model", "signal", "segment", "version", "window_end_ms", "status")
OF_FRESHNESS = ("model", "last_ms", "silent_ms", "allowed_ms", "standing")


@lists(router, Fleet)
def fleet(
    request: Request, service: TheService, form: Whole, question: Annotated[Fleet, Depends(question_of(Fleet))]
) -> Response:
    chosen = models_in(service, None, question.namespace)
    names = sorted(chosen if chosen is not None else service.configuration.models or stored_models(service.store))
    rows, span = read_fleet(service, names, question.days)
    listed = listed_whole(form, rows, FleetModel, {"from_ms": span[0], "to_ms": span[1]})
    # A thousand models are 400 KB, in which hardly anything differs from row to row.
    return _packed(listed) if listed.media_type == FORMS["json"] and takes_gzip(request) else listed


def _packed(answer: Response) -> Response:
    headers = {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
    body = gzip.compress(answer.body, compresslevel=1, mtime=0)
    return Response(body, answer.status_code, headers, media_type=answer.media_type)


@dataclass
class _Newest:
    """What the newest windows of a model say."""

    ends_ms: list[tuple[str, int]] = field(default_factory=list)
    """Of each series, by signal."""
    is_judged: bool = False
    drifts: dict[tuple[str, str, str], int] = field(default_factory=dict)
    """By series, when its window ended."""

    @property
    def end_ms(self) -> int:
        """How far it is judged; 0 if it is not."""
        return newest_end_ms(self.ends_ms) or 0

    @property
    def drifting(self) -> int:
        # A version that is gone stands in drift for ever.
        newest_ms = self.end_ms
        return sum(1 for end_ms in self.drifts.values() if end_ms > newest_ms - DAY_MS)


@dataclass
class _Drift:
    """How far a model was from normal."""

    strengths: list[float] = field(default_factory=lambda: [0.0] * STEPS)
    strength: float = 0.0
    signal: str = ""


def read_fleet(service: ApiService, names: Sequence[str], days: int) -> tuple[list[Row], tuple[int | None, int | None]]:
    """Return a row for each model, what needs a look first, and the time that they show.

    Raises
    ------
    StoreError
    """
    newest = _newest(service.store, names)
    # A clock that runs ahead does not move everybody's time.
    end_ms = min(max((model.end_ms for model in newest.values()), default=0), service.clock.now_ms())
    span = (end_ms + 1 - days * DAY_MS, end_ms + 1)
    alerts, drifts, silences, labelled, rejected = side_by_side(
        lambda: standing_alerts(service.store, names, state="firing"),
        lambda: _drifts(service.store, names, span),
        lambda: _silences(service.store, names),
        lambda: _labelled(service, names, span),
        lambda: service.rejected_models() if isinstance(service, OwnPart) else rejected_models(service.store),
    )
    acknowledged = acknowledgements_of(service.store, [alert["alert_id"] for alert in alerts])
    of_models: dict[str, list[Row]] = {name: [] for name in names}
    for alert in alerts:
        of_models[alert["model"]].append(alert)
    rows = [
        _described(service, name)
        | _alerted(of_models[name], acknowledged, rejected.get(name))
        | _moved(newest.get(name, _Newest()), drifts.get(name, _Drift()))
        | _fresh(silences.get(name))
        | {"labelled": labelled.get(name)}
        for name in names
    ]
    rows = [
        {"health": _health(of_models[name], newest.get(name), is_rejected=name in rejected), **row}
        for name, row in zip(names, rows, strict=True)
    ]
    return sorted(rows, key=_urgency), span if end_ms else (None, None)


def _newest(store: Store, names: Sequence[str]) -> dict[str, _Newest]:
    newest: dict[str, _Newest] = {}
    columns = store.read(Query("latest", {"model": list(names)}, columns=OF_LATEST))
    for model, *series, end_ms, status in zip(*(columns[name] for name in OF_LATEST), strict=True):
        stand = newest.setdefault(model, _Newest())
        stand.ends_ms.append((series[0], int(end_ms)))
        stand.is_judged |= status in JUDGED
        if status == "drift":
            signal, segment, version = series
            stand.drifts[signal, segment, version] = int(end_ms)
    return newest


def _drifts(store: Store, names: Sequence[str], span: tuple[int, int]) -> dict[str, _Drift]:
    """How far models were from normal in each part of a span."""
    drifts: dict[str, _Drift] = {}
    for row in rows_of(store.drifting(Drifting(*span, {"model": list(names)}, parts=STEPS))):
        drift, part = drifts.setdefault(row["model"], _Drift()), row["part"]
        strength = min(row["severity"], MOST_STRENGTH)
        # They come by severity: the first of a model, and of a part of it, is its largest.
        drift.strengths[part] = drift.strengths[part] or round(strength, 2)
        drift.strength, drift.signal = drift.strength or strength, drift.signal or row["signal"]
    return drifts


def _silences(store: Store, names: Sequence[str]) -> dict[str, Row]:
    rows = rows_of(store.read(Query("freshness", {"model": list(names), "kind": "model"}, columns=OF_FRESHNESS)))
    return {row["model"]: row for row in rows}


def _labelled(service: ApiService, names: Collection[str], span: tuple[int, int]) -> dict[str, float]:
    """The share of predictions that have a label, of models that compare them."""
    watches = service.watches
    compared = [name for name in names if name in watches and watches[name].model.spec.performance_plan is not None]
    if not compared:
        return {}
    where = {"model": compared, "segment": "", "age_ms": 0}
    of_hours = ("model", "predictions", "labelled")
    columns = service.store.read(
        Query("performance", where, low={"hour_ms": span[0]}, high={"hour_ms": span[1]}, columns=of_hours)
    )
    totals: dict[str, list[int]] = {}
    for model, predictions, labelled in zip(*(columns[name] for name in of_hours), strict=True):
        of_model = totals.setdefault(model, [0, 0])
        of_model[0] += int(predictions)
        of_model[1] += int(labelled)
    return {model: labelled / predictions for model, (predictions, labelled) in totals.items() if predictions}


def _described(service: ApiService, name: str) -> Row:
    model = service.configuration.models.get(name)
    if model is None:
        return {"model": name, "namespace": "", "owner": "", "labels": {}}
    metadata = model.metadata
    return {"model": name, "namespace": metadata.namespace, "owner": metadata.owner, "labels": metadata.labels}


def _alerted(
    alerts: Sequence[Row], acknowledged: Mapping[str, Acknowledgement], rejected: Row | None
) -> dict[str, Any]:
    taken_on = [
        alert["alert_id"]
        for alert in alerts
        if (taken := acknowledged.get(alert["alert_id"])) is not None and taken.holds(alert["sequence"])
    ]
    gravest = min(alerts, key=lambda alert: (-_gravity(alert["severity"]), alert["starts_ms"]), default=None)
    if gravest is None:
        shown = {"severity": "", "alert_id": "", "title": "", "since_ms": None}
    else:
        shown = {name: gravest[name] for name in ("severity", "alert_id", "title")}
        shown["since_ms"] = gravest["starts_ms"]
    if rejected is not None and not _is_firing(alerts):
        # The alert is one of the service, which whoever is bound to a namespace does not see.
        shown |= {"title": rejected["title"], "since_ms": rejected["starts_ms"]}
    return {"alerts": len(alerts), **shown, "acknowledged": len(taken_on)}


def _moved(newest: _Newest, drift: _Drift) -> dict[str, Any]:
    return {
        "drifting": newest.drifting,
        "signal": drift.signal,
        "strength": drift.strength or None,
        "strengths": drift.strengths,
        "window_end_ms": newest.end_ms or None,
    }


def _fresh(silence: Row | None) -> dict[str, Any]:
    if silence is None:
        return {"last_event_ms": None, "silent_ms": None, "allowed_ms": None}
    return {
        "last_event_ms": silence["last_ms"] or None,
        "silent_ms": silence["silent_ms"],
        "allowed_ms": silence["allowed_ms"] or None,
    }


def _is_firing(alerts: Sequence[Row]) -> bool:
    return any(alert["labels"].get("alertname") != FRESHNESS for alert in alerts)


def _health(alerts: Sequence[Row], newest: _Newest | None, *, is_rejected: bool) -> str:
    if _is_firing(alerts):
        return "firing"
    if is_rejected:
        return "rejected"
    if alerts:
        return "silent"
    return "fine" if newest is not None and newest.is_judged else "learning"


def _gravity(severity: str) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else -1


def _urgency(row: Row) -> tuple[Any, ...]:
    """What fires first, the gravest and then the furthest from normal; then by name."""
    return HEALTHS.index(row["health"]), -_gravity(row["severity"]), -(row["strength"] or 0), row["model"]
