"""A period as the baseline: the same reference live, in a replay and in a backtest, however often it is restarted."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detectors.sketch import CategorySummary, NumericSummary
from monitor import checkpoint
from monitor.evaluate.backtest import backtest, span_of
from monitor.evaluate.baselines import add_up
from monitor.evaluate.evaluate import Evaluation
from monitor.evaluate.horizon import Horizon
from monitor.evaluate.model import ModelSeries, follow, lifecycle_of
from monitor.evaluate.pinned import PinnedPeriod
from monitor.evaluate.windows import first_window_end
from monitor.panes.codec import summary_of
from monitor.panes.reading import read_panes
from monitor.watch import Watch, compile_watch
from sinks.store import open_store
from sinks.store.contract import Query, Store
from sinks.store.memory import MemoryStore
from sinks.store.sqlstore import SqlStore
from tests.monitor.streams import (
    DAY_MS,
    HOUR_MS,
    START_MS,
    TOPIC,
    applications,
    as_lines,
    configured,
    detecting,
    replayed_lines,
    rows,
    scored,
)

DAYS, STEP_MS, WINDOW_MS = 24, 12 * HOUR_MS, DAY_MS
FROM_MS, TO_MS = START_MS + 3 * DAY_MS + 5 * HOUR_MS, START_MS + 12 * DAY_MS + 3 * HOUR_MS
"""The period begins and ends within steps of windows."""

CHANGES_MS = START_MS + 13 * DAY_MS


def text(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat()


PERIOD = {"kind": "period", "from": text(FROM_MS), "to": text(TO_MS)}
DETECT = detecting(
    rules=[{"on": "feature:amount", "use": ["psi", "ks"]}, {"on": "feature:country", "use": ["psi", "new_category"]}],
    default_rules=False,
    pane="30m",
    defaults={"window": "1d", "every": "12h", "min_samples": 40, "learn_windows": 4},
)
SEGMENTS = [{"by": ["country"], "values": ["FR"]}]


def watch_of(rule: str = "change", **spec: Any) -> Watch:
    detect = {**DETECT, "rule": rule, **spec.pop("detect", {})}
    return compile_watch(configured(**{"baseline": PERIOD, "segments": SEGMENTS, "detect": detect} | spec), "loans")


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A model whose amounts rise right after the period, and whose second version answers from its midst on.

    Later there are new names.
    """

    def change(event: dict[str, Any]) -> None:
        event["version"] = "v1" if event["ts"] < START_MS + 8 * DAY_MS else "v2"
        event["amount"] *= 2.5 if event["ts"] >= CHANGES_MS else 1
        if event["ts"] >= START_MS + 20 * DAY_MS and event["id"].endswith("7"):
            event["country"] = "XK"

    lines = as_lines(applications(3, days=DAYS, per_day=250, change=change))
    store, _ = replayed_lines(
        tmp_path_factory.mktemp("panes"), lines, configured(segments=SEGMENTS, detect={**DETECT, "rules": []})
    )
    panes = MemoryStore()
    panes.append("panes", store.read(Query("panes")), token="panes")
    return panes


def ends_of(watch: Watch) -> range:
    return range(first_window_end(watch, START_MS), START_MS + DAYS * DAY_MS, STEP_MS)


def evaluated(store: Store, watch: Watch, sizes: list[int]) -> dict[str, list[str]]:
    """Scores and alerts of so many windows at a time, with a restart from the packed checkpoint after each time."""
    ends, series, lifecycle, first = ends_of(watch), ModelSeries(watch), lifecycle_of(watch), 0
    found: dict[str, list[str]] = {"scores": [], "alerts": []}
    while first < len(ends):
        batch = ends[first : first + sizes[first % len(sizes)]]
        state, series = checkpoint.decode_state(checkpoint.encode_state(series.snapshot())), ModelSeries(watch)
        series.restore(state)
        verdicts = series.advance(read_panes(store, watch, batch[0] - WINDOW_MS, batch[-1]), batch)
        found["alerts"] += [repr(transition) for transition in follow(lifecycle, verdicts, batch)]
        for of_series in verdicts:
            found["scores"] += [repr(row) for row in zip(*of_series.rows("loans", "").values(), strict=True)]
        first += len(batch)
    return {table: sorted(of_table) for table, of_table in found.items()}


@pytest.mark.parametrize("rule", ["change", "variation"])
def test_no_row_depends_on_batches_or_restarts(rule: str, stored: Store) -> None:
    watch = watch_of(rule)
    straight = evaluated(stored, watch, [1000])
    assert any("'skew'" in row if rule == "change" else "'psi'" in row for row in straight["scores"])
    assert straight["alerts"]
    assert evaluated(stored, watch, [1]) == straight
    assert evaluated(stored, watch, [5, 11, 2]) == straight


def test_the_reference_is_the_sum_of_the_panes_of_the_period_over_all_versions(stored: Store) -> None:
    watch = watch_of()
    pinned, ends = PinnedPeriod(watch), ends_of(watch)
    pinned.take(read_panes(stored, watch, ends[0] - WINDOW_MS, ends[-1]), ends)
    panes = rows(stored, "panes", late_at_ms=0)
    # Of the steps of windows, those that lie in the period as a whole.
    first_ms, last_ms = START_MS + 3 * DAY_MS + STEP_MS, START_MS + 12 * DAY_MS
    for segment, signal in [("", "feature:amount"), ("country=FR", "feature:country")]:
        inside = [
            {name: [value] for name, value in pane.items()}
            for pane in panes
            if (pane["segment"], pane["signal"]) == (segment, signal) and first_ms <= pane["pane_start_ms"] < last_ms
        ]
        expected = reduce(lambda a, b: add_up([a, b]), [summary_of(row, 0, watch.layouts[signal]) for row in inside])
        summary = pinned.summary(segment, signal)
        assert isinstance(summary, NumericSummary | CategorySummary)
        assert isinstance(expected, NumericSummary | CategorySummary)
        assert {row["version"][0] for row in inside} == {"v1", "v2"}
        assert (summary.n, summary.missing, summary.counts.tolist()) == (
            expected.n, expected.missing, expected.counts.tolist(),
        )  # fmt: skip
    assert (pinned.since_ms, pinned.to_ms) == (first_ms, TO_MS)


def upto(store: Store, closed_ms: int) -> None:
    """Say that everything before a time has come."""
    reach = {"closed_ms": closed_ms, "newest_ms": closed_ms, "next_offset": closed_ms}
    row = {"model": "loans", "topic": TOPIC, "partition": 0} | reach
    store.append("progress", {name: [value] for name, value in row.items()}, token=str(closed_ms))


def holding(stored: Store, from_ms: int = 0) -> Store:
    """A store with the panes from a time on."""
    store = MemoryStore()
    store.append("panes", stored.read(Query("panes", low={"pane_start_ms": from_ms})), token="panes")
    return store


def evaluate(store: Store, watch: Watch, days: float, *, save: bool = True) -> Store:
    """Evaluate what has come by then, as a process does that starts."""
    upto(store, START_MS + int(days * DAY_MS))
    evaluation = Evaluation(watch, store)
    evaluation.advance(Horizon())
    if save:
        evaluation.save()
    return store


def results(store: Store, since_ms: int) -> list[str]:
    scores = [json.dumps(row) for row in scored(store) if row["window_end_ms"] > since_ms]
    return scores + [json.dumps(row) for row in rows(store, "alerts") if row["at_ms"] > since_ms]


@pytest.fixture(scope="module")
def straight(stored: Store) -> Store:
    return evaluate(holding(stored), watch_of(), DAYS)


def test_an_interrupted_evaluation_writes_the_rows_of_an_unbroken_one(stored: Store, straight: Store) -> None:
    store = holding(stored)
    # Within the period, before it is over and behind it: some of it is written before a crash, without a checkpoint.
    for days, save in ((7, True), (9.5, False), (11, True), (14, False), (DAYS, True)):
        evaluate(store, watch_of(), days, save=save)
    assert results(store, 0) == results(straight, 0)


@pytest.mark.parametrize("changed_on", [2, 8, 17])
def test_a_period_that_is_configured_later_is_learned_from_stored_panes(
    changed_on: int, stored: Store, straight: Store
) -> None:
    store = evaluate(holding(stored), watch_of(baseline={"kind": "rolling", "span": "5d"}), changed_on)
    evaluate(store, watch_of(), DAYS)
    since_ms = START_MS + changed_on * DAY_MS
    assert results(store, since_ms) == results(straight, since_ms)


def test_once_learned_the_period_outlives_its_panes(stored: Store) -> None:
    """Another change of the configuration learns again, and by then the period's panes are gone."""
    kept = evaluate(holding(stored), watch_of(), 17)
    other = watch_of(detect={"false_alarms": "1 per 7d"})
    gone = holding(stored, from_ms=TO_MS + DAY_MS)
    for table in ("checkpoints", "alerts"):
        gone.append(table, kept.read(Query(table)), token=table)
    evaluate(gone, other, DAYS)
    of_period = [row for row in scored(gone, detector="psi", signal="feature:amount", segment="") if row["baseline_n"]]
    (size,) = {row["baseline_n"] for row in of_period}
    pinned = PinnedPeriod(other)
    pinned.take(read_panes(stored, other, START_MS, TO_MS), range(START_MS + DAY_MS, TO_MS, STEP_MS))
    summary = pinned.summary("", "feature:amount")
    assert summary is not None
    assert size == summary.n + summary.missing


def test_other_steps_of_windows_lose_no_period_whose_panes_are_gone(stored: Store) -> None:
    kept = evaluate(holding(stored), watch_of(), 17)
    other = watch_of(detect={"defaults": DETECT["defaults"] | {"every": "6h"}})
    gone = holding(stored, from_ms=TO_MS + DAY_MS)
    for table in ("checkpoints", "alerts"):
        gone.append(table, kept.read(Query(table)), token=table)
    evaluate(gone, other, DAYS)
    of_amount = scored(gone, detector="psi", signal="feature:amount", segment="", version="v2")
    assert {row["baseline_n"] > 1_000 for row in of_amount} == {True}


def test_a_backtest_gives_the_rows_of_the_evaluation(stored: Store, straight: Store) -> None:
    watch = watch_of()
    upto(store := holding(stored), START_MS + DAYS * DAY_MS)
    whole = backtest(store, watch, span_of(store, watch, learn_from_ms=START_MS), keep=watch.uses)
    late_ms = START_MS + 16 * DAY_MS
    late = backtest(store, watch, span_of(store, watch, late_ms, learn_from_ms=late_ms - DAY_MS), keep=watch.uses)
    live = [row for row in scored(straight) if row["window_end_ms"] > START_MS]
    assert len(whole.scores["effect"]) == len(live)
    of = ("signal", "segment", "version", "detector", "window_end_ms", "baseline_n", "baseline_from_ms")
    compared = {(*(row[name] for name in of), repr(row["effect"])) for row in live if row["detector"] == "psi"}
    for done, since_ms in ((whole, 0), (late, late_ms)):
        tested = zip(*(done.scores[name] for name in of), map(repr, done.scores["effect"]), strict=True)
        expected = {row for row in compared if row[4] > since_ms}
        assert {row for row in tested if row[3] == "psi"} == expected != set()


def test_sums_of_panes_give_the_period_that_panes_give(stored: Store, tmp_path: Path) -> None:
    """Read from hours where there are some, before and after they are brought up to date."""
    watch, late_ms = watch_of(), START_MS + 16 * DAY_MS

    def tested(store: Store) -> tuple[str, list[str]]:
        span = span_of(store, watch, late_ms, learn_from_ms=late_ms - DAY_MS)
        scores = backtest(store, watch, span, keep=watch.uses).scores
        return span.table, sorted(repr(row) for row in zip(*scores.values(), strict=True))

    upto(fine := holding(stored), START_MS + DAYS * DAY_MS)
    _, expected = tested(fine)
    assert any("'psi'" in row and "'ok'" in row for row in expected)
    with closing(open_store("chdb", str(tmp_path / "store"))) as embedded:
        assert isinstance(embedded, SqlStore)
        for table in ("panes", "progress"):
            embedded.append(table, fine.read(Query(table)), token=table)
        for _ in range(2):
            assert tested(embedded) == ("panes_1h", expected)
            embedded.refresh(settle_ms=0)


def test_windows_are_compared_once_the_period_is_over_and_say_so_before(straight: Store) -> None:
    of_amount = scored(straight, signal="feature:amount", segment="", detector="psi")
    within = [row for row in of_amount if row["window_end_ms"] - WINDOW_MS < TO_MS]
    behind = [row for row in of_amount if row["window_end_ms"] - WINDOW_MS >= TO_MS]
    assert {(row["status"], row["detail"]) for row in within} == {("learning", "the baseline's period is not over")}
    assert {row["baseline_n"] > 1_000 for row in behind} == {True}
    assert {row["baseline_to_ms"] for row in behind} == {TO_MS}


def test_another_level_than_that_of_the_period_is_a_skew(straight: Store) -> None:
    skews = scored(straight, signal="feature:amount", segment="", detector="skew", version="v2")
    before = [row for row in skews if row["window_end_ms"] <= TO_MS]
    assert {row["detail"] for row in before} == {"the baseline's period is not over"}
    fired = [row for row in skews if row["status"] == "drift"]
    assert fired
    assert CHANGES_MS < fired[0]["window_end_ms"] <= CHANGES_MS + 5 * DAY_MS
    assert " in the reference, " in fired[0]["detail"]
    of_names = scored(straight, signal="feature:country", segment="", detector="skew", version="v2")
    assert {row["status"] for row in of_names if row["window_end_ms"] < START_MS + 20 * DAY_MS} == {"learning", "ok"}


def test_a_period_without_events_says_so(stored: Store) -> None:
    watch = watch_of(baseline={**PERIOD, "from": text(START_MS - 20 * DAY_MS), "to": text(START_MS - 9 * DAY_MS)})
    store = evaluate(holding(stored), watch, 6)
    of_amount = {(row["detector"], row["status"], row["detail"]) for row in scored(store, signal="feature:amount")}
    assert ("psi", "learning", "baseline: 0 of 40 events of its period seen") in of_amount
    assert ("skew", "learning", "baseline: 0 of 3 sevenths of its period seen") in of_amount


def test_ordinary_days_are_no_skew_from_a_period_of_ordinary_weeks(tmp_path: Path) -> None:
    """Levels that vary from day to day, which a period of two weeks has sampled as the days behind it do."""
    rng = np.random.default_rng(11)
    levels = rng.normal(0, 0.25, 60)

    def vary(event: dict[str, Any]) -> None:
        event["amount"] *= float(np.exp(levels[(event["ts"] - START_MS) // DAY_MS]))

    two_weeks = {"kind": "period", "from": text(START_MS), "to": text(START_MS + 14 * DAY_MS)}
    configuration = configured(baseline=two_weeks, segments=[], detect={**DETECT, "rule": "change"})
    store, _ = replayed_lines(tmp_path, as_lines(applications(8, days=45, per_day=60, change=vary)), configuration)
    skews = scored(store, signal="feature:amount", detector="skew")
    assert {row["status"] for row in skews} == {"learning", "ok"}
