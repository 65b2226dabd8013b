"""A receiver that writes to a channel of Microsoft Teams."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from typing import Any, Literal

import structlog
from pydantic import Field

from sinks.receivers.contract import Delivered, LinkedPicture, Notification, Outcome, Picture, Refused
from sinks.receivers.limits import fitted
from sinks.receivers.parameters import PicturesBy, SecretUrl
from sinks.receivers.post import Posted
from sinks.receivers.text import Worded

logger = structlog.get_logger("leeway.notify")

__all__ = ["Teams", "TeamsParameters", "message", "message_with"]

STYLES = {"critical": "attention", "warning": "warning", "info": "accent"}
# Teams refuses messages of more than 28 KB; the card around title and text takes the rest.
LONGEST_BYTES, LONGEST_TITLE_BYTES, LONGEST_TEXT_BYTES = 28_000, 2_000, 22_000
LONGEST_CAPTION = 300


def message(
    notification: Notification, title: str, text: str, pictures: Sequence[LinkedPicture] = ()
) -> dict[str, Any]:
    """Return the body: an adaptive card (schema 1.4) in the envelope that a workflow's webhook expects."""
    images = [_image(each.url, each.caption) for each in pictures]
    room = LONGEST_TEXT_BYTES - len(json.dumps(images))
    severities = {alert.labels.get("severity", "") for alert in notification.alerts}
    worst = next((level for level in STYLES if level in severities), "warning")
    style = "good" if notification.status == "resolved" else STYLES[worst]
    lines = _lines(fitted(text, room, lambda part: len(json.dumps(_lines(part)))))
    link = _link(notification)
    headline = fitted(title, LONGEST_TITLE_BYTES, lambda part: len(json.dumps(part)))
    head = {"type": "Container", "style": style, "bleed": True, "items": [_block(headline, weight="Bolder")]}
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": [head, *lines, *images],
    }
    if link:
        card["actions"] = [{"type": "Action.OpenUrl", "title": "Open in Leeway", "url": link}]
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def message_with(notification: Notification, title: str, text: str, pictures: Sequence[Picture]) -> dict[str, Any]:
    """Return the body with pictures in it: the first ones, as many as there is room for beside the text."""
    body = message(notification, title, text)
    images = [_image(f"data:image/png;base64,{base64.b64encode(each.png).decode()}", each.caption) for each in pictures]
    room = LONGEST_BYTES - len(json.dumps(body))
    for number in range(len(images), -1, -1):
        below = images[:number] if number == len(images) else [*images[:number], _left_out(notification)]
        if len(json.dumps(below)) <= room:
            body["attachments"][0]["content"]["body"] += below
            break
    return body


class TeamsParameters(Posted, Worded):
    """Writes to a channel of Microsoft Teams."""

    kind: Literal["teams"]
    url: SecretUrl = Field(description="of a workflow that is started by a webhook, by reference")
    pictures: PicturesBy = Field(
        default=False,
        description="whether small charts of what moved are shown: with `link`, or true, by links that whoever has "
        "them can open, which `spec.pictures` signs; with `upload` in the message itself, as many as it has room for",
    )


class Teams:
    """Writes to a channel by the address of a workflow ("when a webhook request is received").

    Teams has no key by which it recognises repetitions: a notification whose answer was lost appears twice.

    Parameters
    ----------
    parameters : TeamsParameters
    link, draw : callable or None
        From a notification to where its pictures are, and to the pictures.
    """

    Parameters = TeamsParameters

    def __init__(
        self,
        parameters: TeamsParameters,
        *,
        link: Callable[[Notification], Sequence[LinkedPicture]] | None = None,
        draw: Callable[[Notification], Sequence[Picture]] | None = None,
    ) -> None:
        self._link = link if parameters.pictures in (True, "link") else None
        self._draw = draw if parameters.pictures == "upload" else None
        self.name, self.send_resolved = parameters.name, parameters.send_resolved
        self._text = parameters.words(_unlinked)
        self._post = parameters.post_to(parameters.url.get_secret_value())

    def send(self, notification: Notification) -> Outcome:
        """Write it, once; what is refused with pictures in it is written without them."""
        title, text = self._text.of(notification)
        links = self._link(notification) if self._link is not None else ()
        plain = message(notification, title, text, links)
        pictures = self._draw(notification) if self._draw is not None else ()
        if not pictures:
            return self._sent(plain)
        outcome = self._sent(message_with(notification, title, text, pictures))
        if not isinstance(outcome, Refused):
            return outcome
        without = self._sent(plain)
        if not isinstance(without, Delivered):
            return without
        logger.warning("pictures are not shown", receiver=self.name, reason=outcome.reason)
        return Delivered(f"without its pictures: {outcome.reason}")

    def _sent(self, body: dict[str, Any]) -> Outcome:
        return self._post.send_to_service(json.dumps(body).encode())

    def close(self) -> None:
        """Nothing to release: a connection lasts as long as a request."""


def _unlinked(text: str) -> str:
    """Return a text in which Teams sees no link of Markdown, whose words need not be where it leads."""
    return text.replace("](", "]\N{WORD JOINER}(")


def _lines(text: str) -> list[dict[str, Any]]:
    """Return a block for each line: Teams reads line feeds in one as Markdown does, a single one is a blank."""
    return [_block(line) for line in text.split("\n") if line]


def _block(text: str, **style: str) -> dict[str, Any]:
    return {"type": "TextBlock", "text": text, "wrap": True} | style


def _image(url: str, caption: str) -> dict[str, Any]:
    return {"type": "Image", "url": url, "altText": fitted(caption, LONGEST_CAPTION), "size": "Stretch"}


def _left_out(notification: Notification) -> dict[str, Any]:
    link = _link(notification)
    return _block(f"Not all charts have room here{f': {link}' if link else '.'}")


def _link(notification: Notification) -> str:
    return next((alert.generator_url for alert in notification.by_gravity if alert.generator_url), "")
