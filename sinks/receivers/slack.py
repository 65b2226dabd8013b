"""A receiver that writes to a Slack channel."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sinks.receivers.contract import Delivered, Notification, Outcome, Refused, Retry
from sinks.receivers.post import Post
from sinks.receivers.text import Text

__all__ = ["Slack", "message"]

API = "https://slack.com/api/chat.postMessage"
COLOURS = {"critical": "#d00000", "warning": "#e8a317", "info": "#3b82c4"}
RESOLVED = "#2e8b57"
# Slack cuts longer ones itself, at a place that it does not state for attachments.
LONGEST_TEXT = 3000
PASSING = {"ratelimited", "internal_error", "fatal_error", "service_unavailable", "request_timeout"}
"""Errors of Slack's API that another try may not meet."""


def message(notification: Notification, title: str, text: str) -> dict[str, Any]:
    """Return the body: a line for notifications on phones, and an attachment with the rest.

    Examples
    --------
    >>> from sinks.receivers.contract import Alert
    >>> alert = Alert("firing", {"severity": "critical"}, {}, 0)
    >>> message(Notification("ops", "k", {}, (alert,)), "a < b", "")["attachments"][0]["color"]
    '#d00000'
    """
    severity = {alert.labels.get("severity", "") for alert in notification.alerts if alert.status == "firing"}
    worst = next((level for level in COLOURS if level in severity), "warning")
    link = next((alert.generator_url for alert in notification.alerts if alert.generator_url), "")
    attachment = {
        "color": RESOLVED if notification.status == "resolved" else COLOURS[worst],
        "fallback": _escaped(title),
        "title": _escaped(title),
        "text": _escaped(text[:LONGEST_TEXT]),
        "ts": (notification.at_ms or min(alert.starts_at_ms for alert in notification.alerts)) // 1000,
    }
    if link:
        attachment["title_link"] = link
    return {"text": _escaped(title), "attachments": [attachment]}


class Slack:
    """Writes to a channel: by the address of an incoming webhook, or as an app with a token.

    Slack has no key by which it recognises repetitions: a notification whose answer was lost appears twice.

    Parameters
    ----------
    name : str
    url : str
        Of an incoming webhook, or of the API if there is a `token`. A secret.
    token : str
        Of a bot, with the right ``chat:write``; needs `channel`.
    channel : str
        Its id, or its name with ``#``.
    title, text : str
        Templates; see :mod:`sinks.receivers.text`.
    timeout_ms : int
    allow_private : bool
    send_resolved : bool
    """

    def __init__(
        self,
        name: str,
        url: str = API,
        *,
        token: str = "",
        channel: str = "",
        title: str = "",
        text: str = "",
        timeout_ms: int = 10_000,
        allow_private: bool = False,
        send_resolved: bool = True,
    ) -> None:
        self.name = name
        self.send_resolved = send_resolved
        self._text = Text(title, text)
        self._to = {"channel": channel} if channel else {}
        self._as_app = bool(token)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._post = Post(url, timeout_ms=timeout_ms, headers=headers, secrets=(token,), allow_private=allow_private)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Slack:
        """Take the parameters by their names."""
        return cls(**config)

    def send(self, notification: Notification) -> Outcome:
        """Write it, once."""
        body = message(notification, *self._text.of(notification)) | self._to
        return self._post.send(json.dumps(body).encode(), judge=_judge if self._as_app else None)

    def close(self) -> None:
        """Close connections."""
        self._post.close()


def _judge(answer: bytes) -> Outcome:
    """Slack's API answers 200 even when it failed, and says so in the body."""
    try:
        told = json.loads(answer)
        error = "" if told["ok"] is True else str(told.get("error", "unknown"))
    except ValueError as unreadable:
        # The start of a long answer is no JSON by itself: such answers are those of success.
        return Delivered() if answer.startswith(b'{"ok":true') else Retry(f"slack.com: {unreadable}")
    except (KeyError, TypeError):
        return Retry("slack.com: the answer does not say `ok`")
    if not error:
        return Delivered()
    return Retry(f"slack.com: {error}") if error in PASSING else Refused(f"slack.com: {error}")


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
