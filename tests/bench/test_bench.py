"""The benchmarks run, at sizes that measure nothing, and print what the documentation shows."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from bench import __main__ as bench
from bench import (
    acceptance,
    anomaly,
    backtest,
    config,
    detectors,
    distances,
    estimator_muting,
    fetch,
    formats,
    history,
    init,
    performance_alarms,
    performance_join,
    replay,
    rollouts,
    routing,
    scorers,
    soak,
    startup,
    vector_changes,
    vectors,
    windows,
)
from bench import store as stores
from bench.estimates import __main__ as estimates
from detectors.distance import DISTANCES
from detectors.drift import find
from monitor.decoders import DECODERS

FIGURES = {"leeway", "command", "river", "ratio"}


def test_replay_prints_both_rates_and_their_ratio(capsys: pytest.CaptureFixture[str]) -> None:
    replay.main(["--events", "3000", "--river-events", "50", "--rounds", "1"])

    *lines, last = capsys.readouterr().out.splitlines()
    found = json.loads(last)
    assert found["events"] == 3000
    assert found["findings"] > 0
    assert {name for name in found if name.endswith("_median")} == {f"{name}_median" for name in FIGURES}
    assert found["ratio_median"] == pytest.approx(found["leeway_median"] / found["river_median"])
    assert any(line.startswith("leeway / river") for line in lines)


def test_detectors_prints_what_each_costs_beside_river_and_whether_that_is_enough(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = tmp_path / "costs.json"
    names = ["--only", "page_hinkley", "robust_z", "--no-peers"]
    detectors.main([*names, "--observations", "500", "--rounds", "2", "--write", str(written)])

    head, *_, last = capsys.readouterr().out.splitlines()
    found = json.loads(last)
    assert json.loads(written.read_text()) == found
    assert list(found) == ["page_hinkley", "robust_z"]
    assert head.split()[-5:] == ["frouros", "CapyMOA", "Online/river", "memory", "target"]
    cost = found["page_hinkley"]
    assert set(cost["best_ns"]) == {"many", "random", "one", "online", "river"}
    assert all(0.0 < cost["best_ns"][way] <= cost["median_ns"][way] for way in cost["best_ns"])
    # A row of state and of memory, and what belongs to all thousand series.
    page_hinkley = find("page_hinkley")
    row_bytes = page_hinkley.dtype.itemsize + 8 * page_hinkley.memory_width(page_hinkley.values())
    assert 0 <= cost["memory_bytes"] - row_bytes < 6
    ratio = cost["best_ns"]["online"] / cost["best_ns"]["river"]
    assert (f"≤ 2 x river {'met' if ratio <= 2 else 'MISSED'}") in cost["targets"]


def test_windows_prints_what_a_window_costs_by_both_rules(capsys: pytest.CaptureFixture[str]) -> None:
    windows.main(["--rounds", "1", "--features", "2", "--window", "1h"])

    _, *lines, last = capsys.readouterr().out.splitlines()
    found = json.loads(last)
    assert list(found) == ["1h, numbers", "1h, names", "1h, numbers off"]
    for line, (name, cost) in zip(lines, found.items(), strict=True):
        assert line.startswith(name)
        assert all(0.0 < cost[rule] <= cost[f"{rule}_median"] for rule in ("change", "variation"))
        assert line.endswith("met" if cost["change"] <= 40 else "MISSED")


def test_config_prints_how_long_models_of_one_defaults_file_take(capsys: pytest.CaptureFixture[str]) -> None:
    config.main(["--models", "2", "--features", "3", "--files-only"])

    *rows, last = capsys.readouterr().out.splitlines()
    measured = json.loads(last)
    assert [row.split()[0] for row in rows] == list(measured)
    assert all(measured[f"{step}_s"] > 0 for step in ("load", "check"))
    assert measured["models_touched"] == 1


def test_anomaly_prints_costs_and_how_well_each_ranks_beside_chance(capsys: pytest.CaptureFixture[str]) -> None:
    anomaly.main(["--seeds", "1", "--rounds", "1", "--only", "rs_hash", "chance"])

    head, *rows, last = capsys.readouterr().out.splitlines()
    found = json.loads(last)
    assert [row.split()[0] for row in rows] == list(found) == ["rs_hash", "chance"]
    assert head.split()[-1] == "mean"
    assert min(found["rs_hash"]["ns_30"], found["rs_hash"]["ns_10"]) > 0
    assert all(0.4 < area < 0.6 for area in found["chance"]["areas"].values())
    assert all(area > 0.7 for area in found["rs_hash"]["areas"].values())


def test_scorers_prints_costs_alarms_and_what_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    scorers.main(["--n", "2000", "--seeds", "1", "--streams", "1", "--rounds", "1"])

    head, *rows, last = capsys.readouterr().out.splitlines()
    found = json.loads(last)
    assert len(rows) == len(found)
    assert head.split()[-2:] == ["10", "sd"]
    assert min(found["ewma_residual"]["ns"], found["ewma_residual"]["ns_leveled"]) > 0
    assert found["robust_z"]["found"]["10"] == 1.0
    assert found["river GaussianScorer"]["ns"] > 0


@pytest.mark.slow
def test_the_first_process_compiles_and_the_next_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    # One detector instead of all that a replay uses.
    script = """
from detectors.bank import Bank
from detectors.drift import find
Bank(find("cusum"), series=1).update_one(0, [1.0])
"""
    monkeypatch.setattr(startup, "LEEWAY", [sys.executable, "-c", script])
    found = startup.measure(events=20, rounds=1)

    assert found["compiling_s"] > found["cached_best_s"] > 0


def test_formats_prints_a_rate_for_each_that_can_be_configured(capsys: pytest.CaptureFixture[str]) -> None:
    formats.main(["--rounds", "1"])

    *_, last = capsys.readouterr().out.splitlines()
    found = json.loads(last)
    assert {name.partition(",")[0] for name in found if ":" not in name} == set(DECODERS) - {"parquet"}
    assert all(rate > 0 for rate in found.values())


def test_backtest_prints_seconds_and_where_they_go(capsys: pytest.CaptureFixture[str]) -> None:
    backtest.main(["--days", "2", "--signals", "5", "--rounds", "1"])

    *lines, last = capsys.readouterr().out.splitlines()
    found = json.loads(last)
    assert (found["windows"], found["panes"]) == (2 * 288, 6 * 2 * 288)
    assert found["tests"] > found["windows"]
    assert found["ratio"] == pytest.approx(found["windows_per_s"] / found["peer_windows_per_s"])
    assert sum(found["profile"].values()) > 0
    assert any(line.startswith("leeway: backtest") for line in lines)


def test_distances_prints_what_each_costs_beside_scipy(capsys: pytest.CaptureFixture[str]) -> None:
    distances.main(["--rounds", "1"])

    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert set(found) == set(DISTANCES)
    assert all(of["best"] > 0 for of in found.values())


def test_vectors_prints_what_they_cost_and_what_is_seen_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    vectors.main(["--rounds", "1", "--count", "50", "--quiet", "40", "--changed", "1"])

    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert all(cost > 0 for row in found["ns_per_vector"].values() for cost in row.values())
    assert found["windows"]["mean +1 sd, 1 of 10"]["mmd"]["effect"] > 0.15
    assert found["windows"]["correlation 0.8 to -0.8"]["reconstruction"]["alarms"] == 1


def test_vector_changes_prints_how_soon_changes_of_vectors_are_found(capsys: pytest.CaptureFixture[str]) -> None:
    vector_changes.main(["--streams", "1", "--trials", "1", "--of", "all vectors are one"])
    assert capsys.readouterr().out.splitlines()[-1] == "| all vectors are one | 60 | 100 % | 100 % | 100 % |"

    vector_changes.main(["--streams", "1", "--trials", "1", "--of", "independent", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert [row["vectors"] for row in found["false_alarms"]] == [3, 60, 1000]
    assert all(row["late"] <= row["accepted"][1] for row in found["false_alarms"])


def test_an_unknown_bench_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        bench.main(["replay", "nonsense"])
    assert "no bench is called nonsense" in capsys.readouterr().err


def test_every_bench_is_a_module_with_a_main() -> None:
    modules = {path.stem for path in Path(bench.__file__).parent.glob("*.py")}
    soaks, helpers = (
        {
            "soak",
            "soak_alerts",
            "soak_apply",
            "soak_chaos",
            "soak_config",
            "soak_kafka",
            "alertmanager_suite",
            "api_requests",
            "freshness",
            "hourly",
            "inserts",
            "posted",
            "prometheus_rules",
            "agree",
            "same_rows",
            "detector_table",
            "p_values",
            "anomaly_dependence",
            "finding_rates",
            "long_spans",
            "pages",
            "pane_bytes",
            "performance_alarms",
            "estimator_muting",
            "outages",
            "performance_intervals",
            "performance_join",
            "real",
            "recovery",
            "scheduled_jobs",
            "false_marks",
            "values_within_hours",
            "vector_changes",
            "acceptance",
            "rollouts",
            "stuck_outputs",
        },
        {
            "__init__",
            "__main__",
            "alertmanager_launcher",
            "anomaly_sets",
            "chaos_accounts",
            "chaos_health",
            "chaos_hostile",
            "chaos_schedule",
            "chaos_threads",
            "chaos_traffic",
            "chaos_world",
            "contenders",
            "counterparts",
            "events",
            "fleet",
            "inboxes",
            "rows",
            "schema",
            "dependence",
            "detector_streams",
        },
    )
    assert modules - soaks - helpers == set(bench.BENCHES)


@pytest.fixture
def few_series(monkeypatch: pytest.MonkeyPatch) -> None:
    """20 instead of 4,000, which every process that answers would compile; and few answers that do not count."""
    monkeypatch.setattr(history, "MODELS", 5)
    monkeypatch.setattr(history, "SIGNALS", 4)
    monkeypatch.setattr(history, "WARM_UP", 1)
    monkeypatch.setattr(history, "IDLE_S", 0.1)


@pytest.mark.usefixtures("few_series")
def test_history_prints_how_long_each_question_takes(capsys: pytest.CaptureFixture[str]) -> None:
    history.main(["--rows", "4000", "--requests", "2"])

    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found.pop("scores") == 4000
    assert len(found) == 3 * len(history.questions(2))
    assert all(value > 0 for value in found.values())


@pytest.mark.usefixtures("few_series")
def test_history_compares_this_version_with_another_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = Path(history.__file__).parents[1]
    # A checkout with an environment of its own; here the same code and environment.
    for name in ("bench", "detectors", "monitor", "sinks"):
        (tmp_path / name).symlink_to(root / name)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    history.main(["--rows", "4000", "--requests", "2", "--beside", str(tmp_path)])

    ratios = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert len(ratios) == 4 * len(history.questions(2))
    assert all(0 < ratio < 1_000 for ratio in ratios.values())


def test_store_prints_rates_of_both_stores_and_sizes_of_all_tables(capsys: pytest.CaptureFixture[str]) -> None:
    stores.main(["--rounds", "1", "--sizes", "200"])

    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    for kind in ("chdb", "clickhouse"):
        for table in ("scores", "predictions", "panes"):
            assert found[f"{kind} {table} 200: best"] > 0
    assert {"scores: bytes per row", "panes: bytes per row", "scores_1h: bytes per row"} <= set(found)


def test_a_turn_of_the_soak_crashes_and_ends_with_the_same_rows(tmp_path: Path) -> None:
    same, counts = soak.turn(3, tmp_path, count=500)

    assert same
    assert counts["crashes"] > 0
    assert min(counts[f"rows of {table}"] for table in ("panes", "scores", "dead_letters")) > 0


def test_the_soak_notices_a_write_that_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = soak.CrashingStore.append

    def forgetful(store: soak.CrashingStore, table: str, columns: dict[str, list[object]], token: str) -> None:
        if table != "scores":
            written(store, table, columns, token)

    monkeypatch.setattr(soak.CrashingStore, "append", forgetful)

    assert not soak.turn(3, tmp_path, count=500)[0]


def test_the_documentation_names_every_bench() -> None:
    text = Path("docs/benchmarks.md").read_text()
    assert all(f"| `{name}` |" in text for name in bench.BENCHES)


def test_fetch_prints_what_each_client_costs(capsys: pytest.CaptureFixture[str]) -> None:
    fetch.main(["--messages", "2000", "--rounds", "1"])

    *lines, last = capsys.readouterr().out.splitlines()
    found = json.loads(last)
    for codec in fetch.CODECS:
        assert set(found[codec]) == set(fetch.CONTESTANTS)
        assert all(run["best"] == run["median"] > 0 for run in found[codec].values())
    assert sum(line.startswith("leeway ") for line in lines) == len(fetch.CODECS)


def test_routing_prints_what_a_pass_costs(capsys: pytest.CaptureFixture[str]) -> None:
    routing.main(["--alerts", "100", "--rounds", "1"])

    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert set(found) == {"groups", "take up ms", "first pass ms", "pass ms", "median ms", "memory MB"}
    assert all(value > 0 for value in found.values())


def test_estimator_muting_prints_how_often_estimators_are_muted_and_how_soon(
    capsys: pytest.CaptureFixture[str],
) -> None:
    estimator_muting.main(["--estimators", "1"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[1].rstrip(" |") for line in lines[2:4]] == ["0", "0"]
    assert len([line for line in lines if " a day |" in line]) == len(estimator_muting.DAYS_OF) * len(
        estimator_muting.STRAYS
    )


def test_acceptance_prints_false_alarms_and_what_is_found_by_size_of_shift(
    capsys: pytest.CaptureFixture[str],
) -> None:
    acceptance.main(["--models", "1", "--window", "1d", "--stream", "season", "--after", "0"])
    _, sizes, line = capsys.readouterr().out.splitlines()
    assert sizes.split()[2:] == ["0.0", "0.5", "1.0", "2.0", "4.0"] * 3
    cells = line.removeprefix("season").split()[2:]
    assert [cell.endswith("%") for cell in cells] == [False] * 5 + [True] * 10


def test_rollouts_prints_how_often_verdicts_are_wrong_and_how_soon_they_come(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollouts, "PANES", 40)
    rollouts.main(["--rollouts", "40", "--only", "rate of 30 %"])

    head, *lines, last = capsys.readouterr().out.splitlines()
    table = json.loads(last)["rows"]
    assert len(lines) == len(table) == len(rollouts.SHARES) * len(rollouts.TRUTHS)
    assert "median events" in head
    for row in table:
        assert row["promoted"] <= row["promoted_at_most"]
        if row["truth"] == "no difference":
            assert row["median_events"] < row["fixed_events"]


def test_init_prints_what_fired_on_clean_traffic_beside_what_is_accepted(capsys: pytest.CaptureFixture[str]) -> None:
    init.main(["--sets", "wine", "--days", "1"])

    *lines, last = capsys.readouterr().out.splitlines()
    found = json.loads(last)
    assert [(each["set"], each["drafted_from"]) for each in found["files"]] == [("wine", "events"), ("wine", "frame")]
    assert found["accepted"] == pytest.approx(2 / 30)
    assert {each["watched"] for each in found["files"]} == {13}
    assert lines[-1].startswith(f"all: {found['alerts']} alerts where 0.06667 are accepted")
    assert len(init.SETS) == 10


def test_estimates_print_how_near_each_kind_comes(capsys: pytest.CaptureFixture[str]) -> None:
    estimates.main(["--task", "trump"])

    _, _, *rows = capsys.readouterr().out.splitlines()
    assert [row.split(" | ")[3] for row in rows] == ["as it came", "shifted"]
    assert all(float(row.split(" | ")[8]) < float(row.split(" | ")[5]) for row in rows)


def test_performance_join_prints_what_joining_costs_and_how_old_a_metric_is(capsys: pytest.CaptureFixture[str]) -> None:
    performance_join.main(["--events", "100", "--days", "1", "--round", "7200"])

    *_, last = capsys.readouterr().out.splitlines()
    figures = json.loads(last)
    assert figures["labels"] > 0
    assert figures["events_per_cpu_s"] > 0
    assert figures["latency_median_min"] <= figures["latency_p99_min"]


def test_performance_alarms_print_ratios_and_delays_beside_those_of_river(capsys: pytest.CaptureFixture[str]) -> None:
    performance_alarms.main(
        [
            "--replicas",
            "1",
            "--days",
            "3",
            "--only",
            "3 labels",
            "mae, errors 10",
            "--found-within",
            "1",
            "--drops",
            "0.1",
        ]
    )

    *_, last = capsys.readouterr().out.splitlines()
    figures = json.loads(last)
    assert [each["stream"] for each in figures["false_alarms"]] == [
        "accuracy, 3 labels an hour", "mae, 3 labels an hour", "skill 0.15, 3 labels an hour", "all"
    ]  # fmt: skip
    assert all(each["ratio"] <= each["upper"] for each in figures["false_alarms"])
    assert [each["worse"] for each in figures["power"]] == ["mae, errors 10 % larger"]
    assert {each["detector"] for each in figures["delays"]} >= {"leeway", *performance_alarms.PEERS}
