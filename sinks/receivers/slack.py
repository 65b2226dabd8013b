"""A receiver that writes to a Slack channel."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Self

import structlog
from pydantic import Field, SecretStr, ValidationInfo, field_validator, model_validator

from sinks.receivers.contract import Delivered, LinkedPicture, Notification, Outcome, Picture, Retry
from sinks.receivers.parameters import PicturesBy, SecretUrl
from sinks.receivers.post import Posted
from sinks.receivers.slack_api import ask, escaped, webhook_outcome_of
from sinks.receivers.slack_files import Files
from sinks.receivers.text import Worded

logger = structlog.get_logger("leeway.notify")

__all__ = ["Slack", "SlackParameters", "message"]

COLOURS = {"critical": "#d00000", "warning": "#e8a317", "info": "#3b82c4"}
RESOLVED = "#2e8b57"
# Slack cuts longer ones itself, at a place that it does not state for attachments, and counts them escaped.
LONGEST_TITLE, LONGEST_TEXT = 1000, 3000


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
    title = escaped(title, LONGEST_TITLE)
    attachment = {
        "color": RESOLVED if notification.status == "resolved" else COLOURS[worst],
        "fallback": title,
        "title": title,
        "text": escaped(text, LONGEST_TEXT),
        "ts": (notification.at_ms if notification.title else _starts_ms(notification)) // 1000,
    }
    if link:
        attachment["title_link"] = link
    return {"text": title, "attachments": [attachment, *map(_linked, pictures)]}


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

    pictures: PicturesBy = Field(
        default=False,
        description="whether small charts of what moved are shown: with `link`, or true, by links that whoever has "
        "them can open, which `spec.pictures` signs; with `upload` in the message's thread, for which the bot has the "
        "right `files:write` too",
    )

    @field_validator("pictures")
    @classmethod
    def _can_be_uploaded(cls, pictures: PicturesBy, info: ValidationInfo) -> PicturesBy:
        token = info.data.get("token")
        if pictures == "upload" and token is not None and not token.get_secret_value():
            raise ValueError("a webhook takes no files: `upload` needs the `token` of a bot and a `channel`")
        return pictures

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
    link, draw : callable or None
        From a notification to where its pictures are, and to the pictures.
    """

    Parameters = SlackParameters

    def __init__(
        self,
        parameters: SlackParameters,
        *,
        link: Callable[[Notification], Sequence[LinkedPicture]] | None = None,
        draw: Callable[[Notification], Sequence[Picture]] | None = None,
    ) -> None:
        self._link = link if parameters.pictures in (True, "link") else None
        self._draw = draw
        self.name, self.send_resolved = parameters.name, parameters.send_resolved
        self._text = parameters.words()
        self._channel = {"channel": parameters.channel} if parameters.channel else {}
        token = parameters.token.get_secret_value()
        self._is_app = bool(token)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        url = parameters.url.get_secret_value()
        self._post = parameters.post_to(url, headers=headers, secrets=[token])
        self._files = Files(parameters, url, token) if parameters.pictures == "upload" else None

    def send(self, notification: Notification) -> Outcome:
        """Write it, once; pictures come behind it, and whatever they meet, it has been delivered."""
        pictures = self._link(notification) if self._link is not None else ()
        body = json.dumps(message(notification, *self._text.of(notification), pictures) | self._channel).encode()
        if not self._is_app:
            return self._post.send(body, read=self._read, may_be_empty=True)
        outcome, answer = ask(self._post, body)
        return Delivered(self._shown(notification, answer)) if outcome == Delivered() else outcome

    def _read(self, answer: bytes) -> Outcome:
        """Return what an incoming webhook's answer means: a word, or the fields of a service that is like Slack."""
        outcome = self._post.unless_page(answer)
        return outcome if isinstance(outcome, Retry) else webhook_outcome_of(answer)

    def close(self) -> None:
        """Nothing to release: a connection lasts as long as a request."""

    def _shown(self, notification: Notification, message: Mapping[str, str]) -> str:
        """Show pictures behind a message; return why they are not all there."""
        if self._files is None or self._draw is None:
            return ""
        try:
            pictures = self._draw(notification)
            reason = self._files.show(pictures, message) if pictures else ""
        except Exception as error:  # noqa: BLE001 -- the message is there: an error would have it sent again
            reason = type(error).__name__
        if reason:
            logger.warning("pictures are not shown", receiver=self.name, reason=reason)
        return f"without its pictures: {reason}" if reason else ""


def _linked(picture: LinkedPicture) -> dict[str, Any]:
    caption = escaped(picture.caption, LONGEST_TITLE)
    return {"fallback": caption, "text": caption, "image_url": picture.url}


def _starts_ms(notification: Notification) -> int:
    return min(alert.starts_at_ms for alert in notification.alerts)
