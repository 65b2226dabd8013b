"""A server of ClickHouse's native protocol: it accepts connections and gives each a thread."""

from __future__ import annotations

import contextlib
import socket
import ssl
import sys
import threading
import traceback
from collections.abc import Mapping

from tests.services.clickhouse.chdb import Engine
from tests.services.clickhouse.connection import Connection
from tests.services.clickhouse.faults import DroppedError, Plan

__all__ = ["Server"]


class Server:
    """Listens on one port or two, and serves until the process ends.

    Parameters
    ----------
    engine : Engine
    plan : Plan
        What goes wrong on purpose.
    users : mapping of str to str
        Passwords of those who may connect.
    """

    def __init__(self, engine: Engine, plan: Plan, users: Mapping[str, str]) -> None:
        self.engine = engine
        self.plan = plan
        self.users = users
        self._lock = threading.Lock()
        self._addresses: list[tuple[int, ssl.SSLContext | None]] = []
        self._listeners: list[socket.socket] = []
        self._connections: set[socket.socket] = set()

    def listen(self, port: int, tls: ssl.SSLContext | None = None) -> None:
        """Accept connections at a loopback port from now on, with TLS if there is a context for it."""
        self._open(port, tls)
        self._addresses.append((port, tls))

    def _open(self, port: int, tls: ssl.SSLContext | None) -> None:
        listener = socket.create_server(("127.0.0.1", port), backlog=128)
        with self._lock:
            self._listeners.append(listener)
        threading.Thread(target=self._accept, args=[listener, tls], daemon=True).start()

    def refuse(self) -> None:
        """Accept no connection any more and end those there are."""
        with self._lock:
            listeners, self._listeners = self._listeners, []
            connections = list(self._connections)
        for listener in listeners:
            _shut(listener)  # wakes the thread that waits in accept()
            listener.close()
        for connection in connections:
            _shut(connection)

    def accept_again(self) -> None:
        """Undo :meth:`refuse`."""
        for address in self._addresses:
            self._open(*address)

    def _accept(self, listener: socket.socket, tls: ssl.SSLContext | None) -> None:
        while True:
            try:
                accepted, _ = listener.accept()
            except OSError:  # closed by refuse()
                return
            threading.Thread(target=self._serve, args=[accepted, tls], daemon=True).start()

    def _serve(self, accepted: socket.socket, tls: ssl.SSLContext | None) -> None:
        connection = accepted
        try:
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if tls is not None:
                connection = tls.wrap_socket(accepted, server_side=True)
            with self._lock:
                self._connections.add(connection)
            Connection(connection, self.engine, self.plan, self.users).serve()
        except (EOFError, OSError, DroppedError):
            pass  # the client is gone, or is to believe that we are
        except Exception:  # noqa: BLE001 (a defect of this server is shown, and ends one connection only)
            traceback.print_exc(file=sys.stderr)
        finally:
            with self._lock:
                self._connections.discard(connection)
            connection.close()


def _shut(one: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it may have ended by itself meanwhile
        one.shutdown(socket.SHUT_RDWR)
