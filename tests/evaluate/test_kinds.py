"""What every kind of series keeps to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from monitor.evaluate.kinds import KINDS, SeriesKind
from monitor.evaluate.model import ModelSeries
from monitor.evaluate.verdict_columns import Verdicts
from monitor.evaluate.windows import first_window_end
from monitor.panes.reading import read_panes
from monitor.watch import Watch, compile_watch
from sinks.store.contract import Store
from tests.monitor.streams import DAY_MS, HOUR_MS, START_MS, configured, replayed_lines, troubled

STEP_MS = 6 * HOUR_MS
DAYS = 6


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, Watch]:
    store, _ = replayed_lines(tmp_path_factory.mktemp("stream"), troubled(3, days=DAYS))
    return store, compile_watch(configured(), "loans")


def evaluated(kind: SeriesKind, stored: tuple[Store, Watch], ends: range, at_once: int) -> Iterator[Verdicts]:
    """Verdicts on windows, so many at a time."""
    store, watch = stored
    for start in range(0, len(ends), at_once):
        batch = ends[start : start + at_once]
        panes = read_panes(store, watch, batch[0] - watch.model.spec.detect.defaults.window, batch[-1])
        yield from kind.advance(panes, batch)


def rows(verdicts: Sequence[Verdicts]) -> list[str]:
    """Rows of scores as text, whatever came in one batch."""
    columns = [of_series.rows("loans", "") for of_series in verdicts]
    return sorted(repr(row) for part in columns for row in zip(*part.values(), strict=True))


def ends_of(watch: Watch) -> range:
    return range(first_window_end(watch, START_MS), START_MS + DAYS * DAY_MS, STEP_MS)


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_says_the_same_however_many_windows_come_at_once(name: str, stored: tuple[Store, Watch]) -> None:
    watch = stored[1]
    ends = ends_of(watch)
    together = rows(list(evaluated(KINDS[name](watch, None), stored, ends, len(ends))))
    assert together
    assert rows(list(evaluated(KINDS[name](watch, None), stored, ends, 1))) == together


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_goes_on_from_its_snapshot(name: str, stored: tuple[Store, Watch]) -> None:
    watch = stored[1]
    ends = ends_of(watch)
    half = len(ends) // 2
    straight = KINDS[name](watch, None)
    list(evaluated(straight, stored, ends[:half], 4))
    restored = KINDS[name](watch, None)
    restored.restore(straight.snapshot())
    expected = rows(list(evaluated(straight, stored, ends[half:], 4)))
    assert rows(list(evaluated(restored, stored, ends[half:], 4))) == expected


@pytest.mark.parametrize("name", KINDS)
def test_the_verdicts_of_a_kind_come_in_the_order_of_keys(name: str, stored: tuple[Store, Watch]) -> None:
    watch = stored[1]
    ends = ends_of(watch)[:2]
    keys = [of_series.key for of_series in evaluated(KINDS[name](watch, None), stored, ends, 2)]
    assert keys == sorted(keys)


def test_a_checkpoint_without_a_kind_lets_it_begin_anew(tmp_path: Path, stored: tuple[Store, Watch]) -> None:
    series: Any = ModelSeries(stored[1])
    series.restore({"series": []})
    assert series.snapshot() == {name: [] for name in KINDS}
