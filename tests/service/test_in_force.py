"""What a process goes by, where files, other processes and what is missing here get in the way of a version."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from monitor.check import load, with_posted
from monitor.clock import ManualClock
from monitor.config import ConfigError, Configuration
from monitor.config.roles import ROLES
from monitor.configurations.current import CurrentConfigurations
from monitor.configurations.in_force import reads_otherwise, watches_of
from monitor.configurations.log import Change, ConfigurationLog
from monitor.errors import InputError
from monitor.watch import Watch, compile_watch
from sinks.store.contract import Query
from sinks.store.memory import MemoryStore
from tests.service import shop

CSV = {"kind": "csv", "columns": ["ts", "id", "amount", "country", "score"]}


def orders(**spec: Any) -> dict[str, Any]:
    return shop.model("orders", {"http": "orders"}, **spec)


def files(folder: Path, *models: dict[str, Any]) -> Configuration:
    return load(shop.configured(folder, *models, models=["models/*.yaml"] if models else []))


@pytest.fixture
def log(store: MemoryStore) -> ConfigurationLog:
    return ConfigurationLog(store, ManualClock(now_ms=1_000))


def put(log: ConfigurationLog, document: dict[str, Any], **change: Any) -> None:
    log.put(Change(document["metadata"]["name"], json.dumps(document), **change))


def started(files: Configuration, store: MemoryStore, instance: str = "a") -> CurrentConfigurations:
    watches = {name: compile_watch(files, name) for name in files.models}
    return CurrentConfigurations(files, watches, store, ManualClock(now_ms=2_000), ROLES, instance)


@pytest.fixture
def usual(tmp_path: Path) -> Path:
    data = tmp_path / "usual.csv"
    data.write_text("amount,country,score\n" + "".join(f"{n},DE,0.5\n" for n in range(100)))
    return data


def test_a_model_whose_data_set_is_gone_goes_on_when_files_are_read_again(
    tmp_path: Path, store: MemoryStore, log: ConfigurationLog, usual: Path
) -> None:
    put(log, orders(baseline={"kind": "dataset", "uri": usual.name}))
    current = started(files(tmp_path), store)
    watch = current.watches["orders"]
    usual.unlink()
    current.adopt(current.reloaded(files(tmp_path, shop.model("returns", {"http": "returns"}))))
    assert current.watches["orders"] is watch
    assert current.in_force.versions["orders"] == 1
    assert not current.in_force.behind


def test_a_model_that_cannot_be_made_ready_at_a_start_is_waited_for_and_read_once_it_can_be(
    tmp_path: Path, store: MemoryStore, log: ConfigurationLog, usual: Path
) -> None:
    put(log, orders(baseline={"kind": "dataset", "uri": usual.name}))
    text = usual.read_text()
    usual.unlink()
    current = started(files(tmp_path), store)
    former = current.in_force
    assert former.configuration.unread == {"orders"}
    assert "usual.csv" in former.behind["orders"]
    usual.write_text(text)
    current.follow(current.adopt)
    assert reads_otherwise(former, current.in_force)
    assert not current.in_force.configuration.unread
    assert list(current.watches) == ["orders"]


def test_of_two_versions_that_were_written_at_the_same_moment_all_go_over_to_the_one_that_stays(
    tmp_path: Path, store: MemoryStore, log: ConfigurationLog
) -> None:
    put(log, orders())
    elsewhere = MemoryStore()
    elsewhere.migrate()
    put(ConfigurationLog(elsewhere, ManualClock(now_ms=1_500)), orders(alerts={"resolve_after": "80s"}))
    current = started(files(tmp_path), store)
    store.append("configurations", elsewhere.read(Query("configurations")), token="the other one")
    current.follow(current.adopt)
    assert current.watches["orders"].model.spec.alerts.resolve_after == 80_000


def test_processes_whose_files_differ_do_not_take_turns_in_writing_them_down(
    tmp_path: Path, store: MemoryStore, log: ConfigurationLog
) -> None:
    ours, theirs = (
        started(files(tmp_path / name, orders(alerts={"resolve_after": name})), store) for name in ("40s", "80s")
    )
    for _ in range(3):
        for current in (ours, theirs):
            current.follow(current.adopt)
    assert [version.version for version in log.every("orders")] == [2, 1]
    assert "another one here" in ours.in_force.behind["orders"]


def test_files_that_cannot_be_made_ready_are_not_written_down(
    tmp_path: Path, store: MemoryStore, log: ConfigurationLog, usual: Path
) -> None:
    current = started(files(tmp_path, orders()), store)
    changed = files(tmp_path, orders(baseline={"kind": "dataset", "uri": str(usual)}))
    usual.unlink()
    with pytest.raises(InputError, match=r"usual\.csv"):
        current.reloaded(changed)
    assert [version.version for version in log.every("orders")] == [1]


def returns(*sources: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return shop.model("returns", *sources, **spec)


@pytest.mark.parametrize(
    ("file", "service", "said"),
    [
        (returns({"kafka": "orders", "format": CSV}), {}, "model 'returns' gives 'orders' another format"),
        (returns({"http": "orders"}), {}, "'orders' is a topic of Kafka and a stream of HTTP at once"),
        (returns({"http": "returns"}), {"dead_letters": "orders"}, "it reads 'orders', where dead letters go"),
    ],
)
def test_what_is_in_force_gives_way_to_a_file_that_it_does_not_fit_and_comes_back_after_it(
    tmp_path: Path,
    store: MemoryStore,
    log: ConfigurationLog,
    file: dict[str, Any],
    service: dict[str, Any],
    said: str,
) -> None:
    put(log, shop.model("orders", {"kafka": "orders"}))
    current = started(files(tmp_path), store)
    path = shop.configured(tmp_path, file, models=["models/*.yaml"], kafka=service)
    current.adopt(current.reloaded(load(path)))
    assert said in current.in_force.behind["orders"]
    assert list(current.watches) == ["returns"]
    assert current.in_force.configuration.unread == {"orders"}
    (tmp_path / "models" / "returns.yaml").unlink()
    current.adopt(current.reloaded(files(tmp_path)))
    for _ in range(4):
        current.follow(current.adopt)
    assert (list(current.watches), current.in_force.behind) == (["orders"], {})


def test_of_two_models_that_were_accepted_at_once_and_do_not_fit_all_processes_leave_out_the_same(
    tmp_path: Path, store: MemoryStore
) -> None:
    """Each was accepted by a process that did not know of the other."""
    early, late = (ConfigurationLog(store, ManualClock(now_ms=at_ms)) for at_ms in (1_000, 1_001))
    put(late, shop.model("a", {"kafka": "orders", "format": CSV}))
    knows_the_late_one = started(files(tmp_path), store)
    put(early, shop.model("b", {"kafka": "orders"}))
    knows_both = started(files(tmp_path), store)
    knows_the_late_one.follow(knows_the_late_one.adopt)
    for current in (knows_the_late_one, knows_both):
        assert list(current.watches) == ["b"]
        assert "another format" in current.in_force.behind["a"]


def test_a_file_that_cannot_be_made_ready_when_it_is_to_hold_again_is_tried_again(
    tmp_path: Path, store: MemoryStore, log: ConfigurationLog, usual: Path
) -> None:
    put(log, orders())
    current = started(files(tmp_path, orders(baseline={"kind": "dataset", "uri": str(usual)})), store)
    text = usual.read_text()
    usual.unlink()
    put(log, orders(), owner="nobody")
    current.follow(current.adopt)
    assert "usual.csv" in current.in_force.behind["orders"]
    assert not current.watches
    usual.write_text(text)
    current.follow(current.adopt)
    assert (list(current.watches), current.in_force.behind) == (["orders"], {})


def test_a_model_that_fails_in_a_way_that_nobody_expects_keeps_no_other_from_being_taken_up(
    tmp_path: Path, store: MemoryStore, log: ConfigurationLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(configuration: Configuration, name: str) -> Watch:
        if name == "orders":
            raise ZeroDivisionError("hunter2")
        return compile_watch(configuration, name)

    current = started(files(tmp_path), store)
    monkeypatch.setattr("monitor.configurations.in_force.compile_watch", failing)
    put(log, orders())
    put(log, returns({"http": "returns"}))
    current.follow(current.adopt)
    assert list(current.watches) == ["returns"]
    assert current.in_force.behind == {"orders": "it cannot be made ready here: ZeroDivisionError"}


def test_names_that_are_put_and_given_up_again_and_again_are_bounded(
    log: ConfigurationLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.configurations.log.MOST_NAMES", 2)
    for name in ("a", "b"):
        put(log, shop.model(name, {"http": name}))
        log.put(Change(name, "", "nobody"))
    with pytest.raises(InputError, match=r"2 names of models are known.*take one of these"):
        put(log, shop.model("c", {"http": "c"}))
    put(log, shop.model("a", {"http": "a"}))
    log.put(Change("c", "kind: Model", "file", "c.yaml"))
    assert {name: (head.version, head.owner) for name, head in log.heads().items()} == {
        "a": (3, "api"), "b": (2, "nobody"), "c": (1, "file"),
    }  # fmt: skip


def test_of_defaults_only_what_makes_a_difference_is_another_version_and_all_of_them_can_be_replayed(
    tmp_path: Path, store: MemoryStore, log: ConfigurationLog
) -> None:
    data = "amount,country,score\n" + "".join(f"{n},DE,0.5\n" for n in range(100))
    own = orders(baseline={"kind": "dataset", "uri": "usual.csv"})
    del own["spec"]["alerts"]

    def with_defaults(text: str) -> Configuration:
        path = shop.configured(tmp_path, own, models=["models/*.yaml"])
        (tmp_path / "models" / "usual.csv").write_text(data)
        (tmp_path / "models" / "defaults.yaml").write_text(f"apiVersion: leeway/v1\nkind: Defaults\n{text}")
        return load(path)

    current = started(with_defaults("spec: {alerts: {resolve_after: 40s}}"), store)
    for text in ("# a comment\nspec: {alerts: {resolve_after: 40s}}", "spec: {alerts: {resolve_after: 80s}}"):
        current.adopt(current.reloaded(with_defaults(text)))
    versions = log.every("orders")
    assert [version.version for version in versions] == [2, 1]
    assert current.in_force.versions == {"orders": 2}
    watches = watches_of(current.in_force.configuration, versions)
    spans = [watches[version.digest].model.spec.alerts.resolve_after for version in versions]
    assert spans == [80_000, 40_000]
    assert watches[versions[0].digest].config_hash == current.watches["orders"].config_hash


def test_a_key_that_is_missing_is_refused_with_that_defaults_of_files_are_not_for_it(tmp_path: Path) -> None:
    path = shop.configured(tmp_path, returns({"http": "returns"}), models=["models/*.yaml"])
    text = "apiVersion: leeway/v1\nkind: Defaults\nspec: {alerts: {resolve_after: 40s}}"
    (tmp_path / "models" / "defaults.yaml").write_text(text)
    document = orders()
    del document["spec"]["schema"]
    with pytest.raises(ConfigError, match=r"is missing \(defaults of files are not for documents of the API\)"):
        with_posted(load(path), "orders", json.dumps(document))
