"""What alerts say of numbers is what a reader can recompute, also where a mean score says something else."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monitor.watch import compile_watch
from tests.evaluate.batches import evaluated
from tests.monitor.streams import DAY_MS, HOUR_MS, START_MS, configured, replayed_lines, rows

DAYS, PER_HOUR = 12, 60
FAULT_HOUR = 10 * 24 + 9
Hourly = Callable[[np.random.Generator, bool], Any]
"""Returns the values of an hour, from whether the fault is there."""


def lines(hourly: Hourly) -> list[bytes]:
    rng, events = np.random.default_rng(3), []
    for hour in range(DAYS * 24):
        for number, value in enumerate(np.asarray(hourly(rng, hour >= FAULT_HOUR), dtype=float).tolist()):
            at_ms = START_MS + hour * HOUR_MS + number * HOUR_MS // PER_HOUR
            events.append({"id": f"{hour}/{number}", "ts": at_ms, "x": value})
    return [json.dumps(event).encode() for event in events]


WATCHED = configured(
    detect={"rule": "change", "false_alarms": "1 per 30d", "pane": "1h", "defaults": {"window": "1h"}},
    schema={"id": "id", "features": {"x": {"type": "numeric"}}},
    segments=[],
)


def titles(folder: Path, hourly: Hourly) -> list[str]:
    """What alerts say of the number, without what is the same for all."""
    store, _ = replayed_lines(folder, lines(hourly), WATCHED)
    said = [re.fullmatch(r"loans: feature:x moved \((.*)\)", alert["title"]) for alert in rows(store, "alerts")]
    assert all(said)
    return [match[1] for match in said if match is not None]


def constant(value: float, other: float, share: float) -> Hourly:
    def hourly(rng: np.random.Generator, is_fault: bool) -> Any:
        return np.where(is_fault & (rng.random(PER_HOUR) < share), other, value)

    return hourly


@pytest.mark.parametrize(
    ("value", "other", "share"),
    [(0.0, 1.0, 0.05), (0.0, 1.0, 0.3), (7.0, 9.0, 1.0), (1.0, 0.0, 0.1), (0.0, -999.0, 0.2)],
)
def test_of_what_was_constant_it_is_said_how_many_values_are_others(
    value: float, other: float, share: float, tmp_path: Path
) -> None:
    """`typical value 0 → 0; spread 79.3 % of the usual` was said of a flag that began to be set."""
    told = titles(tmp_path, constant(value, other, share))
    assert told
    for text in told:
        percent = re.fullmatch(
            rf"(?:values other than {value:g}: 0 % → ([\d.]+) %|([\d.]+) % of values other than {value:g})"
            rf"(?: over the day)?, mostly {other:g}",
            text,
        )
        assert percent is not None, text
        assert 40 * share < float(percent[1] or percent[2]) < 200 * share


def test_what_many_values_far_below_do_to_a_median_and_a_mean_is_said_and_which_value_they_are(tmp_path: Path) -> None:
    """`typical value 50 → 45` was said, which is neither, and -999 was not named."""

    def hourly(rng: np.random.Generator, is_fault: bool) -> Any:
        values = rng.normal(50, 5, PER_HOUR)
        return np.where(is_fault & (rng.random(PER_HOUR) < 0.1), -999, values)

    told = titles(tmp_path, hourly)
    assert all(
        re.search(r"[\d.]+ % of values below 3\d(\.\d)?, the smallest of the reference, mostly -999$", t) for t in told
    )
    assert all("spread at least 2." in text for text in told)
    median, mean = re.findall(r"(?:median|mean) [\d.]+ → (-?[\d.]+)", " ".join(told))[-2:]
    assert 48 < float(median) < 50
    assert -200 < float(mean) < -20
    assert not any("typical value" in text for text in told)


def test_of_a_wrong_unit_it_is_said_that_values_spread_at_least_as_far_as_scores_tell(tmp_path: Path) -> None:
    """`spread 4.49 times the usual` was said of 99 times."""

    def hourly(rng: np.random.Generator, is_fault: bool) -> Any:
        return rng.normal(size=PER_HOUR) * (100 if is_fault else 1)

    told = titles(tmp_path, hourly)
    of_a_spread = [text for text in told if "spread" in text]
    assert of_a_spread
    assert all(re.search(r"spread at least \d\.\d+ times the usual", text) for text in of_a_spread)
    outside = r"9\d(\.\d)? % of values outside -\d\.\d+ to \d\.\d+, the range of the reference"
    assert any(re.search(outside, text) for text in told)


def test_what_is_cut_off_above_is_told_by_median_and_mean(tmp_path: Path) -> None:
    """`typical value 20.0 → 18.3` was said where the median had stayed."""

    def hourly(rng: np.random.Generator, is_fault: bool) -> Any:
        return np.minimum(rng.lognormal(3, 1, PER_HOUR), 40 if is_fault else np.inf)

    told = " ".join(titles(tmp_path, hourly))
    [(usual, median, mean_before, mean)] = set(
        re.findall(r"median ([\d.]+) → ([\d.]+), mean ([\d.]+) → ([\d.]+)", told)[-1:]
    )
    assert float(usual) == pytest.approx(20.1, abs=1.5)
    assert float(median) == pytest.approx(20.1, abs=1.5)
    assert (float(mean_before), float(mean)) == pytest.approx((33.1, 21.5), rel=0.1)


def test_the_usual_median_is_that_of_the_hours_of_which_the_median_is(tmp_path: Path) -> None:
    """`median 15.7 → 18.9` was said of values that had fallen: the usual one of an hour, and that of a whole day."""
    hours = iter(range(DAYS * 24))

    def hourly(rng: np.random.Generator, is_fault: bool) -> Any:
        season, values = 1.2 * np.sin(2 * np.pi * next(hours) / 24), rng.lognormal(0, 1, PER_HOUR)
        # What is large is anything from a sixth of it on; cut off at one value, that would be told.
        if is_fault:
            values = np.where(values > 3, rng.uniform(0.5, 3, PER_HOUR), values)
        return np.exp(3 + season) * values

    medians = re.findall(r"median ([\d.]+) → ([\d.]+), mean ([\d.]+) → ([\d.]+)", " ".join(titles(tmp_path, hourly)))
    assert medians
    for numbers in medians:
        usual, median, usual_mean, mean = map(float, numbers)
        assert 0.7 <= median / usual <= 1.2, medians
        assert 0.4 <= mean / usual_mean <= 0.9, medians


def test_a_day_so_far_is_of_the_windows_of_this_day(tmp_path: Path) -> None:
    """The newest 24 with values were described: `mean 34.9 → 31.6` was said of a night in which it had risen."""
    rng, days, features = np.random.default_rng(1), 40, 5
    at_ms = START_MS + np.sort(rng.integers(0, days * DAY_MS, 130 * 24 * days))
    hours, numbers = at_ms // HOUR_MS % 24, (at_ms - START_MS) // DAY_MS
    season = np.where((hours >= 8) & (hours < 22), 1.0, -1.0)
    rises = (numbers[:, None] - np.arange(features)) % 9 == 7
    values = np.exp(
        3
        + 0.6 * (season[:, None] + rng.standard_normal((len(at_ms), features)) + 0.35 * rises * (numbers[:, None] > 20))
    ).round(2)
    fields = [f"f{k}" for k in range(features)]
    events = [
        json.dumps({"id": str(i), "ts": int(at), **dict(zip(fields, row, strict=True))}).encode()
        for i, (at, row) in enumerate(zip(at_ms, values.tolist(), strict=True))
    ]
    watched = configured(
        detect={"rule": "change", "false_alarms": "1 per 30d", "pane": "1h", "defaults": {"window": "1h"}},
        schema={"id": "id", "features": {name: {"type": "numeric"} for name in fields}},
        segments=[],
    )
    store, _ = replayed_lines(tmp_path, events, watched)
    reasons = [moved for alert in rows(store, "alerts") for moved in json.loads(alert["signals"])]
    of_days = [moved for moved in reasons if "over the day so far" in moved["reason"]]
    assert of_days
    for moved in of_days:
        day_ms = (moved["last_ms"] - 1) // DAY_MS * DAY_MS
        of_day = values[(at_ms >= day_ms) & (at_ms < moved["last_ms"]), fields.index(moved["signal"][8:])]
        for mean in re.findall(r"mean [\d.]+ → ([\d.]+) over the day so far", moved["reason"]):
            assert float(mean) == pytest.approx(of_day.mean(), rel=0.02), (moved["reason"], of_day.mean())


def test_what_moves_as_a_whole_is_told_by_its_typical_value_as_ever(tmp_path: Path) -> None:
    def hourly(rng: np.random.Generator, is_fault: bool) -> Any:
        return rng.normal(50 + 5 * is_fault, 5, PER_HOUR)

    assert all(re.match(r"typical value [\d.]+ → 5[45]\.?\d*", text) for text in titles(tmp_path, hourly))


@pytest.mark.parametrize("sizes", [[1000], [11, 30, 7]])
def test_what_is_said_depends_on_no_batch_or_restart(sizes: list[int], tmp_path: Path) -> None:
    store, _ = replayed_lines(tmp_path, lines(constant(0.0, 1.0, 0.05)), WATCHED)
    watch = compile_watch(WATCHED, "loans")
    assert evaluated(store, watch, DAYS, sizes) == evaluated(store, watch, DAYS, [1])
