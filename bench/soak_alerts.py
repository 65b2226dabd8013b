"""People are told whatever dies: ``python -m bench.soak_alerts --kills 30``.

A service that tells people, ``leeway run --roles alert`` over a ClickHouse, is killed again and again while alerts
begin and end: at random, and at the moments that matter. Receivers are HTTP servers that answer 200, 500, 429 with
``Retry-After``, slowly or never. At the end each of them must have taken every transition, and whatever came twice must
have come under the same ``groupKey``. Once with routes, once without.

Then it is measured, without deaths, how long two healthy receivers wait to be told, by themselves and beside three that
are sick. The exit code is 1 if a transition is missing or an alert came under two keys.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bench.events import configure
from bench.fleet import Fleet, Member, Patience
from bench.inboxes import ANSWERS, Inbox
from sinks.store import open_store
from sinks.store.contract import Query, Store
from tests.services.clickhouse import Endpoint

__all__ = ["MOMENTS", "Ordeal", "delays", "report", "soak"]

MODEL = "bench"
TEAMS = ("red", "blue", "green")
STATES = {True: ("firing", "resolved"), False: ("firing", "updated", "resolved")}
"""Which transitions are told, with routes and without; with routes a change that adds no alert is none."""

MANNERS: dict[str, dict[str, int]] = {
    "steady": {"taken": 1},
    "failing": {"taken": 3, "500": 2},
    "busy": {"taken": 3, "429": 2},
    "silent": {"taken": 3, "never": 2},
    "slow": {"slow": 1},
}
SICK: dict[str, dict[str, int]] = {"mute": {"never": 1}, "broken": {"500": 1}, "crowded": {"429": 1}}

MOMENTS = {
    "unanswered": "a receiver has the notification and has not answered",
    "answered": "a receiver has answered, and nobody has read it",
    "unlogged": "the answer was read, and what came of it is not stored",
    "untold": "what came of it is stored, but not what the group was told",
    "logged": "it is stored, and the store has not said so",
    "any": "any time",
}
"""When the process is killed."""

_TABLES = {"unlogged": "notifications", "untold": "checkpoints", "logged": "notifications"}
EVERY_S = 0.4
"""Between alerts, where delays are measured."""

IMPATIENT_MS = 500
"""A receiver that does not answer by then is tried again."""
MOMENT_WITHIN_S = 120.0
SILENT_S = 90.0
"""After so long without anything new nothing more is expected; pauses between tries grow up to a minute here."""


@dataclass
class Ordeal:
    """What became of a run.

    Attributes
    ----------
    inboxes : list of Inbox
    kills : Counter of str
        By moment.
    due : set of (str, str)
        Alert and summary of every transition that has to be told.
    lost : dict of str to set
        Those that a receiver did not take.
    many_keys : dict of str to set
        Alerts that a receiver was told about under more than one key.
    unnoted : int
        Alerts of which the table of notifications does not say that a receiver has them.
    seconds : float
    """

    inboxes: list[Inbox]
    kills: Counter[str] = field(default_factory=Counter)
    due: set[tuple[str, str]] = field(default_factory=set)
    lost: dict[str, set[tuple[str, str]]] = field(default_factory=dict)
    many_keys: dict[str, set[str]] = field(default_factory=dict)
    unnoted: int = 0
    seconds: float = 0.0

    @property
    def is_good(self) -> bool:
        """Whether nothing is lost and everything came under one key."""
        return not any(self.lost.values()) and not any(self.many_keys.values()) and not self.unnoted


class _World:
    """A database, receivers and the processes that tell them."""

    def __init__(self, server: Endpoint, folder: Path, inboxes: Sequence[Inbox], *, routed: bool, timeout_ms: int):
        self._server, self.inboxes, self.routed = server, list(inboxes), routed
        self.store = _database(server, folder.name)
        self._config = _configuration(server, folder, inboxes, routed=routed, timeout_ms=timeout_ms)
        self.fleet = Fleet(self._config, folder / "logs", forked=True)
        self.alerts: dict[str, list[str]] = {}
        self.due: dict[tuple[str, str], float] = {}

    def start(self) -> Member:
        """Start a process."""
        return self.fleet.start("alert")

    def happens(self, alert_id: str, state: str) -> None:
        """Write a transition, and note when it was stored."""
        states = self.alerts.setdefault(alert_id, [])
        states.append(state)
        sequence, now_ms = len(states) - 1, int(time.time() * 1000)
        team = TEAMS[hash_of(alert_id) % len(TEAMS)]
        labels = {"alertname": "LeewayDrift", "alert_id": alert_id, "model": MODEL, "team": team}
        summary = f"{alert_id} {state}"
        row = {
            **{"model": MODEL, "alert_id": alert_id, "sequence": sequence, "state": state, "at_ms": now_ms},
            **{"starts_ms": now_ms - 60_000, "ends_ms": now_ms if state == "resolved" else 0},
            **{"version": "", "segment": "", "severity": "warning"},
            **{"title": summary, "labels": json.dumps(labels), "signals": "[]"},
        }
        self.store.append("alerts", {name: [value] for name, value in row.items()}, f"{alert_id}/{sequence}")
        self.due[alert_id, summary] = time.time() * 1000

    @property
    def left(self) -> int:
        """How much has not been taken yet, by all of them together."""
        return sum(map(len, self.missing().values()))

    def missing(self) -> dict[str, set[tuple[str, str]]]:
        """What each receiver has not taken yet."""
        return {inbox.name: set(self.due) - inbox.heard for inbox in self.inboxes}


def hash_of(text: str) -> int:
    """Return a number that is the same in every process."""
    return sum(text.encode())


def _database(server: Endpoint, name: str) -> Store:
    store = open_store("clickhouse", hosts=[server.address], database=name)
    store.migrate()
    return store


def _configuration(server: Endpoint, folder: Path, inboxes: Sequence[Inbox], *, routed: bool, timeout_ms: int) -> Path:
    folder.mkdir(parents=True)
    configure(folder)
    receivers = [
        {"kind": "webhook", "name": inbox.name, "url": inbox.url, "allow_private": True, "timeout": f"{timeout_ms}ms"}
        for inbox in inboxes
    ]
    spec: dict[str, Any] = {
        "models": ["bench.yaml"],
        "kafka": {"bootstrap": ["127.0.0.1:1"], "group": "nobody"},
        "store": {"kind": "clickhouse", "hosts": [server.address], "database": folder.name},
        "receivers": receivers,
    }
    if routed:
        waits = {"group_wait": "100ms", "group_interval": "1s", "repeat_interval": "4h"}
        routes = [{"receiver": inbox.name, "continue": True} for inbox in inboxes]
        spec["alerting"] = {"route": {"receiver": inboxes[0].name, "group_by": ["team"], **waits, "routes": routes}}
    path = folder / "leeway.yaml"
    path.write_text(json.dumps({"apiVersion": "leeway/v1", "kind": "Service", "spec": spec}))
    return path


class _Assassin:
    """Kills the process at a moment.

    A receiver asks it what to answer. At the moment `answered` the process is stopped before the answer is written,
    and killed afterwards: the answer is given, and nobody has read it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._moment, self._pid = "", 0
        self.struck = threading.Event()

    def aim(self, moment: str, pid: int) -> None:
        """Kill a process when a receiver has its next notification."""
        with self._lock:
            self._moment, self._pid = moment, pid
            self.struck.clear()

    def meet(self, answer: str) -> tuple[str, Callable[[], None]]:
        """Say what to answer, and what to do then."""
        with self._lock:
            moment, self._moment = self._moment, ""
        if not moment:
            return answer, lambda: None
        if moment == "unanswered":
            self._strike()
            return "never", lambda: None
        os.kill(self._pid, signal.SIGSTOP)
        return "taken", self._strike

    def _strike(self) -> None:
        os.kill(self._pid, signal.SIGKILL)
        self.struck.set()


def soak(
    server: Endpoint,
    folder: Path,
    moments: Sequence[str],
    seed: int,
    *,
    routed: bool,
    manners: Mapping[str, Mapping[str, int]] = MANNERS,
) -> Ordeal:
    """Let alerts begin and end while the process that tells about them is killed at each of `moments`.

    Parameters
    ----------
    server : Endpoint
    folder : Path
        Does not exist yet; its name is that of a database.
    moments : sequence of str
        Of :data:`MOMENTS`.
    seed : int
    routed : bool
        Whether people are told by routes.
    manners : mapping
        The receivers, and how often each answers what.
    """
    begun_s = time.monotonic()
    rng, assassin = random.Random(seed), _Assassin()
    with _inboxes(manners, seed, assassin.meet) as inboxes:
        world = _World(server, folder, inboxes, routed=routed, timeout_ms=IMPATIENT_MS)
        ordeal = Ordeal(inboxes)
        with closing(world.store):
            with world.fleet:
                # Only from its first start on is anybody told.
                world.fleet.wait(world.start())
                for number, moment in enumerate(moments):
                    _happenings(world, number, rng)
                    _kill(world, server, assassin, moment, rng)
                    ordeal.kills[moment] += 1
                    world.start()
                _end(world)
            ordeal.lost, ordeal.due = world.missing(), set(world.due)
            ordeal.many_keys = {
                inbox.name: {alert_id for alert_id, keys in inbox.keys.items() if len(keys) > 1} for inbox in inboxes
            }
            ordeal.unnoted = _unnoted(world)
    ordeal.seconds = time.monotonic() - begun_s
    return ordeal


@contextmanager
def _inboxes(
    manners: Mapping[str, Mapping[str, int]],
    seed: int,
    meet: Callable[[str], tuple[str, Callable[[], None]]] | None = None,
) -> Iterator[list[Inbox]]:
    with ExitStack() as stack:
        yield [stack.enter_context(Inbox(name, weights, seed, meet)) for name, weights in manners.items()]


def _happenings(world: _World, number: int, rng: random.Random) -> None:
    """Some alerts begin; of those that everybody knows some change or end."""
    for which in range(rng.randint(1, 3)):
        world.happens(f"{number}-{which}", "firing")
    missing = set().union(*world.missing().values())
    for alert_id, states in list(world.alerts.items()):
        left = STATES[world.routed][len(states) :]
        if left and (alert_id, f"{alert_id} {states[-1]}") not in missing and rng.random() < 0.5:
            world.happens(alert_id, left[0])


def _kill(world: _World, server: Endpoint, assassin: _Assassin, moment: str, rng: random.Random) -> None:
    [victim] = world.fleet.members
    if moment in ("unanswered", "answered"):
        assassin.aim(moment, victim.pid)
        _wait(world, f"a receiver is told ({moment})", assassin.struck.is_set)
    elif moment == "any":
        world.fleet.wait(victim)
        time.sleep(rng.uniform(0, 1.5))
    else:
        met = len(server.faults.ledger())
        kind = "drop_after" if moment == "logged" else "drop_before"
        server.faults.inject(kind, times=100, statement="insert", matching=_TABLES[moment])
        _wait(world, f"something is written ({moment})", lambda: len(server.faults.ledger()) > met)
    world.fleet.kill(victim)
    server.faults.clear()


def _wait(world: _World, what: str, until: Callable[[], bool]) -> None:
    patience = Patience(what, MOMENT_WITHIN_S, every_s=0.005)
    extra = 0
    while not until():
        if patience.passed_s > 3 * (extra + 1):
            # All that there was may be told already.
            world.happens(f"{len(world.alerts)}-extra", "firing")
            extra += 1
        patience.wait()


def _end(world: _World) -> None:
    """Wait until everything is told; end all alerts, and wait until that is."""
    for states in (STATES[world.routed][:-1], STATES[world.routed]):
        for alert_id, before in list(world.alerts.items()):
            for state in states[len(before) :]:
                world.happens(alert_id, state)
        _wait_for(world)
    for member in list(world.fleet.members):
        world.fleet.leave(member)


def _wait_for(world: _World) -> None:
    """Wait for as long as somebody still hears of something; who never does is what the report is about."""
    left, since_s = world.left, time.monotonic()
    while left and time.monotonic() - since_s < SILENT_S:
        world.fleet.check()
        time.sleep(0.1)
        before, left = left, world.left
        since_s = since_s if left == before else time.monotonic()


def _unnoted(world: _World) -> int:
    """How many alerts of a receiver have no row that says so of their end."""
    rows = world.store.read(Query("notifications", where={"outcome": "delivered"}))
    noted = set(zip(rows["alert_id"], rows["sequence"].tolist(), rows["receiver"], strict=True))
    names = [f"{inbox.name}/0" for inbox in world.inboxes]
    ends = [(alert_id, len(states) - 1) for alert_id, states in world.alerts.items()]
    return sum((*end, name) not in noted for end in ends for name in names)


def delays(server: Endpoint, folder: Path, alerts: int, seed: int, *, routed: bool, sick: bool) -> dict[str, float]:
    """Measure how long healthy receivers wait, from the moment at which a transition is stored, in ms.

    Parameters
    ----------
    server : Endpoint
    folder : Path
        Does not exist yet.
    alerts : int
    seed : int
    routed : bool
    sick : bool
        Whether there are others that never answer, answer 500, or 429.
    """
    healthy = ["healthy", "sound"]
    manners = {**{name: {"taken": 1} for name in healthy}, **(SICK if sick else {})}
    with _inboxes(manners, seed) as inboxes:
        world = _World(server, folder, inboxes, routed=routed, timeout_ms=10_000)
        with closing(world.store), world.fleet:
            member = world.start()
            world.fleet.wait(member)
            for number in range(alerts):
                world.happens(f"d{number}", "firing")
                time.sleep(EVERY_S)
            patience = Patience("the healthy ones are told", 60)
            while any(world.missing()[name] for name in healthy):
                world.fleet.check()
                patience.wait()
        waited = sorted(at_ms - world.due[what] for inbox in inboxes[:2] for what, at_ms in _first_ms(inbox).items())
    median, late = np.quantile(waited, [0.5, 0.99]).tolist()
    return {"told": len(waited), "median": median, "p99": late, "most": waited[-1]}


def _first_ms(inbox: Inbox) -> dict[tuple[str, str], float]:
    found: dict[tuple[str, str], float] = {}
    for post in inbox.taken:
        for alert_id, _, summary in post.alerts:
            found.setdefault((alert_id, summary), post.at_ms)
    return found


def report(ordeal: Ordeal) -> list[str]:
    """Return lines for people: what each receiver was sent, and what it took."""
    names = [inbox.name for inbox in ordeal.inboxes]
    rows: dict[str, list[int]] = {"sent": [sum(inbox.answers.values()) for inbox in ordeal.inboxes]}
    for answer in ANSWERS:
        rows[f"  answered {answer}"] = [inbox.answers[answer] for inbox in ordeal.inboxes]
    rows["repeated under the same key"] = [inbox.repeated for inbox in ordeal.inboxes]
    rows["transitions due"] = [len(ordeal.due)] * len(names)
    rows["taken at least once"] = [len(ordeal.due) - len(ordeal.lost[name]) for name in names]
    rows["alerts under two keys"] = [len(ordeal.many_keys[name]) for name in names]
    kills = ", ".join(f"{moment} {count}" for moment, count in sorted(ordeal.kills.items()))
    lost = [f"lost: {name} did not hear {summary}" for name in names for _, summary in sorted(ordeal.lost[name])]
    return [
        f"{'':28}" + "".join(f"{name:>9}" for name in names),
        *(f"{what:28}" + "".join(f"{number:9,}" for number in numbers) for what, numbers in rows.items()),
        f"killed {ordeal.kills.total()} times in {ordeal.seconds:.0f} s: {kills}",
        f"ends of alerts that are not noted: {ordeal.unnoted}",
        *lost,
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Soak with routes and without, measure delays, and print it."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak_alerts", description=__doc__)
    parser.add_argument("--kills", type=int, default=30, help="with routes; as many again without; 0: only delays")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--alerts", type=int, default=50, help="over which delays are measured; 0: they are not")
    options = parser.parse_args(arguments)
    good = True
    with tempfile.TemporaryDirectory() as name, Endpoint(Path(name) / "clickhouse") as server:
        for routed in (True, False) if options.kills else ():
            names = list(MOMENTS)
            moments = [names[number % len(names)] for number in range(options.kills)]
            random.Random(options.seed).shuffle(moments)
            how = "routed" if routed else "unrouted"
            ordeal = soak(server, Path(name) / f"soak_{how}", moments, options.seed, routed=routed)
            good = good and ordeal.is_good
            print(f"seed {options.seed}, {'with' if routed else 'without'} routes", *report(ordeal), "", sep="\n")
        if options.alerts:
            print(f"{'ms until healthy ones are told':40}{'told':>6}{'median':>9}{'p99':>9}{'most':>9}")
        for routed, sick in ((True, False), (True, True), (False, False), (False, True)) if options.alerts else ():
            how = f"{'with' if routed else 'without'} routes, {'beside three sick ones' if sick else 'by themselves'}"
            folder = Path(name) / f"delays_{'routed' if routed else 'unrouted'}{'_sick' * sick}"
            found = delays(server, folder, options.alerts, options.seed, routed=routed, sick=sick)
            print(f"{how:40}{found['told']:6.0f}" + "".join(f"{found[key]:9,.0f}" for key in ("median", "p99", "most")))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
