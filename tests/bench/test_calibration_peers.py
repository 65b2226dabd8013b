"""The comparison with NannyML and Evidently draws the same events for everybody, and counts fairly."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from bench.calibration.grid import GRIDS, Grid
from bench.calibration.injections import INJECTIONS
from bench.calibration.page import PAGE, with_tables
from bench.calibration.peers.__main__ import MEASURED, main, read_parts
from bench.calibration.peers.comparison import FEATURES, INJECTED, Alerts, Outcome, compared
from bench.calibration.peers.logs import Chance, Log
from bench.calibration.peers.ours import Ours
from bench.calibration.peers.table import lines_of
from bench.calibration.streams import STREAMS
from bench.calibration.traffic import Traffic, traffic_of
from bench.calibration.watched import Rule, built_on
from tests.services.cache import ROOT

GRID = Grid("1h", 3_600_000, events=200, block=24)


def drawn(stream: str, days: int, seed: int = 3) -> tuple[Chance, Traffic]:
    rng = np.random.default_rng(seed)
    _, traffic = traffic_of(STREAMS[stream], GRID, 2, days, rng)
    return Chance.drawn(STREAMS[stream], traffic, rng), traffic


def mean_of(log: Log, feature: int) -> float:
    return float(np.nanmean(log.columns[feature]))


def test_values_have_the_distribution_of_their_stream() -> None:
    chance, traffic = drawn("iid", 4)
    log = chance.log(traffic, 0, 96)
    assert len(log.window) == pytest.approx(96 * GRID.events, rel=0.05)
    assert np.nanstd(log.columns[0]) == pytest.approx(1.0, abs=0.03)
    assert np.isnan(log.columns).mean() == pytest.approx(0.02, abs=0.005)


def test_names_have_the_shares_of_their_stream() -> None:
    chance, traffic = drawn("names5", 4)
    names = chance.log(traffic, 0, 96).columns[0]
    shares = np.bincount(names[~np.isnan(names)].astype(int), minlength=7) / np.isfinite(names).sum()
    assert shares == pytest.approx([*STREAMS["names5"].shares, 0.0, 0.0], abs=0.012)


@pytest.mark.parametrize(("stream", "name"), [("season", "mean0.5"), ("names5", "mix20")])
def test_what_happens_changes_nothing_else(stream: str, name: str) -> None:
    chance, usual = drawn(stream, 2)
    changed = chance.log(INJECTIONS[name].applied(usual, GRID, 24, 1), 0, 48)
    control = chance.log(usual, 0, 48)
    assert np.array_equal(changed.window, control.window)
    assert np.array_equal(changed.columns[1], control.columns[1], equal_nan=True)
    before = control.window < 24
    assert np.array_equal(changed.columns[0][before], control.columns[0][before], equal_nan=True)
    assert not np.array_equal(changed.columns[0], control.columns[0], equal_nan=True)


def test_injections_do_what_their_names_say() -> None:
    chance, usual = drawn("iid", 4)

    def after(name: str) -> Log:
        return chance.log(INJECTIONS[name].applied(usual, GRID, 0, 1), 0, 96)

    assert mean_of(after("mean0.5"), 0) - mean_of(after("mean0.5"), 1) == pytest.approx(0.5, abs=0.04)
    assert np.nanstd(after("spread2").columns[0]) == pytest.approx(2.0, abs=0.05)
    assert np.isnan(after("missing50").columns[0]).mean() == pytest.approx(0.52, abs=0.01)
    assert set(after("constant").columns[0][~np.isnan(after("constant").columns[0])]) == {0.0}


@pytest.mark.parametrize("stream", ["iid", "names5", "clusters"])
def test_our_panes_hold_every_event(stream: str) -> None:
    chance, traffic = drawn(stream, 2)
    log = chance.log(traffic, 0, 48)
    model = built_on(log.sample(1_000, np.random.default_rng(1)).table(), STREAMS[stream], GRID, Rule("change"))
    counted = log.counted(model)
    assert np.array_equal(counted.events, np.bincount(log.window, minlength=48))
    assert np.array_equal(counted.counts.sum(axis=2) + counted.missing, np.tile(counted.events, (2, 1)))


def test_ours_alarm_of_what_happens_and_of_nothing_else() -> None:
    chance, usual = drawn("season", 16)
    reference = chance.log(usual, 0, 14 * 24)
    ours = Ours(reference.sample(2_000, np.random.default_rng(1)), reference, GRID, Rule("change"))
    missing = INJECTIONS["missing50"].applied(usual, GRID, 14 * 24 + 6, 1)
    alarms = ours.alerts(chance.log(missing, 14 * 24, 16 * 24))
    of_changes, of_skews = alarms
    assert of_changes[0, 6]
    assert not of_changes[1:].any()
    assert not of_skews.any()
    assert not ours.alerts(chance.log(usual, 14 * 24, 16 * 24)).any()


def alerts(control: Sequence[int], changed: Sequence[int], days: int = 14) -> Alerts:
    """In the first feature's windows of these numbers; those of changes count from the injection on."""
    rows = np.zeros((FEATURES, days), dtype=np.bool_)
    rows[0, list(control)] = True
    injected = np.zeros((INJECTED, 7), dtype=np.bool_)
    injected[0, list(changed)] = True
    return Alerts(rows, np.zeros(days, dtype=np.bool_), {"mean0.5": injected})


def outcome(*models: Alerts) -> Outcome:
    (counted,) = compared("iid", GRIDS["1d"], [{"leeway": of_model} for of_model in models])
    return counted


def test_windows_count_once_however_many_features_alert() -> None:
    counted = outcome(alerts([3, 5], []), alerts([], []))
    assert (counted.false_windows, counted.windows) == (2, 28)
    volume = Alerts(alerts([3], []).control, np.arange(14) < 4, {})
    assert outcome(volume).false_windows == 4


def test_found_is_what_alerts_within_the_days() -> None:
    counted = outcome(alerts([], [0]), alerts([], [6]), alerts([], []))
    assert counted.trials == 3 * INJECTED
    assert counted.within == {"mean0.5": (1, 2)}
    assert counted.told_apart == counted.within


def test_who_always_alerts_finds_everything_and_tells_nothing_apart() -> None:
    always = Alerts(np.ones((FEATURES, 14), bool), np.zeros(14, bool), {"mean0.5": np.ones((INJECTED, 7), bool)})
    counted = outcome(always)
    assert counted.within == {"mean0.5": (INJECTED, INJECTED)}
    assert counted.told_apart == {"mean0.5": (0, 0)}


def in_season(contestant: str, false_windows: int, found: int = 11) -> Outcome:
    counts = {"mean0.5": (found, found)}
    return Outcome("season", "1h", contestant, 100, false_windows, 12, counts, counts)


def test_the_sums_name_the_streams_in_which_ours_do_worse() -> None:
    lines = list(lines_of([in_season("leeway", 2), in_season("nannyml", 1, found=12), in_season("evidently", 60)]))
    assert "| 1h | leeway | 2 of 100 | 11 of 12 | 11 of 12 | 11 of 12 | 11 of 12 |" in lines
    assert "| 1h | mean0.5 | 92, 92 (92, 92) | 100, 100 (100, 100) | 92, 92 (92, 92) |" in lines
    worse = "1 of 1: 1h season"
    assert f"| nannyml | {worse} | {worse} | {worse} | {worse} | {worse} |" in lines
    assert "| evidently | none | none | none | none | none |" in lines


def test_ours_alone_needs_no_environment(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--peers", "--stream", "iid", "--window", "1d", "--models", "1", "--json"]) == 0
    documents = {document["contestant"]: document for document in json.loads(capsys.readouterr().out)}
    assert list(documents) == ["leeway", "leeway, change alone"]
    assert documents["leeway"]["within"]["mean1"] == [INJECTED, INJECTED]


def test_of_what_was_measured_twice_the_later_one_is_shown(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    parts = [[in_season("leeway", 7), in_season("nannyml", 1)], [in_season("leeway", 2)]]
    files = [tmp_path / f"{number}.json" for number in range(2)]
    for file, outcomes in zip(files, parts, strict=True):
        file.write_text(json.dumps([outcome.to_json() for outcome in outcomes]))
    assert main(["--parts", *map(str, files)]) == 0
    assert capsys.readouterr().out.splitlines() == list(lines_of([in_season("leeway", 2), in_season("nannyml", 1)]))


def test_the_page_shows_what_was_measured() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert with_tables(page, lines_of(read_parts(MEASURED))) == page


def test_what_pip_cannot_install_is_said(tmp_path: Path) -> None:
    environment = os.environ | {"LEEWAY_CACHE": str(tmp_path), "PIP_NO_INDEX": "1"}
    command = [sys.executable, "-m", "bench.calibration.peers", "--peers", "evidently"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "No matching distribution found for evidently==" in done.stderr
