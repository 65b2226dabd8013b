"""A receiver that hands alerts to an Alertmanager, which routes them itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sinks.receivers.contract import Alert, Notification, Outcome
from sinks.receivers.post import Post
from sinks.receivers.times import rfc3339

__all__ = ["Alertmanager"]

TEN_YEARS_MS = 10 * 365 * 86_400_000
"""Alertmanager takes an alert without an end for over when nobody repeats it for five minutes; Leeway says ends."""


class Alertmanager:
    """Posts alerts to ``/api/v2/alerts``. Alertmanager knows a repetition by the alert's labels.

    An alert fires there until Leeway says that it is over, also while Leeway is down.

    Parameters
    ----------
    name : str
    url : str
        Of Alertmanager, without the path of its API.
    headers : mapping of str to str
    timeout_ms : int
    allow_private : bool
    send_resolved : bool
    """

    def __init__(
        self,
        name: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        timeout_ms: int = 10_000,
        allow_private: bool = False,
        send_resolved: bool = True,
    ) -> None:
        self.name = name
        self.send_resolved = send_resolved
        address = f"{url.rstrip('/')}/api/v2/alerts"
        self._post = Post(address, timeout_ms=timeout_ms, headers=headers, allow_private=allow_private)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Alertmanager:
        """Take the parameters by their names."""
        return cls(**config)

    def send(self, notification: Notification) -> Outcome:
        """Post the alerts, once."""
        return self._post.send(json.dumps([_posted(alert) for alert in notification.alerts]).encode())

    def close(self) -> None:
        """Close connections."""
        self._post.close()


def _posted(alert: Alert) -> dict[str, Any]:
    ends_ms = alert.ends_at_ms if alert.status == "resolved" else alert.starts_at_ms + TEN_YEARS_MS
    return {
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "startsAt": rfc3339(alert.starts_at_ms),
        "endsAt": rfc3339(ends_ms),
        "generatorURL": alert.generator_url,
    }
