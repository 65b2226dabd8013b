"""Alerts about many anomalies: how many fire where nothing happens, and how many bursts are found.

``python -m bench.finding_rates`` watches models of ten numbers, each with ``robust_z``, under ``detect.rule: change``
and one false alarm in seven days: numbers into panes, panes into alerts, as a replay does. Streams are those of
`bench.anomaly_dependence`, each at three rates of anomalies. In the last day of each model every number has a burst of
one hour, one after the other: 3 % of its values are moved by eight standard deviations to either side.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.anomaly_dependence import STREAMS
from monitor.config import Configuration
from monitor.config.model import Model
from monitor.config.service import Service
from monitor.evaluate.model import ModelSeries, follow, lifecycle_of
from monitor.evaluate.windows import first_window_end
from monitor.events import Events
from monitor.ingest.fold import PartitionFold
from monitor.panes.reading import read_panes
from monitor.values import DAY_MS
from monitor.watch import Watch, compile_watch
from sinks.store.memory import MemoryStore

Floats = NDArray[np.float64]

RATES = (1e-5, 1e-3, 1e-2)
WINDOWS = {"5m": (300_000, 40), "1h": (3_600_000, 200)}
"""Length in ms, and values in each."""

NUMBERS = 10
START_MS = 1_704_067_200_000
BURST, WILD = 0.03, 8.0
ACCEPTED_DAYS = 7


def watch_of(window: str, rate: float) -> Watch:
    """Return a model of numbers that are watched for anomalies."""
    features = {f"x{number}": {"type": "numeric"} for number in range(NUMBERS)}
    detect = {
        "rule": "change",
        "false_alarms": f"1 per {ACCEPTED_DAYS}d",
        "pane": window,
        "defaults": {"window": window},
        "rules": [{"on": "feature:*", "use": [{"robust_z": {"false_alarm_rate": rate}}]}],
    }
    source = {"kafka": "bench", "event_time": "ts", "allowed_lateness": "0s"}
    spec = {"sources": [source], "schema": {"features": features}, "detect": detect}
    document = {"apiVersion": "leeway/v1", "kind": "Model", "metadata": {"name": "bench"}, "spec": spec}
    return compile_watch(Configuration(Service(), {"bench": Model.model_validate(document)}, Path()), "bench")


def burst_of(number: int, days: int) -> tuple[int, int]:
    """Return from when to when a number has its burst, ms since the start."""
    start_ms = days * DAY_MS + (2 * number + 2) * DAY_MS // 24
    return start_ms, start_ms + DAY_MS // 24


def drawn(stream: str, days: int, window: str, seed: int) -> Floats:
    """Return the values of each number, float64[numbers, n]: ordinary ones, and a last day with bursts."""
    window_ms, values = WINDOWS[window]
    n = (days + 1) * DAY_MS // window_ms * values
    numbers = [STREAMS[stream](np.random.default_rng((17, seed, i)).normal(size=n)) for i in range(NUMBERS)]
    rng = np.random.default_rng((18, seed))
    for number, x in enumerate(numbers):
        first, last = (at_ms * values // window_ms for at_ms in burst_of(number, days))
        wild = first + np.flatnonzero(rng.random(last - first) < BURST)
        x[wild] += WILD * x.std() * rng.choice([-1.0, 1.0], len(wild))
    return np.stack(numbers)


def events_of(numbers: Floats, window: str) -> Iterator[Events]:
    """Yield the events of each day."""
    window_ms, values = WINDOWS[window]
    per_day = DAY_MS // window_ms * values
    for first in range(0, numbers.shape[1], per_day):
        offsets = np.arange(first, first + per_day, dtype=np.int64)
        event_ms = START_MS + offsets * window_ms // values
        nothing = np.full(per_day, -1, dtype=np.int64)
        yield Events(offsets, nothing, event_ms, None, None, np.ascontiguousarray(numbers[:, offsets]), [])


def course(stream: str, days: int, window: str, rate: float, seed: int) -> dict[str, float]:
    """Return the alerts of one model before the bursts, those about anomalies, and how many bursts are found."""
    watch, store = watch_of(window, rate), MemoryStore()
    store.migrate()
    fold = PartitionFold(watch, watch.model.spec.sources[0], ("bench", 0))
    for day, events in enumerate(events_of(drawn(stream, days, window, seed), window)):
        store.append("panes", fold.process(events).rows["panes"], token=str(day))
    store.append("panes", fold.finish().rows["panes"], token="end")
    series, lifecycle = ModelSeries(watch, []), lifecycle_of(watch)
    step_ms, end_ms = WINDOWS[window][0], START_MS + days * DAY_MS
    ends = range(first_window_end(watch, START_MS), end_ms + DAY_MS + 1, step_ms)
    verdicts = series.advance(read_panes(store, watch, START_MS, ends[-1]), ends)
    firing = [t for t in follow(lifecycle, verdicts, ends) if t.state == "firing" and t.at_ms <= end_ms]
    drifts = {of_series.key[2]: set(of_series.drifts) for of_series in verdicts}
    return {
        "alerts": len(firing),
        "anomalies": sum("anomalies" in transition.title for transition in firing),
        "bursts": sum(_is_found(drifts, number, days, step_ms) for number in range(NUMBERS)),
    }


def _is_found(drifts: dict[str, set[int]], number: int, days: int, step_ms: int) -> bool:
    """Whether a number alarms in its burst, or in the window after it."""
    first_ms, last_ms = (START_MS + at_ms for at_ms in burst_of(number, days))
    return any(first_ms < at_ms <= last_ms + step_ms for at_ms in drifts.get(f"feature:x{number}", ()))


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line for each stream and rate, and all of it as JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.finding_rates", description=__doc__)
    parser.add_argument("--days", type=int, default=35)
    parser.add_argument("--models", type=int, default=2)
    parser.add_argument("--streams", nargs="*", default=list(STREAMS))
    parser.add_argument("--windows", nargs="*", default=list(WINDOWS))
    options = parser.parse_args(arguments)
    accepted = options.models * options.days / ACCEPTED_DAYS
    print(
        f"{options.models} models of {NUMBERS} numbers over {options.days} days; {accepted:.1f} false alarms accepted"
    )
    print(f"{'window, stream, rate of anomalies':40}{'alerts':>8}{'of anomalies':>14}{'bursts found':>14}")
    measured: dict[str, Any] = {}
    for window in options.windows:
        for stream in options.streams:
            for rate in RATES:
                courses = [course(stream, options.days, window, rate, seed) for seed in range(options.models)]
                name = f"{window}, {stream}, {rate:g}"
                totals = {key: sum(each[key] for each in courses) for key in courses[0]}
                measured[name] = totals | {"accepted": accepted, "of": options.models * NUMBERS}
                shown = f"{totals['bursts']} of {options.models * NUMBERS}"
                print(f"{name:40}{totals['alerts']:8d}{totals['anomalies']:14d}{shown:>14}", flush=True)
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
