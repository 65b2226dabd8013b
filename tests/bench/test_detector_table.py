"""The table of how detectors behave tells dummies from detectors, and says the same each time."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import detector_table
from bench.contenders import FROUROS, MOA, Always, Contender, Never, Ours, of_peer, rivers
from bench.detector_streams import CHANGES, IN_CONTROL, Stream, seeded
from bench.detector_table import delays, false_alarms, keep
from tests.services.peers import Frouros, Moa

GAUSSIAN = IN_CONTROL[0]
ONE_SD = next(change for change in CHANGES if change.name == "+1 sd")
TOLD = Ours("leeway, told", "cusum", "real", params={"k": 0.5, "h": 10.0, "scores": "plain"}, told=("mean", "sd"))


def test_who_always_fires_has_no_delay_and_who_never_does_no_alarm() -> None:
    always, never = Always("nobody", "always", "real"), Never("nobody", "never", "real")
    assert false_alarms(always, GAUSSIAN, 1000)["per_100k"] == pytest.approx(1e5)
    assert delays(always, ONE_SD, 5, arl=1.0) | {"bound": 0.0} == {
        "trials": 5, "mean": 1.0, "median": 1.0, "missed": 0.0, "early": 1.0, "bound": 0.0
    }  # fmt: skip
    quiet = false_alarms(never, GAUSSIAN, 100_000)
    # Of none seen one can say with 95 % that there are fewer than 3.7.
    assert (quiet["per_100k"], round(quiet["high"], 1)) == (0.0, 3.7)
    assert delays(never, ONE_SD, 5, arl=1e5)["missed"] == 1.0


def test_a_told_cusum_behaves_as_its_theory_says() -> None:
    # Two-sided with k = 0.5 and h = 10 it has an average run length of 70,104 and finds 1 sd in 20.4 (Markov
    # chain) from a sum of zero; a sum that is under way needs about one less.
    found = false_alarms(TOLD, GAUSSIAN, 1_000_000)
    assert found["low"] < 1e5 / 70_104 < found["high"]
    after = delays(TOLD, ONE_SD, 200, arl=70_104)
    assert after["mean"] == pytest.approx(19.6, abs=1.0)
    assert after["bound"] == pytest.approx(22.3, abs=0.1)


def test_each_change_is_what_it_is_called() -> None:
    for change in CHANGES:
        x = change.draw(seeded("any"), (1, 2 * change.span))
        before, after = change.before(x[:, : change.span]), change.after(x[:, change.span :])
        if "to" in change.name:
            lower, higher = (float(word) for word in change.name.split(" to "))
            assert before.mean() == pytest.approx(lower, rel=0.3)
            assert after.mean() == pytest.approx(higher, rel=0.2)
        elif "x" in change.name:
            assert after.std() / before.std() == pytest.approx(2.0, abs=0.15)
        else:
            (stream,) = (s for s in IN_CONTROL if s.name == change.stream)
            # A mean of values that follow one another is that of fewer.
            error = 0.1 if stream.name == "gaussian" else 0.5
            size = float(change.name.split()[-2])
            assert (after.mean() - before.mean()) / stream.baseline["sd"] == pytest.approx(size, abs=error)


@pytest.mark.parametrize("stream", [s for s in IN_CONTROL if s.baseline], ids=lambda s: s.name)
def test_a_stream_in_control_has_the_mean_and_sd_that_detectors_are_told(stream: Stream) -> None:
    x = stream.draw(seeded("any"), (50, 20_000))
    mean, sd = stream.baseline["mean"], stream.baseline["sd"]
    # Of so heavy tails the sd of a sample is below that of the distribution.
    assert x.std() == pytest.approx(sd, rel=0.15 if stream.name == "Pareto(2.5)" else 0.03)
    assert x.mean() == pytest.approx(mean, abs=0.03 * sd)


@pytest.mark.parametrize(("name", "phi"), [("AR(0.5)", 0.5), ("AR(0.9)", 0.9), ("GARCH(1,1)", 0.0), ("Cauchy", 0.0)])
def test_values_follow_one_another_where_that_is_what_is_tried(name: str, phi: float) -> None:
    (stream,) = (s for s in IN_CONTROL if s.name == name)
    x = np.clip(stream.draw(seeded("any"), (1, 50_000))[0], -10.0, 10.0)
    assert np.corrcoef(x[:-1], x[1:])[0, 1] == pytest.approx(phi, abs=0.03)
    if name == "GARCH(1,1)":
        assert np.corrcoef(x[:-1] ** 2, x[1:] ** 2)[0, 1] > 0.1


def test_it_prints_both_tables_and_the_same_twice(capsys: pytest.CaptureFixture[str]) -> None:
    def printed(*options: str) -> str:
        arguments = ["--only", "cusum", "--set", "h=12", "--observations", "20000", "--trials", "4", *options]
        assert detector_table.main(arguments) == 0
        return capsys.readouterr().out

    rows: list[dict[str, Any]] = json.loads(printed("--json"))["rows"]
    assert [row["whose"] for row in rows] == ["nobody", "nobody", "leeway", "leeway, told"]
    assert all(set(row["delays"]) == {change.name for change in CHANGES} for row in rows)
    assert json.loads(printed("--json"))["rows"] == rows
    lines = printed().splitlines()
    assert len([line for line in lines if line.startswith("leeway, told cusum")]) == 2


@pytest.mark.parametrize("peer", ["river", "MOA", "frouros"])
def test_every_detector_of_a_peer_answers(peer: str, moa: Moa, frouros: Frouros) -> None:
    peers: dict[str, Callable[[], list[Contender]]] = {
        "river": rivers,
        "MOA": lambda: of_peer("MOA", moa, {name: (domain, 1) for name, domain in MOA.items()}),
        "frouros": lambda: of_peer("frouros", frouros, FROUROS),
    }
    rows = GAUSSIAN.draw(seeded("a few"), (1, 60)).round()
    for contender in peers[peer]():
        assert len(contender.drifts(rows, {})) == 1


def test_what_is_not_measured_now_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "behaviour.json"
    for whose, name, mean in (("leeway", "adwin", 1.0), ("river", "ADWIN", 2.0), ("leeway", "adwin", 3.0)):
        keep(file, [{"whose": whose, "name": name, "false_alarms": {}, "delays": {"+1 sd": {"mean": mean}}}])
    rows = json.loads(file.read_text())["rows"]
    assert [(row["whose"], row["delays"]["+1 sd"]["mean"]) for row in rows] == [("leeway", 3.0), ("river", 2.0)]
