"""A server on the loopback that wants a certificate of whoever asks it something, and accepts none."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType

__all__ = ["Refusing"]


class Refusing:
    """Refuses in TLS 1.3: a client's handshake is over by then, and what it reads instead of an answer is an alert.

    Connections stay open, so that nothing but the alert ends them.

    Parameters
    ----------
    certificate : Path
    key : Path
        Its own.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_3
        self._context.load_cert_chain(certificate, key)
        self._context.verify_mode = ssl.CERT_REQUIRED
        self._context.load_verify_locations(certificate)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._connections: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve)
        self.url = f"https://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Refusing:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for connection in self._connections:
            connection.close()

    def _serve(self) -> None:
        # The listener is closed at the end.
        with suppress(OSError):
            while True:
                plain, _ = self._listener.accept()
                encrypted = self._context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
                self._connections.append(encrypted)
                with suppress(ssl.SSLError):
                    encrypted.do_handshake()
