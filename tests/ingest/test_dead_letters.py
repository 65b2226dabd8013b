"""Dead letters go to the topics that want them, and no checkpoint passes one that has not arrived."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monitor.clock import ManualClock
from monitor.config import ConfigError, Configuration, load
from monitor.decoders.schemas import NO_SCHEMAS
from monitor.erasure.erased import DONE, Erasure, ErasureList
from monitor.errors import SourceError
from monitor.events import Gap, Headers, Partition, Records
from monitor.ingest.dead_letters import DeadLetters, routes_of
from monitor.ingest.ingest import Ingest
from monitor.ingest.intake import Intake
from monitor.ingest.readers import Readers
from monitor.ingest.worker import Worker
from monitor.messages import Message
from monitor.sources.contract import Resume, Source
from monitor.watch import compile_watch
from sinks.store.contract import Query
from sinks.store.memory import MemoryStore
from tests.ingest.outlet import MemoryOutlet
from tests.service import shop

GOOD = b'{"id": "1", "ts": 1700000000000, "amount": 5, "country": "DE", "score": 0.5, "user": "ann"}'
ODD_FIELD = GOOD.replace(b'"amount": 5', b'"amount": "five"').replace(b'"id": "1"', b'"id": "2"')
BROKEN = b'{"id": "3", "ts"'
UNTIMELY = b'{"id": "4", "amount": 5, "user": "ann"}'


class ListSource(Source):
    """A log in memory: one partition, returned whole from the offset that is asked for."""

    guarantee = "none"
    bounded = True

    def __init__(self, topic: str, payloads: Sequence[bytes | None], headers: Sequence[Headers] | None = None) -> None:
        self.topic, self.gaps = topic, list[Gap]()
        keys = [b"key-%d" % offset for offset in range(len(payloads))]
        self._records = [
            Records(
                topic,
                0,
                np.array([offset]),
                np.array([shop.START_MS + offset]),
                [payload],
                [keys[offset]],
                None if headers is None else [headers[offset]],
            )
            for offset, payload in enumerate(payloads)
        ]
        self._next = 0

    def open(self, resume: Resume) -> None:
        self._next = resume(self.topic, 0) or 0

    def poll(self, max_records: int, timeout_s: float) -> list[Records]:
        found, self._next = self._records[self._next :], len(self._records)
        return found

    def partitions(self) -> frozenset[Partition]:
        return frozenset([(self.topic, 0)])

    assigned = partitions

    def at_end(self) -> frozenset[Partition]:
        return self.assigned() if self._next == len(self._records) else frozenset()

    def ends(self) -> dict[Partition, int]:
        return {(self.topic, 0): len(self._records)}

    def close(self) -> None:
        pass


def configured(folder: Path, *models: dict[str, Any], **kafka: Any) -> Configuration:
    return load(shop.configured(folder, *models, store={"kind": "memory"}, kafka=kafka))


def reading(
    configuration: Configuration, source: ListSource, outlet: MemoryOutlet, store: MemoryStore | None = None
) -> Ingest:
    """An ingest that sends to an outlet, opened."""
    watches = [compile_watch(configuration, name) for name in configuration.models]
    letters = DeadLetters(routes_of(configuration.service, configuration.models.values()), outlet)
    ingest = Ingest(Readers(watches), store or MemoryStore(), source, letters=letters)
    ingest.open()
    return ingest


def ran(ingest: Ingest) -> None:
    ingest.step(1_000, 0)
    ingest.save()


def test_a_rejected_message_goes_to_the_topic_as_it_came_and_says_what_was_wrong(tmp_path: Path) -> None:
    configuration = configured(tmp_path, shop.model("shop", {"kafka": "events"}), dead_letters="bad")
    outlet, trace = MemoryOutlet(), (("trace", b"7"), ("trace", None))
    ran(reading(configuration, ListSource("events", [GOOD, BROKEN, UNTIMELY], [(), trace, ()]), outlet))

    broken, untimely = outlet.topics["bad"]
    assert (broken.value, broken.key, broken.headers[:2]) == (BROKEN, b"key-1", trace)
    said = {name: (value or b"").decode() for name, value in broken.headers[2:]}
    detail = said.pop("leeway.detail")
    assert detail
    assert said == {
        "leeway.topic": "events",
        "leeway.partition": "0",
        "leeway.offset": "1",
        "leeway.model": "",
        "leeway.field": "",
        "leeway.action": "rejected",
        "leeway.reason": "not_json",
        "leeway.record_ms": str(shop.START_MS + 1),
        "leeway.value_bytes": str(len(BROKEN)),
    }
    assert dict(untimely.headers)["leeway.model"] == b"shop"
    assert dict(untimely.headers)["leeway.reason"] == b"no_event_time"


@pytest.mark.parametrize(("kept", "sent"), [(False, [BROKEN]), (True, [ODD_FIELD, BROKEN])])
def test_what_counts_stays_away_from_the_topic_unless_it_is_wanted(
    tmp_path: Path, kept: bool, sent: list[bytes]
) -> None:
    model = shop.model("shop", {"kafka": "events"})
    configuration = configured(tmp_path, model, dead_letters={"topic": "bad", "kept": kept})
    outlet, store = MemoryOutlet(), MemoryStore()
    ran(reading(configuration, ListSource("events", [GOOD, ODD_FIELD, BROKEN]), outlet, store))
    assert [message.value for message in outlet.topics["bad"]] == sent
    assert sorted(store.read(Query("dead_letters"))["reason"]) == ["not_json", "wrong_type"]


def test_a_source_may_name_another_topic_and_each_topic_gets_a_broken_message_once(tmp_path: Path) -> None:
    models = [
        shop.model("a", {"kafka": "events"}),
        shop.model("b", {"kafka": "events", "dead_letters": "bad-b"}),
        shop.model("c", {"kafka": "events"}),
    ]
    configuration = configured(tmp_path, *models, dead_letters="bad")
    outlet = MemoryOutlet()
    ran(reading(configuration, ListSource("events", [BROKEN, UNTIMELY]), outlet))
    assert outlet.opened == [["bad", "bad-b"]]
    found = {
        topic: [(message.value, dict(message.headers)["leeway.model"]) for message in messages]
        for topic, messages in outlet.topics.items()
    }
    assert found == {
        "bad": [(BROKEN, b""), (UNTIMELY, b"a"), (UNTIMELY, b"c")],
        "bad-b": [(BROKEN, b""), (UNTIMELY, b"b")],
    }


def test_no_checkpoint_passes_a_message_that_the_topic_has_not_taken(tmp_path: Path) -> None:
    configuration = configured(tmp_path, shop.model("shop", {"kafka": "events"}), dead_letters="bad")
    outlet, store = MemoryOutlet(), MemoryStore()
    ingest = reading(configuration, ListSource("events", [GOOD, BROKEN]), outlet, store)
    outlet.refuses = "not enough replicas"

    ingest.step(1_000, 0)
    for _ in range(2):  # whoever asks, and however often: it stays unsaved until it is read anew
        with pytest.raises(SourceError, match="not enough replicas"):
            ingest.save()
        outlet.refuses = ""
    assert not len(store.read(Query("checkpoints"))["position"])

    ingest.forget()
    ingest.open()
    ran(ingest)
    assert [message.value for message in outlet.topics["bad"]] == [BROKEN]
    assert store.read(Query("checkpoints"))["name"] == ["events"]


def test_a_worker_tries_again_until_the_topic_takes_the_message(tmp_path: Path) -> None:
    configuration = configured(tmp_path, shop.model("shop", {"kafka": "events"}), dead_letters="bad")
    store, source = MemoryStore(), ListSource("events", [GOOD, BROKEN])

    class Patchy(MemoryOutlet):
        """Refuses until it was opened three times."""

        def open(self, topics: Any) -> None:
            super().open(topics)
            self.refuses = "no leader" if len(self.opened) < 3 else ""

    outlet = Patchy()
    ingest = reading(configuration, source, outlet, store)
    settings = {"checkpoint_every_s": 3_600.0, "idle_after_s": 3_600.0}
    clock = ManualClock()
    Worker(ingest, store, clock, threading.Event(), **settings).run()
    assert [message.value for message in outlet.topics["bad"]] == [BROKEN]
    assert len(outlet.opened) == 3


def test_another_source_leaves_no_connection_of_the_former_one_and_what_was_sent_counts_on(tmp_path: Path) -> None:
    configuration = configured(tmp_path, shop.model("shop", {"kafka": "events"}), dead_letters="bad")
    watches = [compile_watch(configuration, name) for name in configuration.models]
    routes = routes_of(configuration.service, configuration.models.values())
    outlets = [MemoryOutlet() for _ in range(3)]
    logs = [[BROKEN] * count for count in (1, 2, 3)]
    intake = Intake(NO_SCHEMAS, ErasureList(MemoryStore()))
    every_letters = [DeadLetters(routes, outlet) for outlet in outlets]
    ingest = Ingest(Readers(watches), MemoryStore(), ListSource("events", logs[0]), letters=every_letters[0])
    intake.send_letters(every_letters[0])
    for letters, log in zip(every_letters[1:], logs[1:], strict=True):
        ingest.open()
        ran(ingest)
        ingest.read_as(Readers(watches), ListSource("events", log), letters)
        intake.send_letters(letters)
    assert [outlet.closings for outlet in outlets] == [1, 1, 0]
    assert intake.letters == every_letters[2:]
    assert intake.dead_letters_sent() == {"bad": (2, len(2 * BROKEN))}


def test_a_message_of_an_erased_subject_goes_nowhere(tmp_path: Path) -> None:
    keep = {"events": True, "subject": "user"}
    models = [shop.model("shop", {"kafka": "events"}, keep=keep), shop.model("other", {"kafka": "events"})]
    configuration = configured(tmp_path, *models, dead_letters="bad")
    outlet, store = MemoryOutlet(), MemoryStore()
    erasures = ErasureList(store)
    digest = erasures.hash_of("ann", make_key=lambda: (1, "00" * 32))
    erasures.add(Erasure(digest, "shop", shop.START_MS, shop.START_MS + 10, DONE, ()))

    bob = UNTIMELY.replace(b"ann", b"bob")
    large = UNTIMELY.replace(b"{", b'{"blob": "%s", ' % (b"x" * (1 << 20)))
    ran(reading(configuration, ListSource("events", [UNTIMELY, bob, large]), outlet, store))
    assert {message.value for message in outlet.topics["bad"]} == {bob}


def test_a_great_many_wait_for_no_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.ingest.dead_letters.MOST_PENDING", 3)
    configuration = configured(tmp_path, shop.model("shop", {"kafka": "events"}), dead_letters="bad")
    outlet = MemoryOutlet()
    reading(configuration, ListSource("events", [BROKEN] * 7), outlet).step(1_000, 0)
    assert len(outlet.topics["bad"]) == 6


@pytest.mark.parametrize(
    ("source", "kafka", "place", "message"),
    [
        ({}, {"dead_letters": "events"}, ("leeway.yaml", "spec.kafka.dead_letters"), "model 'shop' reads this topic"),
        (
            {"dead_letters": "events"},
            {},
            ("models/shop.yaml", "spec.sources.0.dead_letters"),
            "model 'shop' reads this topic",
        ),
        (
            {"dead_letters": {"topic": "no spaces"}},
            {},
            ("models/shop.yaml", "spec.sources.0.dead_letters.topic"),
            "should match pattern",
        ),
        (
            {"dead_letters": {"topic": "bad", "keep": True}},
            {},
            ("models/shop.yaml", "spec.sources.0.dead_letters.keep"),
            "unknown key",
        ),
        (
            {"http": "events", "kafka": None, "dead_letters": "bad"},
            {},
            ("models/shop.yaml", "spec.sources.0"),
            "dead_letters is a topic for messages of `kafka`",
        ),
    ],
)
def test_a_topic_that_cannot_be_is_a_mistake_with_its_place(
    source: dict[str, Any], kafka: dict[str, Any], place: tuple[str, str], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as caught:
        configured(tmp_path, shop.model("shop", {"kafka": "events", **source}), **kafka)
    (mistake,) = caught.value.mistakes
    assert (mistake.file, mistake.path) == (str(tmp_path / place[0]), place[1])
    assert mistake.line > 1
    assert message in mistake.message


class BrokenOutlet(MemoryOutlet):
    """Fails for good once."""

    is_broken = True

    def send(self, topic: str, message: Message, partition: int | None = None) -> None:
        if self.is_broken:
            self.is_broken = False
            raise SourceError("it broke", retryable=False)
        super().send(topic, message, partition)


@pytest.mark.parametrize("by", ["an erasure", "a change of the configuration"])
def test_whoever_stops_a_worker_between_a_failure_and_its_mending_saves_nothing_half_taken(
    tmp_path: Path, by: str
) -> None:
    configuration = configured(tmp_path, shop.model("shop", {"kafka": "events"}), dead_letters="bad")
    events = [
        GOOD.replace(b"1700000000000", b"%d" % (shop.START_MS - 600_000 + 60_000 * number)).replace(
            b'"1"', b'"%d"' % number
        )
        for number in (1, 2, 2, 3, 4, 5)
    ]
    panes = []
    for is_broken in (False, True):
        outlet, store, clock = BrokenOutlet(), MemoryStore(), ManualClock()
        outlet.is_broken = is_broken
        ingest = reading(configuration, ListSource("events", events), outlet, store)
        worker = Worker(ingest, store, clock, threading.Event(), checkpoint_every_s=3_600.0, idle_after_s=3_600.0)
        if is_broken:
            with pytest.raises(SourceError, match="it broke"):
                worker.run()
            if by == "an erasure":
                with worker.standstill():
                    pass
            else:
                worker.read_as(Readers([compile_watch(configuration, "shop")]))
            worker.mend()
        worker.run()
        panes.append({name: list(column) for name, column in store.read(Query("panes")).items()})
    assert panes[0]["model"]
    assert repr(panes[0]) == repr(panes[1])
