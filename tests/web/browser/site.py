"""A service with a model that drifts, whose names are hostile, on a port of its own."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import uvicorn
from prometheus_client import CollectorRegistry

from monitor.api.app import ROUTERS, create_app
from monitor.clock import ManualClock
from monitor.config import Model, Service
from monitor.values import DAY_MS
from monitor.web import PAGES
from tests.api.expected_day import day_of_volume
from tests.api.world import HOUR_MS, World, configured, score, step

__all__ = [
    "EDITOR",
    "FEATURES",
    "HOSTILE",
    "LONG",
    "MARKUP",
    "NOW_MS",
    "VIEWER",
    "Site",
    "described",
    "drifted",
    "serving_site",
]

NOW_MS = 1_715_673_600_000  # 2024-05-14T08:00:00Z
MARKUP = "<img/src=x/onerror=alert(1)>"
HOSTILE = f"{MARKUP}/\"'&#%2F"
RIGHT_TO_LEFT = "\u202eמחיר\u202c"
LONG = "n" * 200
FEATURES = ("amount", HOSTILE, RIGHT_TO_LEFT, LONG)
SIGNALS = ("volume", "prediction:score", *(f"feature:{name}" for name in (*FEATURES, "country")))
ADMIN, EDITOR, VIEWER = "admin" * 8, "editor" * 8, "viewer" * 8
"""Secrets of who may do everything, of who may change things, and of who may not."""
OF_RISK = {"viewer": "viewer-of-risk" * 3, "admin": "admin-of-risk" * 3}
"""Secrets that are bound to the namespace of the model, by role."""


def described() -> dict[str, Any]:
    """The document of a model with names that try to be markup, parts of addresses, or too long to be shown."""
    features = {name: {"type": "numeric", "range": [0, 100]} for name in FEATURES}
    schema = {
        "features": features | {"country": {"type": "category"}},
        "prediction": {"score": {"type": "numeric"}},
    }
    spec = {
        "sources": [{"http": "fraud"}],
        "schema": schema,
        "detect": {"rule": "change", "false_alarms": "1 per 30d", "defaults": {"window": "1h"}},
    }
    metadata = {"name": "fraud", "owner": MARKUP, "namespace": "risk", "labels": {"team": HOSTILE}}
    return {"apiVersion": "leeway/v1", "kind": "Model", "metadata": metadata, "spec": spec}


def drifted(*, asks_for_tokens: bool = False) -> World:
    """Eight days of hours of the model; in the last nine hours its amount, and one hostile signal, have moved."""
    holders = (("ann", "editor", EDITOR), ("vic", "viewer", VIEWER), ("ada", "admin", ADMIN))
    tokens: list[dict[str, Any]] = [{"name": name, "role": role, "token": secret} for name, role, secret in holders]
    tokens += [
        {"name": f"{role} of risk", "role": role, "token": OF_RISK[role], "namespaces": ["risk"]} for role in OF_RISK
    ]
    world = World(clock=ManualClock(NOW_MS), configuration=configured(Model.model_validate(described())))
    service = Service.model_validate({"spec": {"access": {"tokens": tokens} if asks_for_tokens else None}})
    world.configuration = replace(world.configuration, service=service)
    rng = np.random.default_rng(17)
    panes, scores = [], []
    for hour in range(-8 * 24, 0):
        start_ms, is_moved = NOW_MS + hour * HOUR_MS, hour >= -9
        panes += _panes(world, start_ms, rng, is_moved=is_moved)
        scores += [row for signal in SIGNALS for row in _scores(signal, start_ms + HOUR_MS, rng, is_moved=is_moved)]
    world.add("panes", panes)
    world.add("scores", scores)
    midnight_ms = NOW_MS - NOW_MS % DAY_MS
    days = [day_of_volume(midnight_ms - day * DAY_MS, HOUR_MS, 42, "v7") for day in range(7)]
    world.add("expectations", days)
    world.add("alerts", [_alert()])
    world.add("versions", [{"model": "fraud", "version": "v7", "first_ms": NOW_MS - 8 * 24 * HOUR_MS}])
    world.add("versions", [{"model": "fraud", "version": "v8", "first_ms": NOW_MS - 3 * 24 * HOUR_MS}])
    deployed = {"id": "b7", "at_ms": NOW_MS - 10 * HOUR_MS, "name": MARKUP, "models": ["fraud"], "labels": "{}"}
    world.add("deployments", [deployed | {"link": "javascript:alert(1)"}])
    return world


def _panes(world: World, start_ms: int, rng: np.random.Generator, *, is_moved: bool) -> list[dict[str, Any]]:
    rows = []
    for name in FEATURES:
        level = 60 if is_moved and name in ("amount", HOSTILE) else 50
        values: list[float | None] = rng.normal(level, 10, 40).clip(0, 110).tolist()
        rows.append(world.pane_of_numbers(f"feature:{name}", start_ms, [*values, None, 150.0]))
    rows.append(world.pane_of_numbers("prediction:score", start_ms, rng.beta(2, 5, 40).tolist()))
    counts = {"DE": 4, "FR": 30, MARKUP: 6} if is_moved else {"DE": 25, "FR": 15}
    rows.append(world.pane_of_names("feature:country", start_ms, counts))
    return [row | {"version": "v7"} for row in rows]


def _scores(signal: str, end_ms: int, rng: np.random.Generator, *, is_moved: bool) -> Iterator[dict[str, Any]]:
    moves = is_moved and signal in ("feature:amount", "feature:country", f"feature:{HOSTILE}")
    effect = 0.6 if moves else float(rng.uniform(0.01, 0.09))
    row = score(0, signal=signal, version="v7", window_end_ms=end_ms, window_ms=HOUR_MS, detector="change")
    status = "drift" if moves else "learning" if end_ms < NOW_MS - 7 * 24 * HOUR_MS else "ok"
    yield row | {"effect": effect, "statistic": effect, "min_effect": 0.2, "status": status, "n": 42}


def _alert() -> dict[str, Any]:
    start_ms = NOW_MS - 9 * HOUR_MS
    moved = [
        {"signal": signal, "segment": "", "version": "v7", "since_ms": start_ms, "reason": f"{signal} 50.1 → 60.2"}
        for signal in ("feature:amount", f"feature:{HOSTILE}")
    ]
    return step(
        "a", 0, "firing", start_ms, title=f"amount 50.1 → 60.2 {MARKUP}", starts_ms=start_ms, signals=json.dumps(moved)
    )


@dataclass
class Site:
    """A service that can be stopped and started again at the same address; ``pages`` closes those that look at it."""

    world: World
    port: int = 0
    pages: list[Callable[[], None]] = field(default_factory=list)
    _stop: list[Any] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.world.metrics = CollectorRegistry()
        app = create_app(self.world, (*PAGES, *ROUTERS), alert_poll_s=0.1)
        config = uvicorn.Config(app, host="127.0.0.1", port=self.port, log_level="error", lifespan="off")
        server = uvicorn.Server(config)
        socket = config.bind_socket()
        socket.listen()
        self.port = socket.getsockname()[1]
        thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]})
        thread.start()
        self._stop = [app, server, socket, thread]

    def stop(self) -> None:
        app, server, socket, thread = self._stop
        app.state.stopping.set()
        server.should_exit = True
        thread.join(120)
        socket.close()


@contextmanager
def serving_site(world: World) -> Iterator[Site]:
    """Serve a world with its pages meanwhile."""
    site = Site(world)
    site.start()
    try:
        yield site
    finally:
        # A page that is left open asks whether the service is there, and would say that it is not.
        for close in site.pages:
            close()
        site.stop()
