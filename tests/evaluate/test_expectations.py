"""What was expected of a day is stored when it begins, the same however it is evaluated."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detectors.change import legend
from detectors.change.residuals import events_of, expectation_of, to_expectation
from detectors.sketch import CategoryLayout
from monitor.config import Configuration
from monitor.evaluate.change import Changes
from monitor.evaluate.contrasts import VolumeContrasts, share_of
from monitor.evaluate.expectations import ExpectedContrast, read_day
from monitor.evaluate.fallback import FallbackContrasts
from monitor.evaluate.windows import first_window_end
from monitor.panes.reading import read_panes
from monitor.watch import Watch, compile_watch
from sinks.store.contract import Store
from tests.monitor.streams import DAY_MS, HOUR_MS, START_MS, configured, replayed_lines, rows

DAYS, PER_HOUR = 9, 60


def watched(**detect: Any) -> Configuration:
    schema = {"id": "id", "features": {"x": {"type": "numeric"}, "country": {"type": "category"}}}
    settings = {"rule": "change", "false_alarms": "1 per 30d", "pane": "1h", "defaults": {"window": "1h"}}
    return configured(detect=settings | detect, schema=schema, segments=[])


def lines() -> list[bytes]:
    rng = np.random.default_rng(7)
    events = []
    for hour in range(DAYS * 24):
        for number in range(PER_HOUR):
            at_ms = START_MS + hour * HOUR_MS + number * HOUR_MS // PER_HOUR
            x = 10 + 2 * float(rng.normal()) + 3 * np.sin(2 * np.pi * hour / 24)
            country = str(rng.choice(["DE", "FR", "PL"], p=[0.6, 0.3, 0.1]))
            events.append({"id": f"{hour}/{number}", "ts": at_ms, "x": x, "country": country})
    return [json.dumps(event).encode() for event in events]


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, Watch]:
    store, _ = replayed_lines(tmp_path_factory.mktemp("stream"), lines(), watched())
    return store, compile_watch(watched(), "loans")


def of_days(store: Store, signal: str) -> list[dict[str, Any]]:
    return rows(store, "expectations", signal=signal)


def test_each_series_has_a_row_for_each_day_after_its_first(stored: tuple[Store, Watch]) -> None:
    of_x = of_days(stored[0], "feature:x")
    assert [row["from_ms"] for row in of_x] == [START_MS + day * DAY_MS for day in range(1, DAYS)]
    assert [row["days"] for row in of_x] == list(range(1, DAYS))
    assert [row["windows"] for row in of_x] == [24 * day for day in range(1, DAYS)]
    assert {(row["windows_needed"], row["days_needed"], row["window_ms"]) for row in of_x} == {(10, 7, HOUR_MS)}
    assert {row["signal"] for row in rows(stored[0], "expectations")} == {"feature:x", "feature:country", "volume"}


def test_a_row_says_what_is_expected_at_each_hour(stored: tuple[Store, Watch]) -> None:
    day = read_day(of_days(stored[0], "feature:x")[-1])
    location, spread, alike, missing, *_ = day.contrasts
    names = [each.name for each in (location, spread, alike, missing)]
    assert names == ["typical value", "spread", "concentration", "missing"]
    by_hour = [location.in_units(value) for value in location.expected.tolist()]
    expected = 10 + 3 * np.sin(2 * np.pi * np.arange(24) / 24)
    assert np.abs(np.array(by_hour) - expected).max() < 0.8
    assert 0.01 < alike.in_units(float(alike.expected[0])) < 0.1
    assert missing.in_units(float(missing.expected[0])) < 0.01
    shares = read_day(of_days(stored[0], "feature:country")[-1]).contrasts
    assert [each.name for each in shares[:3]] == [share_of("DE"), share_of("FR"), share_of("PL")]
    assert shares[0].in_units(float(shares[0].expected.mean())) == pytest.approx(0.6, abs=0.03)
    [volume] = read_day(of_days(stored[0], "volume")[-1]).contrasts
    assert volume.in_units(float(volume.expected[0])) == pytest.approx(PER_HOUR, rel=0.02)
    assert volume.kind == legend.VOLUME


def test_rows_of_earlier_versions_had_a_document_of_each_contrast(stored: tuple[Store, Watch]) -> None:
    def earlier(row: Mapping[str, Any]) -> dict[str, Any]:
        document = json.loads(row["contrasts"])
        columns = document["contrasts"]
        contrasts = []
        for values in zip(*columns.values(), strict=True):
            contrast: dict[str, Any] = {}
            for name, value in zip(columns, values, strict=True):
                scale, _, of_scale = name.partition(".")
                if of_scale:
                    contrast.setdefault(scale, {})[of_scale] = value
                else:
                    contrast[name] = value
            contrasts.append(contrast)
        return {**row, "contrasts": json.dumps({**document, "contrasts": contrasts})}

    for row in (*of_days(stored[0], "feature:x"), *of_days(stored[0], "feature:country")):
        now, then = read_day(row).contrasts, read_day(earlier(row)).contrasts
        assert [contrast.name for contrast in now] == [contrast.name for contrast in then] != []
        for contrast, former in zip(now, then, strict=True):
            for array in ("row", "filters", "sampling", "expected", "learned_events"):
                np.testing.assert_array_equal(getattr(contrast, array), getattr(former, array))


@pytest.mark.parametrize("at_once", [5, DAYS * 24])
def test_rows_do_not_depend_on_batches_or_restarts(at_once: int, stored: tuple[Store, Watch]) -> None:
    assert written_in_batches(*stored, at_once, HOUR_MS) == sorted(rows(stored[0], "expectations"), key=key_of)


def written_in_batches(store: Store, watch: Watch, at_once: int, window_ms: int) -> list[dict[str, Any]]:
    """Evaluate stored panes so many windows at a time, with a restart before each, and return the expectations."""
    ends = range(first_window_end(watch, START_MS), START_MS + DAYS * DAY_MS + 1, window_ms)
    kind, written = Changes(watch, None), []
    for start in range(0, len(ends), at_once):
        restored = Changes(watch, None)
        restored.restore(kind.snapshot())
        kind, batch = restored, ends[start : start + at_once]
        list(kind.advance(read_panes(store, watch, batch[0] - window_ms, batch[-1]), batch))
        written += in_rows(kind.expectations())
    return sorted(written, key=key_of)


def test_a_job_within_an_hour_is_expected_at_its_minutes(tmp_path: Path) -> None:
    quarter_ms = HOUR_MS // 4
    configuration = watched(pane="15m", defaults={"window": "15m"})
    per_window = [80 if quarter % 96 == 13 else 4 for quarter in range(DAYS * 96)]
    events = [
        {"id": f"{quarter}/{number}", "ts": START_MS + quarter * quarter_ms + number, "x": number % 3, "country": "DE"}
        for quarter, count in enumerate(per_window)
        for number in range(count)
    ]
    store, _ = replayed_lines(tmp_path, [json.dumps(event).encode() for event in events], configuration)
    stored_rows = of_days(store, "volume")
    [volume] = read_day(stored_rows[-1]).contrasts
    at_three = [volume.in_units(volume.expected_of((quarter + 0.5) / 96, 1.0)) for quarter in range(12, 16)]
    assert at_three == pytest.approx([4, 80, 4, 4], rel=0.1)
    assert volume.variance_at(13.5 / 96) == 0.0
    in_batches = written_in_batches(store, compile_watch(configuration, "loans"), 7, quarter_ms)
    assert [row for row in in_batches if row["signal"] == "volume"] == sorted(stored_rows, key=key_of)


def in_rows(columns: Mapping[str, list[Any]]) -> list[dict[str, Any]]:
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def key_of(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return row["signal"], row["segment"], row["version"], row["from_ms"]


@pytest.mark.parametrize("events", [1, 20, 1_000, 5_000])
def test_what_always_happens_is_expected_of_all_events_and_no_more(events: int, stored: tuple[Store, Watch]) -> None:
    day = read_day(of_days(stored[0], "feature:country")[-1])
    rate = next(each for each in day.contrasts if each.kind == legend.RATE)
    always = to_expectation(legend.RATE, 1_000.0, 1_000.0, 1.0)
    assert 0.999 < rate.usual_in_units(always, events) <= 1
    assert 0.999 < FallbackContrasts("none", CategoryLayout()).usual(0, always, events, 1.0) <= 1


def test_under_the_rule_variation_there_are_none(tmp_path: Path) -> None:
    store, _ = replayed_lines(tmp_path, lines()[: 3 * 24 * PER_HOUR], watched(rule="variation"))
    assert rows(store, "expectations") == []


@pytest.mark.parametrize(("mean", "in_hour"), [(3.0, 1), (10.0, 1), (1.5, 12), (400.0, 1)])
def test_as_many_events_are_usual_as_come_on_average(mean: float, in_hour: int) -> None:
    """Of ten an hour 9.5 were: the mean of logarithms is less."""
    drawn = np.random.default_rng(3).poisson(mean * in_hour, 200_000) / in_hour
    expected = float(np.mean([to_expectation(legend.VOLUME, float(each), 0.0, 1.0) for each in drawn]))
    row = np.zeros(legend.ROW)
    row[[legend.KIND, legend.FAMILY, legend.IN_HOUR]] = legend.VOLUME, legend.VOLUMES, in_hour
    unused = np.zeros((2, legend.FILTER)), np.zeros(2), np.full(24, expected)
    contrast = ExpectedContrast("events", row, *unused, None, np.full(24, np.nan))
    assert contrast.in_units(contrast.usual) == pytest.approx(mean, rel=0.01)
    assert VolumeContrasts().usual(0, expected, 1.0, in_hour) == pytest.approx(mean, rel=0.01)
    assert events_of(expectation_of(mean, in_hour), in_hour) == pytest.approx(mean, rel=1e-6)
