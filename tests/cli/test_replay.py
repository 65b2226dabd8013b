"""`leeway replay`: the same lines whatever the portions, exit codes for pipelines, a store to look at later."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest

from monitor.evaluate.horizon_log import Basis, HorizonLog
from monitor.events import ENDED
from sinks.store import open_store
from tests.cli.console import Console
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
