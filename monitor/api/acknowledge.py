"""Taking an alert on, so that people are not told of it again and again."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from monitor.api.alarms import read_alert
from monitor.api.contract import ApiService
from monitor.api.parameters import TheService, answer
from monitor.api.problems import ProblemError
from monitor.routing.acknowledgement_log import AcknowledgementLog

__all__ = ["Acknowledged", "PostedAcknowledgement", "acknowledged", "router"]

router = APIRouter(prefix="/v1", tags=["alerts"])


class PostedAcknowledgement(BaseModel):
    """Who takes an alert on, or gives it back."""

    created_by: str = Field(min_length=1)
    comment: str = ""
    undo: bool = Field(default=False, description="take the acknowledgement back")


class Acknowledged(BaseModel):
    """Who has taken an alert on."""

    created_by: str
    comment: str
    at_ms: int
    sequence: int = Field(description="the transition that the alert stood at")
    holds: bool = Field(description="false once the alert has changed")


class AcknowledgedAlert(BaseModel):
    """Who has taken the alert on now."""

    alert_id: str
    acknowledged: Acknowledged | None


def acknowledged(service: ApiService, alert: dict[str, Any]) -> dict[str, Any] | None:
    """Return who has taken an alert on, which stands at its ``sequence``."""
    found = AcknowledgementLog(service.store, service.clock).get(alert["alert_id"])
    if found is None:
        return None
    said = {name: getattr(found, name) for name in ("created_by", "comment", "at_ms", "sequence")}
    return said | {"holds": found.holds(alert["sequence"])}


@router.post(
    "/alerts/{alert_id}/ack",
    summary="Take an alert on: it is not repeated until it changes",
    response_model=AcknowledgedAlert,
)
def acknowledge(alert_id: str, posted: PostedAcknowledgement, service: TheService) -> Response:
    found = read_alert(service.store, alert_id)
    if found is None:
        raise ProblemError("unknown-alert", f"no alert has the id {alert_id!r}")
    alert, log = found["alert"], AcknowledgementLog(service.store, service.clock)
    if posted.undo:
        log.take_back(alert_id, posted.created_by)
    elif alert["state"] in ("resolved", "cancelled"):
        raise ProblemError("bad-parameter", f"alert {alert_id!r} is over: there is nothing to take on")
    else:
        log.set(alert_id, alert["sequence"], posted.created_by, posted.comment)
    return answer({"alert_id": alert_id, "acknowledged": acknowledged(service, alert)})
