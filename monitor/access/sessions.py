"""Sessions of people who have logged in: what a cookie holds, signed, so that any process of the service knows it."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

__all__ = ["Seals"]

ALGORITHM = "HS256"
MOST_CHARACTERS = 4_096


class Seals:
    """Seals what a browser keeps, and opens it again: it can be read there, and not changed.

    Parameters
    ----------
    secret : str
        All processes that open what one has sealed have the same; random, and so of this process alone, if empty.
    purpose : sequence of str
        What it is sealed for: what the same secret seals for something else is not opened.

    Examples
    --------
    >>> seals = Seals("a secret")
    >>> sealed = seals.seal("session", {"name": "ann"}, until_s=100)
    >>> seals.open("session", sealed, now_s=99)["name"]
    'ann'
    >>> seals.open("session", sealed, now_s=100), seals.open("login", sealed, 99), Seals("").open("session", sealed, 99)
    (None, None, None)
    >>> Seals("a secret", ["another service"]).open("session", sealed, now_s=99)
    """

    def __init__(self, secret: str, purpose: Sequence[str] = ()) -> None:
        text = json.dumps(["leeway sessions", *purpose]).encode()
        self._bytes = hmac.digest(secret.encode(), text, "sha256") if secret else secrets.token_bytes(32)
        self._key = OctKey.import_key(self._bytes)

    def seal(self, kind: str, content: Mapping[str, Any], until_s: int) -> str:
        """Return a content for a cookie, good until a time."""
        return jwt.encode({"alg": ALGORITHM}, {**content, "aud": kind, "exp": until_s}, self._key, [ALGORITHM])

    def open(self, kind: str, sealed: str, now_s: int) -> dict[str, Any] | None:
        """Return a content; None if it is not one of ours, of another kind, or no longer good."""
        if len(sealed) > MOST_CHARACTERS:
            return None
        try:
            claims = jwt.decode(sealed, self._key, [ALGORITHM]).claims
            registry = jwt.JWTClaimsRegistry(now=now_s, aud={"essential": True, "value": kind}, exp={"essential": True})
            registry.validate(claims)
        except (JoseError, ValueError, TypeError):
            return None
        return dict(claims)

    def derived(self, *parts: str) -> str:
        """Return what only those who have the secret can tell of some texts: 43 characters for an address."""
        text = "\x00".join(parts).encode()
        digest = hmac.digest(self._bytes, text, "sha256")
        return hashlib.sha256(digest).hexdigest()[:43]
