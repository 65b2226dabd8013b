"""The server of HTTP: one socket, one thread, and whichever application answers at the moment."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from monitor.api.connections import Connections
from monitor.api.handshake import encrypted
from monitor.api.http_protocol import Connection
from monitor.tls.listener import ListenerCertificate

__all__ = ["Server"]

MOST_HEADER_BYTES = 256 << 10
"""A stream of the alerts of thousands of models resumes from a position in the log of each."""


class Server:
    """Serves a socket in a thread of its own, from the first application that answers until it is stopped.

    Another application may follow: requests that come from then on are its own, on connections that are open as well.
    No connection is refused meanwhile.

    Parameters
    ----------
    listener : socket.socket
        Bound. It is closed in the end.
    grace_s : int
        Requests that are under way get so long to end.
    """

    def __init__(self, listener: socket.socket, grace_s: int) -> None:
        self._listener = listener
        self._app: ASGIApp
        self._protocol: Callable[..., Any]
        self._thread: threading.Thread | None = None
        self._served: Future[None] = Future()
        config = uvicorn.Config(
            self._ask,
            interface="asgi3",
            lifespan="off",
            log_config=None,
            access_log=False,
            http=self._connected,  # type: ignore[arg-type]
            h11_max_incomplete_event_size=MOST_HEADER_BYTES,
            proxy_headers=False,  # else any client says from where it asks
            timeout_graceful_shutdown=grace_s,
        )
        self._server = uvicorn.Server(config)

    def answer(self, app: ASGIApp, limits: Connections, certificate: ListenerCertificate | None) -> None:
        """Have an application answer from now on.

        Parameters
        ----------
        app : ASGI application
        limits : Connections
            Of the connections that are opened from now on.
        certificate : ListenerCertificate or None
            With which these are encrypted, if they are.
        """
        self._app = app
        self._protocol = (
            partial(Connection, limits) if certificate is None else partial(encrypted, limits, certificate.context)
        )
        if self._thread is None:
            self._listener.listen()
            # Threads that work for requests are daemons only if this one is: others would hold up the process's end.
            self._thread = threading.Thread(target=self._run, name="serve", daemon=True)
            self._thread.start()

    def stop(self, *, hurries: bool = False) -> None:
        """Ask it to end; who hurries after that waits for no request that is under way."""
        self._server.force_exit = self._server.force_exit or (hurries and self._server.should_exit)
        self._server.should_exit = True

    def wait(self) -> None:
        """Wait until it has ended, and raise what it failed with, if it did."""
        self._served.result()

    def close(self) -> None:
        """End, if it has not: whatever is under way gets its time."""
        if self._thread is not None and not self._served.done():
            self.stop()
            self._thread.join()
        self._listener.close()

    def url(self, certificate: ListenerCertificate | None) -> str:
        """Return where it listens."""
        host, port = self._listener.getsockname()[:2]
        scheme = "http" if certificate is None else "https"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"

    def _run(self) -> None:
        try:
            self._server.run(sockets=[self._listener])
            self._served.set_result(None)
        except BaseException as error:  # noqa: BLE001 -- it is raised where it is waited for
            self._served.set_exception(error)

    async def _ask(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    def _connected(self, **server: Any) -> Any:
        return self._protocol(**server)
