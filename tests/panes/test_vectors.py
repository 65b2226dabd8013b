"""Several numbers of one event, watched together: what goes together changes, while each number alone does not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.decomposition import PCA

from monitor.config.references import wrong_rules
from monitor.evaluate.backtest import backtest, span_of
from monitor.panes.differences import differences
from monitor.panes.distributions import Part, summaries
from monitor.watch import compile_watch
from sinks.store.chdb import ChdbStore
from sinks.store.contract import Store
from tests.monitor.streams import HOUR_MS, START_MS, configured, drifts, outcome, replayed, rows, scored, written

WINDOW_MS = HOUR_MS
WINDOWS = 30
TURNED = 24
"""The window from which on numbers no longer go together."""

SPEC: dict[str, Any] = {
    "sources": [{"kafka": "loans", "event_time": {"path": "ts", "unit": "ms"}, "allowed_lateness": "10m"}],
    "schema": {
        "features": {name: {"type": "numeric", "range": [-4, 4]} for name in "abc"} | {"country": {"type": "category"}}
    },
    "segments": [{"by": ["country"], "values": ["DE"]}],
    "baseline": {"kind": "rolling", "span": "7d"},
    "detect": {
        "pane": "10m",
        "defaults": {"window": "1h", "min_samples": 100, "learn_windows": 6},
        "vectors": {"all": ["feature:a", "feature:b", "feature:c"]},
        "rules": [{"on": "vector:*", "use": [{"mmd": {"min_effect": 0.1}}, "reconstruction", "missing_rate"]}],
    },
    "alerts": {"resolve_after": "1h"},
}


def events(seed: int = 1, per_window: int = 400, windows: int = WINDOWS, turned: int = TURNED) -> list[bytes]:
    """Numbers of which two are nearly the same; later they are opposites, each spread as before. Some lack one."""
    rng = np.random.default_rng(seed)
    times = START_MS + np.sort(rng.integers(0, windows * WINDOW_MS, windows * per_window))
    lines = []
    for at_ms in times.tolist():
        a, noise, c = rng.normal(0, 1, 3)
        sign = -1 if at_ms >= START_MS + turned * WINDOW_MS else 1
        event = {"ts": at_ms, "a": round(a, 4), "b": round(sign * a + 0.2 * noise, 4), "c": round(c, 4)}
        if rng.random() < 0.02:
            event["c"] = [None, "much", 1e400][int(rng.integers(0, 3))]
        event["country"] = "DE" if rng.random() < 0.7 else "FR"
        lines.append(json.dumps(event).replace("Infinity", "1e999").encode())
    return lines


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return written(tmp_path_factory.mktemp("vectors"), [events()])


@pytest.fixture(scope="module")
def store(paths: list[Path]) -> Store:
    return replayed(configured(**SPEC), paths)[0]


@pytest.mark.parametrize(
    ("rule", "detectors", "turned", "within"),
    [("variation", {"mmd", "reconstruction"}, TURNED, 1), ("change", {"change"}, 78, 2)],
)
def test_what_goes_together_is_seen_to_change_where_each_number_alone_is_not(
    rule: str, detectors: set[str], turned: int, within: int, tmp_path: Path
) -> None:
    """Under the rule `change`, once there are days to know the hours from."""
    configuration = configured(**SPEC | {"detect": SPEC["detect"] | {"rule": rule}})
    lines = events(per_window=400 if rule == "variation" else 150, windows=turned + 6, turned=turned)
    found = replayed(configuration, written(tmp_path, [lines]))[0]
    assert {(row["signal"], row["detector"]) for row in drifts(found, segment="")} == {
        ("vector:all", detector) for detector in detectors
    }
    first = min(row["window_end_ms"] for row in drifts(found, segment=""))
    assert START_MS + turned * WINDOW_MS < first <= START_MS + (turned + within) * WINDOW_MS
    (alert,) = {row["alert_id"]: row for row in rows(found, "alerts") if row["segment"] == ""}.values()
    assert "vector:all" in alert["signals"]


def test_scores_are_those_of_the_vectors_themselves(store: Store) -> None:
    """A window and its baseline are taken from the events again, and compared with the same random features."""
    watch = compile_watch(configured(**SPEC), "loans")
    layout: Any = watch.layouts["vector:all"]
    values: dict[str, list[Any]] = {name: [] for name in ("ts", "vector", "seen")}
    for line in events():
        event = json.loads(line)
        numbers = [event[name] for name in "abc"]
        values["ts"].append(event["ts"])
        values["seen"].append(all(isinstance(number, float) and np.isfinite(number) for number in numbers))
        values["vector"].append([float(number) if isinstance(number, float) else np.nan for number in numbers])
    ts, seen, vectors = (np.array(values[name]) for name in ("ts", "seen", "vector"))
    (row,) = scored(store, signal="vector:all", segment="", detector="mmd", window_end_ms=START_MS + 12 * WINDOW_MS)
    fourier = layout.parts["mmd"]
    phases = (vectors - fourier.location) / fourier.scale @ fourier.matrix.T
    phases[~seen] = 0
    features = np.concatenate((np.cos(phases), np.sin(phases)), axis=1)
    inside = (ts >= row["window_end_ms"] - WINDOW_MS) & (ts < row["window_end_ms"])
    before = (ts >= row["baseline_from_ms"]) & (ts < row["baseline_to_ms"])
    assert row["n"] == inside.sum()
    gap = features[inside & seen].mean(axis=0) - features[before & seen].mean(axis=0)
    assert row["statistic"] == pytest.approx(np.linalg.norm(gap) / np.sqrt(fourier.frequencies), rel=1e-5)
    (row,) = scored(
        store, signal="vector:all", segment="", detector="reconstruction", window_end_ms=START_MS + 12 * WINDOW_MS
    )
    scaled = (vectors - layout.parts["reconstruction"].location) / layout.parts["reconstruction"].scale
    kept = PCA(2).fit(scaled[before & seen])
    current = scaled[inside & seen]
    errors = ((current - kept.inverse_transform(kept.transform(current))) ** 2).sum(axis=1)
    assert row["statistic"] == pytest.approx(errors.mean(), rel=1e-3)


def test_an_event_that_lacks_a_number_is_counted_and_not_summed(store: Store) -> None:
    panes = [row for row in rows(store, "panes", signal="vector:all") if not row["segment"]]
    volume = sum(row["n"] for row in rows(store, "panes", signal="volume") if not row["segment"])
    counted = {name: sum(row[name] for row in panes) for name in ("n", "missing", "invalid")}
    assert sum(counted.values()) == volume == WINDOWS * 400
    lacking = [json.loads(line)["c"] for line in events()]
    assert counted["missing"] == sum(number is None for number in lacking) > 20
    assert counted["invalid"] == sum(number in ("much", float("inf")) for number in lacking) > 20


@pytest.mark.parametrize("batch", [7, 100_000])
def test_the_size_of_batches_does_not_show(batch: int, paths: list[Path], store: Store) -> None:
    again, _ = replayed(configured(**SPEC), paths, batch=batch)
    assert outcome(again) == outcome(store)


def test_the_number_of_partitions_shows_in_no_score(tmp_path: Path, store: Store) -> None:
    lines = events()
    apart, _ = replayed(configured(**SPEC), written(tmp_path, [lines[::3], lines[1::3], lines[2::3]]))
    assert outcome(apart)["scores"] == outcome(store)["scores"]


def test_a_store_with_sql_gives_the_same_and_adds_panes_up_to_the_same(
    tmp_path: Path, paths: list[Path], store: Store
) -> None:
    sql = ChdbStore(tmp_path / "store")
    replayed(configured(**SPEC), paths, sql)
    assert outcome(sql) == outcome(store)
    sql.refresh(settle_ms=0)
    watch = compile_watch(configured(**SPEC), "loans")
    sides = [
        Part(START_MS, START_MS + TURNED * WINDOW_MS),
        Part(START_MS + TURNED * WINDOW_MS, START_MS + WINDOWS * WINDOW_MS),
    ]
    found = [[summaries(of, watch, side) for side in sides] for of in (sql, store)]
    assert found[0] == found[1]
    baseline, current = found[0]
    strongest = differences(watch, baseline, current)[0]
    assert (strongest.signal, next(iter(strongest.measured))) == ("vector:all", "reconstruction")
    # Without vectors in the configuration their stored panes are no hindrance.
    plain = configured(**SPEC | {"detect": {"pane": "10m", "defaults": {"window": "1h", "min_samples": 100}}})
    backtest(sql, compile_watch(plain, "loans"), span_of(sql, compile_watch(plain, "loans")))
    sql.close()


def test_a_backtest_of_the_configuration_that_ran_gives_its_scores(store: Store) -> None:
    watch = compile_watch(configured(**SPEC), "loans")
    found = backtest(store, watch, span_of(store, watch), keep=["vector:all"])
    kept = [dict(zip(found.scores, row, strict=True)) for row in zip(*found.scores.values(), strict=True)]
    live = scored(store, signal="vector:all")
    assert len(kept) == len(live)
    assert sorted(map(repr, (row["statistic"] for row in kept))) == sorted(repr(row["statistic"]) for row in live)
    assert not found.not_judged


def mistakes(**detect: Any) -> list[str]:
    configuration = configured(**SPEC | {"detect": SPEC["detect"] | detect})
    return [message for _, message in wrong_rules(configuration.models["loans"])]


def test_a_vector_whose_spread_nobody_knows_is_refused() -> None:
    fields = {name: {"type": "numeric"} for name in "abc"} | {"country": {"type": "category"}}
    (model,) = configured(**SPEC | {"schema": {"features": fields}}).models.values()
    (message, other) = [message for _, message in wrong_rules(model)]
    assert message.startswith("mmd has to know how far the numbers of 'vector:all' spread: name a data set")
    assert other.startswith("reconstruction has to know")


def test_distances_of_vectors_are_for_vectors_alone() -> None:
    (message,) = mistakes(rules=[{"on": "feature:a", "use": ["mmd"]}])
    assert message == "mmd is for vectors, and 'feature:a' is a numeric field"
    (message,) = mistakes(rules=[{"on": "vector:all", "use": ["ks"]}])
    assert message == "ks is for numeric fields, and 'vector:all' is a vector"
    (message,) = mistakes(rules=[{"on": "vector:all", "use": [{"mmd": {"min_effect": 2}}]}])
    assert message == "mmd: min_effect is a number of at least 0 and at most 1, got 2"
