"""How much one client may ask for a second: more is refused, and says when to come again."""

from __future__ import annotations

import math
from collections import OrderedDict
from ipaddress import IPv6Address, ip_address, ip_network

from prometheus_client import CollectorRegistry, Counter
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from monitor.access.tokens import Token, digest_of
from monitor.api.needs import FREE
from monitor.api.problems import ProblemError, problem
from monitor.clock import Clock
from monitor.config.rates import ApiRates

__all__ = ["AddressRates", "Buckets", "Rates", "address_of", "client_of"]

MOST_CLIENTS = 10_000
"""Of whom is known what they have asked for. Who was away longest is forgotten first, and may ask afresh."""

INGEST_BURST_S = 4.0
TOO_MANY = {
    "requests": "you ask too often",
    "bytes": "you send too much",
    "logins": "too many tokens from your address were not good",
}


class Buckets:
    """What each client may still take: it fills up with time, to a limit.

    Parameters
    ----------
    clock : Clock
    per_s : float
    burst : float

    Examples
    --------
    >>> from monitor.clock import ManualClock
    >>> clock = ManualClock()
    >>> buckets = Buckets(clock, per_s=2, burst=3)
    >>> [buckets.take("ann", 1) for _ in range(4)], buckets.take("bob", 1)
    ([0.0, 0.0, 0.0, 0.5], 0.0)
    >>> clock.advance(0.5)
    >>> buckets.take("ann", 1)
    0.0
    """

    def __init__(self, clock: Clock, per_s: float, burst: float) -> None:
        self._clock, self._per_s, self._burst = clock, per_s, burst
        self._filled: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str, amount: float) -> float:
        """Take an amount if it is there, and return 0; else return in how many seconds it will be."""
        wait_s = self.lacking_s(client, amount)
        self._put(client, self._content(client) - (0 if wait_s > 0 else amount))
        return wait_s

    def lacking_s(self, client: str, amount: float) -> float:
        """Return in how many seconds an amount will be there, and take nothing."""
        return max(0.0, (amount - self._content(client)) / self._per_s)

    def spend(self, client: str, amount: float) -> None:
        """Take an amount also if it is not there: the next one waits for it."""
        self._put(client, self._content(client) - amount)

    def _content(self, client: str) -> float:
        content, filled_s = self._filled.get(client, (self._burst, self._clock.monotonic_s()))
        return min(self._burst, content + (self._clock.monotonic_s() - filled_s) * self._per_s)

    def _put(self, client: str, content: float) -> None:
        self._filled[client] = content, self._clock.monotonic_s()
        self._filled.move_to_end(client)
        if len(self._filled) > MOST_CLIENTS:
            self._filled.popitem(last=False)


class Rates:
    """What each client of the API may ask for.

    Parameters
    ----------
    spec : ApiRates
    clock : Clock
    registry : CollectorRegistry
    """

    def __init__(self, spec: ApiRates, clock: Clock, registry: CollectorRegistry) -> None:
        self._requests = Buckets(clock, spec.requests_per_s, spec.burst)
        self._bytes = Buckets(clock, spec.ingest_bytes_per_s, spec.ingest_bytes_per_s * INGEST_BURST_S)
        self._failures = Buckets(clock, spec.failed_logins_per_minute / 60, max(1.0, spec.failed_logins_per_minute))
        # Digests of secrets that were good: who shows one is not held up by others who guess from the same address.
        self._good: OrderedDict[str, None] = OrderedDict()
        text = "Requests that were refused since a client asked for too much, by what there was too much of."
        self._refused = Counter("leeway_http_rate_limited", text, ["limit"], registry=registry)

    def take_request(self, client: str) -> None:
        """Count a request.

        Raises
        ------
        ProblemError
            There were too many.
        """
        self._refuse_after(self._requests.take(client, 1), "requests", "spec.api.rates.requests_per_s")

    def metered(self, client: str, receive: Receive) -> Receive:
        """Return what receives a body, and counts it.

        Raises
        ------
        ProblemError
            Those before it were too much.
        """
        self._refuse_after(self._bytes.take(client, 0), "bytes", "spec.api.rates.ingest_bytes_per_s")

        async def counted() -> Message:
            message = await receive()
            self._bytes.spend(client, len(message.get("body", b"")))
            return message

        return counted

    def check_login(self, address: str, secret: str) -> None:
        """See whether a secret may be tried: any that was good before, and else so many from an address.

        Raises
        ------
        ProblemError
            Too many others were not good.
        """
        if digest_of(secret) not in self._good:
            self.check_failures(address)

    def note_login(self, address: str, secret: str, *, is_good: bool) -> None:
        """Remember whether a secret was good."""
        digest = digest_of(secret)
        if is_good:
            self._good[digest] = None
            self._good.move_to_end(digest)
            if len(self._good) > MOST_CLIENTS:
                self._good.popitem(last=False)
        else:
            self._good.pop(digest, None)
            self.note_failure(address)

    def check_failures(self, address: str) -> None:
        """See whether logins from an address may still fail.

        Raises
        ------
        ProblemError
            Too many have.
        """
        wait_s = self._failures.lacking_s(address, 1)
        self._refuse_after(wait_s, "logins", "spec.api.rates.failed_logins_per_minute")

    def note_failure(self, address: str) -> None:
        """Count a login that has failed."""
        # Only now: good ones may be many at once. Those that are tried meanwhile are waited for afterwards.
        self._failures.spend(address, 1)

    def _refuse_after(self, wait_s: float, limit: str, setting: str) -> None:
        if wait_s <= 0:
            return
        self._refused.labels(limit).inc()
        seconds = math.ceil(wait_s)
        detail = f"{TOO_MANY[limit]}: come again in {seconds} s; {setting} says how many there may be"
        raise ProblemError("too-many-requests", detail, retry_after_s=seconds)


class AddressRates:
    """Counts requests by address, where no tokens are asked for; those of this machine and probes are free.

    Parameters
    ----------
    app : ASGI application
    rates : Rates
    """

    def __init__(self, app: ASGIApp, rates: Rates) -> None:
        self._app, self._rates = app, rates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        address = address_of(scope)
        path = scope.get("path", "").removeprefix(scope.get("root_path", ""))
        if scope["type"] != "http" or not address or path in FREE or ip_address(address).is_loopback:
            await self._app(scope, receive, send)
            return
        try:
            self._rates.take_request(address)
            metered = self._rates.metered(address, receive)
        except ProblemError as refusal:
            await problem(Request(scope), refusal)(scope, receive, send)
            return
        await self._app(scope, metered, send)


def client_of(scope: Scope, token: Token | None) -> str:
    """Return who asks, as requests are counted: the holder of a token, or else an address."""
    return address_of(scope) if token is None else f"{token.id} {token.name}"


def address_of(scope: Scope) -> str:
    """Return the address that a request comes from; of a network that is one subscriber's in IPv6, all of it.

    Examples
    --------
    >>> address_of({"client": ("203.0.113.7", 5)}), address_of({"client": ("2001:db8:1:2::7", 5)}), address_of({})
    ('203.0.113.7', '2001:db8:1:2::', '')
    """
    try:
        address = ip_address((scope.get("client") or ("",))[0])
    except ValueError:
        return ""
    if isinstance(address, IPv6Address) and not address.is_loopback:
        return str(address.ipv4_mapped or ip_network((address, 64), strict=False).network_address)
    return str(address)
