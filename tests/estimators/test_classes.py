"""Where a model says how probable each of several classes is, that says how often it is right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from monitor.config import load
from monitor.config.model import Model
from monitor.errors import InputError
from monitor.estimators.artefact import Artefact, read_artefact, write_artefact
from monitor.estimators.estimator import Estimator
from monitor.estimators.fitness import misfit
from monitor.estimators.fitting import fit
from monitor.panes.distributions import Part
from monitor.replay import Replay
from monitor.slices.fitting import stored_events
from monitor.sources.files import FileSource
from monitor.watch import watch_of
from sinks.store.contract import Query
from sinks.store.memory import MemoryStore
from tests.estimators.classes import CLASSES, PROBABILITIES, ClassStream, class_configured, class_model
from tests.estimators.streams import EVERY_MS, START_MS
from tests.estimators.test_fitting import fitted, spec_of

FILE = "loans.cbpe.json"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with labelled events."""
    folder = tmp_path_factory.mktemp("classes")
    ClassStream(1).write(folder / "labelled.jsonl")
    return folder


@pytest.fixture(scope="module")
def cbpe(folder: Path) -> Artefact:
    return fitted("cbpe", folder / "labelled.jsonl", class_model())


def estimates(artefact: Artefact, stream: ClassStream) -> np.ndarray[Any, Any]:
    inputs = np.column_stack((stream.scores, stream.predicted))
    return Estimator("estimated:accuracy", artefact).of_numbers(inputs)


def test_harder_events_are_estimated_as_hard_as_they_are(cbpe: Artefact) -> None:
    for clear in (2.0, 0.7):
        stream = ClassStream(2, count=5_000, clear=clear)
        assert estimates(cbpe, stream).mean() == pytest.approx(stream.right.mean(), abs=0.02)
        # The model is surer than it may be.
        assert stream.scores.max(axis=1).mean() > stream.right.mean() + 0.06
    assert ClassStream(2, count=5_000, clear=0.7).right.mean() < ClassStream(2, count=5_000).right.mean() - 0.1
    assert cbpe.fidelity.error == pytest.approx(cbpe.fidelity.chance_error, rel=0.6)
    # Of every hundred events one lacks a probability, and one says a class that has none.
    assert cbpe.fitted.events == 1_960


def test_estimates_are_a_signal_and_the_same_whatever_the_batch(cbpe: Artefact, tmp_path: Path) -> None:
    write_artefact(tmp_path / FILE, cbpe)
    configuration = class_configured(tmp_path, estimates={"accuracy": {"uri": FILE}})
    stream = ClassStream(3, count=1_500)
    (tmp_path / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in stream.events()))
    panes = []
    for batch in (1_000, 97):
        store = MemoryStore()
        source = FileSource({"loans": [tmp_path / "events.jsonl"], "outcomes": []})
        Replay(configuration, store, source).run(batch)
        columns = store.read(Query("panes", {"model": "loans", "signal": "estimated:accuracy"}))
        panes.append(columns)
    assert repr(panes[0]) == repr(panes[1])
    # One event in fifty has none.
    assert (sum(panes[0]["n"]), sum(panes[0]["missing"])) == (1_470, 30)


def test_stored_events_give_what_a_file_of_them_gives(tmp_path: Path) -> None:
    stream = ClassStream(6, count=400)
    document = class_model()
    document["spec"]["keep"] = {"events": 1.0}
    class_configured(tmp_path)
    (tmp_path / "loans.yaml").write_text(json.dumps(document))
    labels = [{"id": f"e{i}", "ts": START_MS + i * EVERY_MS, "outcome": CLASSES[k]} for i, k in enumerate(stream.truth)]
    for name, lines in (("events", stream.events()), ("outcomes", labels)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    store, configuration = MemoryStore(), load(tmp_path / "leeway.yaml")
    topics = {"loans": [tmp_path / "events.jsonl"], "outcomes": [tmp_path / "outcomes.jsonl"]}
    Replay(configuration, store, FileSource(topics)).run()

    part, watch = Part(START_MS, START_MS + 400 * EVERY_MS), watch_of(Model.model_validate(document), None)
    artefact = fit("cbpe", stored_events(store, watch, part, "cbpe"), watch.judged_plan, "loans")
    of_file = fitted("cbpe", stream.write(tmp_path / "labelled.jsonl"), class_model())
    assert msgspec.structs.replace(artefact, fitted=of_file.fitted) == of_file
    assert artefact.fitted.events == of_file.fitted.events == 392
    with pytest.raises(InputError, match=r"cbpe looks at the probabilities of classes.*`spec.keep.events`"):
        stored_events(store, watch_of(Model.model_validate(class_model()), None), part, "cbpe")


def test_a_file_gives_back_what_was_fitted_and_is_refused_where_it_is_damaged(tmp_path: Path, cbpe: Artefact) -> None:
    document, path = msgspec.to_builtins(cbpe), tmp_path / FILE

    def reread(**change: Any) -> Artefact:
        path.write_bytes(msgspec.json.encode({**document, **change}))
        return read_artefact(path)

    stream = ClassStream(4, count=200)
    assert estimates(reread(), stream).tolist() == estimates(cbpe, stream).tolist()
    *probabilities, predicted = document["inputs"]
    changes: tuple[dict[str, Any], ...] = (
        {"calibrations": document["calibrations"][:2]},
        {"calibrations": []},
        {"inputs": []},
        {"inputs": probabilities},
        {"inputs": [*probabilities, {**predicted, "numbers": {"cat": 0.0, "dog": 1.0, "7": 9.0}}]},
        {"kind": "mpp"},
        {"calibrations": [{"scores": [1.0, 0.0], "probabilities": [0.0, 1.0]}] * 3},
    )
    for change in changes:
        with pytest.raises(InputError, match="no fitted estimator"):
            reread(**change)


def test_an_estimator_for_other_probabilities_is_no_fit(cbpe: Artefact) -> None:
    assert misfit(cbpe, spec_of(class_model())) == ""
    assert misfit(cbpe, spec_of(class_model(probabilities=dict(reversed(PROBABILITIES.items()))))) == ""
    swapped = {"cat": "p_dog", "dog": "p_cat", "7": "p_7"}
    for others in (swapped, {}, {"cat": "p_cat", "dog": "p_dog"}):
        assert "other probabilities of classes" in misfit(cbpe, spec_of(class_model(probabilities=others)))
    document = class_model()
    document["spec"]["sources"][0]["kind"] = "prediction"
    assert misfit(cbpe, spec_of(document)) == ""


def test_what_cannot_be_fitted_is_refused(folder: Path, tmp_path: Path) -> None:
    def refusal(path: Path, document: dict[str, Any]) -> str:
        with pytest.raises(InputError) as refused:
            fitted("cbpe", path, document)
        return str(refused.value)

    labelled = folder / "labelled.jsonl"
    assert "name them in `performance.probabilities`" in refusal(labelled, class_model(probabilities={}))
    assert "labels say a class that has no probability ('7'): add it" in refusal(
        labelled, class_model(probabilities={"cat": "p_cat", "dog": "p_dog"})
    )
    few = ClassStream(5, count=200).write(tmp_path / "few.jsonl")
    assert "196 events have all probabilities, a prediction and a label, and 300" in refusal(few, class_model())
    lines = [json.loads(line) for line in labelled.read_text().splitlines()]
    without = tmp_path / "without.jsonl"
    without.write_text("".join(json.dumps({k: v for k, v in line.items() if k != "p_7"}) + "\n" for line in lines))
    assert "prediction:p_7 is no column of the file" in refusal(without, class_model())
