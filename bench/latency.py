"""How long after an event its score is stored and people are told: ``python -m bench.latency``, at half load.

A producer in a process of its own writes events to a real broker at a steady rate, each with the time at which it is
written; now and then the first number moves by three standard deviations for some seconds. The whole service, with
the embedded store and a webhook on this machine, watches in windows of one pane of a second, without allowed lateness.

Printed is what comes on top of the pane: from the end of a pane to its scores being stored, and to the webhook being
called about what was decided by them. Unless ``--rate`` says otherwise, the rate is half of what the same service,
with the broker and the producer beside it, reads in a second when it never has to wait.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
from confluent_kafka import Producer

from bench.events import COUNTRIES, FEATURES, configure
from monitor.clock import SystemClock
from monitor.config import load
from monitor.service import Service
from sinks.store import open_store
from sinks.store.contract import Columns, Query, Store
from tests.services.kafka import Broker

__all__ = ["Seen", "measure", "report"]

PANE_MS = 1_000
PARTITIONS = 2
SHIFT_EVERY_S, SHIFTED_S = 12, 3
ROOT = Path(__file__).resolve().parents[1]
RULES = """\
  baseline: {kind: rolling, span: 1m}
  detect:
    false_alarms: 1 per 1d
    pane: 1s
    defaults: {window: 1s, min_samples: 50, learn_windows: 10}
    rules:
      - {on: "feature:feat_*", use: [adwin, page_hinkley, psi, ks]}
  alerts: {resolve_after: 2s}
"""


class Seen:
    """When what was stored, and when who was told.

    Attributes
    ----------
    scores_ms : dict of int to float
        The time at which the scores of a window were stored, by its end.
    decided_ms : dict
        The end of the window that decided a transition, by alert and state.
    told_ms : dict
        When the webhook was called, by alert and state.
    """

    def __init__(self) -> None:
        self.scores_ms: dict[int, float] = {}
        self.decided_ms: dict[tuple[str, str], int] = {}
        self.told_ms: dict[tuple[str, str], float] = {}

    def stored(self, table: str, columns: Mapping[str, Sequence[Any]]) -> None:
        """Rows are acknowledged."""
        if table == "scores":
            for end_ms in set(columns["window_end_ms"]):
                self.scores_ms.setdefault(int(end_ms), _now_ms())
        elif table == "alerts":
            for alert_id, state, at_ms in zip(columns["alert_id"], columns["state"], columns["at_ms"], strict=True):
                self.decided_ms.setdefault((alert_id, state), int(at_ms))

    def told(self, body: Mapping[str, Any]) -> None:
        """A webhook was called."""
        self.told_ms.setdefault((body["groupLabels"]["alert_id"], body["status"]), _now_ms())

    def behind_ms(self, since_ms: int) -> tuple[list[float], list[float]]:
        """How long behind the end of its window each was stored and told, of windows that end later than that."""
        stored = [at_ms - end_ms for end_ms, at_ms in sorted(self.scores_ms.items()) if end_ms > since_ms]
        told = [
            at_ms - self.decided_ms[what]
            for what, at_ms in self.told_ms.items()
            if self.decided_ms.get(what, 0) > since_ms
        ]
        return stored, told


class _Watched:
    """A store that tells when something was stored."""

    def __init__(self, store: Store, seen: Seen) -> None:
        self._store, self._seen = store, seen

    def append(self, table: str, columns: Mapping[str, Sequence[Any]], token: str) -> None:
        self._store.append(table, columns, token)
        self._seen.stored(table, columns)

    def read(self, query: Query) -> Columns:
        return self._store.read(query)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


@contextmanager
def webhook(seen: Seen) -> Iterator[str]:
    """Serve a receiver that takes everything."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            seen.told(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hook"
    server.shutdown()
    thread.join()
    server.server_close()


@contextmanager
def serving(folder: Path, broker: Broker, topic: str, seen: Seen) -> Iterator[Service]:
    """Run the service, whole, over a topic."""
    folder.mkdir()
    model = configure(folder, RULES)
    text = model.read_text().replace("kafka: events", f"kafka: {topic}")
    model.write_text(text.replace("allowed_lateness: 30s", "allowed_lateness: 0s"))
    with webhook(seen) as url:
        spec = {
            "models": ["bench.yaml"],
            "kafka": {"bootstrap": [broker.bootstrap], "group": topic},
            "receivers": [{"kind": "webhook", "name": "ops", "url": url, "allow_private": True}],
        }
        service = {"apiVersion": "leeway/v1", "kind": "Service", "spec": spec}
        (folder / "leeway.yaml").write_text(json.dumps(service))
        store: Any = _Watched(open_store("chdb", str(folder / "store")), seen)
        running = Service(load(folder / "leeway.yaml"), SystemClock(), store)
        running.start()
        try:
            yield running
        finally:
            running.stop()
        running.raise_failure()


def produce(bootstrap: str, topic: str, rate: int, seconds: float) -> None:
    """Write events at a steady rate, 0 for as fast as it goes, each with the time at which it is written."""
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 5, "compression.type": "lz4"})
    rng = np.random.default_rng(1)
    tails = [[_tail(rng, shift) for _ in range(500)] for shift in (0.0, 3.0)]
    start_s, count = time.time(), 0
    while (passed_s := time.time() - start_s) < seconds:
        due = round(rate * passed_s) if rate else count + 5_000
        shifted = passed_s % SHIFT_EVERY_S >= SHIFT_EVERY_S - SHIFTED_S and passed_s > 2 * SHIFT_EVERY_S
        some, at_ms = tails[shifted], int(_now_ms())
        for number in range(count, due):
            line = b'{"event_id": "e%d", "ts": %d, %s' % (number, at_ms, some[number % len(some)])
            producer.produce(topic, line, partition=number % PARTITIONS)
            if number % 1_000 == 0:
                producer.poll(0)
        count = due
        producer.poll(0.002 if rate else 0)
        if not rate:
            producer.flush()
    producer.flush()
    print(count)


def _tail(rng: Any, shift: float) -> bytes:
    values = dict(zip(FEATURES, rng.standard_normal(len(FEATURES)).round(4).tolist(), strict=True))
    values[FEATURES[0]] = round(values[FEATURES[0]] + shift, 4)
    return json.dumps({"version": "v1", "country": COUNTRIES[int(rng.integers(len(COUNTRIES)))], **values})[1:].encode()


def _now_ms() -> float:
    return time.time() * 1000


def _producing(broker: Broker, topic: str, rate: int, seconds: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "bench.latency", "--produce", broker.bootstrap, topic, str(rate), str(seconds)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def capacity(folder: Path, broker: Broker, seconds: float) -> int:
    """Events a second that the service reads while a producer is always ahead of it."""
    broker.create_topic("flood", PARTITIONS)
    with serving(folder, broker, "flood", Seen()) as service, _producing(broker, "flood", 0, 2 * seconds) as producer:
        while service.counters.events < 20_000:
            service.raise_failure()
            time.sleep(0.05)
        first, begun_s = service.counters.events, time.monotonic()
        time.sleep(seconds)
        rate = (service.counters.events - first) / (time.monotonic() - begun_s)
        producer.kill()
    return round(rate)


def measure(rate: int, seconds: float) -> dict[str, Any]:
    """Measure at ``rate`` events a second, 0 for half of the capacity."""
    found: dict[str, Any] = {"seconds": seconds}
    with tempfile.TemporaryDirectory() as name, Broker(for_load=True) as broker:
        if not rate:
            found["capacity"] = capacity(Path(name) / "flood", broker, 15.0)
            rate = found["capacity"] // 2
        broker.create_topic("steady", PARTITIONS)
        seen = Seen()
        with serving(Path(name) / "steady", broker, "steady", seen) as service:
            while service.ready():
                time.sleep(0.05)
            begun_ms = int(_now_ms())
            with _producing(broker, "steady", rate, seconds) as producer:
                said, _ = producer.communicate()
            until_s = time.monotonic() + 30
            while service.counters.events < int(said) and time.monotonic() < until_s:
                time.sleep(0.05)
            time.sleep(5 * PANE_MS / 1000)
            found |= {"rate": rate, "produced": int(said), "read": service.counters.events}
        # The first panes pay for starting; baselines are there by then.
        stored, told = seen.behind_ms(begun_ms + 15_000)
    for what, behind_ms in (("score", stored), ("webhook", told)):
        found[what] = {
            "count": len(behind_ms),
            "median_ms": round(float(np.median(behind_ms)), 1),
            "p99_ms": round(float(np.quantile(behind_ms, 0.99)), 1),
        }
    return found


def report(found: Mapping[str, Any]) -> list[str]:
    """Return lines for people."""
    head = f"{found['rate']:,} events/s for {found['seconds']:g} s, {found['read']:,} of {found['produced']:,} read"
    if "capacity" in found:
        head += f"; capacity {found['capacity']:,} events/s, with the broker and the producer on the same machine"
    lines = [head, f"{'beyond the end of the pane':32}{'count':>8}{'median':>12}{'p99':>12}"]
    for what, text in (("score", "scores stored"), ("webhook", "webhook called")):
        one = found[what]
        lines.append(f"{text:32}{one['count']:8,}{one['median_ms']:9,.0f} ms{one['p99_ms']:9,.0f} ms")
    return lines


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.latency", description=__doc__)
    parser.add_argument("--rate", type=int, default=0, help="events a second; half of the capacity without it")
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--produce", nargs=4, metavar=("BOOTSTRAP", "TOPIC", "RATE", "SECONDS"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.produce:
        bootstrap, topic, rate, seconds = options.produce
        produce(bootstrap, topic, int(rate), float(seconds))
        return 0
    found = measure(options.rate, options.seconds)
    print(*report(found), sep="\n")
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
