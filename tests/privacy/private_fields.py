"""A model with private fields is driven through a service, and what was planted in them is looked for everywhere."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import generate_latest
from starlette.testclient import TestClient

from monitor.api.app import create_app
from monitor.checkpoint import decode_state
from monitor.clock import ManualClock, SystemClock
from monitor.config import load
from monitor.erasure.erase import Eraser, Request
from monitor.erasure.export import exported
from monitor.privacy.mask import Mask, key_of
from monitor.privacy.privacy import WITHHELD
from monitor.replay import Replay
from monitor.service import Service
from monitor.sources.files import FileSource
from monitor.watch import compile_watch
from sinks.store.backup import backup
from sinks.store.chdb import ChdbStore
from sinks.store.contract import TABLES, Query
from sinks.store.memory import MemoryStore
from sinks.store.rows import row_count, rows_of
from tests.cli.console import Console
from tests.ingest import test_dead_letters as dead_letters
from tests.ingest.outlet import MemoryOutlet
from tests.monitor import streams
from tests.monitor.streams import HOUR_MS, outcome, written
from tests.service import shop
from tests.service.test_retries import Once
from tests.service.test_secrets import everything_logged
from tests.sinks.receivers.listener import Listener

PLANTED = "planted"
SECRET = "not-for-production-0123456789abcdef"
WINDOWS, PER_WINDOW = 40, 30
START_MS = SystemClock().now_ms() // shop.WINDOW_MS * shop.WINDOW_MS
"""What happened before a service was started notifies nobody."""

SALARY, AGE = 54_321.987, 43.217

FEATURES: dict[str, Any] = {
    "amount": {"type": "numeric", "range": [0, 200]},
    "mail": {"type": "category", "privacy": "drop"},
    "height": {"type": "numeric", "privacy": "drop"},
    "customer": {"type": "category", "path": "user.id", "privacy": "hash"},
    "age": {"type": "numeric", "privacy": {"bucket": [0, 18, 40, 65]}},
    "salary": {"type": "numeric", "privacy": "personal"},
    "illness": {"type": "category", "privacy": "personal"},
}
SPEC: dict[str, Any] = {
    "schema": {
        "id": "id",
        "features": FEATURES,
        "prediction": {"score": {"type": "numeric", "privacy": "personal"}, "answer": {"type": "category"}},
        "labels": {"diagnosis": {"type": "category", "privacy": "personal"}, "paid": {"type": "category"}},
    },
    "detect": {
        **shop.DETECT,
        "rule": "variation",
        "defaults": {"window": "20s", "min_samples": 10, "learn_windows": 4},
        "rules": [
            {"on": "prediction:score", "use": ["adwin"]},
            {"on": "feature:salary", "use": [{"robust_z": {"false_alarm_rate": 0.02, "history": 128}}]},
        ],
    },
    "keep": {"events": True, "predictions": True, "subject": "user.id"},
}


def event(number: int) -> dict[str, Any]:
    """One of a stream of which every private field drifts, and every value of one names itself."""
    drifts = number > WINDOWS * PER_WINDOW * 3 // 4
    return {
        **{"id": f"e{number}", "ts": START_MS + number * shop.WINDOW_MS // PER_WINDOW, "amount": 50 + number % 7},
        **{"mail": f"{PLANTED}-{number}@example.org", "height": 171.717, "user": {"id": f"{PLANTED}-{number % 9}"}},
        **{"age": AGE + 30 * drifts, "salary": SALARY * (1 + number % 5 + 3 * drifts), "ssn": f"{PLANTED}-{number}"},
        **{"illness": f"{PLANTED}-ill-{drifts}-{number % 3}", "score": 0.123456 + 0.7 * drifts, "answer": "no"},
    }  # fmt: skip


def lines() -> list[bytes]:
    """The stream, with everything in it that becomes a dead letter."""
    out = [json.dumps(event(number)).encode() for number in range(WINDOWS * PER_WINDOW)]
    odd: list[dict[str, Any]] = [
        {"salary": PLANTED}, {"age": {PLANTED: 1}}, {"illness": [PLANTED]}, {"mail": 1.5}, {"user": {"id": [PLANTED]}},
        {"ts": PLANTED}, {"illness": PLANTED * 100}, {"amount": PLANTED}, {"id": [PLANTED]}, {"ts": 9e15},
    ]  # fmt: skip
    for number, change in enumerate(odd):
        out.insert(500 + 20 * number, json.dumps(event(500) | {"id": f"o{number}"} | change).encode())
    # one that is none, one that ends in the middle, one that came before
    return [*out[:800], b"[1, " + PLANTED.encode(), out[600][:-40], out[799], *out[800:]]


def outcomes() -> list[bytes]:
    return [
        json.dumps({"id": f"e{n}", "ts": START_MS + n, "diagnosis": f"{PLANTED}-{n}", "paid": "yes"}).encode()
        for n in range(50)
    ]


@dataclass
class World:
    """What a service has left behind: texts by where they are, and rows by table."""

    texts: dict[str, str]
    rows: dict[str, list[dict[str, Any]]]
    folder: Path


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("LEEWAY_HASH_KEY", SECRET)
        patched.setattr("monitor.evaluate.loop.EVALUATE_EVERY_S", 0.02)
        yield served(tmp_path_factory.mktemp("world"))


def served(folder: Path, **spec: Any) -> World:
    """Run a service over the stream to its end, ask it everything, and look at what it has written."""
    for name, of in (("events", lines()), ("outcomes", outcomes())):
        (folder / f"{name}.jsonl").write_bytes(b"".join(line + b"\n" for line in of))
    sources = [
        {"file": str(folder / "events.jsonl")},
        {"file": str(folder / "outcomes.jsonl"), "kind": "labels"},
    ]
    with everything_logged() as log, Listener() as listener:
        store = MemoryStore()
        store.migrate()
        hook = {"kind": "webhook", "name": "hook", "url": listener.url(), "allow_private": True}
        privacy = {"hash_key": "${LEEWAY_HASH_KEY}"}
        document = shop.model("shop", *sources, **{**SPEC, **spec})
        route = {"receiver": "hook", "group_wait": "0s", "group_interval": "1s"}
        people = {"receivers": [hook, {"kind": "log"}], "alerting": {"route": route}}
        path = shop.configured(folder, document, privacy=privacy, **people)
        with shop.serving(load(path), store) as service, TestClient(create_app(service)) as api:
            shop.wait_until(lambda: listener.requests, "somebody is notified")
            shop.wait_until(shop.judged(service, "shop", START_MS + (WINDOWS - 1) * shop.WINDOW_MS), "all is judged")
            # Scores are written before alerts.
            alert_id = shop.wait_until(lambda: store.read(Query("alerts"))["alert_id"], "it alarms")[0]
            asked = {"model": "shop", "alert_id": alert_id, "incident_id": alert_id}
            end_ms = START_MS + WINDOWS * shop.WINDOW_MS
            asked |= {"from": str(START_MS), "to": str(end_ms), "window_end": str(end_ms), "at": str(end_ms)}
            texts = {f"API {address}": answer for address, answer in answers_of(api, asked)}
            texts["metrics"] = generate_latest(service.metrics).decode()
        texts["notifications"] = repr([(request.body, request.headers) for request in listener.requests])
        rows = {name: rows_of(store.read(Query(name))) for name in TABLES}
        for row in rows["checkpoints"]:
            row["state"] = repr(decode_state(row["state"])) if row["state"] else ""
        on_disk(store, folder)
    texts["files"] = "".join(
        file.read_bytes().decode("latin-1") for file in folder.glob("store/**/*") if file.is_file()
    )
    texts["backup"] = "".join(
        file.read_bytes().decode("latin-1") for file in folder.glob("backup/**/*") if file.is_file()
    )
    texts["log"] = log.getvalue()
    return World(texts | {f"table {name}": repr(of) for name, of in rows.items()}, rows, folder)


def on_disk(store: MemoryStore, folder: Path) -> None:
    """Keep the same in files, a backup among them."""
    with closing(ChdbStore(folder / "store")) as chdb:
        chdb.migrate()
        for name in TABLES:
            if row_count(columns := store.read(Query(name))):
                chdb.append(name, columns, token="copied")
        backup(chdb, folder / "backup")


def answers_of(api: TestClient, asked: dict[str, str]) -> Iterator[tuple[str, str]]:
    """What the API says at every address that can be read, of the signals that are of interest."""
    for path, operations in api.get("/openapi.json").json()["paths"].items():
        if "get" not in operations or path.endswith("/stream"):
            continue
        parameters = operations["get"].get("parameters", ())
        known = {parameter["name"] for parameter in parameters if parameter["in"] == "query"}
        signals = ["feature:illness", "feature:salary"] if "signal" in known else [""]
        for signal in signals:
            values = {**asked, **({"signal": signal} if signal else {})}
            address = path.format_map(defaultdict(lambda: "none", values))
            answer = api.get(address, params={name: value for name, value in values.items() if name in known})
            assert answer.status_code < 500 or path == "/readyz", (path, answer.text)
            yield f"{address} {signal} {answer.status_code}", answer.text


def test_what_stands_in_private_fields_is_nowhere(world: World) -> None:
    assert len(world.rows["events"]) > WINDOWS * PER_WINDOW - 10
    assert len(world.rows["dead_letters"]) >= 12
    assert world.rows["findings"]
    assert {json.loads(row["labels"])["model"] for row in world.rows["alerts"]} == {"shop"}
    answered = {where.split()[1] for where in world.texts if where.endswith(" 200")}
    assert {"/v1/findings", "/v1/dead-letters", "/v1/distributions", "/v1/history"} <= answered, answered
    for where, text in world.texts.items():
        for value in (PLANTED, str(SALARY), str(AGE), "171.717", "0.123456"):
            assert value not in text, (where, value, text[max(0, text.index(value) - 200) :][:400])


def test_what_is_shown_instead_says_so_and_still_drifts(world: World) -> None:
    mask = Mask("personal", key_of(SECRET))
    scores = [row for row in world.rows["scores"] if row["status"] == "drift"]
    assert {"feature:age", "feature:illness", "feature:salary", "prediction:score"} <= {row["signal"] for row in scores}
    assert mask.text(f"{PLANTED}-ill-True-0") in world.texts["table panes"]
    assert any("personal-" in row["detail"] for row in scores if row["signal"] == "feature:illness")
    letters = {(row["reason"], row["payload"], row["detail"]) for row in world.rows["dead_letters"]}
    assert ("not_json", b"", WITHHELD) in letters
    assert all(row["payload_bytes"] > 10 for row in world.rows["dead_letters"])


def test_single_values_of_what_is_personal_or_dropped_are_not_kept(world: World) -> None:
    shown = {"feature:amount", "feature:customer", "feature:age", "prediction:answer"}
    assert {name for row in world.rows["events"] for name in json.loads(row["fields"])} == shown
    assert {row["signal"] for row in world.rows["predictions"]} == {"prediction:answer"}
    assert {row["signal"] for row in world.rows["labels"]} == {"label:paid"}
    assert all(isnan(row["value"]) for row in world.rows["findings"])
    # who an event is about is told by the digest of the field that stands at the same path
    assert {row["subject"] for row in world.rows["events"]} - {""} == {
        Mask("hash", key_of(SECRET)).text(f"{PLANTED}-{number}") for number in range(9)
    }


def test_a_person_is_found_by_their_digest_exported_and_erased(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEEWAY_HASH_KEY", SECRET)
    configuration, request = load(world.folder / "leeway.yaml"), Request(f"{PLANTED}-3")
    digest = Mask("hash", key_of(SECRET)).text(request.subject)
    with closing(ChdbStore(world.folder / "store")) as store:
        held = list(exported(store, configuration, request))
        assert {"events", "predictions", "panes", "checkpoints"} <= {record["table"] for record in held}
        subjects = {record["row"]["subject"] for record in held if record["table"] == "events"}
        names = {name for record in held if record["table"] == "panes" for name in record["row"]["names"]}
        assert (subjects, names) == ({digest}, {digest})
        done = Eraser(store, configuration, ManualClock(START_MS + HOUR_MS)).erase(request)
        assert (done.state, done.remaining, done.rows["events"]) == ("done", 0, len(subjects_of(world, digest)))
        assert list(exported(store, configuration, request)) == []
        assert digest not in repr(store.read(Query("panes"))["names"])
        listed = {name: store.read(Query(name)) for name in ("erasures", "erasure_keys")}
    # and a replay brings nothing back
    again = replayed(tmp_path, monkeypatch, listed=listed)
    assert digest not in repr(again.read(Query("panes"))["names"])
    assert "erased-" in repr(again.read(Query("panes"))["names"])
    other = Mask("hash", key_of(SECRET)).text(f"{PLANTED}-4")
    assert set(again.read(Query("events"))["subject"]) & {digest, other} == {other}


def subjects_of(world: World, digest: str) -> list[str]:
    return [row["subject"] for row in world.rows["events"] if row["subject"] == digest]


def replayed(folder: Path, monkeypatch: pytest.MonkeyPatch, secret: str = SECRET, **options: Any) -> MemoryStore:
    """Replay a part of the stream, as one who has a key of their own would."""
    monkeypatch.setenv("LEEWAY_HASH_KEY", secret)
    spec = {**SPEC, **options.pop("spec", {})}
    document = shop.model("shop", {"kafka": "events"}, {"kafka": "outcomes", "kind": "labels"}, **spec)
    configuration = load(shop.configured(folder, document, privacy={"hash_key": "${LEEWAY_HASH_KEY}"}))
    paths = {"events": written(folder / "e", [lines()[480:830]]), "outcomes": written(folder / "o", [outcomes()])}
    store = MemoryStore()
    store.migrate()
    for table, columns in options.pop("listed", {}).items():
        store.append(table, columns, token="listed")
    Replay(configuration, store, FileSource(paths)).run(**options)
    return store


def test_rows_are_the_same_whatever_the_batches_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = (outcome(replayed(tmp_path, monkeypatch, batch=batch), ["shop"]) for batch in (7, 400))
    assert one == other


def test_under_another_key_categories_are_others_and_what_was_learned_does_not_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = (replayed(tmp_path, monkeypatch, secret) for secret in (SECRET, SECRET[::-1]))
    names = [{name for names in store.read(Query("panes"))["names"] for name in names} for store in (one, other)]
    assert {name for name in names[0] & names[1] if "-" in name} == set()
    configs = [set(store.read(Query("epochs", {"model": "shop"}))["config"]) for store in (one, other)]
    assert not configs[0] & configs[1]


def test_a_model_without_private_fields_keeps_what_it_has_learned() -> None:
    watch = compile_watch(streams.configured(), "loans")
    assert (watch.fold_hash, watch.config_hash) == ("a3e5d9e0b09838d5", "384b183ca0280dac")


def test_with_summaries_only_nothing_of_a_single_event_is_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    public = {name: {k: v for k, v in of.items() if k != "privacy"} for name, of in FEATURES.items()}
    spec = {
        "schema": {**SPEC["schema"], "features": public},
        "detect": {**SPEC["detect"], "rules": []},
        "keep": "none",
    }
    store = replayed(tmp_path, monkeypatch, spec=spec)
    assert sum(store.read(Query("panes", {"signal": "volume"}))["n"]) > 300
    assert {
        name for name in ("events", "predictions", "labels", "findings") if row_count(store.read(Query(name)))
    } == set()
    letters = store.read(Query("dead_letters"))
    assert len(letters["offset"]) >= 12
    assert set(letters["payload"]) == {b""}
    assert PLANTED not in repr(letters)


def test_a_topic_of_dead_letters_gets_where_a_message_stands_and_nothing_of_it(tmp_path: Path) -> None:
    schema = {**shop.SCHEMA, "features": {**shop.SCHEMA["features"], "mail": {"type": "category", "privacy": "drop"}}}
    models = [shop.model("shop", {"kafka": "events"}, schema=schema), shop.model("other", {"kafka": "events"})]
    configuration = dead_letters.configured(tmp_path, *models, dead_letters="bad")
    outlet, trace, broken = MemoryOutlet(), (("trace", PLANTED.encode()),), b'{"mail": "planted'
    dead_letters.ran(dead_letters.reading(configuration, dead_letters.ListSource("events", [broken], [trace]), outlet))
    [message] = outlet.topics["bad"]
    assert (message.value, message.key) == (b"", None)
    said = dict(message.headers)
    assert (said["leeway.offset"], said["leeway.reason"]) == (b"0", b"not_json")
    assert (said["leeway.value_bytes"], said["leeway.detail"]) == (b"17", WITHHELD.encode())
    assert PLANTED not in repr(message)


def test_a_message_that_was_withheld_is_shown_with_where_to_look(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    letter = next(row for row in world.rows["dead_letters"] if row["reason"] == "not_json")
    topic, offset = letter["topic"], letter["offset"]
    said = Console(capsys)("dead-letters", "show", topic, 0, offset, "--store", world.folder / "store")
    assert WITHHELD in said.out
    assert f"bytes, of which nothing was kept: they stand in {topic} itself" in said.out


def test_a_message_that_was_withheld_is_put_back_from_its_stream(tmp_path: Path) -> None:
    schema = {**shop.SCHEMA, "features": {**shop.SCHEMA["features"], "mail": {"type": "category", "privacy": "drop"}}}
    path = shop.configured(tmp_path, shop.model("shop", {"http": "shop"}, schema=schema), store={"kind": "memory"})
    broken = b'{"mail": "planted", "ts": "yesterday"}'
    service = Service(load(path), SystemClock())
    try:
        service.accept("shop", [broken])
        Replay(service.configuration, service.store, Once(service)).run()
        assert set(service.store.read(Query("dead_letters"))["payload"]) == {b""}
        [retried] = service.retry([("shop", 0, 0)])
        assert (retried.outcome, retried.taken_from) == ("retried", "log")
        log: Any = service.intake.http_log
        assert log.read("shop", 1, 9).payloads == [broken]
    finally:
        service.stop()
