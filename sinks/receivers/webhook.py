"""A receiver that posts the body of Alertmanager's webhooks, version 4."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Self

import httpx
from pydantic import Field, SecretStr, model_validator

from sinks.receivers.contract import Alert, Notification, Outcome, Retry, common
from sinks.receivers.parameters import SecretUrl
from sinks.receivers.post import Post, Posted
from sinks.receivers.times import rfc3339

__all__ = ["SIGNATURE", "Webhook", "WebhookParameters", "body"]

SIGNATURE = "X-Leeway-Signature-256"
"""The header with the signature of a body: ``sha256=`` and the HMAC (RFC 2104) of its bytes, in hexadecimal."""

NO_END = "0001-01-01T00:00:00Z"


def body(notification: Notification, most: int = 0) -> dict[str, Any]:
    """Return the body, with the field names and forms of Alertmanager's version "4".

    Parameters
    ----------
    notification : Notification
    most : int
        It holds so many alerts at most, and counts the others; 0 is all.
    """
    left_out = max(0, len(notification.alerts) - most) if most else 0
    if left_out:
        notification = replace(notification, alerts=notification.alerts[:most])
    return {
        "version": "4",
        "groupKey": notification.group_key,
        "truncatedAlerts": notification.unchanged + left_out,
        "status": notification.status,
        "receiver": notification.receiver,
        "groupLabels": dict(notification.group_labels),
        "commonLabels": common(tuple(alert.labels for alert in notification.alerts)),
        "commonAnnotations": common(tuple(alert.annotations for alert in notification.alerts)),
        "externalURL": notification.external_url,
        "alerts": [_alert(alert) for alert in notification.alerts],
    }


def _alert(alert: Alert) -> dict[str, Any]:
    return {
        "status": alert.status,
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "startsAt": rfc3339(alert.starts_at_ms),
        "endsAt": rfc3339(alert.ends_at_ms) if alert.status == "resolved" else NO_END,
        "generatorURL": alert.generator_url,
        "fingerprint": alert.fingerprint,
    }


class WebhookParameters(Posted):
    """Posts Alertmanager's version-4 body."""

    kind: Literal["webhook"]
    url: SecretUrl | None = Field(default=None, description="by reference if it holds a secret: `${ALERTS_URL}`")
    url_file: str = Field(
        default="",
        pattern="^(/.*)?$",
        description="instead, a file that holds the address, by its whole path; read at each notification",
    )
    headers: dict[str, SecretStr] = Field(default_factory=dict, description="values by reference if they are secrets")
    secret: SecretStr = Field(default=SecretStr(""), description="what bodies are signed with; empty: not signed")
    max_alerts: int = Field(default=0, ge=0, description="so many alerts at most, and a count of the others; 0 is all")

    @model_validator(mode="after")
    def _has_one_address(self) -> Self:
        if (self.url is None) == (not self.url_file):
            raise ValueError("give either url or url_file")
        return self


class Webhook:
    """Posts notifications to an address; :mod:`sinks.receivers.post` says when they count as delivered.

    The other side has to recognise repetitions by ``groupKey``: after a time-out it may have the notification already.

    Parameters
    ----------
    parameters : WebhookParameters
    """

    Parameters = WebhookParameters

    def __init__(self, parameters: WebhookParameters) -> None:
        self.name, self.send_resolved = parameters.name, parameters.send_resolved
        self._parameters = parameters
        self._secret = parameters.secret.get_secret_value()
        self._url = "" if parameters.url is None else parameters.url.get_secret_value()
        self._post = self._post_to(self._url) if self._url else None

    def send(self, notification: Notification) -> Outcome:
        """Post it, once."""
        try:
            post = self._addressed()
        except (OSError, ValueError, httpx.InvalidURL) as error:
            why = error.strerror if isinstance(error, OSError) else "it holds no address"
            return Retry(f"{self._parameters.url_file} cannot be used: {why}")
        fields = body(notification, self._parameters.max_alerts)
        # Made once: the signature is of these bytes, and another way to write the same JSON would break it.
        content = json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()
        return post.send(content, headers=self._signature(content))

    def _addressed(self) -> Post:
        """What posts to the address as it is now; OSError or ValueError if the file does not hold one."""
        file = self._parameters.url_file
        url = Path(file).read_text(encoding="utf-8").strip() if file else self._url
        if self._post is None or url != self._url:
            # What the configuration names was checked; a file is as somebody left it.
            if not url.startswith(("http://", "https://")):
                raise ValueError(url)
            self._post, self._url = self._post_to(url), url
        return self._post

    def _post_to(self, url: str) -> Post:
        headers = {name: value.get_secret_value() for name, value in self._parameters.headers.items()}
        return self._parameters.post_to(url, headers=headers, secrets=[self._secret])

    def close(self) -> None:
        """Nothing to release: a connection lasts as long as a request."""

    def _signature(self, content: bytes) -> dict[str, str]:
        if not self._secret:
            return {}
        return {SIGNATURE: "sha256=" + hmac.new(self._secret.encode(), content, hashlib.sha256).hexdigest()}
