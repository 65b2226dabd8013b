"""Processes of ``leeway run`` over one configuration: started, killed, paused and ended, each with a log of its own."""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bench.events import LEEWAY

__all__ = ["START_S", "Fleet", "Member", "Patience"]

ROOT = Path(__file__).resolve().parents[1]
START_S, END_S = 300.0, 60.0


class Member:
    """One process.

    Parameters
    ----------
    config : Path
    roles : str
    log : Path
        Gets what it writes to stderr.
    forked : bool
        Whether it is a fork of a process that has imported everything, which is there several times sooner.
    environment : mapping of str to str
        Beside that of this process, where it is not forked.
    """

    def __init__(
        self,
        config: Path,
        roles: str,
        log: Path,
        *,
        forked: bool = False,
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.roles, self.log = roles, log
        arguments = ["run", str(config), "--port", "0", "--roles", roles, "--json"]
        if forked:
            self._process: Any = _Fork(arguments, config.parent, log)
            return
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                [*LEEWAY, *arguments],
                cwd=config.parent,
                env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONFAULTHANDLER": "1", **environment},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=file,
            )

    @property
    def pid(self) -> int:
        """Its id."""
        pid: int = self._process.pid
        return pid

    @property
    def ready(self) -> bool:
        """Whether it has begun to work."""
        return "listening on http" in self.log.read_text(errors="replace")

    @property
    def url(self) -> str:
        """Where its API listens; empty if it does not yet."""
        found = re.search(r"listening on (http://\S+)", self.log.read_text(errors="replace"))
        return found[1] if found else ""

    @property
    def ended(self) -> int | None:
        """How it ended; None while it runs."""
        code: int | None = self._process.poll()
        return code

    def count(self, event: str) -> int:
        """How often it has logged ``event``."""
        return self.log.read_text(errors="replace").count(f'"event": "{event}"')

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self._process.kill()
        self._process.wait()

    def pause(self) -> None:
        """Stop it where it is."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    def leave(self) -> int:
        """Ask it to end; return its exit code. What hangs shows in its log where."""
        self._process.send_signal(signal.SIGTERM)
        try:
            code: int = self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGABRT)
            code = self._process.wait(END_S)
        return code


class _Fork:
    """What :class:`Member` needs of ``subprocess.Popen``, of a process of Python's fork server."""

    def __init__(self, arguments: Sequence[str], folder: Path, log: Path) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["monitor.service", "monitor.cli.run", "monitor.api.app"])
        log.touch()
        self._process = context.Process(target=_run, args=(list(arguments), folder, log))
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def kill(self) -> None:
        self._process.kill()

    def send_signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def wait(self, within_s: float | None = None) -> int:
        self._process.join(within_s)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("leeway", within_s or 0)
        return self._process.exitcode


def _run(arguments: Sequence[str], folder: Path, log: Path) -> None:
    """Be ``leeway`` with these arguments."""
    from monitor.cli import execute

    with log.open("wb") as file:
        os.dup2(file.fileno(), 2)
    os.chdir(folder)
    sys.exit(execute(arguments))


class Fleet:
    """Some processes; all of them are gone at the end of the block.

    Parameters
    ----------
    config : Path
        The service's configuration.
    logs : Path
        Folder for their logs.
    forked : bool
    environment : mapping of str to str
        Of all of them; see :class:`Member`.

    Attributes
    ----------
    members : list of Member
        Those that run.
    gone : list of Member
        Those that ran before.
    """

    def __init__(
        self,
        config: Path,
        logs: Path,
        *,
        forked: bool = False,
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        logs.mkdir(parents=True, exist_ok=True)
        self._config, self._logs, self._forked, self._environment = config, logs, forked, environment
        self.members: list[Member] = []
        self.gone: list[Member] = []

    def __enter__(self) -> Fleet:
        return self

    def __exit__(self, *_: object) -> None:
        for member in list(self.members):
            self.kill(member)

    def start(self, roles: str) -> Member:
        """Start another one."""
        number = len(self.members) + len(self.gone)
        log = self._logs / f"{number:03}-{roles.replace(',', '-')}.jsonl"
        member = Member(self._config, roles, log, forked=self._forked, environment=self._environment)
        self.members.append(member)
        return member

    def of(self, roles: str, *, ready: bool = False) -> list[Member]:
        """Those that run with these roles."""
        return [member for member in self.members if member.roles == roles and (member.ready or not ready)]

    def kill(self, member: Member) -> None:
        """End one at once."""
        member.kill()
        self._let_go(member)

    def leave(self, member: Member) -> None:
        """Ask one to end, once it has started, and see that it does.

        Raises
        ------
        RuntimeError
            It ended with an error, or does not start.
        """
        # Before that there is nobody to hear the signal, and nothing to be left in order.
        self.wait(member)
        code = member.leave()
        self._let_go(member)
        if code != 0:
            raise RuntimeError(f"it ended with {code}: {_tail(member.log)}")

    def check(self) -> None:
        """See that all of them run.

        Raises
        ------
        RuntimeError
            One has ended by itself.
        """
        for member in self.members:
            if member.ended is not None:
                raise RuntimeError(f"a process ended by itself with {member.ended}: {_tail(member.log)}")

    def wait(self, member: Member, within_s: float = START_S) -> None:
        """Wait until one works."""
        patience = Patience(f"{member.log} says that it has started", within_s)
        while not member.ready:
            self.check()
            patience.wait()

    def count(self, event: str) -> int:
        """How often all of them together have logged ``event``."""
        return sum(member.count(event) for member in [*self.members, *self.gone])

    def _let_go(self, member: Member) -> None:
        self.members.remove(member)
        self.gone.append(member)


class Patience:
    """How long a loop may wait for what.

    Parameters
    ----------
    what : str
    within_s, every_s : float
    """

    def __init__(self, what: str, within_s: float, every_s: float = 0.1) -> None:
        self._what, self._begun_s = what, time.monotonic()
        self._within_s, self._every_s = within_s, every_s

    @property
    def passed_s(self) -> float:
        """For how long it has been waited."""
        return time.monotonic() - self._begun_s

    def wait(self) -> None:
        """Wait a little; RuntimeError when there is no time left."""
        if self.passed_s > self._within_s:
            raise RuntimeError(f"not in time: {self._what}")
        time.sleep(self._every_s)


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-60:])
