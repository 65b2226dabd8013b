"""A service to show, made of a real store and configuration, and a client that talks to its API."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import uvicorn
from prometheus_client import CollectorRegistry

from detectors.performance import Binary
from detectors.sketch import CategoryLayout, NumericFold, NumericLayout
from detectors.sketch.category_summary import summarize
from monitor.api.app import create_app
from monitor.api.contract import ApiService
from monitor.clock import ManualClock
from monitor.config import Configuration, Model, Service
from monitor.erasure.erase import Erased, Eraser, Request, Running
from monitor.erasure.erased import ErasureList
from monitor.erasure.export import Record, exported
from monitor.errors import SourceError
from monitor.ingest.late_events import LateShare
from monitor.messages import LogPosition
from monitor.panes.codec import category_columns, numeric_columns
from monitor.retries import Retried
from monitor.watch import Watch, compile_watch
from sinks.store.contract import TABLES, Store
from sinks.store.memory import MemoryStore

NOW_MS = 1_700_000_000_000
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS


def model(name: str, **spec: Any) -> Model:
    """A model with two features, a prediction, and an HTTP stream of its own name."""
    schema = {
        "features": {"amount": {"type": "numeric", "range": [0, 100]}, "country": {"type": "category"}},
        "prediction": {"score": {"type": "numeric"}},
    }
    return Model.model_validate(
        {
            "apiVersion": "leeway/v1",
            "kind": "Model",
            "metadata": {"name": name, "owner": "risk", "namespace": f"{name}-team", "labels": {"tier": "1"}},
            "spec": {"sources": [{"http": name}], "schema": schema, **spec},
        }
    )


@dataclass
class World:
    """What the API needs of a service, with everything that a test may turn."""

    store: Store = field(default_factory=MemoryStore)
    clock: ManualClock = field(default_factory=lambda: ManualClock(NOW_MS))
    metrics: CollectorRegistry = field(default_factory=CollectorRegistry)
    configuration: Configuration = field(default_factory=lambda: configured(model("fraud"), model("churn")))
    reasons: list[str] = field(default_factory=list)
    accepted: dict[str, list[bytes]] = field(default_factory=dict)
    retried: list[LogPosition] = field(default_factory=list)
    broken_source: SourceError | None = None
    shown: bool = False
    reloads: int = 0
    late: list[LateShare] = field(default_factory=list)

    @cached_property
    def watches(self) -> dict[str, Watch]:
        return {name: compile_watch(self.configuration, name) for name in self.configuration.models}

    def ready(self) -> list[str]:
        return self.reasons

    def notes(self) -> list[str]:
        return []

    def status(self) -> dict[str, Any]:
        return {"roles": ["ingest", "evaluate"], "lag": {"fraud": 3}}

    def reload(self) -> None:
        self.reloads += 1

    def erase(self, request: Request, *, dry_run: bool = False, on_begun: Callable[[str], None]) -> Erased:
        eraser = Eraser(self.store, self.configuration, self.clock, Running(on_begun=on_begun))
        return eraser.plan(request) if dry_run else eraser.erase(request)

    def export(self, request: Request, *, on_begun: Callable[[str], None]) -> Iterator[Record]:
        def begun(erasures: ErasureList) -> None:
            on_begun(erasures.digest_of(request.subject, self.clock.now_ms()))

        return exported(self.store, self.configuration, request, on_begun=begun)

    def retry(self, places: Sequence[LogPosition], *, dry_run: bool = False) -> list[Retried]:
        outcome = "planned" if dry_run else "retried"
        self.retried += [] if dry_run else places
        return [Retried(*place, outcome, taken_from="log", attempt=1) for place in places]

    def refusal(self, model: Model) -> str:
        return ""

    def late_shares(self) -> list[LateShare]:
        return self.late

    def accept(self, stream: str, payloads: list[bytes]) -> tuple[int, int]:
        if self.broken_source is not None:
            raise self.broken_source
        log = self.accepted.setdefault(stream, [])
        log += payloads
        return len(log) - len(payloads), len(log) - 1

    def numbers(self, signal: str, start_ms: int, values: Sequence[float | None], **more: Any) -> None:
        """Store a pane of 10 s of a numeric signal; None is a missing value."""
        self.add("panes", [self.pane_of_numbers(signal, start_ms, values, **more)])

    def pane_of_numbers(
        self, signal: str, start_ms: int, values: Sequence[float | None], **more: Any
    ) -> dict[str, Any]:
        layout = self.watches["fraud"].layouts[signal]
        assert isinstance(layout, NumericLayout)
        fold = NumericFold([layout])
        fold.ensure(1)
        floats = np.array([[np.nan if value is None else value for value in values]])
        fold.fold(np.zeros(len(values), np.int64), floats)
        return {**pane(signal, start_ms, layout.id), **numeric_columns(fold.take(0)[0]), **more}

    def names(self, signal: str, start_ms: int, counts: dict[str, int], **more: Any) -> None:
        """Store a pane of 10 s of a category."""
        self.add("panes", [self.pane_of_names(signal, start_ms, counts, **more)])

    def pane_of_names(self, signal: str, start_ms: int, counts: dict[str, int], **more: Any) -> dict[str, Any]:
        layout = self.watches["fraud"].layouts[signal]
        assert isinstance(layout, CategoryLayout)
        columns = category_columns(summarize(layout, counts, missing=more.pop("missing", 0)))
        return {**pane(signal, start_ms, layout.id), **columns, **more}

    def labelled_hour(self, hour_ms: int, scores: Sequence[float], labels: Sequence[str | None], **more: Any) -> None:
        """Store an hour of predictions of a probability, with what turned out to be true of those that have a label."""
        label = [name for name in labels if name is not None]
        plan = self.watches["fraud"].model.spec.performance_plan
        scheme: Any = Binary("yes") if plan is None else plan.scheme
        folded = scheme.fold(np.array([s for s, name in zip(scores, labels, strict=True) if name is not None]), label)
        row = {"model": "fraud", "hour_ms": hour_ms, "predictions": len(scores), "labelled": len(label)}
        self.add("performance", [row | folded.to_row() | more])

    def add(self, table: str, rows: Sequence[dict[str, Any]]) -> None:
        """Store rows; columns that a row leaves out are empty or 0."""
        empty: dict[str, Any] = {"str": "", "int": 0, "float": 0.0, "bytes": b"", "ints": [], "strs": []}
        columns = {c.name: [row.get(c.name, empty[c.kind]) for row in rows] for c in TABLES[table].columns}
        self.store.append(table, columns, token=f"{table}{json.dumps(rows, default=repr)}")


def configured(*models: Model) -> Configuration:
    return Configuration(Service(), {found.name: found for found in models}, root=Path())


@cache
def document() -> dict[str, Any]:
    """The OpenAPI document, which many tests ask for their operations; it takes a third of a second to generate."""
    return create_app(World()).openapi()


class Client:
    """Asks the API of a world without a network."""

    def __init__(self, world: World, **options: Any) -> None:
        if world.shown:
            world.metrics = CollectorRegistry()  # an application needs one of its own
        world.shown = True
        self.app = create_app(world, **options)

    def get(self, path: str, **parameters: Any) -> httpx.Response:
        named = {name.rstrip("_"): value for name, value in parameters.items()}
        return self.request("GET", path, params=named or None)

    def post(self, path: str, content: bytes, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.request("POST", path, content=content, headers=named)

    def request(self, method: str, path: str, **how: Any) -> httpx.Response:
        return asyncio.run(self._request(method, path, **how))

    def items(self, path: str, **parameters: Any) -> list[dict[str, Any]]:
        answer = self.get(path, **parameters)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["items"]
        return found

    async def _request(self, method: str, path: str, **how: Any) -> httpx.Response:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://leeway") as client:
            return await client.request(method, path, **how)


@contextmanager
def serving(service: ApiService) -> Iterator[str]:
    """Serve the API on a free port meanwhile, and yield its address."""
    app = create_app(service)
    app.state.stopping.set()
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", lifespan="off"))
    socket = server.config.bind_socket()
    socket.listen()  # at once: whoever asks before the server has started waits instead of being refused
    thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{socket.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(120)
        socket.close()


def pane(signal: str, start_ms: int, layout: str) -> dict[str, Any]:
    """A pane of the model `fraud` without content."""
    return {
        "model": "fraud",
        "signal": signal,
        "version": "v1",
        "pane_start_ms": start_ms,
        "pane_ms": 10_000,
        "topic": "fraud",
        "layout": layout,
    }


def score(end_min: int, **more: Any) -> dict[str, Any]:
    """A quiet window of five minutes that ends ``end_min`` minutes after the epoch."""
    row = {
        "model": "fraud",
        "signal": "feature:amount",
        "version": "v1",
        "detector": "psi",
        "window_end_ms": end_min * MINUTE_MS,
        "window_ms": 5 * MINUTE_MS,
        "statistic": 0.01,
        "effect": 0.01,
        "min_effect": 0.1,
        "p_value": float("nan"),
        "status": "ok",
        "n": 100,
    }
    return row | more


def step(alert_id: str, sequence: int, state: str, at_ms: int, **more: Any) -> dict[str, Any]:
    """A transition of an alert that started at its first step."""
    row = {
        "model": "fraud",
        "alert_id": alert_id,
        "sequence": sequence,
        "state": state,
        "at_ms": at_ms,
        "starts_ms": 1_000,
        "ends_ms": at_ms if state in ("resolved", "cancelled") else 0,
        "severity": "warning",
        "title": f"{alert_id} moved",
        "labels": '{"model":"fraud"}',
        "signals": '[{"signal":"feature:amount","reason":"amount moved"}]',
    }
    return row | more
