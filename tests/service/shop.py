"""A shop's model and its synthetic traffic: several partitions, jitter, a few late events, one drift."""

from __future__ import annotations

import json
import random
import threading
import time
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from monitor.clock import Clock, SystemClock
from monitor.config import Configuration, load
from monitor.config.roles import ROLES
from monitor.replay import Replay
from monitor.service import Service
from monitor.sources.files import FileSource
from sinks.store.contract import Query, Store
from sinks.store.memory import MemoryStore
from tests.services.kafka import Cluster

START_MS = 1_700_000_000_000
WINDOW_MS = 20_000
# On a machine that others use, what compiles every kernel takes minutes: see `timeout` in pyproject.toml.
PATIENCE_S = 600.0
T = TypeVar("T")

Partitions = list[list[bytes]]

SCHEMA: dict[str, Any] = {
    "id": "id",
    "features": {"amount": {"type": "numeric", "range": [0, 200]}, "country": {"type": "category"}},
    "prediction": {"score": {"type": "numeric", "range": [0, 1]}},
}
DETECT: dict[str, Any] = {
    "false_alarms": "1 per 1h",
    "pane": "10s",
    "defaults": {"window": "20s", "min_samples": 50, "learn_windows": 6},
    "rules": [{"on": "prediction:score", "use": ["adwin"]}],
}


def model(name: str, *sources: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """A model's document; its sources get the time field and a lateness of 5 s unless they say otherwise."""
    usual = {"event_time": {"path": "ts", "unit": "ms"}, "allowed_lateness": "5s"}
    document = {
        "sources": [{**usual, **source} for source in sources],
        "schema": SCHEMA,
        "baseline": {"kind": "rolling", "span": "10m"},
        "detect": DETECT,
        "alerts": {"resolve_after": "40s"},
    }
    return {"apiVersion": "leeway/v1", "kind": "Model", "metadata": {"name": name}, "spec": {**document, **spec}}


def configured(folder: Path, *models: dict[str, Any], **spec: Any) -> Path:
    """Write a service's file and its models' files, and return the former; JSON is YAML."""
    (folder / "models").mkdir(parents=True, exist_ok=True)
    for document in models:
        (folder / "models" / f"{document['metadata']['name']}.yaml").write_text(json.dumps(document, indent=1))
    kept = {"store": {"kind": "chdb", "path": str(folder / "store")}, "ingest_log": str(folder / "ingest.log")}
    service = {"apiVersion": "leeway/v1", "kind": "Service", "spec": {**kept, **spec}}
    path = folder / "leeway.yaml"
    path.write_text(json.dumps(service, indent=1))
    return path


def on_kafka(folder: Path, cluster: Cluster, *models: dict[str, Any], **options: Any) -> Configuration:
    """Load a configuration that reads ``cluster``, in a group named by the folder."""
    kafka = {
        "bootstrap": [cluster.bootstrap],
        "group": folder.name + str(abs(hash(folder))),
        "options": {"heartbeat_interval_ms": 200},
        **options,
    }
    return load(configured(folder, *models, kafka=kafka, idle_after="1h", checkpoint_every="300ms"))


def traffic(
    seed: int, windows: int = 100, per_window: int = 200, partitions: int = 8, start_ms: int = START_MS
) -> tuple[Partitions, int]:
    """Events by partition, each in the order of its log, and the end of the last whole window, in ms.

    From 60 % to 70 % of the time amounts are higher and most come from another country. Then one event per partition
    follows six seconds later, so that watermarks pass the end.
    """
    draw = random.Random(seed)
    end_ms = start_ms + windows * WINDOW_MS
    count = windows * per_window
    kept: list[tuple[float, dict[str, Any]]] = []
    for number in range(count):
        at_ms = start_ms + number * windows * WINDOW_MS // count
        # Most come within the lateness, a few too late for their pane.
        delay_ms = draw.uniform(0, 2_000) if draw.random() < 0.98 else 40_000
        kept.append((at_ms + delay_ms, _event(draw, number, at_ms, drifted=0.6 <= number / count < 0.7)))
    logs: Partitions = [[] for _ in range(partitions)]
    for _, event in sorted(kept, key=lambda pair: (pair[0], pair[1]["id"])):
        logs[zlib.crc32(event["user"].encode()) % partitions].append(json.dumps(event).encode())
    for partition, log in enumerate(logs):
        log.append(json.dumps(_event(draw, count + partition, end_ms + 6_000, drifted=False)).encode())
    return logs, end_ms


def _event(draw: random.Random, number: int, at_ms: int, *, drifted: bool) -> dict[str, Any]:
    return {
        "id": f"e{number}",
        "user": f"u{draw.randrange(500)}",
        "ts": at_ms,
        "amount": round(draw.gauss(120 if drifted else 60, 15), 2),
        "country": draw.choices(["DE", "FR", "PL"], [0.1, 0.1, 0.8] if drifted else [0.6, 0.3, 0.1])[0],
        "score": round(draw.betavariate(5 if drifted else 2, 4), 5),
    }


def in_order(logs: Partitions) -> list[bytes]:
    """All events of all partitions, in the order of their times: the log of one partition."""
    return sorted((line for log in logs for line in log), key=lambda line: int(json.loads(line)["ts"]))


def produce(cluster: Cluster, topic: str, logs: Sequence[Sequence[bytes]]) -> None:
    """Write each partition's log, keyed, in its order."""
    producer = KafkaProducer(bootstrap_servers=cluster.bootstrap, linger_ms=20, compression_type="lz4")
    for partition, log in enumerate(logs):
        for line in log:
            producer.send(topic, line, key=b"k%d" % partition, partition=partition)
    producer.flush()
    producer.close()


def consumed(cluster: Cluster, topic: str, count: int, partition: int = 0) -> list[Any]:
    """Read a partition of a topic from its start until there are ``count`` messages."""
    consumer = KafkaConsumer(bootstrap_servers=cluster.bootstrap, auto_offset_reset="earliest", group_id=None)
    consumer.assign([TopicPartition(topic, partition)])
    found: list[Any] = []

    def enough() -> bool:
        for records in consumer.poll(timeout_ms=200).values():
            found.extend(records)
        return len(found) >= count

    wait_until(enough, f"{count} messages are in {topic}[{partition}]")
    consumer.close()
    return found


def replayed(folder: Path, configuration: Configuration, topics: dict[str, Partitions]) -> Store:
    """Replay the same logs from files, one per partition."""
    files: dict[str, list[Path]] = {}
    for topic, logs in topics.items():
        for partition, log in enumerate(logs):
            path = folder / f"{topic}-{partition}.jsonl"
            path.write_bytes(b"".join(line + b"\n" for line in log))
            files.setdefault(topic, []).append(path)
    store = MemoryStore()
    store.migrate()
    Replay(configuration, store, FileSource(files)).run()
    return store


def wait_until(condition: Callable[[], T | None], what: str, patience_s: float = PATIENCE_S) -> T:
    """Return the first truthy answer; AssertionError when there is none in time."""
    deadline_s = time.monotonic() + patience_s
    while not (answer := condition()):
        assert time.monotonic() < deadline_s, f"not in {patience_s:.0f} s: {what}"
        threading.Event().wait(0.05)
    return answer


@contextmanager
def serving(
    configuration: Configuration, store: Store, roles: Collection[str] = tuple(ROLES), clock: Clock | None = None
) -> Iterator[Service]:
    """Run a service on a store that stays open for the test: a service closes its store."""
    service = Service(configuration, clock or SystemClock(), kept(store), roles)
    with running(service):
        yield service


@contextmanager
def apart(
    configuration: Callable[[], Configuration], store: Store, roles: Sequence[Collection[str]]
) -> Iterator[list[Service]]:
    """Run a process for each of some collections of roles, on a store that they share and that stays open."""
    services = [
        Service(configuration(), SystemClock(), kept(store), of_one, port=8080 + number)
        for number, of_one in enumerate(roles)
    ]
    with running(*services):
        yield services


@contextmanager
def running(*services: Service) -> Iterator[None]:
    """Start services, and stop them afterwards; raise what one failed with."""
    with ExitStack() as stopping:
        for service in services:
            service.start()
            stopping.callback(service.stop)
        yield
    for service in services:
        service.raise_failure()


def kept(store: Store) -> Store:
    """A store that stays open for the test."""
    return _Kept(store)


class _Kept:
    """A store that somebody else closes."""

    def __init__(self, store: Store) -> None:
        self.migrate, self.append, self.read, self.refresh = store.migrate, store.append, store.read, store.refresh
        self.totals, self.buckets, self.drifting = store.totals, store.buckets, store.drifting

    def is_current(self) -> bool:
        return True

    def close(self) -> None:
        """Left open."""


def judged(service: Service, name: str, end_ms: int) -> Callable[[], bool]:
    """Whether the window that ends at ``end_ms`` is judged; fails at once if the service has failed."""

    def check() -> bool:
        service.raise_failure()
        query = Query("scores", {"model": name, "signal": "volume"}, low={"window_end_ms": end_ms}, limit=1)
        return bool(len(service.store.read(query)["model"]))

    return check


def rows(
    store: Store, table: str, *, only: Iterable[str] = (), without: Iterable[str] = (), **where: Any
) -> list[tuple[Any, ...]]:
    """Rows in the order of their keys, as plain values; NaN, which equals nothing, as text."""
    columns = store.read(Query(table, where))
    kept = [columns[name] for name in only or columns if name not in set(without)]
    return [tuple(_plain(value) for value in values) for values in zip(*kept, strict=True)]


def _plain(value: Any) -> Any:
    value = value.tolist() if hasattr(value, "tolist") else value
    return tuple(value) if isinstance(value, list) else "nan" if value != value else value


def results(store: Store, end_ms: int) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that was decided up to ``end_ms``, and the on-time and late panes that it was decided from."""
    tables = {"panes": "pane_start_ms", "scores": "window_end_ms", "alerts": "at_ms", "findings": "event_ms"}
    found = {}
    for table, at in tables.items():
        columns = store.read(Query(table, high={at: end_ms + (table != "panes")}))
        found[table] = [tuple(map(_plain, values)) for values in zip(*columns.values(), strict=True)]
    return found
