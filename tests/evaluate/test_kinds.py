"""What every kind of series keeps to."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from detectors.chart.legend import DRIFT, OK, STATUS
from detectors.distance.contract import EFFECT
from monitor.alerts.verdict import NO_FACTS
from monitor.evaluate.kinds import KINDS, SeriesKind
from monitor.evaluate.mark_log import Mark
from monitor.evaluate.model import ModelSeries
from monitor.evaluate.pinned import PinnedPeriod
from monitor.evaluate.verdict_columns import Measured, Verdicts
from monitor.evaluate.windows import Blocks, first_window_end
from monitor.panes.reading import PaneRows, read_panes
from monitor.watch import Watch, compile_watch
from sinks.store.contract import Store
from tests.monitor.streams import DAY_MS, HOUR_MS, START_MS, configured, detecting, replayed_lines, scored, troubled

STEP_MS = 6 * HOUR_MS
DAYS = 6


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, Watch]:
    store, _ = replayed_lines(tmp_path_factory.mktemp("stream"), troubled(3, days=DAYS))
    return store, compile_watch(configured(detect=detecting(rule="change")), "loans")


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


def test_changes_and_skews_against_a_data_set_do_not_depend_on_batches_or_restarts(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    table = pa.table({"amount": rng.lognormal(9.5, 1, 2_000), "age": rng.integers(20, 80, 2_000)})
    pq.write_table(table, tmp_path / "training.parquet")
    baseline = {"kind": "dataset", "uri": str(tmp_path / "training.parquet")}
    features = {"amount": {"type": "numeric"}, "age": {"type": "numeric"}}
    schema = {"id": "id", "version": "version", "features": features}
    detect = {"rule": "change", "pane": "1h", "defaults": {"window": "6h"}}
    configuration = configured(detect=detect, baseline=baseline, schema=schema, segments=[])
    store, _ = replayed_lines(tmp_path, troubled(3, days=DAYS), configuration)
    watch = compile_watch(configuration, "loans")
    ends = ends_of(watch)
    together = rows(list(evaluated(KINDS["changes"](watch, None), (store, watch), ends, len(ends))))
    assert any("'skew'" in row and "'drift'" in row for row in together)
    kind, one_by_one = KINDS["changes"](watch, None), []
    for end in range(len(ends)):
        restored = KINDS["changes"](watch, None)
        restored.restore(kind.snapshot())
        kind = restored
        one_by_one += list(evaluated(kind, (store, watch), ends[end : end + 1], 1))
    assert rows(one_by_one) == together


@pytest.mark.parametrize("name", KINDS)
def test_the_verdicts_of_a_kind_come_in_the_order_of_keys(name: str, stored: tuple[Store, Watch]) -> None:
    watch = stored[1]
    ends = ends_of(watch)[:2]
    keys = [of_series.key for of_series in evaluated(KINDS[name](watch, None), stored, ends, 2)]
    assert keys == sorted(keys)


def test_a_checkpoint_without_a_kind_lets_it_begin_anew(tmp_path: Path, stored: tuple[Store, Watch]) -> None:
    series: Any = ModelSeries(stored[1])
    series.restore({"series": []})
    assert {name: series.snapshot()[name] for name in KINDS} == {name: [] for name in KINDS}


class QuietHours:
    """A kind that somebody adds: windows with few events alarm, whatever is usual."""

    def __init__(self, watch: Watch, shown: Sequence[str] | None, pinned: PinnedPeriod | None = None) -> None:
        self._watch = watch

    def decide(self, marks: Sequence[Mark]) -> None:
        pass

    def advance(self, panes: PaneRows, ends_ms: range) -> Iterator[Verdicts]:
        blocks = Blocks(self._watch, ends_ms)
        events, _ = blocks.events(panes.volume_of(""))
        measured = Measured.unwritten(len(events), 1)
        measured.numbers[:] = np.nan
        measured.codes[:] = 0
        measured.numbers[:, 0, EFFECT] = 60 - events
        measured.codes[:, 0, STATUS] = np.where(events < 60, DRIFT, OK)
        yield Verdicts(
            ("", "", "serving:events"),
            ["fewer_than_sixty"],
            np.array([1.0]),
            self._watch.model.spec.detect.defaults.window,
            blocks.ends_ms,
            events,
            measured,
            lambda verdicts, t, d: NO_FACTS,
        )

    def forget(self, versions: Collection[str]) -> None:
        pass

    def versions(self) -> Collection[str]:
        return ()

    def snapshot(self) -> list[dict[str, Any]]:
        return []

    def restore(self, states: Sequence[Mapping[str, Any]]) -> None:
        pass


def test_a_kind_is_a_class_and_a_line_in_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.evaluate.model.KINDS", {**KINDS, "quiet_hours": QuietHours})
    store, done = replayed_lines(tmp_path, troubled(3, days=DAYS))
    added = scored(store, signal="serving:events")
    assert {row["status"] for row in added} == {"ok", "drift"}
    assert len(added) == done.windows
    fired = [transition for transition in done.transitions if transition.state == "firing"]
    assert "serving:events" in {signal["signal"] for transition in fired for signal in transition.signals}
