"""A receiver that posts the body of Alertmanager's webhooks, version 4."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from sinks.receivers.contract import Alert, Notification, Outcome, Retry, common
from sinks.receivers.post import Post
from sinks.receivers.times import rfc3339

__all__ = ["SIGNATURE", "Webhook", "body"]

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


class Webhook:
    """Posts notifications to an address; :mod:`sinks.receivers.post` says when they count as delivered.

    The other side has to recognise repetitions by ``groupKey``: after a time-out it may have the notification already.

    Parameters
    ----------
    name : str
    url : str
        Empty with ``url_file``.
    timeout_ms : int
    headers : mapping of str to str
    secret : str
        What bodies are signed with, in the header :data:`SIGNATURE`; empty: they are not signed.
    allow_private : bool
    send_resolved : bool
    max_alerts : int
        So many alerts a body holds at most; 0 is all.
    url_file : str
        A file that holds the address, read whenever something is sent: it may be replaced meanwhile.
    """

    def __init__(
        self,
        name: str,
        url: str = "",
        *,
        timeout_ms: int = 10_000,
        headers: Mapping[str, str] | None = None,
        secret: str = "",
        allow_private: bool = False,
        send_resolved: bool = True,
        max_alerts: int = 0,
        url_file: str = "",
    ) -> None:
        self.name = name
        self.send_resolved = send_resolved
        self._secret = secret.encode()
        self._max_alerts, self._url_file, self._url = max_alerts, url_file, url
        self._to = partial(Post, timeout_ms=timeout_ms, headers=headers, secrets=(secret,), allow_private=allow_private)
        self._post = self._to(url) if url else None

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Webhook:
        """Take the parameters by their names."""
        return cls(**config)

    def send(self, notification: Notification) -> Outcome:
        """Post it, once."""
        try:
            post = self._addressed()
        except (OSError, ValueError, httpx.InvalidURL) as error:
            why = error.strerror if isinstance(error, OSError) else "it holds no address"
            return Retry(f"{self._url_file} cannot be used: {why}")
        said = body(notification, self._max_alerts)
        content = json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()
        return post.send(content, headers=self._signature(content))

    def _addressed(self) -> Post:
        """What posts to the address as it is now; OSError or ValueError if the file does not hold one."""
        url = Path(self._url_file).read_text(encoding="utf-8").strip() if self._url_file else self._url
        if self._post is None or url != self._url:
            if not url.startswith(("http://", "https://")):
                raise ValueError(url)
            self.close()
            self._post, self._url = self._to(url), url
        return self._post

    def close(self) -> None:
        """Close connections."""
        if self._post is not None:
            self._post.close()

    def _signature(self, content: bytes) -> dict[str, str]:
        if not self._secret:
            return {}
        return {SIGNATURE: "sha256=" + hmac.new(self._secret, content, hashlib.sha256).hexdigest()}
