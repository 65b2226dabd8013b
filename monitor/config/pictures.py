"""Pictures by links."""

from __future__ import annotations

from pydantic import Field, SecretStr, field_validator

from monitor.values import DAY_MS, DurationMs, Strict

__all__ = ["LINKED", "PictureLinks"]

LINKED = ("slack", "teams")
"""Kinds of receivers that show pictures from addresses alone."""

LEAST_CHARACTERS = 32


class PictureLinks(Strict):
    """Small charts of what moved, by links: for channels that show pictures from addresses alone.

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
