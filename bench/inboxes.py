"""Receivers that misbehave: real HTTP servers on the loopback that answer by a seeded script and keep what they got."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

__all__ = ["ANSWERS", "Inbox", "Post"]

ANSWERS = ("taken", "500", "429", "never", "slow")
"""What may be answered. ``slow`` is 200 after :data:`SLOW_S`; ``never`` keeps the connection until the inbox closes."""

SLOW_S = 0.4
RETRY_AFTER_S = 1

Alerts = tuple[tuple[str, str, str], ...]
"""Id, status and summary of each."""


@dataclass(frozen=True)
class Post:
    """One notification that came.

    Attributes
    ----------
    at_ms : float
    key : str
        Its ``groupKey``.
    alerts : tuple of (str, str, str)
        Id, status and summary of each.
    answer : str
        One of :data:`ANSWERS`.
    """

    at_ms: float
    key: str
    alerts: Alerts
    answer: str

    @property
    def taken(self) -> bool:
        """Whether it was answered 200."""
        return self.answer in {"taken", "slow"}


class Inbox:
    """One receiver.

    Parameters
    ----------
    name : str
    weights : mapping of str to int
        How often it answers what, of :data:`ANSWERS`.
    seed : int
    meet : callable or None
        Called with the answer when a notification has come and is not answered yet; returns the answer to give, and
        what to do when it is given.
    read : callable or None
        Returns the key and the alerts of a body; that of a webhook if None.
    """

    def __init__(
        self,
        name: str,
        weights: Mapping[str, int],
        seed: int,
        meet: Callable[[str], tuple[str, Callable[[], None]]] | None = None,
        read: Callable[[Mapping[str, Any]], tuple[str, Alerts]] | None = None,
    ) -> None:
        self.name = name
        self.posts: list[Post] = []
        self._answers, self._weights = list(weights), list(weights.values())
        self._rng, self._meet = random.Random(f"{seed} {name}"), meet
        self._closing, self._read = threading.Event(), read or _of_webhook
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}/{self.name}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def taken(self) -> list[Post]:
        """What was answered 200."""
        return [post for post in list(self.posts) if post.taken]

    @property
    def heard(self) -> set[tuple[str, str]]:
        """Id and summary of every alert in what it took."""
        return {(alert_id, summary) for post in self.taken for alert_id, _, summary in post.alerts}

    @property
    def heard_titles(self) -> set[tuple[str, str]]:
        """Summary and status of every alert in what it took."""
        return {(summary, status) for post in self.taken for _, status, summary in post.alerts}

    @property
    def answers(self) -> Counter[str]:
        """How often it answered what."""
        return Counter(post.answer for post in list(self.posts))

    @property
    def repeated(self) -> int:
        """How often it took what it had taken before, under the same key."""
        said = Counter((post.key, frozenset(post.alerts)) for post in self.taken)
        return sum(said.values()) - len(said)

    @property
    def keys(self) -> dict[str, set[str]]:
        """Under which keys it was told about each alert, taken or not."""
        found: dict[str, set[str]] = {}
        for post in list(self.posts):
            for alert_id, _, _ in post.alerts:
                found.setdefault(alert_id, set()).add(post.key)
        return found

    def _next(self) -> tuple[str, Callable[[], None]]:
        answer = self._rng.choices(self._answers, self._weights)[0]
        return (answer, lambda: None) if self._meet is None else self._meet(answer)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        inbox = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                content = self.rfile.read(length)
                if len(content) < length:
                    return  # who sent it has died
                body, at_ms = json.loads(content), time.time() * 1000
                answer, then = inbox._next()
                inbox.posts.append(Post(at_ms, *inbox._read(body), answer))
                # Who asked may be dead, or not wait any more; it was answered all the same.
                with suppress(ConnectionError):
                    self._give(answer)
                then()

            def _give(self, answer: str) -> None:
                if answer == "never":
                    inbox._closing.wait()
                    return
                if answer == "slow":
                    inbox._closing.wait(SLOW_S)
                self.send_response({"500": 500, "429": 429}.get(answer, 200))
                if answer == "429":
                    self.send_header("Retry-After", str(RETRY_AFTER_S))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        return Handler


def _of_webhook(body: Mapping[str, Any]) -> tuple[str, Alerts]:
    # Those that others have posted have no id.
    return body["groupKey"], tuple(
        (alert["labels"].get("alert_id", ""), alert["status"], alert["annotations"].get("summary", ""))
        for alert in body["alerts"]
    )
