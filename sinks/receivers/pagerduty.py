"""A receiver that opens and resolves incidents in PagerDuty, by its Events API v2."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from sinks.receivers.contract import Notification, Outcome
from sinks.receivers.post import Post
from sinks.receivers.text import Text
from sinks.receivers.times import rfc3339

__all__ = ["PagerDuty", "event"]

API = "https://events.pagerduty.com/v2/enqueue"
SEVERITIES = {"critical": "critical", "error": "error", "warning": "warning", "info": "info"}
LONGEST_SUMMARY = 1024


def event(notification: Notification, routing_key: str, title: str, text: str) -> dict[str, Any]:
    """Return the event: ``trigger`` while something fires, ``resolve`` afterwards, with one key for both.

    Examples
    --------
    >>> from sinks.receivers.contract import Alert
    >>> alert = Alert("resolved", {"severity": "critical"}, {}, 0, 1)
    >>> event(Notification("ops", "k", {}, (alert,)), "R0UTE", "t", "")["event_action"]
    'resolve'
    """
    firing = [alert for alert in notification.alerts if alert.status == "firing"]
    if notification.status == "firing":
        # What ended need not be all that fired: the incident stays open, and is about what there is to say.
        firing = firing or list(notification.alerts)
    about: dict[str, Any] = {
        "routing_key": routing_key,
        "event_action": "trigger" if firing else "resolve",
        # The group's key may be longer than the 255 characters that are allowed.
        "dedup_key": hashlib.sha256(notification.group_key.encode()).hexdigest(),
    }
    if not firing:
        return about
    strongest = min(firing, key=lambda alert: list(SEVERITIES).index(_severity(alert.labels)))
    about["payload"] = {
        "summary": title[:LONGEST_SUMMARY],
        "source": strongest.labels.get("model", "leeway"),
        "severity": _severity(strongest.labels),
        "timestamp": rfc3339(min(alert.starts_at_ms for alert in firing)),
        "component": strongest.labels.get("cause", ""),
        "group": strongest.labels.get("namespace", ""),
        "class": strongest.labels.get("alertname", ""),
        "custom_details": {"text": text, "labels": dict(strongest.labels)},
    }
    about["client"] = "Leeway"
    if notification.external_url:
        about["client_url"] = notification.external_url
    links = [alert.generator_url for alert in firing if alert.generator_url]
    about["links"] = [{"href": link, "text": "Open in Leeway"} for link in dict.fromkeys(links)]
    return about


class PagerDuty:
    """Opens and resolves incidents. PagerDuty recognises repetitions by the event's ``dedup_key``.

    Parameters
    ----------
    name : str
    routing_key : str
        Of the service's integration "Events API v2". A secret.
    url : str
    title, text : str
        Templates; see :mod:`sinks.receivers.text`.
    timeout_ms : int
    allow_private : bool
    send_resolved : bool
    """

    def __init__(
        self,
        name: str,
        routing_key: str,
        *,
        url: str = API,
        title: str = "",
        text: str = "",
        timeout_ms: int = 10_000,
        allow_private: bool = False,
        send_resolved: bool = True,
    ) -> None:
        self.name = name
        self.send_resolved = send_resolved
        self._routing_key = routing_key
        self._text = Text(title, text)
        self._post = Post(url, timeout_ms=timeout_ms, secrets=(routing_key,), allow_private=allow_private)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> PagerDuty:
        """Take the parameters by their names."""
        return cls(**config)

    def send(self, notification: Notification) -> Outcome:
        """Send the event, once."""
        body = event(notification, self._routing_key, *self._text.of(notification))
        return self._post.send(json.dumps(body).encode())

    def close(self) -> None:
        """Close connections."""
        self._post.close()


def _severity(labels: Mapping[str, str]) -> str:
    return SEVERITIES.get(labels.get("severity", ""), "warning")
