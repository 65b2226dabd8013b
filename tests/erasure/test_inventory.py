"""A name is planted in every column that may hold one, as its declaration says, and looked for afterwards."""

from __future__ import annotations

import html
import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from monitor.checkpoint import decode_state, encode_state
from monitor.clock import ManualClock
from monitor.erasure.erase import Erased, Eraser, Request
from monitor.erasure.export import exported
from sinks.store.backup import backup, restore
from sinks.store.chdb import ChdbStore
from sinks.store.contract import DERIVED, TABLES, Query, Store
from sinks.store.memory import MemoryStore
from sinks.store.tables import EVERY_TABLE
from sinks.store.tables.table import ERASURES, Column, Table, table
from sinks.store.upkeep import tables_of
from tests.erasure.test_erase import CONFIGURATION, NOW_MS
from tests.monitor.streams import TOPIC
from tests.sinks.store.samples import plain

KEY = "kunde-é&4711"
FORMS = (KEY, json.dumps(KEY)[1:-1], html.escape(KEY), quote(KEY), KEY.encode("ascii", "xmlcharrefreplace").decode())
ANSWER = f'http://hook: 400 {{"echo": "{FORMS[1]}", "at": "/c/{FORMS[3]}"}} <b>{FORMS[2]}</b> {FORMS[4]} {KEY[:9]}'
"""A receiver quotes what it was sent, and its answer is cut."""

SENTENCE = f"feature:customer: share of {KEY!r} 1 % → 2 %; accepted by {KEY} as the new normal: {KEY} moved away"

PLANTED: dict[str, Any] = {
    "names": ("a", KEY),
    "segment": f"customer={KEY},country=DE",
    "quoted": SENTENCE,
    "document": json.dumps([{"signal": "feature:customer", "reason": SENTENCE}, {"annotations": {"a": ANSWER}}]),
    "free": ANSWER,
    "left": f'{{customer="{KEY}"}}',
}
"""What stands in a column, by what its declaration says an erasure does with it; the others need a row around it."""


def test_every_treatment_is_planted() -> None:
    assert PLANTED.keys() | {"own", "rows", "packed"} == ERASURES.keys()


def test_a_column_of_free_text_that_does_not_say_what_an_erasure_does_is_refused() -> None:
    with pytest.raises(ValueError, match=r"visits\.note may name people"):
        table("visits", "page:name note:text", "page")
    with pytest.raises(ValueError, match="not 'hide'"):
        table("visits", "page:name note:text:hide", "page")


def planted(of: Table, *treatments: str) -> Iterator[dict[str, Any]]:
    """A row for each column of a table that is treated so, with the name in it."""
    for column in of.columns:
        if column.erasure in treatments:
            yield from _rows(of, column)


def _rows(of: Table, column: Column) -> Iterator[dict[str, Any]]:
    if column.erasure == "packed":
        yield from ({"stage": stage, column.name: encode_state(state)} for stage, state in STATES.items())
    elif of.name == "dead_letters":
        yield from LETTERS
    elif column.erasure == "rows" and column.kind in ("str", "strs"):
        yield {"subject": KEY, column.name: (KEY,) if column.kind == "strs" else KEY}
    elif column.erasure != "rows":
        value = PLANTED[column.erasure]
        yield {column.name: (value,) if column.kind == "strs" and isinstance(value, str) else value}
        if of.name == "alerts" and column.erasure in ("quoted", "document"):
            yield {"model": "_posted", column.name: value}


ALERT = {"status": "firing", "labels": {"alertname": "LeewayDrift", "model": "loans"}, "starts_at_ms": 1}
STATES: dict[str, Any] = {
    "digest": {
        "sent_ms": 1,
        "alerts": {
            "f1": {"alert": ALERT | {"annotations": {"summary": SENTENCE}}, "alert_id": "a1"},
            "f2": {"alert": ALERT | {"labels": {"customer": KEY}, "annotations": {"a": ANSWER}}, "alert_id": "a2"},
        },
    },
    "one that comes later": {"notes": [ANSWER]},
}

LETTERS = [
    {"payload": payload, "payload_bytes": len(payload), "detail": detail}
    for payload, detail in (
        (json.dumps({"customer": {"id": ["somebody", KEY]}}).encode(), "wrong_type"),
        (json.dumps({"customer": {"id": {"old": KEY}}}, ensure_ascii=False).encode(), "wrong_type"),
        (b'{"customer": {"id": "kunde-\xe9&4711"}}', "byte 27: invalid continuation byte"),
        (f'{{"customer": {{"id": "{KEY}'.encode("utf-16-le"), "not_utf8"),
        (b"{", f"near {KEY!r}"),
    )
]
OF_OTHERS = [
    {"payload": payload, "payload_bytes": len(payload), "detail": ""}
    for payload in (b'{"customer": {"id": ["kunde-1"]}}', b'{"customer": {"id": "kunde-\xe9&4712"}}')
]


def fill(store: Store, *treatments: str) -> None:
    for name, of in TABLES.items():
        rows = list(planted(of, *treatments))
        if name == "dead_letters" and rows:
            rows += OF_OTHERS
        usual: dict[str, Any] = {"model": "loans", "signal": "feature:customer", "topic": TOPIC, "config": ""}
        usual |= {"labels": "{}", "signals": "[]", "annotations": "{}", "contrasts": "[]", "state": encode_state({})}
        usual |= {"stage": "route", "status": "drift", "effect": 1.0, "min_effect": 0.5, "counts": [1, 2]}
        usual |= {"starts_ms": 1, "pane_ms": 60_000, "names": ("a", "b"), "cells": []}
        for number, row in enumerate(rows):
            key = next((n for n in reversed(of.key) if of.column(n).kind == "int"), of.key[-1])
            own = {key: 60_000 * (number + 1) if of.column(key).kind == "int" else f"r{number}"}
            known = {column.name: usual[column.name] for column in of.columns if _fits(column, usual.get(column.name))}
            columns = plain(name, 1) | {n: [v] for n, v in (known | own | row).items()}
            store.append(name, columns, token=f"{name}/{number}")


def _fits(column: Column, value: Any) -> bool:
    kinds: dict[str, Any] = {"str": str, "bytes": bytes, "int": int, "float": float, "ints": list, "strs": tuple}
    return isinstance(value, kinds[column.kind])


def named(rows_of: dict[str, list[dict[str, Any]]]) -> set[str]:
    """Every column in which the name stands in some form."""
    found = set()
    for name, rows in rows_of.items():
        for row in rows:
            found |= {f"{name}.{column}" for column, value in row.items() if _holds(value)}
    return found


def _holds(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return any(map(_holds, value))
    if isinstance(value, dict):
        return any(map(_holds, [*value, *value.values()]))
    if isinstance(value, bytes):
        if value[:1] == b"\x01":
            return _holds(decode_state(value))
        return any(KEY.encode(encoding) in value for encoding in ("utf-8", "cp1252", "utf-16-le")) or _holds(str(value))
    return isinstance(value, str) and any(form in value for form in FORMS)


def stored(store: ChdbStore) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table, those that newer ones have replaced included."""
    import pyarrow

    found = {}
    for name in tables_of(store):
        rows = store.arrow(f"SELECT * FROM {name} SETTINGS final = 0")
        for column in [column.name for column in EVERY_TABLE[name].columns if column.kind == "bytes"]:
            place = rows.column_names.index(column)
            rows = rows.set_column(place, column, rows[column].cast(pyarrow.binary()))
        found[name] = rows.to_pylist()
    return found


def files_holding(folder: Path) -> list[str]:
    forms = [form.encode() for form in FORMS]
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [str(path) for path in files if any(form in path.read_bytes() for form in forms)]


def erased(store: ChdbStore, key: str = KEY, *, dry_run: bool = False) -> Erased:
    eraser = Eraser(store, CONFIGURATION, ManualClock(now_ms=NOW_MS))
    return eraser.plan(Request(key)) if dry_run else eraser.erase(Request(key))


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed store without rows."""
    folder = tmp_path_factory.mktemp("empty") / "store"
    with closing(ChdbStore(folder)) as made:
        made.migrate()
    return folder


@pytest.fixture
def store(empty: Path, tmp_path: Path) -> Iterator[ChdbStore]:
    shutil.copytree(empty, tmp_path / "store", symlinks=True)
    with closing(ChdbStore(tmp_path / "store")) as opened:
        yield opened


def test_a_name_that_was_planted_in_every_column_is_nowhere_afterwards(store: ChdbStore, tmp_path: Path) -> None:
    # given a name in every column that may hold one
    searched = {
        f"{name}.{column.name}"
        for name, of in EVERY_TABLE.items()
        for column in of.columns
        if column.erasure not in ("own", "left") and column.kind != "int"
    }
    fill(store, *ERASURES.keys() - {"own", "left"})
    store.refresh(settle_ms=0)
    assert named(stored(store)) >= searched, searched - named(stored(store))
    # when
    planned = erased(store, dry_run=True)
    held = list(exported(store, CONFIGURATION, Request(KEY)))
    done = erased(store)
    # then
    assert (done.state, done.elsewhere) == ("done", {})
    assert {name: n for name, n in planned.rows.items() if name not in ("checkpoints", "latest")} == {
        name: n for name, n in done.rows.items() if name not in ("checkpoints", "latest")
    }
    assert named(stored(store)) == set()
    assert files_holding(tmp_path / "store") == []
    # what an export has is what an erasure takes, and of others there is nothing in what counts by name
    assert {record["table"] for record in held} == {name for name, n in planned.rows.items() if n}
    assert {name for record in held if record["table"] == "panes" for name in record["row"]["names"]} == {KEY}
    assert all(record["key"].keys() == set(EVERY_TABLE[record["table"]].key) for record in held)
    assert json.dumps(held)
    assert list(exported(store, CONFIGURATION, Request(KEY))) == []
    assert len(store.read(Query("dead_letters"))["payload"]) == len(OF_OTHERS)
    # and a backup of it names nobody either
    backup(store, tmp_path / "kept")
    again = MemoryStore()
    restore(again, tmp_path / "kept")
    read = {name: again.read(Query(name)) for name in TABLES}
    assert named({name: [{c: list(v) for c, v in columns.items()}] for name, columns in read.items()}) == set()
    assert "backups that were made before" in done.unreachable
    assert "Leeway's log on stderr, which quotes what receivers answered" in done.unreachable


def test_what_alerts_are_matched_by_stays_and_is_named_in_the_certificate(store: ChdbStore) -> None:
    fill(store, "left")
    left = {f"{name}.{c.name}" for name, of in TABLES.items() for c in of.columns if c.erasure == "left"}
    assert named(stored(store)) == left
    done = erased(store)
    assert (done.state, done.elsewhere) == ("done", dict.fromkeys(left, 1))
    assert named(stored(store)) == left
    staying = [record["table"] for record in exported(store, CONFIGURATION, Request(KEY)) if "stays" in record]
    assert sorted(staying) == sorted(column.partition(".")[0] for column in left)


def test_of_a_short_name_free_texts_go_where_it_is_quoted_and_are_counted_elsewhere(store: ChdbStore) -> None:
    texts = ["7 alerts are left", "no such customer: '7'", "call customer 7", "customer 77"]
    store.append("marks", plain("marks", 4, id=list("abcd"), reason=texts), token="marks")
    done = erased(store, "7")
    assert [text.partition("erased-")[0] for text in store.read(Query("marks"))["reason"]] == [
        "7 alerts are left", "no such customer: '", "call customer 7", "customer 77",
    ]  # fmt: skip
    assert (done.rows["marks"], done.elsewhere) == (1, {"marks.reason": 2})


def test_every_derived_table_follows_from_one_that_is_planted() -> None:
    assert {DERIVED[name].source for name in DERIVED} <= set(TABLES)
