"""A model whose events come by a clock that is driven by hand, and what a service makes of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from monitor.alerts.alert_log import FRESHNESS_ALERTS
from monitor.alerts.own import MODEL
from monitor.build import build_router
from monitor.clock import ManualClock
from monitor.config import load
from monitor.freshness.freshness import Freshness
from monitor.ingest.arrivals import Arrivals, Flow
from monitor.routing.router import Router
from sinks.store.contract import Query
from sinks.store.memory import MemoryStore
from sinks.store.rows import rows_of
from tests.service import shop
from tests.sinks.receivers.listener import Listener

MONDAY_MS = 1_767_571_200_000
"""2026-01-05 00:00 UTC."""


class World:
    """A store and a clock that outlive the processes that use them; a look every ten seconds."""

    def __init__(self, folder: Path, *sources: dict[str, Any], **spec: Any) -> None:
        document = shop.model("shop", *(sources or [{"kafka": "events"}]), **spec)
        self.configuration = load(shop.configured(folder, document, store={"kind": "memory"}))
        self.store, self.clock = MemoryStore(), ManualClock(now_ms=MONDAY_MS)
        self.flows = [Flow("shop", "events", 0)]
        self.starts()

    def starts(self) -> None:
        """Have another process follow that of before."""
        self.counts = dict.fromkeys(self.flows, 0)
        self.arrivals = Arrivals(self.store, self.clock)
        self.watcher = Freshness(self.store, self.clock, self.configuration.models)

    def passes(
        self,
        seconds: float,
        every_s: float = 0,
        flows: Sequence[Flow] = (),
        *,
        read: bool = True,
        unanswered: Sequence[Flow] = (),
    ) -> None:
        """Let time pass, in which an event comes every so often on some flows (all of them, if none is named)."""
        for _ in range(round(seconds / 10)):
            before_s = self.clock.monotonic_s()
            self.clock.advance(10)
            came = int(self.clock.monotonic_s() // every_s - before_s // every_s) if every_s else 0
            for flow in flows or self.flows:
                self.counts[flow] += came
            away = {(flow.topic, flow.partition) for flow in unanswered}
            at_end = {(flow.topic, flow.partition) for flow in self.flows} - away if read else set()
            self.arrivals.look(self.counts, {}, at_end, away)
            self.watcher.step()

    @property
    def transitions(self) -> list[dict[str, Any]]:
        rows = rows_of(self.store.read(Query(FRESHNESS_ALERTS, order=("at_ms",))))
        return [row | {"labels": json.loads(row["labels"]), "signals": json.loads(row["signals"])} for row in rows]

    def passes_unread(self, seconds: float) -> None:
        """Let time pass while the process that reads is gone."""
        for _ in range(round(seconds / 10)):
            self.clock.advance(10)
            self.watcher.step()

    @property
    def own(self) -> list[dict[str, Any]]:
        """The transitions of alerts about Leeway itself."""
        return rows_of(self.store.read(Query("alerts", {"model": MODEL}, order=("at_ms",))))

    @property
    def titles(self) -> list[str]:
        return [row["title"] for row in self.transitions]


def router(world: World, inbox: Listener) -> Router:
    """What notifies the inbox of the world's alerts."""
    return build_router(world.configuration, {}, world.store, world.clock)
