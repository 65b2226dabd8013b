"""A store that has lost rows says so: a part that cannot be read is set aside, and no read fails for it."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from structlog.testing import capture_logs

from monitor.alerts.own import MODEL, STORE_DAMAGED, STORE_UNREADABLE
from monitor.alerts.store_damage import LOOK_THROUGH_EVERY_MS, StoreDamage
from monitor.clock import SystemClock
from monitor.config import load
from monitor.jobs.job import JOBS, Job
from monitor.service import Service
from sinks.store import open_store
from sinks.store.chdb import ChdbStore
from sinks.store.contract import Query, Store, StoreError
from sinks.store.rows import rows_of
from sinks.store.upkeep import DetachedPart
from tests.cli.console import Console
from tests.service import shop
from tests.service.test_metrics import figures, scraped
from tests.sinks.store.samples import plain


@pytest.fixture
def leeway(capsys: pytest.CaptureFixture[str]) -> Console:
    return Console(capsys)


def damage_a_part(folder: Path) -> Path:
    """Make a store with a score that can no longer be read; return where its engine will set the part aside."""
    open_store("chdb", str(folder)).close()
    store = ChdbStore(folder)
    store.append("scores", plain("scores", 1), "a")
    [path] = store.query("SELECT path FROM system.parts WHERE active AND table = 'scores'")["path"]
    store.close()
    part = Path(path)
    (part / "data.cmrk4").write_bytes(b"")
    return part.parent / "detached" / f"broken-on-start_{part.name}"


def own_alerts(store: Store, alertname: str = STORE_DAMAGED) -> list[tuple[str, str, str]]:
    rows = rows_of(store.read(Query("alerts", {"model": MODEL}, order=("at_ms",))))
    labels = [json.loads(row["labels"]) for row in rows]
    assert {label["alertname"] for label in labels} <= {alertname}
    return [(label["table"], row["state"], row["title"]) for label, row in zip(labels, rows, strict=True)]


def test_rows_that_the_store_has_lost_are_alerted_about_until_they_are_repaired_or_given_up(
    tmp_path: Path, leeway: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.service.WATCH_EVERY_S", 0.05)
    file = shop.configured(tmp_path, shop.model("shop", {"http": "shop"}))
    set_aside = damage_a_part(tmp_path / "store")

    with capture_logs() as log:
        service = Service(load(file), SystemClock())
        service.start()
        [(table, state, title)] = shop.wait_until(lambda: own_alerts(service.store), "it is alerted about")
        assert (table, state) == ("scores", "firing")
        shop.wait_until(lambda: not service.ready(), "it is ready all the same")
        assert title.startswith("rows of the table scores may be missing since 20")
        assert f"the store cannot read a part, and has set aside {set_aside.name} on " in title
        assert title.endswith(
            "in the parts that were merged. Else restore a backup, or replay the log, into a new store"
        )
        assert figures(scraped(service), "leeway_store_parts_set_aside") == {("scores",): 1}
        service.stop()
    [line] = [line for line in log if line["event"].startswith("parts of the store are set aside")]
    assert (line["log_level"], line["table"], line["parts"]) == ("error", "scores", set_aside.name)

    status = leeway("status", "--store", tmp_path / "store").out.splitlines()
    assert (status[0], [title in line for line in status].count(True)) == ("About Leeway itself:", 1)

    monkeypatch.setitem(JOBS, "look_at_store", Job(0.05, "evaluate"))
    service = Service(load(file), SystemClock())
    service.start()
    shutil.rmtree(set_aside)
    shop.wait_until(lambda: len(own_alerts(service.store)) == 2, "it is over")
    assert own_alerts(service.store)[1] == ("scores", "resolved", f"over: {title}")
    service.stop()


def test_a_table_that_reads_fail_at_is_alerted_about_until_they_succeed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.service.WATCH_EVERY_S", 0.05)
    monkeypatch.setitem(JOBS, "look_at_store", Job(0.05))
    file = shop.configured(tmp_path, shop.model("shop", {"http": "shop"}))
    open_store("chdb", str(tmp_path / "store")).close()
    store = ChdbStore(tmp_path / "store")
    store.append("identity", {"id": ["ours"]}, "a")
    service = Service(load(file), SystemClock(), store)
    [path] = store.query("SELECT path FROM system.parts WHERE active AND table = 'identity'")["path"]
    marks = Path(path) / "data.cmrk4"
    whole = marks.read_bytes()
    marks.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    service.start()
    store.command("SYSTEM DROP MARK CACHE")
    with pytest.raises(StoreError):
        store.read(Query("identity"))
    [(table, state, title)] = shop.wait_until(lambda: own_alerts(store, STORE_UNREADABLE), "it is alerted about")
    assert (table, state) == ("identity", "firing")
    assert title.startswith("a part of the table identity is damaged, and what reads it waits. `leeway store verify`")
    store.read_damaged_again()
    assert list(store.damaged_reads) == ["identity"], "it fails still"
    after_restart = StoreDamage()
    assert not after_restart.is_readable(store, "identity")
    after_restart.look(store, 0)
    assert not after_restart.is_readable(store, "identity"), "it is damaged still"
    marks.write_bytes(whole)
    after_restart.look(store, LOOK_THROUGH_EVERY_MS)
    assert after_restart.is_readable(store, "identity")
    with monkeypatch.context() as full:
        full.setattr(os, "statvfs", lambda path: SimpleNamespace(f_bavail=40, f_frsize=2**20))
        assert [reason for reason in service.ready() if "has 40 MiB free: nothing is written below 144 MiB" in reason]
    assert not [reason for reason in service.ready() if "MiB free" in reason]
    shop.wait_until(lambda: len(own_alerts(store, STORE_UNREADABLE)) == 2, "it is over")
    service.stop()


@pytest.mark.parametrize(
    ("reason", "has_lost_rows"),
    [("broken", True), ("broken-on-start", True), ("covered-by-broken", False), ("ignored", False), ("", False)],
)
def test_copies_that_a_damaged_part_covers_have_lost_nothing(reason: str, has_lost_rows: bool) -> None:
    assert DetachedPart("scores", f"{reason}_202401_1_1_0", reason, "db1").is_broken == has_lost_rows
