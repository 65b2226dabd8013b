"""A schema registry for tests: the routes of Confluent's REST interface that clients use, with faults on demand.

Like the real one it knows Protobuf as text, and gives descriptors only to who asks for ``format=serialized``.
"""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

__all__ = ["RegistryServer"]

Answer = tuple[int, Any]


@dataclass
class RegistryServer:
    """Serves on a free loopback port while it is entered.

    Attributes
    ----------
    fault : callable or None
        Given a path, an answer instead of the right one: a status and a body; None for the right one.
    asked : list of str
        The paths that were asked for, in their order.
    authorization : str
        What the header of that name must be; anything if empty.
    certificate : (Path, Path) or None
        Files of a certificate and its key; with them it speaks HTTPS.
    asks_for_certificate : bool
        Whether clients have to show a certificate, which is to be the same one.
    """

    fault: Callable[[str], Answer | None] | None = None
    asked: list[str] = field(default_factory=list)
    authorization: str = ""
    certificate: tuple[Path, Path] | None = None
    asks_for_certificate: bool = False
    _schemas: list[dict[str, Any]] = field(default_factory=list)
    _subjects: dict[str, list[int]] = field(default_factory=dict)
    _server: ThreadingHTTPServer | None = None
    _going: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._going.set()

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        if self.certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self.certificate)
            if self.asks_for_certificate:
                context.verify_mode = ssl.CERT_REQUIRED
                context.load_verify_locations(self.certificate[0])
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._going.set()
        self._server.shutdown()
        self._server.server_close()

    def hold(self) -> None:
        """Take what is asked, and answer nothing until it goes on."""
        self._going.clear()

    def go_on(self) -> None:
        """Answer what was held, and all that follows."""
        self._going.set()

    @property
    def url(self) -> str:
        assert self._server is not None
        scheme = "http" if self.certificate is None else "https"
        return f"{scheme}://127.0.0.1:{self._server.server_address[1]}"

    def register(self, subject: str, schema: str, kind: str = "AVRO", references: list[Any] | None = None) -> int:
        """Register a schema, and return its number; the same schema has the same number everywhere."""
        entry = {"schema": schema, "schemaType": kind, "references": references or []}
        if entry not in self._schemas:
            self._schemas.append(entry)
        number = self._schemas.index(entry) + 1
        versions = self._subjects.setdefault(subject, [])
        if number not in versions:
            versions.append(number)
        return number

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> Answer:
        """What the real one would say."""
        parts = [unquote(part) for part in path.strip("/").split("/")]
        match method, parts:
            case "GET", ["schemas", "ids", number]:
                if not 1 <= int(number) <= len(self._schemas):
                    return 404, {"error_code": 40403, "message": f"Schema {number} not found"}
                return 200, self._described(int(number), query)
            case "GET", ["subjects", subject, "versions", version] if subject in self._subjects:
                return self._version(subject, version, query)
            case "POST", ["subjects", subject, "versions"]:
                written = self.register(subject, body["schema"], body.get("schemaType", "AVRO"), body.get("references"))
                return 200, {"id": written}
            case "POST", ["subjects", subject] if subject in self._subjects:
                written = self.register(subject, body["schema"], body.get("schemaType", "AVRO"), body.get("references"))
                at = self._subjects[subject].index(written) + 1
                return 200, {"subject": subject, "version": at, "id": written} | self._described(written, query)
        return 404, {"error_code": 40401, "message": "Subject not found."}

    def _version(self, subject: str, version: str, query: dict[str, list[str]]) -> Answer:
        numbers = self._subjects[subject]
        place = len(numbers) if version == "latest" else int(version)
        if not 1 <= place <= len(numbers):
            return 404, {"error_code": 40402, "message": "Version not found."}
        number = numbers[place - 1]
        return 200, {"subject": subject, "version": place, "id": number} | self._described(number, query)

    def _described(self, number: int, query: dict[str, list[str]]) -> dict[str, Any]:
        entry = self._schemas[number - 1]
        shown = dict(entry)
        if entry["schemaType"] == "AVRO":
            del shown["schemaType"]
        if entry["schemaType"] == "PROTOBUF" and query.get("format") != ["serialized"]:
            shown["schema"] = 'syntax = "proto3";\n'
        return {key: value for key, value in shown.items() if value != []}


def _handler(registry: RegistryServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(None)

        def do_POST(self) -> None:
            self._answer(json.loads(self.rfile.read(int(self.headers["content-length"]))))

        def _answer(self, body: Any) -> None:
            registry.asked.append(self.path)
            registry._going.wait()
            url = urlsplit(self.path)
            fault = registry.fault(self.path) if registry.fault is not None else None
            if fault is not None:
                self._send(*fault)
            elif registry.authorization and self.headers.get("authorization") != registry.authorization:
                self._send(401, {"error_code": 401, "message": "Unauthorized"})
            else:
                self._send(*registry.answer(self.command, url.path, parse_qs(url.query), body))

        def _send(self, status: int, body: Any) -> None:
            written = body if isinstance(body, bytes) else json.dumps(body).encode()
            # Who has asked may be gone by the time.
            with suppress(BrokenPipeError, ConnectionResetError):
                self._send_all(status, written)

        def _send_all(self, status: int, written: bytes) -> None:
            self.send_response(status)
            self.send_header("content-type", "application/vnd.schemaregistry.v1+json")
            self.send_header("content-length", str(len(written)))
            self.end_headers()
            self.wfile.write(written)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler
