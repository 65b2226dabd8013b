"""What is expected of an OpenID issuer and of its tokens."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

__all__ = ["Expected", "is_protected"]


@dataclass(frozen=True)
class Expected:
    """What a token must say.

    Attributes
    ----------
    issuer : str
    audiences : tuple of str
        It must be for one of them.
    clock_skew_s : int
        So far the issuer's clock may be from ours.
    """

    issuer: str
    audiences: tuple[str, ...]
    clock_skew_s: int = 60


def is_protected(address: str) -> bool:
    """Whether nobody on the way reads or changes what an address answers.

    Examples
    --------
    >>> is_protected("https://login.example.org"), is_protected("http://login.example.org")
    (True, False)
    >>> is_protected("http://127.0.0.1:9000")
    True
    """
    url = urlsplit(address)
    if url.scheme == "https":
        return bool(url.hostname)
    if url.scheme != "http":
        return False
    try:
        return url.hostname == "localhost" or ip_address(url.hostname or "").is_loopback
    except ValueError:
        return False
