"""One connection of the API's server: each of its phases has a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Literal

from uvicorn.protocols.http.h11_impl import H11Protocol

from monitor.api.connections import Connections
from monitor.api.security_headers import HEADERS

__all__ = ["CLIENT_CERTIFICATE", "Connection"]

CLIENT_CERTIFICATE = "client_certificate"
"""Under this name the state of a request has what its client's certificate says, as `ssl` gives it."""

KEPT_OPEN_S = 75
"""How long a connection without a request stays open: longer than the 60 s of load balancers in front of it.

Whoever closes first may cut off a request that is on its way; clients and proxies can open another connection instead.
"""

Phase = Literal["headers", "body", "answer", "idle"]


def _text(status: str, text: bytes, *headers: str) -> bytes:
    """Return an answer that is sent past the application."""
    named = [f"{name}: {value}" for name, value in HEADERS.items()]
    stated = ["Connection: close", "Content-Type: text/plain", f"Content-Length: {len(text)}", *headers, *named]
    return "\r\n".join([f"HTTP/1.1 {status}", *stated, "", ""]).encode() + text


TIMED_OUT = _text("408 Request Timeout", b"the request did not arrive within its time\n")
REFUSED = _text("503 Service Unavailable", b"as many connections are open as there may be\n", "Retry-After: 5")


class Connection(H11Protocol):
    """One connection.

    Parameters
    ----------
    limits : Connections
    **server
        What the server says of itself.
    """

    def __init__(self, limits: Connections, **server: Any) -> None:
        super().__init__(**server)
        self.timeout_keep_alive = KEPT_OPEN_S
        self._limits = limits
        self._phase: Phase | None = None
        self._has_begun = False
        self._deadline: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See :class:`asyncio.Protocol`."""
        super().connection_made(transport)
        if certificate := transport.get_extra_info("peercert"):
            self.app_state = {**self.app_state, CLIENT_CERTIFICATE: certificate}
        if self._limits.opened(self):
            self._look()
        else:
            self._end_with(REFUSED)

    def connection_lost(self, exc: Exception | None) -> None:
        """See :class:`asyncio.Protocol`."""
        self._limits.lost(self)
        for timer in (self._deadline, self._unread):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """See :class:`asyncio.Protocol`."""
        if self.transport.is_closing():
            return
        self._has_begun = True
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        self._has_begun = bool(self.conn.trailing_data[0])
        self._look()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, with the headers that every answer has."""
        self._end_with(_text("400 Bad Request", f"{msg}\n".encode()))

    def _should_upgrade(self) -> bool:
        """Answer requests for another protocol in this one: there is no other, and no library is to be installed."""
        return False

    def pause_writing(self) -> None:
        """The client does not read: it has some time to go on."""
        super().pause_writing()
        self._unread = self.loop.call_later(self._limits.timeout_s, self.give_way, "unread")

    def resume_writing(self) -> None:
        """The client reads on."""
        super().resume_writing()
        if self._unread is not None:
            self._unread.cancel()

    def give_way(self, reason: str) -> None:
        """End, with an answer if a request has begun and none has been answered yet."""
        if self.transport.is_closing():
            # Its last answer is not read.
            self.transport.abort()
            return
        self._limits.cut_off(reason)
        is_answering = self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete
        if is_answering:
            self.transport.abort()
        else:
            self._end_with(TIMED_OUT if self._has_begun else b"")

    def _end_with(self, text: bytes) -> None:
        self.transport.write(text)
        self.transport.close()
        self._await(self.transport.abort)

    def _await(self, expired: Callable[..., None], *arguments: str) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(self._limits.timeout_s, expired, *arguments)

    def _look(self) -> None:
        """Give each phase its time when it begins."""
        phase = self._phase_now()
        if phase == self._phase or self.transport.is_closing():
            return
        self._phase = phase
        self._limits.waits(self, waiting=phase != "answer")
        if phase in ("headers", "body"):
            self._await(self.give_way, phase)
        elif self._deadline is not None:
            self._deadline.cancel()

    def _phase_now(self) -> Phase:
        if self.cycle is not None and self.cycle.more_body:
            return "body"
        if self.cycle is not None and not self.cycle.response_complete:
            return "answer"
        return "headers" if self.cycle is None or self._has_begun else "idle"
