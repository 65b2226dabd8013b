"""Events per second of CPU time from a real Kafka broker to stored scores, beside peers on the same topic.

Run with ``python -m bench.kafka``, or ``make bench-kafka``. The broker runs on the same machine. Events have some 470
bytes: 20 numbers, a category, an identity, a version and a time. Each contestant reads them in a process of its own:

- *leeway*: the whole service, as ``leeway run`` starts it, into the embedded store: default windowed rules, ADWIN and
  Page–Hinkley on every number, windows judged, alerts followed, checkpoints written, offsets committed.
- *leeway, plain records*: the same without the record-batch path, as where the client's insides have changed.
- *river*: kafka-python, orjson and river's ADWIN and Page–Hinkley in a loop; no windows, nothing stored.
- *Quix Streams*: orjson, and a count and a mean of every number in its state (RocksDB), where it is installed
  (``--quix PYTHON`` names an interpreter that has it).

Figures are of process CPU time, over all threads, from the first tenth of the events on: what a busy machine does to
the wall clock does not count, nor does starting. Slow contestants read a prefix of the topic.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from confluent_kafka import Producer

from bench.events import COUNTRIES, FEATURES, START_MS, configure
from tests.services.kafka import Broker

__all__ = ["fill", "measure", "report"]

TOPIC = "events"
CHUNK = 20_000
ROOT = Path(__file__).resolve().parents[1]
NAMES = {
    "leeway": "leeway: the service, embedded store",
    "plain": "leeway, plain records",
    "river": "kafka-python + orjson + river in a loop",
    "quix": "Quix Streams, stateful",
}


def fill(broker: Broker, topic: str, count: int, per_second: int, partitions: int, codec: str = "lz4") -> float:
    """Produce events, ``per_second`` to the second of event time; returns how many bytes one has.

    From the middle on the first number has moved by three standard deviations.
    """
    broker.create_topic(topic, partitions)
    producer = Producer(
        {"bootstrap.servers": broker.bootstrap, "linger.ms": 50, "compression.type": codec, "batch.size": 1_000_000}
    )
    rng = np.random.default_rng(1)
    total = 0
    for first in range(0, count, CHUNK):
        numbers = np.arange(first, min(first + CHUNK, count))
        values = np.round(rng.standard_normal((len(numbers), len(FEATURES))), 4)
        values[numbers >= count // 2, 0] += 3.0
        countries = rng.integers(0, len(COUNTRIES), len(numbers)).tolist()
        rows = zip(numbers.tolist(), countries, values.round(4).tolist(), strict=True)
        for number, country, row in rows:
            head = {
                "event_id": f"e{number:09d}",
                "version": "v3",
                "ts": START_MS + number * 1000 // per_second,
                "country": COUNTRIES[country],
            }
            payload = json.dumps({**head, **dict(zip(FEATURES, row, strict=True))}).encode()
            total += len(payload)
            producer.produce(topic, payload, partition=number % partitions)
        producer.flush()
    return total / count


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Measure all contestants in turn.

    Returns
    -------
    dict
        Events per second of CPU time by contestant, best and median, ratios of the medians, and what they did.
    """
    found: dict[str, Any] = {"events": options.events, "rounds": options.rounds, "partitions": options.partitions}
    runs: dict[str, list[dict[str, Any]]] = {}
    with tempfile.TemporaryDirectory() as name, Broker(for_load=True) as broker:
        folder = Path(name)
        for topic, per_second in (("events", options.per_second), ("sparse", options.per_second // 10)):
            found["bytes_per_event"] = fill(broker, topic, options.events, per_second, options.partitions)
        limits = {"river": options.peer_events, "quix": options.peer_events}
        for number in range(options.rounds + 1):
            for contestant in _contestants(options):
                topic = "sparse" if contestant == "sparse" else TOPIC
                run = _run(contestant, folder / f"{contestant}-{number}", broker.bootstrap, topic, limits, options)
                if number:  # the round before the first one compiles
                    runs.setdefault(contestant, []).append(run)
        found["profile"] = _run("profile", folder / "profile", broker.bootstrap, TOPIC, limits, options)["profile"]
    for contestant, some in runs.items():
        rates = [run["events"] / run["cpu_s"] for run in some]
        found[contestant] = {"best": max(rates), "median": median(rates), **some[rates.index(max(rates))]}
    for peer in {"plain", "river", "quix"} & set(runs):
        found[f"ratio_{peer}"] = found["leeway"]["median"] / found[peer]["median"]
    return found


def _contestants(options: argparse.Namespace) -> list[str]:
    quix = [sys.executable if options.quix is None else options.quix, "-c", "import quixstreams"]
    there = subprocess.run(quix, capture_output=True, check=False).returncode == 0
    return ["leeway", "sparse", "plain", "river", *(["quix"] if there else [])]


def _run(
    contestant: str, folder: Path, bootstrap: str, topic: str, limits: dict[str, int], options: argparse.Namespace
) -> dict[str, Any]:
    """Let a contestant read the topic in a process of its own."""
    folder.mkdir()
    count = min(options.events, limits.get(contestant, options.events))
    python = options.quix if contestant == "quix" and options.quix is not None else sys.executable
    if contestant not in {"river", "quix"}:
        _configure(folder, bootstrap, topic, plain=contestant == "plain")
    reader = contestant if contestant in {"river", "quix"} else "leeway"
    flags = ["profile"] if contestant == "profile" else []
    command = [python, "-m", f"bench.readers.{reader}", str(folder), bootstrap, topic, str(count), *flags]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, cwd=ROOT)
    if done.returncode:
        raise SystemExit(f"{contestant} failed with exit code {done.returncode}:\n{done.stdout}")
    run: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return run


def _configure(folder: Path, bootstrap: str, topic: str, *, plain: bool) -> None:
    model = configure(folder)
    model.write_text(model.read_text().replace("kafka: events", f"kafka: {topic}"))
    records = ", records: plain" if plain else ""
    service = f"""\
apiVersion: leeway/v1
kind: Service
spec:
  models: [bench.yaml]
  store: {{kind: chdb, path: "{folder / "store"}"}}
  kafka: {{bootstrap: ["{bootstrap}"], group: {folder.name}{records}}}
  idle_after: 2s
"""
    (folder / "leeway.yaml").write_text(service)


def report(found: dict[str, Any]) -> list[str]:
    """Lines for people."""
    head = (
        f"{found['events']:,} events of {found['bytes_per_event']:.0f} bytes in {found['partitions']} partitions, "
        f"{found['rounds']} rounds; a second of CPU time, over all threads of the process"
    )
    lines = [head, f"{'events/s':52}{'best':>12}{'median':>12}"]
    names = {**NAMES, "sparse": "leeway, panes with a tenth of the events"}
    for key in ("leeway", "sparse", "plain", "river", "quix"):
        if key in found:
            lines.append(f"{names[key]:52}{found[key]['best']:12,.0f}{found[key]['median']:12,.0f}")
        elif key == "quix":
            lines.append(f"{names[key]:52}{'not installed':>24}")
    for key in ("plain", "river", "quix"):
        if f"ratio_{key}" in found:
            lines.append(f"leeway / {names[key]:43}{found[f'ratio_{key}']:23.1f}x")
    lines += ["", "where the CPU time of the best round went, us an event"]
    lines += [f"  {name:50}{cost:8.2f}" for name, cost in found["leeway"]["parts"].items()]
    lines += ["", "the worker's thread alone, under a profiler in a round of its own (us an event, slower by it)"]
    lines += [f"  {name:50}{cost:8.2f}" for name, cost in found["profile"].items()]
    return lines


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table, then all figures as JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.kafka")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--peer-events", type=int, default=30_000, help="how many the slow contestants read")
    parser.add_argument("--per-second", type=int, default=1_000, help="events to the second of event time")
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quix", metavar="PYTHON", help="an interpreter that has quixstreams")
    found = measure(parser.parse_args(arguments))
    print(*report(found), json.dumps(found), sep="\n")


if __name__ == "__main__":
    main()
