"""A workspace of Slack's on the loopback: it checks what it is asked as Slack documents it, over TLS."""

from __future__ import annotations

import json
import ssl
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs

__all__ = ["ADDRESS", "CHANNEL", "COMPLETE", "MESSAGE", "TOKEN", "Answer", "Workspace"]

CHANNEL, TOKEN = "C0ML", "xoxb-s3cret-t0ken"
MESSAGE, ADDRESS, COMPLETE = (
    "/api/chat.postMessage",
    "/api/files.getUploadURLExternal",
    "/api/files.completeUploadExternal",
)


@dataclass
class Answer:
    """What is answered in place of what Slack would: with ``drips`` a byte now and then, and no end."""

    fields: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    drips: bool = False


@dataclass
class File:
    name: str
    length: int
    alt: str
    content: bytes | None = None


class Workspace:
    """Keeps messages and files.

    Attributes
    ----------
    paths : list of str
        What was asked for.
    messages : list of dict
    files : dict of str to File
    threads : list of dict
        What completed uploads: one for each post in a thread.
    """

    def __init__(self, certificate: tuple[Path, Path], answers: dict[str, list[Answer | None]] | None = None) -> None:
        self.paths: list[str] = []
        self.messages: list[dict[str, Any]] = []
        self.files: dict[str, File] = {}
        self.threads: list[dict[str, Any]] = []
        self._answers = answers or {}
        self.closing = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def address(self) -> str:
        return f"https://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Workspace:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, path: str, token: str, body: bytes) -> Answer:
        """What Slack answers."""
        self.paths.append(path)
        stem = "/upload" if path.startswith("/upload/") else path
        set_answers = self._answers.get(stem, [])
        if set_answers and (answer := set_answers.pop(0)) is not None:
            return answer
        if stem == "/upload":
            return self._upload(path.removeprefix("/upload/"), token, body)
        if token != f"Bearer {TOKEN}":
            return Answer({"ok": False, "error": "not_authed"})
        return {MESSAGE: self._message, ADDRESS: self._address, COMPLETE: self._complete}[path](body)

    def _message(self, body: bytes) -> Answer:
        message = json.loads(body)
        self.messages.append(message)
        return Answer({"ok": True, "channel": CHANNEL, "ts": self._ts, "message": message | {"padding": "x" * 5000}})

    @property
    def _ts(self) -> str:
        return f"1700000000.{len(self.messages):06}"

    def _address(self, body: bytes) -> Answer:
        asked = {name: values[0] for name, values in parse_qs(body.decode(), strict_parsing=True).items()}
        if len(asked.get("alt_txt", "")) > 1000:
            return Answer({"ok": False, "error": "alt_txt_too_large"})
        file = f"F{len(self.files)}"
        self.files[file] = File(asked["filename"], int(asked["length"]), asked.get("alt_txt", ""))
        return Answer({"ok": True, "upload_url": f"{self.address}/upload/{file}", "file_id": file})

    def _upload(self, file: str, token: str, body: bytes) -> Answer:
        if token or len(body) != self.files[file].length:
            return Answer(status=400)
        self.files[file].content = body
        return Answer()

    def _complete(self, body: bytes) -> Answer:
        shown = json.loads(body)
        if not shown["files"] or any(self.files[each["id"]].content is None for each in shown["files"]):
            return Answer({"ok": False, "error": "file_not_found"})
        if (shown["channel_id"], shown["thread_ts"]) != (CHANNEL, self._ts):
            return Answer({"ok": False, "error": "invalid_channel"})
        self.threads.append(shown)
        return Answer({"ok": True, "files": shown["files"]})

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        workspace = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                answer = workspace.answer(self.path, self.headers.get("Authorization", ""), body)
                try:
                    self._write(answer)
                except OSError:
                    # The other side waits no longer.
                    self.close_connection = True

            def _write(self, answer: Answer) -> None:
                if answer.drips:
                    self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Drip: ")
                    while not workspace.closing.wait(0.02):
                        self.wfile.write(b"x")
                    return
                text = b"" if answer.fields is None else json.dumps(answer.fields, separators=(",", ":")).encode()
                self.send_response(answer.status)
                for name, value in (answer.headers | {"Content-Length": str(len(text))}).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, format: str, *args: object) -> None:
                """Keep the tests' output clean."""

        return Handler
