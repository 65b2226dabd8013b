"""A receiver that writes to a Slack channel."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Literal, Self

from pydantic import Field, SecretStr, model_validator

from sinks.receivers.contract import Delivered, LinkedPicture, Notification, Outcome, Refused, Retry
from sinks.receivers.limits import fitted
from sinks.receivers.parameters import SecretUrl
from sinks.receivers.post import Posted
from sinks.receivers.text import Worded

__all__ = ["Slack", "SlackParameters", "message"]

COLOURS = {"critical": "#d00000", "warning": "#e8a317", "info": "#3b82c4"}
RESOLVED = "#2e8b57"
# Slack cuts longer ones itself, at a place that it does not state for attachments, and counts them escaped.
LONGEST_TITLE, LONGEST_TEXT = 1000, 3000
PASSING = {"ratelimited", "internal_error", "fatal_error", "service_unavailable", "request_timeout"}
"""Errors of Slack's API that another try may not meet."""


def message(
    notification: Notification, title: str, text: str, pictures: Sequence[LinkedPicture] = ()
) -> dict[str, Any]:
    """Return the body: a line for notifications on phones, an attachment with the rest, and one for each picture.

    Examples
    --------
    >>> from sinks.receivers.contract import Alert
    >>> alert = Alert("firing", {"severity": "critical"}, {}, 0)
    >>> message(Notification("ops", "k", {}, (alert,)), "a < b", "")["attachments"][0]["color"]
    '#d00000'
    """
    severity = {alert.labels.get("severity", "") for alert in notification.alerts if alert.status == "firing"}
    worst = next((level for level in COLOURS if level in severity), "warning")
    link = next((alert.generator_url for alert in notification.by_gravity if alert.generator_url), "")
    title = _escaped(fitted(title, LONGEST_TITLE, _escaped_length))
    attachment = {
        "color": RESOLVED if notification.status == "resolved" else COLOURS[worst],
        "fallback": title,
        "title": title,
        "text": _escaped(fitted(text, LONGEST_TEXT, _escaped_length)),
        "ts": (notification.at_ms if notification.title else _starts_ms(notification)) // 1000,
    }
    if link:
        attachment["title_link"] = link
    return {"text": title, "attachments": [attachment, *map(_shown, pictures)]}


class SlackParameters(Posted, Worded):
    """Writes to a Slack channel."""

    kind: Literal["slack"]
    url: SecretUrl = Field(
        default=SecretStr("https://slack.com/api/chat.postMessage"),
        description="of an incoming webhook, by reference; with a token, Slack's API",
    )
    token: SecretStr = Field(
        default=SecretStr(""),
        description="of a bot with the right `chat:write`, by reference; then `channel` says where",
    )
    channel: str = Field(
        default="",
        description="its id, or its name with `#`; with a webhook in place of the webhook's own, if it allows that",
    )

    pictures: bool = Field(
        default=False,
        description="whether small charts of what moved are shown, by links that whoever has them can open: "
        "`spec.pictures` signs them",
    )

    @model_validator(mode="after")
    def _has_an_address(self) -> Self:
        has_token, has_url = bool(self.token.get_secret_value()), "url" in self.model_fields_set
        if (has_token and not self.channel) or (self.channel and not (has_token or has_url)):
            raise ValueError("token and channel go together")
        if not (has_token or has_url):
            raise ValueError("give the url of an incoming webhook, or token and channel")
        return self


class Slack:
    """Writes to a channel: by the address of an incoming webhook, or as an app with a token.

    Slack has no key by which it recognises repetitions: a notification whose answer was lost appears twice.

    Parameters
    ----------
    parameters : SlackParameters
    link : callable or None
        From a notification to where its pictures are.
    """

    Parameters = SlackParameters

    def __init__(
        self, parameters: SlackParameters, *, link: Callable[[Notification], Sequence[LinkedPicture]] | None = None
    ) -> None:
        self._link = link if parameters.pictures else None
        self.name, self.send_resolved = parameters.name, parameters.send_resolved
        self._text = parameters.words()
        self._channel = {"channel": parameters.channel} if parameters.channel else {}
        token = parameters.token.get_secret_value()
        self._is_app = bool(token)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._post = parameters.post_to(parameters.url.get_secret_value(), headers=headers, secrets=[token])

    def send(self, notification: Notification) -> Outcome:
        """Write it, once."""
        pictures = self._link(notification) if self._link is not None else ()
        body = message(notification, *self._text.of(notification), pictures) | self._channel
        return self._post.send(json.dumps(body).encode(), read=_outcome if self._is_app else None)

    def close(self) -> None:
        """Close connections."""
        self._post.close()


def _shown(picture: LinkedPicture) -> dict[str, Any]:
    caption = _escaped(fitted(picture.caption, LONGEST_TITLE, _escaped_length))
    return {"fallback": caption, "text": caption, "image_url": picture.url}


def _outcome(answer: bytes) -> Outcome:
    """Slack's API answers 200 even when it failed, and says so in the body."""
    try:
        fields = json.loads(answer)
        error = "" if fields["ok"] is True else str(fields.get("error", "unknown"))
    except ValueError as unreadable:
        # The start of a long answer is no JSON by itself: such answers are those of success.
        return Delivered() if answer.startswith(b'{"ok":true') else Retry(f"slack.com: {unreadable}")
    except (KeyError, TypeError):
        return Retry("slack.com: the answer does not say `ok`")
    if not error:
        return Delivered()
    return Retry(f"slack.com: {error}") if error in PASSING else Refused(f"slack.com: {error}")


def _starts_ms(notification: Notification) -> int:
    return min(alert.starts_at_ms for alert in notification.alerts)


def _escaped_length(text: str) -> int:
    return len(_escaped(text))


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
