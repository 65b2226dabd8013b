"""The server as a process of ours: started, stopped, killed, and told what is to go wrong."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.services.clickhouse.faults import Faults
from tests.services.clickhouse.target import Target
from tests.services.processes import free_port, is_free

__all__ = ["Endpoint", "EndpointError", "named_or_started"]

ROOT = Path(__file__).resolve().parents[3]
STOP_S = 30.0


class EndpointError(RuntimeError):
    """The endpoint could not be started, or does not do as told; the message ends with its log."""


class Endpoint(Target):
    """One server, on loopback ports that stay the same over restarts.

    Parameters
    ----------
    data : Path, optional
        Folder for tables, the ledger of faults and the log; a temporary one, removed at the end, without it.
    port : int
        0 picks a free one.
    users : mapping of str to str
        Passwords of those who may connect.
    certificate : tuple of Path, optional
        Files of a certificate and its key. With them TLS is spoken at ``secure_port``.

    Attributes
    ----------
    faults : Faults
        What is to go wrong.

    Raises
    ------
    EndpointError
        On entering, if the server does not start.
    """

    def __init__(
        self,
        data: Path | None = None,
        port: int = 0,
        users: Mapping[str, str] | None = None,
        certificate: tuple[Path, Path] | None = None,
    ) -> None:
        super().__init__("127.0.0.1", port or free_port())
        self.secure_port = free_port() if certificate else 0
        self._users = dict(users or {"default": ""})
        self._certificate = certificate
        self._owns_data = data is None
        self.data = Path(tempfile.mkdtemp(prefix="leeway-clickhouse-")) if data is None else data.resolve()
        self.log = self.data / "endpoint.log"
        self.faults = Faults(self._tell, self.data / "faults.jsonl")
        self._process: subprocess.Popen[str] | None = None
        self._telling = threading.Lock()

    def __enter__(self) -> Self:
        try:
            self.start()
        except EndpointError:
            self._remove_data()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._remove_data()

    def _remove_data(self) -> None:
        if self._owns_data:
            shutil.rmtree(self.data)

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._running().pid

    def start(self) -> None:
        """Start the process and return once it accepts connections."""
        if not is_free(self.port):
            raise EndpointError(f"port {self.port} of 127.0.0.1 is in use")
        self.data.mkdir(parents=True, exist_ok=True)
        # The same file over restarts, so that the log tells the whole story.
        with self.log.open("a") as log:
            self._process = subprocess.Popen(
                self._command(),
                cwd=ROOT,
                stdin=subprocess.PIPE,  # its end, however this process ends, is the server's
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,  # Ctrl-C is for us: the endpoint outlives the tests that clean up on it
            )
        if not self._line().startswith("ready"):
            self.kill()
            raise EndpointError(f"the endpoint did not start; {self.log} ends with\n{self.log_tail()}")

    def _command(self) -> list[str]:
        command = [sys.executable, "-m", "tests.services.clickhouse", "--port", str(self.port), "--data"]
        command += [str(self.data), "--users", json.dumps(self._users)]
        if self._certificate:
            files = [str(file) for file in self._certificate]
            command += ["--secure-port", str(self.secure_port), "--certificate", *files]
        return command

    def stop(self) -> None:
        """Ask the process to end, and end it if it has not after half a minute."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the process at once, as a crash would."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Kill the process and start another, with the same address and data. Faults are disarmed."""
        self.kill()
        self.start()

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """End all connections and refuse new ones meanwhile; the process goes on."""
        self._tell({"do": "refuse"})
        try:
            yield
        finally:
            self._tell({"do": "accept"})

    def log_tail(self, lines: int = 40) -> str:
        """Return the last lines of the server's log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            raise EndpointError("the endpoint is not running")
        return self._process

    def _tell(self, command: dict[str, Any]) -> None:
        with self._telling:
            pipe = self._running().stdin
            assert pipe is not None
            pipe.write(json.dumps(command) + "\n")
            pipe.flush()
            if self._line() != "done\n":
                raise EndpointError(f"the endpoint did not obey {command}; {self.log} ends with\n{self.log_tail()}")

    def _line(self) -> str:
        pipe = self._running().stdout
        assert pipe is not None
        return pipe.readline()

    def _end(self, with_signal: signal.Signals) -> None:
        if self._process is None:
            return
        process, self._process = self._process, None
        process.send_signal(with_signal)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
        process.communicate()


@contextmanager
def named_or_started() -> Iterator[Target]:
    """Yield the server that `LEEWAY_TEST_CLICKHOUSE` names, or start one of ours."""
    address = os.environ.get("LEEWAY_TEST_CLICKHOUSE")
    if address:
        yield Target.at(address)
        return
    with Endpoint() as endpoint:
        yield endpoint
