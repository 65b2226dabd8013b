"""A receiver that opens and closes alerts in Opsgenie."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from sinks.receivers.contract import Notification, Outcome
from sinks.receivers.post import Post
from sinks.receivers.text import Text

__all__ = ["Opsgenie"]

API = "https://api.opsgenie.com"
PRIORITIES = {"critical": "P1", "error": "P2", "warning": "P3", "info": "P5"}
LONGEST_MESSAGE, LONGEST_DESCRIPTION = 130, 15_000


class Opsgenie:
    """Opens and closes alerts. Opsgenie recognises repetitions by the alert's ``alias``.

    Parameters
    ----------
    name : str
    api_key : str
        Of an API integration. A secret.
    url : str
        ``https://api.eu.opsgenie.com`` for accounts in the EU.
    teams, tags : sequence of str
        Teams that are told, and tags of the alert.
    title, text : str
        Templates; see :mod:`sinks.receivers.text`.
    timeout_ms : int
    allow_private : bool
    send_resolved : bool
    """

    def __init__(
        self,
        name: str,
        api_key: str,
        *,
        url: str = API,
        teams: Sequence[str] = (),
        tags: Sequence[str] = (),
        title: str = "",
        text: str = "",
        timeout_ms: int = 10_000,
        allow_private: bool = False,
        send_resolved: bool = True,
    ) -> None:
        self.name = name
        self.send_resolved = send_resolved
        self._teams, self._tags = list(teams), list(tags)
        self._text = Text(title, text)
        self._post = Post(
            f"{url.rstrip('/')}/v2/alerts",
            timeout_ms=timeout_ms,
            headers={"Authorization": f"GenieKey {api_key}"},
            secrets=(api_key,),
            allow_private=allow_private,
        )

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Opsgenie:
        """Take the parameters by their names."""
        return cls(**config)

    def send(self, notification: Notification) -> Outcome:
        """Open or close the alert, once."""
        alias = hashlib.sha256(notification.group_key.encode()).hexdigest()
        if notification.status == "resolved":
            return self._post.send(
                json.dumps({"source": "Leeway"}).encode(), path=f"/{alias}/close?identifierType=alias"
            )
        return self._post.send(json.dumps(self._alert(notification, alias)).encode())

    def close(self) -> None:
        """Close connections."""
        self._post.close()

    def _alert(self, notification: Notification, alias: str) -> dict[str, Any]:
        title, text = self._text.of(notification)
        firing = [alert for alert in notification.alerts if alert.status == "firing"] or notification.alerts
        priority = min(PRIORITIES.get(alert.labels.get("severity", ""), "P3") for alert in firing)
        return {
            "message": title[:LONGEST_MESSAGE],
            "alias": alias,
            "description": text[:LONGEST_DESCRIPTION],
            "responders": [{"name": team, "type": "team"} for team in self._teams],
            "tags": self._tags,
            "details": dict(firing[0].labels),
            "entity": firing[0].labels.get("model", ""),
            "source": "Leeway",
            "priority": priority,
        }
