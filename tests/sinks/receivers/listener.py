"""A real HTTP server on the loopback that answers as a test says."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any


@dataclass
class Answer:
    """What to answer; ``hang`` answers nothing until the listener closes."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    text: str = ""
    hang: bool = False


@dataclass
class Request:
    path: str
    headers: dict[str, str]
    body: Any
    raw: bytes


class Listener:
    """Keeps requests; answers from a list, and 200 when it is used up."""

    def __init__(self, *answers: Answer) -> None:
        self.requests: list[Request] = []
        self._answers = list(answers)
        self._closing = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.server_port}"

    def url(self, path: str = "/hook") -> str:
        return f"http://{self.address}{path}"

    def __enter__(self) -> Listener:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                document = None if headers.get("content-type", "").endswith("form-urlencoded") else json.loads(body)
                listener.requests.append(Request(self.path, headers, document, body))
                answer = listener._answers.pop(0) if listener._answers else Answer()
                if answer.hang:
                    listener._closing.wait()
                    return
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.text.encode())))
                self.end_headers()
                self.wfile.write(answer.text.encode())

            def log_message(self, format: str, *args: object) -> None:
                """Keep the tests' output clean."""

        return Handler
