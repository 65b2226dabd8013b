"""The version of the API, the routes in force, and the receivers that they may name."""

from __future__ import annotations

from typing import Annotated, Any

import yaml
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel

from monitor.api.alertmanager.times import written
from monitor.api.contract import ApiService
from monitor.api.parameters import TheService, answer
from monitor.config.alerting import Alerting

__all__ = ["Filters", "Named", "alerting_of", "router"]

router = APIRouter(prefix="/api/v2", tags=["alertmanager"])

VERSION = "0.28.1"

Filters = Annotated[list[str] | None, Query(alias="filter", description='matchers, such as `severity="critical"`')]


class Named(BaseModel):
    """A receiver."""

    name: str


class Spoken(BaseModel):
    """The version that is spoken, and the routes in force."""

    cluster: dict[str, Any]
    versionInfo: dict[str, str]  # noqa: N815
    config: dict[str, str]
    uptime: str


@router.get("/status", summary="The version that is spoken, and the routes in force", response_model=Spoken)
def version_and_routes(service: TheService) -> Response:
    alerting, others = alerting_of(service)
    built = dict.fromkeys(("revision", "branch", "buildUser", "buildDate", "goVersion"), "leeway")
    return answer(
        {
            "cluster": {"status": "disabled", "peers": []},
            "versionInfo": {"version": VERSION, **built},
            "config": {"original": yaml.safe_dump(alerting.as_written(others), allow_unicode=True, sort_keys=False)},
            "uptime": written(service.clock.now_ms()),
        }
    )


@router.get("/receivers", summary="The receivers that routes may name", response_model=list[Named])
def receivers(service: TheService) -> Response:
    alerting, others = alerting_of(service)
    return answer([{"name": name} for name in (*(receiver.name for receiver in alerting.receivers), *others)])


def alerting_of(service: ApiService) -> tuple[Alerting, list[str]]:
    """Return the routes in force, and the names of the receivers that stand beside theirs."""
    spec = service.configuration.service.spec
    digests = [digest.name for digest in spec.routing.leeway.digests]
    return spec.routing, [*(receiver.name for receiver in spec.receivers), *digests]
