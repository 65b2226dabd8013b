"""What ``alerting`` stands for in a service's file that has none: a route for each receiver.

Each receiver is notified of every alert by itself, of each of its transitions, at once, and never again of what has
not changed. The key of an alert's group is ``{}:{alert_id="…"}``: other systems know open incidents by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from monitor.config.alerting import Alerting

__all__ = ["alerting_by_alert", "alerting_by_incident"]

NOBODY = "nobody"
"""The root needs a receiver, also where there is none."""


def alerting_by_alert(receivers: Sequence[str]) -> Alerting:
    """Return routes that notify every receiver of single alerts.

    Examples
    --------
    >>> root = alerting_by_alert(["mail", "pager"]).route.build()
    >>> [(route.options.receiver, route.key) for route in root.matching({"alert_id": "a", "model": "fraud"})]
    [('mail', '{}'), ('pager', '{}')]
    """
    # Alerts that others post have no id of Leeway's: all of their labels say which one it is.
    own = {"matchers": ['alert_id!=""'], "group_by": ["alert_id"], "leeway": {"group_key": "{}"}}
    routes = [{"receiver": name, "continue": True, "routes": [own]} for name in receivers]
    return _alerting(
        receivers,
        group_by=["..."],
        group_wait="0s",
        repeat_interval="100y",
        leeway={"every_change": True, "late_ends": True},
        routes=routes,
    )


def alerting_by_incident(receivers: Sequence[str]) -> Alerting:
    """Return routes that notify every receiver of incidents."""
    routes = [{"receiver": name, "continue": True} for name in receivers]
    return _alerting(receivers, group_by=["incident"], routes=routes)


def _alerting(receivers: Sequence[str], **root: Any) -> Alerting:
    if receivers:
        return Alerting.model_validate({"route": {"receiver": receivers[0], **root}})
    return Alerting.model_validate({"route": {"receiver": NOBODY, **root}, "receivers": [{"name": NOBODY}]})
