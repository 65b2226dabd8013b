"""From rows of the table ``alerts`` to the notification that a receiver is sent."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from monitor.alerts.transition import POSTED
from monitor.delivery.target import Target
from monitor.routing.groups import Flush
from monitor.routing.routed_alert import RoutedAlert
from sinks.receivers.contract import Alert, Notification, Status

__all__ = ["alert_of", "annotations_of", "composed", "notification_of"]

REASONS_AT_MOST = 10
"""Signals that a notification explains; the page behind its link has all of them."""

Row = Mapping[str, Any]


def notification_of(flush: Flush, target: Target, external_url: str, likely_causes: Mapping[str, str]) -> Notification:
    """Return what a receiver is sent of a group.

    Parameters
    ----------
    flush : Flush
    target : Target
        One of those that the flush notifies.
    external_url : str
        Where the API is; empty if people cannot reach it.
    likely_causes : mapping of str to str
        What may be behind an alert, by its id.
    """
    routed = list(flush.targets[target])
    if flush.group.route.options.every_change:
        # First the one that fires, then the one that its higher severity replaces.
        routed.sort(key=lambda alert: alert.is_over(flush.at_ms))
    alerts = []
    for alert in routed:
        status: Status = "resolved" if alert.is_over(flush.at_ms) else "firing"
        cause = likely_causes.get(alert.transition["alert_id"], "")
        alerts.append(composed(alert, status, external_url, cause))
    return Notification(
        target.receiver,
        flush.group.key,
        dict(flush.group.labels),
        tuple(alerts),
        external_url,
        flush.unchanged(target),
        at_ms=flush.at_ms,
        after_ms=flush.former_ms.get(target, 0),
    )


def composed(alert: RoutedAlert, status: Status, external_url: str, likely_cause: str) -> Alert:
    """Return what a receiver is sent of an alert."""
    labels = dict(alert.labels)
    return alert_of(alert.transition, labels, status, external_url, flaps=alert.flaps, likely_cause=likely_cause)


def alert_of(
    row: Row, labels: dict[str, str], status: Status, external_url: str, *, flaps: str = "", likely_cause: str = ""
) -> Alert:
    """Return what is said about an alert as a transition has it; ``flaps`` says that its condition does."""
    annotations = annotations_of(row, external_url, flaps=flaps)
    if likely_cause:
        annotations["likely_cause"] = likely_cause
    return Alert(
        status=status,
        labels=labels,
        annotations=annotations,
        starts_at_ms=int(row["starts_ms"]),
        ends_at_ms=int(row["ends_ms"]),
        generator_url=_source(row) or annotations.get("dashboard", ""),
    )


def annotations_of(row: Row, external_url: str, *, flaps: str = "") -> dict[str, str]:
    """Return what is said about an alert beside its labels; `signals` of the row may be read already."""
    link = f"{external_url.rstrip('/')}/alerts/{row['alert_id']}" if external_url else ""
    signals = json.loads(row["signals"]) if isinstance(row["signals"], str) else row["signals"]
    if row["model"] == POSTED:
        annotations = {"dashboard": link, "flapping": flaps, **(signals[0]["annotations"] if signals else {})}
        return {name: text for name, text in annotations.items() if text}
    description = "\n".join(filter(None, (flaps, _description(signals))))
    annotations = {"summary": row["title"], "description": description, "dashboard": link, "flapping": flaps}
    return {name: text for name, text in annotations.items() if text}


def _source(row: Row) -> str:
    """Return where who posted an alert says more; empty for Leeway's own alerts."""
    return str(json.loads(row["signals"])[0]["link"]) if row["model"] == POSTED else ""


def _description(signals: Sequence[Row]) -> str:
    reasons = [signal["reason"] for signal in signals]
    omitted = len(reasons) - REASONS_AT_MOST
    return "\n".join([*reasons[:REASONS_AT_MOST], *([f"and {omitted} more"] if omitted > 0 else [])])
