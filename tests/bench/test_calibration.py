"""The bench of the alarm rule draws what it says, and what it draws is what a log would have given."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from bench.calibration.__main__ import document, main, parsed
from bench.calibration.draw import Drawn, draw
from bench.calibration.events import event_lines
from bench.calibration.false_alarms import BUDGETS, Counted, Setting, count_false_alarms, interval
from bench.calibration.forms import SEEDS, SHORT, Size
from bench.calibration.goals import goal_lines
from bench.calibration.grid import GRIDS, Grid
from bench.calibration.injections import INJECTIONS, Injection
from bench.calibration.oracle import oracle_delays
from bench.calibration.page import MEASURED, PAGE, with_tables
from bench.calibration.panes import pane_rows, values_of_cells
from bench.calibration.power import NEVER, Course, Found, find
from bench.calibration.streams import STREAMS
from bench.calibration.table import delay_lines, false_alarm_lines, power_lines
from bench.calibration.traffic import Traffic, traffic_of
from bench.calibration.trial import Trial
from bench.calibration.watched import MODEL, TOPIC, Rule, Watched, configured, watched
from monitor.config import Configuration
from monitor.evaluate.backtest import backtest, span_of
from monitor.evaluate.model import ModelSeries, follow, lifecycle_of
from monitor.replay import Replay
from monitor.sources.files import FileSource
from monitor.watch import compile_watch
from sinks.store.memory import MemoryStore
from tests.monitor.streams import rows, written

FEATURES = 2
SMALL = Grid("1h", 3_600_000, events=120, block=24)


def traffic(stream: str, grid: Grid, days: int, seed: int = 1) -> tuple[Traffic, Traffic]:
    history, following = traffic_of(STREAMS[stream], grid, FEATURES, days, np.random.default_rng(seed))
    return history, following


def drawn(model: Watched, windows: Traffic, seed: Sequence[int] = (2, 0)) -> Drawn:
    return draw(model.stream, model.layouts, windows, windows.between(0, 1), seed)


def text(found: Any) -> list[str]:
    return sorted(json.dumps(row, sort_keys=True) for row in found)


@pytest.mark.parametrize("rule", ["variation", "change"])
@pytest.mark.parametrize("stream", ["daylevels", "mixdays"])
def test_what_is_drawn_gives_the_rows_of_a_replay_and_of_a_backtest(stream: str, rule: str, tmp_path: Path) -> None:
    history, usual = traffic(stream, SMALL, days=12)
    following = INJECTIONS["missing50"].applied(usual, SMALL, start=200, features=1)
    configuration = configured(STREAMS[stream], SMALL, history, Rule(rule), tmp_path, [3])
    model = Watched(compile_watch(configuration, MODEL), STREAMS[stream], SMALL)
    sample, ends_ms = drawn(model, following), SMALL.ends_ms(0, following.windows)

    # No event follows the last window, so that a log does not close it.
    verdicts = ModelSeries(model.watch).advance(pane_rows(model, sample, ends_ms), ends_ms[:-1])
    transitions = follow(lifecycle_of(model.watch), verdicts, ends_ms[:-1])
    store = replayed(configuration, list(event_lines(model, sample, ends_ms)), tmp_path)
    again = backtest(store, model.watch, span_of(store, model.watch), keep=[*model.watch.uses, *model.signals])

    scores = text(row for of_series in verdicts for row in as_rows(of_series.rows(MODEL, "")))
    alerts = text(transition.to_row() for transition in transitions)
    assert scores == text(rows(store, "scores")) == text(as_rows(again.scores))
    assert alerts == text(rows(store, "alerts")) == text(transition.to_row() for transition in again.transitions)
    assert alerts


def replayed(configuration: Configuration, lines: list[bytes], folder: Path) -> MemoryStore:
    store = MemoryStore()
    store.migrate()
    Replay(configuration, store, FileSource({TOPIC: written(folder, [lines])})).run()
    return store


def as_rows(columns: Any) -> list[dict[str, Any]]:
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


@pytest.mark.parametrize("name", [name for name, stream in STREAMS.items() if not stream.shares])
def test_counts_follow_the_distribution_of_their_stream(name: str) -> None:
    """The data set is drawn value by value, windows by probabilities: both must be of one distribution."""
    grid = GRIDS["1h"]
    history, following = traffic(name, grid, days=28)
    model = watched(STREAMS[name], grid, history, Rule(), [5])
    counts = drawn(model, following).counts.sum(axis=1)
    layout = model.watch.layouts["feature:f000"]
    reference = model.watch.reference["", "feature:f000"]
    expected = np.zeros(counts.shape[1])
    expected[reference.cells] = reference.counts / reference.n  # type: ignore[union-attr]
    distance = np.abs(np.cumsum(counts[0] / counts[0].sum() - expected)).max()
    # The data set has 5,000 values; levels that differ from day to day leave no more than a few to the month.
    assert distance < stats.kstwo(5_000).isf(1e-4) + 0.1 * bool(STREAMS[name].level_sd or name == "walk"), layout


@pytest.mark.parametrize("name", [name for name, stream in STREAMS.items() if stream.shares])
def test_names_have_the_shares_of_their_stream(name: str) -> None:
    stream, grid = STREAMS[name], GRIDS["1h"]
    history, following = traffic(name, grid, days=28)
    model = watched(stream, grid, history, Rule(), [5])
    counts = drawn(model, following).counts.sum(axis=1)
    tolerance = 0.05 if name.startswith("mix") else 0.002
    assert np.abs(counts[0, : len(stream.shares)] / counts[0].sum() - stream.shares).max() < tolerance
    assert counts[:, len(stream.shares) :].sum() == 0


@pytest.mark.parametrize("name", ["iid", "names5", "missing"])
def test_the_data_set_misses_as_many_values_as_the_stream(name: str) -> None:
    """Else the stream would differ from what its model was built on."""
    history, following = traffic(name, GRIDS["1h"], days=28)
    model = watched(STREAMS[name], GRIDS["1h"], history, Rule(), [5])
    sample, reference = drawn(model, following), model.watch.reference["", "feature:f001"]
    assert reference.missing / reference.total == pytest.approx(
        sample.missing[1].sum() / sample.events.sum(), abs=0.008
    )


def test_the_same_seed_gives_the_same_windows_however_many_are_drawn() -> None:
    grid = GRIDS["1h"]
    history, following = traffic("season", grid, days=14)
    model = watched(STREAMS["season"], grid, history, Rule(), [5])
    once, twice = (drawn(model, following.between(0, grid.block)) for _ in range(2))
    assert (once.counts == twice.counts).all()
    assert (once.counts != drawn(model, following.between(0, grid.block), seed=(2, 1)).counts).any()


@pytest.mark.parametrize("rule", ["variation", "change"])
def test_a_branch_goes_on_as_the_trial_itself_does(rule: str) -> None:
    history, following = traffic("daylevels", SMALL, days=12)
    following.level[:, 200:] += 2.0
    model = watched(STREAMS["daylevels"], SMALL, history, Rule(rule), [5])
    sample, ends_ms = drawn(model, following), SMALL.ends_ms(0, following.windows)
    panes = pane_rows(model, sample, ends_ms)
    trial = Trial(model)
    trial.advance(panes, ends_ms[:100])
    branch, before = trial.branch(), (len(trial.fired_ms), trial.onsets())
    trial.advance(panes, ends_ms[100:])
    branch.advance(panes, ends_ms[100:])
    assert branch.fired_ms == trial.fired_ms[before[0] :]
    assert branch.onsets() == trial.onsets() - before[1] > 0


def test_each_injection_is_what_it_is_called() -> None:
    grid = GRIDS["1h"]
    history, usual = traffic("iid", grid, days=8)
    model = watched(STREAMS["iid"], grid, history, Rule(), [5])
    layouts = model.layouts
    assert layouts is not None
    cells = values_of_cells(layouts[0])
    half = usual.windows // 2

    def after(name: str) -> Drawn:
        """The windows after the start, of a feature that is injected and of one that is not."""
        changed = INJECTIONS[name].applied(usual, grid, start=half, features=1)
        return drawn(model, changed.between(half, usual.windows))

    def moments(name: str) -> list[float]:
        counts = after(name).counts.sum(axis=1)
        means = counts @ cells / counts.sum(axis=1)
        spreads = np.sqrt(np.maximum(counts @ cells**2 / counts.sum(axis=1) - means**2, 0.0))
        return [round(float(x), 1) for x in (*means, *spreads)]

    assert moments("mean0.5") == [0.5, 0.0, 1.0, 1.0]
    assert moments("spread1.25") == [0.0, 0.0, 1.3, 1.0]
    assert moments("segment1")[:2] == [0.1, 0.0]
    assert moments("blip1") == [0.0, 0.0, 1.0, 1.0]
    assert moments("constant")[2:] == [0.0, 1.0]
    assert moments("unit")[0] == pytest.approx(10_000, rel=0.3)
    assert moments("unit")[1] == 0.0
    assert after("missing50").missing.sum(axis=1) / after("missing50").events.sum() == pytest.approx(
        [0.52, 0.02], abs=0.01
    )
    assert after("volume0.5").events.mean() == pytest.approx(250, rel=0.02)
    frozen = after("frozen").counts
    shares = frozen / frozen.sum(axis=2, keepdims=True)
    repeated, usual_steps = np.abs(np.diff(shares, axis=1)).mean(axis=(1, 2))
    assert repeated < usual_steps / 4


def test_names_are_injected_as_their_names_say() -> None:
    grid = GRIDS["1h"]
    history, usual = traffic("names5", grid, days=4)
    model = watched(STREAMS["names5"], grid, history, Rule(), [5])

    def shares(name: str) -> list[float]:
        counts = drawn(model, INJECTIONS[name].applied(usual, grid, start=0, features=1)).counts.sum(axis=1)[0]
        return [round(float(share), 2) for share in counts / counts.sum()]

    assert shares("mix20") == [0.2, 0.25, 0.4, 0.1, 0.05, 0.0, 0.0]
    assert shares("new") == pytest.approx([0.39, 0.25, 0.2, 0.1, 0.05, 0.02, 0.0], abs=0.011)
    assert shares("renamed") == [0.0, 0.25, 0.2, 0.1, 0.05, 0.0, 0.4]


NOTHING = Injection("nothing", "nothing happens", lambda traffic, days: traffic)
ALL_AT_ONCE = INJECTIONS["missing50"]


def test_what_happens_is_found_and_nothing_is_not() -> None:
    course = Course("iid", GRIDS["1h"], trials=5, before=14, after=3)
    missing, nothing = find(course, [ALL_AT_ONCE, NOTHING], Rule("change"), seed=3)
    assert [*missing.delays, *missing.oracle] == [0.0] * 10
    assert [*nothing.delays, *nothing.oracle] == [NEVER] * 10
    assert missing.within(1) == 1.0
    assert [nothing.within_days(3), nothing.oracle_within(72)] == [0.0, 0.0]


def test_the_chart_that_is_told_all_keeps_its_rate() -> None:
    """Of the streams whose levels vary too: it is told by how much."""
    for name in ("iid", "season", "daylevels", "names5", "mixdays"):
        _, usual = traffic_of(STREAMS[name], GRIDS["1d"], 2_000, 1, np.random.default_rng(8))
        delays = oracle_delays(STREAMS[name], NOTHING, usual, usual, 0.02, seed=9)
        assert delays is not None
        assert 0.01 < (delays == 0).mean() < 0.035, name


def test_it_prints_false_alarms_beside_those_that_the_budget_accepts(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = Size("1d", 5, models=1, days=200), Size("1d", 6, models=1, days=200), Size("1h", 5, models=1, days=200)
    monkeypatch.setattr("bench.calibration.__main__.SHORT", replace(SHORT, in_control=sizes))

    def printed(*options: str) -> str:
        assert main(["--window", "1d", "--features", "5", "--without", "power", *options]) == 0
        return capsys.readouterr().out

    cells = json.loads(printed("--json", "--stream", "iid", "names5"))["false_alarms"]
    often, rare, *of_names = cells
    assert often["accepted_later"] == pytest.approx(186 / 7)
    assert rare["accepted_first"] == pytest.approx(14 / 30)
    assert [cell["stream"] for cell in of_names] == ["names5", "names5"]
    table = printed("--stream", "iid")
    for cell in (often, rare):
        assert f"| iid | {cell['ratio']:.2f} ({cell['low']:.2f}–{cell['high']:.2f}) |" in table
    assert table.count("| iid |") == 4


def test_a_cell_can_have_more_models(capsys: pytest.CaptureFixture[str]) -> None:
    def accepted(*models: str) -> float:
        arguments = ["--without", "power", "--window", "1d", "--features", "10", "--stream", "iid", *models, "--json"]
        assert main(arguments) == 0
        cells = [Counted.from_json(cell) for cell in json.loads(capsys.readouterr().out)["false_alarms"]]
        return sum(cell.accepted_later for cell in cells)

    assert accepted("--models", "2") == pytest.approx(2 * accepted("--models", "1"))


def test_parts_that_were_measured_apart_are_printed_together(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    parts = [tmp_path / "in-control.json", tmp_path / "out-of-control.json"]
    cells = [counted(9, 8.0), counted(3, 8.0, BUDGETS[1])], [found(0.0, 30.0, NEVER, oracle=(2.0, 3.0, NEVER))]
    for part, of_budget, of_power in zip(parts, (cells[0], []), ([], cells[1]), strict=True):
        options = parsed(["--long", "--seed-set", "table"])
        part.write_text(json.dumps(document(options, of_budget, of_power)))
    assert main(["--parts", *map(str, parts)]) == 0
    lines = [*false_alarm_lines(cells[0]), *delay_lines(cells[1]), *power_lines(cells[1]), "", *goal_lines(*cells)]
    assert capsys.readouterr().out == "\n".join(lines) + "\n"


def test_parts_are_put_in_the_order_of_one_run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    def printed(*cells: Counted) -> str:
        parts = [tmp_path / f"{number}.json" for number in range(len(cells))]
        for part, cell in zip(parts, cells, strict=True):
            part.write_text(json.dumps(document(parsed([]), [cell], [])))
        assert main(["--parts", *map(str, parts)]) == 0
        return capsys.readouterr().out

    hours, days = counted(9, 8.0), replace(counted(3, 8.0), window="1d")
    others = replace(hours, stream="t3"), replace(days, stream="t3"), replace(hours, features=50)
    assert printed(hours, *others, days) == printed(days, *reversed(others), hours)


def test_a_page_shows_what_is_measured_anew_and_keeps_the_rest(tmp_path: Path) -> None:
    page, part = tmp_path / "page.md", tmp_path / "part.json"
    part.write_text(json.dumps(document(parsed([]), [counted(9, 8.0)], [])))
    table = "| stream | 1h, 10 features |\n|---|---|\n| iid | 9.99 |\n"
    around = "# Page\n\n| other | table |\n|---|---|\n\n### False alarms / budget, 1 per 7d\n\nIn words:\n\n{}\nRest.\n"
    page.write_text(around.format(table))
    assert main(["--parts", str(part), "--into", str(page)]) == 0
    low, high = interval(9)
    cell = f"{9 / 8:.2f} ({low / 8:.2f}–{high / 8:.2f})"
    rows = f"| stream | 1h, 10 features |\n|---|---|\n| iid | {cell} |\n| all | {cell} |\n"
    assert page.read_text() == around.format(rows)


def test_a_page_that_has_fewer_tables_than_were_measured_is_left_as_it_is() -> None:
    page = "### Found\n\n| a |\n|---|\n"
    with pytest.raises(ValueError, match="'### Found' has 1 tables in the page, and 2 were measured"):
        with_tables(page, ["### Found", "| a |", "|---|", "", "| b |", "|---|"])


def test_the_page_about_it_shows_what_was_measured(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--parts", *map(str, sorted(MEASURED.glob("*.json")))]) == 0
    page = PAGE.read_text(encoding="utf-8")
    measured = capsys.readouterr().out.splitlines()
    assert with_tables(page, measured) == page
    shown = [line for line in measured if line.startswith("### ") and line in page.splitlines()]
    assert len(shown) >= 5


def test_the_readme_says_what_was_measured_in_hourly_windows() -> None:
    files = [json.loads((MEASURED / f"false_alarms_1h_{n}.json").read_text(encoding="utf-8")) for n in (10, 50, 200)]
    cells = [[cell for cell in file["false_alarms"] if cell["budget"] == BUDGETS[0]] for file in files]
    ten, fifty, two_hundred = (sum(c["later"] for c in of) / sum(c["accepted_later"] for c in of) for of in cells)
    most = max(cell["ratio"] for of in cells for cell in of)
    readme = " ".join((PAGE.parents[1] / "README.md").read_text(encoding="utf-8").split())
    assert (
        f"with `1 per 7d`, models of 10, 50 and 200 features in hourly windows fired {ten:.2f}, {fifty:.2f} and "
        f"{two_hundred:.2f} times the accepted alarms, and on no stream more than {most:.2f} times"
    ) in readme


def test_other_seeds_give_other_windows() -> None:
    setting = Setting("daylevels", GRIDS["1d"], features=2, models=1, days=60)
    rules = {"1 per 1d": Rule("variation", budget="1 per 1d")}
    onsets = {seed: count_false_alarms(setting, rules, seed) for seed in (1, 2)}
    assert onsets[1] == count_false_alarms(setting, rules, 1)
    assert onsets[1] != onsets[2]
    assert SEEDS["table"] - SEEDS["tuning"] > 1_000_000


def test_it_prints_what_is_found_within_how_many_windows(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--without", "false-alarms", "--stream", "names5", "--window", "1d"]
    assert main([*arguments, "--inject", "renamed", "volume0.5", "--trials", "2"]) == 0
    renamed, volume = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| 1d | names5")]
    assert renamed.startswith("| 1d | names5 | renamed | 5 | 1.00 | 1.00 |")
    assert volume.startswith("| 1d | names5 | volume0.5 | 2 | ")


def counted(later: int, accepted: float, budget: str = BUDGETS[0]) -> Counted:
    return Counted("iid", "1h", budget, 10, first=0, accepted_first=2.0, later=later, accepted_later=accepted, onsets=0)


def found(*delays: float, injection: str = "mean0.5", stream: str = "ar09", oracle: tuple[float, ...] = ()) -> Found:
    return Found(stream, "1h", injection, 10, 24, delays, oracle)


def test_a_table_says_when_half_were_found_and_how_many_in_a_week() -> None:
    soon, late, seldom = found(0.0, 1.0, 2.0), found(26.0, 26.0, 400.0, injection="ramp1"), found(0.0, NEVER, NEVER)
    both = [replace(soon, hour=0), replace(seldom, hour=0, injection="ramp1"), replace(seldom, stream="iid")]
    title, _, meaning, _, *tables = [*delay_lines([soon, late, *both])]
    assert title == "### What is found, windows of 1h"
    assert meaning == "When half were found, and how many within 7 days:"
    assert tables == [
        "| injection | ar09 | ar09 from 00:00 |",
        "|---|---|---|",
        "| mean0.5 | 2h, 100 % | 2h, 100 % |",
        "| ramp1 | 1d 3h, 67 % | –, 33 % |",
        "",
        "| injection | iid |",
        "|---|---|",
        "| mean0.5 | –, 33 % |",
        "",
    ]


def test_goals_name_the_cells_that_miss_them() -> None:
    lines = list(goal_lines([counted(10, 10.0), counted(20, 10.0)], [found(0.0, 167.0), found(0.0, 168.0)]))
    table = {line.split(" | ")[0]: line.split(" | ")[1:] for line in lines[4:]}
    assert table["| the upper bound is at most 2, 1 per 7d"] == ["2", "1", "1h iid, 10 features, 1 per 7d |"]
    assert table["| the lower bound is at most 1: not certainly over the budget"][1] == "1"
    assert table["| `ar09`, 1h: 0.5 sd within 7 days"] == ["2", "1", "1h ar09 mean0.5 |"]
    assert "| an outage, every time" not in table


def test_sums_over_streams_are_held_against_the_smaller_budget() -> None:
    cells = [counted(9, 8.0, BUDGETS[1]), counted(9, 8.0, BUDGETS[1])]
    lines = list(goal_lines(cells, []))
    assert any(
        line.startswith("| the upper bound is at most 2 over all streams, 1 per 30d | 1 | 1 |") for line in lines
    )


def test_what_the_chart_that_is_told_all_does_not_find_need_not_be_found() -> None:
    late = (5.0,) * 10
    easy, hard = (found(*late, stream="iid", oracle=(when,) * 10) for when in (0.0, NEVER))
    assert "| 1 | 0 | 1h iid mean0.5 |" in "".join(goal_lines([], [easy]))
    assert "told all" not in "".join(goal_lines([], [hard]))


def test_a_miss_of_another_hour_is_named_by_it() -> None:
    late = replace(found(*(500.0,) * 10, stream="daylevels"), hour=0)
    assert "| 1 | 0 | 1h daylevels from 00:00 mean0.5 |" in "".join(goal_lines([], [late]))
