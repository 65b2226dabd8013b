"""Tokens: a random secret with a name and a role. Who shows the secret has the role.

Of the secret only the digest is kept. It needs no salt and no slow hash: nobody guesses 256 random bits.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from hmac import compare_digest

from monitor.access.roles import Role

__all__ = ["MARK", "MOST_NAME", "Token", "digest_of", "holder", "new_secret", "prefix_of"]

MARK = "leeway_"
"""How every secret begins, so that scanners of code find those that were left in it."""

SHOWN = len(MARK) + 6
MOST_NAME = 100


@dataclass(frozen=True)
class Token:
    """A token, without its secret.

    Attributes
    ----------
    name : str
    role : Role
    digest : str
        SHA-256 of the secret, in hexadecimal digits.
    prefix : str
        The first characters of the secret, by which people tell which one they hold; empty if the configuration has it.
    created_by : str
        Empty if the configuration has it.
    created_ms, expires_ms, revoked_ms : int
        0: from the configuration; never; not revoked.
    revoked_by : str
    id : str
        Empty if the configuration has it.
    """

    name: str
    role: Role
    digest: str
    prefix: str = ""
    created_by: str = ""
    created_ms: int = 0
    expires_ms: int = 0
    revoked_ms: int = 0
    revoked_by: str = ""
    id: str = ""

    def has_ended(self, now_ms: int) -> bool:
        """Whether it is good for nothing any more: it was revoked, or has expired."""
        return bool(self.revoked_ms) or 0 < self.expires_ms <= now_ms


def new_secret() -> str:
    """Return a secret of 256 random bits."""
    return MARK + secrets.token_urlsafe(32)


def prefix_of(secret: str) -> str:
    """Return as much of a secret as may be shown.

    Examples
    --------
    >>> prefix_of("leeway_abcdefghijklmnopqrstuvwxyz")
    'leeway_abcdef'
    """
    return secret[:SHOWN]


def digest_of(secret: str) -> str:
    """Return what is kept of a secret.

    Examples
    --------
    >>> digest_of("abc")[:16]
    'ba7816bf8f01cfea'
    """
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def holder(tokens: Mapping[str, Token], secret: str) -> Token | None:
    """Return the token that a secret is of.

    Parameters
    ----------
    tokens : mapping of str to Token
        By their digests: how long it takes to find one may say something of digests, and so of no secret.
    secret : str

    Examples
    --------
    >>> ci = Token("ci", "ingest", digest_of("abc"))
    >>> holder({ci.digest: ci}, "abc") is ci, holder({ci.digest: ci}, "abd")
    (True, None)
    """
    digest = digest_of(secret)
    token = tokens.get(digest)
    return token if token is not None and compare_digest(token.digest, digest) else None
