"""Subscriptions: routes that people and programs make for themselves, beside those of the configuration.

A subscription notifies one receiver of the alerts that its matchers match, whatever the tree of routes says of them.
It never changes: other wishes are another subscription, and the same wishes the same one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import urlsplit

import xxhash

from monitor.routing.matchers import Matcher
from monitor.routing.routes import Route, RouteOptions

__all__ = ["ADDRESSES", "Subscription"]

ADDRESSES = ("email", "webhook")
"""The kinds of receiver to which a subscription may give an address of its own."""


@dataclass(frozen=True)
class Subscription:
    """Somebody wants to be notified.

    Parameters
    ----------
    matchers : sequence of Matcher
        All of them have to match; none match every alert.
    receiver : str
        The name of a configured receiver, or with an address its kind, one of :data:`ADDRESSES`.
    address : str
        Empty for a configured receiver.
    options : RouteOptions
        How alerts are grouped and how long they wait; its own receiver is of no meaning.
    created_by, comment : str
    created_ms : int

    Examples
    --------
    >>> from monitor.routing.matchers import parse_matchers
    >>> wanted = Subscription(parse_matchers("severity=critical, model=fraud"), "email", "ann@example.org")
    >>> wanted.told
    'email:ann@example.org'
    >>> wanted.id == Subscription(parse_matchers("model=fraud, severity=critical"), "email", "ann@example.org").id
    True
    >>> Subscription((), "webhook", "https://hooks.example.org/token").shown
    'https://hooks.example.org/…'
    """

    matchers: Sequence[Matcher]
    receiver: str
    address: str = ""
    options: RouteOptions = field(default_factory=lambda: RouteOptions(group_by=frozenset({"model"})))
    created_by: str = ""
    comment: str = ""
    created_ms: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "matchers", tuple(sorted(self.matchers, key=lambda matcher: matcher.order)))

    @cached_property
    def id(self) -> str:
        """What it wants, in 16 hexadecimal digits."""
        options = self.options
        waits = options.group_wait_ms, options.group_interval_ms, options.repeat_interval_ms
        by = None if options.group_by is None else sorted(options.group_by)
        content = json.dumps([[str(matcher) for matcher in self.matchers], self.receiver, self.address, by, *waits])
        return xxhash.xxh3_64_hexdigest(content.encode())

    @property
    def shown(self) -> str:
        """The address without what may be a secret in it."""
        if self.receiver != "webhook":
            return self.address
        parts = urlsplit(self.address)
        return f"{parts.scheme}://{parts.netloc}/…" if self.address else ""

    @property
    def told(self) -> str:
        """Who is notified, by a name that no other has and that holds no secret."""
        if not self.address:
            return self.receiver
        if self.receiver == "email":
            return f"email:{self.address}"
        return f"webhook:{urlsplit(self.address).netloc}#{xxhash.xxh3_64_hexdigest(self.address.encode())[:8]}"

    @cached_property
    def route(self) -> Route:
        """The route that it is."""
        options = self.options
        waits = options.group_wait_ms, options.group_interval_ms, options.repeat_interval_ms
        # Whoever subscribed wants to hear of the end, also of one that a silence kept quiet.
        route_options = RouteOptions(self.told, options.group_by, *waits, late_ends=True)
        return Route(route_options, self.matchers, name=f"subscription/{self.id}")
