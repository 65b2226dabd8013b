"""The service on a real broker; a replay of the same messages from files is the oracle."""

from __future__ import annotations

import gc
import json
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from monitor.config import Configuration
from monitor.evaluate.horizon import standing
from monitor.service import Service
from monitor.sources.kafka import outlet as kafka_outlet
from sinks.store.contract import Store, StoreError
from sinks.store.memory import MemoryStore
from tests.service import shop
from tests.services.kafka import Broker, Cluster

pytestmark = pytest.mark.kafka


@pytest.fixture(scope="module")
def traffic() -> tuple[shop.Partitions, int]:
    return shop.traffic(seed=1)


@pytest.fixture(scope="module")
def short() -> tuple[shop.Partitions, int]:
    """Enough to learn from and to alarm, in two partitions."""
    return shop.traffic(seed=2, windows=40, per_window=100, partitions=2)


def committed(kafka: Cluster, configuration: Configuration) -> dict[int, int]:
    """The group's committed offsets by partition."""
    group = configuration.service.spec.kafka.group
    with kafka.admin() as admin:
        offsets = admin.list_group_offsets({group: None})[group]
    return {partition.partition: at.offset for partition, at in offsets.items()}


def everything_read(service: Service, count: int) -> Callable[[], bool]:
    def check() -> bool:
        service.raise_failure()
        return service.counters.records >= count

    return check


@pytest.mark.parametrize("consumers", [1, 3])
def test_a_topic_gives_the_same_rows_as_a_replay_of_its_messages(
    kafka: Cluster, topic_name: str, tmp_path: Path, traffic: tuple[shop.Partitions, int], consumers: int
) -> None:
    logs, end_ms = traffic
    kafka.create_topic(topic_name, partitions=len(logs))
    shop.produce(kafka, topic_name, logs)
    configuration = shop.on_kafka(tmp_path, kafka, shop.model("shop", {"kafka": topic_name}), consumers=consumers)
    store = MemoryStore()

    with shop.serving(configuration, store) as service:
        shop.wait_until(shop.judged(service, "shop", end_ms), "the last window is judged")
        assert service.ready() == []

    expected = shop.results(shop.replayed(tmp_path, configuration, {topic_name: logs}), end_ms)
    assert shop.results(store, end_ms) == expected
    assert {"firing", "resolved"} <= {row[3] for row in expected["alerts"]}
    assert expected["findings"]


def test_messages_that_come_while_the_service_runs_are_judged_at_once(
    kafka: Cluster, topic_name: str, tmp_path: Path, short: tuple[shop.Partitions, int]
) -> None:
    logs, end_ms = short
    kafka.create_topic(topic_name, partitions=2)
    configuration = shop.on_kafka(tmp_path, kafka, shop.model("shop", {"kafka": topic_name}))
    store = MemoryStore()

    with shop.serving(configuration, store) as service:
        for start in range(0, len(logs[0]), 700):
            shop.produce(kafka, topic_name, [log[start : start + 700] for log in logs])
            read = sum(len(log[: start + 700]) for log in logs)
            shop.wait_until(everything_read(service, read), "what was produced is read")
        shop.wait_until(shop.judged(service, "shop", end_ms), "the last window is judged")

    assert shop.results(store, end_ms) == shop.results(
        shop.replayed(tmp_path, configuration, {topic_name: logs}), end_ms
    )


def test_a_service_that_takes_over_goes_on_at_the_checkpoints(
    kafka: Cluster, topic_name: str, tmp_path: Path, short: tuple[shop.Partitions, int]
) -> None:
    logs, end_ms = short
    kafka.create_topic(topic_name, partitions=2)
    configuration = shop.on_kafka(tmp_path, kafka, shop.model("shop", {"kafka": topic_name}))
    store = MemoryStore()
    half = [log[: len(log) // 2] for log in logs]

    shop.produce(kafka, topic_name, half)
    with shop.serving(configuration, store) as service:
        shop.wait_until(everything_read(service, sum(map(len, half))), "the first half is read")
    shop.produce(kafka, topic_name, [log[len(log) // 2 :] for log in logs])
    with shop.serving(configuration, store) as service:
        shop.wait_until(shop.judged(service, "shop", end_ms), "the last window is judged")
        read_again = service.counters.records - sum(map(len, logs)) + sum(map(len, half))

    assert read_again <= 0, "a stop leaves a checkpoint behind everything that was read"
    assert shop.results(store, end_ms) == shop.results(
        shop.replayed(tmp_path, configuration, {topic_name: logs}), end_ms
    )


def test_two_services_of_one_group_share_a_topic_and_one_goes_on_alone(
    kafka: Cluster, topic_name: str, tmp_path: Path, traffic: tuple[shop.Partitions, int]
) -> None:
    logs, end_ms = traffic
    kafka.create_topic(topic_name, partitions=len(logs))
    configuration = shop.on_kafka(tmp_path, kafka, shop.model("shop", {"kafka": topic_name}))
    store = MemoryStore()
    third = [log[: len(log) // 3] for log in logs]
    shop.produce(kafka, topic_name, [log[:10] for log in third])

    with shop.serving(configuration, store) as staying:
        with shop.serving(configuration, store) as leaving:
            # What comes before the second member has partitions, the first may have read by then.
            shop.wait_until(leaving.intake.workers[0].lags, "the second member has partitions")
            shop.produce(kafka, topic_name, [log[10:] for log in third])
            shop.wait_until(
                lambda: staying.counters.records + leaving.counters.records >= sum(map(len, third)), "a third is read"
            )
            shop.wait_until(lambda: leaving.counters.records, "the second member reads as well")
        shop.produce(kafka, topic_name, [log[len(log) // 3 :] for log in logs])
        shop.wait_until(shop.judged(staying, "shop", end_ms), "the last window is judged")

    assert shop.results(store, end_ms) == shop.results(
        shop.replayed(tmp_path, configuration, {topic_name: logs}), end_ms
    )


# The client forgets a socket at each refused connection; they are collected here, not in some later test.
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
def test_a_broker_that_restarts_loses_and_doubles_nothing(tmp_path: Path, short: tuple[shop.Partitions, int]) -> None:
    logs, end_ms = short
    configuration, store = watched_over_a_restart(tmp_path, logs, end_ms)
    gc.collect()
    assert shop.results(store, end_ms) == shop.results(shop.replayed(tmp_path, configuration, {"events": logs}), end_ms)


def watched_over_a_restart(tmp_path: Path, logs: shop.Partitions, end_ms: int) -> tuple[Configuration, MemoryStore]:
    store = MemoryStore()
    with Broker() as broker:
        broker.create_topic("events", partitions=2)
        configuration = shop.on_kafka(tmp_path, broker, shop.model("shop", {"kafka": "events"}))
        with shop.serving(configuration, store) as service:
            shop.produce(broker, "events", [log[:1000] for log in logs])
            shop.wait_until(everything_read(service, 2000), "the first messages are read")
            broker.restart()
            shop.produce(broker, "events", [log[1000:] for log in logs])
            shop.wait_until(shop.judged(service, "shop", end_ms), "the last window is judged")
            # A request that the restart cuts off may send the reader back to its checkpoints: once, and no further.
            read_again = service.counters.records - sum(map(len, logs))
            assert 0 <= read_again <= 2000
    return configuration, store


def test_bad_messages_become_dead_letters_that_say_where_they_stand(
    kafka: Cluster, topic_name: str, tmp_path: Path, short: tuple[shop.Partitions, int]
) -> None:
    logs, end_ms = short
    bad = [[*logs[0][:10], b"not json", *logs[0][10:]], [*logs[1][:20], b'{"id": "x", "ts": "soon"}', *logs[1][20:]]]
    kafka.create_topic(topic_name, partitions=2)
    shop.produce(kafka, topic_name, bad)
    configuration = shop.on_kafka(tmp_path, kafka, shop.model("shop", {"kafka": topic_name}))
    store = MemoryStore()

    with shop.serving(configuration, store) as service:
        shop.wait_until(shop.judged(service, "shop", end_ms), "the last window is judged")

    columns = ("topic", "partition", "offset", "action", "payload")
    dead = shop.rows(store, "dead_letters", only=columns)
    assert (topic_name, 0, 10, "rejected", b"not json") in dead
    assert (topic_name, 1, 20, "rejected", b'{"id": "x", "ts": "soon"}') in dead
    expected = shop.replayed(tmp_path, configuration, {topic_name: bad})
    assert dead == shop.rows(expected, "dead_letters", only=columns)
    assert shop.results(store, end_ms) == shop.results(expected, end_ms)


def test_a_service_sends_rejected_messages_to_their_topic_and_goes_on(
    kafka: Cluster, topic_name: str, tmp_path: Path, short: tuple[shop.Partitions, int]
) -> None:
    logs, end_ms = short
    bad = [[*logs[0][:10], b"not json", *logs[0][10:]], [*logs[1][:20], b'{"id": "x", "ts": "soon"}', *logs[1][20:]]]
    kafka.create_topic(topic_name, partitions=2)
    kafka.create_topic(f"{topic_name}-bad")
    shop.produce(kafka, topic_name, bad)
    configuration = shop.on_kafka(
        tmp_path, kafka, shop.model("shop", {"kafka": topic_name}), dead_letters=f"{topic_name}-bad", consumers=2
    )
    store = MemoryStore()

    with shop.serving(configuration, store) as service:
        shop.wait_until(shop.judged(service, "shop", end_ms), "the last window is judged")

    rejected = [row[1:] for row in shop.rows(store, "dead_letters") if row[5] == "rejected"]
    found = shop.consumed(kafka, f"{topic_name}-bad", len(rejected))
    headers = [{name: value.decode() for name, value in record.headers} for record in found]
    places = sorted((int(said["leeway.partition"]), int(said["leeway.offset"])) for said in headers)
    assert places == sorted(row[:2] for row in rejected)
    assert {(record.value, record.key) for record in found} >= {
        (b"not json", b"k0"),
        (b'{"id": "x", "ts": "soon"}', b"k1"),
    }


# The client forgets a socket of an attempt that was given up; it is collected here, not in some later test.
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
def test_a_service_waits_for_the_topic_of_dead_letters_and_then_goes_on(
    kafka: Cluster, topic_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(kafka_outlet._OURS, "max_block_ms", 500)
    kafka.create_topic(topic_name)
    shop.produce(kafka, topic_name, [[b"not json"]])
    dead = f"{topic_name}-bad"
    configuration = shop.on_kafka(tmp_path, kafka, shop.model("shop", {"kafka": topic_name}), dead_letters=dead)

    with shop.serving(configuration, MemoryStore()) as service:
        shop.wait_until(
            lambda: any(f"topic '{dead}' does not exist" in reason for reason in service.ready()), "it says why"
        )
        assert service.counters.records == 0
        kafka.create_topic(dead)
        (found,) = shop.consumed(kafka, dead, 1)
    assert found.value == b"not json"
    gc.collect()


def test_models_that_share_a_topic_get_the_messages_that_are_theirs(
    kafka: Cluster, topic_name: str, tmp_path: Path, short: tuple[shop.Partitions, int]
) -> None:
    logs, end_ms = short
    mixed = [
        [json.dumps({**json.loads(line), "model": name}).encode() for line in log for name in ("a", "b", "nobody")]
        for log in logs
    ]
    kafka.create_topic(topic_name, partitions=2)
    shop.produce(kafka, topic_name, mixed)
    models = [shop.model(name, {"kafka": topic_name, "where": {"model": name}}) for name in ("a", "b")]
    configuration = shop.on_kafka(tmp_path, kafka, *models)
    store = MemoryStore()

    with shop.serving(configuration, store) as service:
        for name in ("a", "b"):
            shop.wait_until(shop.judged(service, name, end_ms), f"the last window of {name} is judged")
        # The last message of each partition closes no window.
        shop.wait_until(everything_read(service, sum(map(len, mixed))), "everything is read")

    assert service.counters.unmatched == sum(map(len, logs))
    apart = {name: shop.rows(store, "scores", without=["model"], model=name) for name in ("a", "b")}
    assert apart["a"] == apart["b"]
    assert shop.results(store, end_ms) == shop.results(
        shop.replayed(tmp_path, configuration, {topic_name: mixed}), end_ms
    )


def test_a_topic_that_begins_to_match_is_judged_with_the_others(
    kafka: Cluster, topic_name: str, tmp_path: Path, short: tuple[shop.Partitions, int]
) -> None:
    """One model names its topics, the other has a pattern; messages of a topic of both are decoded once."""
    logs, end_ms = short
    first, later = (f"{topic_name}-{suffix}" for suffix in "ab")
    half = len(logs[0]) // 2
    kafka.create_topic(first)
    shop.produce(kafka, first, [logs[0][:half]])
    models = [shop.model("by-name", {"kafka": first}), shop.model("by-pattern", {"kafka": f"/{topic_name}-[a-z]/"})]
    configuration = shop.on_kafka(tmp_path, kafka, *models, refresh="300ms")
    store = MemoryStore()

    with shop.serving(configuration, store) as service:
        shop.wait_until(everything_read(service, half), "the first half is read")
        kafka.create_topic(later)
        shop.wait_until(lambda: (later, 0) in standing(store), "the new topic is known")
        behind = [line for line in logs[1] if json.loads(line)["ts"] >= json.loads(logs[0][half])["ts"]]
        shop.produce(kafka, later, [behind])
        shop.produce(kafka, first, [logs[0][half:]])
        for model in models:
            name = model["metadata"]["name"]
            shop.wait_until(shop.judged(service, name, end_ms), f"the last window of {name} is judged")
        assert service.counters.records == len(logs[0]) + len(behind)
        assert service.counters.events == 2 * len(logs[0]) + len(behind)

    topics = {first: logs[:1], later: [behind]}
    assert shop.results(store, end_ms) == shop.results(shop.replayed(tmp_path, configuration, topics), end_ms)
    assert shop.rows(store, "checkpoints", only=["name"], stage="ingest") == [(first,), (later,)]


@pytest.mark.parametrize("running", [True, False], ids=["while_running", "while_stopped"])
def test_windows_no_longer_wait_for_a_topic_of_a_pattern_that_is_deleted(
    kafka: Cluster, topic_name: str, tmp_path: Path, short: tuple[shop.Partitions, int], running: bool
) -> None:
    logs, end_ms = short
    staying, leaving = (f"{topic_name}-{suffix}" for suffix in "ab")
    for name in (staying, leaving):
        kafka.create_topic(name)
    shop.produce(kafka, leaving, [logs[1][:10]])
    model = shop.model("shop", {"kafka": f"/{topic_name}-./"})
    configuration = shop.on_kafka(tmp_path, kafka, model, refresh="300ms")
    store = MemoryStore()

    with shop.serving(configuration, store) as service:
        shop.produce(kafka, staying, logs[:1])
        shop.wait_until(everything_read(service, len(logs[0]) + 10), "both topics are read")
        assert not shop.judged(service, "shop", end_ms)(), "windows wait for the slower topic"
        if running:
            kafka.delete_topic(leaving)
            shop.wait_until(shop.judged(service, "shop", end_ms), "windows go on without the topic")
    if not running:
        kafka.delete_topic(leaving)
        with shop.serving(configuration, store) as service:
            shop.wait_until(shop.judged(service, "shop", end_ms), "windows go on without the topic")
    of_window: dict[str, Any] = {"signal": "volume", "detector": "change", "window_end_ms": end_ms}
    assert shop.rows(store, "scores", only=["idle"], **of_window) == [(f"{leaving}/0",)]


def test_features_and_predictions_may_come_on_topics_of_their_own(
    kafka: Cluster, topic_name: str, tmp_path: Path, short: tuple[shop.Partitions, int]
) -> None:
    logs, end_ms = short
    topics = {f"{topic_name}-f": logs, f"{topic_name}-p": [shop.in_order(logs)]}
    for name, partitions in topics.items():
        kafka.create_topic(name, partitions=len(partitions))
        shop.produce(kafka, name, partitions)
    features, predictions = (
        {"kafka": name, "kind": kind} for name, kind in zip(topics, ("features", "prediction"), strict=True)
    )
    configuration = shop.on_kafka(tmp_path, kafka, shop.model("shop", features, predictions))
    store = MemoryStore()

    with shop.serving(configuration, store) as service:
        shop.wait_until(shop.judged(service, "shop", end_ms), "the last window is judged")

    assert shop.results(store, end_ms) == shop.results(shop.replayed(tmp_path, configuration, topics), end_ms)
    volume = shop.rows(store, "scores", only=["n"], signal="volume", detector="change", window_end_ms=end_ms)
    assert volume == [(100,)], "events are counted once, by their predictions"


class _Hindered:
    """A store of which writing panes waits, or fails, for as long as ``hindered``."""

    def __init__(self, store: Store, *, fails: bool) -> None:
        self.migrate, self.read, self.refresh = store.migrate, store.read, store.refresh
        self.totals, self.buckets, self.drifting = store.totals, store.buckets, store.drifting
        self.is_current = store.is_current
        self._store, self._fails = store, fails
        self.hindered, self.free = threading.Event(), threading.Event()

    def append(self, table: str, columns: Mapping[str, Any], token: str) -> None:
        if table == "panes" and not self.free.is_set():
            self.hindered.set()
            if self._fails:
                raise StoreError("the store is away", retryable=True)
            assert self.free.wait(shop.PATIENCE_S)
        self._store.append(table, columns, token)

    def close(self) -> None:
        """Left open."""


def members(kafka: Cluster, configuration: Configuration) -> set[str]:
    """The ids of the group's members."""
    group = configuration.service.spec.kafka.group
    with kafka.admin() as admin:
        return {member["member_id"] for member in admin.describe_groups([group])[group]["members"]}


@pytest.mark.parametrize("fails", [False, True], ids=["waits", "fails"])
def test_a_store_that_is_away_longer_than_the_poll_interval_costs_no_membership_and_no_row(
    kafka: Cluster, topic_name: str, tmp_path: Path, short: tuple[shop.Partitions, int], fails: bool
) -> None:
    logs, end_ms = short
    kafka.create_topic(topic_name, partitions=2)
    options = {"heartbeat_interval_ms": 200, "max_poll_interval_ms": 3_000}
    configuration = shop.on_kafka(tmp_path, kafka, shop.model("shop", {"kafka": topic_name}), options=options)
    store = MemoryStore()
    store.migrate()
    hindered = _Hindered(store, fails=fails)

    with shop.serving(configuration, hindered) as service:
        shop.produce(kafka, topic_name, [log[:1000] for log in logs])
        shop.wait_until(hindered.hindered.is_set, "the first panes are written")
        before = members(kafka, configuration)
        [worker] = service.intake.workers
        shop.wait_until(lambda: worker.paused_s > 9, "three poll intervals")
        assert members(kafka, configuration) == before
        shop.produce(kafka, topic_name, [log[1000:] for log in logs])
        hindered.free.set()
        shop.wait_until(shop.judged(service, "shop", end_ms), "the last window is judged")
        assert members(kafka, configuration) == before

    assert shop.results(store, end_ms) == shop.results(
        shop.replayed(tmp_path, configuration, {topic_name: logs}), end_ms
    )


def test_the_group_shows_how_far_checkpoints_are(
    kafka: Cluster, topic_name: str, tmp_path: Path, short: tuple[shop.Partitions, int]
) -> None:
    logs, _ = short
    kafka.create_topic(topic_name, partitions=2)
    shop.produce(kafka, topic_name, logs)
    configuration = shop.on_kafka(tmp_path, kafka, shop.model("shop", {"kafka": topic_name}))
    store = MemoryStore()

    with shop.serving(configuration, store):
        ends = {partition: len(log) for partition, log in enumerate(logs)}
        shop.wait_until(lambda: committed(kafka, configuration) == ends, "the offsets are committed")
        group = kafka.described_group(configuration.service.spec.kafka.group)

    told = {row["PARTITION"]: (row["TOPIC"], row["CURRENT-OFFSET"], row["LOG-END-OFFSET"], row["LAG"]) for row in group}
    assert told == {str(partition): (topic_name, str(end), str(end), "0") for partition, end in ends.items()}
    assert {row["CLIENT-ID"] for row in group} == {"leeway"}
    kept = shop.rows(store, "checkpoints", only=["partition", "position"], stage="ingest", name=topic_name)
    assert dict(kept) == ends
