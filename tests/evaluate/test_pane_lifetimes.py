"""Fine panes go after a while: what they were needed for was done before, or is refused by name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from monitor.config import Configuration
from monitor.config.service import Service
from monitor.errors import InputError
from monitor.evaluate.backtest import backtest, span_of
from monitor.evaluate.pane_lifetimes import lifetimes_now, needed_ms
from monitor.panes.distributions import Part, by_window, summaries
from monitor.watch import compile_watch
from sinks.store.chdb import ChdbStore
from sinks.store.contract import Query
from sinks.store.memory import MemoryStore
from sinks.store.retention import Lifetimes, retain
from sinks.store.sqlstore import SqlStore
from sinks.store.upkeep import merge, mutate
from tests.monitor.streams import (
    DAY_MS,
    SPEC,
    START_MS,
    applications,
    as_lines,
    configured,
    detecting,
    replayed,
    written,
)
from tests.sinks.store.samples import plain

MINUTE_MS, FIVE_MINUTES_MS, SIGNAL = 60_000, 300_000, "feature:amount"
NOW_MS = START_MS + DAY_MS
DEFAULT_MS = 14 * DAY_MS


def judging(window: str, **spec: Any) -> Configuration:
    defaults = {"window": window, "min_samples": 2, "learn_windows": 6}
    return configured(detect=detecting(pane="10s", rules=[], defaults=defaults), **spec)


def estimating(first_age: str, **performance: Any) -> Configuration:
    """A model of which estimates are compared with labels at an age."""
    sources = [
        {"kafka": "loans", "event_time": "ts"},
        {"kafka": "defaults", "kind": "labels", "event_time": "ts"},
    ]
    labels = {"paid": {"type": "category"}, "times": {"type": "numeric"}}
    estimates = {"accuracy": {"uri": "loans.mpp.json"}}
    compared = {"label": "paid", "positive": "no", "judge_at": [first_age], "estimates": estimates}
    schema = {**SPEC["schema"], "labels": labels}
    return judging("5m", sources=sources, schema=schema, performance={**compared, **performance})


CONFIGURATION = judging("5m")
WATCH = compile_watch(CONFIGURATION, "loans")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlStore]:
    """A day of events, of years ago."""
    folder = tmp_path_factory.mktemp("lifetimes")
    opened = ChdbStore(folder / "store")
    lines = as_lines(applications(1, days=1, per_day=600))
    replayed(CONFIGURATION, written(folder, [lines]), opened)
    opened.append("checkpoints", checkpoint(NOW_MS), token="now")
    yield opened
    opened.close()


def checkpoint(position: int) -> dict[str, Any]:
    """The row of a model that is evaluated so far."""
    row = {"stage": "evaluate", "name": "loans", "partition": 0, "position": position, "config": "", "state": b""}
    return {name: [value] for name, value in row.items()}


def kept_ms(store: SqlStore, now_ms: int) -> int | None:
    return lifetimes_now(CONFIGURATION, store, now_ms)["panes"].by_model["loans"]


def test_panes_go_once_their_windows_are_evaluated_and_their_sums_are_made(store: SqlStore) -> None:
    assert kept_ms(store, NOW_MS) == DEFAULT_MS, "what waits to be added up is of today"
    assert kept_ms(store, NOW_MS + 9 * DAY_MS) == DEFAULT_MS, "a week's events may come at once"
    assert kept_ms(store, NOW_MS + 11 * DAY_MS) is None, "nothing was evaluated for days: it may be an outage"
    store.append("checkpoints", checkpoint(NOW_MS + 16 * DAY_MS), token="further")
    assert kept_ms(store, NOW_MS + 16 * DAY_MS) is None, "nobody has added up the first day yet"
    store.refresh(settle_ms=0)
    assert kept_ms(store, NOW_MS + 16 * DAY_MS) == DEFAULT_MS


def mark(store: SqlStore, hour_ms: int, age: str) -> None:
    """Mark an hour as an insert did so long ago."""
    marked_ms = f"toUnixTimestamp64Milli(now64(3) - INTERVAL {age})"
    store.command(f"INSERT INTO touched SELECT 'panes', 'loans', {hour_ms}, {marked_ms}, 0")


def test_a_late_event_of_long_ago_does_not_change_the_lifetime(store: SqlStore) -> None:
    store.append("checkpoints", checkpoint(NOW_MS + 16 * DAY_MS), token="further")
    store.refresh(settle_ms=0)
    for hour_ms, token in ((START_MS, "summed"), (START_MS - 900 * DAY_MS, "none before")):
        pane = plain("panes", 1, model="loans", signal=SIGNAL, pane_start_ms=hour_ms, pane_ms=10_000, late_at_ms=NOW_MS)
        store.append("panes", pane, token=token)
    assert kept_ms(store, NOW_MS + 16 * DAY_MS) == DEFAULT_MS, "it counts in no sum any more"
    assert kept_ms(store, NOW_MS + 12 * DAY_MS) == DEFAULT_MS, "it is added up within minutes"
    store.refresh(settle_ms=0)


def test_panes_stay_while_nobody_adds_them_up(store: SqlStore) -> None:
    store.append("checkpoints", checkpoint(NOW_MS + 16 * DAY_MS), token="further")
    store.refresh(settle_ms=0)
    hour_ms = START_MS - 2 * DAY_MS
    store.command("INSERT INTO touched SELECT 'panes', 'loans', {hour:Int64}, 0, 1", {"hour": hour_ms})
    mark(store, hour_ms, "2 HOUR")
    assert kept_ms(store, NOW_MS + 10 * DAY_MS) is None, "the mark is overdue"
    assert kept_ms(store, NOW_MS + 16 * DAY_MS) == DEFAULT_MS, "the hour is older than its panes' lifetime"
    store.refresh(settle_ms=0)


def test_what_panes_alone_could_answer_is_refused_by_name_when_they_are_gone(store: SqlStore) -> None:
    store.refresh(settle_ms=0)
    starts_ms = store.read(Query("panes", {"signal": SIGNAL}))["pane_start_ms"].tolist()
    within_ms = next(ms for ms in starts_ms if ms % FIVE_MINUTES_MS)
    whole, cut = Part(START_MS, START_MS + DAY_MS), Part(within_ms, START_MS + DAY_MS)
    summary = summaries(store, WATCH, whole, [SIGNAL]).summaries[SIGNAL]
    noon_ms = START_MS + DAY_MS // 2
    before = backtest(store, WATCH, span_of(store, WATCH, noon_ms))
    finer = compile_watch(judging("1m"), "loans")
    assert span_of(store, finer, noon_ms).from_ms == noon_ms

    assert retain(store, lifetimes_now(CONFIGURATION, store, NOW_MS))
    mutate(store, "panes", "MATERIALIZE TTL")
    merge(store, "panes")
    assert len(store.read(Query("panes"))["n"]) == 0

    assert summaries(store, WATCH, whole, [SIGNAL]).summaries[SIGNAL].n == summary.n
    after = backtest(store, WATCH, span_of(store, WATCH, noon_ms))
    assert (after.windows, after.tests, after.signals) == (before.windows, before.tests, before.signals)
    with pytest.raises(InputError, match=r"keep\.panes\): ask for spans that begin and end at whole 5 minutes"):
        summaries(store, WATCH, cut, [SIGNAL])
    with pytest.raises(InputError, match=r"keep\.panes"):
        by_window(store, WATCH, Part(START_MS, START_MS + DAY_MS), SIGNAL, MINUTE_MS)
    with pytest.raises(InputError, match=r"keep\.panes\), and before that, since .* sums"):
        span_of(store, finer, noon_ms)


@pytest.mark.parametrize(
    ("configuration", "days"),
    [
        (judging("5m"), 14),
        (judging("1h"), 14),
        (judging("10d"), 20),
        (judging("7m"), 42),
        (judging("7m", baseline={"kind": "first_events", "count": 100}), None),
        (judging("5m", baseline={"kind": "first_events", "count": 100}), 14),
        (estimating("7d"), 14),
        (estimating("30d"), 32),
        (estimating("30d", estimates={}), 14),
        (estimating("30d", weight="times"), 14),
    ],
)
def test_panes_are_kept_for_as_long_as_a_changed_configuration_would_learn_from_them(
    configuration: Configuration, days: int | None
) -> None:
    lifetime_ms = needed_ms(configuration.models["loans"].spec, DEFAULT_MS)
    assert (None if lifetime_ms is None else lifetime_ms // DAY_MS) == days


def test_a_lifetime_that_is_stated_is_not_made_longer_but_for_a_model_that_is_behind() -> None:
    store, keep = MemoryStore(), {"store": {"kind": "memory", "keep": {"panes": "3d"}}}
    service = Service.model_validate({"apiVersion": "leeway/v1", "kind": "Service", "spec": keep})
    configuration = replace(judging("7m"), service=service)
    assert lifetimes_now(configuration, store, NOW_MS)["panes"] == Lifetimes(3 * DAY_MS, {"loans": None})
    store.append("checkpoints", checkpoint(NOW_MS), token="now")
    assert lifetimes_now(configuration, store, NOW_MS)["panes"] == Lifetimes(3 * DAY_MS, {"loans": 3 * DAY_MS})
