"""`leeway dead-letters show|retry`: what was rejected is looked at, and read again once the configuration is mended."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from monitor.build import bounded_source
from monitor.cli.dead_letters import retry
from monitor.clock import SystemClock
from monitor.config import Configuration, load
from monitor.erasure.erased import DONE, Erasure, ErasureList
from monitor.replay import Replay
from monitor.service import Service
from monitor.sources.files import FileSource
from monitor.sources.http_log import HttpSource
from sinks.store import open_store
from sinks.store.contract import Query, Store
from sinks.store.memory import MemoryStore
from tests.api.world import serving
from tests.cli.console import Console
from tests.service import shop
from tests.services.kafka import Cluster

ROLES = ("evaluate", "ingest")
SPEC: dict[str, Any] = {
    "schema": {"features": {"amount": {"type": "numeric"}}},
    "detect": {"rules": []},
}
BAD = b'{"amount": 5, "user": "ann", "ts": "soon"}'


@pytest.fixture
def leeway(capsys: pytest.CaptureFixture[str]) -> Console:
    return Console(capsys)


def event(number: int) -> bytes:
    return json.dumps({"amount": number, "user": "bob", "ts": shop.START_MS + number}).encode()


def on_topic(folder: Path, kafka: Cluster, topic: str, **source: Any) -> Configuration:
    keep = {"events": True, "subject": "user"}
    model = shop.model("shop", {"kafka": topic, **source}, **SPEC, keep=keep)
    return shop.on_kafka(folder, kafka, model)


def read(configuration: Configuration, store: Store) -> Any:
    """Read a topic from its checkpoints to its end."""
    return Replay(configuration, store, bounded_source(configuration)).run(checkpoint_every=1).counters


def retries(store: Store) -> list[tuple[Any, ...]]:
    columns = ("topic", "partition", "offset", "attempt", "to_partition", "to_offset")
    return shop.rows(store, "retries", only=columns)


@pytest.mark.kafka
def test_a_message_is_put_back_as_it_was_and_counts_once_the_configuration_is_mended(
    kafka: Cluster, topic_name: str, tmp_path: Path, leeway: Console
) -> None:
    kafka.create_topic(topic_name, partitions=2)
    shop.produce(kafka, topic_name, [[], [event(0), event(1)]])
    wrong = on_topic(tmp_path / "wrong", kafka, topic_name, event_time={"path": "when", "unit": "ms"})
    store = MemoryStore()
    assert read(wrong, store).reasons == {"no_event_time": 2}

    mended = on_topic(tmp_path / "mended", kafka, topic_name)
    service = Service(mended, SystemClock(), store, roles=ROLES)
    with serving(service) as url:
        planned = leeway("dead-letters", "retry", "--model", "shop", "--dry-run", "--json", "--url", url)
        assert planned.code == 0, planned.err
        assert [(row["offset"], row["outcome"], row["to_offset"]) for row in planned.lines] == [
            (0, "planned", -1),
            (1, "planned", -1),
        ]
        assert not retries(store)
        done = leeway("dead-letters", "retry", "--reason", "no_event_time", "--yes", "--json", "--url", url)
        assert [(row["offset"], row["outcome"], row["taken_from"]) for row in done.lines] == [
            (0, "retried", "log"),
            (1, "retried", "log"),
        ]
        listed = leeway("dead-letters", "list", "--json", "--url", url).lines
        again = leeway("dead-letters", "retry", "--model", "shop", "--url", url)
        forced = leeway("dead-letters", "retry", topic_name, 1, 0, "--json", "--url", url)
    assert [row["retries"] for row in listed] == [1, 1]
    assert again.out.splitlines()[-1] == "nothing to put back", again.out
    assert forced.lines[0]["attempt"] == 2
    assert retries(store) == [(topic_name, 1, 0, 1, 1, 2), (topic_name, 1, 0, 2, 1, 4), (topic_name, 1, 1, 1, 1, 3)]

    old, *_, back = shop.consumed(kafka, topic_name, 5, partition=1)
    assert (back.value, back.key, back.timestamp) == (old.value, old.key, old.timestamp)
    assert {name: value.decode() for name, value in back.headers} == {
        "leeway.retry.topic": topic_name,
        "leeway.retry.partition": "1",
        "leeway.retry.offset": "0",
        "leeway.retry.attempt": "2",
    }
    assert read(mended, store).events == 3
    service.stop()


@pytest.mark.kafka
def test_what_must_not_come_back_is_refused_and_the_rest_is_put_back(
    kafka: Cluster, topic_name: str, tmp_path: Path, leeway: Console
) -> None:
    kafka.create_topic(topic_name)
    kept = event(1).replace(b'"amount": 1', b'"amount": "one"')
    large = BAD.replace(b"{", b'{"blob": "%s", ' % (b"x" * 100_000)).replace(b"ann", b"bob")
    shop.produce(kafka, topic_name, [[BAD, kept, large, event(2), event(3), event(4)]])
    configuration = on_topic(tmp_path, kafka, topic_name)
    store = MemoryStore()
    read(configuration, store)
    erasures = ErasureList(store)
    digest = erasures.hash_of("ann", make_key=lambda: (1, "00" * 32))
    erasures.add(Erasure(digest, "shop", 1, 1 << 62, DONE, ()))

    service = Service(configuration, SystemClock(), store, roles=ROLES)
    with serving(service) as url:
        said = {
            offset: leeway("dead-letters", "retry", topic_name, 0, offset, "--json", "--url", url).lines[0]
            for offset in range(4)
        }
    details = {offset: row["detail"] for offset, row in said.items()}
    assert details == {
        0: "its subject was erased",
        1: "it counted, but for a field: put back, it would count twice",
        2: "",
        3: "no dead letter has this place",
    }
    assert retries(store) == [(topic_name, 0, 2, 1, 0, 6)]
    assert shop.consumed(kafka, topic_name, 7)[-1].value == large, "the whole of it, though the store has its start"
    service.stop()


@pytest.mark.kafka
def test_what_kafka_no_longer_has_comes_from_the_store_if_it_is_whole(
    kafka: Cluster, topic_name: str, tmp_path: Path, leeway: Console
) -> None:
    kafka.create_topic(topic_name)
    shop.produce(kafka, topic_name, [[BAD, event(1), BAD.replace(b"{", b'{"blob": "%s", ' % (b"x" * 100_000))]])
    configuration = on_topic(tmp_path, kafka, topic_name)
    store = MemoryStore()
    read(configuration, store)
    with kafka.admin() as admin:
        from kafka import TopicPartition

        admin.delete_records({TopicPartition(topic_name, 0): 3})

    service = Service(configuration, SystemClock(), store, roles=ROLES)
    with serving(service) as url:
        done = leeway("dead-letters", "retry", "--all", "--yes", "--url", url)
        rows = leeway("dead-letters", "retry", "--all", "--again", "--dry-run", "--json", "--url", url).lines
    assert "its key and headers are lost" in done.out
    assert done.out.splitlines()[-1] == "1 retried, 1 refused"
    assert rows[1]["detail"] == "it is gone from its stream, and the store has at most its start"
    assert [record.value for record in shop.consumed(kafka, topic_name, 1)] == [BAD]
    service.stop()


def test_a_message_of_an_http_stream_is_posted_again(tmp_path: Path, leeway: Console) -> None:
    model = shop.model("shop", {"http": "shop"}, **SPEC)
    path = shop.configured(tmp_path, model)
    service = Service(load(path), SystemClock(), roles=ROLES)
    service.accept("shop", [BAD, event(1)])
    Replay(service.configuration, service.store, Once(service)).run()
    service.stop()

    shown = leeway("dead-letters", "show", "shop", 0, 0, "--store", tmp_path / "store")
    assert "event_time_unreadable" in shown.out
    assert shown.out.splitlines()[-2:] == [f"{len(BAD)} bytes", BAD.decode()]
    said = leeway("dead-letters", "retry", "--topic", "shop", "--yes", "--config", path)
    assert (said.code, said.out.splitlines()[-1]) == (0, "1 retried"), said.err

    store = open_store("chdb", path=str(tmp_path / "store"))
    assert retries(store) == [("shop", 0, 0, 1, 0, 2)]
    audit = store.read(Query("audit", columns=("operation", "subject", "status")))
    assert list(map(list, audit.values())) == [["leeway dead-letters retry"], ["1 messages"], [200]]
    store.close()
    service = Service(load(path), SystemClock(), roles=ROLES)
    log: Any = service.intake.http_log
    assert log.read("shop", 2, 9).payloads == [BAD]
    service.stop()


class Once(HttpSource):
    """What is in the log now."""

    bounded = True

    def __init__(self, service: Service) -> None:
        log: Any = service.intake.http_log
        super().__init__(log, ["shop"])


def test_files_say_that_they_cannot_be_retried(tmp_path: Path, leeway: Console) -> None:
    (tmp_path / "models").mkdir()
    events = tmp_path / "models" / "events.jsonl"
    events.write_bytes(BAD + b"\n")
    path = shop.configured(tmp_path, shop.model("shop", {"file": "events.jsonl"}, **SPEC))
    configuration = load(path)
    store = MemoryStore()
    Replay(configuration, store, FileSource({"events.jsonl": [events]})).run()
    service = Service(configuration, SystemClock(), store, roles=ROLES)
    with serving(service) as url:
        said = leeway("dead-letters", "retry", "--all", "--url", url)
    assert "files cannot be retried" in said.out
    assert (said.code, said.out.splitlines()[-1]) == (0, "1 refused")
    service.stop()


def test_a_terminal_sees_how_many_were_looked_at_and_tried(
    tmp_path: Path, leeway: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = shop.configured(tmp_path, shop.model("shop", {"http": "shop"}, **SPEC), store={"kind": "memory"})
    service = Service(load(path), SystemClock(), roles=ROLES)
    service.accept("shop", [BAD] * 3)
    Replay(service.configuration, service.store, Once(service)).run()
    words = ["dead-letters", "retry", "--all", "--dry-run"]
    with serving(service) as url:
        piped = leeway(*words, "--url", url)
        monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("COLUMNS", "100")
        watched = leeway(*words, "--url", url)
    service.stop()
    assert (piped.err, piped.out.splitlines()[-1]) == ("", "3 planned")
    assert watched.out.splitlines()[-1] == "3 planned"
    assert re.search(r"looking for them.*3 messages.*trying.*3 messages", watched.err, re.DOTALL)


def test_with_json_the_log_of_a_command_that_has_the_store_is_json(tmp_path: Path, leeway: Console) -> None:
    path = shop.configured(tmp_path, shop.model("shop", {"http": "shop"}, **SPEC), store={"kind": "memory"})
    said = leeway("dead-letters", "retry", "--all", "--json", "--config", path)
    assert said.code == 0
    assert "stopped" in [json.loads(line)["event"] for line in said.err.splitlines()]


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A store with one dead letter that is no text, twice put back."""
    store = open_store("chdb", path=str(tmp_path / "store"))
    store.migrate()
    row = {"topic": "t", "partition": 3, "offset": 7, "model": "", "field": "", "action": "rejected"}
    row |= {"reason": "not_utf8", "detail": "byte 1", "record_ms": 1_700_000_000_000, "payload": b"{\xff}" * 6}
    store.append("dead_letters", {name: [value] for name, value in {**row, "payload_bytes": 100}.items()}, "a")
    for attempt in (1, 2):
        place: dict[str, Any] = {
            "topic": ["t"],
            "partition": [3],
            "offset": [7],
            "attempt": [attempt],
            "at_ms": [5_000 * attempt],
        }
        store.append("retries", {**place, "to_partition": [3], "to_offset": [9]}, f"b{attempt}")
    assert len(store.read(Query("retries"))["attempt"]) == 2
    store.close()
    return tmp_path / "store"


def test_a_message_is_shown_with_all_that_is_known_of_it(kept: Path, leeway: Console) -> None:
    said = leeway("dead-letters", "show", "t", 3, 7, "--store", kept)
    assert said.out == (
        "topic         t\npartition     3\noffset        7\naction        rejected\nreason        not_utf8\n"
        "detail        byte 1\ntime          2023-11-14T22:13:20Z\nretries       2, the last 1970-01-01T00:00:10Z\n\n"
        "100 bytes, of which the first 18 were kept\n"
        "00000000  7b ff 7d 7b ff 7d 7b ff 7d 7b ff 7d 7b ff 7d 7b  {.}{.}{.}{.}{.}{\n"
        "00000010  ff 7d                                            .}\n"
    )
    base64 = leeway("dead-letters", "show", "t", 3, 7, "--payload", "base64", "--store", kept)
    assert base64.out.splitlines()[-1] == "e/99e/99e/99e/99e/99e/99"
    (row,) = leeway("dead-letters", "show", "t", 3, 7, "--json", "--store", kept).lines
    assert (row["retries"], row["retried_ms"], row["payload"]) == (2, 10_000, None)


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["show", "t", 3, 8], 2, "no dead letter stands at t 3 8"),
        (["show", "t", "x", 8], 2, "'x' is not a valid integer"),
    ],
)
def test_a_place_without_a_dead_letter_is_an_error(
    words: list[object], code: int, message: str, kept: Path, leeway: Console
) -> None:
    said = leeway("dead-letters", *words, "--store", kept)
    assert (said.code, said.out) == (code, "")
    assert message in said.err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ([], 2, "Say which messages"),
        (["--all", "--topic", "t"], 2, "Say which messages"),
        (["t", "0"], 2, "A message has three coordinates"),
        (["t", "0", "-1"], 2, "No such option"),
        (["--all", "--url", "http://127.0.0.1:1", "--config", "x"], 2, "--url and --config exclude each other"),
        (["--all", "--url", "http://127.0.0.1:1"], 3, "--config FILE puts back"),
    ],
)
def test_retrying_says_what_would_be_right(words: list[str], code: int, message: str, leeway: Console) -> None:
    said = leeway("dead-letters", "retry", *words)
    assert (said.code, said.out) == (code, "")
    assert message in said.err


def test_reasons_are_completed() -> None:
    (option,) = [parameter for parameter in retry.params if parameter.name == "reason"]
    context = retry.make_context("retry", ["--all"], resilient_parsing=True)
    assert {item.value for item in option.shell_complete(context, "no_")} == {"no_event_time", "no_id"}
