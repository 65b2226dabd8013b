"""Which models are watched, with what, and how their series are doing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Response

from monitor.api.forms import Whole, listed_whole, lists
from monitor.api.parameters import TheService, answer, watched
from monitor.api.reading import Row, stored_models
from monitor.config import Model
from monitor.config.references import uses_for
from monitor.ingest.names import REASONS
from monitor.resources.models import ModelDetail, Models, ModelSummary, UnregisteredModel, UnregisteredModels
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of

__all__ = ["latest_states", "router"]

router = APIRouter(prefix="/v1", tags=["models"])

LATEST = ("signal", "segment", "version", "detector", "window_end_ms", "status")
GRAVEST_FIRST = ("drift", "warning", "learning", "no_data", "ok")


@lists(router, Models)
def models(service: TheService, form: Whole) -> Response:
    rows = [_summary(model, uses_for(model)) for _, model in sorted(service.configuration.models.items())]
    if not service.configuration.models:
        rows = [_unknown(name) for name in stored_models(service.store)]
    return listed_whole(form, rows, ModelSummary, {})


@lists(router, UnregisteredModels)
def unregistered_models(service: TheService, form: Whole) -> Response:
    rows: dict[tuple[str, str, str], dict[str, Any]] = {}
    for row in rows_of(service.store.read(Query("unregistered_models"))):
        # One that is a model by now was one of these before.
        if row["name"] not in service.configuration.models:
            key = row["model"], row["topic"], row["name"]
            rows[key] = _with_partition(rows.get(key), row)
    listed = [{**row, "reason": REASONS.get(row["reason"], row["reason"])} for _, row in sorted(rows.items())]
    return listed_whole(form, listed, UnregisteredModel, {})


def _with_partition(former: dict[str, Any] | None, row: Row) -> dict[str, Any]:
    """Add what one partition holds of a name to what others do."""
    first_ms, last_ms = (None if row[name] < 0 else row[name] for name in ("first_ms", "last_ms"))
    of_partition = {
        "name": row["name"],
        "template": row["model"],
        "topic": row["topic"],
        "messages": row["messages"],
        "first_ms": first_ms,
        "last_ms": last_ms,
        "partition": row["partition"],
        "offset": row["first_offset"],
        "reason": row["reason"],
    }
    if former is None:
        return of_partition
    first, newer = sorted((former, of_partition), key=lambda each: (each["first_ms"] or 0, each["partition"]))
    last_ms = max(former["last_ms"] or 0, last_ms or 0) or None
    return {**first, "messages": first["messages"] + newer["messages"], "last_ms": last_ms}


@router.get("/models/{model}", summary="One model: configuration, detectors, state", response_model=ModelDetail)
def model_detail(service: TheService, model: str) -> Response:
    watch = watched(service, model)
    return answer(
        _summary(watch.model, watch.uses)
        | {
            "configuration": watch.document,
            "uses": watch.uses_document,
            "series": latest_states(service.store, model),
        }
    )


def latest_states(store: Store, model: str) -> list[dict[str, Any]]:
    """Return the newest status of every series of ``model``, in the order of their names."""
    series: dict[tuple[str, str, str], dict[str, Row]] = {}
    for row in rows_of(store.read(Query("latest", {"model": model}, columns=LATEST))):
        series.setdefault((row["signal"], row["segment"], row["version"]), {})[row["detector"]] = row
    return [_state(name, newest) for name, newest in sorted(series.items())]


def _state(name: tuple[str, str, str], newest: dict[str, Row]) -> dict[str, Any]:
    statuses = {detector: row["status"] for detector, row in sorted(newest.items())}
    return {
        "signal": name[0],
        "segment": name[1],
        "version": name[2],
        "state": min(statuses.values(), key=GRAVEST_FIRST.index),
        "window_end_ms": max(row["window_end_ms"] for row in newest.values()),
        "detectors": statuses,
    }


def _unknown(name: str) -> dict[str, Any]:
    """A model of which there is only what was stored."""
    return {"name": name, "namespace": "", "owner": "", "labels": {}, "signals": None, "sources": []}


def _summary(model: Model, uses: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": model.name,
        "namespace": model.metadata.namespace,
        "owner": model.metadata.owner,
        "labels": model.metadata.labels,
        "signals": sum(1 for detectors in uses.values() if detectors),
        "sources": [source.topic for source in model.spec.sources],
    }
