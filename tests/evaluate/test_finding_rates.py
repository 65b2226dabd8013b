"""A burst of findings of per-event detectors alarms under the budget, and says so; an ordinary rate does not."""

from __future__ import annotations

import contextlib
import json
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monitor.config import Configuration
from monitor.evaluate.backtest import Backtest, backtest, span_of
from monitor.ingest.counters import Counters
from monitor.panes.codec import FINDINGS
from monitor.watch import compile_watch
from sinks.store import open_store
from sinks.store.contract import Query, Store
from sinks.store.memory import MemoryStore
from sinks.store.sqlstore import SqlStore
from tests.monitor.streams import (
    HOUR_MS,
    START_MS,
    as_lines,
    configured,
    outcome,
    replayed,
    replayed_lines,
    rows,
    written,
)

PER_HOUR = 200
DAYS = 10
BURST = range(8 * 24 + 10, 8 * 24 + 14)
"""The hours in which there is something to be found."""


def watched(**more: Any) -> Configuration:
    detect = {
        "rule": "change",
        "false_alarms": "1 per 30d",
        "pane": "30m",
        "defaults": {"window": "1h"},
        "vectors": {"both": ["feature:x", "feature:y"]},
        "rules": [
            {"on": "feature:x", "use": ["adwin", "robust_z"]},
            {"on": "vector:both", "use": [{"half_space_trees": {"false_alarm_rate": 0.001}}]},
        ],
    }
    schema = {
        "id": "id",
        "version": "version",
        "features": {"x": {"type": "numeric"}, "y": {"type": "numeric"}, "country": {"type": "category"}},
    }
    segments = [{"by": ["country"], "values": ["DE", "FR"]}]
    return configured(detect=detect | more.pop("detect", {}), schema=schema, segments=segments, **more)


def lines(seed: int = 1, days: int = DAYS, wild: float = 0.0, torn: float = 0.0) -> list[bytes]:
    """Two numbers that are near one of two points; while the burst lasts, some are wild, or of a pair that is no point.

    Wild ones are of one country and version; of torn pairs each number is one that it always has.
    """
    rng = np.random.default_rng(seed)
    events = []
    for hour in range(24 * days):
        side = rng.choice([-2.0, 2.0], PER_HOUR)
        x, y = (side + rng.normal(0, 0.4, PER_HOUR) for _ in range(2))
        german, new = rng.random(PER_HOUR) < 0.7, rng.random(PER_HOUR) < 0.7
        if hour in BURST:
            x = np.where((rng.random(PER_HOUR) < wild) & german & new, 20.0 * np.sign(x), x)
            y = np.where(rng.random(PER_HOUR) < torn, y - 2 * side, y)
        for number in range(PER_HOUR):
            event = {"id": f"{hour}/{number}", "ts": START_MS + hour * HOUR_MS + number * HOUR_MS // PER_HOUR}
            event |= {"x": float(x[number]), "y": float(y[number]), "country": "DE" if german[number] else "FR"}
            events.append(event | {"version": "v2" if new[number] else "v1"})
    return as_lines(events)


def fired(store: Store) -> list[dict[str, Any]]:
    """The signals of alerts that fired or moved on, each with when that was and what was said."""
    alerts = [alert for alert in rows(store, "alerts") if alert["state"] in ("firing", "updated")]
    return [{"at_ms": alert["at_ms"], **entry} for alert in alerts for entry in json.loads(alert["signals"])]


@pytest.fixture(scope="module")
def wild(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("wild"), [lines(wild=0.07)])[0]


@pytest.fixture(scope="module")
def store(wild: Path) -> Store:
    return replayed(watched(), [wild])[0]


def test_a_burst_of_anomalies_alarms_and_says_so(store: Store) -> None:
    alarms = fired(store)
    # What is wild alone is odd in its vector too.
    assert {alarm["signal"] for alarm in alarms} == {"feature:x", "vector:both"}
    first_ms = START_MS + (BURST[0] + 1) * HOUR_MS
    assert first_ms <= min(alarm["at_ms"] for alarm in alarms) <= first_ms + HOUR_MS
    assert any("robust_z anomalies 0 % →" in alarm["reason"] for alarm in alarms)


def test_the_segment_and_the_version_of_anomalies_are_named(store: Store) -> None:
    series = {(alarm["version"], alarm["segment"]) for alarm in fired(store) if "anomalies" in alarm["reason"]}
    assert ("v2", "country=DE") in series
    assert {version for version, _ in series} == {"v2"}
    assert "country=FR" not in {segment for _, segment in series}


def test_pairs_that_are_odd_only_together_alarm_for_their_vector(tmp_path: Path) -> None:
    store, _ = replayed_lines(tmp_path, lines(2, torn=0.06), watched())
    alarms = fired(store)
    assert {alarm["signal"] for alarm in alarms} == {"vector:both"}
    assert {alarm["at_ms"] - START_MS for alarm in alarms} <= {(hour + 1) * HOUR_MS for hour in BURST}
    assert "half_space_trees anomalies" in alarms[0]["reason"]


def test_anomalies_that_always_come_do_not_alarm(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    detect = {"rules": [{"on": "feature:x", "use": [{"robust_z": {"false_alarm_rate": 0.01}}]}], "vectors": {}}
    times = range(START_MS, START_MS + 60 * 24 * HOUR_MS, HOUR_MS // 60)
    ordinary = [{"id": str(at_ms), "ts": at_ms, "x": float(rng.normal())} for at_ms in times]
    store, _ = replayed_lines(tmp_path, as_lines(ordinary), watched(detect=detect))
    assert 700 < len(rows(store, "findings")) < 1_000
    # So many false alarms are accepted in sixty days.
    assert len({alarm["at_ms"] for alarm in fired(store)}) <= 2


def test_only_signals_with_per_event_detectors_have_a_contrast_more(store: Store) -> None:
    contrasts: dict[str, set[str]] = {}
    for row in rows(store, "expectations"):
        names = set(json.loads(row["contrasts"])["contrasts"]["name"])
        contrasts.setdefault(row["signal"], set()).update(names)
    numbers = {"typical value", "spread", "concentration", "missing", "invalid", "out of range"}
    assert contrasts["feature:x"] == numbers | {"adwin drifts", "robust_z anomalies"}
    assert contrasts["feature:y"] == numbers
    assert contrasts["vector:both"] == {"half_space_trees anomalies"}
    assert not any("anomalies" in name for name in contrasts["feature:country"] | contrasts["volume"])


def test_panes_count_what_was_found(store: Store) -> None:
    counted = {"adwin": 0, "robust_z": 0, "half_space_trees": 0}
    for row in rows(store, "panes", segment=""):
        if row["signal"].startswith(FINDINGS):
            counts = dict(zip(row["names"], row["counts"], strict=True))
            for detector in counted:
                counted[detector] += counts.get(f"{detector} findings", 0)
                assert counts.get(f"{detector} judged", 0) <= row["n"]
    found = [row["detector"] for row in rows(store, "findings")]
    assert counted == {detector: found.count(detector) for detector in counted}


# -- the same rows, however it comes about -----------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [311, 20_000])
def test_the_size_of_batches_does_not_show(batch: int, wild: Path, store: Store) -> None:
    again, _ = replayed(watched(), [wild], batch=batch, checkpoint_every=7_000)
    assert outcome(again) == outcome(store)


class Died(Exception):  # noqa: N818 -- not an error of ours
    """The process is gone."""


def test_deaths_between_checkpoints_do_not_show(wild: Path, store: Store) -> None:
    again: Store = MemoryStore()
    for dies_at in (500, 30_000, 40_000, 10**9):

        def dies(counters: Counters, dies_at: int = dies_at) -> None:
            if again.read(Query("progress"))["next_offset"].max(initial=0) >= dies_at:
                raise Died

        with contextlib.suppress(Died):
            replayed(watched(), [wild], again, batch=1_300, checkpoint_every=4_000, on_progress=dies)
    assert outcome(again) == outcome(store)


def backtested(store: Store, configuration: Configuration) -> Backtest:
    watch = compile_watch(configuration, "loans")
    return backtest(store, watch, span_of(store, watch), keep=watch.uses)


def texts(scores: Any) -> list[str]:
    of_change = [row for row in scores if row["detector"] == "change"]
    return sorted(json.dumps(row, sort_keys=True) for row in of_change)


def scores_of(done: Backtest) -> list[dict[str, Any]]:
    return [dict(zip(done.scores, values, strict=True)) for values in zip(*done.scores.values(), strict=True)]


def test_a_backtest_gives_the_rows_that_were_written(store: Store) -> None:
    done = backtested(store, watched())
    assert texts(scores_of(done)) == texts(rows(store, "scores"))
    assert not {reason for reason in done.not_judged if "robust_z" in reason}


def test_sums_of_panes_give_the_same_rows_before_and_after_they_are_brought_up_to_date(
    tmp_path: Path, store: Store
) -> None:
    with closing(open_store("chdb", str(tmp_path / "store"))) as embedded:
        for table in ("panes", "progress", "scores", "alerts"):
            embedded.append(table, store.read(Query(table)), token=table)
        for _ in range(2):
            done = backtested(embedded, watched())
            assert done.span.table == "panes_1h"
            assert texts(scores_of(done)) == texts(rows(store, "scores"))
            assert isinstance(embedded, SqlStore)
            embedded.refresh(settle_ms=0)


def test_other_parameters_know_nothing_of_how_often_these_fired(store: Store) -> None:
    rules = [{"on": "feature:x", "use": [{"robust_z": {"window": 64}}]}]
    done = backtested(store, watched(detect={"rules": rules, "vectors": {}}))
    assert "replay the events" in done.not_judged["feature:x robust_z"]
    assert not any("anomalies" in alert.title for alert in done.now)


def test_panes_from_before_findings_were_counted_say_nothing_of_them(store: Store) -> None:
    older = MemoryStore()
    older.migrate()
    panes = store.read(Query("panes"))
    kept = [i for i, signal in enumerate(panes["signal"]) if not signal.startswith(FINDINGS)]
    older.append("panes", {name: [values[i] for i in kept] for name, values in panes.items()}, token="panes")
    older.append("progress", store.read(Query("progress")), token="progress")
    done = backtested(older, watched())
    assert "replay the events" in done.not_judged["feature:x robust_z"]
    assert not any("anomalies" in alert.title for alert in done.now)
    assert "vector:both" not in done.signals
