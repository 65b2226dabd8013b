"""A receiver that opens and resolves incidents in PagerDuty, by its Events API v2."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from itertools import islice
from typing import Any, ClassVar, Literal

from pydantic import Field, SecretStr

from sinks.receivers.contract import Notification, Outcome
from sinks.receivers.limits import fitted
from sinks.receivers.parameters import SecretUrl
from sinks.receivers.post import Posted
from sinks.receivers.text import Worded
from sinks.receivers.times import rfc3339

__all__ = ["PagerDuty", "PagerDutyParameters", "event"]

SEVERITIES = {"critical": "critical", "error": "error", "warning": "warning", "info": "info"}
# PagerDuty refuses longer ones; events may have 512 KB, of which labels and links take the rest.
LONGEST_SUMMARY, LONGEST_TEXT_BYTES, LONGEST_NAME, MOST_LINKS = 1024, 256_000, 1024, 100


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
        "summary": fitted(title, LONGEST_SUMMARY),
        "source": fitted(strongest.labels.get("model", "leeway"), LONGEST_NAME),
        "severity": _severity(strongest.labels),
        "timestamp": rfc3339(min(alert.starts_at_ms for alert in firing)),
        "component": fitted(strongest.labels.get("cause", ""), LONGEST_NAME),
        "group": fitted(strongest.labels.get("namespace", ""), LONGEST_NAME),
        "class": fitted(strongest.labels.get("alertname", ""), LONGEST_NAME),
        "custom_details": {
            "text": fitted(text, LONGEST_TEXT_BYTES, lambda part: len(json.dumps(part))),
            "labels": dict(strongest.labels),
        },
    }
    about["client"] = "Leeway"
    if notification.external_url:
        about["client_url"] = notification.external_url
    links = dict.fromkeys(alert.generator_url for alert in firing if alert.generator_url)
    about["links"] = [{"href": link, "text": "Open in Leeway"} for link in islice(links, MOST_LINKS)]
    return about


class PagerDutyParameters(Posted, Worded):
    """Opens and resolves incidents in PagerDuty (Events API v2)."""

    takes_summaries: ClassVar[bool] = False

    kind: Literal["pagerduty"]
    routing_key: SecretStr = Field(description="of the service's integration, by reference")
    url: SecretUrl = SecretStr("https://events.pagerduty.com/v2/enqueue")


class PagerDuty:
    """Opens and resolves incidents. PagerDuty recognises repetitions by the event's ``dedup_key``.

    Parameters
    ----------
    parameters : PagerDutyParameters
    """

    Parameters = PagerDutyParameters

    def __init__(self, parameters: PagerDutyParameters) -> None:
        self.name, self.send_resolved = parameters.name, parameters.send_resolved
        self._routing_key = parameters.routing_key.get_secret_value()
        self._text = parameters.words()
        self._post = parameters.post_to(parameters.url.get_secret_value(), secrets=[self._routing_key])

    def send(self, notification: Notification) -> Outcome:
        """Send the event, once."""
        body = event(notification, self._routing_key, *self._text.of(notification))
        content = json.dumps(body, ensure_ascii=False).encode(errors="replace")
        return self._post.send_to_service(content)

    def close(self) -> None:
        """Nothing to release: a connection lasts as long as a request."""


def _severity(labels: Mapping[str, str]) -> str:
    return SEVERITIES.get(labels.get("severity", ""), "warning")
