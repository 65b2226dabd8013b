"""A topic that is made anew under its name: what was made of the old messages stays, and the new ones all count."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from monitor.alerts.own import MODEL
from monitor.clock import ManualClock
from monitor.config import Configuration
from monitor.config.kafka import KafkaCluster
from monitor.erasure.erased import ErasureList
from monitor.evaluate.evaluate import Evaluation
from monitor.evaluate.horizon import Horizon
from monitor.events import ENDED
from monitor.heartbeat.lost_messages import STANDS_S, LostMessages
from monitor.ingest.ingest import Ingest
from monitor.ingest.readers import Readers
from monitor.ingest.worker import Worker
from monitor.messages import LIFE, LOG_TRUNCATED
from monitor.retries import Retries, Streams
from monitor.sources.kafka.lookup import KafkaLookup
from monitor.sources.kafka.source import KafkaSource
from monitor.watch import compile_watch
from sinks.store.memory import MemoryStore
from tests.faults.killing import SPEC
from tests.monitor.streams import DAY_MS, applications, as_lines, configured, outcome, rows
from tests.services.kafka import Cluster
from tests.sources.kafka.test_truncation import make_anew
from tests.sources.reading import produce, until

DAYS, PER_DAY, BAD = 2, 300, 7


def life(number: int) -> list[bytes]:
    """Two days of events, each life's behind those of the one before; one of them cannot be read."""

    def change(event: dict[str, Any]) -> None:
        event["ts"] += number * DAYS * DAY_MS
        event["id"] += f"-{number}"

    lines = as_lines(applications(number, days=DAYS, per_day=PER_DAY, change=change))
    lines[BAD] = b"broken in life %d" % number
    return lines


def configuration_of(topic: str, **spec: Any) -> Configuration:
    keep = {"predictions": True, "events": True}
    streams = [{"kafka": topic, "event_time": {"path": "ts", "unit": "ms"}, "allowed_lateness": "1h"}]
    return configured(**{**SPEC, "keep": keep, "sources": streams, **spec})


@contextmanager
def ingesting(kafka: Cluster, topic: str, store: MemoryStore) -> Iterator[Ingest]:
    cluster = KafkaCluster.model_validate({"bootstrap": kafka.addresses, "group": f"g-{topic}", "refresh": "200ms"})
    source = KafkaSource(cluster, [topic])
    ingest = Ingest(Readers([compile_watch(configuration_of(topic), "loans")]), store, source)
    ingest.open()
    try:
        yield ingest
    finally:
        source.close()


def read(ingest: Ingest, count: int) -> None:
    """Read so many messages, with a checkpoint after each batch."""

    def enough() -> bool:
        ingest.step(150, timeout_s=0.1)
        ingest.save()
        return ingest.counters.records >= count

    until(enough)
    assert ingest.counters.records == count


def test_both_lives_are_kept_whole_and_a_crash_in_between_changes_nothing(kafka: Cluster, topic: str) -> None:
    old, new = life(0), life(1)
    produce(kafka, topic, old)
    store, broken = MemoryStore(), MemoryStore()
    for each in (store, broken):
        with ingesting(kafka, topic, each) as ingest:
            read(ingest, len(old))
    make_anew(kafka, topic, new)
    with ingesting(kafka, topic, store) as ingest:
        read(ingest, len(new))
    with ingesting(kafka, topic, broken) as ingest:
        until(lambda: bool(ingest.step(150, timeout_s=0.1) or ingest.lost))
        ingest.save()
    with ingesting(kafka, topic, broken) as ingest:
        read(ingest, len(new))
        assert not ingest.lost

    assert outcome(store) == outcome(broken)
    [checkpoint] = rows(store, "checkpoints", stage="ingest")
    assert checkpoint["position"] == LIFE + len(new)
    for table in ("events", "predictions"):
        found = [row["offset"] for row in rows(store, table)]
        assert sorted(found) == [start + n for start in (0, LIFE) for n in range(len(old)) if n != BAD], table
    letters = {(row["offset"], row["reason"]): bytes.fromhex(row["payload"]) for row in rows(store, "dead_letters")}
    assert letters == {
        (BAD, "not_json"): old[BAD],
        (LIFE + BAD, "not_json"): new[BAD],
        (len(old), LOG_TRUNCATED): b"",
    }
    judged = Evaluation(compile_watch(configuration_of(topic), "loans"), store)
    judged.advance(Horizon(frozenset({(topic, 0)})))
    marked = [row["idle"] for row in rows(store, "scores", signal="volume")]
    assert 0 < marked.count(f"{topic}/0:lost") < len(marked) / 2
    assert marked[0] == marked[-1] == ""
    volume = [row for row in rows(store, "panes") if row["signal"] == "volume"]
    closed = sum(row["n"] for row in volume)
    assert closed > len(old) + len(new) - PER_DAY, "nothing but what the last, open panes hold is missing"


def test_a_message_of_an_earlier_life_is_not_taken_for_the_one_that_has_its_offset_now(
    kafka: Cluster, topic: str
) -> None:
    store = MemoryStore()
    for number, make in ((0, produce), (1, make_anew)):
        make(kafka, topic, life(number))
        with ingesting(kafka, topic, store) as ingest:
            read(ingest, len(life(number)))
    lookup = KafkaLookup(KafkaCluster(bootstrap=kafka.addresses))
    streams = Streams(lookup, outlet=pytest.fail)
    retries = Retries(store, configuration_of(topic), ManualClock(), streams, ErasureList(store))
    places = [(topic, 0, BAD), (topic, 0, LIFE + BAD), (topic, 0, DAYS * PER_DAY)]
    found = [(one.outcome, one.taken_from or one.detail) for one in retries.retry(places, dry_run=True)]
    assert found == [("planned", "store"), ("planned", "log"), ("refused", "it was gone before it was read")]
    messages = lookup.read([(topic, 0, LIFE + BAD)])
    assert messages[topic, 0, LIFE + BAD].value == life(1)[BAD]


def test_everybody_is_told_and_the_next_life_is_known_before_any_of_it_is_read(kafka: Cluster, topic: str) -> None:
    store, clock, stop = MemoryStore(), ManualClock(), threading.Event()
    produce(kafka, topic, life(0)[:50])
    with ingesting(kafka, topic, store) as ingest:
        read(ingest, 50)
    make_anew(kafka, topic, life(1)[:30])
    with ingesting(kafka, topic, store) as ingest:
        settings = {"checkpoint_every_s": 3_600.0, "idle_after_s": 3_600.0}
        worker = Worker(ingest, store, clock, stop, **settings)
        positions: list[int] = []

        def seen(records: object, process: Any = ingest._process) -> None:
            positions.append(rows(store, "checkpoints", stage="ingest")[0]["position"])
            process(records)
            stop.set()

        ingest._process = seen  # type: ignore[method-assign]
        worker.run()
    assert positions == [LIFE]
    lost = LostMessages(store, clock)
    lost.step()
    clock.advance(STANDS_S)
    lost.step()
    firing, resolved = rows(store, "alerts", model=MODEL)
    assert (firing["state"], resolved["state"], firing["severity"]) == ("firing", "resolved", "critical")
    assert json.loads(firing["labels"])["alertname"] == LOG_TRUNCATED
    assert firing["title"] == f"{topic}/0 was made anew or cut short behind offset 50; it is read on from offset 0"
    [gap] = rows(store, "gaps")
    assert (gap["first_offset"], gap["next_offset"]) == (50, LIFE)
    assert gap["to_ms"] != ENDED
