"""The beginning of an encrypted connection: it has the time of headers, and a place among all connections.

The event loop makes handshakes by itself, too, and then nothing here would know of those that never end.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from functools import partial
from typing import Any

from monitor.api.connections import Connections
from monitor.api.http_protocol import Connection

__all__ = ["Handshake", "encrypted"]

CLOSE_WITHIN_S = 5.0
"""A client that does not say goodbye is not waited for any longer."""


def encrypted(limits: Connections, context: ssl.SSLContext, **server: Any) -> Handshake:
    """Return the protocol of a connection that begins with a handshake; the parameters are those of `Connection`."""
    return Handshake(limits, context, partial(Connection, limits, **server))


class Handshake(asyncio.Protocol):
    """A handshake, and then what follows it.

    Parameters
    ----------
    limits : Connections
    context : ssl.SSLContext
    follow : callable
        Makes the protocol that goes on with the connection.
    """

    def __init__(self, limits: Connections, context: ssl.SSLContext, follow: Callable[[], Connection]) -> None:
        self._limits, self._context, self._follow = limits, context, follow
        self._transport: asyncio.Transport
        self._shaking: asyncio.Task[None]
        # What comes together with the last of the handshake, before anybody can be told of it.
        self._early: list[bytes] = []

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See :class:`asyncio.Protocol`."""
        transport.pause_reading()
        self._transport = transport
        if self._limits.opened(self):
            self._limits.waits(self, waiting=True)
        else:
            transport.abort()
        self._shaking = asyncio.ensure_future(self._shake())

    def data_received(self, data: bytes) -> None:
        """See :class:`asyncio.Protocol`."""
        self._early.append(data)

    def give_way(self, reason: str) -> None:
        """End."""
        self._limits.cut_off(reason)
        self._transport.abort()

    async def _shake(self) -> None:
        transport = None
        try:
            # Of one that has ended already, nobody would hear that the handshake has.
            if not self._transport.is_closing():
                transport = await self._encrypted()
        except OSError:
            # No TLS, none that suits both, a certificate that is not trusted, or nothing in time.
            self._limits.cut_off("handshake")
        finally:
            self._limits.lost(self)
        if transport is not None and not transport.is_closing():
            self._go_on(transport)

    async def _encrypted(self) -> asyncio.Transport | None:
        return await asyncio.get_running_loop().start_tls(
            self._transport,
            self,
            self._context,
            server_side=True,
            ssl_handshake_timeout=self._limits.timeout_s,
            ssl_shutdown_timeout=CLOSE_WITHIN_S,
        )

    def _go_on(self, transport: asyncio.Transport) -> None:
        connection = self._follow()
        transport.set_protocol(connection)
        connection.connection_made(transport)
        for data in self._early:
            connection.data_received(data)
