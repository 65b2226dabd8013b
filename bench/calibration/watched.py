"""A model to watch: its configuration, and the data set that it was built on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bench.calibration.draw import names_of, share_of_names, values
from bench.calibration.grid import START_MS, Grid
from bench.calibration.streams import Stream
from bench.calibration.traffic import Traffic
from detectors.sketch import NumericLayout
from monitor.config import Configuration
from monitor.config.model import Model
from monitor.config.service import Service
from monitor.values import DAY_MS
from monitor.watch import Watch, compile_watch
from sinks.receivers.times import rfc3339

__all__ = [
    "DATA_SET_ROWS",
    "MODEL",
    "PERIODS",
    "TOPIC",
    "Rule",
    "Watched",
    "built_on",
    "configured",
    "data_set",
    "watched",
]

MODEL = TOPIC = "calibration"
PERIODS = {"week": 7, "fortnight": 14}
"""Days of a baseline that is a period, by its name."""

DATA_SET_ROWS = 5_000


@dataclass(frozen=True)
class Rule:
    """How a model alarms.

    Attributes
    ----------
    name : str
        The value of ``detect.rule``.
    budget : str
        Such as ``1 per 30d``.
    baseline : str
        ``dataset``: windows are compared with the data set; ``rolling``, ``week`` and ``fortnight``: it only sets the
        cells. The latter two are the first week, or two, of windows.
    """

    name: str = "change"
    budget: str = "1 per 30d"
    baseline: str = "dataset"


@dataclass(frozen=True)
class Watched:
    """A model whose windows are drawn.

    Attributes
    ----------
    watch : Watch
    stream : Stream
    grid : Grid
    """

    watch: Watch
    stream: Stream
    grid: Grid

    @property
    def layouts(self) -> list[NumericLayout] | None:
        """The layouts of its numbers; None if its features are names."""
        numbers = [layout for layout in self.watch.layouts.values() if isinstance(layout, NumericLayout)]
        return numbers or None

    @property
    def signals(self) -> list[str]:
        """Its features, in the order in which they are drawn."""
        return list(self.watch.layouts)


def watched(stream: Stream, grid: Grid, history: Traffic, rule: Rule, seed: Sequence[int]) -> Watched:
    """Build a model on the history of a stream."""
    return built_on(data_set(stream, history, np.random.default_rng(list(seed))), stream, grid, rule)


def built_on(columns: Mapping[str, pa.Array], stream: Stream, grid: Grid, rule: Rule) -> Watched:
    """Build a model on a data set."""
    with TemporaryDirectory() as folder:
        configuration = _configuration(columns, stream, grid, rule, Path(folder))
        return Watched(compile_watch(configuration, MODEL), stream, grid)


def configured(
    stream: Stream, grid: Grid, history: Traffic, rule: Rule, folder: Path, seed: Sequence[int]
) -> Configuration:
    """Write a model's data set into a folder, and return the configuration that names it."""
    return _configuration(data_set(stream, history, np.random.default_rng(list(seed))), stream, grid, rule, folder)


def _configuration(
    columns: Mapping[str, pa.Array], stream: Stream, grid: Grid, rule: Rule, folder: Path
) -> Configuration:
    uri = folder / "data.parquet"
    pq.write_table(pa.table(columns), uri)
    spec = specification(stream, grid, len(columns), rule, str(uri))
    document = {"apiVersion": "leeway/v1", "kind": "Model", "metadata": {"name": MODEL}, "spec": spec}
    return Configuration(Service(), {MODEL: Model.model_validate(document)}, Path())


def specification(stream: Stream, grid: Grid, features: int, rule: Rule, uri: str) -> dict[str, Any]:
    """Return a configuration that says nothing but what it must, so that all else has its default."""
    window = f"{grid.window_ms // 1000}s"
    kind = "category" if stream.shares else "numeric"
    detect: dict[str, Any] = {
        "rule": rule.name,
        "false_alarms": rule.budget,
        "pane": window,
        "defaults": {"window": window, "min_samples": 50},
    }
    return {
        "sources": [{"kafka": TOPIC, "event_time": {"path": "ts", "unit": "ms"}}],
        "schema": {"features": {f"f{number:03}": {"type": kind} for number in range(features)}},
        "baseline": {**_baseline(rule.baseline), "uri": uri},
        "detect": detect,
    }


def _baseline(name: str) -> dict[str, str]:
    if name not in PERIODS:
        return {"kind": name}
    return {"kind": "period", "from": rfc3339(START_MS), "to": rfc3339(START_MS + PERIODS[name] * DAY_MS)}


def data_set(stream: Stream, history: Traffic, rng: np.random.Generator) -> Mapping[str, pa.Array]:
    """Draw a data set from a stream's history, missing values too: columns by the names of features."""
    features = len(history.level)
    shape = features, DATA_SET_ROWS
    if stream.rush:
        # A data set has as many rows of an hour as that has events; other streams keep the draws of their tables.
        moments = rng.choice(history.windows, shape, p=history.events[0] / history.events.sum())
    else:
        moments = rng.integers(0, history.windows, shape)
    missing = rng.random(moments.shape) < np.take_along_axis(history.missing, moments, axis=1)
    if stream.shares:
        shares = share_of_names(stream, history).mean(axis=1)
        names = np.array(names_of(stream))
        drawn = [names[rng.choice(len(names), DATA_SET_ROWS, p=share / share.sum())] for share in shares]
    else:
        drawn = list(values(stream, np.take_along_axis(history.level, moments, axis=1), rng))
    return {
        f"f{number:03}": pa.array(column, mask=absent)
        for number, (column, absent) in enumerate(zip(drawn, missing, strict=True))
    }
