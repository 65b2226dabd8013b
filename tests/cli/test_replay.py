"""`leeway replay`: the same lines whatever the portions, exit codes for pipelines, a store to look at later."""

from __future__ import annotations

import json
import re
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from monitor.evaluate.horizon_log import Basis, HorizonLog
from monitor.events import ENDED
from monitor.sources.files import EVENLY_FROM_MS
from monitor.values import DAY_MS
from sinks.store import open_store
from tests.cli.console import Console, Said
from tests.service import shop
from tests.service.process import leeway as in_a_process


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Events of some 40 windows, with a drift, a broken line and a field that cannot be used."""
    [log], _ = shop.traffic(6, windows=40, per_window=60, partitions=1)
    log.insert(100, b"{broken")
    log.insert(200, log[201].replace(b'"amount": ', b'"amount": "much", "_": ').replace(b'"id": "', b'"id": "x'))
    path = tmp_path_factory.mktemp("events") / "day=1" / "events.jsonl"
    path.parent.mkdir()
    path.write_bytes(b"\n".join(log))
    return path


@pytest.fixture(scope="module")
def later(events: Path) -> Path:
    """The same events 500 days later: by far behind the time from which events without one come evenly."""
    path = events.with_name("later.jsonl")
    path.write_bytes(
        re.sub(rb'"ts": ([0-9]+)', lambda found: b'"ts": %d' % (int(found[1]) + 500 * DAY_MS), events.read_bytes())
    )
    return path


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return shop.configured(tmp_path, shop.model("shop", {"kafka": "events"}))


def test_portions_of_any_size_give_the_same_lines(leeway: Console, config: Path, events: Path) -> None:
    whole = leeway("replay", config, "--events", events, "--json")
    assert whole.code == 0, whole.err
    assert {"scores", "findings", "alerts"} == {line["table"] for line in whole.lines}
    for batch in (1, 7, 1000, 100_000):
        said = leeway("replay", config, "--events", events, "--json", "--batch", batch)
        assert said.out == whole.out, f"--batch {batch}"


def test_a_replay_says_what_came_and_what_became_of_it(leeway: Console, config: Path, events: Path) -> None:
    said = leeway("replay", config, "--events", f"events={events}")
    assert said.code == 0, said.err
    told = dict(line.strip().rsplit(maxsplit=1) for line in said.out.splitlines() if line.strip()[-1:].isdigit())
    assert told["alerts fired"] == "1"
    assert told["rejected"] == "1"
    assert told["fields not usable"] == "1"
    assert "firing" in said.out
    assert "resolved" in said.out


def test_what_could_not_be_used_is_counted_by_model_and_field(leeway: Console, tmp_path: Path, events: Path) -> None:
    in_us = shop.model("in-us", {"kafka": "events", "event_time": {"path": "ts", "unit": "us"}})
    odd = tmp_path / "odd.jsonl"
    odd.write_bytes(events.read_bytes().replace(b'"country": "PL"', b'"country": 0.5'))
    config = shop.configured(tmp_path, shop.model("shop", {"kafka": "events"}), in_us)

    said = leeway("replay", config, "--events", odd)

    assert said.code == 2
    counts = dict(line.strip().rsplit(maxsplit=1) for line in said.out.splitlines() if line.strip()[-1:].isdigit())
    assert counts["in-us"] == counts["event_time_out_of_bounds"] != "0"
    assert 0 < int(counts["shop feature:country"]) <= int(counts["wrong_type"])
    assert "event_time_out_of_bounds: such as events/0/0: " in said.out
    assert "in us is 1970-01-20; in ms it is 2023-11-14: is `unit: ms` meant?" in said.out


def test_files_that_the_configuration_names_need_no_events(leeway: Console, tmp_path: Path, events: Path) -> None:
    config = shop.configured(tmp_path, shop.model("shop", {"file": "*.jsonl", "follow": True}))
    log = tmp_path / "models" / "a.jsonl"
    log.write_bytes(events.read_bytes())
    by_topic = shop.configured(tmp_path / "topic", shop.model("shop", {"kafka": "events"}))

    named, other = leeway("replay", config), leeway("replay", config, "--events", f"*.jsonl={events}")

    assert named.code == other.code == 0, named.err
    assert named.out == other.out == leeway("replay", by_topic, "--events", events).out.replace("events/", "*.jsonl/")
    log.unlink()
    missing = leeway("replay", config)
    assert (missing.code, "no file matches" in missing.err) == (2, True)
    lacking = leeway("replay", by_topic)
    assert (lacking.code, lacking.err) == (2, "error: no --events for events; say TOPIC=FILE for each\n")


def test_parquet_files_are_known_by_how_they_begin(leeway: Console, tmp_path: Path, config: Path, events: Path) -> None:
    rows = [json.loads(line) for line in events.read_bytes().splitlines()[:90]]
    table = tmp_path / "part-00000"
    pq.write_table(pa.Table.from_pylist(rows), table)

    said = leeway("replay", config, "--events", table)

    assert said.code == 0, said.err
    assert re.search(r"^ events +90$", said.out, re.MULTILINE)


def test_a_replay_without_a_window_says_why(leeway: Console, tmp_path: Path, events: Path) -> None:
    short, bad = tmp_path / "short.jsonl", tmp_path / "bad.jsonl"
    short.write_bytes(b"\n".join(events.read_bytes().splitlines()[:50]))
    bad.write_bytes(b'{"ts": 5}\n' * 3)
    detect = shop.DETECT | {"defaults": {"window": "1h"}}
    config = shop.configured(tmp_path, shop.model("shop", {"kafka": "events"}, detect=detect))

    said = leeway("replay", config, "--events", short, "--store", tmp_path / "kept")

    assert said.code == 0
    assert "shop: no window was evaluated: its 50 events, of 2023-11-14 22:13" in said.err
    assert "fill no window of 1h" in said.err
    assert "shop" in leeway("status", "--store", tmp_path / "kept").out
    without = "shop: no window was evaluated: none of its messages became an event"
    assert without in leeway("replay", config, "--events", bad).err
    windows_of_20_s = shop.configured(tmp_path, shop.model("shop", {"kafka": "events"}))
    assert "no window" not in leeway("replay", windows_of_20_s, "--events", events).err


def test_a_pipeline_can_fail_on_an_alert(leeway: Console, config: Path, events: Path, tmp_path: Path) -> None:
    assert leeway("replay", config, "-e", events, "--fail-on-alert").code == 1
    quiet = tmp_path / "quiet.jsonl"
    quiet.write_bytes(b"\n".join(events.read_bytes().splitlines()[:1000]))
    assert leeway("replay", config, "-e", quiet, "--fail-on-alert").code == 0


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ("nothing=FILE", "configuration reads events"),
        ("missing.jsonl", "missing.jsonl"),
    ],
)
def test_a_wrong_topic_or_file_ends_with_2(
    leeway: Console, config: Path, events: Path, given: str, complaint: str
) -> None:
    said = leeway("replay", config, "-e", given.replace("FILE", str(events)))
    assert said.code == 2, said.err
    assert complaint in said.err


def test_events_with_a_time_keep_it_where_others_come_evenly(leeway: Console, tmp_path: Path, later: Path) -> None:
    timed = shop.model("timed", {"kafka": "events"})
    untimed = shop.model("untimed", {"kafka": "events", "event_time": None})
    config = shop.configured(tmp_path, timed, untimed)
    plain = leeway("replay", config, "--events", later, "--json")
    evenly = leeway("replay", config, "--events", later, "--json", "--events-per-hour", 7200)
    assert (plain.code, evenly.code) == (2, 0), evenly.err

    def lines(said: Said, model: str) -> list[dict[str, Any]]:
        return [line for line in said.lines if line.get("model") == model]

    assert lines(evenly, "timed") == lines(plain, "timed") != []
    ends_ms = {line["window_end_ms"] for line in lines(evenly, "untimed") if line["table"] == "scores"}
    assert EVENLY_FROM_MS < min(ends_ms) < EVENLY_FROM_MS + 3_600_000


def test_events_with_a_time_are_checked_by_it_beside_expected_traffic(
    leeway: Console, config: Path, later: Path
) -> None:
    (plain,) = leeway("check", config, "--events", later, "--json").lines
    said = leeway("check", config, "--events", later, "--events-per-hour", 200, "--json")
    assert said.code == 0, said.err
    assert said.lines[0]["events"] == plain["events"]


def test_labels_with_a_time_keep_it_where_events_come_evenly(leeway: Console, tmp_path: Path, later: Path) -> None:
    labels = tmp_path / "labels.jsonl"
    rows = [json.loads(line) for line in later.read_bytes().splitlines() if line.startswith(b'{"')]
    labels.write_text("".join(json.dumps({"id": row["id"], "ts": row["ts"], "bad": "no"}) + "\n" for row in rows))
    schema = {**shop.SCHEMA, "labels": {"bad": {"type": "category"}}}
    sources = ({"kafka": "events"}, {"kafka": "labels", "kind": "labels"})
    config = shop.configured(tmp_path, shop.model("shop", *sources, schema=schema))
    files = ("--events", f"events={later}", "--events", f"labels={labels}", "--json")
    plain = leeway("replay", config, *files)
    assert plain.code == 0, plain.err
    assert leeway("replay", config, *files, "--events-per-hour", 200).out == plain.out


def test_that_rows_can_be_given_times_is_said_only_where_it_helps(
    leeway: Console, config: Path, events: Path, tmp_path: Path
) -> None:
    one_without = tmp_path / "one.jsonl"
    one_without.write_bytes(re.sub(rb'"ts": [0-9.]+', b'"ts": null', events.read_bytes(), count=1))
    said = leeway("replay", config, "--events", f"events={one_without}")
    assert (said.code, said.err) == (0, "")
    assert "no_event_time" in leeway("check", config, "--events", f"events={one_without}").out
    of_records = shop.configured(tmp_path / "of_records", shop.model("shop", {"kafka": "events", "event_time": None}))
    assert "--events-per-hour" in leeway("replay", of_records, "--events", f"events={one_without}").err


def test_every_topic_needs_its_events(leeway: Console, tmp_path: Path, events: Path) -> None:
    sources = [{"kafka": "seen", "kind": "features"}, {"kafka": "said", "kind": "prediction"}]
    config = shop.configured(tmp_path, shop.model("shop", *sources))
    said = leeway("replay", config, "-e", f"seen={events}")
    assert said.code == 2
    assert "no --events for said" in said.err
    assert leeway("replay", config, "-e", f"seen={events}", "-e", f"said={events}").code == 0


def test_a_file_is_said_to_be_a_topic_that_a_pattern_stands_for(leeway: Console, tmp_path: Path, events: Path) -> None:
    config = shop.configured(tmp_path, shop.model("shop", {"kafka": "/shop-[a-z]+/"}))
    assert leeway("replay", config, "-e", f"shop-eu={events}").code == 0
    for given, complaint in (
        (str(events), "say which of the topics /shop-[a-z]+/ it is"),
        (f"shop-1={events}", "the configuration reads /shop-[a-z]+/"),
    ):
        said = leeway("replay", config, "-e", given)
        assert said.code == 2
        assert complaint in said.err


@pytest.mark.slow
def test_what_a_replay_kept_can_be_asked_for_later(leeway: Console, config: Path, events: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    replayed = in_a_process("replay", config, "-e", events, "--store", kept, "--json")
    assert replayed.returncode == 0, replayed.stderr
    lines = [json.loads(line) for line in replayed.stdout.splitlines()]

    shown = leeway("history", "--store", kept, "--model", "shop", "--limit", 100_000, "--json").lines
    scores = [line for line in lines if line["table"] == "scores"]
    ends = [(row["signal"], row["detector"], row["window_end_ms"], row["statistic"], row["status"]) for row in shown]
    assert sorted(ends, key=str) == sorted(
        ((s["signal"], s["detector"], s["window_end_ms"], s["statistic"], s["status"]) for s in scores), key=str
    )

    said = leeway("alerts", "--store", kept)
    assert "resolved" in said.out, said.err
    assert "critical" in said.out

    again = leeway("replay", config, "-e", events, "--store", kept, "--fail-on-alert")
    assert again.code == 2
    assert f"{kept} holds a replay that has ended" in again.err


def test_a_replay_takes_over_which_partitions_windows_did_not_wait_for(
    leeway: Console, config: Path, events: Path, tmp_path: Path
) -> None:
    lines = events.read_bytes().splitlines(keepends=True)
    files = [tmp_path / f"{number}.jsonl" for number in (0, 1)]
    for number, file in enumerate(files):
        file.write_bytes(b"".join(lines[number::2]))
    step_ms, silent_ms = shop.WINDOW_MS, shop.START_MS + 10 * shop.WINDOW_MS
    with closing(open_store("chdb", str(tmp_path / "live"))) as store:
        log = HorizonLog(store, "shop", step_ms, None)
        counted_ms = {("events", 0): ENDED, ("events", 1): silent_ms}
        log.decide(Basis(shop.START_MS + step_ms, shop.START_MS + 20 * step_ms, counted_ms, is_first=True))
    said = leeway("replay", config, "-e", files[0], "-e", files[1], "--json", "--decisions", tmp_path / "live")
    assert said.code == 0, said.err
    volume = {line["window_end_ms"]: line for line in said.lines if line.get("signal") == "volume"}
    without = {end_ms for end_ms, line in volume.items() if line["idle"] == "events/1"}
    assert without == {end_ms for end_ms in volume if silent_ms < end_ms <= shop.START_MS + 20 * step_ms} != set()
    assert max(volume[end_ms]["n"] for end_ms in without) < 40
    assert leeway("replay", config, "-e", files[0], "--decisions", tmp_path / "none").code == 2
