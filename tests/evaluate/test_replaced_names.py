"""Names that come to be frequent are watched in place of those that went, and what is known is not new."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detectors.sketch import CategoryLayout, CategorySummary
from detectors.sketch.category_summary import summarize
from monitor.evaluate.category_contrasts import CategoryContrasts
from monitor.evaluate.columns import Columns, sums_of
from monitor.evaluate.value_contrasts import referred_contrasts
from monitor.evaluate.windows import Windows
from monitor.watch import Watch, compile_watch
from sinks.store.contract import Store
from tests.evaluate.batches import evaluated
from tests.monitor.streams import HOUR_MS, START_MS, as_lines, configured, replayed_lines, rows

LAYOUT = CategoryLayout(known=(), sample=500)
LEARN_WINDOWS = 10


def followed() -> CategoryContrasts:
    contrasts = referred_contrasts(LAYOUT, None, LEARN_WINDOWS, follows=True)
    assert isinstance(contrasts, CategoryContrasts)
    return contrasts


def show(contrasts: CategoryContrasts, counts: Mapping[str, int], windows: int = LEARN_WINDOWS) -> dict[str, float]:
    """Show windows that have each name so often; return how often contrasts counted what in the last of them."""
    summaries: list[CategorySummary] = [summarize(LAYOUT, dict(counts)) for _ in range(windows)]
    columns = Columns(LAYOUT, counts)
    shown = Windows(
        np.arange(windows) * HOUR_MS,
        np.array([columns.counts_of(each) for each in summaries]),
        np.array([sums_of(each) for each in summaries]),
        np.full((windows, 2), np.nan),
    )
    values = contrasts.evidence(shown, columns).values[:, -1].tolist()
    return {contrasts.name(row): value for row, value in enumerate(values) if value > 0}


def begun(counts: Mapping[str, int]) -> CategoryContrasts:
    """Contrasts that have chosen their names among these, and are looked at after seven days and more."""
    contrasts = followed()
    show(contrasts, counts)
    assert contrasts.renewed(1) is None
    show(contrasts, counts)
    assert contrasts.renewed(2) is None
    return contrasts


def test_a_name_that_became_frequent_has_a_place_from_then_on() -> None:
    contrasts = begun({"a": 60, "b": 30, "c": 10})
    assert show(contrasts, {"a": 60, "b": 30, "d": 10}) == {
        "share of 'a'": 60, "share of 'b'": 30, "share of new values": 10
    }  # fmt: skip
    made = contrasts.renewed(9)
    assert made is not None
    after, replacement = made
    assert show(after, {"a": 60, "b": 30, "d": 5, "e": 5}) == {
        "share of 'a'": 60, "share of 'b'": 30, "share of 'd'": 5, "share of new values": 5
    }  # fmt: skip
    # What was said in former names can still be read.
    assert contrasts.name(3) == "share of other values"
    assert set(replacement.anew) == {3, CategoryContrasts.OTHERS, CategoryContrasts.NEW}


def test_what_has_no_place_any_more_is_not_new_when_it_comes_again() -> None:
    names = {f"n{number:02}": 10 for number in range(11)}
    contrasts = begun(names | {"old": 12})
    of_week = names | {"come": 20}
    assert show(contrasts, of_week)["share of new values"] == 20
    made = contrasts.renewed(9)
    assert made is not None
    after, replacement = made
    (slot,) = set(replacement.anew) - {CategoryContrasts.OTHERS, CategoryContrasts.NEW}
    assert (contrasts.name(slot), after.name(slot)) == ("share of 'old'", "share of 'come'")
    assert show(after, of_week | {"old": 12})["share of other values"] == 12


def test_names_that_are_about_as_frequent_stay_in_their_places() -> None:
    names = {f"n{number:02}": 100 - number for number in range(12)} | {"m": 80}
    contrasts = begun(names)
    show(contrasts, names | {"m": 100, "n11": 70})
    assert contrasts.renewed(9) is None


def test_few_new_names_are_no_reason() -> None:
    contrasts = begun({"a": 60, "b": 40})
    show(contrasts, {"a": 60, "b": 38, "c": 2})
    assert contrasts.renewed(9) is None


def test_names_wait_while_an_alarm_stands() -> None:
    contrasts = begun({"a": 60, "b": 40})
    show(contrasts, {"c": 60, "d": 40})
    assert contrasts.renewed(9, may_renew=False) is None
    assert contrasts.renewed(10) is not None


def test_contrasts_that_are_restored_go_on_with_the_same_names() -> None:
    contrasts = begun({"a": 60, "b": 30, "c": 10})
    show(contrasts, {"a": 60, "b": 30, "d": 10})
    made = contrasts.renewed(9)
    assert made is not None
    restored = followed()
    restored.restore(made[0].snapshot())
    of_week = {"a": 40, "c": 10, "d": 40, "e": 10}
    assert show(restored, of_week) == show(made[0], of_week)
    again, of_restored = made[0].renewed(16), restored.renewed(16)
    assert (again is None) == (of_restored is None)


# -- from events to alerts -------------------------------------------------------------------------------------------

DAYS, BROKEN_DAY, WINDOW_MS, PER_EVENTS = 66, 60, 6 * HOUR_MS, 60
DETECT = {
    "rule": "change",
    "false_alarms": "1 per 30d",
    "pane": "6h",
    "adopt_after": "3d",
    "defaults": {"window": "6h", "learn_windows": 4},
}


def campaigns() -> list[dict[str, Any]]:
    """Six campaigns at a time; in the first month each gives way to another one, and at the end half of all to none."""
    rng, made = np.random.default_rng(5), []
    for window in range(DAYS * 4):
        day = window / 4
        for number, slot in enumerate(rng.integers(0, 6, PER_EVENTS).tolist()):
            at_ms = START_MS + window * WINDOW_MS + number * WINDOW_MS // PER_EVENTS
            name = f"campaign {slot} {int(day + 5 * slot >= 30)}"
            if day >= BROKEN_DAY and rng.random() < 0.5:
                name = "none"
            made.append({"id": f"{window}/{number}", "ts": at_ms, "c": name, "y": float(rng.normal())})
    return made


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, Watch]:
    folder: Path = tmp_path_factory.mktemp("names")
    schema = {
        "id": "id",
        "features": {"c": {"type": "category"}},
        "prediction": {"y": {"type": "numeric"}},
    }
    configuration = configured(detect=DETECT, schema=schema, segments=[], baseline={"kind": "rolling"})
    store, _ = replayed_lines(folder, as_lines(campaigns()), configuration)
    return store, compile_watch(configuration, "loans")


def test_a_fault_is_found_when_none_of_the_first_names_is_there_any_more(stored: tuple[Store, Watch]) -> None:
    broken_ms = START_MS + BROKEN_DAY * 24 * HOUR_MS
    titles = [
        str(row["title"])
        for row in rows(stored[0], "alerts")
        if broken_ms < row["at_ms"] <= broken_ms + 24 * HOUR_MS and row["state"] != "resolved"
    ]
    assert any("feature:c moved (share of new values" in title for title in titles)


@pytest.mark.parametrize("sizes", [[1000], [11, 30, 7]])
def test_rows_depend_on_no_batch_or_restart(sizes: list[int], stored: tuple[Store, Watch]) -> None:
    assert evaluated(*stored, DAYS, sizes) == evaluated(*stored, DAYS, [1])
