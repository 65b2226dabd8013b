"""A receiver that writes to a channel of Microsoft Teams."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Literal

from pydantic import Field

from sinks.receivers.contract import LinkedPicture, Notification, Outcome
from sinks.receivers.limits import fitted
from sinks.receivers.parameters import SecretUrl
from sinks.receivers.post import Posted
from sinks.receivers.text import Worded

__all__ = ["Teams", "TeamsParameters", "message"]

STYLES = {"critical": "attention", "warning": "warning", "info": "accent"}
# Teams refuses messages of more than 28 KB; the card around title and text takes the rest.
LONGEST_TITLE_BYTES, LONGEST_TEXT_BYTES = 2_000, 22_000
LONGEST_CAPTION = 300


def message(
    notification: Notification, title: str, text: str, pictures: Sequence[LinkedPicture] = ()
) -> dict[str, Any]:
    """Return the body: an adaptive card (schema 1.4) in the envelope that a workflow's webhook expects."""
    images = [
        {"type": "Image", "url": each.url, "altText": fitted(each.caption, LONGEST_CAPTION, len), "size": "Stretch"}
        for each in pictures
    ]
    room = LONGEST_TEXT_BYTES - len(json.dumps(images))
    severities = {alert.labels.get("severity", "") for alert in notification.alerts}
    worst = next((level for level in STYLES if level in severities), "warning")
    style = "good" if notification.status == "resolved" else STYLES[worst]
    lines = _lines(fitted(text, room, lambda part: len(json.dumps(_lines(part)))))
    link = next((alert.generator_url for alert in notification.by_gravity if alert.generator_url), "")
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


class TeamsParameters(Posted, Worded):
    """Writes to a channel of Microsoft Teams."""

    kind: Literal["teams"]
    url: SecretUrl = Field(description="of a workflow that is started by a webhook, by reference")
    pictures: bool = Field(
        default=False,
        description="whether small charts of what moved are shown, by links that whoever has them can open: "
        "`spec.pictures` signs them",
    )


class Teams:
    """Writes to a channel by the address of a workflow ("when a webhook request is received").

    Teams has no key by which it recognises repetitions: a notification whose answer was lost appears twice.

    Parameters
    ----------
    parameters : TeamsParameters
    link : callable or None
        From a notification to where its pictures are.
    """

    Parameters = TeamsParameters

    def __init__(
        self, parameters: TeamsParameters, *, link: Callable[[Notification], Sequence[LinkedPicture]] | None = None
    ) -> None:
        self._link = link if parameters.pictures else None
        self.name, self.send_resolved = parameters.name, parameters.send_resolved
        self._text = parameters.words()
        self._post = parameters.post_to(parameters.url.get_secret_value())

    def send(self, notification: Notification) -> Outcome:
        """Write it, once."""
        pictures = self._link(notification) if self._link is not None else ()
        return self._post.send(json.dumps(message(notification, *self._text.of(notification), pictures)).encode())

    def close(self) -> None:
        """Close connections."""
        self._post.close()


def _lines(text: str) -> list[dict[str, Any]]:
    """Return a block for each line: Teams reads line feeds in one as Markdown does, a single one is a blank."""
    return [_block(line) for line in text.split("\n") if line]


def _block(text: str, **style: str) -> dict[str, Any]:
    return {"type": "TextBlock", "text": text, "wrap": True} | style
