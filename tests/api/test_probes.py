"""Probes answer whatever questions and the store do."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import anyio.to_thread
import httpx
import pytest

from monitor import metrics
from monitor.config import Configuration, Service
from monitor.config.service import Api, ServiceSpec
from monitor.evaluate.realised import RealisedAlerts
from monitor.metrics import StoreFigures
from sinks.store.contract import Columns
from sinks.store.memory import MemoryStore
from tests.api.world import Client, World, model


@dataclass(eq=False)
class Gated(MemoryStore):
    """A store that answers while its gate is open."""

    gate: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        super().__init__()

    def read(self, query: Any) -> Columns:
        assert self.gate.wait(60)
        return super().read(query)


def test_probes_answer_while_every_thread_waits_for_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "STORE_WAIT_S", 0.01)
    store = Gated()
    world = World(store=store)
    world.metrics.register(figures := StoreFigures(store, RealisedAlerts(store, world.watches), world.clock))
    app = Client(world).app

    async def ask() -> tuple[dict[str, int], list[int]]:
        threads = anyio.to_thread.current_default_thread_limiter()
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://leeway", timeout=60) as client:
            questions = [asyncio.create_task(client.get("/v1/alerts")) for _ in range(int(threads.total_tokens) + 5)]
            while threads.available_tokens:
                await asyncio.sleep(0.001)
            probed = {path: (await client.get(path)).status_code for path in ("/healthz", "/readyz", "/metrics")}
            assert not any(question.done() for question in questions)
            store.gate.set()
            return probed, [answer.status_code for answer in await asyncio.gather(*questions)]

    probed, answered = asyncio.run(ask())
    assert probed == {"/healthz": 200, "/readyz": 200, "/metrics": 200}
    assert set(answered) == {200}
    monkeypatch.setattr(metrics, "STORE_WAIT_S", 120)
    assert list(figures.collect()), "the figures are there once the store has answered"


def test_more_requests_than_may_be_at_once_are_refused_and_probes_are_not() -> None:
    store = Gated()
    service = Service(spec=ServiceSpec(api=Api(max_requests=2)))
    world = World(store=store, configuration=Configuration(service, {"fraud": model("fraud")}, root=None))  # type: ignore[arg-type]
    app = Client(world).app

    async def ask() -> tuple[httpx.Response, int, list[int]]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://leeway", timeout=60) as client:
            questions = [asyncio.create_task(client.get("/v1/alerts")) for _ in range(2)]
            await asyncio.sleep(0)
            refused, probed = await client.get("/v1/alerts"), await client.get("/healthz")
            store.gate.set()
            answers = [*await asyncio.gather(*questions), await client.get("/v1/alerts")]
            return refused, probed.status_code, [answer.status_code for answer in answers]

    refused, probed, answered = asyncio.run(ask())
    assert (refused.status_code, refused.json()["type"]) == (503, "/v1/problems#busy")
    assert refused.headers["retry-after"]
    assert probed == 200
    assert answered == [200, 200, 200]


def test_requests_whose_bodies_are_on_their_way_keep_no_others_out() -> None:
    service = Service(spec=ServiceSpec(api=Api(max_requests=2)))
    app = Client(World(configuration=Configuration(service, {"fraud": model("fraud")}, root=None))).app  # type: ignore[arg-type]

    async def ask() -> tuple[int, list[int]]:
        waiting, rest = 0, asyncio.Event()

        async def body() -> AsyncIterator[bytes]:
            nonlocal waiting
            yield b"[{}"
            waiting += 1
            await rest.wait()
            yield b"]"

        headers = {"content-type": "application/json"}
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://leeway", timeout=60) as client:
            slow = [
                asyncio.create_task(client.post("/v1/events/fraud", content=body(), headers=headers)) for _ in range(9)
            ]
            while waiting + sum(each.done() for each in slow) < len(slow):
                await asyncio.sleep(0)
            answer = await client.get("/v1/alerts")
            rest.set()
            return answer.status_code, [each.status_code for each in await asyncio.gather(*slow)]

    answered, posted = asyncio.run(ask())
    assert answered == 200
    assert set(posted) <= {202, 503}, "of those that are whole at once no more are answered than may be"
    assert 202 in posted


def test_figures_of_the_store_say_how_old_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "STORE_WAIT_S", 120)
    store = Gated()
    store.gate.set()
    world = World(store=store)
    figures = StoreFigures(store, RealisedAlerts(store, world.watches), world.clock)
    assert _age_s(figures) == 0
    store.gate.clear()
    monkeypatch.setattr(metrics, "STORE_WAIT_S", 0.01)
    world.clock.advance(30)
    assert _age_s(figures) == 30
    store.gate.set()


def _age_s(figures: StoreFigures) -> float:
    [age_s] = [
        sample.value
        for family in figures.collect()
        for sample in family.samples
        if family.name == "leeway_store_figures_age_seconds"
    ]
    return age_s
