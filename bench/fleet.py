"""Processes of ``leeway run`` over one configuration: started, killed, paused and ended, each with a log of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

from bench.events import LEEWAY

__all__ = ["Fleet", "Member", "Patience"]

ROOT = Path(__file__).resolve().parents[1]
END_S = 60.0


class Member:
    """One process.

    Parameters
    ----------
    config : Path
    roles : str
    log : Path
        Gets what it writes to stderr.
    """

    def __init__(self, config: Path, roles: str, log: Path) -> None:
        self.roles, self.log = roles, log
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                [*LEEWAY, "run", str(config), "--port", "0", "--roles", roles, "--json"],
                cwd=config.parent,
                env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONFAULTHANDLER": "1"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=file,
            )

    @property
    def ready(self) -> bool:
        """Whether it has begun to work."""
        return "listening on http" in self.log.read_text(errors="replace")

    @property
    def ended(self) -> int | None:
        """How it ended; None while it runs."""
        return self._process.poll()

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
            return self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGABRT)
            return self._process.wait(END_S)


class Fleet:
    """Some processes; all of them are gone at the end of the block.

    Parameters
    ----------
    config : Path
        The service's configuration.
    logs : Path
        Folder for their logs.

    Attributes
    ----------
    members : list of Member
        Those that run.
    gone : list of Member
        Those that ran before.
    """

    def __init__(self, config: Path, logs: Path) -> None:
        logs.mkdir(parents=True, exist_ok=True)
        self._config, self._logs = config, logs
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
        member = Member(self._config, roles, self._logs / f"{number:03}-{roles.replace(',', '-')}.jsonl")
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

    def wait(self, member: Member, within_s: float = 120.0) -> None:
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
        self._what, self._until_s, self._every_s = what, time.monotonic() + within_s, every_s

    def wait(self) -> None:
        """Wait a little; RuntimeError when there is no time left."""
        if time.monotonic() > self._until_s:
            raise RuntimeError(f"not in time: {self._what}")
        time.sleep(self._every_s)


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-60:])
