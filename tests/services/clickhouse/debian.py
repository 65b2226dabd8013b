"""Debian's ClickHouse server, which is from 2018: too old for our tables, but a real one on the wire.

It is what the endpoint is compared with.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from clickhouse_driver.errors import Error

from tests.services.clickhouse.target import Target
from tests.services.processes import free_port, watch_over

__all__ = ["DebianServer", "DebianServerError"]

START_S = 240.0
STOP_S = 30.0

_CONFIGURATION = """\
<yandex>
  <logger><level>warning</level><log>{folder}/server.log</log><errorlog>{folder}/errors.log</errorlog></logger>
  <listen_host>127.0.0.1</listen_host>
  <tcp_port>{port}</tcp_port>
  <tcp_port_secure>{secure_port}</tcp_port_secure>
  <openSSL><server>
    <certificateFile>{certificate}</certificateFile><privateKeyFile>{key}</privateKeyFile>
    <verificationMode>none</verificationMode><loadDefaultCAFile>true</loadDefaultCAFile>
    <cacheSessions>true</cacheSessions><disableProtocols>sslv2,sslv3</disableProtocols>
  </server></openSSL>
  <path>{folder}/data/</path>
  <tmp_path>{folder}/scratch/</tmp_path>
  <users_config>{folder}/users.xml</users_config>
  <mark_cache_size>16777216</mark_cache_size>
  <default_profile>default</default_profile>
  <default_database>default</default_database>
</yandex>
"""
_USERS = """\
<yandex>
  <profiles><default/></profiles>
  <quotas><default/></quotas>
  <users><default>
    <password></password>
    <networks><ip>127.0.0.1</ip></networks>
    <profile>default</profile>
    <quota>default</quota>
  </default></users>
</yandex>
"""


class DebianServerError(RuntimeError):
    """The server is missing or does not start; the message says what to do, or ends with its log."""


class DebianServer(Target):
    """The server as a process, with a folder that goes with it.

    Parameters
    ----------
    certificate : tuple of Path
        Files of a certificate and its key, for TLS at ``secure_port``.

    Raises
    ------
    DebianServerError
        On entering.
    """

    def __init__(self, certificate: tuple[Path, Path]) -> None:
        super().__init__("127.0.0.1", free_port())
        self.secure_port = free_port()
        self._certificate = certificate
        self._folder = Path(tempfile.mkdtemp(prefix="leeway-clickhouse-server-"))

    def __enter__(self) -> Self:
        self._configure()
        with (self._folder / "output.log").open("wb") as log:
            command = [_program(), f"--config-file={self._folder}/config.xml"]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._watchdog = watch_over(self._process.pid)
        self._wait_until_it_answers()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()
        shutil.rmtree(self._folder)

    def _stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._watchdog.kill()
        self._watchdog.communicate()

    def _configure(self) -> None:
        certificate, key = self._certificate
        values = {"folder": self._folder, "port": self.port, "secure_port": self.secure_port}
        text = _CONFIGURATION.format(**values, certificate=certificate, key=key)
        (self._folder / "config.xml").write_text(text)
        (self._folder / "users.xml").write_text(_USERS)

    def _wait_until_it_answers(self) -> None:
        deadline_s = time.monotonic() + START_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline_s:
                self._stop()
                logs = (file.read_text(errors="replace") for file in sorted(self._folder.glob("*.log")))
                raise DebianServerError(f"clickhouse-server does not answer:\n{''.join(logs)}")
            time.sleep(0.1)

    def _answers(self) -> bool:
        try:
            with self.client(connect_timeout=1) as client:
                return bool(client.execute("SELECT 1") == [(1,)])
        except (Error, OSError, EOFError):
            return False


def _program() -> str:
    # It is no program for the superuser alone, though it stands where those do.
    found = shutil.which("clickhouse-server", path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        raise DebianServerError("clickhouse-server is missing: run .ci/packages clickhouse-server")
    return found
