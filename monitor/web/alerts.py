"""The page of an alert, and the list of those that stand: where the links in messages lead."""

from __future__ import annotations

from collections.abc import Sequence
from shlex import join
from typing import Any

from fastapi import APIRouter, Request, Response

from monitor.alerts.alert_log import ESTIMATOR, ROLLOUT
from monitor.alerts.own import MODEL
from monitor.alerts.transition import POSTED
from monitor.api.accepted_levels import accepted_levels
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

SERIES = ("version", "segment", "signal")
MOST_LISTED = 200
MOST_ACCEPTED = 4
"""How many levels a page offers to accept; whoever accepts more does so on the incident's page, all at once."""


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
    levels = accepted_levels(service.store, alert, service.clock.now_ms())
    return page(
        request,
        "alert.html",
        **document,
        acknowledged=acknowledged(service, alert),
        annotations=next((posted["annotations"] for posted in alert["signals"] if alert["model"] == POSTED), {}),
        causes=_causes(service, alert_id),
        commands=_commands(service, alert, _alarmed_ms(document)),
        accepted=levels,
        acceptances=_acceptances(service, alert, levels),
        most_accepted=MOST_ACCEPTED,
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


def _commands(service: ApiService, alert: dict[str, Any], alarmed_ms: int) -> list[tuple[str, str]]:
    """Return what to do, and the command for it."""
    commands = [("take it on", _command(service, "ack", alert["alert_id"]))]
    commands += [("who was notified, and why", _command(service, "alerts", "explain", alert["alert_id"]))]
    if alert["model"] in (POSTED, MODEL):
        return commands
    if alert["labels"].get("alertname") == ROLLOUT:
        return [*commands, ("the evidence", _command(service, "rollout", "status", alert["labels"]["rollout"]))]
    if alert["labels"].get("alertname") == ESTIMATOR:
        command = _command(service, "estimates", "--model", alert["model"])
        return [*commands, ("what was estimated, and what came of it", command)]
    for moved in _title_first(alert)[:1]:
        model, signal, series = alert["model"], moved["signal"], _series_of(moved)
        commands += [
            ("why it alarmed", _command(service, "explain", model, signal, "--at", str(alarmed_ms - 1), *series)),
            (
                "how it went",
                _command(service, "history", "--model", model, "--signal", signal, *series, "--from", "-7d", "--line"),
            ),
        ]
    return commands


def _acceptances(service: ApiService, alert: dict[str, Any], levels: Sequence[dict[str, Any]]) -> list[tuple[str, str]]:
    """Return whose level has not been accepted yet of what stands in an alert, and the command that accepts it."""
    is_of_levels = alert["model"] not in (POSTED, MODEL) and alert["labels"].get("alertname") not in (
        ROLLOUT,
        ESTIMATOR,
    )
    if alert["ends_ms"] or not is_of_levels:
        return []
    holding = [tuple(level[name] for name in SERIES) for level in levels if level["state"] == "holds"]
    return [
        (
            " ".join([moved["signal"], *(f"[{moved[name]}]" for name in ("segment", "version") if moved.get(name))]),
            _command(service, "accept", alert["model"], moved["signal"], *_series_of(moved), "--reason", "…"),
        )
        for moved in _title_first(alert)
        if moved.get("alarmed", True) and tuple(moved.get(name, "") for name in SERIES) not in holding
    ]


def _title_first(alert: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the signals of an alert, strongest first, behind the one that its title names: the whole of a segment."""
    # A silence is of no signal.
    signals = [moved for moved in alert["signals"] if "signal" in moved]
    standing = [moved for moved in signals if moved.get("alarmed", True)] or signals
    named = [moved for moved in standing if moved.get("failure")] or standing
    wholes = [moved for moved in named if not moved.get("segment") and _is_of(named[0], moved)]
    return sorted(signals, key=lambda moved: moved is not (wholes or named)[0])


def _is_of(segment: dict[str, Any], overall: dict[str, Any]) -> bool:
    return all(segment.get(name, "") == overall.get(name, "") for name in ("version", "signal"))


def _series_of(moved: dict[str, Any]) -> list[str]:
    return [f"--{name}={moved[name]}" for name in ("version", "segment") if moved.get(name)]


def _command(service: ApiService, *words: str) -> str:
    """Return a command as a shell reads it, which asks this service wherever it is run."""
    url = service.configuration.service.spec.external_url
    return join(["leeway", *words, *(["--url", url] if url else [])])
