"""Models that appear on a stream without a file register themselves, wherever and however it is read."""

from __future__ import annotations

import json
import re
import shlex
import threading
from collections.abc import Collection, Iterator
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import generate_latest

from monitor.build import change_intake
from monitor.check import load
from monitor.clock import ManualClock
from monitor.configurations.following import begun, following, note_given_up
from monitor.configurations.log import Change, ConfigurationLog
from monitor.configurations.registering import register
from monitor.decoders import Schemas
from monitor.erasure.erased import ErasureList
from monitor.events import Appearance
from monitor.ingest.intake import Intake
from monitor.ingest.worker import Worker
from monitor.replay import Replay
from monitor.sources.files import FileSource
from sinks.store.contract import Query, Store, StoreError
from sinks.store.memory import MemoryStore
from sinks.store.rows import rows_of as rows_of_store
from tests.cli.console import Console
from tests.service import shop
from tests.service.test_configurations import PAGE, Served, serving

MODELS = {"by": "model", "at_most": 2}
NAMES = ("fraud", "churn", "late-comer")
TABLES = ("panes", "scores", "findings", "alerts")


def like(source: dict[str, Any], **models: Any) -> dict[str, Any]:
    """A template."""
    return shop.model("any-score", {**source, "models": {**MODELS, **models}})


def traffic(windows: int = 4, partitions: int = 2) -> tuple[shop.Partitions, int]:
    """Events of three models, of which the last comes later than the others, and of none."""
    logs, end_ms = shop.traffic(3, windows=windows, partitions=partitions, per_window=120)
    names = [name for number, name in enumerate(NAMES) for _ in range(5 - number)] + ["", "no model!"]
    return [
        [_of_model(line, names, number) for number, line in enumerate(log)]
        + [_closing(log[-1], name) for name in NAMES]
        for log in logs
    ], end_ms


def _closing(line: bytes, name: str) -> bytes:
    return json.dumps(json.loads(line) | {"model": name, "id": f"closing-{name}"}).encode()


def _of_model(line: bytes, names: list[str], number: int) -> bytes:
    event = json.loads(line)
    name = names[int(event["id"].removeprefix("e")) % len(names)]
    return json.dumps(event | {"model": NAMES[0] if name == NAMES[2] and number < 100 else name}).encode()


def rows_of(store: Store, models: Collection[str] = NAMES) -> dict[str, list[tuple[Any, ...]]]:
    return {
        table: [row for model in sorted(models) for row in shop.rows(store, table, model=model)] for table in TABLES
    }


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.service.FOLLOW_EVERY_S", 0.1)


@pytest.fixture
def leeway(capsys: pytest.CaptureFixture[str]) -> Console:
    """Run `leeway` with arguments."""
    return Console(capsys)


@pytest.fixture
def logs(tmp_path: Path) -> list[Path]:
    partitions, _ = traffic()
    paths = [tmp_path / f"{number}.jsonl" for number in range(len(partitions))]
    for path, lines in zip(paths, partitions, strict=True):
        path.write_bytes(b"".join(line + b"\n" for line in lines))
    return paths


def asked(there: Served, path: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = there.client.get(path).json()["items"]
    return rows


def read_up_to(store: Store, table: str, high: dict[str, int]) -> list[dict[str, Any]]:
    return [
        {n: repr(v) for n, v in row.items()}
        for row in rows_of_store(store.read(Query(table, {"model": NAMES[:2]}, high=high)))
    ]


def replayed(config: Path, logs: list[Path], batch: int = 50_000) -> tuple[MemoryStore, Replay]:
    store = MemoryStore()
    store.migrate()
    replay = Replay(load(config), store, FileSource({"scores": logs}))
    replay.run(batch)
    return store, replay


def test_models_that_another_process_has_just_registered_count_towards_the_quota(
    tmp_path: Path, store: MemoryStore
) -> None:
    template = like({"http": "scores"}, at_most=9)
    template["metadata"]["namespace"] = "risk"
    quotas = {"risk": {"models": 2}}
    configuration = load(shop.configured(tmp_path, template, models=["models/*.yaml"], quotas=quotas))
    log = ConfigurationLog(store, ManualClock(1_000))

    def register_next(*names: str) -> set[str]:
        appeared = [Appearance("any-score", name, "scores", 0, 0) for name in names]
        return register(appeared, configuration, log)

    assert register_next("fraud") == set()
    assert register_next("churn", "late-comer", "another") == {"any-score"}, "no other either, whatever it is called"
    assert log.heads().keys() == {"fraud", "churn"}


def test_a_model_that_registers_itself_has_the_rows_of_one_with_a_file(tmp_path: Path, logs: list[Path]) -> None:
    config = shop.configured(tmp_path / "a", like({"kafka": "scores"}, at_most=9), models=["models/*.yaml"])
    models = [shop.model(name, {"kafka": "scores", "where": {"model": name}}) for name in NAMES]
    usual, _ = replayed(shop.configured(tmp_path / "b", *models, models=["models/*.yaml"]), logs)
    assert rows_of(usual)["scores"]
    for batch in (70, 50_000):
        store, replay = replayed(config, logs, batch)
        assert sorted(replay.configuration.models) == sorted(NAMES)
        assert rows_of(store) == rows_of(usual)


def test_the_service_registers_what_appears_as_far_as_there_is_room_and_says_what_it_left(
    tmp_path: Path, store: MemoryStore
) -> None:
    [events], end_ms = traffic(partitions=1)
    settings = {"idle_after": "1h", "checkpoint_every": "100ms"}
    config = shop.configured(tmp_path, like({"http": "scores"}), models=["models/*.yaml"], **settings)
    with serving(config, store) as there:
        posted = there.client.post("/v1/events/scores", json=[json.loads(event) for event in events])
        assert posted.status_code == 202
        for name in NAMES[:2]:
            shop.wait_until(shop.judged(there.service, name, end_ms), f"windows of {name} are evaluated")
        count = sum(json.loads(event)["model"] == "late-comer" for event in events)
        left = partial(shop.rows, store, "unregistered_models", only=["messages"], name="late-comer")
        shop.wait_until(lambda: left() == [(count,)], "all that is left is written down")
        [late] = [row for row in asked(there, "/v1/unregistered-models") if row["name"] == "late-comer"]
        first = next(n for n, event in enumerate(events) if json.loads(event)["model"] == "late-comer")
        assert (late["topic"], late["partition"], late["offset"]) == ("scores", 0, first)
        assert late["messages"] == count
        assert "at_most" in late["reason"]
        metrics = generate_latest(there.service.metrics).decode()
        assert 'leeway_models_beyond_room{template="any-score"} 1.0' in metrics
        shop.wait_until(lambda: "late-comer" in str(shop.rows(store, "alerts", model="_leeway")), "people learn of it")
        stored = there.client.get("/v1/models/fraud/configuration").json()
        assert (stored["owner"], stored["author"], stored["template"]) == ("api", "leeway", "any-score")
        assert stored["reason"] == "appeared at scores/0, offset 0, like any-score"
        refused = there.client.put(
            "/v1/models/any-score/configuration", content="{}", headers={"Content-Type": "application/yaml"}
        )
        assert refused.status_code == 409
    path = tmp_path / "log.jsonl"
    path.write_bytes(b"".join(event + b"\n" for event in events))
    again = MemoryStore()
    again.migrate()
    Replay(load(config), again, FileSource({"scores": [path]})).run()
    at_end = {"panes": "pane_start_ms", "scores": "window_end_ms", "findings": "event_ms", "alerts": "at_ms"}
    for table, at in at_end.items():
        high = {at: end_ms + (table != "panes")}
        assert read_up_to(store, table, high) == read_up_to(again, table, high)


def test_the_page_about_models_that_register_themselves_runs(
    tmp_path: Path, store: MemoryStore, leeway: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    [_, document] = re.findall(r"^```yaml\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
    [*_, commands] = re.findall(r"^```sh\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
    Path("models").mkdir()
    Path("models/any-score.yaml").write_text(document.replace("kafka: scores", "http: scores"))
    events = [{"model_name": name, "ts": 1_700_000_000_000, "score": 0.5} for name in ("fraud-eu", "churn")]
    config = shop.configured(tmp_path, models=["models/any-score.yaml"], checkpoint_every="100ms")
    with serving(config, store) as there:
        there.client.post("/v1/events/scores", json=events)
        shop.wait_until(lambda: "fraud-eu" in there.service.watches, "it is watched")
        shop.wait_until(lambda: there.service.counters.events == 1, "its event is read")
        left = partial(shop.rows, store, "unregistered_models", name="churn")
        shop.wait_until(left, "the other one is written down")
        outputs = {}
        for line in commands.splitlines():
            command, _, file = line.partition(" > ")
            if command.startswith("leeway release"):
                shop.configured(tmp_path, models=["models/*.yaml"], checkpoint_every="100ms")
                assert there.client.post("/-/reload").is_success
            said = leeway(*shlex.split(command)[1:], "--url", there.url)
            assert said.code == 0, said.err
            outputs[command.split()[1]] = said.out
            if file:
                Path(file).write_text(said.out)
        assert re.search(r"churn +any-score +scores +1 .*pattern", outputs["models"]), outputs["models"]
        shop.wait_until(lambda: there.versions("fraud-eu")["items"][0]["owner"] == "file", "the file holds")
        there.client.post("/v1/events/scores", json=events)
        shop.wait_until(lambda: there.service.counters.events >= 2, "it is read on")
        assert shop.rows(store, "epochs", only=["model", "from_offset"]) == [("fraud-eu", 0)]


def named(*names: object, first_ms: int = shop.START_MS) -> list[bytes]:
    """A message for each name, a second apart."""
    return [
        json.dumps({"id": f"n{number}", "ts": first_ms + 1_000 * number, "model": name}).encode()
        for number, name in enumerate(names)
    ]


def recorded(folder: Path, lines: list[bytes]) -> list[Path]:
    path = folder / "log.jsonl"
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return [path]


@pytest.mark.parametrize("batch", [1, 50_000])
def test_a_name_that_is_no_text_of_characters_is_counted_and_ends_nothing(tmp_path: Path, batch: int) -> None:
    config = shop.configured(tmp_path, like({"kafka": "scores"}, at_most=0), models=["models/*.yaml"])
    names = ("\ud800", "a\udfff", "\ud800", None, "", 7, "x" * 128, "x" * 129, "x" * 128)
    store, _ = replayed(config, recorded(tmp_path, named(*names)), batch)
    listed = [
        (row["name"], row["messages"], row["reason"])
        for row in sorted(rows_of_store(store.read(Query("unregistered_models"))), key=itemgetter("name"))
    ]
    assert listed == [
        ("", 3, "no_name"),
        ("\\ud800", 2, "not_a_name"),
        ("a\\udfff", 1, "not_a_name"),
        ("x" * 128, 3, "not_registering"),
    ]


def test_reading_does_not_wait_for_each_name_beyond_a_quota(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = shop.configured(
        tmp_path,
        like({"kafka": "scores"}, at_most=2),
        models=["models/*.yaml"],
        quotas={"default": {"models": 0}},
    )
    rounds: list[object] = []

    def counted(*given: Any) -> set[str]:
        rounds.append(given)
        return register(*given)

    monkeypatch.setattr("monitor.replay.register", counted)
    store, replay = replayed(config, recorded(tmp_path, named(*(f"name-{n}" for n in range(50)))))
    assert not replay.configuration.models
    rows = rows_of_store(store.read(Query("unregistered_models")))
    assert {(row["messages"], row["reason"]) for row in rows} == {(1, "refused")}
    assert (len(rows), len(rounds)) == (50, 1)


def test_what_is_refused_is_read_past_also_if_the_store_fails_at_that_moment(
    tmp_path: Path, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    quotas = {"default": {"models": 0}}
    config = shop.configured(tmp_path, like({"http": "scores"}), models=["models/*.yaml"], quotas=quotas)
    failures = [StoreError("the store is away", retryable=True)]

    def failing(intake: Intake, *given: Any) -> Iterator[Worker]:
        if intake.refused_names and failures:
            raise failures.pop()
        return change_intake(intake, *given)

    monkeypatch.setattr("monitor.service.change_intake", failing)
    with serving(config, store) as there:
        there.client.post("/v1/events/scores", json=[json.loads(line) for line in named("fraud", "churn")])
        shop.wait_until(lambda: there.service.counters.unregistered == 2, "they are read past")
    assert not failures


def test_what_a_topic_of_models_to_come_rejects_goes_to_the_topic_of_dead_letters(
    tmp_path: Path, store: MemoryStore
) -> None:
    kafka = {"bootstrap": ["127.0.0.1:1"], "dead_letters": "bad"}
    config = shop.configured(tmp_path, like({"kafka": "scores"}), models=["models/*.yaml"], kafka=kafka)
    configuration, clock = load(config), ManualClock()
    intake = Intake(Schemas.of(configuration), ErasureList(store))
    assert len(list(change_intake(intake, configuration, {}, store, clock, threading.Event()))) == 1
    assert len(intake.letters) == 1


def test_a_partition_that_waits_for_a_model_is_not_silent(
    tmp_path: Path, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = shop.configured(tmp_path, like({"http": "scores"}), models=["models/*.yaml"], idle_after="1s")
    rounds: list[object] = []

    def failing(*given: Any) -> set[str]:
        rounds.append(given)
        raise StoreError("the store is away", retryable=True)

    monkeypatch.setattr("monitor.service.register", failing)
    with serving(config, store) as there:
        for number, names in enumerate((("",), ("",), ("", "fraud")), 1):
            there.client.post("/v1/events/scores", json=[json.loads(line) for line in named(*names)])
            shop.wait_until(lambda: there.service.counters.unregistered == number, "it is read")  # noqa: B023
        shop.wait_until(lambda: len(rounds) > 16, "it is longer than a partition may be silent")
        [worker] = there.service.intake.workers
        assert [(each.topic, each.offset) for each in worker.appeared()] == [("scores", 3)]
        assert 1 not in store.read(Query("partitions", {"topic": "scores"}))["idle"].tolist()


def test_a_template_that_is_called_as_a_model_of_the_api_is_passed_over_until_that_is_given_up(
    tmp_path: Path, store: MemoryStore
) -> None:
    files = load(shop.configured(tmp_path, like({"kafka": "scores"}), models=["models/*.yaml"]))
    log = ConfigurationLog(store, ManualClock(1_000))
    log.put(Change("any-score", json.dumps(shop.model("any-score", {"kafka": "others"}))))
    in_force = begun(files, log, {})
    assert "passed over: the API owns any-score" in in_force.troubles["any-score"]
    assert in_force.configuration.templates == {}
    assert in_force.behind == {}

    log.put(Change("any-score", "", "nobody"))
    note_given_up(files, log)
    in_force = following(in_force, log) or in_force
    assert in_force.configuration.templates.keys() == {"any-score"}
    assert (in_force.troubles, in_force.versions) == ({}, {"any-score": 3})
    assert following(in_force, log) is None


def test_check_says_that_a_file_is_a_template(tmp_path: Path, leeway: Console) -> None:
    config = shop.configured(tmp_path, like({"kafka": "scores"}), models=["models/*.yaml"])
    assert leeway("check", str(config)).out.endswith("fine: 0 models, 1 template of models to come\n")
