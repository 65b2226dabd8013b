"""Tokens: a random secret with a name and a role. Who shows the secret has the role.

Of the secret only the digest is kept. It needs no salt and no slow hash: nobody guesses 256 random bits.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from hmac import compare_digest

from monitor.access.roles import Grant, Role

__all__ = [
    "MARK",
    "MOST_NAME",
    "MOST_NAMESPACES",
    "NAMESPACE",
    "Token",
    "bound",
    "digest_of",
    "holder",
    "new_secret",
    "prefix_of",
]

MARK = "leeway_"
"""How every secret begins, so that scanners of code find those that were left in it."""

SHOWN = len(MARK) + 6
MOST_NAME = 100
MOST_NAMESPACES = 100
NAMESPACE = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}"


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
    namespaces : tuple of str
        To which it is bound: for models of others its holder might as well have none. Of all if empty.
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
    namespaces: tuple[str, ...] = ()

    @property
    def grant(self) -> Grant:
        """What its holder may, and where."""
        return Grant(self.role, self.namespaces)

    def has_ended(self, now_ms: int) -> bool:
        """Whether it is good for nothing any more: it was revoked, or has expired."""
        return bool(self.revoked_ms) or 0 < self.expires_ms <= now_ms


def bound(token: Token) -> str:
    """Return to what a token is bound, as part of a sentence.

    Examples
    --------
    >>> bound(Token("ci", "viewer", "", namespaces=("fraud", "risk")))
    "the token 'ci' is bound to the namespaces fraud, risk"
    """
    many = "s" if len(token.namespaces) > 1 else ""
    return f"the token {token.name!r} is bound to the namespace{many} {', '.join(token.namespaces)}"


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
