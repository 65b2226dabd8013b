"""`leeway store` and `leeway erase`, as a user meets them."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from monitor.clock import ManualClock
from monitor.erasure import erase
from monitor.sources.http_log import HttpLog
from sinks.store.chdb import ChdbStore
from sinks.store.contract import Query, StoreError
from sinks.store.filling import begin
from sinks.store.rows import rows_of
from tests.cli.console import Console
from tests.service import shop
from tests.sinks.store.conftest import settings_for
from tests.sinks.store.samples import plain

KEY = "anna@example.org"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A service's configuration with an embedded store that a replay has filled, and a log of HTTP events."""
    folder = tmp_path_factory.mktemp("store")
    schema = {**shop.SCHEMA, "features": {**shop.SCHEMA["features"], "user": {"type": "category"}}}
    keep = {"events": True, "predictions": True, "subject": "user"}
    shop.configured(folder, shop.model("shop", {"http": "shop"}, schema=schema, keep=keep))
    [lines], _ = shop.traffic(3, windows=6, per_window=60, partitions=1)
    events = [json.loads(line) | {"user": KEY if n % 50 == 0 else f"u{n % 7}"} for n, line in enumerate(lines)]
    (folder / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    log = HttpLog(folder / "ingest.log", ManualClock(shop.START_MS))
    log.append("shop", [json.dumps(event).encode() for event in events])
    log.close()
    return folder


@pytest.fixture
def config(folder: Path, leeway: Console) -> Path:
    if not (folder / "store").exists():
        events = f"shop={folder / 'events.jsonl'}"
        assert leeway("replay", folder / "leeway.yaml", "-e", events, "--store", folder / "store").code == 0
    return folder / "leeway.yaml"


def document(said: Any) -> Any:
    assert said.code == 0, said.err
    return json.loads(said.out)


def test_status_says_what_a_store_holds(config: Path, folder: Path, leeway: Console) -> None:
    said = document(leeway("store", "status", "--store", folder / "store", "--json"))
    tables = {table["name"]: table for table in said["tables"]}
    assert tables["events"]["rows"] > 300
    assert tables["events"]["bytes"] > 1_000
    assert shop.START_MS - 60_000 < tables["events"]["oldest_ms"] < tables["events"]["newest_ms"]
    assert tables["scores"]["ttl"] == ""
    assert said["schema_version"] == said["newest_version"]
    assert said["disk_free_bytes"] > 0
    assert (said["unfinished_erasures"], said["unfinished_filling"]) == (0, "")
    text = leeway("store", "status", "--config", config).out
    assert "predictions" in text
    assert "forever" in text


def test_a_backup_is_restored_row_for_row(config: Path, folder: Path, leeway: Console, tmp_path: Path) -> None:
    said = document(leeway("store", "backup", tmp_path / "kept", "--config", config, "--json"))
    counts = {table["table"]: table["rows"] for table in said["tables"]}
    assert counts["events"] > 300
    assert (tmp_path / "kept" / "ingest.log").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    said = document(leeway("store", "restore", tmp_path / "kept", "--store", tmp_path / "again", "--json"))
    assert {table["table"]: table["rows"] for table in said["tables"]} == counts
    found = {}
    for place in (folder / "store", tmp_path / "again"):
        store = ChdbStore(place)
        found[place.name] = [str(store.read(Query(table))) for table in counts]
        store.close()
    assert found["again"] == found["store"]
    again = leeway("store", "restore", tmp_path / "kept", "--store", tmp_path / "again")
    assert again.code == 3
    assert "without rows" in again.err


def test_vacuum_removes_what_is_too_old(config: Path, leeway: Console, folder: Path, tmp_path: Path) -> None:
    # given a copy of the configuration whose lifetimes are over
    spec = json.loads(config.read_text())
    spec["spec"]["store"] = {"kind": "chdb", "path": str(tmp_path / "other"), "keep": {"findings": "1d"}}
    spec["spec"]["models"] = [str(folder / "models" / "*.yaml")]
    other = tmp_path / "other.yaml"
    other.write_text(json.dumps(spec))
    assert leeway("store", "migrate", "--config", other, "--dry-run").code == 2
    said = leeway("store", "migrate", "--config", other)
    assert "ran 0001_tables" in said.out
    assert leeway("store", "migrate", "--config", other).out == "nothing to do\n"
    store = ChdbStore(tmp_path / "other")
    store.append("findings", plain("findings", 5, offset=range(5), event_ms=shop.START_MS), token="old")
    store.close()
    # when
    said = document(leeway("store", "vacuum", "--config", other, "--json"))
    # then
    assert said["findings"]["before_bytes"] > said["findings"]["after_bytes"] == 0
    store = ChdbStore(tmp_path / "other")
    assert len(store.read(Query("findings"))["offset"]) == 0
    store.close()


@pytest.mark.parametrize("verb", ["status", "migrate", "vacuum"])
def test_a_store_must_be_named_and_be_there(verb: str, leeway: Console, tmp_path: Path) -> None:
    assert leeway("store", verb).code == 2
    said = leeway("store", verb, "--store", tmp_path / "nothing")
    assert (said.code, said.out) == (2, "")
    assert "no store at" in said.err
    assert not (tmp_path / "nothing").exists()


def test_a_store_that_is_open_is_refused_with_what_to_do(config: Path, folder: Path, leeway: Console) -> None:
    store = ChdbStore(folder / "store")
    try:
        for command in (
            ["store", "status", "--store", folder / "store"],
            ["erase", "--subject", "x", "--config", config],
        ):
            said = leeway(*command)
            assert said.code == 3
            assert "close it first" in said.err or "stop it first" in said.err
    finally:
        store.close()


def test_erase_proves_that_nobody_is_left(config: Path, folder: Path, leeway: Console) -> None:
    # given what a dry run promises
    planned = document(leeway("erase", "--subject", KEY, "--config", config, "--dry-run", "--json"))
    assert planned["state"] == "planned"
    assert planned["rows"]["events"] == planned["ingest_log"] == 8
    # and an export has
    exported = leeway("export", "--subject", KEY, "--config", config)
    held = Counter(json.loads(line)["table"] for line in exported.out.splitlines())
    assert "not in it: Kafka topics, files, backups" in exported.err
    assert held["events"] == held["ingest_log"] == 8
    # when
    said = leeway("erase", "--subject", KEY, "--config", config, "--yes", "--json")
    # then the answer is the proof, and names nobody
    done = document(said)
    assert (done["state"], done["remaining"]) == ("done", 0)
    for table in ("events", "predictions", "dead_letters", "findings"):
        assert done["rows"][table] == planned["rows"][table]
    assert KEY not in said.out + said.err
    assert [p.name for p in folder.glob("ingest.log*") if KEY.encode() in p.read_bytes()] == []
    again = leeway("erase", "--subject", KEY, "--config", config, "--yes")
    assert "0 rows remain" in again.out
    assert "out of reach" in again.out
    assert leeway("export", "--subject", KEY, "--config", config).out == ""
    # and who erased is in the audit log, and not whom
    store = ChdbStore(folder / "store")
    entries = sorted(rows_of(store.read(Query("audit"))), key=lambda entry: entry["at_ms"])
    store.close()
    digest = done["subject_hash"]
    assert [(entry["operation"], entry["subject"].split(), entry["status"]) for entry in entries[:3]] == [
        ("leeway erase", ["planned"], 200),
        ("leeway export", [digest], 200),
        ("leeway erase", [digest, "done"], 200),
    ]
    assert all(entry["who"] for entry in entries)


def test_an_export_is_audited_before_anything_of_it_is_shown(
    config: Path, leeway: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    monkeypatch.setattr("monitor.cli.audited.write_entry", lambda store, clock, entry: steps.append("audited"))
    monkeypatch.setattr("monitor.cli.export._print", lambda records: steps.append("shown"))
    assert leeway("export", "--subject", KEY, "--config", config).code == 0
    assert steps == ["audited", "shown"]


def test_an_erasure_that_fails_half_way_is_audited_with_the_hash(
    config: Path, folder: Path, leeway: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise StoreError("the disk is full", retryable=True)

    monkeypatch.setattr(erase, "drop_outdated", full)
    assert leeway("erase", "--subject", "bert", "--config", config, "--yes").code == 3
    store = ChdbStore(folder / "store")
    entry = max(rows_of(store.read(Query("audit"))), key=lambda entry: entry["at_ms"])
    erasure = max(rows_of(store.read(Query("erasures"))), key=lambda erasure: erasure["at_ms"])
    store.close()
    assert (entry["operation"], entry["subject"], entry["status"]) == ("leeway erase", erasure["subject_hash"], 500)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--subject", "x", "--url", "http://a", "--config", "b"], "exclude"),
        (["--subject", "", "--config", "CONFIG"], "empty"),
        (["--subject", "x", "--model", "y", "--config", "CONFIG"], "no model is called"),
    ],
)
def test_wrong_requests_are_refused(arguments: list[str], words: str, config: Path, leeway: Console) -> None:
    said = leeway("erase", "--yes", *[str(config) if a == "CONFIG" else a for a in arguments])
    assert said.code == 2
    assert words in said.err


def test_a_service_that_is_not_there_is_told(leeway: Console) -> None:
    said = leeway("erase", "--subject", "x", "--yes", "--url", "http://127.0.0.1:9")
    assert said.code == 3
    assert "--config FILE" in said.err


def test_an_embedded_store_is_moved_to_a_server_with_all_its_rows(
    config: Path, leeway: Console, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with settings_for("clickhouse", request, tmp_path) as settings:
        spec = json.loads(config.read_text())
        server = {"kind": "clickhouse", **{name: value for name, value in settings.items() if value}}
        spec["spec"] |= {"store": server, "models": [str(config.parent / "models" / "*.yaml")]}
        target = tmp_path / "server.yaml"
        target.write_text(json.dumps(spec))
        moved = document(leeway("store", "move", target, "--config", config, "--json"))
        rows = {table["table"]: table["rows"] for table in moved["tables"]}
        status = document(leeway("store", "status", "--config", target, "--json"))
        assert {table["name"]: table["rows"] for table in status["tables"]}.items() >= {
            "events": rows["events"]
        }.items()
        assert min(rows["events"], rows["scores"], rows["checkpoints"]) > 0
        refused = leeway("store", "move", target, "--config", config)
        assert (refused.code, "without rows" in refused.err) == (3, True)
    assert leeway("store", "move", config, "--config", config).code == 2


def test_flipped_bytes_are_found_where_they_are(config: Path, folder: Path, leeway: Console, tmp_path: Path) -> None:
    shutil.copytree(folder / "store", tmp_path / "store", symlinks=True)
    assert document(leeway("store", "verify", "--store", tmp_path / "store", "--json"))["is_whole"]
    store = ChdbStore(tmp_path / "store")
    sql = "SELECT path, name FROM system.parts WHERE active AND table = 'scores' ORDER BY bytes_on_disk DESC LIMIT 1"
    part = store.query(sql)
    store.close()
    flip(Path(part["path"][0]) / "data.bin")
    said = leeway("store", "verify", "--store", tmp_path / "store")
    assert said.code == 1
    assert ("scores" in said.out, part["name"][0] in said.out, "data.bin" in said.out) == (True, True, True)
    # and those of a backup
    document(leeway("store", "backup", tmp_path / "kept", "--config", config, "--json"))
    assert leeway("store", "verify", "--backup", tmp_path / "kept").code == 0
    flip(tmp_path / "kept" / "panes.parquet")
    said = leeway("store", "verify", "--backup", tmp_path / "kept", "--json")
    assert said.code == 1
    damaged = [table["table"] for table in json.loads(said.out)["tables"] if table["damage"]]
    assert damaged == ["panes"]


def test_a_store_that_holds_a_part_of_what_fills_it_says_so(leeway: Console, tmp_path: Path) -> None:
    with closing(ChdbStore(tmp_path / "store")) as store:
        store.migrate()
        begin(store, "backup 7")
    said = leeway("store", "status", "--store", tmp_path / "store")
    assert "(backup 7): begin the same again" in said.out


def flip(file: Path) -> None:
    """Turn a byte in the middle around."""
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 0xFF
    file.write_bytes(bytes(data))
