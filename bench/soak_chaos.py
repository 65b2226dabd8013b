"""Everything goes wrong: ``python -m bench.soak_chaos --minutes 30 --seed 1``.

One service (``leeway run``, in a process of its own) reads a real Kafka and posts, stores in a ClickHouse and notifies
four receivers, while faults come and go by a schedule that the seed settles: it is killed, its clock jumps by a day
both ways, the disks of the store and its own are full, store and broker stop or die, bodies, events, connections and
templates are hostile. It is started again only where the run itself has killed it.

At the end, with nobody's help, it has to be ready; every accepted message must be counted once or be a dead letter, by
itself and in the sums of panes; everybody must have been notified of every transition; and memory, threads,
descriptors and its disk must be where they were in the first half of the last process's life, once warm. The exit code
is 1 if not; logs and data are kept then.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from bench.chaos_accounts import Balance, balance, read_stored, unheard, unnoted
from bench.chaos_health import Growth, Health, growth, noting_deaths
from bench.chaos_hostile import post_all
from bench.chaos_schedule import FAULTS, Happening, schedule
from bench.chaos_traffic import PARTITIONS, PostedAlerts, Traffic
from bench.chaos_world import HOSTILE, PANE_MS, World
from bench.fleet import Patience
from monitor.alerts.alert_log import ALERT_TABLES
from sinks.store.contract import Query, Store, StoreError
from sinks.store.rows import rows_of

__all__ = ["Report", "main", "run"]

TICK_S = 0.25
READY_WITHIN_S, READ_WITHIN_S, HEARD_WITHIN_S = 120.0, 240.0, 400.0
LONGEST_SILENCE_S = 15.0
ALONE = ("steady", "rough")
"""Receivers that are notified of each transition by itself, and say which."""

ALLOWED: Mapping[str, float] = {"rss_mb": 60.0, "threads": 8, "descriptors": 40, "own_disk_mb": 16.0}
"""How much higher a figure may be at the end of a life than it ever was in its first half, once warm."""


@dataclass
class Report:
    """What became of a run.

    Attributes
    ----------
    done : Counter of str
        Faults.
    counts : Counter of str
    figures : dict of str to Growth
        Of the last process.
    reasons : list of str
        Why it is not good.
    """

    done: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    figures: dict[str, Growth] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Return lines for people."""
        listed = [f"{name:40}{number:12,}" for name, number in (self.done + self.counts).items()]
        head = f"{'of the last process, once warm':40}{'before':>12}{'median':>12}{'last':>12}{'an hour':>12}"
        grown = [
            f"{name:40}{g.before:12,.1f}{g.median:12,.1f}{g.last:12,.1f}{g.an_hour:+12,.1f}"
            for name, g in self.figures.items()
        ]
        return [*listed, head, *grown, *self.reasons, "not good" if self.reasons else "good"]


class _Run:
    """One run, while it lasts."""

    def __init__(self, world: World, traffic: Traffic, posted: PostedAlerts, health: Health) -> None:
        self._world, self._traffic, self._posted, self._health = world, traffic, posted, health
        self.report = Report()
        self._do: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
            "kill": (world.kill, _nothing),
            "reload": (world.reload, _nothing),
            "clock a day ahead": (lambda: world.turn_clock(1), lambda: world.turn_clock(0)),
            "clock a day behind": (lambda: world.turn_clock(-1), lambda: world.turn_clock(0)),
            "store stopped": (lambda: stop(world.endpoint.pid), lambda: go_on(world.endpoint.pid)),
            "store killed": (world.endpoint.kill, world.endpoint.start),
            "store full": (lambda: world.fill(world.tables), lambda: world.free(world.tables)),
            "broker stopped": (lambda: stop(world.broker.pid), lambda: go_on(world.broker.pid)),
            "broker killed": (world.broker.kill, world.broker.start),
            "own disk full": (lambda: world.fill(world.own), lambda: world.free(world.own)),
            "hostile posts": (self._post_hostile, _nothing),
            "half-open connections": (world.half_open, world.close_half_open),
            "drift": (lambda: traffic.move(True), lambda: traffic.move(False)),
        }

    def disturb(self, happenings: Sequence[Happening]) -> None:
        """Have everything happen at its time; the schedule stands still while a fault is made.

        Else those that are overdue would all begin and end in the same second, and would be none.
        """
        begun_s = time.monotonic()
        for happening in happenings:
            while (at_s := time.monotonic()) - begun_s < happening.at_s:
                self._world.fleet.check()
                time.sleep(TICK_S)
            print(f"{at_s - begun_s:7.1f} {'over: ' * happening.is_over}{happening.fault}", flush=True)
            self._do[happening.fault][happening.is_over]()
            self.report.done[happening.fault] += not happening.is_over
            begun_s += time.monotonic() - at_s

    def settle(self) -> None:
        """Wait, without any help, until everything is as it should be."""
        self._traffic.calm()
        over_ms = time.time_ns() // 1_000_000
        self._wait("it is ready by itself", READY_WITHIN_S, self._is_ready)
        self._posted.end()
        self._wait("everything is read, and its panes are written", READ_WITHIN_S, lambda: self._is_written(over_ms))
        self._traffic.stop()
        self._wait("everything that was sent is read", READ_WITHIN_S, self._is_read)
        self._wait("everybody knows of every transition", HEARD_WITHIN_S, lambda: not self._is_outstanding())
        self._wait("it is ready at the end", READY_WITHIN_S, self._is_ready)

    def account(self) -> None:
        """Compare what was sent with what is stored, and what is stored with what was heard."""
        with closing(self._world.store()) as store:
            result = balance(self._traffic.ledger, read_stored(store, PANE_MS))
            self._account_for_alerts(store, result)
        report = self.report
        report.counts += result.counts
        report.reasons += result.wrong + self._traffic.errors
        silence_s = self._health.longest_silence_s
        report.counts["probes"] = self._health.probes
        report.counts["longest silence of /healthz, s"] = round(silence_s)
        if silence_s > LONGEST_SILENCE_S:
            report.reasons.append(f"/healthz was not answered for {silence_s:.0f} s")
        samples = self._health.samples
        if not samples:
            report.reasons.append("nothing is known of the last process once warm, so not whether it grew")
        for name in samples[0]._fields[1:] if samples else ():
            report.figures[name] = found = growth(samples, name)
            if found.last > found.before + ALLOWED.get(name, float("inf")):
                report.reasons.append(f"{name} went on from {found.before:,.1f} to {found.last:,.1f}")

    def keep(self, folder: Path) -> None:
        """Write down what the store says of alerts, and of who was notified: the disk it lies on goes with the run."""
        with closing(self._world.store()) as store:
            for table in (*ALERT_TABLES, "notifications", "decisions"):
                lines = (json.dumps(row) + "\n" for row in rows_of(store.read(Query(table))))
                (folder / f"{table}.jsonl").write_text("".join(lines))

    def leave(self) -> None:
        """Ask the service to end."""
        self._world.fleet.leave(self._world.service)

    def _account_for_alerts(self, store: Store, result: Balance) -> None:
        heard = {name: inbox.heard_titles for name, inbox in self._world.inboxes.items()}
        for name in (*ALONE, HOSTILE):
            result.blame(f"{name} was not notified of", unheard(store, heard[name]))
        result.blame("transitions of which the store does not say what became", unnoted(store, ALONE))
        for title in self._posted.titles:
            missing = [state for state in ("firing", "resolved") if (title, state) not in heard["grouped"]]
            result.blame(f"grouped was not notified of {title!r}", missing)
        result.counts |= Counter({f"posts that {name} took": len(i.taken) for name, i in self._world.inboxes.items()})
        result.counts["transitions"] = len(store.read(Query("alerts"))["state"])
        result.counts["transitions about silences"] = len(store.read(Query("freshness_alerts"))["state"])

    def _wait(self, what: str, within_s: float, until: Callable[[], bool]) -> None:
        patience = Patience(what, within_s, every_s=1.0)
        print(f"waiting until {what}", flush=True)
        try:
            while not until():
                self._world.fleet.check()
                patience.wait()
        except RuntimeError as error:
            self.report.reasons.append(str(error))

    def _is_ready(self) -> bool:
        try:
            return httpx.get(f"{self._world.url}/readyz", timeout=5).status_code == 200
        except (httpx.HTTPError, httpx.UnsupportedProtocol):
            return False

    def _is_written(self, over_ms: int) -> bool:
        with closing(self._world.store()) as store:
            try:
                closed = store.read(Query("progress"))["closed_ms"].tolist()
            except StoreError:
                return False
        return len(closed) == PARTITIONS + 1 and min(closed) > over_ms

    def _is_read(self) -> bool:
        ends: dict[tuple[str, int], int] = {}
        for topic, partition, offset in self._traffic.ledger.accepted:
            ends[topic, partition] = max(offset + 1, ends.get((topic, partition), 0))
        with closing(self._world.store()) as store:
            try:
                rows = store.read(Query("checkpoints", {"stage": "ingest"}))
            except StoreError:
                return False
        read = {(n, p): at for n, p, at in zip(rows["name"], rows["partition"], rows["position"], strict=True)}
        return all(read.get(key, 0) >= end for key, end in ends.items())

    def _is_outstanding(self) -> bool:
        if self._posted.left:
            return True
        heard = {name: inbox.heard_titles for name, inbox in self._world.inboxes.items()}
        with closing(self._world.store()) as store:
            try:
                return any(unheard(store, heard[name]) for name in (*ALONE, HOSTILE)) or bool(unnoted(store, ALONE))
            except StoreError:
                return True

    def _post_hostile(self) -> None:
        if self._world.url:
            self.report.reasons += post_all(self._world.url, self._traffic.ledger)


def stop(pid: int) -> None:
    """Have a process do nothing."""
    os.kill(pid, signal.SIGSTOP)


def go_on(pid: int) -> None:
    """Let it go on."""
    os.kill(pid, signal.SIGCONT)


def _nothing() -> None:
    """Such a fault is over by itself."""


def run(folder: Path, seconds: float, seed: int, faults: Collection[str], rate: float = 150.0) -> Report:
    """Disturb a service for some time, and see what became of it.

    Parameters
    ----------
    folder : Path
        Exists; keeps logs and data.
    seconds : float
    seed : int
    faults : collection of str
        Of :data:`bench.chaos_schedule.FAULTS`; those that cannot be had here are left out.
    rate : float
        Events a second.
    """
    with ExitStack() as stack:
        world = stack.enter_context(World(folder, seed))
        world.fleet.wait(world.service)
        health = stack.enter_context(Health(lambda: world.service, [world.own, world.tables]))
        everybody = [world.inboxes[name] for name in (*ALONE, HOSTILE, "grouped")]

        def known() -> set[tuple[str, str]]:
            return set.intersection(*(inbox.heard_titles for inbox in everybody))

        posted = stack.enter_context(PostedAlerts(lambda: world.url, known))
        traffic = stack.enter_context(Traffic(world.broker.bootstrap, lambda: world.url, seed, rate))
        ordeal = _Run(world, traffic, posted, health)
        stack.enter_context(noting_deaths(ordeal.report.reasons))
        print(*(f"left out: {name}: {why}" for name, why in world.missing.items()), sep="\n")
        try:
            ordeal.disturb(schedule(seed, seconds, [name for name in faults if name not in world.missing]))
            ordeal.settle()
            ordeal.account()
            if ordeal.report.reasons:
                ordeal.keep(folder)
            ordeal.leave()
        except RuntimeError as error:
            ordeal.report.reasons.append(str(error))
        return ordeal.report


def main(arguments: Sequence[str] | None = None) -> int:
    """Disturb a service, and print what became of it."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak_chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30, help="for which faults come and go")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=150, help="events a second")
    parser.add_argument("--faults", default=",".join(FAULTS), help="with commas")
    options = parser.parse_args(arguments)
    # Small disks are let go also where somebody stops the run.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    folder = Path(tempfile.mkdtemp(prefix="leeway-chaos-"))
    report = run(folder, 60 * options.minutes, options.seed, options.faults.split(","), options.rate)
    print(*report.lines(), sep="\n")
    if report.reasons:
        print(f"seed {options.seed}; logs are in {folder}")
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
