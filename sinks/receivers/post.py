"""Posting to an address, once, and what the answer means for a notification.

Delivered means that the other side answered 2xx. 429, 5xx, a network error or a time-out mean try again, no sooner than
a ``Retry-After`` asks; any other answer, a redirection too, is a refusal. After a time-out the other side may have the
notification all the same.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
import ssl
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
from pydantic import Field

from sinks.authorities import public_authorities
from sinks.parameters import DurationMs
from sinks.receivers.contract import Delivered, Outcome, Refused, Retry
from sinks.receivers.parameters import Parameters
from sinks.redaction import Redaction, basic
from sinks.time_limit import reason_of, within

__all__ = ["Post", "Posted", "private", "retry_after_s", "retry_until_ms"]

EXCERPT_BYTES = 1024
CONNECTING = "ConnectTimeout"
PHASES = {
    "http11.send_request_headers.started": "WriteTimeout",
    "http11.receive_response_headers.started": "ReadTimeout",
}
"""How far a request is, by the events of httpcore's trace."""

# httpx writes the address of every request at INFO, and addresses of webhooks are often secrets themselves; httpcore
# writes the headers of answers at DEBUG, which may repeat them.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)


class Post:
    """Posts bodies to one address. Neither path, credentials nor headers appear in reasons or logs.

    Each body goes over a connection of its own.

    Parameters
    ----------
    url : str
        May hold ``user:password@``, which is sent as basic authentication.
    timeout_ms : int
        For all of it: looking the name up, connecting, sending, and what is read of the answer.
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
        self._allow_private, self._is_proxied, self._timeout_s = allow_private, bool(proxy), timeout_ms / 1000
        credentials = (address.username, address.password) if address.userinfo else None
        named = (address.username, address.password, basic(address.username, address.password))
        self._hide = Redaction([*(headers or {}).values(), *named, address.raw_path.decode(), *secrets])
        self._options: dict[str, Any] = {
            "headers": {"User-Agent": "Leeway", "Content-Type": "application/json"} | dict(headers or {}),
            "auth": credentials,
            "proxy": proxy or None,
            "verify": public_authorities(),
            # Those of httpx bound each wait for a byte, and whoever sends begins anew with each.
            "timeout": None,
        }

    def send(
        self,
        body: bytes,
        *,
        headers: Mapping[str, str] | None = None,
        path: str = "",
        read: Callable[[bytes], Outcome] | None = None,
        read_bytes: int = EXCERPT_BYTES,
    ) -> Outcome:
        """Post `body`, once, and wait no longer than the time-out.

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
        exchange = _Exchange(body, headers or {}, path, read, read_bytes)
        try:
            within(self._timeout_s, self._ask(exchange))
        except TimeoutError as error:
            exchange.error = error
        return self._outcome(exchange)

    async def send_in_loop(
        self,
        body: bytes,
        *,
        headers: Mapping[str, str] | None = None,
        read: Callable[[bytes], Outcome] | None = None,
        read_bytes: int = EXCERPT_BYTES,
    ) -> Outcome:
        """Do as :meth:`send` does; how long to wait is the caller's to say, who cancels it."""
        exchange = _Exchange(body, headers or {}, "", read, read_bytes)
        await self._ask(exchange)
        return self._outcome(exchange)

    async def _ask(self, exchange: _Exchange) -> None:
        """Send a request and take its answer down, as far as either goes."""
        path = exchange.path.encode()
        url = self._url.copy_with(raw_path=self._url.raw_path + path) if path else self._url
        try:
            looks_up = not (self._allow_private or self._is_proxied or _has_proxy(url))
            target = await self._looked_up(url) if looks_up else url
            if isinstance(target, Refused):
                exchange.refusal = target
                return
            # The name is still what the certificate has to be for, and what the other side is asked for.
            pinned = {} if target is url else {"sni_hostname": url.host}
            host = {} if target is url else {"Host": url.netloc.decode()}
            async with httpx.AsyncClient(**self._options) as client:
                request = client.build_request(
                    "POST",
                    target,
                    content=exchange.body,
                    headers=host | dict(exchange.headers),
                    extensions=pinned | {"trace": exchange.trace},
                )
                exchange.response = await client.send(request, stream=True)
                await exchange.take_start()
        except (socket.gaierror, ssl.SSLError, httpx.TransportError, httpx.DecodingError) as error:
            exchange.error = error

    async def _looked_up(self, url: httpx.URL) -> httpx.URL | Refused:
        """Return `url` with an address for its name, or why it may not be used."""
        port = url.port or {"http": 80, "https": 443}[url.scheme]
        entries = await asyncio.get_running_loop().getaddrinfo(url.host, port, type=socket.SOCK_STREAM)
        addresses = [str(entry[4][0]) for entry in entries]
        for address in addresses:
            if private(address):
                return Refused(
                    f"{self._where}: {address} is not a public address; set `allow_private: true` to send there"
                )
        return url.copy_with(host=addresses[0])

    def _outcome(self, exchange: _Exchange) -> Outcome:
        """What has come of a request means."""
        response, error = exchange.response, exchange.error
        if exchange.refusal is not None:
            return exchange.refusal
        if response is None:
            assert error is not None
            return self._unanswered(error, exchange)
        if not response.is_success:
            return self._failure(response, exchange)
        if exchange.read is None:
            return Delivered()
        # What has come may say it all, unless it cannot be made out.
        if error is not None and (not exchange.start or isinstance(error, httpx.DecodingError)):
            return self._unanswered(error, exchange)
        outcome = exchange.read(exchange.start)
        return replace(outcome, reason=self._hide(outcome.reason))

    def _failure(self, response: httpx.Response, exchange: _Exchange) -> Outcome:
        reason = f"{self._where}: {response.status_code} {response.reason_phrase}{self._excerpt(exchange)}"
        if response.status_code == 429 or response.is_server_error:
            after_s = retry_after_s(response.headers)
            return Retry(reason, after_s, until_ms=retry_until_ms(response.headers) if after_s is None else None)
        return Refused(reason)

    def _unanswered(self, error: Exception, exchange: _Exchange) -> Outcome:
        if isinstance(error, socket.gaierror):
            return Retry(f"{self._where}: the name is not known ({error.strerror})")
        if isinstance(error, TimeoutError | httpx.TimeoutException):
            reason = f"{self._where}: no answer in time ({exchange.phase})"
            return Retry(reason, may_have_it=exchange.phase != CONNECTING)
        # A protocol error of our own making quotes the header it dislikes: only connection errors are safe to quote.
        if isinstance(error, httpx.LocalProtocolError | httpx.UnsupportedProtocol):
            return Refused(f"{self._where}: the request cannot be sent ({type(error).__name__})")
        is_unconnected = isinstance(error, httpx.ConnectError)
        detail = f": {reason_of(error)}" if is_unconnected or isinstance(error, ssl.SSLError) else ""
        return Retry(f"{self._where}: {type(error).__name__}{detail}", may_have_it=not is_unconnected)

    def _excerpt(self, exchange: _Exchange) -> str:
        """Return the start of the answer's text, on one line, without what it may have echoed."""
        error = exchange.error
        if error is not None and (not exchange.start or isinstance(error, httpx.DecodingError)):
            return f" (no text: {exchange.phase if isinstance(error, TimeoutError) else type(error).__name__})"
        text = self._hide(" ".join(exchange.start.decode(errors="replace").split()))
        return f": {text[:200]}" if text else ""


@dataclass
class _Exchange:
    """A request, and what has come of its answer."""

    body: bytes
    headers: Mapping[str, str]
    path: str
    read: Callable[[bytes], Outcome] | None
    read_bytes: int
    phase: str = CONNECTING
    refusal: Refused | None = None
    response: httpx.Response | None = None
    start: bytes = b""
    error: Exception | None = None

    async def trace(self, event: str, facts: Mapping[str, Any]) -> None:
        """Note how far it is. What a proxy is asked first (CONNECT) is still connecting."""
        if event in PHASES and facts["request"].method == b"POST":
            self.phase = PHASES[event]

    async def take_start(self) -> None:
        """Read as much of the answer as is of use; it is kept whatever happens meanwhile."""
        assert self.response is not None
        if self.response.is_success and self.read is None:
            return
        most_bytes = self.read_bytes if self.response.is_success else EXCERPT_BYTES
        async for part in self.response.aiter_bytes():
            self.start = (self.start + part)[:most_bytes]
            if len(self.start) >= most_bytes:
                break


class Posted(Parameters):
    """What every receiver has that is posted to."""

    timeout: DurationMs = Field(default=10_000, gt=0, description="for a request and its answer, altogether")
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

    A date counts from the answer's own ``Date``, so that clocks need not agree; see :func:`retry_until_ms`.

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


def retry_until_ms(headers: Mapping[str, str]) -> int | None:
    """Return the date until which the other side asks to wait, None if it names none.

    Examples
    --------
    >>> retry_until_ms({"retry-after": "Sat, 09 Feb 2013 05:31:00 GMT"})
    1360387860000
    """
    until = _http_date(headers.get("retry-after", ""))
    return round(until.timestamp() * 1000) if until else None


def _has_proxy(url: httpx.URL) -> bool:
    return url.scheme in urllib.request.getproxies() and not urllib.request.proxy_bypass(url.host)


def _http_date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
