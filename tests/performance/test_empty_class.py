"""The empty text is a class like any other, and a prediction or label that is missing is none."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, precision_score, recall_score

from monitor.clock import ManualClock
from monitor.config import Configuration
from monitor.performance.per_event import show_errors
from monitor.watch import Watch, compile_watch
from sinks.store.chdb import ChdbStore
from sinks.store.contract import Store
from sinks.store.memory import MemoryStore
from tests.api.world import Client, World
from tests.monitor.streams import START_MS, configured, rows
from tests.performance.test_performance import DAY_MS, as_bytes, run

EVENTS = 400
SHOWN = 360
"""Those of whole hours, which detectors of errors are shown."""

NAMES = ["", "spam", "scam"]
NUMERIC, CATEGORY = {"type": "numeric"}, {"type": "category"}
ASKED = {"model": "m", "from_": START_MS, "to": START_MS + DAY_MS}
Names = list[str | None]


def configuration_of(prediction: dict[str, Any], **performance: Any) -> Configuration:
    detectors = [{"page_hinkley": {"min_instances": 3, "threshold": 1.5, "mean": 0.3, "sd": 0.45, "scores": "plain"}}]
    spec: dict[str, Any] = {
        "sources": [
            {"kafka": "scores", "event_time": {"path": "at", "unit": "ms"}},
            {"kafka": "truth", "kind": "labels", "event_time": {"path": "at", "unit": "ms"}},
        ],
        "schema": {
            "id": "id",
            "features": {"rule": CATEGORY},
            "prediction": {"says": prediction},
            "labels": {"is": CATEGORY},
        },
        "performance": {
            "judge_at": ["1h"], "detectors": detectors, "baselines": {"rule": {"kind": "field", "field": "rule"}},
            **performance,
        },
        "keep": {"events": "100%"},
    }  # fmt: skip
    return configured("m", **spec, segments=[], baseline={"kind": "rolling"}, detect={"pane": "10s"})


def stored(watch: Watch, says: list[Any], true: Names, rule: Names, store: Store | None = None) -> Store:
    """A day of events; a label of None is taken back, a prediction of None is missing."""
    at = [START_MS + number * 60_000 for number in range(len(says))]
    events = [
        {"id": f"e{n}", "at": at[n], "says": each, "rule": rule[n]} for n, each in enumerate(says)
    ]  # fmt: skip
    labels = [{"id": f"e{n}", "at": at[n] + 1_000, "is": each} for n, each in enumerate(true)]
    stored = run(watch, {("scores", 0): as_bytes(events), ("truth", 0): as_bytes(labels)}, store=store)
    show_errors(stored, watch, None)
    return stored


def answer_of(store: Store, configuration: Configuration, metrics: list[str]) -> tuple[Client, dict[str, Any]]:
    client = Client(World(store=store, clock=ManualClock(START_MS + DAY_MS), configuration=configuration))
    query = "&".join(f"metric={metric}" for metric in metrics)
    document = client.get(f"/v1/performance?model=m&from={START_MS}&to={START_MS + DAY_MS}&{query}").json()
    items = document.get("items") or pytest.fail(str(document))
    return client, {row["metric"]: row for row in items}


def drawn(seed: int, chances: list[float]) -> Names:
    names: Names = np.random.default_rng(seed).choice(NAMES, EVENTS, p=chances).tolist()
    return names


def test_a_negative_class_without_a_name_is_counted_as_scikit_learn_does() -> None:
    # given a rule that says the classes themselves, and a few labels that are taken back
    configuration = configuration_of(NUMERIC, positive="spam", label="is")
    truth, rule = drawn(1, [0.8, 0.2, 0.0]), drawn(2, [0.7, 0.3, 0.0])
    random = np.random.default_rng(3)
    score = np.clip(np.where([name == "spam" for name in truth], 0.7, 0.3) + random.normal(0, 0.2, EVENTS), 0, 1)
    labels = [None if number % 40 == 0 else name for number, name in enumerate(truth)]
    # when
    store = stored(compile_watch(configuration, "m"), score.tolist(), labels, rule)
    client, answer = answer_of(store, configuration, ["accuracy", "precision", "recall", "skill:rule"])
    # then
    is_labelled = np.array([name is not None for name in labels])
    true = np.array([name == "spam" for name in truth])[is_labelled]
    said, ruled = (score >= 0.5)[is_labelled], np.array([name == "spam" for name in rule])[is_labelled]
    for metric, of in (("accuracy", accuracy_score), ("precision", precision_score), ("recall", recall_score)):
        assert answer[metric]["value"] == pytest.approx(of(true, said), abs=1e-12)
        assert (answer[metric]["labels"], answer[metric]["unusable"]) == (len(true), 0)
    assert answer["skill:rule"]["baseline_loss"] == pytest.approx(np.mean(true != ruled), abs=1e-12)
    # and slices and the detectors of errors see the same events
    tn, fp, fn, tp = confusion_matrix(true, said).ravel()
    assert sliced(client, "tp", "tn") == (tp, tn)
    assert sliced(client, "fp", "fn") == (fp, fn)
    assert sum(row["n"] for row in rows(store, "performance_findings", segment="")) == is_labelled[:SHOWN].sum()


def test_of_several_classes_one_has_no_name_on_either_side(tmp_path: Path) -> None:
    # given predictions of which a few are missing
    configuration = configuration_of(CATEGORY)
    truth, rule = drawn(1, [0.5, 0.3, 0.2]), drawn(2, [0.6, 0.4, 0.0])
    others = drawn(4, [0.4, 0.3, 0.3])
    says = [name if number % 3 else others[number] for number, name in enumerate(truth)]
    missing: Names = [None if number % 50 == 0 else name for number, name in enumerate(says)]
    engine = ChdbStore(tmp_path / "store")
    engine.migrate()
    # when
    watch = compile_watch(configuration, "m")
    in_memory, embedded = (stored(watch, missing, truth, rule, store) for store in (MemoryStore(), engine))
    metrics = ["accuracy", "f_beta", "confusion", "skill:rule"]
    client, answer = answer_of(in_memory, configuration, metrics)
    # then
    is_said = np.array([name is not None for name in missing])
    true, said, ruled = (np.array(names)[is_said] for names in (truth, says, rule))
    assert answer["accuracy"]["value"] == pytest.approx(accuracy_score(true, said), abs=1e-12)
    assert answer["f_beta"]["value"] == pytest.approx(f1_score(true, said, average="macro"), abs=1e-12)
    assert (answer["accuracy"]["labels"], answer["accuracy"]["unusable"]) == (len(true), EVENTS - len(true))
    cells = {(cell["true"], cell["predicted"]): cell["weight"] for cell in answer["confusion"]["detail"]}
    table = [[cells.get((row, column), 0) for column in NAMES] for row in NAMES]
    assert table == confusion_matrix(true, said, labels=NAMES).tolist()
    assert answer["skill:rule"]["baseline_loss"] == pytest.approx(np.mean(true != ruled), abs=1e-12)
    # and of predicted classes it is known how many have labels
    (coverage,) = client.items("/v1/labels", **ASKED)
    assert {row["name"]: row["predictions"] for row in coverage["classes"]} == dict(Counter(said.tolist()))
    # and slices and the detectors of errors see the same events
    wrong = int((true != said).sum())
    assert sliced(client, "wrong", "right") == (wrong, len(true) - wrong)
    assert sliced(client, "label=", "all") == (int((true == "").sum()), len(true))
    named = {row["predicted_name"] for row in client.items("/v1/rows", **ASKED, slice="all", limit=200)}
    assert named == set(NAMES)
    assert sum(row["n"] for row in rows(in_memory, "performance_findings", segment="")) == is_said[:SHOWN].sum()
    assert answer_of(embedded, configuration, metrics)[1] == answer
    engine.close()


def sliced(client: Client, slice: str, against: str) -> tuple[int, int]:
    document = client.get("/v1/slices", **ASKED, slice=slice, against=against).json()
    assert "current" in document, document
    return document["current"]["events"], document["baseline"]["events"]
