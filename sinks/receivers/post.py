"""Posting to an address, once, and what the answer means for a notification.

Delivered means that the other side answered 2xx. 429, 5xx, a network error or a time-out mean try again, no sooner than
a ``Retry-After`` asks; any other answer, a redirection too, is a refusal. After a time-out the other side may have the
notification all the same.
"""

from __future__ import annotations

import ipaddress
import logging
import socket
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx
from pydantic import Field

from sinks.authorities import public_authorities
from sinks.parameters import DurationMs
from sinks.receivers.contract import Delivered, Outcome, Refused, Retry
from sinks.receivers.parameters import Parameters
from sinks.redaction import Redaction, basic

__all__ = ["Post", "Posted", "private", "retry_after_s"]

EXCERPT_BYTES = 1024

# httpx writes the address of every request at INFO, and addresses of webhooks are often secrets themselves; httpcore
# writes the headers of answers at DEBUG, which may repeat them.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)


class Post:
    """Posts bodies to one address. Neither path, credentials nor headers appear in reasons or logs.

    Parameters
    ----------
    url : str
        May hold ``user:password@``, which is sent as basic authentication.
    timeout_ms : int
        For connecting, and for each wait for bytes in either direction.
    headers : mapping of str to str
        Their values are secrets.
    secrets : iterable of str
        What else must not be quoted.
    allow_private : bool
        Whether the address may lead into a private network, or to this machine. If it may not, the host's name is
        looked up here, and the request goes to the address that was looked at and to no other. Behind a proxy of
        the environment (``HTTPS_PROXY``) nothing is looked up: where requests may go is the proxy's to decide.
    proxy : str
        The address of one; empty: that of the environment, if there is one.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout_ms: int = 10_000,
        headers: Mapping[str, str] | None = None,
        secrets: Iterable[str] = (),
        allow_private: bool = False,
        proxy: str = "",
    ) -> None:
        address = httpx.URL(url)
        self._url = address.copy_with(userinfo=b"")
        self._where = f"{address.scheme}://{address.netloc.decode()}"
        self._allow_private = allow_private
        credentials = (address.username, address.password) if address.userinfo else None
        named = (address.username, address.password, basic(address.username, address.password))
        self._hide = Redaction([*(headers or {}).values(), *named, address.raw_path.decode(), *secrets])
        self._client = httpx.Client(
            headers={"User-Agent": "Leeway", "Content-Type": "application/json"} | dict(headers or {}),
            auth=credentials,
            timeout=timeout_ms / 1000,
            follow_redirects=False,
            proxy=proxy or None,
            verify=public_authorities(),
        )
        self._is_proxied = bool(proxy)

    def send(
        self,
        body: bytes,
        *,
        headers: Mapping[str, str] | None = None,
        path: str = "",
        read: Callable[[bytes], Outcome] | None = None,
        read_bytes: int = EXCERPT_BYTES,
    ) -> Outcome:
        """Post `body`, once.

        Parameters
        ----------
        body : bytes
        headers : mapping of str to str
            Beside those of all requests.
        path : str
            Appended to the address.
        read : callable
            From the start of the text of an answer 2xx to the outcome, where such an answer can mean failure.
        read_bytes : int
            How long that start is at most.
        """
        url = self._url.copy_with(raw_path=self._url.raw_path + path.encode()) if path else self._url
        try:
            looks_up = not (self._allow_private or self._is_proxied or _has_proxy(url))
            target = self._looked_up(url) if looks_up else url
            if isinstance(target, Refused):
                return target
            # The name is still what the certificate has to be for, and what the other side is asked for.
            pinned = {} if target is url else {"sni_hostname": url.host}
            host = {} if target is url else {"Host": url.netloc.decode()}
            request = self._client.build_request(
                "POST", target, content=body, headers=host | dict(headers or {}), extensions=pinned
            )
            response = self._client.send(request, stream=True)
            try:
                if not response.is_success:
                    return self._failure(response)
                outcome = Delivered() if read is None else read(_start(response, read_bytes))
                return replace(outcome, reason=self._hide(outcome.reason))
            finally:
                response.close()
        except socket.gaierror as error:
            return Retry(f"{self._where}: the name is not known ({error.strerror})")
        except httpx.TimeoutException as error:
            may_have_it = not isinstance(error, httpx.ConnectTimeout | httpx.PoolTimeout)
            return Retry(f"{self._where}: no answer in time ({type(error).__name__})", may_have_it=may_have_it)
        except (httpx.TransportError, httpx.DecodingError) as error:
            return self._unreachable(error)

    def close(self) -> None:
        """Close connections."""
        self._client.close()

    def _looked_up(self, url: httpx.URL) -> httpx.URL | Refused:
        """Return `url` with an address for its name, or why it may not be used."""
        port = url.port or {"http": 80, "https": 443}[url.scheme]
        addresses = [str(entry[4][0]) for entry in socket.getaddrinfo(url.host, port, type=socket.SOCK_STREAM)]
        for address in addresses:
            if private(address):
                return Refused(
                    f"{self._where}: {address} is not a public address; set `allow_private: true` to send there"
                )
        return url.copy_with(host=addresses[0])

    def _failure(self, response: httpx.Response) -> Outcome:
        reason = f"{self._where}: {response.status_code} {response.reason_phrase}{self._excerpt(response)}"
        if response.status_code == 429 or response.is_server_error:
            return Retry(reason, retry_after_s(response.headers))
        return Refused(reason)

    def _unreachable(self, error: httpx.RequestError) -> Outcome:
        # A protocol error of our own making quotes the header it dislikes: only connection errors are safe to quote.
        if isinstance(error, httpx.LocalProtocolError | httpx.UnsupportedProtocol):
            return Refused(f"{self._where}: the request cannot be sent ({type(error).__name__})")
        detail = f": {error}" if isinstance(error, httpx.ConnectError) else ""
        may_have_it = not isinstance(error, httpx.ConnectError)
        return Retry(f"{self._where}: {type(error).__name__}{detail}", may_have_it=may_have_it)

    def _excerpt(self, response: httpx.Response) -> str:
        """Return the start of the answer's text, on one line, without what it may have echoed."""
        try:
            start = _start(response, EXCERPT_BYTES)
        except (httpx.TransportError, httpx.DecodingError) as error:
            return f" (no text: {type(error).__name__})"
        text = self._hide(" ".join(start.decode(errors="replace").split()))
        return f": {text[:200]}" if text else ""


class Posted(Parameters):
    """What every receiver has that is posted to."""

    timeout: DurationMs = Field(default=10_000, gt=0)
    allow_private: bool = Field(
        default=False, description="whether the address may be in a private network or on this machine"
    )

    proxy: str = Field(
        default="", pattern=r"^(https?://.+)?$", description="the proxy to go through; empty: that of the environment"
    )

    def post_to(self, url: str, *, headers: Mapping[str, str] | None = None, secrets: Iterable[str] = ()) -> Post:
        """Return what posts to an address."""
        return Post(
            url,
            timeout_ms=self.timeout,
            headers=headers,
            secrets=secrets,
            allow_private=self.allow_private,
            proxy=self.proxy,
        )


def private(address: str) -> bool:
    """Whether an IP address leads to this machine, a private network or nowhere that a host can be.

    Examples
    --------
    >>> [private(a) for a in ("127.0.0.1", "10.1.2.3", "169.254.169.254", "::ffff:10.0.0.1", "fd00::1", "0.0.0.0")]
    [True, True, True, True, True, True]
    >>> private("8.8.8.8"), private("2001:4860:4860::8888")
    (False, False)
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return not ip.is_global or ip.is_multicast


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return how long the other side asks to wait (RFC 9110, 10.2.3), None if it does not.

    A date counts from the answer's own ``Date``, so that clocks need not agree.

    Examples
    --------
    >>> retry_after_s({"retry-after": "120"})
    120.0
    >>> retry_after_s(
    ...     {"retry-after": "Sat, 09 Feb 2013 05:31:00 GMT", "date": "Sat, 09 Feb 2013 05:30:00 GMT"}
    ... )
    60.0
    """
    wait = headers.get("retry-after", "").strip()
    if wait.isascii() and wait.isdigit():
        return float(wait)
    until, now = _http_date(wait), _http_date(headers.get("date", ""))
    return max(0.0, (until - now).total_seconds()) if until and now else None


def _start(response: httpx.Response, most_bytes: int) -> bytes:
    start = b""
    try:
        for part in response.iter_bytes():
            start += part
            if len(start) >= most_bytes:
                break
    except httpx.TransportError:
        # What has come may say it all.
        if not start:
            raise
    return start[:most_bytes]


def _has_proxy(url: httpx.URL) -> bool:
    return url.scheme in urllib.request.getproxies() and not urllib.request.proxy_bypass(url.host)


def _http_date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
