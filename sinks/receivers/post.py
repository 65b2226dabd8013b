"""Posting to an address, once, and what the answer means for a notification.

Delivered means that the other side answered 2xx, and where it is a service that has no pages, not with one. 429, 5xx, a
network error or a time-out mean try again, no sooner than a ``Retry-After`` asks; any other answer, a redirection too,
is a refusal. After a time-out the other side may have the notification all the same.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import re
import socket
import ssl
import urllib.request
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
from pydantic import Field

from sinks.authorities import public_authorities
from sinks.parameters import DurationMs
from sinks.receivers.contract import Delivered, Outcome, Refused, Retry
from sinks.receivers.limits import printable
from sinks.receivers.parameters import Parameters
from sinks.redaction import Redaction, basic
from sinks.time_limit import reason_of, within

__all__ = ["Post", "Posted", "private", "retry_after_s", "retry_until_ms"]

EXCERPT_BYTES = 1024
GZIP_OR_ZLIB = 32
"""Added to zlib's window bits: which of the two it is, is read from the data."""
TITLE = re.compile(r"<title[^>]*>([^<]*)", re.IGNORECASE)
LONGEST_TITLE = 100
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
        looked up here, and the request goes to the addresses that were looked at and to no other: to the next one
        where one cannot be connected to. Behind a proxy of the environment (``HTTPS_PROXY``) nothing is looked up:
        where requests may go is the proxy's to decide.
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
            "headers": {"User-Agent": "Leeway", "Content-Type": "application/json", "Accept-Encoding": "identity"}
            | dict(headers or {}),
            "auth": credentials,
            "proxy": proxy or None,
            "verify": public_authorities(),
        }

    def send(
        self,
        body: bytes,
        *,
        headers: Mapping[str, str] | None = None,
        path: str = "",
        read: Callable[[bytes], Outcome] | None = None,
        read_bytes: int = EXCERPT_BYTES,
        may_be_empty: bool = False,
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
        may_be_empty : bool
            Whether an answer 2xx without a text is read as an empty one; else it counts once a text comes.
        """
        exchange = _Exchange(body, headers or {}, path, read, read_bytes, may_be_empty)
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

    def send_to_service(self, body: bytes, *, path: str = "") -> Outcome:
        """Post to a service that answers with a few words, or with nothing, and never with a page."""
        return self.send(body, path=path, read=self.unless_page, may_be_empty=True)

    def unless_page(self, answer: bytes) -> Outcome:
        """Return what an answer 2xx means where no page is ever the answer: one is that of a log-in or a gateway."""
        if not answer.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
            return Delivered()
        title = TITLE.search(answer.decode(errors="replace"))
        named = f" ({' '.join(title[1].split())[:LONGEST_TITLE]})" if title else ""
        return Retry(f"{self._where}: a web page{named} was the answer, which is not the service's own")

    async def _ask(self, exchange: _Exchange) -> None:
        """Send a request and take its answer down, as far as either goes."""
        path = exchange.path.encode()
        url = self._url.copy_with(raw_path=self._url.raw_path + path) if path else self._url
        try:
            looks_up = not (self._allow_private or self._is_proxied or _has_proxy(url))
            targets = await self._looked_up(url) if looks_up else [url]
            if isinstance(targets, Refused):
                exchange.refusal = targets
                return
            await self._ask_one_of(targets, url, exchange)
        except (socket.gaierror, ssl.SSLError, httpx.TransportError, httpx.DecodingError) as error:
            exchange.error = error

    async def _ask_one_of(self, targets: Sequence[httpx.URL], url: httpx.URL, exchange: _Exchange) -> None:
        """Ask the first that can be connected to; one that does not answer takes no other's share of the time."""
        limits = None if len(targets) == 1 else httpx.Timeout(None, connect=self._timeout_s / len(targets))
        for target in targets[:-1]:
            try:
                return await self._ask_at(target, url, exchange, limits)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue
        await self._ask_at(targets[-1], url, exchange, limits)

    async def _ask_at(
        self, target: httpx.URL, url: httpx.URL, exchange: _Exchange, limits: httpx.Timeout | None
    ) -> None:
        # The name is still what the certificate has to be for, and what the other side is asked for.
        pinned = {} if target is url else {"sni_hostname": url.host}
        host = {} if target is url else {"Host": url.netloc.decode()}
        # Limits of httpx bound each wait for a byte, and whoever sends begins anew with each.
        async with httpx.AsyncClient(**self._options, timeout=limits) as client:
            request = client.build_request(
                "POST",
                target,
                content=exchange.body,
                headers=host | dict(exchange.headers),
                extensions=pinned | {"trace": exchange.trace},
            )
            exchange.response = await client.send(request, stream=True)
            await exchange.take_start()

    async def _looked_up(self, url: httpx.URL) -> Sequence[httpx.URL] | Refused:
        """Return `url` with each address for its name, or why it may not be used."""
        port = url.port or {"http": 80, "https": 443}[url.scheme]
        entries = await asyncio.get_running_loop().getaddrinfo(url.host, port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in entries))
        for address in addresses:
            if private(address):
                return Refused(
                    f"{self._where}: {address} is not a public address; set `allow_private: true` to send there"
                )
        return [url.copy_with(host=address) for address in addresses]

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
        is_missing = not exchange.start and not exchange.may_be_empty
        if error is not None and (is_missing or isinstance(error, httpx.DecodingError)):
            return self._unanswered(error, exchange)
        outcome = exchange.read(exchange.start)
        return replace(outcome, reason=printable(self._hide(outcome.reason)))

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
        text = printable(self._hide(" ".join(exchange.start.decode(errors="replace").split())))
        return f": {text[:200]}" if text else ""


@dataclass
class _Exchange:
    """A request, and what has come of its answer."""

    body: bytes
    headers: Mapping[str, str]
    path: str
    read: Callable[[bytes], Outcome] | None
    read_bytes: int
    may_be_empty: bool = False
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
        unpacked = _unpacking(self.response.headers.get("content-encoding", ""))
        # Not what httpx unpacks: a few kilobytes of an answer may become gigabytes.
        async for part in self.response.aiter_raw():
            self.start += unpacked(part, most_bytes - len(self.start))
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


def _unpacking(coding: str) -> Callable[[bytes, int], bytes]:
    """Return what makes so many bytes at most of each part of an answer; no coding was asked for.

    Raises
    ------
    httpx.DecodingError
    """
    if coding.strip().lower() in ("", "identity"):
        return lambda part, most_bytes: part[:most_bytes]
    if coding.strip().lower() not in ("gzip", "x-gzip", "deflate"):
        raise httpx.DecodingError(f"the answer is packed as {coding}")
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | GZIP_OR_ZLIB)

    def unpacked(part: bytes, most_bytes: int) -> bytes:
        try:
            return unpacker.decompress(part, most_bytes)
        except zlib.error as error:
            raise httpx.DecodingError(str(error)) from error

    return unpacked


def _http_date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
