"""Tokens: who may ask and change what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from monitor.resources.contract import Question, Row, TimeMs, described

__all__ = ["KeptToken", "Tokens"]


@dataclass(frozen=True, kw_only=True)
class KeptToken(Row):
    """A token, without its secret."""

    table = (
        "name",
        "role",
        ("namespaces", lambda token: ", ".join(token["namespaces"]) or "all"),
        "state",
        ("by", "created_by"),
        ("created", "created_ms"),
        ("expires", "expires_ms"),
        ("used", "used_ms"),
        "prefix",
        "id",
    )

    id: str | None = described("null of one that the configuration has")
    name: str
    role: Literal["viewer", "editor", "admin", "ingest"] = described("what its holder may do")
    namespaces: list[str] = described("for whose models alone it is; empty: for all")
    state: Literal["good", "expired", "revoked"]
    prefix: str | None = described("how the secret begins; null of one that the configuration has")
    created_by: str | None = described("null of one that the configuration has")
    created_ms: TimeMs | None = described("null of one that the configuration has")
    expires_ms: TimeMs | None = described("null: never")
    revoked_ms: TimeMs | None = described("null: it was not revoked")
    revoked_by: str | None = described("null: it was not revoked")
    used_ms: TimeMs | None = described("when it was used last, to the minute; null: never, or not known")


@dataclass(frozen=True, kw_only=True)
class Tokens(Question):
    """Who may ask and change what."""

    path = "/v1/tokens"
    answer = KeptToken
    is_paged = False
