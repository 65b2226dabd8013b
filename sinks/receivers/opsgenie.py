"""A receiver that opens and closes alerts in Opsgenie."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, SecretStr, model_validator

from sinks.parameters import Strict
from sinks.receivers.contract import Notification, Outcome
from sinks.receivers.limits import SIGN, fitted
from sinks.receivers.parameters import SecretUrl
from sinks.receivers.post import Posted
from sinks.receivers.text import Worded

__all__ = ["Opsgenie", "OpsgenieParameters"]

PRIORITIES = {"critical": "P1", "error": "P2", "warning": "P3", "info": "P5"}
# Opsgenie refuses longer ones; of details it counts names and values of all together.
LONGEST_MESSAGE, LONGEST_DESCRIPTION, LONGEST_ENTITY, LONGEST_DETAILS = 130, 15_000, 512, 8_000


class Responder(Strict):
    """Whom Opsgenie notifies, by one of three names."""

    type: Literal["team", "escalation", "schedule", "user"]
    id: str = ""
    name: str = ""
    username: str = ""

    @model_validator(mode="after")
    def _is_named(self) -> Self:
        if not (self.id or self.name or self.username):
            raise ValueError("a responder has an id, a name or a username")
        return self


class OpsgenieParameters(Posted, Worded):
    """Opens and closes alerts in Opsgenie."""

    takes_summaries: ClassVar[bool] = False

    kind: Literal["opsgenie"]
    api_key: SecretStr = Field(description="of an API integration, by reference")
    url: SecretUrl = Field(
        default=SecretStr("https://api.opsgenie.com"), description="in the EU https://api.eu.opsgenie.com"
    )
    teams: list[str] = Field(default_factory=list, description="names of the teams that are notified")
    responders: list[Responder] = Field(
        default_factory=list,
        description="also escalations, schedules and users: `type`, and `name`, `id` or `username` of each",
    )
    tags: list[str] = Field(default_factory=list)


class Opsgenie:
    """Opens and closes alerts. Opsgenie recognises repetitions by the alert's ``alias``.

    Parameters
    ----------
    parameters : OpsgenieParameters
    """

    Parameters = OpsgenieParameters

    def __init__(self, parameters: OpsgenieParameters) -> None:
        self.name, self.send_resolved = parameters.name, parameters.send_resolved
        self._tags = parameters.tags
        teams = [Responder(type="team", name=team) for team in parameters.teams]
        self._responders = [each.model_dump(exclude_defaults=True) for each in (*teams, *parameters.responders)]
        self._text = parameters.words()
        url, api_key = parameters.url.get_secret_value().rstrip("/"), parameters.api_key.get_secret_value()
        headers = {"Authorization": f"GenieKey {api_key}"}
        self._post = parameters.post_to(f"{url}/v2/alerts", headers=headers, secrets=[api_key])

    def send(self, notification: Notification) -> Outcome:
        """Open or close the alert, once."""
        # The key of a group may be longer than the 512 characters of an alias.
        alias = hashlib.sha256(notification.group_key.encode()).hexdigest()
        if notification.status == "resolved":
            return self._sent({"source": "Leeway"}, path=f"/{alias}/close?identifierType=alias")
        return self._sent(self._alert(notification, alias))

    def close(self) -> None:
        """Nothing to release: a connection lasts as long as a request."""

    def _sent(self, body: dict[str, Any], path: str = "") -> Outcome:
        return self._post.send_to_service(json.dumps(body).encode(), path=path)

    def _alert(self, notification: Notification, alias: str) -> dict[str, Any]:
        title, text = self._text.of(notification)
        firing = [alert for alert in notification.alerts if alert.status == "firing"] or notification.alerts
        # P1 is the gravest, and sorts first.
        priority = min(PRIORITIES.get(alert.labels.get("severity", ""), "P3") for alert in firing)
        return {
            "message": fitted(title, LONGEST_MESSAGE),
            "alias": alias,
            "description": fitted(text, LONGEST_DESCRIPTION),
            "responders": self._responders,
            "tags": self._tags,
            "details": _details(firing[0].labels),
            "entity": fitted(firing[0].labels.get("model", ""), LONGEST_ENTITY),
            "source": "Leeway",
            "priority": priority,
        }


def _details(labels: Mapping[str, str]) -> dict[str, str]:
    """Return labels, the shortest first where there is no room for all of each."""
    details: dict[str, str] = {}
    room = LONGEST_DETAILS
    for name, value in sorted(labels.items(), key=lambda label: len(label[0]) + len(label[1])):
        if room > len(name) + len(SIGN):
            details[name] = fitted(value, room - len(name))
            room -= len(name) + len(details[name])
    return details
