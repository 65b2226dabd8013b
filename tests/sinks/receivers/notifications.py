"""Notifications to send in tests, and receivers to send them."""

from __future__ import annotations

from typing import Any

from sinks.receivers import build, read_parameters
from sinks.receivers.contract import Alert, Notification, Receiver

LABELS = {
    "alert_id": "00112233445566ff",
    "alertname": "LeewayDrift",
    "cause": "feature:größe",
    "model": "flights",
    "severity": "warning",
    "team": 'a b"c\\d',
}
STARTS_MS = 1_795_537_682_151


def notification(status: str = "firing", severity: str = "warning", receiver: str = "hook") -> Notification:
    alert = Alert(
        status="resolved" if status == "resolved" else "firing",
        labels=LABELS | {"severity": severity},
        annotations={"summary": "s"},
        starts_at_ms=STARTS_MS,
        ends_at_ms=STARTS_MS + 62_000 if status == "resolved" else 0,
        generator_url="http://leeway.example/alerts/1",
    )
    return group((alert,), receiver)


def group(alerts: tuple[Alert, ...], receiver: str = "hook") -> Notification:
    return Notification(
        receiver=receiver,
        group_key='{}:{alert_id="00112233445566ff"}',
        group_labels={"alert_id": "00112233445566ff"},
        alerts=alerts,
        external_url="http://leeway.example",
    )


def receiver_of(config: dict[str, Any], **lent: Any) -> Receiver:
    """A receiver as the service's file has it."""
    return build(read_parameters(config), **lent)
