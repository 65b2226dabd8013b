"""Tokens as people and programs see them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from monitor.access.tokens import Token

__all__ = ["listing", "shown"]


def listing(tokens: Sequence[Token], last_uses: dict[str, int], now_ms: int) -> list[dict[str, Any]]:
    """Return the rows of a list of tokens, those that are good first, and the newest of them."""
    ordered = sorted(tokens, key=lambda token: (token.has_ended(now_ms), -token.created_ms, token.name))
    return [shown(token, now_ms, last_uses.get(token.id)) for token in ordered]


def shown(token: Token, now_ms: int, used_ms: int | None = None) -> dict[str, Any]:
    """Return the row of a token.

    Examples
    --------
    >>> row = shown(Token("ci", "ingest", "", expires_ms=5), now_ms=5)
    >>> row["name"], row["state"], row["expires_ms"], row["revoked_ms"]
    ('ci', 'expired', 5, None)
    """
    state = "revoked" if token.revoked_ms else "expired" if token.has_ended(now_ms) else "good"
    return {
        "id": token.id or None,
        "name": token.name,
        "role": token.role,
        "namespaces": list(token.namespaces),
        "state": state,
        "prefix": token.prefix or None,
        "created_by": token.created_by or None,
        "created_ms": token.created_ms or None,
        "expires_ms": token.expires_ms or None,
        "revoked_ms": token.revoked_ms or None,
        "revoked_by": token.revoked_by or None,
        "used_ms": used_ms,
    }
