"""Stored rows of no form that is known do not keep the others from being used."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from monitor.alerts.transition import POSTED
from monitor.routing.quarantine import Quarantine
from monitor.routing.router import Router
from monitor.routing.silence_log import SilenceLog
from sinks.store.contract import TABLES
from sinks.store.memory import MemoryStore
from tests.routing.test_router import World, said

EMPTY: dict[str, Any] = {"str": "", "int": 0, "float": 0.0, "bytes": b"", "ints": [], "strs": []}


def stored(store: MemoryStore, table: str, **row: Any) -> None:
    columns = {c.name: [row.get(c.name, EMPTY[c.kind])] for c in TABLES[table].columns}
    store.append(table, columns, token=f"{table}{row}")


def silence(world: World) -> None:
    stored(world.store, "silences", id="s1", ends_ms=1 << 60, matchers="model=fraud", intervals='[{"weekdays": 5}]')


def subscription(world: World) -> None:
    stored(world.store, "subscriptions", id="s1", matchers="=~", receiver="mail", group_by="null")


def posted_alert(world: World) -> None:
    stored(world.store, "posted", fingerprint="f1", position=world.clock.now_ms(), labels="{", ends_ms=1 << 60)


def transition(world: World) -> None:
    row = {"model": "fraud", "alert_id": "x", "state": "firing", "at_ms": world.clock.now_ms(), "labels": "[1"}
    stored(world.store, "alerts", **row)


def standing_post(world: World) -> None:
    row = {"model": POSTED, "alert_id": "x", "state": "firing", "at_ms": world.clock.now_ms(), "labels": "[1"}
    stored(world.store, "alerts", **row)


@pytest.mark.parametrize("poison", [silence, subscription, posted_alert, transition, standing_post])
def test_what_cannot_be_read_is_passed_over_and_counted_and_alerts_are_notified(
    poison: Callable[[World], None],
) -> None:
    world = World()
    poison(world)
    for _ in range(2):  # also after a restart
        world.router = Router(world.store, world.plan, world.clock, "", ["fraud", "churn", POSTED])
        world.router.open()
        world.happens("a")
        world.passes(60)
    assert said(world.mail)[0] == ("fraud", ["a"], [])
    counts = Quarantine.of(world.store).counts
    assert (sum(counts.values()), len(counts)) == (1, 1)


def test_a_silence_that_cannot_be_read_hides_no_other() -> None:
    world = World()
    silence(world)
    stored(world.store, "silences", id="s2", ends_ms=1 << 60, matchers="model=churn")
    assert [each.id for each in SilenceLog(world.store, world.clock).all()] == ["s2"]
