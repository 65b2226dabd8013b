"""A receiver that writes alerts to the service's log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog

from sinks.receivers.contract import Alert, Delivered, Notification, Outcome

__all__ = ["Log"]

LEVELS = {"critical": "error", "warning": "warning", "info": "info"}


class Log:
    """One structured line for each alert: what moved and why that is thought, with the alert's labels.

    Delivered means handed to the process's logging; whether a line outlives the process is up to where the log goes.
    A resolved alert is of level ``info`` whatever its severity.

    Parameters
    ----------
    name : str
    """

    send_resolved = True

    def __init__(self, name: str = "log") -> None:
        self.name = name
        self._logger = structlog.get_logger("leeway.alerts")

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Log:
        """Take ``name``."""
        return cls(**config)

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
