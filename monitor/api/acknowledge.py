"""Acknowledgements: somebody takes an alert on, so that it is not repeated."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response
from pydantic import Field, StrictBool

from monitor.api.alert_pages import read_alert
from monitor.api.contract import ApiService
from monitor.api.parameters import TheService, answer
from monitor.api.people import Author, Comment
from monitor.api.problems import ProblemError
from monitor.resources.alerts import AcknowledgedAlert
from monitor.routing.acknowledgement_log import AcknowledgementLog
from monitor.values import Strict

__all__ = ["PostedAcknowledgement", "acknowledged", "router"]

router = APIRouter(prefix="/v1", tags=["alerts"])


class PostedAcknowledgement(Strict):
    """Who takes an alert on, or gives it back."""

    created_by: Author
    comment: Comment = ""
    undo: StrictBool = Field(default=False, description="take the acknowledgement back")


def acknowledged(service: ApiService, alert: dict[str, Any]) -> dict[str, Any] | None:
    """Return who has taken an alert on, which stands at its ``sequence``."""
    taken = AcknowledgementLog(service.store, service.clock).get(alert["alert_id"])
    if taken is None:
        return None
    row = {name: getattr(taken, name) for name in ("created_by", "comment", "at_ms", "sequence")}
    return row | {"holds": taken.holds(alert["sequence"])}


@router.post(
    "/alerts/{alert_id}/ack",
    summary="Take an alert on: it is not repeated until it changes",
    response_model=AcknowledgedAlert,
)
def acknowledge(alert_id: str, posted: PostedAcknowledgement, service: TheService) -> Response:
    alert = read_alert(service.store, alert_id)["alert"]
    log = AcknowledgementLog(service.store, service.clock)
    if posted.undo:
        log.take_back(alert_id, created_by=posted.created_by)
    elif alert["state"] in ("resolved", "cancelled"):
        raise ProblemError("bad-parameter", f"alert {alert_id!r} is over: there is nothing to take on")
    else:
        log.set(alert_id, alert["sequence"], posted.created_by, posted.comment)
    return answer({"alert_id": alert_id, "acknowledged": acknowledged(service, alert)})
