"""Labels that come up to 90 days late, joined with their predictions: CPU, memory, bytes, and how old a metric is.

90 days of predictions and their labels are in the store at first, and joined at once. Then seven hours go on as the
service does, a round every few minutes, and of each label it is measured when a row stands in the store that has it::

    python -m bench.performance_join [--events 1000000] [--days 90] [--round 300]
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.rows import START_MS
from bench.web import rss_mb
from monitor.config import Configuration
from monitor.config.model import Model
from monitor.config.service import Service
from monitor.performance.performance import Performance
from monitor.watch import Watch, compile_watch
from sinks.store.chdb import ChdbStore
from sinks.store.contract import Store
from sinks.store.upkeep import merge, status

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
LIVE_MS = 7 * HOUR_MS
BLOCK = 500_000
PARTITIONS = {("scores", 0): False, ("truth", 0): False}
MODEL: dict[str, Any] = {
    "apiVersion": "leeway/v1",
    "kind": "Model",
    "metadata": {"name": "fraud"},
    "spec": {
        "sources": [{"kafka": "scores"}, {"kafka": "truth", "kind": "labels"}],
        "schema": {
            "id": "id",
            "prediction": {"score": {"type": "numeric"}},
            "labels": {"bad": {"type": "category"}},
        },
        "baseline": {"kind": "rolling"},
        "performance": {"positive": "yes", "judge_at": ["1h", "1d", "7d"]},
    },
}

Integers = NDArray[np.int64]


class Stream:
    """Predictions over some days, each with a label that comes at a random time of as many days behind it.

    Parameters
    ----------
    count : int
        Of predictions of these days.
    days : int
    """

    def __init__(self, count: int, days: int) -> None:
        rng, live = np.random.default_rng(1), count * LIVE_MS // (days * DAY_MS)
        self.now_ms = START_MS + days * DAY_MS
        predicted_ms = np.sort(rng.integers(START_MS, self.now_ms + LIVE_MS, count + live))
        digest = rng.integers(1, np.iinfo(np.int64).max, count + live)
        said_ms = predicted_ms + (rng.random(count + live) ** 3 * days * DAY_MS).astype(np.int64)
        order = np.argsort(said_ms, kind="stable")
        score = rng.beta(2, 5, count + live).round(6)
        names = np.where(rng.random(count + live) < score, "yes", "no")
        self.predicted = {"at": predicted_ms, "digest": digest, "score": score}
        self.labels = {"at": said_ms[order], "digest": digest[order], "name": names[order], "of": predicted_ms[order]}

    def until(self, columns: Mapping[str, NDArray[Any]], at_ms: int) -> int:
        """How many have come by a time."""
        return int(np.searchsorted(columns["at"], at_ms))


def append_predictions(store: Store, stream: Stream, first: int, stop: int) -> None:
    """Store predictions as ingest does."""
    for start in range(first, stop, BLOCK):
        part = slice(start, min(start + BLOCK, stop))
        at_ms, count = stream.predicted["at"][part], part.stop - start
        rows = _of_log("scores", start, count) | {
            "event_ms": at_ms,
            "known_ms": at_ms,
            "id_digest": stream.predicted["digest"][part],
            "version": ["7"] * count,
            "segments": [()] * count,
            "subject": [""] * count,
            "value": stream.predicted["score"][part],
            "label": [""] * count,
            # Nothing is compared with a field, and no interval is judged.
            **dict.fromkeys(("naive_value", "low", "high"), np.full(count, np.nan)),
            "naive_label": [""] * count,
        }
        store.append("predicted", rows, token=f"predicted/{start}")


def append_labels(store: Store, stream: Stream, first: int, stop: int) -> None:
    """Store labels as ingest does."""
    for start in range(first, stop, BLOCK):
        part = slice(start, min(start + BLOCK, stop))
        at_ms, count = stream.labels["at"][part], part.stop - start
        digests = stream.labels["digest"][part]
        rows = _of_log("truth", start, count) | {
            "signal": ["label:bad"] * count,
            "event_ms": at_ms,
            "known_ms": at_ms,
            "id": [f"{digest:016x}" for digest in digests.tolist()],
            "subject": [""] * count,
            "value": np.full(count, np.nan),
            "label": stream.labels["name"][part].tolist(),
            "retracted": np.zeros(count, dtype=np.int64),
            "id_digest": digests,
        }
        store.append("labels", rows, token=f"labels/{start}")


def _of_log(topic: str, first: int, count: int) -> dict[str, Any]:
    partition = np.zeros(count, dtype=np.int64)
    offsets = np.arange(first, first + count)
    return {"model": ["fraud"] * count, "topic": [topic] * count, "partition": partition, "offset": offsets}


def append_progress(store: Store, at_ms: int, next_offsets: Mapping[str, int]) -> None:
    """State how far both partitions are."""
    for table, topic in (("progress", "scores"), ("label_progress", "truth")):
        row = {"model": "fraud", "topic": topic, "partition": 0, "closed_ms": at_ms, "newest_ms": at_ms}
        rows = {name: [value] for name, value in row.items()} | {"next_offset": [next_offsets[topic]]}
        store.append(table, rows, token=f"{table}/{at_ms}")


class Bench:
    """A store that is filled, and a model's performance that follows.

    Parameters
    ----------
    watch : Watch
    store : ChdbStore
    stream : Stream
    """

    def __init__(self, watch: Watch, store: ChdbStore, stream: Stream) -> None:
        self.performance, self.store, self.stream = Performance(watch, store), store, stream
        self.offsets = {"scores": 0, "truth": 0}

    def fill(self, at_ms: int) -> None:
        """Store what has come by a time."""
        predicted, labels = (self.stream.until(c, at_ms) for c in (self.stream.predicted, self.stream.labels))
        append_predictions(self.store, self.stream, self.offsets["scores"], predicted)
        append_labels(self.store, self.stream, self.offsets["truth"], labels)
        self.offsets = {"scores": predicted, "truth": labels}
        append_progress(self.store, at_ms, self.offsets)

    def join(self, at_ms: int) -> tuple[float, float]:
        """Work out what is due; return the seconds that took, and those of CPU."""
        since_s, since_cpu_s = time.perf_counter(), time.process_time()
        self.performance.advance(PARTITIONS, at_ms)
        return time.perf_counter() - since_s, time.process_time() - since_cpu_s

    def join_all(self, at_ms: int) -> tuple[float, float]:
        """Go on in rounds until nothing waits; return the seconds that took, and those of CPU."""
        rounds = [self.join(at_ms)]
        while waiting := self.performance.progress().touched:
            tell(f"{len(waiting):,} hours wait")
            rounds.append(self.join(at_ms))
        seconds, cpu_s = zip(*rounds, strict=True)
        return sum(seconds), sum(cpu_s)

    def live(self, round_ms: int) -> dict[str, float]:
        """Go on in rounds; return how long labels took until a stored row had them, and what a round took."""
        waiting: dict[int, list[int]] = {}
        latencies, rounds = [], []
        for at_ms in range(self.stream.now_ms + round_ms, self.stream.now_ms + LIVE_MS + 1, round_ms):
            first = self.offsets["truth"]
            self.fill(at_ms)
            part = slice(first, self.offsets["truth"])
            for said_ms, of_ms in zip(*(self.stream.labels[name][part].tolist() for name in ("at", "of")), strict=True):
                waiting.setdefault(of_ms // HOUR_MS * HOUR_MS, []).append(said_ms)
            rounds.append(self.join(at_ms))
            tell(f"{len(rounds)} of {LIVE_MS // round_ms} rounds, the newest took {rounds[-1][0]:.1f} s")
            touched = self.performance.progress().touched
            for hour_ms in [hour_ms for hour_ms in waiting if hour_ms not in touched]:
                latencies += [at_ms - said_ms for said_ms in waiting.pop(hour_ms)]
        seconds, cpu_s = zip(*rounds, strict=True)
        return {
            "latency_median_min": float(np.median(latencies)) / 60_000,
            "latency_p99_min": float(np.quantile(latencies, 0.99)) / 60_000,
            "labels": len(latencies),
            "round_median_s": float(np.median(seconds)),
            "round_p99_s": float(np.quantile(seconds, 0.99)),
            "cpu_share": sum(cpu_s) / (LIVE_MS / 1000),
        }


def tell(progress: str) -> None:
    """Say how far this is."""
    print(progress, file=sys.stderr, flush=True)


def main(arguments: list[str] | None = None) -> None:
    """Print the figures, the last line as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--round", type=int, default=300, help="seconds")
    options = parser.parse_args(arguments)
    configuration = Configuration(Service(), {"fraud": Model.model_validate(MODEL)}, Path())
    with tempfile.TemporaryDirectory() as folder:
        store = ChdbStore(Path(folder) / "store")
        store.migrate()
        bench = Bench(compile_watch(configuration, "fraud"), store, Stream(options.events, options.days))
        bench.fill(bench.stream.now_ms)
        # From here on the peak is that of joining; what the stream itself takes stands beside it.
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        figures: dict[str, float] = {"events": options.events, "mb_before": rss_mb(os.getpid())}
        seconds, cpu_s = bench.join_all(bench.stream.now_ms)
        figures |= {"events_per_cpu_s": options.events / cpu_s, "seconds": seconds}
        figures |= bench.live(options.round * 1000)
        figures["mb_peak"] = rss_mb(os.getpid(), "VmHWM")
        for table in ("predicted", "labels", "performance"):
            merge(store, table)
        sizes = {table.name: table.bytes for table in status(store).tables}
        figures |= {f"{name}_bytes": sizes[name] / options.events for name in ("predicted", "labels", "performance")}
        store.close()
    for name, figure in figures.items():
        print(f"{name:20} {figure:14,.2f}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
