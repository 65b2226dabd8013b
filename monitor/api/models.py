"""Which models are watched, with what, and how their series are doing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from monitor.api.forms import IN_FORMS, AskedWhole, listed
from monitor.api.parameters import Paged, TheService, answer, watched
from monitor.api.reading import Page, Row, stored_models
from monitor.api.tables import schema
from monitor.config import Model
from monitor.config.references import uses_for
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of

__all__ = ["latest_states", "router"]

router = APIRouter(prefix="/v1", tags=["models"])

MODELS = schema("name:str namespace:str owner:str labels:map signals:int sources:strs")
LATEST = ("signal", "segment", "version", "detector", "window_end_ms", "status")
GRAVEST_FIRST = ("drift", "warning", "learning", "no_data", "ok")
Status = Literal["ok", "warning", "drift", "no_data", "learning"]


class ModelSummary(BaseModel):
    """A model in the list of all."""

    name: str
    namespace: str
    owner: str
    labels: dict[str, str]
    signals: int | None = Field(description="how many signals are watched; null without the configuration")
    sources: list[str] = Field(description="topics, files and HTTP streams")


class Models(Paged):
    """Every model, by name."""

    items: list[ModelSummary]


class Series(BaseModel):
    """A series in its newest window."""

    signal: str
    segment: str
    version: str
    state: Status = Field(description="the gravest of its detectors: drift, warning, learning, no_data, ok")
    window_end_ms: int
    detectors: dict[str, Status]


class ModelDetail(ModelSummary):
    """A model, its configuration with all defaults, and the state of its series."""

    configuration: dict[str, Any]
    uses: dict[str, dict[str, dict[str, Any]]] = Field(description="detectors and their parameters, by signal")
    series: list[Series] = Field(description="every series that was ever judged")


@router.get("/models", summary="The models that are watched", response_model=Models, responses=IN_FORMS)
def models(service: TheService, asked: AskedWhole) -> Response:
    rows = [_summary(model, uses_for(model)) for _, model in sorted(service.configuration.models.items())]
    if not service.configuration.models:
        rows = [_unknown(name) for name in stored_models(service.store)]
    page = Page.of(rows, MODELS.names)
    return listed(asked, lambda limit, cursor: page, MODELS, {})


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
        "signals": sum(1 for found in uses.values() if found),
        "sources": [source.topic for source in model.spec.sources],
    }
