"""Whom clients of other services trust."""

from __future__ import annotations

import os
import ssl
from functools import lru_cache

__all__ = ["public_authorities"]


def public_authorities() -> ssl.SSLContext:
    """Return what trusts the public authorities, or those that the environment names in their place.

    It is not to be changed, since others have the same.
    """
    return _authorities_of(tuple(os.environ.get(name) for name in ("SSL_CERT_FILE", "SSL_CERT_DIR")))


@lru_cache(maxsize=1)
def _authorities_of(named: tuple[str | None, ...]) -> ssl.SSLContext:
    """Return what trusts those that the environment names; read once, since it takes 20 ms and a megabyte each time."""
    # Only here: who names authorities needs none of its own.
    import httpx

    return httpx.create_ssl_context()
