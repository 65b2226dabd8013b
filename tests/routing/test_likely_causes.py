"""Whoever is notified of an alert reads first what was deployed before it, also where routes know no incidents."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from monitor.build import build_router
from monitor.config import load
from monitor.incidents.deployments import Deployment, announce
from monitor.watch import watch_of
from sinks.receivers.contract import Alert, Notification
from sinks.receivers.text import Text
from sinks.store.contract import Query, StoreError
from sinks.store.memory import MemoryStore
from tests.routing.test_router import MINUTE_MS, World
from tests.service import shop
from tests.sinks.receivers.listener import Listener

BROKEN = StoreError("it is broken")


class AwayStore(MemoryStore):
    """Cannot say what was deployed."""

    def read(self, query: Query) -> Any:
        if query.table == "deployments":
            raise BROKEN
        return super().read(query)


class Notified(World):
    """A service without routes."""

    def __init__(self, folder: Path, listener: Listener, store: MemoryStore | None = None) -> None:
        super().__init__(open_at_once=False)
        self.store: Any = store or self.store
        self._listener = listener
        receivers = [{"kind": "webhook", "name": "hook", "url": listener.url(), "allow_private": True}]
        document = shop.model("fraud", {"kafka": "payments"})
        configuration = load(shop.configured(folder, document, receivers=receivers, store={"kind": "memory"}))
        watches = {name: watch_of(model, None) for name, model in configuration.models.items()}
        self.router = build_router(configuration, watches, self.store, self.clock)
        self.router.open()

    @property
    def alerts(self) -> list[dict[str, Any]]:
        return [alert for request in self._listener.requests for alert in request.body["alerts"]]


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener() as listening:
        yield listening


def announced(world: World, name: str, ago_minutes: int, **about: Any) -> None:
    announce(world.store, world.clock, Deployment("", name, world.clock.now_ms() - ago_minutes * MINUTE_MS, **about))


def test_an_alert_names_the_deployment_before_it_and_no_other(tmp_path: Path, listener: Listener) -> None:
    world = Notified(tmp_path, listener)
    announced(world, "prices 1.4", 62, version="7", models=("fraud",))
    announced(world, "of another model", 61, models=("churn",))
    announced(world, "long ago", 3_000, models=("fraud",))
    world.happens("a")
    world.passes(2)
    assert [alert["annotations"]["likely_cause"] for alert in world.alerts] == [
        "deployment prices 1.4 (7) was at 2001-09-09 00:44:40 UTC, 62 min before the alert"
    ]


def test_an_alert_names_the_version_that_came_before_it(tmp_path: Path, listener: Listener) -> None:
    world = Notified(tmp_path, listener)
    first_ms = [world.clock.now_ms() - minutes * MINUTE_MS for minutes in (10_000, 62)]
    world.store.append("versions", {"model": ["fraud"] * 2, "version": ["6", "7"], "first_ms": first_ms}, "versions")
    world.happens("a")
    world.passes(2)
    assert world.alerts[0]["annotations"]["likely_cause"].startswith("version 7 of fraud was first seen at 2001-09-09")


class OddStore(MemoryStore):
    """Holds a deployment of which nothing can be made."""

    def read(self, query: Query) -> Any:
        rows = super().read(query)
        if query.table == "deployments":
            odd = {"id": "d", "name": "d", "at_ms": 10**12, "labels": "{", "models": ["fraud"], "topics": []}
            return {name: [odd.get(name, "")] for name in rows}
        return rows


@pytest.mark.parametrize("store", [MemoryStore, AwayStore, OddStore])
def test_an_alert_of_which_nothing_is_known_waits_for_nothing(
    tmp_path: Path, listener: Listener, store: type[MemoryStore]
) -> None:
    world = Notified(tmp_path, listener, store())
    world.happens("a")
    world.passes(2)
    assert "likely_cause" not in world.alerts[0]["annotations"]


def test_the_text_says_it_of_each_alert_where_they_differ() -> None:
    alerts = [Alert("firing", {}, {"summary": name, "likely_cause": f"deployment {name}"}, 10**12) for name in "ab"]
    _, text = Text().of(Notification("mail", "k", {}, tuple(alerts)))
    assert "a (firing)\nLikely cause: deployment a\n" in text
    assert "b (firing)\nLikely cause: deployment b\n" in text
    _, text = Text().of(Notification("mail", "k", {}, (alerts[0],)))
    assert text.startswith("Likely cause: deployment a\n")
    assert text.count("Likely cause") == 1
