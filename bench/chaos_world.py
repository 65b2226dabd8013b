"""Where a run of chaos happens: a broker, a store, receivers, and a service with a clock and disks of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import struct
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from bench.chaos_traffic import PARTITIONS, STREAM, TOPIC
from bench.fleet import Fleet
from bench.inboxes import Inbox
from sinks.store import open_store
from sinks.store.contract import Store
from tests.services.clickhouse import Endpoint
from tests.services.kafka import Broker

__all__ = ["HOSTILE", "PANE_MS", "World"]

PANE_MS = 10_000
MANNERS = {"steady": {"taken": 1}, "rough": {"taken": 6, "500": 2, "429": 1, "never": 1}, "grouped": {"taken": 1}}
HOSTILE = "hostile"
ENDLESS = (
    "{% for a in range(9**5) %}{% for b in range(9**5) %}{% for c in range(9**5) %}{% endfor %}{% endfor %}{% endfor %}"
)
RECURSIVE = "{% macro again() %}{{ again() }}{% endmacro %}{{ again() }}"
TEXT = "{% if '7' in alerts[0].annotations.summary %}" + ENDLESS + "{% else %}" + RECURSIVE + "{% endif %}"
STORE_BYTES, OWN_BYTES = 1 << 30, 64 << 20
HALF_OPEN = 300
ROLES = "ingest,evaluate,alert,api"
DAY_S = 86_400
CLOCK = Path(__file__).with_name("turned_clock.c")


class World:
    """Everything that runs; gone at the end of the block.

    Parameters
    ----------
    folder : Path
        Exists, and keeps the logs.
    seed : int

    Attributes
    ----------
    service : Member
        The process that runs, or was killed last.
    missing : dict of str to str
        Faults of :data:`bench.chaos_schedule.FAULTS` that cannot be had here, and why.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self._stack = folder, ExitStack()
        self.own, self.tables = folder / "own", folder / "clickhouse" / "store"
        self._clock, self._half_open = folder / "clock", list[socket.socket]()
        self.inboxes = {name: Inbox(name, weights, seed) for name, weights in MANNERS.items()}
        self.inboxes[HOSTILE] = Inbox(HOSTILE, {"taken": 1}, seed, read=_of_slack)
        self.broker, self.endpoint = Broker(folder / "kafka"), Endpoint(folder / "clickhouse")
        self.missing: dict[str, str] = {}

    def __enter__(self) -> Self:
        disks = {"own disk full": (self.own, OWN_BYTES), "store full": (self.tables, STORE_BYTES)}
        for fault, (path, size) in disks.items():
            path.mkdir(parents=True)
            if not self._stack.enter_context(_disk(path, size)):
                self.missing[fault] = "only root can mount a small disk for it"
        self._stack.enter_context(self.broker)
        self._stack.enter_context(self.endpoint)
        for inbox in self.inboxes.values():
            self._stack.enter_context(inbox)
        self.broker.create_topic(TOPIC, PARTITIONS)
        self.fleet = self._stack.enter_context(
            Fleet(self._configure(), self.folder / "logs", environment=self._turned())
        )
        self.service = self.fleet.start(ROLES)
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.__exit__(None, None, None)

    @property
    def url(self) -> str:
        """Where it listens; empty if it does not yet."""
        return self.service.url

    def store(self) -> Store:
        """Open the database of the service."""
        return open_store("clickhouse", hosts=[self.endpoint.address], database="chaos")

    # -- faults ------------------------------------------------------------------------------------------------

    def kill(self) -> None:
        """Kill the service, and start another one at once."""
        self.fleet.kill(self.service)
        self.service = self.fleet.start(ROLES)

    def reload(self) -> None:
        """Have the service take up who is notified; before it has started nobody would hear the signal."""
        if self.service.ready:
            os.kill(self.service.pid, signal.SIGHUP)

    def turn_clock(self, days: int) -> None:
        """Set the clock of the service, and of those that follow it, so far ahead; 0: to the right time."""
        self._clock.touch()
        # In place: the process has the file's page in its memory.
        with self._clock.open("r+b") as file:
            file.write(struct.pack("@l", days * DAY_S))

    def fill(self, folder: Path) -> None:
        """Leave no room on a disk."""
        with (folder / "filling").open("wb") as file:
            size, end = 1 << 30, 0
            while size >= 4096:
                try:
                    os.posix_fallocate(file.fileno(), end, size)
                    end += size
                except OSError:
                    size //= 2

    def free(self, folder: Path) -> None:
        """Make room again."""
        (folder / "filling").unlink()

    def half_open(self) -> None:
        """Open connections on which half a request comes."""
        host, _, port = self.url.removeprefix("http://").rpartition(":")
        parts = (b"", b"GET / HT", b"POST /api/v2/alerts HTTP/1.1\r\nHost: a\r\nContent-Length: 90000000\r\n\r\n[")
        for number in range(HALF_OPEN if host else 0):
            with suppress(OSError):
                connection = socket.create_connection((host, int(port)), timeout=1)
                self._half_open.append(connection)
                connection.sendall(parts[number % len(parts)])

    def close_half_open(self) -> None:
        """Let them go."""
        for connection in self._half_open:
            connection.close()
        self._half_open.clear()

    def _turned(self) -> dict[str, str]:
        """The environment of a process with this world's clock."""
        self.turn_clock(0)
        library = self.folder / "turned_clock.so"
        command = ["cc", "-shared", "-fPIC", "-O2", "-o", str(library), str(CLOCK)]
        if shutil.which("cc") is None or subprocess.run(command, check=False).returncode:
            self.missing |= dict.fromkeys(("clock a day ahead", "clock a day behind"), "there is no C compiler")
            return {}
        return {"LD_PRELOAD": str(library), "TURNED_CLOCK": str(self._clock)}

    def _configure(self) -> Path:
        folder = self.folder / "service"
        folder.mkdir()
        for name, source in (("shop", {"kafka": TOPIC}), ("desk", {"http": STREAM})):
            (folder / f"{name}.yaml").write_text(json.dumps(_model(name, source)))
        webhooks = [
            {"kind": "webhook", "name": name, "url": self.inboxes[name].url, "allow_private": True, "timeout": "1s"}
            for name in MANNERS
        ]
        slack = {"kind": "slack", "name": HOSTILE, "url": self.inboxes[HOSTILE].url, "allow_private": True}
        spec = {
            "models": ["shop.yaml", "desk.yaml"],
            "kafka": {"bootstrap": [self.broker.bootstrap], "group": "chaos", "session_timeout": "6s"},
            "store": {"kind": "clickhouse", "hosts": [self.endpoint.address], "database": "chaos"},
            "ingest_log": str(self.own / "ingest.log"),
            "checkpoint_every": "2s",
            "idle_after": "20s",
            "receivers": [*webhooks, {**slack, "title": RECURSIVE, "text": TEXT}],
            "alerting": _routes(),
        }
        path = folder / "leeway.yaml"
        path.write_text(json.dumps({"apiVersion": "leeway/v1", "kind": "Service", "spec": spec}))
        return path


def _routes() -> dict[str, Any]:
    """Three receivers are notified of each change by itself, and one of groups."""
    single = {
        "group_by": ["..."],
        "group_wait": "0s",
        "continue": True,
        "leeway": {"every_change": True, "late_ends": True},
    }
    routes = [{"receiver": name, **single} for name in ("steady", "rough", HOSTILE)]
    waits = {"group_wait": "1s", "group_interval": "5s", "repeat_interval": "4h"}
    return {
        "route": {
            "receiver": "grouped",
            "routes": [*routes, {"receiver": "grouped", "group_by": ["alertname"], **waits}],
        }
    }


def _model(name: str, source: Mapping[str, str]) -> dict[str, Any]:
    spec = {
        "sources": [{"event_time": {"path": "ts", "unit": "ms"}, "allowed_lateness": "5s", **source}],
        "schema": {
            "id": "id",
            "version": "version",
            "max_versions": 5,
            "features": {"amount": {"type": "numeric", "range": [0, 200]}, "country": {"type": "category"}},
            "prediction": {"score": {"type": "numeric", "range": [0, 1]}},
        },
        "baseline": {"kind": "rolling", "span": "10m"},
        "detect": {
            "false_alarms": "1 per 1h",
            "pane": f"{PANE_MS}ms",
            "defaults": {"window": "20s", "min_samples": 50, "learn_windows": 6},
            "rules": [{"on": "prediction:score", "use": ["adwin"]}],
        },
        "alerts": {"resolve_after": "40s"},
        "keep": {"events": True},
    }
    return {"apiVersion": "leeway/v1", "kind": "Model", "metadata": {"name": name}, "spec": spec}


def _of_slack(body: Mapping[str, Any]) -> tuple[str, tuple[tuple[str, str, str], ...]]:
    """The key and the alerts of a message for people, of which the title is all that there is."""
    # The default title stands in front of what is wrong with the template.
    title = body["text"].partition(" (the template of")[0]
    title = title.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    kind, _, summary = title.partition(": ")
    return "", (("", "resolved" if kind == "RESOLVED" else "firing", summary),)


@contextmanager
def _disk(folder: Path, size: int) -> Iterator[bool]:
    """Mount a disk of so many bytes in memory, if that is allowed; whether it is."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    is_root = os.geteuid() == 0
    mounted = is_root and subprocess.run(mount, capture_output=True, check=False).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=False)
