"""After an erasure nothing in the store holds the subject, others are untouched, and a replay changes neither."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from monitor.checkpoint import decode_state
from monitor.clock import ManualClock
from monitor.erasure.erase import LOOKED_THROUGH, Erased, Eraser, Request, Running, unfinished
from monitor.erasure.erased import ErasureList
from monitor.erasure.export import exported, line_of
from monitor.errors import InputError
from monitor.replay import Replay
from monitor.sources.files import FileSource
from monitor.sources.http_log import HttpLog
from sinks.store.chdb import ChdbStore
from sinks.store.clickhouse import ClickhouseStore
from sinks.store.contract import TABLES, Drifting, Query, Store
from sinks.store.memory import MemoryStore
from sinks.store.sqlstore import SqlStore
from sinks.store.upkeep import tables_of
from tests.monitor.streams import DAY_MS, SPEC, START_MS, TOPIC, configured, detecting, rows, troubled, written
from tests.sinks.store.conftest import settings_for
from tests.sinks.store.samples import plain

KEY = "kunde-é-4711"
NOW_MS = START_MS + 1_000 * DAY_MS
MODEL: dict[str, Any] = {
    "sources": [
        *SPEC["sources"],
        {"kafka": "outcomes", "kind": "labels", "event_time": {"path": "at", "unit": "ms"}},
    ],
    "schema": {
        **SPEC["schema"],
        "features": {
            **SPEC["schema"]["features"],
            "customer": {"type": "category", "path": "customer.id", "max_values": 16},
        },
        "labels": {"defaulted": {"type": "category"}},
    },
    "segments": [],
    "detect": detecting(rule="variation", pane="5m", defaults={"window": "3h", "min_samples": 4, "learn_windows": 4}),
    "keep": {"events": True, "predictions": True, "subject": "customer.id"},
}
CONFIGURATION = configured(**MODEL)


def of_customers(lines: list[bytes]) -> list[bytes]:
    """The lines of a troubled stream, each with a customer; the one to be erased comes late, as a new category."""
    out = []
    for place, line in enumerate(lines):
        key = KEY if place > len(lines) * 3 // 4 and place % 3 == 0 else f"kunde-{place % 9}"
        out.append(line.replace(b'"id": "', b'"customer": {"id": %s}, "id": "' % json.dumps(key).encode(), 1))
    return out


def outcomes_of(lines: list[bytes]) -> list[bytes]:
    """A label for every second event; it does not say whose."""
    found = []
    for place, line in enumerate(lines[::2]):
        try:
            event = json.loads(line)
        except ValueError:
            continue
        found.append(json.dumps({"id": event["id"], "at": event["ts"], "defaulted": place % 3 == 0}).encode())
    return found


def paths_of(folder: Path, lines: list[bytes]) -> dict[str, list[Path]]:
    return {
        TOPIC: written(folder / "events", [lines]),
        "outcomes": written(folder / "outcomes", [outcomes_of(lines)]),
    }


def replay(store: Store, paths: dict[str, list[Path]], **options: Any) -> None:
    Replay(CONFIGURATION, store, FileSource(paths)).run(**options)


@pytest.fixture(scope="module")
def lines() -> list[bytes]:
    found = of_customers(troubled(41, days=2, per_day=240, drift_ms=(START_MS + DAY_MS, START_MS + 2 * DAY_MS)))
    # one message that cannot be read at all, and one whose key is written in another way
    found.insert(len(found) - 3, f'{{"customer": "{KEY}", '.encode())
    escaped = found[-1].replace(b"kunde-", b"\\u006bunde-").replace(b'"amount": ', b'"amount": "much", "more": ')
    assert json.loads(escaped)
    return [*found, escaped.replace(json.loads(escaped)["customer"]["id"].encode()[5:], b""), escaped]


@pytest.fixture(scope="module")
def paths(lines: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    return paths_of(tmp_path_factory.mktemp("log"), lines)


@pytest.fixture(scope="module")
def template(paths: dict[str, list[Path]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed store with a whole replay in it, its checkpoints and roll-ups, and nobody erased."""
    folder = tmp_path_factory.mktemp("template") / "store"
    store = ChdbStore(folder)
    store.migrate()
    replay(store, paths, batch=400, checkpoint_every=500)
    store.refresh(settle_ms=0)
    store.close()
    return folder


@pytest.fixture
def filled(template: Path, tmp_path: Path) -> Iterator[ChdbStore]:
    """A copy of the template."""
    shutil.copytree(template, tmp_path / "filled", symlinks=True)
    store = ChdbStore(tmp_path / "filled")
    yield store
    store.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ChdbStore]:
    """An empty store."""
    made = ChdbStore(tmp_path / "empty")
    made.migrate()
    made.close()
    opened = ChdbStore(tmp_path / "empty")
    yield opened
    opened.close()


def erased(store: Store, **options: Any) -> Erased:
    request = Request(options.pop("subject", KEY), options.pop("model", ""), options.pop("fields", ()))
    dry_run, on_step = options.pop("dry_run", False), options.pop("on_step", lambda text: None)
    eraser = Eraser(store, CONFIGURATION, ManualClock(now_ms=NOW_MS), Running(**options))
    return eraser.plan(request) if dry_run else eraser.erase(request, on_step)


def holding(store: SqlStore, key: str = KEY) -> dict[str, int]:
    """Rows that hold the key anywhere, by table; replaced rows that are still there count."""
    found = {}
    for table in tables_of(store):
        sql = f"SELECT * FROM {table} SETTINGS final = 0"
        rows_of = store.arrow(sql).to_pylist() if table != "checkpoints" else _states(store)
        found[table] = sum(_holds(row, key) for row in rows_of)
    return {table: n for table, n in found.items() if n}


def _states(store: SqlStore) -> list[Any]:
    import pyarrow

    table = store.arrow("SELECT state FROM checkpoints SETTINGS final = 0")
    return [decode_state(state) for state in table["state"].cast(pyarrow.binary()).to_pylist()]


def _holds(value: Any, key: str) -> bool:
    if isinstance(value, dict):
        return any(_holds(item, key) for pair in value.items() for item in pair)
    if isinstance(value, (list, tuple)):
        return any(_holds(item, key) for item in value)
    if hasattr(value, "tobytes"):
        return key.encode() in value.tobytes()
    if isinstance(value, bytes):
        return key.encode() in value
    return isinstance(value, str) and (key in value or json.dumps(key)[1:-1] in value)


def files_holding(folder: Path, key: str = KEY) -> list[str]:
    return [str(path) for path in folder.rglob("*") if path.is_file() and key.encode() in path.read_bytes()]


def shape(store: Store) -> dict[str, list[Any]]:
    """What is counted, without anybody's name."""
    panes = [{k: v for k, v in row.items() if k not in {"names", "counts"}} for row in rows(store, "panes")]
    sums = [sum(row["counts"]) for row in rows(store, "panes")]
    scores = [{k: v for k, v in row.items() if k != "detail"} for row in rows(store, "scores")]
    return {"panes": [json.dumps(row) for row in panes], "sums": sums, "scores": [json.dumps(row) for row in scores]}


def others(store: Store) -> dict[str, list[str]]:
    """Single events of everybody else."""
    found = {}
    for table in ("events", "predictions", "dead_letters"):
        found[table] = [json.dumps(row) for row in rows(store, table)]
        found[table] = [
            row
            for row in found[table]
            if KEY.encode().hex() not in row
            and json.dumps(KEY)[1:-1] not in row
            and json.dumps(KEY)[1:-1].encode().hex() not in row
            and b"\\u006bunde".hex() not in row
        ]
    return found


@dataclass
class Story:
    """What one erasure did to a store."""

    before: dict[str, int]
    shape_before: dict[str, list[Any]]
    others_before: dict[str, list[str]]
    planned: Erased
    touched_by_plan: bool
    done: Erased
    after: dict[str, int]
    files_after: list[str]
    shape_after: dict[str, list[Any]]
    others_after: dict[str, list[str]]
    tables: dict[str, Any]
    audit: list[dict[str, Any]]
    known: tuple[bool, bool, bool]
    again: Erased


@pytest.fixture(scope="module")
def story(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Story:
    folder = tmp_path_factory.mktemp("story") / "store"
    shutil.copytree(template, folder, symlinks=True)
    store = ChdbStore(folder)
    before = holding(store), shape(store), others(store)
    planned = erased(store, dry_run=True)
    touched = holding(store) != before[0] or bool(rows(store, "erasures"))
    done = erased(store)
    after, files_after, shape_after, others_after = holding(store), files_holding(folder), shape(store), others(store)
    tables = {name: store.read(Query(name)) for name in TABLES}
    audit, known = rows(store, "erasures"), ErasureList(store)
    covered = (
        known.covers("loans", KEY, NOW_MS),
        known.covers("loans", KEY, NOW_MS + 1),
        known.covers("loans", "x", 0),
    )
    again = erased(store)
    store.close()
    return Story(
        *before, planned, touched, done, after, files_after, shape_after, others_after, tables, audit, covered, again
    )


def test_no_table_and_no_file_holds_the_subject_afterwards(story: Story) -> None:
    # given a store in which the subject was everywhere
    # What others than the stream fill, such as people and receivers, is in `test_inventory.py`.
    expected = {"panes", "panes_5m", "panes_1h", "scores", "scores_1h", "scores_1d", "latest", "alerts"}
    expected |= {"checkpoints", "events", "predictions", "dead_letters"}
    assert expected < set(LOOKED_THROUGH)
    assert set(story.before) == expected, "the stream does not fill every table with the subject"
    # then it is nowhere
    assert story.after == {}
    assert story.files_after == []
    assert (story.done.state, story.done.remaining) == ("done", 0)
    assert {table for table, n in story.done.rows.items() if n} >= expected | {"labels"}
    assert all(story.done.mutations[table] for table in ("events", "predictions", "labels", "dead_letters", "panes"))


def settled(done: Erased) -> dict[str, int]:
    """Rows of tables in which none was replaced: of others, merges in the background decide how many there are."""
    return {table: n for table, n in done.rows.items() if table not in ("checkpoints", "latest")}


def test_counts_and_everybody_else_stay_as_they_were(story: Story) -> None:
    assert story.shape_after == story.shape_before
    assert story.others_after == story.others_before
    assert all(story.others_after.values())


def test_a_dry_run_says_what_would_go_and_touches_nothing(story: Story) -> None:
    assert story.planned.state == "planned"
    assert not story.touched_by_plan
    assert settled(story.planned) == settled(story.done)


def test_a_second_erasure_finds_nothing_and_is_fine(story: Story) -> None:
    assert story.again.subject_hash == story.done.subject_hash
    assert sum(story.again.rows.values()) == 0
    assert story.again.state == "done"


def test_the_report_stays_and_names_nobody(story: Story) -> None:
    [row] = story.audit
    assert (row["state"], row["at_ms"], row["subject_hash"]) == ("done", NOW_MS, story.done.subject_hash)
    assert json.loads(row["report"])["rows"] == story.done.rows
    assert row["fields"] == ["loans/feature:customer"]
    assert "Kafka topic loans" in story.done.unreachable
    assert not _holds([story.audit, story.done.to_dict()], KEY)


def test_what_happens_after_the_erasure_is_kept_again(story: Story) -> None:
    assert story.known == (True, False, False)


def test_a_replay_brings_nobody_back_and_gives_the_rows_that_the_erasure_left(
    story: Story, paths: dict[str, list[Path]]
) -> None:
    # given another store that knows of the erasure, and the rows that it left
    again, left = MemoryStore(), MemoryStore()
    for table, columns in story.tables.items():
        left.append(table, columns, token="all")
    for table in ("erasures", "erasure_keys"):
        again.append(table, story.tables[table], token="list")
    # when the whole log is read into it
    replay(again, paths, batch=333, checkpoint_every=700)
    # then it is as if the subject had been erased there
    for table in ("panes", "events", "predictions", "scores", "alerts"):
        assert as_text(again, table) == as_text(left, table), table
    assert not any(_holds(row, KEY) for table in ("panes", "scores", "alerts") for row in rows(again, table))
    # except for a message that cannot be read, of which nobody can tell whose it is
    places = {(row["topic"], row["offset"]) for row in rows(left, "dead_letters")}
    back = [row for row in rows(again, "dead_letters") if (row["topic"], row["offset"]) not in places]
    assert {row["reason"] for row in back} == {"not_json"}


def test_a_reader_goes_on_from_the_checkpoint_that_was_rewritten(
    store: ChdbStore, lines: list[bytes], paths: dict[str, list[Path]], tmp_path: Path
) -> None:
    # given a replay that was cut off while the subject's name stood in open panes
    half = Replay(CONFIGURATION, store, FileSource(paths))
    half._ingest.open()
    for _ in range(11):
        half._ingest.step(100, timeout_s=1.0)
    half.save()
    half._source.close()
    assert holding(store)["checkpoints"]
    # when the subject is erased and the replay goes on
    erased(store)
    assert holding(store) == {}
    replay(store, paths)
    # then the rows are those of a replay that knew of it from the start
    again = MemoryStore()
    for table in ("erasures", "erasure_keys"):
        again.append(table, store.read(Query(table)), token="list")
    replay(again, paths)
    for table in ("panes", "events", "predictions"):
        assert as_text(store, table) == as_text(again, table), table
    # but for labels, which do not say whose they are: those are gone that were there
    assert set(as_text(store, "labels")) < set(as_text(again, "labels"))


def as_text(store: Store, table: str) -> list[str]:
    return [json.dumps(row) for row in rows(store, table)]


def test_an_erasure_cut_off_at_any_step_is_completed_by_the_next(filled: ChdbStore) -> None:
    class CutError(Exception):
        pass

    cuts = 0
    while True:
        left = cuts

        def cut(text: str) -> None:
            nonlocal left
            assert KEY not in text
            if left == 0:
                raise CutError
            left -= 1

        try:
            erased(filled, on_step=cut)
            break
        except CutError:
            assert unfinished(filled) == 1
            cuts += 1
    assert cuts > 5
    assert holding(filled) == {}
    assert unfinished(filled) == 0


def test_a_name_of_something_else_is_left_alone_and_told_unless_it_is_asked_for(filled: ChdbStore) -> None:
    done = erased(filled, subject="DE")
    assert done.elsewhere["loans/feature:country"] > 0
    assert sum(done.rows.values()) == 0
    assert holding(filled, "DE")["panes"] > 0
    done = erased(filled, subject="DE", fields=("feature:country",))
    assert done.rows["panes"] > 0
    assert "loans/feature:country" not in done.elsewhere


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[ClickhouseStore]:
    """A store on a server, whose tables are loaded anew: their cleaners hear of their pace when that happens."""
    with settings_for("clickhouse", request, Path()) as settings:
        store = ClickhouseStore.from_settings(**settings)
        store.migrate()
        for table in tables_of(store):
            store.command(f"DETACH TABLE {table} SYNC")
            store.command(f"ATTACH TABLE {table}")
        yield store
        store.close()


def test_a_subject_is_erased_from_a_server_too_with_the_same_rows_left(
    server: ClickhouseStore, paths: dict[str, list[Path]], story: Story
) -> None:
    # given the same replay on a server, and the same key for the hashes
    server.append("erasure_keys", story.tables["erasure_keys"], token="key")
    replay(server, paths, batch=400, checkpoint_every=500)
    server.refresh(settle_ms=0)
    assert set(holding(server)) == set(story.before)
    exported_tables = {record["table"] for record in exported(server, CONFIGURATION, Request(KEY))}
    # when
    done = erased(server)
    # then
    assert holding(server) == {}
    assert exported_tables == {table for table, n in done.rows.items() if n}
    assert list(exported(server, CONFIGURATION, Request(KEY))) == []
    assert (done.state, settled(done)) == ("done", settled(story.done))
    left = MemoryStore()
    for table, columns in story.tables.items():
        left.append(table, columns, token="all")
    for table in ("panes", "scores", "alerts", "events", "predictions", "labels", "dead_letters", "findings"):
        assert as_text(server, table) == as_text(left, table), table


@pytest.mark.parametrize("key", ["K-1000", "7", "it's (b.é)"])
def test_a_name_in_which_the_key_is_one_word_of_several_is_counted_and_stays(store: ChdbStore, key: str) -> None:
    """Nobody can tell which other words of a category are about somebody: what stays is said."""
    names = [
        [f"call {key} back", "paid"],
        [key, "paid"],
        [f"x{key}", f"{key}0"],
        [f"{key}, again", key],
        [f"paid {key}"],
    ]
    signals = ["feature:country"] * 3 + ["feature:customer"] * 2
    panes = plain(
        "panes", 5, model="loans", signal=signals, pane_start_ms=range(5), names=names, counts=[[1, 1]] * 4 + [[1]]
    )
    store.append("panes", panes, token="notes")
    expected = {"loans/feature:country": 2, "loans/feature:customer": 2}
    assert erased(store, subject=key, dry_run=True).elsewhere == expected
    named = {"loans/feature:country": 1, "loans/feature:customer": 2}
    assert erased(store, subject=key, fields=("feature:country",), dry_run=True).elsewhere == named
    done = erased(store, subject=key)
    assert (done.remaining, done.elsewhere, done.rows["panes"]) == (0, expected, 1)
    stored_names = {name for of in store.read(Query("panes"))["names"] for name in of}
    assert {f"call {key} back", f"{key}, again", f"paid {key}"} < stored_names


def test_a_slice_that_is_the_subject_goes_out_of_hours_of_drift_and_others_stay(store: ChdbStore) -> None:
    # given windows in drift of the subject's own slice, and of another one in the same hour
    windows = [(f"customer={KEY}", 1), ("", 1), (f"customer={KEY}0", 1), ("", 61)]
    places = {
        "segment": [segment for segment, _ in windows],
        "window_end_ms": [START_MS + minute * 60_000 for _, minute in windows],
    }
    drifted = plain("scores", len(windows), model="loans", status="drift", effect=1.0, min_effect=0.5, **places)
    store.append("scores", drifted, "a")
    store.refresh(0)
    assert "drifts_1h" in holding(store)
    # when the subject is erased
    assert erased(store, fields=("feature:customer",)).state == "done"
    # then others are ranked as before
    assert store.drifting(Drifting(0, 2**62))["segment"] == ["", f"customer={KEY}0"]
    left = store.query("SELECT DISTINCT arrayJoin(segments) AS slice FROM drifts_1h ORDER BY slice")["slice"]
    assert left == ["", f"customer={KEY}0"]


def test_what_shares_of_the_subject_were_expected_to_be_names_it_no_longer(store: ChdbStore) -> None:
    # given expectations of the subject's signal, of another signal with such a name, and of the subject's own slice
    def expectations(signal: str) -> str:
        contrasts = {"name": [f"share of {KEY!r}", "share of new values"]}
        return json.dumps({"signal": signal, "groups": None, "contrasts": contrasts}, ensure_ascii=False)

    signals = ["feature:customer", "feature:country", "feature:customer"]
    segments = ["", "", f"customer={KEY}"]
    documents = [expectations(signal) for signal in signals]
    columns = {"signal": signals, "segment": segments, "contrasts": documents}
    store.append("expectations", plain("expectations", 3, model="loans", **columns), "a")
    # when the subject is erased
    assert erased(store, fields=("feature:customer",)).state == "done"
    # then
    country, customer = rows(store, "expectations")
    assert country["contrasts"] == documents[1]
    assert "share of 'erased-" in customer["contrasts"]
    assert "share of new values" in customer["contrasts"]


def test_of_dead_letters_that_are_no_json_alone_the_bytes_decide(store: ChdbStore) -> None:
    sources = [{"kafka": "shop", "format": "cloudevents", "event_time": "ce.time"}, {"kafka": "plain"}]
    configuration = configured(**{**MODEL, "sources": [*sources, MODEL["sources"][-1]]})
    event = json.dumps({"specversion": "1.0", "data": {"customer": {"id": KEY}}}, ensure_ascii=False).encode()
    of_another = event.replace(KEY.encode(), b"somebody else")
    letters = [("shop", event), ("shop", of_another), ("plain", event)]
    rows_of = {
        "topic": [topic for topic, _ in letters],
        "payload": [payload for _, payload in letters],
        "payload_bytes": [len(payload) for _, payload in letters],
    }
    store.append("dead_letters", plain("dead_letters", len(letters), model="loans", **rows_of), "a")

    Eraser(store, configuration, ManualClock(NOW_MS)).erase(Request(KEY))

    # Of plain JSON the field decides, and there is none at that place.
    left = [(row["topic"], row["payload"]) for row in rows(store, "dead_letters")]
    assert left == [("plain", event.hex()), ("shop", of_another.hex())]


def test_requests_that_cannot_be_met_are_refused(filled: ChdbStore) -> None:
    with pytest.raises(InputError, match="no model is called 'other'"):
        erased(filled, model="other")
    with pytest.raises(InputError, match="empty"):
        erased(filled, subject="")
    with pytest.raises(InputError, match="no model has a category signal feature:age"):
        erased(filled, fields=("feature:age",))
    with pytest.raises(InputError, match=r"spec\.keep\.subject"):
        Eraser(filled, configured(), ManualClock()).erase(Request(KEY))
    watched = configured(**{**MODEL, "segments": [{"by": ["customer"], "values": ["a", KEY]}]})
    with pytest.raises(InputError, match="segment of its own"):
        Eraser(filled, watched, ManualClock()).erase(Request(KEY))
    with pytest.raises(InputError, match="segment of its own"):
        Eraser(filled, watched, ManualClock()).plan(Request(KEY))
    with pytest.raises(InputError, match="forgets everything"):
        Eraser(MemoryStore(), CONFIGURATION, ManualClock()).erase(Request(KEY))


def test_what_is_held_about_somebody_is_exported_though_a_segment_is_theirs_alone(filled: ChdbStore) -> None:
    """An export only reads: that a model goes on watching the subject is no reason to hold it back."""
    watched = configured(**{**MODEL, "segments": [{"by": ["customer"], "values": ["a", KEY]}]})
    records = list(exported(filled, watched, Request(KEY)))
    without_segment = exported(filled, CONFIGURATION, Request(KEY))
    assert sorted(map(line_of, records)) == sorted(map(line_of, without_segment))
    assert {"events", "panes", "labels"} < {record["table"] for record in records}


def test_the_log_of_http_events_is_cleared_to_the_last_byte(tmp_path: Path) -> None:
    # given messages of the subject, of others, and one that cannot be read
    log = HttpLog(tmp_path / "ingest.log", ManualClock(now_ms=NOW_MS))
    payloads = [json.dumps({"customer": {"id": KEY if n % 3 == 0 else f"k{n}"}}).encode() for n in range(30)]
    log.append("loans", [*payloads, f'{{"customer": "{KEY}'.encode()])
    log.append("others", [payloads[0]])
    wanted = {"loans": lambda payload: KEY.encode() in payload or json.dumps(KEY)[1:-1].encode() in payload}
    assert log.count(wanted) == 11
    # and nobody who reads waits for those who look through it
    with ThreadPoolExecutor() as others:
        read_beside = {"loans": lambda payload: bool(len(others.submit(log.read, "loans", 0, 1).result(timeout=120)))}
        assert [offset for _, offset, _ in log.select(read_beside)] == list(range(31))
    # when
    assert log.erase(wanted) == 11
    # then offsets stay, and what is left is read
    left = log.read("loans", 0, 100)
    assert left.offsets.tolist() == [n for n in range(30) if n % 3]
    assert log.bounds("loans") == (0, 31)
    assert log.erase({"others": lambda payload: True}) == 1
    assert [p for p in tmp_path.iterdir() if json.dumps(KEY)[1:-1].encode() in p.read_bytes()] == []
    assert log.append("loans", [b"{}"]) == (31, 31)
    log.close()
