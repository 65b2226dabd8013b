"""A receiver that posts the body of Alertmanager's webhooks, version 4."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from sinks.receivers.contract import Alert, Delivered, Notification, Outcome, Refused, Retry, common

__all__ = ["Webhook", "body"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NO_END = "0001-01-01T00:00:00Z"
EXCERPT_BYTES = 1024

# httpx writes the address of every request at INFO, and addresses of webhooks are often secrets themselves.
logging.getLogger("httpx").setLevel(logging.WARNING)


def body(notification: Notification) -> dict[str, Any]:
    """Return the body, with the field names and forms of Alertmanager's version "4"."""
    return {
        "version": "4",
        "groupKey": notification.group_key,
        "truncatedAlerts": 0,
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


def rfc3339(at_ms: int) -> str:
    """Return a time as Go writes it: UTC, and no more decimals than needed.

    Examples
    --------
    >>> rfc3339(1_360_387_800_000), rfc3339(1_360_387_800_120)
    ('2013-02-09T05:30:00Z', '2013-02-09T05:30:00.12Z')
    """
    text = (EPOCH + timedelta(milliseconds=at_ms)).strftime("%Y-%m-%dT%H:%M:%S")
    decimals = f"{at_ms % 1000:03d}".rstrip("0")
    return f"{text}.{decimals}Z" if decimals else f"{text}Z"


class Webhook:
    """Posts notifications to an address.

    Delivered means that the other side answered 2xx. 429, 5xx, a network error or a time-out mean try again, no
    sooner than a ``Retry-After`` asks; any other answer, a redirection too, is a refusal. After a time-out the other
    side may have the notification all the same: it has to recognise repetitions by ``groupKey``.

    Parameters
    ----------
    name : str
    url : str
        May hold ``user:password@``, which is sent as basic authentication. Neither it, nor the path, nor any header
        appears in reasons or logs.
    timeout_ms : int
        For connecting, and for each wait for bytes in either direction.
    headers : mapping of str to str
    send_resolved : bool
    """

    def __init__(
        self,
        name: str,
        url: str,
        *,
        timeout_ms: int = 10_000,
        headers: Mapping[str, str] | None = None,
        send_resolved: bool = True,
    ) -> None:
        self.name = name
        self.send_resolved = send_resolved
        address = httpx.URL(url)
        self._url = address.copy_with(userinfo=b"")
        self._where = f"{address.scheme}://{address.netloc.decode()}"
        credentials = (address.username, address.password) if address.userinfo else None
        known = {*(headers or {}).values(), address.username, address.password, address.raw_path.decode()}
        # Longest first: a secret may hold another.
        self._secrets = sorted(known - {"", "/"}, key=len, reverse=True)
        self._client = httpx.Client(
            headers={"User-Agent": "Leeway"} | dict(headers or {}),
            auth=credentials,
            timeout=timeout_ms / 1000,
            follow_redirects=False,
        )

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Webhook:
        """Take ``name``, ``url``, ``timeout`` (ms), ``headers`` and ``send_resolved``."""
        options = dict(config)
        timeout_ms = {"timeout_ms": options.pop("timeout")} if "timeout" in options else {}
        return cls(**options, **timeout_ms)

    def send(self, notification: Notification) -> Outcome:
        """Post it, once."""
        try:
            with self._client.stream("POST", self._url, json=body(notification)) as response:
                return self._judge(response)
        except httpx.TimeoutException as error:
            return Retry(f"{self._where}: no answer in time ({type(error).__name__})")
        except httpx.TransportError as error:
            return self._unreachable(error)

    def close(self) -> None:
        """Close connections."""
        self._client.close()

    def _judge(self, response: httpx.Response) -> Outcome:
        if response.is_success:
            return Delivered()
        reason = f"{self._where}: {response.status_code} {response.reason_phrase}{self._excerpt(response)}"
        if response.status_code == 429 or response.is_server_error:
            return Retry(reason, retry_after_s(response.headers))
        return Refused(reason)

    def _unreachable(self, error: httpx.TransportError) -> Outcome:
        # A protocol error of our own making quotes the header it dislikes: only connection errors are safe to quote.
        if isinstance(error, httpx.LocalProtocolError | httpx.UnsupportedProtocol):
            return Refused(f"{self._where}: the request cannot be sent ({type(error).__name__})")
        told = f": {error}" if isinstance(error, httpx.ConnectError) else ""
        return Retry(f"{self._where}: {type(error).__name__}{told}")

    def _excerpt(self, response: httpx.Response) -> str:
        """Return the start of the answer's text, on one line, without what it may have echoed."""
        try:
            start = next(response.iter_bytes(EXCERPT_BYTES), b"")
        except (httpx.TransportError, httpx.DecodingError) as error:
            return f" (no text: {type(error).__name__})"
        text = " ".join(start[:EXCERPT_BYTES].decode(errors="replace").split())
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return f": {text[:200]}" if text else ""


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return how long the other side wants to be left alone (RFC 9110, 10.2.3), None if it does not say.

    A date counts from the answer's own ``Date``, so that clocks need not agree.

    Examples
    --------
    >>> retry_after_s({"retry-after": "120"})
    120.0
    >>> retry_after_s(
    ...     {"retry-after": "Sat, 09 Feb 2013 05:31:00 GMT", "date": "Sat, 09 Feb 2013 05:30:00 GMT"}
    ... )
    60.0
    """
    asked = headers.get("retry-after", "").strip()
    if asked.isascii() and asked.isdigit():
        return float(asked)
    until, now = _http_date(asked), _http_date(headers.get("date", ""))
    return max(0.0, (until - now).total_seconds()) if until and now else None


def _http_date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
