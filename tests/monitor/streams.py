"""Synthetic streams of loan applications, and replays of them: the material of the tests in this folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from monitor.config import Configuration
from monitor.config.model import Model
from monitor.config.service import Service
from monitor.replay import Replay, Replayed, results
from monitor.sources.files import FileSource
from sinks.store.contract import Query, Store
from sinks.store.memory import MemoryStore

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
START_MS = 1_704_067_200_000
"""Monday, 2024-01-01 00:00 UTC."""

TOPIC = "loans"

SPEC: dict[str, Any] = {
    "sources": [
        {"kafka": TOPIC, "event_time": {"path": "ts", "unit": "ms"}, "allowed_lateness": "1h", "max_ahead": "6h"}
    ],
    "schema": {
        "id": "id",
        "version": "version",
        "features": {
            "amount": {"type": "numeric"},
            "age": {"type": "numeric", "range": [18, 100]},
            "debts": {"type": "numeric"},
            "country": {"type": "category"},
        },
        "prediction": {"score": {"type": "numeric", "range": [0, 1]}},
    },
    "segments": [{"by": ["country"], "values": ["DE", "FR"]}],
    "baseline": {"kind": "rolling", "span": "5d"},
    "detect": {
        "false_alarms": "1 per 30d",
        "pane": "1h",
        "defaults": {"window": "6h", "min_samples": 40, "learn_windows": 6},
        "rules": [
            {"on": "prediction:score", "use": [{"adwin": {"delta": 0.01}}]},
            {"on": "feature:amount", "use": [{"page_hinkley": {"threshold": 80}}]},
            {"on": "feature:amount", "use": [{"robust_z": {"false_alarm_rate": 0.01, "history": 500}}]},
        ],
    },
    "alerts": {"resolve_after": "6h"},
}


def configured(name: str = "loans", **spec: Any) -> Configuration:
    """A configuration of one model; keywords replace parts of :data:`SPEC`."""
    document = {"apiVersion": "leeway/v1", "kind": "Model", "metadata": {"name": name}, "spec": {**SPEC, **spec}}
    return Configuration(Service(), {name: Model.model_validate(document)}, Path())


def detecting(**changes: Any) -> dict[str, Any]:
    """The ``detect`` part of :data:`SPEC` with changes to it."""
    return {**SPEC["detect"], **changes}


def application(rng: np.random.Generator, number: int, at_ms: int) -> dict[str, Any]:
    """One ordinary event."""
    return {
        "id": f"a{number}",
        "ts": at_ms,
        "version": "v1",
        "amount": round(float(rng.lognormal(8, 1)), 2),
        "age": int(rng.integers(20, 80)),
        "debts": 0 if rng.random() < 0.9 else round(float(rng.normal(500, 100)), 2),
        "country": str(rng.choice(["DE", "FR", "PL"], p=[0.6, 0.3, 0.1])),
        "score": round(float(rng.beta(2, 5)), 6),
    }


def applications(
    seed: int, *, days: float = 10, per_day: int = 250, change: Callable[[dict[str, Any]], None] = lambda event: None
) -> list[dict[str, Any]]:
    """Ordinary events in the order of their times, each passed through ``change``."""
    rng = np.random.default_rng(seed)
    times = START_MS + np.sort(rng.integers(0, int(days * DAY_MS), int(days * per_day)))
    events = [application(rng, number, int(at_ms)) for number, at_ms in enumerate(times)]
    for event in events:
        change(event)
    return events


DRIFT_MS = (START_MS + 7 * DAY_MS, START_MS + 8 * DAY_MS + DAY_MS // 2)


def drifting(event: dict[str, Any], between_ms: tuple[int, int] = DRIFT_MS) -> None:
    """For a while the amounts are five times as large and the scores higher."""
    if between_ms[0] <= event["ts"] < between_ms[1]:
        event["amount"] *= 5
        event["score"] = round(min(1.0, event["score"] + 0.4), 6)


def as_lines(events: Iterable[Mapping[str, Any]]) -> list[bytes]:
    """Events as lines of JSON, without their ends."""
    return [json.dumps(event).encode() for event in events]


def troubled(seed: int, *, days: float = 10, per_day: int = 250, drift_ms: tuple[int, int] = DRIFT_MS) -> list[bytes]:
    """A stream with a drift and with everything that goes wrong: late, future, double, broken and odd events."""
    events = applications(seed, days=days, per_day=per_day, change=lambda event: drifting(event, drift_ms))
    rng = np.random.default_rng(seed + 1)
    for event in events[len(events) * 7 // 8 :]:
        event["version"] = "v2"
    lines: list[bytes] = []
    delayed: list[tuple[int, bytes]] = []
    for place, event in enumerate(events):
        lines += [line for due, line in delayed if due == place]
        line = json.dumps(event).encode()
        match rng.choice(["", "late", "jitter", "double", "future", "broken", "odd"], p=[0.82] + [0.03] * 6):
            case "late":
                delayed.append((place + int(rng.integers(20, 200)), line))
                continue
            case "jitter":
                delayed.append((place + int(rng.integers(1, 6)), line))
                continue
            case "double":
                lines.append(line)
            case "future":
                lines.append(json.dumps({**event, "id": f"f{place}", "ts": event["ts"] + 9 * DAY_MS}).encode())
            case "broken":
                lines.append(line[: len(line) // 2])
            case "odd":
                odd = {**event, "id": f"o{place}", "amount": "much", "age": 1e308, "country": ["DE"], "debts": None}
                lines.append(json.dumps(odd).encode().replace(b'"score": 0', b'"score": NaN, "more": 0'))
        lines.append(line)
    return lines + [line for due, line in delayed if due >= len(events)]


def written(folder: Path, partitions: Sequence[Sequence[bytes]]) -> list[Path]:
    """One file per partition."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number}.jsonl" for number in range(len(partitions))]
    for path, lines in zip(paths, partitions, strict=True):
        path.write_bytes(b"".join(line + b"\n" for line in lines))
    return paths


def replayed(
    configuration: Configuration, paths: Sequence[Path], store: Store | None = None, **options: Any
) -> tuple[Store, Replayed]:
    """Replay files of :data:`TOPIC` into a store, a new one in memory unless one is given."""
    if store is None:
        store = MemoryStore()
    store.migrate()
    return store, Replay(configuration, store, FileSource({TOPIC: list(paths)})).run(**options)


def replayed_lines(
    folder: Path, lines: Sequence[bytes], configuration: Configuration | None = None, **options: Any
) -> tuple[Store, Replayed]:
    """Replay lines as one partition."""
    return replayed(configuration or configured(), written(folder, [lines]), **options)


def rows(store: Store, table: str, **where: Any) -> list[dict[str, Any]]:
    """Rows of a table as dicts of plain values, in the order of their keys."""
    columns = {name: _plain_column(values) for name, values in store.read(Query(table, where)).items()}
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _plain_column(values: Any) -> list[Any]:
    if isinstance(values, np.ndarray) and values.dtype != object:
        plain: list[Any] = values.tolist()
        return plain
    return [value if type(value) in (str, int, float) else _plain(value) for value in values]


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, tuple):
        return list(value)
    return value.tolist() if hasattr(value, "tolist") else value


def outcome(store: Store, models: Iterable[str] = ("loans",)) -> dict[str, list[str]]:
    """Everything that a user sees, row by row as text: two outcomes are equal if all bits are."""
    found: dict[str, list[str]] = {"scores": [], "findings": [], "alerts": []}
    for table, row in results(store, models):
        found.setdefault(table, []).append(json.dumps(row))
    found["dead_letters"] = [json.dumps(row) for row in rows(store, "dead_letters")]
    for table in ("panes", "versions"):
        found[table] = [json.dumps(row) for row in rows(store, table)]
    # Some of which only what is configured fills.
    for table in ("events", "predictions", "labels", "expectations"):
        if kept := rows(store, table):
            found[table] = [json.dumps(row) for row in kept]
    return found


def scored(store: Store, **where: Any) -> list[dict[str, Any]]:
    """Rows of scores."""
    return rows(store, "scores", **where)


def drifts(store: Store, **where: Any) -> list[dict[str, Any]]:
    """Scores that say drift."""
    return rows(store, "scores", status="drift", **where)
