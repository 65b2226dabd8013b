"""Ordered lists are read, joined with what was relevant, and judged like any other prediction."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from detectors.performance.ranked_items import MAX_ITEMS
from monitor.clock import ManualClock
from monitor.config import Configuration
from monitor.decoders.json import JsonDecoder
from monitor.decoders.values import MAX_RANKING_BYTES
from monitor.events import Partition
from monitor.performance.per_event import show_errors
from monitor.performance.performance import Performance
from monitor.watch import Watch, compile_watch
from sinks.store.chdb import ChdbStore
from sinks.store.memory import MemoryStore
from tests.api.world import Client, World
from tests.decoders.plans import plan, records
from tests.monitor.streams import START_MS, configured, rows
from tests.performance.test_performance import DAY_MS, DETECT, SPEC, as_bytes, reference, results, run, stream

SHOWN = [["a", "b", "c", "d"], ["d", "a"], ["c", "b", "a"], ["b", "b", "a"], [], ["e"]]
RELEVANT = {True: ["a", "c", "a"], False: {"b": 2, "d": 0.5}}
SCHEMA = {
    **SPEC["schema"],
    "prediction": {"shown": {"type": "ranking"}},
    "labels": {**SPEC["schema"]["labels"], "bad": {"type": "ranking"}},
}
PERFORMANCE = {
    "label": "bad", "weight": "times", "value": "loss", "judge_at": ["30m", "3h"], "k": 2,
    "detectors": ["page_hinkley"], "alarm_on": ["ndcg", "mrr"],
}  # fmt: skip


@pytest.fixture(scope="module")
def configuration() -> Configuration:
    spec = {**SPEC, "schema": SCHEMA, "performance": PERFORMANCE}
    return configured("m", **spec, baseline={"kind": "rolling"}, detect=DETECT)


@pytest.fixture(scope="module")
def watch(configuration: Configuration) -> Watch:
    return compile_watch(configuration, "m")


def ranked(seed: int, count: int = 60) -> dict[Partition, list[bytes]]:
    """A stream of scores and classes as one of rankings; of some events nothing is relevant."""
    return {partition: as_bytes([_ranked(json.loads(line)) for line in lines])
            for partition, lines in stream(seed, count).items()}  # fmt: skip


def _ranked(message: dict[str, Any]) -> dict[str, Any]:
    if "score" in message:
        score = message.pop("score")
        return message | {"shown": None if score is None else SHOWN[int(score * 16) % len(SHOWN)]}
    if message.get("bad") is not None:
        message["bad"] = [] if message["at"] % 5 == 0 else RELEVANT[message["bad"]]
    return message


@settings(max_examples=2, deadline=None)
@given(seed=st.integers(0, 10_000), data=st.data())
def test_whatever_the_cut_and_the_crashes_the_rows_are_those_of_a_slow_reference(
    watch: Watch, seed: int, data: st.DataObject
) -> None:
    messages = ranked(seed)
    parts = data.draw(st.lists(st.tuples(st.sampled_from(sorted(messages)), st.integers(1, 40)), max_size=10))
    crashes = data.draw(st.frozensets(st.integers(0, 10), max_size=2))
    # when
    cut, whole = run(watch, messages, parts, crashes), run(watch, messages)
    # then
    assert results(cut) == results(whole)
    expected = reference(watch, whole)
    stored = {tuple(row[name] for name in ("hour_ms", "age_ms", "version", "segment")): row for row in results(whole)}
    assert stored.keys() == expected.keys()
    for key, row in expected.items():
        assert {name: stored[key][name] for name in row} == row


def test_few_lists_are_held_at_a_time_since_they_are_long(watch: Watch) -> None:
    assert Performance(watch, MemoryStore()).page * 2 * MAX_RANKING_BYTES < 1e9


def test_the_embedded_store_joins_the_same(watch: Watch, tmp_path: Any) -> None:
    store = ChdbStore(tmp_path / "store")
    store.migrate()
    try:
        messages = ranked(3, 20)
        run(watch, messages, [(("truth", 1), 9), (("scores", 0), 5)], frozenset({1}), store)
        assert results(store) == results(run(watch, messages))
    finally:
        store.close()


def test_metrics_that_are_asked_for_equal_those_of_scikit_learn() -> None:
    # given two hundred lists of five of eight items, with grades, and what cannot be compared
    random = np.random.default_rng(5)
    items = [f"item {number}" for number in range(8)]
    orders = [random.permutation(8) for _ in range(200)]
    grades = random.integers(0, 4, (200, 8)) * (random.random((200, 8)) < 0.5)
    events = [
        {"id": f"e{i}", "at": START_MS + i, "shown": [items[at] for at in order[:5]]} for i, order in enumerate(orders)
    ]
    events.append({"id": "mute", "at": START_MS + 300, "shown": None})
    labels: list[dict[str, Any]] = [
        {"id": f"e{i}", "at": START_MS + 1_000 + i, "bad": dict(zip(items, of_event.tolist(), strict=True))}
        for i, of_event in enumerate(grades)
    ]
    labels.append({"id": "mute", "at": START_MS + 10_000_000, "bad": ["item 1"]})
    spec = {**SPEC, "schema": SCHEMA, "performance": {"label": "bad", "k": 3, "detectors": ["page_hinkley"]}}
    configuration = configured("m", **spec, baseline={"kind": "rolling"}, detect=DETECT)
    # when
    watch = compile_watch(configuration, "m")
    store = run(watch, {("scores", 0): as_bytes(events), ("truth", 0): as_bytes(labels)})
    world = World(store=store, clock=ManualClock(START_MS + DAY_MS), configuration=configuration)
    assert watch.judged_plan.signals == ("performance:ndcg", "coverage", "performance:error")
    ndcg, mrr = Client(world).get("/v1/performance?model=m").json()["items"]
    # then
    usable = [i for i in range(200) if grades[i].any()]
    ranks = [np.argsort(orders[i]) for i in usable]
    expected = [ndcg_score([grades[i]], [-rank], k=3) for i, rank in zip(usable, ranks, strict=True)]
    first = [rank[grades[i] > 0].min() for i, rank in zip(usable, ranks, strict=True)]
    assert [ndcg["metric"], mrr["metric"]] == ["ndcg", "mrr"]
    assert ndcg["value"] == pytest.approx(np.mean(expected), abs=1e-12)
    assert mrr["value"] == pytest.approx(np.mean([1 / (1 + rank) if rank < 5 else 0 for rank in first]), abs=1e-12)
    assert ndcg["low"] < ndcg["value"] < ndcg["high"]
    assert (ndcg["labels"], ndcg["unusable"]) == (len(usable), 201 - len(usable))
    # and errors are shown to detectors one by one
    show_errors(store, watch, None)
    findings = rows(store, "performance_findings")
    assert sum(row["n"] for row in findings if not row["segment"]) == len(usable)


LONG = [f"{number}" for number in range(MAX_ITEMS + 1)]


@pytest.mark.parametrize(
    ("said", "shown", "relevant", "reasons"),
    [
        (["b", 7, True, "b"], '["b","7","true","b"]', '{"7":1.0,"b":1.0,"true":1.0}', ["", ""]),
        ([], "[]", "{}", ["", ""]),
        (None, None, None, ["", ""]),
        ({"b": 0.5, "é": True}, None, '{"b":0.5,"é":1.0}', ["wrong_type", ""]),
        ({"b": None}, None, None, ["wrong_type", "wrong_type"]),
        ({"b": -1}, None, None, ["wrong_type", "wrong_type"]),
        ({"b": 1e7}, None, None, ["wrong_type", "wrong_type"]),
        ({"b": float("nan")}, None, None, ["wrong_type", "wrong_type"]),
        ("b", None, None, ["wrong_type", "wrong_type"]),
        (["b", None], None, None, ["wrong_type", "wrong_type"]),
        ([["b"]], None, None, ["wrong_type", "wrong_type"]),
        (["\ud800"], None, None, ["not_unicode", "not_unicode"]),
        (["b" * 257], None, None, ["too_long", "too_long"]),
        (LONG, None, None, ["too_long", "too_long"]),
        (["b" * 250 + str(number) for number in range(100)], None, None, ["too_long", "too_long"]),
    ],
)  # fmt: skip
def test_lists_are_read_whole_or_not_at_all_and_it_is_said_why(
    said: Any, shown: str | None, relevant: str | None, reasons: list[str]
) -> None:
    schema = {"prediction": {"items": "ranking"}, "labels": {"items": {"type": "ranking"}}}
    payload = json.dumps({"items": said}).encode()
    for kind, reason in zip(("event", "labels"), reasons, strict=True):
        decoded = JsonDecoder([plan(schema, kind=kind)]).decode(records([payload, b"{}", payload]))
        batch = decoded.events["m"]
        column = batch.rankings[0] if kind == "event" else batch.category[0]
        read = [name if isinstance(name, str) else None for name in column.tolist()]
        text = shown if kind == "event" else relevant
        assert read == [text, None, text]
        signal = f"{'prediction' if kind == 'event' else 'label'}:items"
        expected = [(offset, reason, signal) for offset in (0, 2) if reason]
        assert [(each.offset, each.reason, each.field) for _, each in decoded.problems] == expected
        assert not batch.numeric.size


def test_a_ranking_beside_other_predictions_makes_no_model_learn_anew() -> None:
    score, shown = {"score": {"type": "numeric"}}, {"shown": {"type": "ranking"}}
    watches = [
        compile_watch(configured("m", **{**SPEC, "schema": {**SCHEMA, "prediction": prediction}, **performance}), "m")
        for prediction, performance in (
            (score, {"performance": {"label": "loss"}}),
            (score | shown, {"performance": {"prediction": "shown", "label": "bad"}}),
        )
    ]
    without, beside = [(each.config_hash, each.fold_hash, list(each.layouts)) for each in watches]
    assert without == beside
