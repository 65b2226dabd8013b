"""What the API says of joined events is what scikit-learn says of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import accuracy_score, brier_score_loss, mean_pinball_loss, roc_auc_score

from monitor.clock import ManualClock
from monitor.events import ENDED
from monitor.watch import compile_watch
from tests.api.world import Client, World
from tests.monitor.streams import START_MS, configured, rows
from tests.performance.test_performance import DAY_MS, SPEC, as_bytes, newest, run, stream


def test_quantiles_and_intervals_are_those_of_the_events_own_fields() -> None:
    numbers = {name: {"type": "numeric"} for name in ("load", "upper")}
    spec: dict[str, Any] = {
        "sources": [
            {"kafka": "scores", "event_time": {"path": "at", "unit": "ms"}},
            {"kafka": "truth", "kind": "labels", "event_time": {"path": "at", "unit": "ms"}},
        ],
        "schema": {
            "id": "id",
            "features": {"lower": {"type": "numeric"}},
            "prediction": numbers,
            "labels": {"true": {"type": "numeric"}},
        },
        "performance": {"prediction": "load", "quantile": 0.8, "interval": {"low": "lower", "high": "upper"}},
    }
    random = np.random.default_rng(4)
    load, true = random.normal(10, 2, (2, 300))
    lower, upper = load - random.exponential(2, 300), load + random.exponential(2, 300)
    events = [
        {"id": f"e{i}", "at": START_MS + i, "load": load[i], "lower": lower[i] if i % 10 else None, "upper": upper[i]}
        for i in range(300)
    ]
    labels = [{"id": f"e{i}", "at": START_MS + 1_000 + i, "true": true[i]} for i in range(300)]
    configuration = configured("m", **spec, segments=[], baseline={"kind": "rolling"})
    store = run(compile_watch(configuration, "m"), {("scores", 0): as_bytes(events), ("truth", 0): as_bytes(labels)})
    world = World(store=store, clock=ManualClock(START_MS + DAY_MS), configuration=configuration)
    query = "metric=pinball&metric=interval_coverage&metric=interval_width"
    pinball, coverage, width = Client(world).get(f"/v1/performance?model=m&{query}").json()["items"]

    assert pinball["value"] == pytest.approx(mean_pinball_loss(true, load, alpha=0.8), abs=1e-12)
    has_interval = np.arange(300) % 10 != 0
    held = ((lower <= true) & (true <= upper))[has_interval]
    assert coverage["value"] == pytest.approx(held.mean(), abs=1e-12)
    expected = stats.binomtest(int(held.sum()), len(held)).proportion_ci(method="wilson")
    assert (coverage["low"], coverage["high"]) == pytest.approx((expected.low, expected.high), abs=1e-9)
    assert width["value"] == pytest.approx((upper - lower)[has_interval].mean(), abs=1e-12)


def test_metrics_that_are_asked_for_equal_those_of_scikit_learn() -> None:
    configuration = configured("m", **SPEC, baseline={"kind": "rolling"}, detect={"pane": "10s"})
    store = run(compile_watch(configuration, "m"), stream(3))
    world = World(store=store, clock=ManualClock(START_MS + DAY_MS), configuration=configuration)
    query = "metric=accuracy&metric=roc_auc&metric=skill:rule"
    *answer, skill = Client(world).get(f"/v1/performance?model=m&{query}").json()["items"]

    labels = rows(store, "labels")
    joined = []
    for event in rows(store, "predicted"):
        of_event = [label for label in labels if label["id_digest"] == event["id_digest"]]
        bad, times = (
            newest([row for row in of_event if row["signal"] == f"label:{name}"], ENDED) for name in ("bad", "times")
        )
        if bad and times and 0 <= event["value"] <= 1:
            joined.append((event["value"], bad["label"] == "true", times["value"], event["naive_value"]))
    score, true, weight, rule = map(np.array, zip(*joined, strict=True))

    assert {row["labels"] for row in answer} == {len(joined)}
    expected = {
        "accuracy": accuracy_score(true, score >= 0.5, sample_weight=weight),
        "roc_auc": roc_auc_score(true, score, sample_weight=weight),
    }
    for row in answer:
        assert row["value"] == pytest.approx(expected[row["metric"]], abs=1e-12)

    # Of an event the rule says nothing, or what is no probability.
    answered = (rule >= 0) & (rule <= 1)
    losses = [brier_score_loss(true[answered], of[answered], sample_weight=weight[answered]) for of in (score, rule)]
    assert 0 < skill["labels"] == answered.sum() < len(joined)
    assert [skill["model_loss"], skill["baseline_loss"]] == pytest.approx(losses, abs=1e-12)
    assert skill["reason"].startswith(f"of {len(joined) - skill['labels']} labels it says nothing")
