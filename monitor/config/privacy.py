"""What becomes of fields that say something of people, and of single events altogether."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, SecretStr, Tag, field_validator, model_validator

from monitor.values import Strict

__all__ = ["KEYED", "Buckets", "FieldPrivacy", "Privacy"]

KEYED = ("hash", "personal")
"""Of which the names of categories become digests under the service's key."""

LEAST_CHARACTERS = 32


class Buckets(Strict):
    """Edges to which a number is rounded down before anything sees it."""

    bucket: list[float] = Field(
        min_length=1,
        max_length=1_000,
        description="the edges, ascending; a number below the first one counts as the first one",
    )

    @model_validator(mode="after")
    def _edges_ascend(self) -> Self:
        if not all(map(math.isfinite, self.bucket)) or any(low >= high for low, high in pairwise(self.bucket)):
            raise ValueError("edges are finite numbers, each larger than the one before it")
        return self


def _kind_of(privacy: Any) -> str:
    if privacy is None:
        return "nothing"
    if isinstance(privacy, (dict, Buckets)):
        return "section"
    return "word" if privacy in ("drop", *KEYED) else "other"


FieldPrivacy = Annotated[
    Annotated[None, Tag("nothing")]
    | Annotated[Literal["drop", "hash", "personal"], Tag("word")]
    | Annotated[Buckets, Tag("section")],
    Discriminator(
        _kind_of,
        custom_error_type="unknown_privacy",
        custom_error_message="privacy is `drop`, `hash`, `personal` or `{bucket: [0, 18, 65]}`",
    ),
]
"""What a field's values become before anything sees them; None leaves them as they are."""


class Privacy(Strict):
    """What is true of the data of all models."""

    hash_key: SecretStr = Field(
        default=SecretStr(""),
        description="under which categories with `privacy: hash` or `personal` become digests, by reference: "
        f"`${{LEEWAY_HASH_KEY}}`; at least {LEAST_CHARACTERS} random characters",
    )
    keep: Literal["as models say", "none"] = Field(
        default="as models say", description="`none`: of no model anything of a single event leaves memory"
    )

    @field_validator("hash_key")
    @classmethod
    def _is_long(cls, key: SecretStr) -> SecretStr:
        if key.get_secret_value() and len(key.get_secret_value()) < LEAST_CHARACTERS:
            raise ValueError(
                f"a key has at least {LEAST_CHARACTERS} characters, such as from `openssl rand -hex 32`: one that is "
                "short can be guessed"
            )
        return key
