"""A receiver that writes alerts to the service's log."""

from __future__ import annotations

from typing import Literal

from sinks.parameters import Name
from sinks.receivers.contract import Alert, Delivered, Notification, Outcome
from sinks.receivers.parameters import Parameters

__all__ = ["Log", "LogParameters"]

LEVELS = {"critical": "error", "warning": "warning", "info": "info"}


class LogParameters(Parameters):
    """Writes alerts to the service's log."""

    kind: Literal["log"]
    name: Name = "log"


class Log:
    """One structured line for each alert: what moved and why that is thought, with the alert's labels.

    Delivered means handed to the process's logging; whether a line outlives the process is up to where the log goes.
    A resolved alert is of level ``info`` whatever its severity.

    Parameters
    ----------
    parameters : LogParameters
    """

    Parameters = LogParameters

    def __init__(self, parameters: LogParameters) -> None:
        self.name, self.send_resolved = parameters.name, parameters.send_resolved
        # Only here: `leeway check` reads the parameters of the log, and does not need it.
        import structlog

        self._logger = structlog.get_logger("leeway.alerts")

    def send(self, notification: Notification) -> Outcome:
        """Write the alerts, in order."""
        for alert in notification.alerts:
            getattr(self._logger, _level(alert))(f"alert {alert.status}", **_fields(alert))
        return Delivered()

    def close(self) -> None:
        """Nothing to release."""


def _level(alert: Alert) -> str:
    if alert.status == "resolved":
        return "info"
    return LEVELS.get(alert.labels.get("severity", ""), "warning")


def _fields(alert: Alert) -> dict[str, object]:
    description = alert.annotations.get("description", "")
    times = {"starts_at_ms": alert.starts_at_ms}
    if alert.status == "resolved":
        times["ends_at_ms"] = alert.ends_at_ms
    return {
        "summary": alert.annotations.get("summary", ""),
        "reasons": description.split("\n") if description else [],
        "labels": dict(alert.labels),
        "link": alert.generator_url,
        **times,
    }
