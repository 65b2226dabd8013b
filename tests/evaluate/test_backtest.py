"""What would have fired: stored panes under another configuration."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from monitor.config import Configuration
from monitor.errors import InputError
from monitor.evaluate.backtest import Backtest, backtest, span_of
from monitor.watch import compile_watch
from sinks.store import open_store
from sinks.store.contract import Query, Store
from sinks.store.sqlstore import SqlStore
from tests.monitor.streams import (
    DAY_MS,
    DRIFT_MS,
    HOUR_MS,
    SPEC,
    START_MS,
    configured,
    detecting,
    outcome,
    replayed,
    replayed_lines,
    rows,
    troubled,
    written,
)

OTHER = {"type": "numeric", "privacy": {"bucket": [0, 500]}}
FINER = detecting(rules=[], defaults={"window": "3h", "min_samples": 20, "learn_windows": 6})


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store, _ = replayed_lines(tmp_path_factory.mktemp("stored"), troubled(1, days=14))
    return store


def again(store: Store, configuration: Configuration, **given: Any) -> Backtest:
    watch = compile_watch(configuration, "loans")
    skip = given.pop("skip_changed", False)
    return backtest(store, watch, span_of(store, watch, **given), keep=watch.uses, skip_changed=skip)


def texts(found: Iterable[Mapping[str, Any]]) -> list[str]:
    """Rows as text, in an order that all rows of a table have."""
    return sorted(json.dumps(row, sort_keys=True) for row in found)


def scores(done: Backtest) -> list[dict[str, Any]]:
    """The rows of scores of a backtest."""
    return [dict(zip(done.scores, values, strict=True)) for values in zip(*done.scores.values(), strict=True)]


def test_the_configuration_that_ran_gives_the_rows_that_it_gave(stored: Store) -> None:
    done = again(stored, configured())
    assert texts(scores(done)) == texts(rows(stored, "scores"))
    assert texts(transition.to_row() for transition in done.transitions) == texts(rows(stored, "alerts"))
    assert [outcome.which for outcome in done.outcomes] == ["both"]
    assert all(count.before == count.now for count in done.signals.values())


@pytest.mark.parametrize(
    "spec",
    [
        {"detect": detecting(defaults={"window": "6h", "every": "1h", "min_samples": 40, "learn_windows": 6})},
        {"baseline": {"kind": "first_events", "count": 1_000}},
    ],
    ids=["sliding", "first events"],
)
def test_stretches_of_any_length_give_the_rows_of_a_live_evaluation(
    spec: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two partitions, checkpoints and restarts live; a backtest that reads a few windows at a time."""
    configuration = configured(**spec)
    lines = troubled(5, days=9)
    store, _ = replayed(configuration, written(tmp_path, [lines[::2], lines[1::2]]), batch=500, checkpoint_every=900)
    monkeypatch.setattr("monitor.evaluate.read_ahead.CELLS_AT_ONCE", 9_000)
    done = again(store, configuration)
    assert texts(scores(done)) == texts(rows(store, "scores"))
    assert texts(transition.to_row() for transition in done.transitions) == texts(rows(store, "alerts"))


def test_an_embedded_store_gives_what_the_store_in_memory_gives(stored: Store, tmp_path: Path) -> None:
    with closing(open_store("chdb", str(tmp_path / "store"))) as embedded:
        for table in ("panes", "progress", "scores", "alerts"):
            embedded.append(table, stored.read(Query(table)), token=table)
        for configuration in (configured(), configured(detect=FINER)):
            there, here = again(embedded, configuration), again(stored, configuration)
            assert texts(scores(there)) == texts(scores(here))
            assert replace(there, scores=here.scores) == here


def test_added_up_panes_give_the_same_rows_before_and_after_they_are_brought_up_to_date(tmp_path: Path) -> None:
    daily = {"window": "6h", "min_samples": 40, "learn_windows": 6}
    configuration = configured(detect=detecting(pane="30m", defaults=daily))
    store, _ = replayed_lines(tmp_path, troubled(6, days=8), configuration)
    with closing(open_store("chdb", str(tmp_path / "store"))) as embedded:
        for table in ("panes", "progress", "scores", "alerts"):
            embedded.append(table, store.read(Query(table)), token=table)
        for _ in range(2):
            done = again(embedded, configuration)
            assert done.span.table == "panes_1h"
            assert texts(scores(done)) == texts(rows(store, "scores"))
            assert isinstance(embedded, SqlStore)
            embedded.refresh(settle_ms=0)


def test_no_signal_s_scores_need_be_kept_to_know_what_fires(stored: Store) -> None:
    """What only a reader of scores wants is left out then; alerts must not notice."""
    watch = compile_watch(configured(detect=FINER), "loans")
    bare = backtest(stored, watch, span_of(stored, watch))
    whole = again(stored, configured(detect=FINER))
    assert replace(whole, scores=bare.scores) == bare
    assert bare.transitions


def test_the_store_is_only_read(stored: Store) -> None:
    before = outcome(stored)
    again(stored, configured(detect=FINER))
    assert outcome(stored) == before


def test_another_limit_shows_what_would_not_have_fired(stored: Store) -> None:
    blind = [
        {
            "on": "*:*",
            "use": [{"psi": {"min_effect": 99}}, {"chi_squared": {"min_effect": 9}}, {"ks": {"min_effect": 1}}],
        }
    ]
    done = again(stored, configured(detect=detecting(rule="variation", rules=blind)))
    assert [outcome.which for outcome in done.outcomes] == ["only before"]
    assert done.now == []
    assert done.signals["feature:amount"].now == 0 < done.signals["feature:amount"].before


def test_other_windows_find_the_same_drift_as_a_counterpart(stored: Store) -> None:
    done = again(stored, configured(detect=FINER), from_ms=START_MS + 6 * DAY_MS, to_ms=START_MS + 10 * DAY_MS)
    (both,) = [found for found in done.outcomes if found.which == "both"]
    # What begins with a day is told from the level of that day in its second window.
    assert both.now[0].at_ms == DRIFT_MS[0] + 6 * HOUR_MS < both.before[0].at_ms
    assert done.windows == 4 * 8
    assert done.allowed == pytest.approx(4 / 30)


def test_what_fired_before_the_span_is_no_part_of_it(stored: Store) -> None:
    done = again(stored, configured(), from_ms=START_MS + 12 * DAY_MS)
    assert done.outcomes == []
    assert done.fired_within() == 0


def test_learning_starts_as_early_as_the_baseline_needs(stored: Store) -> None:
    alone = detecting(rule="variation", default_rules=False, rules=[{"on": "feature:age", "use": ["psi"]}])
    watch = compile_watch(configured(detect=alone), "loans")
    span = span_of(stored, watch, from_ms=START_MS + 12 * DAY_MS)
    # Five days of baseline, and twice six windows of a quarter of a day.
    assert span.learn_from_ms == START_MS + 4 * DAY_MS
    # The default rule would learn from six weeks, and takes what there is of them.
    watch = compile_watch(configured(), "loans")
    assert span_of(stored, watch, from_ms=START_MS + 12 * DAY_MS).learn_from_ms == START_MS


def test_a_signal_whose_cells_changed_is_refused_by_name(stored: Store) -> None:
    schema = {**SPEC["schema"], "prediction": {"score": {"type": "numeric", "range": [0, 2]}}}
    with pytest.raises(
        InputError, match=r"^prediction:score: its panes of 2024-01-01 00:00 UTC to .* UTC were kept under another"
    ):
        again(stored, configured(schema=schema))
    done = again(stored, configured(schema=schema), skip_changed=True)
    assert done.not_judged["prediction:score"] == "stored panes have another layout"
    # How often a per-event detector fires does not depend on cells.
    assert {row["detector"] for row in scores(done) if row["signal"] == "prediction:score"} == {"change"}


def test_what_is_not_stored_is_named(stored: Store) -> None:
    features = SPEC["schema"]["features"] | {"income": {"type": "numeric"}}
    segments = [{"by": ["country"], "values": ["DE", "ES"]}]
    done = again(stored, configured(schema=SPEC["schema"] | {"features": features}, segments=segments))
    assert done.not_judged == {
        "feature:income": "no panes of this signal are stored",
        "[country=ES]": "no panes of this segment are stored",
    }


def test_segments_that_the_configuration_does_not_have_are_no_part_of_it(stored: Store, tmp_path: Path) -> None:
    """As a replay would have it: they were judged all the same, and had a part of the budget."""
    whole = configured(segments=[])
    done, (alone, _) = again(stored, whole), replayed_lines(tmp_path, troubled(1, days=14), whole)
    assert texts(scores(done)) == texts(rows(alone, "scores"))
    assert done.not_judged == {}


@pytest.mark.parametrize(
    ("changes", "key", "former"),
    [
        ({"where": {"country": "DE"}}, "where", "no condition"),
        ({"allowed_lateness": "2h"}, "allowed_lateness", "1h"),
        ({"event_time": "at"}, "event_time", "ts (ms)"),
    ],
)
def test_what_was_read_otherwise_is_named(
    changes: dict[str, Any], key: str, former: str, stored: Store, tmp_path: Path
) -> None:
    done = again(stored, configured(sources=[{**SPEC["sources"][0], **changes}]))
    why = f"panes hold what was read with {former}: replay the events"
    assert done.not_judged == {f"sources loans {key}": why}


@pytest.mark.parametrize("privacy", ["personal", {"bucket": [0, 400]}])
def test_panes_of_values_that_have_become_others_are_named(privacy: Any, stored: Store, tmp_path: Path) -> None:
    features = SPEC["schema"]["features"]
    schema = {**SPEC["schema"], "features": {**features, "debts": {"type": "numeric", "privacy": privacy}}}
    assert again(stored, configured(schema=schema)).not_judged == {
        "sources loans feature:debts privacy": "panes hold what was read with no privacy: replay the events"
    }
    store, _ = replayed(configured(schema=schema), written(tmp_path, [troubled(1, days=1)[:200]]))
    for other in (configured(), configured(schema={**schema, "features": {**schema["features"], "debts": OTHER}})):
        [(key, why)] = again(store, other).not_judged.items()
        assert key == "sources loans feature:debts privacy"
        assert why.startswith("panes hold what was read with privacy ")


def test_what_was_read_otherwise_for_a_time_is_named_with_that_time(tmp_path: Path) -> None:
    lines, renamed = troubled(1, days=4), {**SPEC["schema"], "version": "release"}
    store, _ = replayed(configured(), written(tmp_path, [lines[:500]]), checkpoint_every=100)
    replayed(configured(schema=renamed), written(tmp_path, [lines]), store)
    assert again(store, configured(schema=renamed)).not_judged == {
        "sources loans schema.version": "panes hold what was read with version: replay the events"
    }
    (since,) = again(store, configured()).not_judged.values()
    assert since.startswith("panes from 2024-01-0")
    assert since.endswith(" UTC on hold what was read with release: replay the events")


def test_other_per_event_detectors_than_those_that_ran_are_named(stored: Store) -> None:
    rules = [{"on": "feature:amount", "use": ["adwin", {"robust_z": {"window": 99}}]}]
    done = again(stored, configured(detect=detecting(rules=rules)))
    assert done.not_judged == {
        "feature:amount adwin": "sees every event, and panes hold none: replay the events",
        "feature:amount robust_z": "sees every event, and panes hold none: replay the events",
    }


def test_windows_finer_than_the_panes_are_refused(stored: Store) -> None:
    fine = detecting(pane="10m", defaults={"window": "30m", "min_samples": 20})
    with pytest.raises(InputError, match=r"detect.defaults.window is 30m, but panes of 1h are stored"):
        again(stored, configured(detect=fine))


def test_a_model_that_is_not_stored_is_refused(stored: Store) -> None:
    watch = compile_watch(configured("cards"), "cards")
    with pytest.raises(InputError, match=r"no panes of model 'cards'; it has loans"):
        span_of(stored, watch)


def test_a_span_without_panes_is_refused(stored: Store) -> None:
    with pytest.raises(InputError, match="leaves nothing"):
        again(stored, configured(), from_ms=START_MS + 90 * DAY_MS)
