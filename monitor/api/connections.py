"""Connections that do not stay half open: each phase of one has a time, and all together have a number.

A connection waits for the headers of a request, then for its body, then for the answer to be read. A client that sends
nothing, or takes nothing, for too long is cut off. Where there are too many, the one that has waited longest for its
client gives way, so that a probe gets through however many clients open connections and say nothing.
"""

from __future__ import annotations

from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge

__all__ = ["Connections", "Waiting"]


class Waiting(Protocol):
    """A connection, as all of them together see it."""

    def give_way(self, reason: str) -> None:
        """End, since its client is silent and another one needs the room."""
        ...


class Connections:
    """The connections of a server.

    Parameters
    ----------
    most : int
        How many may be open.
    timeout_s : float
        How long headers, and then a body, may take to arrive, and an answer to be read on.
    registry : CollectorRegistry
    """

    def __init__(self, most: int, timeout_s: float, registry: CollectorRegistry) -> None:
        self._most, self.timeout_s = most, timeout_s
        self._open = 0
        # In the order in which they began to wait for their clients.
        self._waiting: dict[Waiting, None] = {}
        text = "Connections that were cut off, by what did not come in time, or for room."
        self._closed = Counter("leeway_http_connections_closed", text, ["reason"], registry=registry)
        gauge = Gauge("leeway_http_connections", "Connections that are open.", registry=registry)
        gauge.set_function(lambda: self._open)

    def opened(self, connection: Waiting) -> bool:
        """Count a connection, at the cost of the one that has waited longest; return whether it may stay."""
        self._open += 1
        if self._open <= self._most:
            return True
        oldest = next(iter(self._waiting), None)
        if oldest is None:
            self._closed.labels("crowded").inc()
            return False
        oldest.give_way("crowded")
        return True

    def lost(self, connection: Waiting) -> None:
        """Count a connection no more."""
        self._open -= 1
        self._waiting.pop(connection, None)

    def waits(self, connection: Waiting, *, waiting: bool) -> None:
        """Note whether a connection waits for its client to send something."""
        self._waiting.pop(connection, None)
        if waiting:
            self._waiting[connection] = None

    def cut_off(self, reason: str) -> None:
        """Count a connection that is cut off."""
        self._closed.labels(reason).inc()
