"""Taking secrets out of what the other side has said, which may repeat what it was sent."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus, unquote

__all__ = ["Redaction", "basic"]

SHORTEST_PART = 8
"""Shorter parts of an address, such as ``hooks``, are no secrets by themselves."""


class Redaction:
    """Replaces secrets, in every form in which they may come back, by ``***``.

    Parameters
    ----------
    secrets : iterable of str
        Of an address with a path its parts are secrets, too; of ``Bearer …`` what comes after it.

    Examples
    --------
    >>> hide = Redaction(["/services/T024/Xoxb-1234%2F5", basic("me", "pa/ss")])
    >>> hide("no such hook: Xoxb-1234/5"), hide("sent: Basic bWU6cGEvc3M=")
    ('no such hook: ***', 'sent: Basic ***')
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets for part in _parts(secret) for form in _forms(part)}
        # Longest first: a secret may hold another.
        self._forms = sorted(forms - {"", "/"}, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """Return `text` without them."""
        for form in self._forms:
            text = text.replace(form, "***")
        return text


def basic(user: str, password: str) -> str:
    """Return what stands behind ``Basic`` in the header of basic authentication (RFC 7617)."""
    return base64.b64encode(f"{user}:{password}".encode()).decode()


def _parts(secret: str) -> Iterator[str]:
    yield secret
    credential = secret.rpartition(" ")[2]
    pieces = [credential]
    for separator in "?&=/":
        pieces = [part for piece in pieces for part in piece.split(separator)]
    yield from (part for part in (credential, *pieces) if len(part) >= SHORTEST_PART)


def _forms(secret: str) -> set[str]:
    plain = {secret, unquote(secret)}
    written = {form for text in plain for form in (text, quote(text), quote(text, safe=""), quote_plus(text))}
    encoded = {base64.b64encode(text.encode()).decode() for text in plain}
    return {*written, *encoded, *(json.dumps(text)[1:-1] for text in plain)}
