"""Vectors: what they cost, and what a windowed distance of them sees, beside how often it alarms falsely.

``python -m bench.vectors`` folds vectors of 10 and of 384 numbers, decodes messages that hold them, and leads the judge
of a service through windows of 1,000 vectors under the default budget of false alarms: thousands of quiet ones, and
then, each by itself behind 300 quiet ones, some that have changed. CPU time, the best of the rounds.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow
from numpy.typing import NDArray
from pyarrow import parquet

from detectors.chart.legend import DRIFT, SUMS
from detectors.sketch import JointFold
from monitor.config import Configuration
from monitor.config.model import Model
from monitor.config.service import Service
from monitor.decoders import JsonDecoder, TopicPlan
from monitor.evaluate.series import DistributionSeries
from monitor.evaluate.windows import Windows
from monitor.events import Records
from monitor.watch import Watch, compile_watch

Floats = NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], Floats]

WINDOW, WINDOW_MS = 1_000, 300_000
SIZES = {10: ("mmd", "reconstruction"), 384: ("mmd", "reconstruction")}
SIGNAL = "feature:v"


def watch_of(dimension: int, detectors: Sequence[str], norm: float, known: Floats | None = None) -> Watch:
    """A model of one vector field, with a data set or with a stated scale, whose distances decide."""
    rules = [{"on": SIGNAL, "use": list(detectors)}]
    detect = {"rule": "variation", "default_rules": False, "rules": rules}
    with TemporaryDirectory() as folder:
        if known is None:
            return watch_by(dimension, norm, detect)
        path = Path(folder) / "known.parquet"
        parquet.write_table(pyarrow.table({"v": list(known)}), path)
        return watch_by(dimension, norm, detect, baseline={"kind": "rolling", "uri": str(path)})


def watch_by(dimension: int, norm: float, detect: Mapping[str, Any], **spec: Any) -> Watch:
    """A model of one vector field."""
    field = {"type": "vector", "dimension": dimension, "norm": norm}
    document: dict[str, Any] = {
        "apiVersion": "leeway/v1",
        "kind": "Model",
        "metadata": {"name": "m"},
        "spec": {"sources": [{"kafka": "t"}], "schema": {"features": {"v": field}}, "detect": detect, **spec},
    }
    return compile_watch(Configuration(Service(), {"m": Model.model_validate(document)}, Path()), "m")


# -- cost ------------------------------------------------------------------------------------------------------


def costs(rounds: int, count: int) -> dict[str, dict[str, float]]:
    """Nanoseconds per vector of each sketch and of a message's decoding, and bytes of an open pane."""
    rng = np.random.default_rng(1)
    found: dict[str, dict[str, float]] = {}
    for dimension, detectors in SIZES.items():
        vectors = rng.normal(size=(count, dimension)) / np.sqrt(dimension)
        row = found[str(dimension)] = {}
        for name in detectors:
            fold = JointFold(watch_of(dimension, [name], 1.0).layouts[SIGNAL])  # type: ignore[arg-type]
            fold.ensure(8)
            rows = np.arange(count) * 8 // count
            fold.fold(rows, vectors)
            row[name] = best(rounds, lambda fold=fold, rows=rows, x=vectors: fold.fold(rows, x)) / count  # type: ignore[misc]
            row[f"{name}_pane_bytes"] = 8 * fold.layout.size
        payloads = [json.dumps({"v": vector.round(7).tolist()}).encode() for vector in vectors]
        model = watch_of(dimension, detectors, 1.0).model
        records = Records("t", 0, np.arange(count), np.full(count, 1_700_000_000_000), payloads)
        for fast, name in ((True, "decode"), (False, "decode_slowly")):
            decoder = JsonDecoder([TopicPlan("m", model.spec.sources[0], model.spec.schema_)], fast=fast)
            decoder.decode(records)
            row[name] = best(rounds, lambda decoder=decoder, records=records: decoder.decode(records)) / count  # type: ignore[misc]
        row["message_bytes"] = float(np.mean([len(payload) for payload in payloads]))
    return found


def best(rounds: int, work: Callable[[], object]) -> float:
    """The least CPU time of some rounds, in ns."""
    times = []
    for _ in range(rounds):
        start = time.process_time_ns()
        work()
        times.append(time.process_time_ns() - start)
    return float(min(times))


# -- behaviour -------------------------------------------------------------------------------------------------


def plain(rng: np.random.Generator, count: int) -> Floats:
    """Ten numbers of which two go together: a correlation of 0.8."""
    x = rng.normal(size=(count, 10))
    x[:, 1] = 0.8 * x[:, 0] + 0.6 * x[:, 1]
    return x


def moved(by: float) -> Draw:
    """One of ten numbers moves."""
    return lambda rng, count: plain(rng, count) + by * (np.arange(10) == 5)


def turned(to: float) -> Draw:
    """The two go together otherwise; each of them alone stays as it was."""

    def draw(rng: np.random.Generator, count: int) -> Floats:
        x = rng.normal(size=(count, 10))
        x[:, 1] = to * x[:, 0] + np.sqrt(1 - to**2) * x[:, 1]
        return x

    return draw


def widened(rng: np.random.Generator, count: int) -> Floats:
    """One of ten numbers spreads twice as far."""
    x = plain(rng, count)
    x[:, 5] *= 2
    return x


def topics(share: float) -> Draw:
    """Embeddings of 384 numbers and length 1, near one of eight topics; a share is of a ninth."""

    def draw(rng: np.random.Generator, count: int) -> Floats:
        return topics_of(rng, np.where(rng.random(count) < share, 8, rng.integers(0, 8, count)))

    return draw


def topics_of(rng: np.random.Generator, topic: NDArray[np.int64]) -> Floats:
    """An embedding near each of some topics, by their numbers from 0 to 8."""
    centres = np.random.default_rng(9).normal(size=(9, 384))
    x = centres[topic] + rng.normal(size=(len(topic), 384))
    return np.asarray(x / np.linalg.norm(x, axis=1, keepdims=True))


def swapped(rng: np.random.Generator, count: int) -> Floats:
    """The halves of each embedding change places."""
    return np.roll(topics(0.0)(rng, count), 192, axis=1)


TRIALS: dict[int, tuple[Draw, dict[str, Draw]]] = {
    10: (
        plain,
        {
            "mean +0.25 sd, 1 of 10": moved(0.25),
            "mean +0.5 sd, 1 of 10": moved(0.5),
            "mean +1 sd, 1 of 10": moved(1.0),
            "correlation 0.8 to 0.5": turned(0.5),
            "correlation 0.8 to 0": turned(0.0),
            "correlation 0.8 to -0.8": turned(-0.8),
            "spread ×2, 1 of 10": widened,
        },
    ),
    384: (
        topics(0.0),
        {"5 % of a new topic": topics(0.05), "20 % of a new topic": topics(0.2), "halves swapped": swapped},
    ),
}


def windows_of(fold: JointFold, draws: Iterator[Floats], first: int) -> Windows:
    """One window after the other, from the first on."""
    found = []
    for vectors in draws:
        fold.fold(np.zeros(len(vectors), dtype=np.int64), vectors)
        found.append(fold.take(0))
    sums = np.zeros((len(found), SUMS), dtype=np.int64)
    sums[:, 0] = [summary.n for summary in found]
    ends_ms = (first + 1 + np.arange(len(found))) * WINDOW_MS
    counts = np.array([summary.sums for summary in found], dtype=np.int64).reshape(-1, fold.layout.size)
    return Windows(ends_ms, counts, sums, np.tile([np.inf, -np.inf], (len(found), 1)))


def behaviour(quiet: int, changed: int) -> dict[str, dict[str, dict[str, float]]]:
    """Share of windows that alarm and mean effect, by what they hold and by distance, with a data set and without."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for dimension, data_set in product(SIZES, (True, False)):
        usual, changes = TRIALS[dimension]
        known = usual(np.random.default_rng(6), 2_000) if data_set else None
        detectors = SIZES[dimension]
        watch = watch_of(dimension, detectors, 1.0 if dimension > 10 else np.sqrt(10), known)
        fold = JointFold(watch.layouts[SIGNAL])  # type: ignore[arg-type]
        fold.ensure(1)
        rng = np.random.default_rng(7)
        count = quiet if dimension == 10 else max(40, quiet // 10)
        series = DistributionSeries(watch, ("", "", SIGNAL))
        head = windows_of(fold, (usual(rng, WINDOW) for _ in range(min(300, count))), 0)
        judged = [series.verdicts(head)]
        learned = series.snapshot()
        rest = (usual(rng, WINDOW) for _ in range(count - len(head.ends_ms)))
        judged.append(series.verdicts(windows_of(fold, rest, len(head.ends_ms))))
        nothing = f"nothing changes ({dimension} numbers, {count} windows)"
        found.setdefault(nothing, {}).update(_shares(detectors, judged, data_set=data_set))
        for name, draw in changes.items():
            judged = []
            for _ in range(changed):  # each is the first to change
                series = DistributionSeries(watch, ("", "", SIGNAL))
                series.restore(learned)
                judged.append(series.verdicts(windows_of(fold, iter([draw(rng, WINDOW)]), len(head.ends_ms))))
            found.setdefault(name, {}).update(_shares(detectors, judged, data_set=data_set))
    return found


def _shares(detectors: Sequence[str], judged: Sequence[Any], *, data_set: bool) -> dict[str, dict[str, float]]:
    statuses = np.concatenate([one.statuses for one in judged])
    numbers = np.concatenate([one.measured.numbers for one in judged])
    effects = np.nanmean(numbers[:, :, 1], axis=0).tolist()
    alarms = (statuses == DRIFT).mean(axis=0).tolist()
    names = [name if data_set else f"{name}, no data set" for name in detectors]
    return {name: {"alarms": alarms[d], "effect": effects[d]} for d, name in enumerate(names)}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.vectors", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--count", type=int, default=2_000, help="vectors in a round")
    parser.add_argument("--quiet", type=int, default=4_000, help="windows in which nothing changes")
    parser.add_argument("--changed", type=int, default=100, help="windows with each change")
    options = parser.parse_args(arguments)
    cost = costs(options.rounds, options.count)
    for size, costing in cost.items():
        print(f"a vector of {size} numbers: " + ", ".join(f"{name} {value:,.0f}" for name, value in costing.items()))
    seen = behaviour(options.quiet, options.changed)
    columns = list(next(iter(seen.values())))
    print(f"\n| windows of {WINDOW:,} | {' | '.join(columns)} |\n|---|{'---|' * len(columns)}")
    for name, row in seen.items():
        cells = [f"{100 * row[column]['alarms']:.4g} %, {row[column]['effect']:.3f}" for column in columns]
        print(f"| {name} | {' | '.join(cells)} |")
    print(json.dumps({"ns_per_vector": cost, "windows": seen}))


if __name__ == "__main__":
    main()
