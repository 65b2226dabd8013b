"""Values that have become alike, of the same mean and spread: rounded, cut to two, or a default for some of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from monitor.alerts.foremost import CONCENTRATION
from monitor.checkpoint import decode_state, encode_state
from monitor.config import Configuration
from monitor.evaluate.change import Changes
from monitor.evaluate.contrasts import share_at
from monitor.evaluate.expectations import read_day
from monitor.evaluate.number_contrasts import NumberContrasts
from monitor.evaluate.window_contrasts import measured_windows
from monitor.evaluate.windows import first_window_end
from monitor.panes.distributions import Part
from monitor.panes.reading import read_panes
from monitor.watch import compile_watch
from sinks.store.contract import Store
from tests.evaluate.earlier_checkpoints import take_out
from tests.evaluate.test_expectations import in_rows
from tests.monitor.streams import DAY_MS, HOUR_MS, START_MS, configured, replayed_lines, rows

Floats = npt.NDArray[np.float64]
Fault = Callable[[np.random.Generator, Floats], Floats]

HOURS, PER_HOUR = 8 * 24 + 20, 100
BROKEN_MS = START_MS + 8 * DAY_MS + 10 * HOUR_MS


def two(rng: np.random.Generator, x: Floats) -> Floats:
    """Two values of the same mean and spread."""
    return rng.choice([8.0, 12.0], len(x))


def rounded(rng: np.random.Generator, x: Floats) -> Floats:
    """Whole numbers."""
    return np.round(x)


def filled(rng: np.random.Generator, x: Floats) -> Floats:
    """The usual mean in the place of three values in twenty."""
    return np.where(rng.random(len(x)) < 0.15, 10.0, x)


def bimodal(rng: np.random.Generator, x: Floats) -> Floats:
    """Two humps of the same mean and spread as the one before."""
    return 10 + rng.choice([-1.9, 1.9], len(x)) + 0.62 * (x - 10) / 2


def as_usual(rng: np.random.Generator, x: Floats) -> Floats:
    """Return what there is."""
    return x


def watched(*, window: str = "1h", **fields: Any) -> Configuration:
    detect = {"false_alarms": "1 per 30d", "pane": window, "defaults": {"window": window}}
    schema = {"id": "id", "features": {"x": {"type": "numeric"}, "y": {"type": "numeric"}}, **fields}
    return configured(detect=detect, schema=schema, segments=[])


def replayed(folder: Path, fault: Fault, *, shift: float = 0.0) -> Store:
    """Replay hours of values around 10, which change as a day goes on, and break or move."""
    rng, events = np.random.default_rng(6), []
    at_ms = START_MS + np.arange(HOURS * PER_HOUR) * HOUR_MS // PER_HOUR
    x = rng.normal(10, 2, len(at_ms))
    broken = at_ms >= BROKEN_MS
    x[broken] = fault(rng, x[broken]) + shift
    y = rng.gamma(2, 2, len(at_ms))
    for number, (ts, each, other) in enumerate(zip(at_ms.tolist(), x.tolist(), y.tolist(), strict=True)):
        events.append(json.dumps({"id": str(number), "ts": ts, "x": each, "y": other}).encode())
    store, _ = replayed_lines(folder, events, watched())
    return store


def told(store: Store) -> list[dict[str, Any]]:
    """Return the transitions of alerts."""
    return rows(store, "alerts")


@pytest.mark.parametrize(
    ("fault", "windows", "words"),
    [
        (two, 1, ("% of values about 8,", "% of values about 12,")),
        (rounded, 2, ("% of values about 9,", "% of values about 10,", "% of values about 11,")),
        (filled, 3, ("% of values about 10,",)),
        (bimodal, 6, ("values more alike, concentration ",)),
    ],
)
def test_values_of_the_same_mean_and_spread_that_are_more_alike_are_found(
    tmp_path: Path, fault: Fault, windows: int, words: tuple[str, ...]
) -> None:
    [first, *_] = told(replayed(tmp_path, fault))
    assert BROKEN_MS < first["at_ms"] <= BROKEN_MS + windows * HOUR_MS
    assert first["title"].startswith("loans: feature:x moved (")
    assert any(each in first["title"] for each in words), first["title"]
    assert f"{CONCENTRATION} " in first["title"]
    assert [moved["contrast"] for moved in json.loads(first["signals"])] == [CONCENTRATION]


def test_what_is_as_usual_is_not_told(tmp_path: Path) -> None:
    assert told(replayed(tmp_path, as_usual)) == []


@pytest.mark.parametrize("fields", [{}, {"features": {}, "prediction": {"x": {"type": "numeric", "range": [0, 1]}}}])
@pytest.mark.parametrize("seed", [1, 6, 12])
def test_ten_times_the_traffic_has_a_hundred_times_the_pairs_and_no_others(
    tmp_path: Path, fields: dict[str, Any], seed: int
) -> None:
    """Each of these streams had an alert about one or the other: what is known of pairs is from windows of a dozen."""
    rng, grows_ms = np.random.default_rng(seed), START_MS + 21 * DAY_MS + 10 * HOUR_MS
    events: list[bytes] = []
    for start_ms in range(START_MS, START_MS + 24 * DAY_MS, HOUR_MS):
        values = rng.beta(2, 5, rng.poisson(120 if start_ms >= grows_ms else 12)).tolist()
        for number, x in enumerate(values):
            at_ms = start_ms + number * HOUR_MS // len(values)
            events.append(json.dumps({"id": str(len(events)), "ts": at_ms, "x": x, "y": 1}).encode())
    store, _ = replayed_lines(tmp_path, events, watched(**fields))
    assert {moved["signal"] for row in told(store) for moved in json.loads(row["signals"])} == {"volume"}


def test_whole_numbers_whose_mean_has_a_season_are_as_usual(tmp_path: Path) -> None:
    """A sixth of those of the night, which are the reference, are 0, and are above the middle of its lowest groups."""
    rng = np.random.default_rng(5)
    events: list[bytes] = []
    for start_ms in range(START_MS, START_MS + DAY_MS, HOUR_MS // 12):
        mean = 3 * np.exp(-0.5 * np.cos(2 * np.pi * (start_ms - START_MS) / DAY_MS))
        for number, x in enumerate(rng.poisson(mean, 60).tolist()):
            at_ms = start_ms + number * 5_000
            events.append(json.dumps({"id": str(len(events)), "ts": at_ms, "x": x, "y": 1}).encode())
    store, _ = replayed_lines(tmp_path, events, watched(window="5m"))
    assert CONCENTRATION not in {moved["contrast"] for row in told(store) for moved in json.loads(row["signals"])}


def test_of_what_is_mostly_one_value_it_is_told_that_others_come_and_nothing_of_how_alike_they_are(
    tmp_path: Path,
) -> None:
    """`0.038 % → 17 % of values about 0.75, concentration 55.4 % → 100 %` was said of visibility on a foggy day."""
    rng = np.random.default_rng(7)
    events: list[bytes] = []
    at_ms = START_MS + np.arange(HOURS * PER_HOUR) * HOUR_MS // PER_HOUR
    clear = np.where(rng.random(len(at_ms)) < 0.8, 10.0, rng.uniform(0, 10, len(at_ms)))
    fog = (at_ms >= BROKEN_MS) & (rng.random(len(at_ms)) < 0.3)
    for ts, x in zip(at_ms.tolist(), np.where(fog, 0.75, clear).tolist(), strict=True):
        events.append(json.dumps({"id": str(len(events)), "ts": ts, "x": x, "y": 1}).encode())
    store, _ = replayed_lines(tmp_path, events, watched())
    [first, *later] = told(store)
    assert "feature:x moved" in first["title"]
    assert not any(CONCENTRATION in row["signals"] for row in (first, *later))


def test_of_values_that_moved_the_level_is_told_first(tmp_path: Path) -> None:
    [first, *_] = told(replayed(tmp_path, two, shift=3.0))
    assert first["title"].startswith("loans: feature:x moved (typical value 10")


def test_a_window_that_is_looked_at_again_says_the_same(tmp_path: Path) -> None:
    store = replayed(tmp_path, two)
    expected = [row for row in rows(store, "expectations") if row["signal"] == "feature:x"]
    part = Part(BROKEN_MS, BROKEN_MS + HOUR_MS, "", "")
    watch = compile_watch(watched(), "loans")
    [measured] = measured_windows(store, watch, part, "feature:x", [read_day(expected[-1])])
    share = share_at(measured[CONCENTRATION][0])
    assert share == pytest.approx(0.5, abs=0.03)
    [first, *_] = told(store)
    assert f"→ {100 * share:.3g} %)" in first["title"]


def test_a_checkpoint_from_before_concentration_goes_on_with_what_it_has_learned(tmp_path: Path) -> None:
    store, watch = replayed(tmp_path, two, shift=6.0), compile_watch(watched(), "loans")
    ends = range(first_window_end(watch, START_MS), START_MS + HOURS * HOUR_MS + 1, HOUR_MS)

    def alarmed(kind: Changes, some: range) -> set[tuple[Any, int]]:
        verdicts = kind.advance(read_panes(store, watch, some[0] - HOUR_MS, some[-1]), some)
        return {(each.key, end_ms) for each in verdicts for end_ms in each.drifts}

    kind = Changes(watch, None)
    assert alarmed(kind, ends[:100]) == set()
    states = kind.snapshot()
    take_out(states, NumberContrasts.ALIKE, lambda signal: signal.startswith("feature:"))
    kind = Changes(watch, None)
    kind.restore(decode_state(encode_state(states)))
    found = alarmed(kind, ends[100:])
    assert (("", "", "feature:x"), BROKEN_MS + HOUR_MS) in found
    # A new contrast learns for some days, as that of a new signal does.
    days = [read_day(row) for row in in_rows(kind.expectations()) if row["signal"] == "feature:x"]
    assert [CONCENTRATION in {contrast.name for contrast in day.contrasts} for day in days][-1]
