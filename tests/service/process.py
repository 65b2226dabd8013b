"""`leeway` as a user starts it: a process of its own, spoken to over HTTP and by signals."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from sinks.authorities import public_authorities
from tests.service.shop import wait_until

ROOT = Path(__file__).resolve().parents[2]
LEEWAY = [sys.executable, "-c", "from monitor.cli import main; main()"]


def leeway(
    *arguments: object, cwd: Path = ROOT, packages: Path = ROOT, timeout_s: float = 600
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    command = [*LEEWAY, *map(str, arguments)]
    return subprocess.run(
        command, cwd=cwd, env=environment(packages), capture_output=True, text=True, timeout=timeout_s, check=False
    )


def environment(packages: Path = ROOT) -> dict[str, str]:
    """Return that of this process, with the packages of this checkout wherever it runs; `packages` come first."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(packages), str(ROOT)])}


class Running:
    """A process that serves; killed at the end of the block if it still runs.

    Parameters
    ----------
    *arguments
        Of ``leeway``.
    cwd : Path
        Where it runs.
    packages : Path
        A folder of packages that replace those of this checkout.

    Attributes
    ----------
    log : list of str
        Lines of stderr so far.
    """

    def __init__(self, *arguments: object, cwd: Path = ROOT, packages: Path = ROOT) -> None:
        self.log: list[str] = []
        self._cwd, self._packages = cwd, packages
        self._arguments = [str(argument) for argument in arguments]

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            [*LEEWAY, *self._arguments],
            cwd=self._cwd,
            env=environment(self._packages),
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        try:
            self.url = wait_until(self._address, "it listens")
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        self._reader.join()
        assert self.process.stderr is not None
        self.process.stderr.close()

    def _read(self) -> None:
        assert self.process.stderr is not None
        self.log += self.process.stderr

    def _address(self) -> str:
        assert self.process.poll() is None, f"it ended with {self.process.returncode}: {''.join(self.log)}"
        found = re.search(r"listening on (https?://[^\s\"]+)", "".join(self.log))
        return found[1] if found else ""

    def get(self, path: str, **parameters: Any) -> httpx.Response:
        assert self.process.poll() is None, f"it ended with {self.process.returncode}: {''.join(self.log)}"
        return httpx.get(self.url + path, params=parameters or None, timeout=60, verify=public_authorities())

    def items(self, path: str, **parameters: Any) -> list[dict[str, Any]]:
        answer = self.get(path, **parameters)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["items"]
        return found

    def post(self, stream: str, content: bytes, **headers: str) -> dict[str, Any]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        url, verify = f"{self.url}/v1/events/{stream}", public_authorities()
        answer = httpx.post(url, content=content, headers=named, timeout=60, verify=verify)
        assert answer.status_code == 202, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def signal(self, number: signal.Signals) -> int:
        """Send a signal and return the exit code; negative if a signal ended it."""
        self.process.send_signal(number)
        return self.process.wait(120)

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self.process.kill()
        self.process.wait()
