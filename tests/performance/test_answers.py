"""What the API says of joined events is what scikit-learn says of them."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, brier_score_loss, roc_auc_score

from monitor.clock import ManualClock
from monitor.events import ENDED
from monitor.watch import compile_watch
from tests.api.world import Client, World
from tests.monitor.streams import START_MS, configured, rows
from tests.performance.test_performance import DAY_MS, SPEC, newest, run, stream


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
