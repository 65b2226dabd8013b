"""Pictures by links."""

from __future__ import annotations

from pydantic import Field, SecretStr, field_validator

from monitor.values import DAY_MS, DurationMs, Strict
from sinks.receivers.parameters import Parameters

__all__ = ["PICTURED", "PictureLinks", "are_linked", "uploads"]

PICTURED = ("slack", "teams")
"""Kinds of receivers that show pictures by links, or have them uploaded."""

LEAST_CHARACTERS = 32


def are_linked(receiver: Parameters) -> bool:
    """Whether a receiver shows pictures by links."""
    return receiver.kind in PICTURED and getattr(receiver, "pictures", False) in (True, "link")


def uploads(receiver: Parameters) -> bool:
    """Whether a receiver has pictures uploaded."""
    return receiver.kind in PICTURED and getattr(receiver, "pictures", False) == "upload"


class PictureLinks(Strict):
    """Small charts of what moved, by links: for channels that show pictures from addresses.

    Whoever has a link sees its picture without logging in, until it expires.
    """

    key: SecretStr = Field(
        description=f"signs links: {LEAST_CHARACTERS} characters or more, by reference: `${{PICTURE_KEY}}`; with "
        "another key, earlier links show nothing"
    )
    lifetime: DurationMs = Field(
        default=7 * DAY_MS, gt=0, le=366 * DAY_MS, description="how long after its notification a link shows something"
    )

    @field_validator("key")
    @classmethod
    def _is_long(cls, key: SecretStr) -> SecretStr:
        if len(key.get_secret_value()) < LEAST_CHARACTERS:
            raise ValueError(f"expected {LEAST_CHARACTERS} characters or more, such as `openssl rand -hex 32` prints")
        return key
