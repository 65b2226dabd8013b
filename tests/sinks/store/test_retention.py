"""Rows go when they are older than their table's lifetime, and not before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monitor.clock import SystemClock
from monitor.config.lifetimes import lifetimes
from monitor.config.service import Retention
from sinks.store.chdb import ChdbStore
from sinks.store.contract import Query
from sinks.store.memory import MemoryStore
from sinks.store.retention import AGING, Lifetimes, present, retain
from sinks.store.upkeep import vacuum
from tests.monitor.streams import configured
from tests.sinks.store.samples import plain

DAY_MS = 86_400_000
NOW_MS = SystemClock().now_ms()
AGES_DAYS = [0, 5, 9, 11, 400, 4_000, -3_000]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChdbStore]:
    folder = tmp_path_factory.mktemp("retention") / "store"
    made = ChdbStore(folder)
    made.migrate()
    made.close()
    opened = ChdbStore(folder)  # again, since a table's cleaner hears of its pace when the table is loaded
    yield opened
    opened.close()


@pytest.fixture
def chdb(shared: ChdbStore) -> ChdbStore:
    """A store whose tables of this file are empty and without lifetimes."""
    retain(shared, {table: Lifetimes() for table in AGING})
    for table in ("findings", "events", "dead_letters"):
        shared.command(f"TRUNCATE TABLE {table}")
    return shared


def append(store: Any, table: str, ages_days: Sequence[float], **columns: Any) -> None:
    times = [NOW_MS - int(age * DAY_MS) for age in ages_days]
    rows = plain(table, len(times), offset=range(len(times)), **{AGING[table].time: times}, **columns)
    store.append(table, rows, token=f"{table}/{ages_days}/{columns}")


def ages(store: Any, table: str) -> list[int]:
    """The ages in days of the rows that are left, oldest first."""
    times = store.read(Query(table))[AGING[table].time]
    return sorted(round((NOW_MS - time_ms) / DAY_MS) for time_ms in np.asarray(times).tolist())[::-1]


def test_rows_older_than_their_lifetime_go_and_the_others_stay(chdb: ChdbStore) -> None:
    append(chdb, "findings", AGES_DAYS)
    changes = retain(chdb, {"findings": Lifetimes(10 * DAY_MS)})
    assert [(change.table, change.before) for change in changes] == [("findings", "")]
    vacuum(chdb, ["findings"])
    assert ages(chdb, "findings") == [9, 5, 0, -3_000]


def test_what_receivers_knew_about_groups_goes_after_a_month_and_no_other_checkpoint_does(chdb: ChdbStore) -> None:
    stages = ("told", "flapping")
    rows = [(stage, f"{age} days", NOW_MS - age * DAY_MS) for stage in stages for age in (0, 29, 31, 400)]
    rows += [(stage, "early", offset) for stage, offset in (("ingest", 7), ("evaluate", -1), ("route", 1_000_000))]
    kinds, names, positions = zip(*rows, strict=True)
    columns = {"stage": kinds, "name": names, "partition": [0] * len(rows), "position": positions}
    columns |= {"config": [""] * len(rows), "state": [b""] * len(rows)}
    chdb.append("checkpoints", columns, token="told")
    vacuum(chdb, ["checkpoints"])
    remaining = chdb.read(Query("checkpoints"))
    assert set(zip(remaining["stage"], remaining["name"], strict=True)) == {
        *((stage, age) for stage in stages for age in ("0 days", "29 days")),
        *((stage, "early") for stage in ("ingest", "evaluate", "route")),
    }


def test_what_a_process_went_by_goes_after_a_month_without_news(chdb: ChdbStore) -> None:
    instances = {f"{age} days": NOW_MS - age * DAY_MS for age in (0, 29, 31, 400)}
    times, count = list(instances.values()), len(instances)
    rows = plain("configurations_taken", count, model=["m"] * count, instance=list(instances), at_ms=times)
    chdb.append("configurations_taken", rows, token="taken")
    vacuum(chdb, ["configurations_taken"])
    assert set(chdb.read(Query("configurations_taken"))["instance"]) == {"0 days", "29 days"}


def test_a_lifetime_that_is_there_already_is_left_alone(chdb: ChdbStore) -> None:
    by_table = {
        "findings": Lifetimes(10 * DAY_MS),
        "scores": Lifetimes(),
        "events": Lifetimes(DAY_MS, {"it's": None, "a-b.c": 5_000}),
    }
    assert {change.table for change in retain(chdb, by_table)} == {"findings", "events"}
    assert retain(chdb, by_table) == []


def test_a_lifetime_that_is_taken_back_or_made_longer_is_honoured(chdb: ChdbStore) -> None:
    retain(chdb, {"findings": Lifetimes(10 * DAY_MS)})
    retain(chdb, {"findings": Lifetimes(500 * DAY_MS)})
    append(chdb, "findings", AGES_DAYS)
    vacuum(chdb, ["findings"])
    assert ages(chdb, "findings") == [400, 11, 9, 5, 0, -3_000]
    retain(chdb, {"findings": Lifetimes()})
    assert "findings" not in present(chdb)
    append(chdb, "findings", [*AGES_DAYS, 5_000])
    vacuum(chdb, ["findings"])
    assert ages(chdb, "findings") == [5_000, 4_000, 400, 11, 9, 5, 0, -3_000]


def test_models_may_differ(chdb: ChdbStore) -> None:
    for model in ("short", "long", "for-ever", "another's"):
        append(chdb, "events", [0, 5, 50, 5_000], model=model)
    retain(chdb, {"events": Lifetimes(10 * DAY_MS, {"short": DAY_MS, "long": 100 * DAY_MS, "for-ever": None})})
    vacuum(chdb, ["events"])
    counts = chdb.query("SELECT model, count() AS n FROM events GROUP BY model ORDER BY model")
    assert dict(zip(counts["model"], counts["n"], strict=True)) == {
        "another's": 2,
        "for-ever": 4,
        "long": 3,
        "short": 1,
    }


def test_a_row_without_a_time_of_its_own_has_no_age(chdb: ChdbStore) -> None:
    chdb.append("dead_letters", plain("dead_letters", 2, record_ms=[-1, 1_000], offset=[1, 2]), token="odd")
    retain(chdb, {"dead_letters": Lifetimes(DAY_MS)})
    vacuum(chdb, ["dead_letters"])
    assert chdb.read(Query("dead_letters"))["record_ms"].tolist() == [-1]


@pytest.mark.parametrize(("source", "sums", "n"), [("scores", "scores_1h", "events"), ("panes", "panes_1h", "n")])
def test_a_late_row_does_not_add_sums_up_again_from_rows_of_which_some_are_gone(
    chdb: ChdbStore, source: str, sums: str, n: str
) -> None:
    def add(first_minute: int, count: int) -> None:
        """Rows of an hour of twelve days ago and of one of today, of 5 minutes each."""
        for model, age_days in (("old", 12), ("new", 0)):
            hour_ms = (NOW_MS - age_days * DAY_MS) // DAY_MS * DAY_MS
            times = [hour_ms + (first_minute + 5 * index) * 60_000 for index in range(count)]
            lengths = {"pane_ms": 300_000} if source == "panes" else {}
            rows = plain(source, count, model=model, **{AGING[source].time: times}, **lengths)
            chdb.append(source, rows, f"{model}/{first_minute}")

    # given sums of both, and a lifetime after which only today's rows are left
    add(5, 3)
    chdb.refresh(0)
    retain(chdb, {source: Lifetimes(10 * DAY_MS)})
    vacuum(chdb, [source])
    assert set(chdb.read(Query(source))["model"]) == {"new"}
    # when a late row comes to each
    add(30, 1)
    chdb.refresh(0)
    # then the old sums stay, and today's have grown
    counts = chdb.query(f"SELECT model, sum({n}) AS n FROM {sums} FINAL GROUP BY model ORDER BY model")
    assert dict(zip(counts["model"], counts["n"], strict=True)) == {"new": 4, "old": 3}
    assert not chdb.query("SELECT hour_ms FROM touched FINAL WHERE touched_ms > refreshed_ms")["hour_ms"].size


@pytest.mark.parametrize(("whole", "n"), [(False, 3), (True, 4)], ids=["panes are gone", "all panes are there"])
def test_a_late_pane_of_a_model_that_is_behind_adds_to_a_sum_only_if_its_panes_are_there(
    chdb: ChdbStore, whole: bool, n: int
) -> None:
    hour_ms, model = (NOW_MS - 30 * DAY_MS) // DAY_MS * DAY_MS, f"behind {whole}"

    def add(first_minute: int, count: int, late_at_ms: int) -> None:
        times = [hour_ms + (first_minute + 5 * index) * 60_000 for index in range(count)]
        rows = plain("panes", count, model=model, pane_start_ms=times, pane_ms=300_000, late_at_ms=late_at_ms)
        chdb.append("panes", rows, f"{model} {first_minute}")

    # given sums, whose panes went while the model was not behind, or never did
    add(5, 3, 0)
    chdb.refresh(0)
    if not whole:
        retain(chdb, {"panes": Lifetimes(10 * DAY_MS)})
        vacuum(chdb, ["panes"])
    # when it falls behind, and an hour of before is touched
    retain(chdb, {"panes": Lifetimes(10 * DAY_MS, {model: None})})
    add(30, 1, 0)
    chdb.refresh(0)
    # then what is left of its panes is not taken for the whole
    sums = chdb.query("SELECT sum(n) AS n FROM panes_1h FINAL WHERE model = {model:String}", {"model": model})
    assert sums["n"].tolist() == [n]
    assert not chdb.query("SELECT hour_ms FROM touched FINAL WHERE touched_ms > refreshed_ms")["hour_ms"].size


def test_upkeep_that_is_done_twice_changes_no_row(chdb: ChdbStore) -> None:
    append(chdb, "findings", AGES_DAYS)
    hours = [NOW_MS - 2 * DAY_MS, NOW_MS - DAY_MS]
    chdb.append("scores", plain("scores", 2, window_end_ms=hours), token="upkeep")
    found = []
    for _ in range(2):
        retain(chdb, {"findings": Lifetimes(5 * DAY_MS)})
        chdb.refresh(settle_ms=0)
        found.append(
            [chdb.query(f"SELECT * FROM {table} FINAL ORDER BY ALL") for table in ("findings", "scores", "scores_1h")]
        )
    assert str(found[0]) == str(found[1])
    assert len(found[0][2]["model"])


def test_a_store_in_memory_keeps_everything(tmp_path: Path) -> None:
    store = MemoryStore()
    append(store, "findings", AGES_DAYS)
    assert retain(store, {"findings": Lifetimes(DAY_MS)}) == []
    assert len(ages(store, "findings")) == len(AGES_DAYS)


def test_every_lifetime_of_the_configuration_is_one_of_a_table() -> None:
    by_table = lifetimes(configured(keep={"for": {"events": "7d", "predictions": "forever"}}))
    assert set(by_table) == set(AGING)
    assert set(Retention.model_fields) < set(AGING)
    results = {table: by_table[table].default_ms for table in Retention.model_fields}
    lasting = dict.fromkeys(results) | {"panes": 14 * DAY_MS, "audit": 400 * DAY_MS, "job_runs": 30 * DAY_MS}
    assert results == lasting, "all others stay unless a lifetime is set"
    assert by_table["events"].by_model == {"loans": 7 * DAY_MS}
    assert by_table["predictions"].by_model == {"loans": None}
