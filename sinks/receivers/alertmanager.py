"""A receiver that hands alerts to an Alertmanager, which routes them itself."""

from __future__ import annotations

import json
from typing import Any, ClassVar, Literal

from pydantic import Field, SecretStr

from sinks.receivers.contract import Alert, Notification, Outcome
from sinks.receivers.parameters import SecretUrl
from sinks.receivers.post import Posted
from sinks.receivers.times import rfc3339

__all__ = ["Alertmanager", "AlertmanagerParameters"]

TEN_YEARS_MS = 10 * 365 * 86_400_000
"""Alertmanager resolves an alert without an end that nobody repeats for five minutes; Leeway states the end."""


class AlertmanagerParameters(Posted):
    """Hands alerts to an Alertmanager, which routes them itself."""

    takes_summaries: ClassVar[bool] = False
    forgets: ClassVar[bool] = True

    kind: Literal["alertmanager"]
    url: SecretUrl = Field(description="of Alertmanager, such as `http://alertmanager:9093`")
    headers: dict[str, SecretStr] = Field(default_factory=dict, description="values by reference if they are secrets")


class Alertmanager:
    """Posts alerts to ``/api/v2/alerts``. Alertmanager recognises a repetition by the alert's labels.

    An alert fires there until Leeway resolves it, also while Leeway is down. A restart of Alertmanager, which holds
    alerts in memory, ends it there until it is posted again: whoever routes does so about once a minute.

    Parameters
    ----------
    parameters : AlertmanagerParameters
    """

    Parameters = AlertmanagerParameters

    def __init__(self, parameters: AlertmanagerParameters) -> None:
        self.name, self.send_resolved = parameters.name, parameters.send_resolved
        url = parameters.url.get_secret_value().rstrip("/")
        headers = {name: value.get_secret_value() for name, value in parameters.headers.items()}
        self._post = parameters.post_to(f"{url}/api/v2/alerts", headers=headers)

    def send(self, notification: Notification) -> Outcome:
        """Post the alerts, once."""
        return self._post.send_to_service(json.dumps([_posted(alert) for alert in notification.alerts]).encode())

    def close(self) -> None:
        """Nothing to release: a connection lasts as long as a request."""


def _posted(alert: Alert) -> dict[str, Any]:
    lasts_to_ms = alert.expires_at_ms or alert.starts_at_ms + TEN_YEARS_MS
    ends_ms = alert.ends_at_ms if alert.status == "resolved" else lasts_to_ms
    return {
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "startsAt": rfc3339(alert.starts_at_ms),
        "endsAt": rfc3339(ends_ms),
        "generatorURL": alert.generator_url,
    }
