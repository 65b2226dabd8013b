"""The page of an alert, and the list of those that stand: where the links in messages lead."""

from __future__ import annotations

from shlex import join
from typing import Any

from fastapi import APIRouter, Request, Response

from monitor.alerts.alert_log import ESTIMATOR, ROLLOUT
from monitor.alerts.lifecycle import POSTED
from monitor.alerts.own import MODEL
from monitor.api.acknowledge import acknowledged
from monitor.api.alert_pages import read_alert
from monitor.api.contract import ApiService
from monitor.api.incidents import Book
from monitor.api.parameters import TheService
from monitor.api.problems import ProblemError
from monitor.api.standing_alerts import standing_alerts
from monitor.web.page import SCRIPTED, page
from monitor.web.shells import ALERTS

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

MOST_LISTED = 200


@router.get("/alerts")
def list_alerts(request: Request, service: TheService) -> Response:
    alerts = sorted(standing_alerts(service.store, None), key=lambda row: (row["state"] != "firing", -row["at_ms"]))
    omitted = max(0, len(alerts) - MOST_LISTED)
    listed: dict[str, Any] = {"alerts": alerts[:MOST_LISTED], "omitted": omitted}
    return page(request, "alerts.html", policy=SCRIPTED, shell=ALERTS, names={}, questions=ALERTS.asked({}), **listed)


@router.get("/alerts/{alert_id}")
def show_alert(request: Request, service: TheService, alert_id: str) -> Response:
    try:
        document = read_alert(service.store, alert_id)
    except ProblemError as problem:
        return page(request, "missing.html", 404, detail=problem.detail)
    alert = document["alert"]
    return page(
        request,
        "alert.html",
        **document,
        acknowledged=acknowledged(service, alert),
        annotations=next((posted["annotations"] for posted in alert["signals"] if alert["model"] == POSTED), {}),
        causes=_causes(service, alert_id),
        commands=_commands(alert, _alarmed_ms(document)),
    )


def _causes(service: ApiService, alert_id: str) -> list[dict[str, Any]]:
    """Return what may be behind an alert; nothing of one that never fired."""
    book = Book(service)
    try:
        return book.causes(book.incident(alert_id))
    except ProblemError:
        return []


def _alarmed_ms(document: dict[str, Any]) -> int:
    """Return when a transition last said that it alarmed: the window that resolved it did not."""
    alarmed: list[int] = [step["at_ms"] for step in document["transitions"] if step["state"] in ("firing", "updated")]
    return max(alarmed, default=int(document["alert"]["at_ms"]))


def _commands(alert: dict[str, Any], alarmed_ms: int) -> list[tuple[str, str]]:
    """Return what to do, and the command for it."""
    commands = [("take it on", join(["leeway", "ack", alert["alert_id"]]))]
    commands += [("who was notified, and why", join(["leeway", "alerts", "explain", alert["alert_id"]]))]
    if alert["model"] in (POSTED, MODEL):
        return commands
    if alert["labels"].get("alertname") == ROLLOUT:
        return [*commands, ("the evidence", join(["leeway", "rollout", "status", alert["labels"]["rollout"]]))]
    if alert["labels"].get("alertname") == ESTIMATOR:
        command = join(["leeway", "estimates", "--model", alert["model"]])
        return [*commands, ("what was estimated, and what came of it", command)]
    # A silence is of no signal.
    for moved in [moved for moved in alert["signals"][:1] if "signal" in moved]:
        model, signal = alert["model"], moved["signal"]
        series = [f"--{name}={moved[name]}" for name in ("version", "segment") if moved.get(name)]
        commands += [
            ("why it alarmed", join(["leeway", "explain", model, signal, "--at", str(alarmed_ms - 1), *series])),
            (
                "how it went",
                join(["leeway", "history", "--model", model, "--signal", signal, *series, "--from", "-7d", "--line"]),
            ),
            ("if the new level is right", join(["leeway", "accept", model, signal, *series, "--reason", "…"])),
        ]
    return commands
