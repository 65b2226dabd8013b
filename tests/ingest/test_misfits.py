"""When what has never been seen is taken for a mistake in the configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.clock import ManualClock
from monitor.config import load
from monitor.ingest.misfits import Misfits
from monitor.ingest.sightings import Sightings, Unseen
from monitor.watch import Watch, watch_of
from sinks.store.batch import append
from sinks.store.memory import MemoryStore
from tests.service import shop
from tests.sinks.store.samples import plain

Key = tuple[str, str, str]
MODEL, TOPIC, FIELD = "shop", "events", "feature:amount"


class Shown(Sightings):
    """What one reader has seen."""

    def __init__(self, messages: int = 0, *seen: str) -> None:
        super().__init__()
        self.messages, self.shown = messages, {(MODEL, TOPIC, signal) for signal in ("", *seen)}

    def unseen(self, fewest: int = 1) -> list[Unseen]:
        each = Unseen(MODEL, TOPIC, FIELD, "amuont", self.messages)
        return [each] if self.messages >= fewest and each.key not in self.shown else []

    def seen(self) -> set[Key]:
        return self.shown


@pytest.fixture(scope="module")
def watch(tmp_path_factory: pytest.TempPathFactory) -> Watch:
    folder = tmp_path_factory.mktemp("shop")
    return watch_of(load(shop.configured(folder, shop.model(MODEL, {"http": TOPIC}))).models[MODEL], None)


class World:
    def __init__(self, watch: Watch, *readers: Shown) -> None:
        self.store, self.clock, self.readers = MemoryStore(), ManualClock(), readers
        self.misfits = Misfits(self.store, self.clock, {MODEL: watch}, lambda: self.readers)

    def stores(self, topic: str, signal: str) -> None:
        """Another process has read an event with a value of it."""
        append(self.store, "panes", plain("panes", 1, model=MODEL, topic=topic, signal=signal))
        append(self.store, "progress", plain("progress", 1, model=MODEL, topic=topic))

    def after(self, seconds: float) -> list[str]:
        self.misfits.holding()
        self.clock.advance(seconds)
        return list(self.misfits.holding().values())


@pytest.mark.parametrize(("messages", "seconds", "fires"), [(1_000, 300, True), (999, 300, False), (1_000, 299, False)])
def test_it_takes_a_thousand_events_and_five_minutes(watch: Watch, messages: int, seconds: float, fires: bool) -> None:
    assert bool(World(watch, Shown(messages)).after(seconds)) == fires


def test_what_one_reader_has_seen_is_missing_for_none_and_events_of_all_count(watch: Watch) -> None:
    [title] = World(watch, Shown(700), Shown(300)).after(300)
    assert "none of 1,000 events" in title
    assert World(watch, Shown(700), Shown(300, FIELD)).after(300) == []


def test_what_another_process_has_stored_is_seen_within_a_minute(watch: Watch) -> None:
    world = World(watch, Shown(5_000, "feature:country", "prediction:score"))
    assert world.after(300)
    assert not world.misfits.is_over(MODEL)
    world.stores("another", FIELD)
    assert world.after(60)
    world.stores(TOPIC, FIELD)
    assert world.after(60) == []
    assert world.misfits.is_over(MODEL)


def test_it_is_not_over_while_nothing_of_another_source_has_come_here(tmp_path: Path) -> None:
    sources = {"http": "features", "kind": "features"}, {"http": "scores", "kind": "prediction"}
    watch = watch_of(load(shop.configured(tmp_path, shop.model(MODEL, *sources))).models[MODEL], None)
    shown = Shown()
    world = World(watch, shown)
    shown.shown = {(MODEL, "features", signal) for signal in ("", FIELD, "feature:country")}
    assert not world.misfits.is_over(MODEL)
    for topic, signal in (("features", FIELD), ("scores", "prediction:score")):
        assert not world.misfits.is_over(MODEL)
        world.stores(topic, signal)
        world.after(60)
    assert world.misfits.is_over(MODEL)
