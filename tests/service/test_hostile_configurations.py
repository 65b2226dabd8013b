"""Whatever an editor sends, or many of them: operators stay able to act, and other models go on."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from monitor.build import open_http_log
from monitor.check import read_model, with_posted
from monitor.clock import SystemClock
from monitor.config import Model, load
from monitor.config.document import ConfigError, Mistake
from monitor.configurations.following import begun, following
from monitor.configurations.in_force import InForce
from monitor.configurations.log import Change, ConfigurationLog
from monitor.sources.http_log import HttpLog
from sinks.store.batch import append
from sinks.store.memory import MemoryStore
from tests.service import shop
from tests.service.test_configurations import nothing, orders, serving

JSON = {"Content-Type": "application/json"}


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.service.FOLLOW_EVERY_S", 0.1)
    monkeypatch.setattr("monitor.sources.set_aside.FIRST_PAUSE_S", 0.2)
    monkeypatch.setattr("monitor.sources.set_aside.TRIED_FOR_S", 0.5)


def test_what_fills_the_room_of_the_api_keeps_nobody_from_files_and_from_giving_models_up(
    tmp_path: Path, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.configurations.log.MOST_MODELS", 2)
    monkeypatch.setattr("monitor.configurations.log.MOST_VERSIONS", 2)
    log = ConfigurationLog(store, SystemClock())
    for name in "abc":
        log.put(Change(name, json.dumps(shop.model(name, {"http": name}))))
        log.put(Change(name, "", "nobody"))
    with serving(nothing(tmp_path), store) as there:
        for resolve_after in ("80s", "90s"):
            assert there.put(orders(alerts={"resolve_after": resolve_after})).is_success
        refused = there.put(orders())
        assert (refused.status_code, refused.json()["detail"]) == (
            422, "orders has 2 versions, which is the most: it may only be given up"
        )  # fmt: skip
        assert there.client.delete("/v1/models/orders/configuration").is_success
    for name in "de":
        log.put(Change(name, json.dumps(shop.model(name, {"http": name}))))
    path = shop.configured(tmp_path, orders(), shop.model("a", {"http": "a"}), models=["models/*.yaml"])
    with serving(path, store) as there:
        assert {"orders", "a"} <= there.service.watches.keys()
        assert there.versions()["items"][0]["owner"] == "file"
        shop.wait_until(lambda: there.service.ready() == [], "it is ready")
        document = json.dumps(shop.model("f", {"http": "f"}))
        refused = there.client.put("/v1/models/f/configuration", content=document, headers=JSON)
        assert refused.json()["detail"] == "the API owns 2 models already: give one up first"


class ContestedStore(MemoryStore):
    """To whose first version of a configuration another process adds its own at the same moment."""

    contests = True

    def append(self, table: str, columns: Mapping[str, Sequence[Any]], token: str) -> None:
        super().append(table, columns, token)
        if table == "configurations" and self.contests:
            self.contests = False
            append(self, table, {**columns, "digest": ["an0ther"], "version": [2]})


def test_a_file_that_another_process_has_otherwise_at_the_same_moment_ends_nothing_and_is_said(tmp_path: Path) -> None:
    store = ContestedStore()
    store.migrate()
    path = shop.configured(tmp_path, orders(), models=["models/*.yaml"])
    with serving(path, store) as there:
        shop.wait_until(lambda: len(there.service.ready()) == 1, "its streams are open")
        [reason] = there.service.ready()
        assert "is another one here than where version 2 was read" in reason
        assert there.versions()["not_converged"]


@pytest.mark.parametrize(
    ("source", "field", "message"),
    [
        ({"kafka": ["/(a+)+b/", "a" * 40]}, "kafka.0", "'/(a+)+b/' may take long to match: in a document that comes"),
        ({"kafka": "/.*a.*b.*c.*/"}, "kafka.0", "'/.*a.*b.*c.*/' may take long to match"),
        ({"kafka": "/(?=a)b/"}, "kafka.0", "'/(?=a)b/' may take long to match"),
        ({"kafka": f"/{'a' * 250}/"}, "kafka.0", "may take long to match"),
        (
            {"kafka": "orders", "dead_letters": "payments"},
            "dead_letters",
            "only a model whose document is a file may name a topic that Leeway writes to; the service's is used",
        ),
    ],
)
def test_patterns_that_are_slow_and_topics_to_write_to_are_for_files_alone(
    source: dict[str, Any], field: str, message: str
) -> None:
    [mistake] = mistakes_of(shop.model("orders", source))
    assert mistake.path == f"spec.sources.0.{field}"
    assert message in mistake.message


@pytest.mark.parametrize("pattern", ["/orders-.*/", r"/(?:eu|us)\.orders-[0-9(*?+)]{2}/", r"/a\(\*\+\?b*/"])
def test_simple_patterns_are_for_everybody(pattern: str) -> None:
    assert mistakes_of(shop.model("orders", {"kafka": pattern})) == []


def mistakes_of(document: dict[str, Any]) -> list[Mistake]:
    try:
        read_model(Path(), "orders", json.dumps(document))
    except ConfigError as error:
        return error.mistakes
    return []


def test_what_lasts_is_not_read_with_every_look_and_is_taken_up_when_it_is_mended(
    tmp_path: Path, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[str] = []

    def counted(folder: Path, name: str, text: str) -> Model:
        reads.append(name)
        return read_model(folder, name, text)

    monkeypatch.setattr("monitor.configurations.following.read_model", counted)
    log, data = ConfigurationLog(store, SystemClock()), tmp_path / "usual.csv"
    in_force = begun(load(nothing(tmp_path)), log, {})
    log.put(Change("orders", json.dumps(orders(baseline={"kind": "dataset", "uri": "usual.csv"}))))

    def look(count: int) -> InForce:
        now = in_force
        for _ in range(count):
            now = following(now, log) or now
        return now

    in_force = look(200)
    assert "no such file" in in_force.behind["orders"]
    assert len(reads) < 12
    data.write_text("amount,country,score\n" + "".join(f"{n},DE,0.5\n" for n in range(100)))
    in_force = look(64)
    assert (in_force.versions, in_force.behind) == ({"orders": 1}, {})


def test_a_change_that_cannot_be_taken_up_keeps_no_other_from_it(tmp_path: Path, store: MemoryStore) -> None:
    path = nothing(tmp_path, kafka={"bootstrap": ["127.0.0.1:1"]}, ingest_log=str(tmp_path / "events" / "ingest.log"))
    with closing(HttpLog(tmp_path / "events" / "ingest.log", SystemClock())) as other, serving(path, store) as there:
        there.put(orders())
        shop.wait_until(there.service.ready, "it is said")
        for resolve_after in ("80s", "90s"):
            document = json.dumps(shop.model("returns", {"kafka": "returns"}, alerts={"resolve_after": resolve_after}))
            put = there.client.put("/v1/models/returns/configuration", content=document, headers=JSON)
            assert put.is_success, put.text
            shop.wait_until(lambda: there.versions("returns")["is_in_force"], "the other one is in force")
        shop.wait_until(lambda: "is in use by process" in str(there.versions()["not_converged"]), "and this one's why")
        other.close()
        shop.wait_until(lambda: there.versions()["is_in_force"], "it is in force")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("amount,country\n1,DE\nalice,hunter2,3\n", "not a readable csv file: Row #3: Expected 2 columns, got 3"),
        (
            "amount,country\n1,DE\nhunter2,DE\n",
            "column 'amount' is not numeric: it holds string, and row 2 is the first that is no number",
        ),
    ],
)
def test_what_is_said_of_a_data_set_quotes_none_of_its_values(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "users.csv").write_text(text)
    document = json.dumps(orders(baseline={"kind": "dataset", "uri": "users.csv"}))
    with pytest.raises(ConfigError) as caught:
        with_posted(load(nothing(tmp_path)), "orders", document)
    [mistake] = caught.value.mistakes
    assert mistake.message.endswith(message)


def test_a_log_of_http_events_that_cannot_be_opened_holds_up_models_of_the_api_alone(
    tmp_path: Path, store: MemoryStore
) -> None:
    ConfigurationLog(store, SystemClock()).put(Change("orders", json.dumps(orders())))
    (tmp_path / "events.jsonl").write_text('{"ts": 1}\n')
    file = shop.model("returns", {"file": str(tmp_path / "events.jsonl")})
    path = shop.configured(tmp_path, file, models=["models/*.yaml"], ingest_log=str(tmp_path / "other" / "ingest.log"))
    with closing(HttpLog(tmp_path / "other" / "ingest.log", SystemClock())) as other, serving(path, store) as there:
        shop.wait_until(lambda: there.service.counters.records == 1, "the file is read")
        [reason] = there.service.ready()
        assert reason.startswith("nothing of orders is read:")
        assert "is in use by process" in reason
        shop.wait_until(lambda: reason in str(there.versions()["not_converged"]), "it is not converged")
        assert there.client.post("/v1/events/orders", json=[{"ts": 1}]).status_code == 503
        other.close()
        shop.wait_until(lambda: there.versions()["is_in_force"] and not there.service.ready(), "it is in force")
        assert there.client.post("/v1/events/orders", json=[{"ts": 1}]).status_code == 202
        shop.wait_until(lambda: there.service.counters.records == 2, "it is read")


def test_events_are_refused_for_now_while_their_log_is_tried_again(
    tmp_path: Path, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    ConfigurationLog(store, SystemClock()).put(Change("orders", json.dumps(orders())))
    opening, go_on = threading.Event(), threading.Event()

    def open_slowly(*arguments: Any) -> Any:
        opening.set()
        go_on.wait(60)
        return open_http_log(*arguments)

    path = nothing(tmp_path, ingest_log=str(tmp_path / "events" / "ingest.log"))
    with closing(HttpLog(tmp_path / "events" / "ingest.log", SystemClock())) as other, serving(path, store) as there:
        shop.wait_until(there.service.ready, "it is said")
        monkeypatch.setattr("monitor.build.open_http_log", open_slowly)
        assert opening.wait(120)
        answer = there.client.post("/v1/events/orders", json=[{"ts": 1}])
        assert (answer.status_code, there.service.ready() != []) == (503, True)
        other.close()
        go_on.set()
        shop.wait_until(lambda: not there.service.ready(), "it is open")


def test_a_model_that_is_not_ready_holds_up_what_it_reads_and_no_other_stream(
    tmp_path: Path, store: MemoryStore
) -> None:
    usual = tmp_path / "usual.csv"
    usual.write_text("amount,country,score\n" + "".join(f"{n},DE,0.5\n" for n in range(100)))
    log = ConfigurationLog(store, SystemClock())
    log.put(Change("orders", json.dumps(orders(baseline={"kind": "dataset", "uri": usual.name}))))
    log.put(Change("returns", json.dumps(shop.model("returns", {"http": "returns"}, {"http": "orders"}))))
    with serving(nothing(tmp_path), store) as there:
        there.client.post("/v1/events/orders", json=[{"ts": 1}])
        shop.wait_until(lambda: there.service.counters.records == 1, "both read")
    text = usual.read_text()
    usual.unlink()
    with serving(nothing(tmp_path), store) as there:
        for stream in ("orders", "returns"):
            there.client.post(f"/v1/events/{stream}", json=[{"ts": 2}])
        shop.wait_until(lambda: there.service.counters.records == 1, "the other stream is read")
        waits = "nothing of orders is read: orders/0 waits for model 'orders', which reads it and cannot be made ready"
        shop.wait_until(lambda: waits in str(there.service.ready()), "it is said")
        usual.write_text(text)
        shop.wait_until(lambda: not there.service.ready(), "it is ready")
        reached = partial(shop.rows, store, "partitions", only=["topic", "next_offset"])
        shop.wait_until(lambda: ("orders", 2) in reached(), "it is read when it is ready")
        assert there.service.counters.failures == {}
