"""Worker processes under fire: ``python -m bench.soak_kafka --kills 30``.

A careless stream (late and repeated events, wrong clocks, odd values, damaged lines) goes to a real Kafka of three
brokers while one to four workers share it, joining, leaving, being killed and being paused for longer than their
session lasts; the process that evaluates is killed too, and a broker is away for a while. All of them write to one
ClickHouse. At the end everything that was found must equal, row for row, what one process finds in the same topic
that nobody disturbs, in a database of its own. With ``--idle-after 300ms`` partitions are silent for a while, one after
the other, windows do not wait for them, and what they bring comes too late for these; the process that is left alone
waits for everything, and is given the table ``horizons``. The exit code is 1 if a row differs; what is needed to look
into it (logs of all processes, the stream, the seed) is kept then.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from bench.events import START_MS, configure
from bench.fleet import START_S, Fleet, Member, Patience
from bench.soak import BATCH_DEPENDENT, EVERY_MS, RULES, TABLES, rough_lines
from monitor.evaluate.horizon import standing
from sinks.store import open_store
from sinks.store.batch import append
from sinks.store.contract import TABLES as ALL_TABLES
from sinks.store.contract import Query, Store, StoreError

__all__ = ["Faults", "Place", "differences", "disturbed", "undisturbed"]

PARTITIONS = 4
MODEL, TOPIC = "bench", "events"
INGEST, REST = "ingest", "evaluate,alert"
SESSION_MS = 6_000
"""The shortest that a broker allows unless told otherwise."""
TAIL_MS, TAIL_EVERY_MS = 600_000, 20_000
"""So much later than the others are the last events of each partition, so that every window is judged; they get there
in steps, since one event alone moves no clock so far."""
STEP_MS = 120_000
AWAY_S = 10.0
END_WITHIN_S = 300.0
SILENT_WITHIN_S = 20.0
BROKEN, WHOLE = "broken", "whole"
WAITS = "1h"
"""Windows wait for every partition then: a run is shorter."""


@dataclass(frozen=True)
class Place:
    """Where a run reads and writes.

    Attributes
    ----------
    bootstrap : list of str
    topic : str
    clickhouse : mapping
        What :func:`sinks.store.open_store` takes, but for the database.
    folder : Path
        For configurations and logs.
    prefix : str
        Of the names of databases.
    idle_after : str
        After how long a partition is taken for silent where faults happen.
    """

    bootstrap: Sequence[str]
    topic: str
    clickhouse: Mapping[str, Any]
    folder: Path
    prefix: str = "soak"
    idle_after: str = WAITS

    def database(self, name: str) -> str:
        """Name the database of a run."""
        return f"{self.prefix}_{name}"

    def store(self, name: str) -> Store:
        """Open the database of a run."""
        return open_store("clickhouse", **{**self.clickhouse, "database": self.database(name)})

    def config(self, name: str) -> Path:
        """Write the configuration of a run."""
        folder = self.folder / name
        folder.mkdir(parents=True)
        model = configure(folder, RULES)
        model.write_text(model.read_text().replace("kafka: events", f"kafka: {self.topic}"))
        kafka = {
            "bootstrap": list(self.bootstrap),
            "group": f"{self.topic}-{name}",
            "session_timeout": f"{SESSION_MS}ms",
            "options": {"heartbeat_interval_ms": 500},
        }
        store = {"kind": "clickhouse", **self.clickhouse, "database": self.database(name)}
        lines = ["apiVersion: leeway/v1", "kind: Service", "spec:", "  models: [bench.yaml]"]
        settings = {"kafka": kafka, "store": store, "checkpoint_every": "1s"}
        settings["idle_after"] = self.idle_after if name == BROKEN else WAITS
        lines += [f"  {key}: {_flow(value)}" for key, value in settings.items()]
        path = folder / "leeway.yaml"
        path.write_text("\n".join(lines) + "\n")
        return path


@dataclass(frozen=True)
class Faults:
    """What goes wrong, and how often.

    Attributes
    ----------
    kills, pauses, outages, moves : int
        Workers killed, and paused beyond their session; brokers stopped; workers that join or leave in between.
    workers : int
        At most so many at a time.
    """

    kills: int
    pauses: int = 1
    outages: int = 0
    moves: int = 10
    workers: int = 4

    def script(self, rng: random.Random) -> list[str]:
        """Every fault, in some order."""
        script = ["kill"] * self.kills + ["pause"] * self.pauses
        script += ["outage"] * self.outages + ["move"] * self.moves
        rng.shuffle(script)
        return script


class _Ordeal:
    """One run that is disturbed."""

    def __init__(
        self,
        fleet: Fleet,
        faults: Faults,
        rng: random.Random,
        away: Callable[[Callable[[], None]], None],
        are_silent: Callable[[], bool] | None,
    ) -> None:
        self._fleet, self._faults, self._rng, self._away, self._are_silent = fleet, faults, rng, away, are_silent
        self._produce: Callable[[], None] = lambda: None
        self.counts: Counter[str] = Counter()

    def run(self, slices: Sequence[Callable[[], None]], script: Sequence[str]) -> None:
        """Produce slice after slice, with a fault behind each."""
        self._fleet.wait(self._fleet.start(REST))
        self._fleet.wait(self._fleet.start(INGEST))
        for produce, fault in zip(slices, script, strict=True):
            self._produce = produce
            getattr(self, f"_{fault}")()
            self._fleet.check()
            time.sleep(self._rng.uniform(0.2, 1.5))
            if self._are_silent is not None and self._rng.random() < 0.7:
                self._wait_for(self._are_silent)

    def _wait_for(self, are_silent: Callable[[], bool]) -> None:
        """Let windows be evaluated without the partitions that are behind, if these fall silent soon."""
        until_s = time.monotonic() + SILENT_WITHIN_S
        while time.monotonic() < until_s and not are_silent():
            time.sleep(0.2)
        time.sleep(1.0)

    def _worker(self) -> Member:
        """One that is at work, so that faults do not only meet processes that start."""
        patience = Patience("a worker is at work", START_S)
        while not (found := self._fleet.of(INGEST, ready=True)):
            self._fleet.check()
            patience.wait()
        return self._rng.choice(found)

    def _kill(self) -> None:
        victim = self._worker()
        self._produce()
        time.sleep(self._rng.uniform(0.0, 1.5))
        if self._rng.random() < 0.15:
            [evaluating] = self._fleet.of(REST)
            self._fleet.kill(evaluating)
            self._fleet.start(REST)
            self.counts["kills of evaluate"] += 1
        self._fleet.kill(victim)
        self.counts["kills"] += 1
        if self._rng.random() < 0.5 or not self._fleet.of(INGEST):
            self._fleet.start(INGEST)

    def _move(self) -> None:
        self._produce()
        workers = self._fleet.of(INGEST)
        ready = self._fleet.of(INGEST, ready=True)
        if len(workers) < self._faults.workers and (len(ready) < 2 or self._rng.random() < 0.6):
            self._fleet.start(INGEST)
            self.counts["joins"] += 1
        elif len(ready) > 1:
            self._fleet.leave(self._rng.choice(ready))
            self.counts["leaves"] += 1

    def _pause(self) -> None:
        paused = self._worker()
        if len(self._fleet.of(INGEST, ready=True)) < 2:
            self._fleet.wait(self._fleet.start(INGEST))
        self._produce()
        time.sleep(self._rng.uniform(0.0, 0.5))
        paused.pause()
        try:
            time.sleep(SESSION_MS / 1000 + 3)
        finally:
            paused.resume()
        self.counts["pauses"] += 1

    def _outage(self) -> None:
        self._away(self._produce)
        self.counts["outages"] += 1


def disturbed(
    place: Place,
    produce: Callable[[Sequence[tuple[int, bytes]]], None],
    log: Sequence[tuple[int, bytes]],
    faults: Faults,
    seed: int,
    away: Callable[[Callable[[], None]], None],
) -> Counter[str]:
    """Produce a log while faults happen; return once everything is judged and the processes have ended well."""
    rng = random.Random(seed)
    script = faults.script(rng)
    size = -(-len(log) // len(script))
    slices: Iterable[Sequence[tuple[int, bytes]]]
    slices = [log[start : start + size] for start in range(0, size * len(script), size)]
    if place.idle_after != WAITS:
        slices = withheld(slices, rng)
    with Fleet(place.config(BROKEN), place.folder / BROKEN / "logs") as fleet:
        are_silent = None if place.idle_after == WAITS else partial(_are_silent, place)
        ordeal = _Ordeal(fleet, faults, rng, away, are_silent)
        ordeal.run([partial(produce, part) for part in slices], script)
        _finish(place, fleet, BROKEN, log)
        ordeal.counts["partitions assigned or revoked"] = sum(
            fleet.count(f"partitions {what}") for what in ("assigned", "revoked")
        )
        ordeal.counts["processes"] = len(fleet.gone)
        return ordeal.counts


def _are_silent(place: Place) -> bool:
    """Whether everything is read, and nothing comes any more."""
    store = place.store(BROKEN)
    try:
        return all(standing(store).values())
    except StoreError:
        return False
    finally:
        store.close()


def withheld(
    slices: Sequence[Sequence[tuple[int, bytes]]], rng: random.Random
) -> Iterator[Sequence[tuple[int, bytes]]]:
    """Yield the slices of a log, each without one partition, whose messages come with the next slice."""
    held: list[tuple[int, bytes]] = []
    for place, part in enumerate(slices, 1):
        silent = rng.randrange(PARTITIONS) if place < len(slices) else None
        yield [*held, *(message for message in part if message[0] != silent)]
        held = [message for message in part if message[0] == silent]


def undisturbed(place: Place, log: Sequence[tuple[int, bytes]]) -> None:
    """One process over the same topic; where windows did not wait, it is given what they were evaluated with."""
    if place.idle_after != WAITS:
        _hand_over(place)
    with Fleet(place.config(WHOLE), place.folder / WHOLE / "logs") as fleet:
        fleet.start("ingest,evaluate,alert,api")
        _finish(place, fleet, WHOLE, log)


def _hand_over(place: Place) -> None:
    decided, store = place.store(BROKEN), place.store(WHOLE)
    append(store, "horizons", decided.read(Query("horizons")))
    decided.close()
    store.close()


def _finish(place: Place, fleet: Fleet, name: str, log: Sequence[tuple[int, bytes]]) -> None:
    """Wait until all of the log is read and judged, and end everybody."""
    ends = Counter(partition for partition, _ in log)
    patience = Patience(f"{name}: everything is read and judged", END_WITHIN_S, every_s=0.5)
    store = place.store(name)
    try:
        while not _done(store, place.topic, ends):
            fleet.check()
            patience.wait()
    finally:
        store.close()
    for member in list(fleet.members):
        fleet.leave(member)


def _done(store: Store, topic: str, ends: Mapping[int, int]) -> bool:
    try:
        saved = store.read(Query("checkpoints", {"stage": "ingest", "name": topic}, columns=("partition", "position")))
        closed = store.read(Query("progress", {"model": MODEL}, columns=("closed_ms",)))["closed_ms"]
        judged = Query("scores", {"model": MODEL}, order=("window_end_ms",), descending=True, limit=1)
        last = store.read(judged)["window_end_ms"]
    except StoreError:
        return False  # there are no tables yet
    read = dict(zip(saved["partition"].tolist(), saved["position"].tolist(), strict=True))
    return read == ends and len(last) > 0 and int(last[0]) == int(min(closed)) // STEP_MS * STEP_MS


def differences(place: Place) -> tuple[list[str], Counter[str]]:
    """Compare the two databases, row for row; return what differs, and how many rows there are."""
    found: list[str] = []
    counts: Counter[str] = Counter()
    rows = {}
    for name in (WHOLE, BROKEN):
        store = place.store(name)
        rows[name] = {table: _rows(store, table) for table in TABLES}
        if name == BROKEN:
            idle = store.read(Query("scores", columns=("window_end_ms", "idle")))
            counts["windows that did not wait"] = len(
                {end for end, missing in zip(*idle.values(), strict=True) if missing}
            )
        store.close()
    for table in TABLES:
        whole, broken = rows[WHOLE][table], rows[BROKEN][table]
        counts[f"rows of {table}"] = len(whole)
        lost, extra = whole.keys() - broken.keys(), broken.keys() - whole.keys()
        other = [key for key in whole.keys() & broken.keys() if whole[key] != broken[key]]
        for what, keys in (("lost", lost), ("too many", extra), ("different", other)):
            found += [f"{table}: {what}: {len(keys)}, such as {min(keys)}"] if keys else []
        found += [f"    {whole[key]}\n    {broken[key]}" for key in sorted(other)[:1]]
    return found, counts


def _rows(store: Store, table: str) -> dict[tuple[Any, ...], tuple[str, ...]]:
    """Rows by their keys, as texts, which equal each other where they are NaN too."""
    columns = store.read(Query(table))
    kept = [name for name in columns if name not in BATCH_DEPENDENT.get(table, set())]
    keys = zip(*(columns[name] for name in ALL_TABLES[table].key), strict=True)
    values = zip(*(columns[name] for name in kept), strict=True)
    return {
        tuple(item.item() if hasattr(item, "item") else item for item in key): tuple(map(_text, row))
        for key, row in zip(keys, values, strict=True)
    }


def _text(value: Any) -> str:
    return repr(value.tolist()) if hasattr(value, "tolist") else repr(value)


def stream(seed: int, count: int) -> list[tuple[int, bytes]]:
    """A careless stream over all partitions, which ends with events late enough for every window to be judged."""
    rng = random.Random(seed)
    log = [(rng.randrange(PARTITIONS), line) for line in rough_lines(rng, count)]
    end_ms = START_MS + count * EVERY_MS
    tail = [
        (number, b'{"event_id": "end%d-%d", "version": "v1", "ts": %d}' % (number, at_ms, at_ms))
        for at_ms in range(end_ms, end_ms + TAIL_MS + 1, TAIL_EVERY_MS)
        for number in range(PARTITIONS)
    ]
    return log + tail


def _flow(value: Any) -> str:
    """YAML's flow style, of which JSON is a part."""
    return json.dumps(value)


class Producer:
    """Writes to a topic, each message once and in order, also while a broker is away."""

    def __init__(self, bootstrap: Sequence[str], topic: str) -> None:
        from confluent_kafka import Producer as Client

        self._topic = topic
        self._client = Client({"bootstrap.servers": ",".join(bootstrap), "enable.idempotence": True, "log_level": 0})
        self._failed: list[str] = []

    def __call__(self, part: Sequence[tuple[int, bytes]]) -> None:
        for partition, line in part:
            self._client.produce(self._topic, line, partition=partition, on_delivery=self._delivered)
            self._client.poll(0)
        self._client.flush(120)
        if self._failed:
            raise RuntimeError(f"not produced: {self._failed[0]}")

    def _delivered(self, error: Any, _message: Any) -> None:
        if error is not None:
            self._failed.append(str(error))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the disturbed and the undisturbed process over one topic; print what was compared."""
    from tests.services.clickhouse import Endpoint
    from tests.services.kafka import ThreeBrokers

    parser = argparse.ArgumentParser(prog="python -m bench.soak_kafka", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--events", type=int, default=40_000)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--pauses", type=int, default=1)
    parser.add_argument("--outages", type=int, default=1, help="of one of the brokers")
    parser.add_argument(
        "--idle-after", default=WAITS, help="after how long a partition is taken for silent, such as 300ms"
    )
    parser.add_argument("--moves", type=int, default=30, help="workers that join or leave")
    options = parser.parse_args(arguments)
    faults = Faults(options.kills, options.pauses, options.outages, options.moves)
    folder = Path(tempfile.mkdtemp(prefix="leeway-soak-"))
    log = stream(options.seed, options.events)
    with ExitStack() as stack:
        server = stack.enter_context(Endpoint(folder / "clickhouse"))
        cluster = stack.enter_context(ThreeBrokers())
        cluster.create_topic(TOPIC, PARTITIONS, {"min.insync.replicas": "2"}, replicas=3)
        place = Place(cluster.addresses, TOPIC, {"hosts": [server.address]}, folder, idle_after=options.idle_after)

        def away(meanwhile: Callable[[], None]) -> None:
            broker = cluster.leader(TOPIC, 0)
            broker.stop()
            meanwhile()
            time.sleep(AWAY_S)
            broker.start()

        begun_s = time.monotonic()
        producer = Producer(place.bootstrap, TOPIC)
        counts = disturbed(place, producer, log, faults, options.seed, away)
        counts["seconds disturbed"] = round(time.monotonic() - begun_s)
        undisturbed(place, log)
        found, rows = differences(place)
    for name, number in (Counter(messages=len(log)) + counts + rows).items():
        print(f"{name:32}{number:14,}")
    if found:
        print(*found, sep="\n")
        print(f"the rows differ; seed {options.seed}, logs and data are in {folder}")
        return 1
    shutil.rmtree(folder)
    print("all rows are the same: none lost, none doubled")
    return 0


if __name__ == "__main__":
    sys.exit(main())
