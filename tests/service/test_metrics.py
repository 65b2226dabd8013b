"""What `/metrics` says of a service at work on a real broker."""

from __future__ import annotations

from pathlib import Path

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from monitor.clock import ManualClock
from monitor.config import load
from monitor.ingest.lag import Lag, Reached, lags
from monitor.service import Service
from sinks.store.memory import MemoryStore
from tests.service import shop
from tests.services.kafka import Cluster


def scraped(service: Service) -> list[Sample]:
    text = generate_latest(service.metrics).decode()
    return [sample for family in text_string_to_metric_families(text) for sample in family.samples]


def figures(samples: list[Sample], name: str) -> dict[tuple[str, ...], float]:
    """A metric's values by the values of its labels, in the order of their names."""
    found = [sample for sample in samples if sample.name == name]
    return {tuple(value for _, value in sorted(sample.labels.items())): sample.value for sample in found}


def test_everything_that_comes_is_counted_by_what_becomes_of_it(
    kafka: Cluster, topic_name: str, tmp_path: Path
) -> None:
    logs, end_ms = shop.traffic(seed=3, windows=12, per_window=100, partitions=2)
    bad = [b"not json", b'{"id": "x", "ts": "soon"}', b"[1]"]
    kafka.create_topic(topic_name, partitions=2)
    kafka.create_topic(f"{topic_name}-bad")
    shop.produce(kafka, topic_name, [[*bad, *logs[0]], logs[1]])
    model = shop.model("shop", {"kafka": topic_name})
    configuration = shop.on_kafka(tmp_path, kafka, model, dead_letters=f"{topic_name}-bad")

    with shop.serving(configuration, MemoryStore()) as service:
        shop.wait_until(shop.judged(service, "shop", end_ms), "the last window is judged")

        def settled() -> bool:
            samples = scraped(service)
            behind = figures(samples, "leeway_lag_records")
            # Rows are in the store a moment before what wrote them counts their windows.
            windows = figures(samples, "leeway_score_latency_seconds_count").get(("shop",), 0)
            return len(behind) == 4 and set(behind.values()) == {0} and windows >= 12

        shop.wait_until(settled, "everything is read and saved, and its windows are counted")
        samples = scraped(service)

    count, good = sum(map(len, logs)) + len(bad), sum(map(len, logs))
    plain = {sample.name: sample.value for sample in samples if not sample.labels}
    assert plain["leeway_records_total"] == count
    assert plain["leeway_events_total"] == good
    assert plain["leeway_record_bytes_total"] == sum(len(line) for log in [bad, *logs] for line in log)
    by_reason = figures(samples, "leeway_problems_total")
    assert {reason: by_reason[(reason,)] for reason in ("not_json", "event_time_unreadable", "not_an_object")} == {
        "not_json": 1,
        "event_time_unreadable": 1,
        "not_an_object": 1,
    }
    assert figures(samples, "leeway_rejected_bytes_total")["not_json",] == len(b"not json")
    rejected = plain["leeway_rejected_total"]
    assert figures(samples, "leeway_dead_letters_sent_total") == {(f"{topic_name}-bad",): rejected}
    assert sum(figures(samples, "leeway_dead_letter_sent_bytes_total").values()) >= sum(map(len, bad))
    ways = figures(samples, "leeway_decoded_records_total")
    assert ways["scanned",] + ways["parsed",] == count
    assert ways["parsed",] >= 2, "what is no JSON object is read on its own"
    assert figures(samples, "leeway_partitions_assigned") == {("kafka",): 2}
    assert figures(samples, "leeway_partition_changes_total")["assigned",] >= 1
    assert figures(samples, "leeway_lag_seconds") == {
        (at, str(partition), topic_name): 0 for at in ("checkpoint", "read") for partition in (0, 1)
    }
    assert set(figures(samples, "leeway_checkpoint_age_seconds")) == {("0", topic_name), ("1", topic_name)}
    steps = figures(samples, "leeway_ingest_seconds_total")
    assert set(steps) == {(step,) for step in ("poll", "decode", "fold", "write", "dead_letters", "checkpoint")}
    assert all(seconds > 0 for seconds in steps.values())
    windows = figures(samples, "leeway_windows_judged_total")["shop",]
    assert figures(samples, "leeway_score_latency_seconds_count") == {("shop",): windows}


def test_latency_begins_when_a_window_could_be_complete(tmp_path: Path) -> None:
    path = shop.configured(tmp_path, shop.model("shop", {"http": "shop"}), store={"kind": "memory"})
    clock = ManualClock(now_ms=1_000_000)
    service = Service(load(path), clock, MemoryStore())
    service.loop._note_latency("shop", [range(980_000, 1_000_001, 20_000)])
    buckets = figures(scraped(service), "leeway_score_latency_seconds_bucket")
    # One window ended 20 s ago, 15 s beyond the lateness of 5 s; the other cannot be complete yet, and is at once.
    assert {edge: buckets[(edge, "shop")] for edge in ("0.25", "10.0", "30.0", "+Inf")} == {
        "0.25": 1,
        "10.0": 1,
        "30.0": 2,
        "+Inf": 2,
    }
    service.stop()


def test_a_lag_is_told_as_far_as_it_is_known() -> None:
    events = ("events", 0)
    assert list(lags({events: Reached()}, {events: 5}, 9_000)) == []
    assert list(lags({events: Reached(read=2)}, {}, 9_000)) == []
    assert list(lags({events: Reached(read=2)}, {events: 5}, 9_000)) == [Lag(events, "read", 3, None)]
    # An end that is older than the position is no negative lag, nor is a clock that goes behind a negative time.
    assert list(lags({events: Reached(read=7, read_ms=1)}, {events: 5}, 9_000)) == [Lag(events, "read", 0, 0.0)]
    assert list(lags({events: Reached(read=2, read_ms=9_500)}, {events: 5}, 9_000)) == [Lag(events, "read", 3, 0.0)]
