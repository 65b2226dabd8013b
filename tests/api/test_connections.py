"""Connections whose client says nothing, or takes nothing, do not stay; others do not notice."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import Any

import pytest
import uvicorn
from prometheus_client import CollectorRegistry

from monitor.api import http_protocol
from monitor.api.connections import Connections
from monitor.api.http_protocol import Connection

SOON_S, NEVER_S = 0.1, 600.0
"""How long a request may take: less than any test waits, or longer."""

REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class Served:
    """A server of an application that reads a body and answers, with connections as the service has them."""

    def __init__(self, most: int, timeout_s: float) -> None:
        self.registry = CollectorRegistry()
        self.connections = Connections(most, timeout_s, self.registry)
        self.left = threading.Event()
        self.timeout_s = timeout_s
        self.address = ("", 0)
        self.clients = ExitStack()

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        while (message := await receive())["type"] == "http.request" and message["more_body"]:
            if scope["path"] == "/at-once":
                break
        if message["type"] == "http.disconnect":
            self.left.set()
            return
        if scope["path"] == "/slow":
            await asyncio.sleep(3 * self.timeout_s)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        leaving = asyncio.ensure_future(receive())
        while scope["path"] == "/endless" and not leaving.done() and not self.left.is_set():
            await send({"type": "http.response.body", "body": b"x" * 100_000, "more_body": True})
            await asyncio.sleep(0)
        if leaving.done():
            self.left.set()
        leaving.cancel()
        await send({"type": "http.response.body", "body": b"done"})

    def closed(self, reason: str) -> float:
        return self.registry.get_sample_value("leeway_http_connections_closed_total", {"reason": reason}) or 0

    def connect(self, sent: bytes = b"") -> socket.socket:
        connection = self.clients.enter_context(socket.create_connection(self.address, timeout=120))
        connection.sendall(sent)
        return connection


@contextmanager
def served(most: int = 100, timeout_s: float = NEVER_S) -> Iterator[Served]:
    serving = Served(most, timeout_s)
    protocol: Any = partial(Connection, serving.connections)
    config = uvicorn.Config(serving.app, interface="asgi3", port=0, log_level="error", lifespan="off", http=protocol)
    server = uvicorn.Server(config)
    listener = config.bind_socket()
    listener.listen()
    serving.address = listener.getsockname()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield serving
    finally:
        serving.clients.close()
        server.should_exit = server.force_exit = True
        thread.join(120)
        listener.close()


def everything(connection: socket.socket) -> bytes:
    """What is sent until the other side closes."""
    parts = []
    with suppress(ConnectionResetError):
        while part := connection.recv(65_536):
            parts.append(part)
    return b"".join(parts)


def answer_of(connection: socket.socket) -> bytes:
    """What is sent up to the end of an answer in chunks."""
    received = b""
    while not received.endswith(b"\r\n0\r\n\r\n"):
        part = connection.recv(65_536)
        assert part, f"closed after {received!r}"
        received += part
    return received


@pytest.mark.parametrize(
    ("sent", "answered", "reason"),
    [
        (b"", b"", "headers"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow", b"HTTP/1.1 408", "headers"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n[1,", b"HTTP/1.1 408", "body"),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHo", b"HTTP/1.1 200", "headers"),
    ],
    ids=["nothing", "half of the headers", "half of a body", "half of a second request"],
)
def test_a_request_that_does_not_arrive_is_given_up(sent: bytes, answered: bytes, reason: str) -> None:
    with served(timeout_s=SOON_S) as serving:
        assert everything(serving.connect(sent))[:12] == answered
        assert serving.closed(reason) == 1
        if reason == "body":
            assert serving.left.wait(120), "the application does not wait for the rest for ever"


def test_what_is_no_http_is_refused_with_the_headers_that_every_answer_has() -> None:
    with served() as serving:
        answer = everything(serving.connect(b"anna\r\n\r\n"))
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"\r\nX-Content-Type-Options: nosniff\r\n" in answer


def test_an_answer_that_takes_long_is_waited_for() -> None:
    with served(timeout_s=SOON_S) as serving:
        answer = everything(serving.connect(b"GET /slow HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"))
    assert answer.startswith(b"HTTP/1.1 200")


def test_a_connection_that_was_answered_stays_open_for_longer_than_a_request_may_take() -> None:
    with served(timeout_s=SOON_S) as serving:
        connection = serving.connect(REQUEST)
        assert answer_of(connection).startswith(b"HTTP/1.1 200")
        assert everything(serving.connect()) == b"", "one that never said anything is cut off meanwhile"
        connection.sendall(REQUEST)
        assert answer_of(connection).startswith(b"HTTP/1.1 200")
        connection.sendall(b"GET / HT")
        assert everything(connection).startswith(b"HTTP/1.1 408"), "the next request has as long as the first"
        assert serving.closed("headers") == 2


def test_a_load_balancer_closes_an_idle_connection_before_we_do(monkeypatch: pytest.MonkeyPatch) -> None:
    assert http_protocol.KEPT_OPEN_S > 60
    monkeypatch.setattr(http_protocol, "KEPT_OPEN_S", SOON_S)
    with served() as serving:
        connection = serving.connect(REQUEST)
        assert everything(connection).startswith(b"HTTP/1.1 200")
        assert serving.closed("headers") == 0


def test_a_body_that_stops_coming_after_its_answer_is_given_up() -> None:
    with served(timeout_s=SOON_S) as serving:
        connection = serving.connect(b"POST /at-once HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n[1,")
        answer = everything(connection)
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.count(b"HTTP/1.1") == 1, "it has been answered"
    assert serving.closed("body") == 1


def test_an_answer_that_nobody_reads_is_given_up() -> None:
    with served(timeout_s=SOON_S) as serving:
        serving.connect(b"GET /endless HTTP/1.1\r\nHost: a\r\n\r\n")
        assert serving.left.wait(120)
        assert serving.closed("unread") == 1


def test_a_new_connection_takes_the_place_of_the_one_that_is_silent_longest() -> None:
    with served(most=3) as serving:
        silent = [serving.connect(b"GET / HT") for _ in range(3)]
        answer = everything(serving.connect(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"))
        assert answer.startswith(b"HTTP/1.1 200")
        assert b"200" not in everything(silent[0])
        silent[1].sendall(b"TP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert everything(silent[1]).startswith(b"HTTP/1.1 200"), "the others go on"
        assert serving.closed("crowded") == 1


def test_where_every_connection_is_at_work_one_more_is_refused_with_the_reason() -> None:
    with served(most=1, timeout_s=NEVER_S) as serving:
        working = serving.connect(b"GET /endless HTTP/1.1\r\nHost: a\r\n\r\n")
        assert working.recv(12) == b"HTTP/1.1 200"
        refused = everything(serving.connect())
        assert refused.startswith(b"HTTP/1.1 503")
        assert b"Retry-After" in refused
        serving.left.set()
