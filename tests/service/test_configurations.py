"""A model's configuration is changed while the service runs: owners, versions, what goes on, and who lags behind."""

from __future__ import annotations

import json
import random
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
from prometheus_client import generate_latest

from bench import soak_apply
from monitor.clock import SystemClock
from monitor.config import Configuration, load
from monitor.configurations.log import Change, ConfigurationLog
from monitor.replay import courses, decisions, replay_course
from monitor.service import Service
from monitor.sources.files import FileSource
from sinks.receivers.times import rfc3339
from sinks.store.batch import append
from sinks.store.contract import TABLES, Query, Store, StoreError
from sinks.store.memory import MemoryStore
from tests.api.world import serving as served
from tests.cli.console import Console
from tests.service import shop
from tests.services.kafka import Cluster

PAGE = (Path(__file__).parents[2] / "docs" / "change-configuration.md").read_text()
INSIDE = "a document that comes through the API names files by a path inside of the service's folder"


def orders(**spec: Any) -> dict[str, Any]:
    """A model of an HTTP stream."""
    return shop.model("orders", {"http": "orders"}, **spec)


@dataclass
class Served:
    """A service that is asked over HTTP."""

    service: Service
    client: httpx.Client
    url: str

    def put(
        self, document: dict[str, Any] | str, headers: dict[str, str] | None = None, **asked: Any
    ) -> httpx.Response:
        text = document if isinstance(document, str) else json.dumps(document, indent=1)
        headers = {"Content-Type": "application/yaml"} | (headers or {})
        return self.client.put("/v1/models/orders/configuration", content=text, headers=headers, params=asked)

    def apply(self, document: dict[str, Any] | str) -> None:
        accepted = self.put(document).json()
        shop.wait_until(lambda: self.versions()["is_in_force"], f"{accepted} is in force")

    def versions(self, model: str = "orders") -> dict[str, Any]:
        answer: dict[str, Any] = self.client.get(f"/v1/models/{model}/configuration/versions").json()
        return answer


@contextmanager
def serving(path: Path, store: Store) -> Iterator[Served]:
    with (
        shop.serving(load(path), store) as service,
        served(service) as url,
        httpx.Client(base_url=url, timeout=60) as client,
    ):
        yield Served(service, client, url)


def resolve_after(there: Served) -> int:
    return there.service.watches["orders"].model.spec.alerts.resolve_after


def holds(there: Served, resolve_after_ms: int) -> bool:
    return resolve_after(there) == resolve_after_ms


def nothing(folder: Path, **spec: Any) -> Path:
    """A service without a model of a file."""
    return shop.configured(folder, models=[], **spec)


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.service.FOLLOW_EVERY_S", 0.1)


@pytest.fixture
def leeway(capsys: pytest.CaptureFixture[str]) -> Console:
    """Run `leeway` with arguments."""
    return Console(capsys)


def test_a_model_is_watched_within_seconds_changed_given_up_and_begun_again(tmp_path: Path, store: MemoryStore) -> None:
    [events], end_ms = shop.traffic(1, windows=6, partitions=1)
    with serving(nothing(tmp_path), store) as there:
        there.apply(orders())
        assert there.client.post("/v1/events/orders", json=[json.loads(event) for event in events]).status_code == 202
        shop.wait_until(shop.judged(there.service, "orders", end_ms), "its windows are evaluated")
        there.apply(orders(alerts={"resolve_after": "80s"}))
        # Nothing that reads has changed: no epoch begins.
        assert shop.rows(store, "epochs", only=["model", "from_offset"]) == [("orders", 0)]
        segmented = orders(segments=[{"by": ["country"], "values": ["DE"]}])
        plan = there.put(segmented, dry_run=True, days=1).json()["difference"]
        assert {(e["folds"], e["learns"]) for e in plan["series"]} == {("starts afresh", "learns again")}
        assert plan["backtest"]["fired_before"] == 0
        there.apply(segmented)
        differing = there.client.get("/v1/models/orders/configuration/diff", params={"from": 1, "to": 2}).json()
        [field] = differing["fields"]
        assert (field["path"], field["before"], field["after"]) == ("spec.alerts.resolve_after", 40_000, 80_000)
        assert {(e["folds"], e["learns"]) for e in differing["series"]} == {("keeps", "keeps")}
        shop.wait_until(lambda: len(shop.rows(store, "epochs")) == 2, "another epoch begins")
        begins = shop.rows(store, "epochs", only=["from_offset"])
        assert begins == [(0,), (len(events),)]
        windows = [(0,), (end_ms + shop.WINDOW_MS,)]
        shop.wait_until(lambda: shop.rows(store, "configured_windows", only=["from_ms"]) == windows, "so do windows")
        assert there.client.delete("/v1/models/orders/configuration").json()["owner"] == "nobody"
        shop.wait_until(lambda: not there.service.watches, "it is watched no more")
        there.apply(orders())
    with serving(nothing(tmp_path), store) as there:
        assert list(there.service.watches) == ["orders"]
        assert [each["version"] for each in there.versions()["items"]] == [5, 4, 3, 2, 1]
        page = there.client.get("/v1/models/orders/configuration/versions", params={"limit": 3}).json()
        asked = {"limit": 3, "cursor": page["next_cursor"]}
        following = there.client.get("/v1/models/orders/configuration/versions", params=asked).json()
        assert [[each["version"] for each in of["items"]] for of in (page, following)] == [[5, 4, 3], [2, 1]]
        assert following["next_cursor"] is None


def test_files_and_the_api_do_not_fight(tmp_path: Path, store: MemoryStore) -> None:
    path = shop.configured(tmp_path, orders(), shop.model("returns", {"http": "returns"}), models=["models/*.yaml"])
    with serving(path, store) as there:
        refused = there.put(orders(alerts={"resolve_after": "80s"}))
        assert (refused.status_code, refused.json()["type"]) == (409, "/v1/problems#owned-by-a-file")
        assert str(tmp_path / "models" / "orders.yaml") in refused.json()["detail"]
        assert "SIGHUP" in there.put(orders(), dry_run=True).json()["refusal"]
        assert there.client.delete("/v1/models/orders/configuration").status_code == 409
        # A file that another process has read, and this one not yet.
        ConfigurationLog(store, SystemClock()).put(Change("later", json.dumps(orders()), "file", "later.yaml"))
        early = there.client.delete("/v1/models/later/configuration")
        assert (early.status_code, "later.yaml owns later" in early.json()["detail"]) == (409, True)
        returns = there.service.loop._evaluations["returns"]
        (tmp_path / "models" / "orders.yaml").unlink()
        assert there.client.post("/-/reload").is_success
        assert list(there.service.watches) == ["returns"]
        shop.wait_until(lambda: there.versions()["is_in_force"], "nobody watches it")
        there.apply(orders())
        assert there.service.loop._evaluations["returns"] is returns
        shop.configured(tmp_path, orders(alerts={"resolve_after": "99s"}), models=["models/*.yaml"])
        assert there.client.post("/-/reload").is_success
        passed_over = "orders.yaml is passed over: the API owns orders"
        shop.wait_until(lambda: passed_over in str(shop.rows(store, "configurations_taken")), "it is said")
        assert resolve_after(there) == 40_000
        there.client.delete("/v1/models/orders/configuration")
        shop.wait_until(lambda: resolve_after(there) == 99_000, "the file holds")
        shop.wait_until(lambda: there.versions()["is_in_force"], "everywhere")
        assert there.versions()["items"][0]["owner"] == "file"


def test_what_is_refused_names_every_mistake_with_its_line_and_changes_nothing(
    tmp_path: Path, store: MemoryStore
) -> None:
    with serving(nothing(tmp_path), store) as there:
        there.apply(orders())
        text = (
            "apiVersion: leeway/v1\nkind: Model\nmetadata: {name: orders, owner: '${HOME}'}\nspec:\n"
            "  sources: [{http: orders}]\n  schema: {features: {x: {type: numeric}}}\n"
        )
        answers = {
            text: [("metadata.owner", 3, "only files may name environment variables")],
            text.replace("numeric", "'${KIND}'").replace("spec:\n", "spec:\n  alrets: {}\n"): [
                ("metadata.owner", 3, "only files may name environment variables"),
                ("spec.alrets", 5, "unknown key; did you mean 'alerts'?"),
                ("spec.schema.features.x.type", 7, "only files may name environment variables"),
            ],
            text.replace("'${HOME}'", "ann").replace("{name: orders", "{name: other"): [
                ("metadata.name", 3, "the address names 'orders', and the document 'other'")
            ],
            json.dumps(orders(baseline={"kind": "dataset", "uri": "../secret.parquet"})): [
                ("spec.baseline.uri", 1, INSIDE)
            ],
            "kind: Model\nspec: {}\n": [
                ("apiVersion", 1, "required key is missing"),
                ("metadata", 1, "required key is missing"),
                ("spec.schema", 2, "required key is missing"),
                ("spec.sources", 2, "required key is missing"),
            ],
        }  # fmt: skip
        for document, mistakes in answers.items():
            refused = there.put(document)
            assert refused.status_code == 422
            assert sorted((e["field"], e["line"], e["message"]) for e in refused.json()["errors"]) == mistakes
        digest = there.versions()["items"][0]["digest"]
        changed = orders(alerts={"resolve_after": "80s"})
        for header in ({"If-Match": '"7"'}, {"If-Match": '"d1ge57"'}, {"If-None-Match": "*"}):
            assert there.put(changed, header).status_code == 412
        assert there.put(changed, {"If-Match": f'"{digest}"'}, reason="why not", created_by="ann").is_success
        [newest, _] = there.versions()["items"]
        assert (newest["version"], newest["author"], newest["reason"]) == (2, "ann", "why not")


def test_any_of_several_versions_may_be_replaced_or_whichever_there_is(tmp_path: Path, store: MemoryStore) -> None:
    """As RFC 9110 has it in 13.1.1."""

    def changed(seconds: int, *if_match: str, model: str = "orders") -> int:
        headers = [("Content-Type", "application/json"), *(("If-Match", each) for each in if_match)]
        document = shop.model(model, {"http": model}, alerts={"resolve_after": f"{seconds}s"})
        path = f"/v1/models/{model}/configuration"
        return there.client.put(path, content=json.dumps(document), headers=headers).status_code

    with serving(nothing(tmp_path), store) as there:
        assert changed(80, "*") == changed(80, '"1", "2"') == changed(80, '""') == changed(80, "") == 412
        assert changed(80) == 200
        digest = there.versions()["items"][0]["digest"]
        for refused in ('"7", "d1ge57"', '"7","8", "9"', '"*"', f'"7 {digest}"', f'"7, {digest}"', "", '""'):
            assert changed(90, refused) == 412, refused
        assert changed(90, f'"7", "{digest}"') == 200
        assert changed(100, '"7"  ,W/"2"') == 200
        assert changed(110, '"7"', '"3"') == 200
        assert changed(120, "7, 4") == 200
        assert changed(130, "*") == 200
        assert [each["version"] for each in there.versions()["items"]] == [6, 5, 4, 3, 2, 1]
        assert (
            there.client.delete("/v1/models/orders/configuration", headers={"If-Match": '"5", "4"'}).status_code == 412
        )
        assert there.client.delete("/v1/models/orders/configuration", headers={"If-Match": '"5", "6"'}).is_success
        assert changed(140, "*") == 412


def test_a_process_that_cannot_go_by_a_change_goes_on_and_says_so(
    tmp_path: Path, store: MemoryStore, leeway: Console
) -> None:
    data = tmp_path / "usual.csv"
    data.write_text("amount,country,score\n" + "".join(f"{n},DE,0.5\n" for n in range(100)))
    with serving(nothing(tmp_path), store) as there:
        there.apply(orders())
        document = orders(baseline={"kind": "dataset", "uri": "usual.csv"})
        log = ConfigurationLog(store, SystemClock())
        version = log.put(Change("orders", json.dumps(document))).version
        data.unlink()
        # It is known here before others learn of it through the store.
        shop.wait_until(lambda: "usual.csv" in str(there.versions()["not_converged"]), "it is not in force, and why")
        shop.wait_until(lambda: "no such file" in "".join(there.service.ready()[:1]), "it says so")
        assert b'leeway_configuration_behind{model="orders"} 1.0' in generate_latest(there.service.metrics)
        listed = leeway("versions", "orders", "--url", there.url)
        assert "not converged" in listed.err
        assert "usual.csv" in listed.out
        assert there.versions()["not_converged"][0]["version"] == version - 1
        data.write_text("amount,country,score\n" + "".join(f"{n},DE,0.5\n" for n in range(100)))
        shop.wait_until(lambda: there.versions()["is_in_force"], "it is in force")


def test_the_page_about_changing_a_configuration_runs(
    tmp_path: Path, store: MemoryStore, leeway: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    [document, _] = re.findall(r"^```yaml\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
    # Baselines need days of events: `tests/api/test_new_baselines.py` runs the commands about them.
    [commands, _, _] = re.findall(r"^```sh\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
    Path("orders.yaml").write_text(document)
    with serving(nothing(tmp_path), store) as there:
        for line in commands.splitlines():
            command, _, _file = line.partition(" > ")
            said = leeway(*shlex.split(command)[1:], "--url", there.url)
            assert said.code == 0, said.err
            if command.startswith("leeway get"):
                assert said.out == document
                effective = leeway("get", "orders", "--effective", "--url", there.url).out
                assert re.search(r"http: orders +# version 1:5\n", effective), effective
                assert "# Leeway's default" in effective
        assert [each["owner"] for each in there.versions()["items"]] == ["nobody", "api"]
        Path("orders.yaml").write_text(document.replace("sources:", "source:"))
        refused = leeway("apply", "orders.yaml", "--url", there.url)
        assert refused.code == 2
        assert "orders.yaml:5:3: spec.source: unknown key" in refused.err


def again(store: Store, configuration: Configuration, files: dict[str, list[Path]]) -> MemoryStore:
    """Replay what the configurations of one model went through, with what was decided meanwhile."""
    replayed = MemoryStore()
    replayed.migrate()
    for table, rows in decisions(store, ["orders"]).items():
        append(replayed, table, rows)
    [course] = courses(store, configuration, SystemClock()).values()
    replay_course(course, replayed, lambda: FileSource(files), batch=700)
    return replayed


def start_ms(window: int) -> int:
    return shop.START_MS + window * shop.WINDOW_MS


def period_of(first: int, end: int) -> dict[str, str]:
    """A baseline of some windows."""
    return {"kind": "period", "from": rfc3339(start_ms(first)), "to": rfc3339(start_ms(end))}


def test_a_replay_with_what_was_decided_writes_the_rows_of_a_run_in_which_the_configuration_changed(
    tmp_path: Path, store: MemoryStore
) -> None:
    [events], end_ms = shop.traffic(3, windows=24, partitions=1)
    third = len(events) // 3
    begun, changed = orders(), orders(segments=[{"by": ["country"], "values": ["DE", "PL"]}])
    detect = {**changed["spec"]["detect"], "false_alarms": "1 per 2h", "rule": "variation"}
    last = {"detect": detect, "baseline": period_of(5, 11)}
    with serving(nothing(tmp_path, checkpoint_every="200ms"), store) as there:
        for part, document in enumerate((begun, changed, orders(segments=changed["spec"]["segments"], **last))):
            there.apply(document)
            lines = events[part * third : (part + 1) * third if part < 2 else None]
            there.client.post("/v1/events/orders", json=[json.loads(line) for line in lines])
            at_ms = json.loads(lines[-1])["ts"] if part == 2 else json.loads(lines[-1])["ts"] - 30_000
            shop.wait_until(shop.judged(there.service, "orders", min(at_ms, end_ms)), "its windows are evaluated")
        configuration = there.service.configuration
    assert len(shop.rows(store, "epochs")) == 2
    assert len(shop.rows(store, "configured_windows")) == 3
    file = tmp_path / "orders.jsonl"
    file.write_bytes(b"".join(line + b"\n" for line in events))
    replayed = again(store, configuration, {"orders": [file]})
    assert shop.results(replayed, end_ms) == shop.results(store, end_ms)
    # The last of them compares with a period that began before it was accepted.
    assert (start_ms(11),) in shop.rows(replayed, "scores", only=["baseline_to_ms"])
    segments = {segment for (segment,) in shop.rows(replayed, "scores", only=["segment"])}
    assert segments == {"", "country=DE", "country=PL"}


class CutOffStore(MemoryStore):
    """A store whose connection breaks at the next change of a configuration, before or after it is written."""

    breaks = ""

    def append(self, table: str, columns: Mapping[str, Sequence[Any]], token: str) -> None:
        breaks, self.breaks = (self.breaks, "") if table == "configurations" else ("", self.breaks)
        if breaks != "before":
            super().append(table, columns, token)
        if breaks:
            raise StoreError("the connection broke", retryable=True)


def test_a_change_that_is_cut_off_leaves_the_old_or_the_new_in_force_everywhere(tmp_path: Path) -> None:
    store = CutOffStore()
    store.migrate()
    with serving(nothing(tmp_path), store) as there:
        there.apply(orders())
        for breaks, in_force in (("before", 40_000), ("after", 80_000)):
            store.breaks = breaks
            assert there.put(orders(alerts={"resolve_after": "80s"})).status_code == 503
            shop.wait_until(partial(holds, there, in_force), f"{breaks}: the one that is stored")
            assert len(there.versions()["items"]) == (1 if breaks == "before" else 2)
    with serving(nothing(tmp_path), store) as there:
        assert resolve_after(there) == 80_000


class ForgetfulStore(MemoryStore):
    """A store that once does not answer when checkpoints are written."""

    is_away = False

    def append(self, table: str, columns: Mapping[str, Sequence[Any]], token: str) -> None:
        if self.is_away and table == "checkpoints":
            self.is_away = False
            raise StoreError("timed out", retryable=True)
        super().append(table, columns, token)


def test_a_first_topic_is_read_also_where_the_change_fails_at_another_source(tmp_path: Path) -> None:
    store = ForgetfulStore()
    store.migrate()
    # Nothing answers there, which only who tries to read finds out.
    path = nothing(tmp_path, checkpoint_every="1h", kafka={"bootstrap": ["127.0.0.1:9"]})
    with serving(path, store) as there:
        there.apply(orders())
        there.client.post("/v1/events/orders", json=[{"id": "e1", "ts": shop.START_MS, "amount": 1.0}])
        shop.wait_until(lambda: there.service.counters.records, "it is read")
        store.is_away = True
        ConfigurationLog(store, SystemClock()).put(Change("fraud", json.dumps(shop.model("fraud", {"kafka": "paid"}))))
        shop.wait_until(lambda: not store.is_away, "the change has failed")
        tried = "source kafka is not open yet: "
        shop.wait_until(lambda: any(tried in why for why in there.service.ready()), "somebody reads Kafka")


@contextmanager
def apart(files: Configuration, store: Store) -> Iterator[tuple[list[Service], Served]]:
    """Two processes that ingest, and one that does the rest."""
    roles = (("evaluate", "alert", "api"), ("ingest",), ("ingest",))
    with (
        shop.apart(lambda: files, store, roles) as services,
        served(services[0]) as url,
        httpx.Client(base_url=url, timeout=60) as client,
    ):
        yield services, Served(services[0], client, url)


def test_changes_while_events_come_are_in_force_in_every_process_and_a_replay_writes_the_same_rows(
    tmp_path: Path, store: MemoryStore, kafka: Cluster
) -> None:
    kafka.create_topic("orders-changed", 3)
    kafka.create_topic("other-changed", 1)
    logs, end_ms = shop.traffic(3, windows=16, partitions=3)
    parts = [[log[len(log) * part // 4 : len(log) * (part + 1) // 4] for log in logs] for part in range(4)]
    by_country = {"segments": [{"by": ["country"], "values": ["DE"]}]}
    detect = {**shop.DETECT, "false_alarms": "1 per 2h"}
    changes: list[dict[str, Any]] = [{}, by_country, {**by_country, "detect": detect}, {"detect": detect}]
    files = shop.on_kafka(tmp_path, kafka, shop.model("other", {"kafka": "other-changed"}))
    with apart(files, store) as (services, there):
        # Nobody waits for a process that has not said yet that it follows changes.
        instances = partial(shop.rows, store, "configurations_taken", only=["instance"])
        shop.wait_until(lambda: len(set(instances())) == len(services), "each process follows")
        for number, (spec, part) in enumerate(zip(changes, parts, strict=True), 1):
            producing = Thread(target=shop.produce, args=(kafka, "orders-changed", part))
            producing.start()
            there.apply(shop.model("orders", {"kafka": "orders-changed"}, **spec))
            producing.join()
            assert [service.configurations.in_force.versions["orders"] for service in services] == [number] * 3
            assert len({service.watches["orders"].document_digest for service in services}) == 1
        shop.wait_until(shop.judged(services[0], "orders", end_ms), "all windows are evaluated")
        shop.wait_until(
            lambda: all("orders-changed" in service.intake.topics() for service in services[1:]), "each reads a part"
        )
        configuration = services[0].configuration
    paths = [tmp_path / f"{partition}.jsonl" for partition in range(3)]
    for path, log in zip(paths, logs, strict=True):
        path.write_bytes(b"".join(line + b"\n" for line in log))
    assert len(set(shop.rows(store, "epochs", only=["config"], model="orders"))) > 1
    replayed = again(store, configuration, {"orders-changed": paths})
    assert shop.results(replayed, end_ms) == shop.results(store, end_ms)


def test_a_change_before_the_first_window_is_replayed(tmp_path: Path, store: MemoryStore) -> None:
    [events], end_ms = shop.traffic(3, windows=8, partitions=1)
    with serving(nothing(tmp_path), store) as there:
        for part, spec in ((events[:90], {}), (events[90:], {"segments": [{"by": ["country"], "values": ["DE"]}]})):
            there.apply(orders(**spec))
            there.client.post("/v1/events/orders", json=[json.loads(line) for line in part])
            shop.wait_until(lambda: there.service.counters.records >= 90, "it is read")
        shop.wait_until(shop.judged(there.service, "orders", end_ms), "its windows are evaluated")
        configuration = there.service.configuration
    assert len(shop.rows(store, "configured_windows")) == 1
    file = tmp_path / "orders.jsonl"
    file.write_bytes(b"".join(line + b"\n" for line in events))
    assert shop.results(again(store, configuration, {"orders": [file]}), end_ms) == shop.results(store, end_ms)


def copied(store: MemoryStore) -> MemoryStore:
    """Everything that is stored now: what a process finds after another one was killed at this moment."""
    copy = MemoryStore()
    for table in TABLES:
        append(copy, table, store.read(Query(table)))
    return copy


def test_what_a_killed_process_had_written_is_made_again_before_a_change_is_in_force(
    tmp_path: Path, store: MemoryStore
) -> None:
    [events], end_ms = shop.traffic(3, windows=24, partitions=1)
    half = len(events) // 2
    path = nothing(tmp_path, checkpoint_every="1h")
    with serving(path, store) as there:
        there.apply(orders(segments=[{"by": ["country"], "values": ["DE", "PL"]}]))
        there.client.post("/v1/events/orders", json=[json.loads(line) for line in events[:half]])
        shop.wait_until(shop.judged(there.service, "orders", json.loads(events[half])["ts"] - 60_000), "it goes on")
        store = copied(store)
    assert not shop.rows(store, "checkpoints", stage="ingest")
    detect = {**shop.DETECT, "false_alarms": "1 per 2h"}
    ConfigurationLog(store, SystemClock()).put(Change("orders", json.dumps(orders(detect=detect))))
    with serving(path, store) as there:
        shop.wait_until(lambda: there.versions()["is_in_force"], "the new one is in force")
        there.client.post("/v1/events/orders", json=[json.loads(line) for line in events[half:]])
        shop.wait_until(shop.judged(there.service, "orders", end_ms), "its windows are evaluated")
        configuration = there.service.configuration
    assert shop.rows(store, "epochs", only=["from_offset"]) == [(0,), (half,)]
    assert len(shop.rows(store, "configured_windows")) == 2
    file = tmp_path / "orders.jsonl"
    file.write_bytes(b"".join(line + b"\n" for line in events))
    assert shop.results(again(store, configuration, {"orders": [file]}), end_ms) == shop.results(store, end_ms)


def test_a_process_that_is_killed_while_it_is_changed_goes_by_the_old_or_the_new_version_and_loses_no_row(
    tmp_path: Path,
) -> None:
    """Many times, and at all moments: `python -m bench.soak_apply`."""
    outcome = soak_apply.ordeal(tmp_path, kills=1, seed=random.randrange(1_000))
    assert outcome.mistakes == []
    assert outcome.versions.total() == 1
    assert outcome.rows > 100
