"""Estimators say how often predictions are right, of events whose labels they have not seen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from monitor.config.model import Model
from monitor.dataset import read_dataset
from monitor.errors import InputError
from monitor.estimators.artefact import Artefact, Kind, read_artefact, write_artefact
from monitor.estimators.estimator import Estimator, EstimatorColumns
from monitor.estimators.fitness import misfit
from monitor.estimators.fitting import fit
from monitor.estimators.labelled import LabelledEvents, labelled_events
from tests.estimators.streams import Stream, model


def spec_of(document: dict[str, Any]) -> Any:
    return Model.model_validate(document).spec


def read(path: Path, document: dict[str, Any]) -> LabelledEvents:
    spec = spec_of(document)
    dataset = read_dataset(path, spec.schema_.label_paths() | spec.schema_.paths())
    return labelled_events(dataset, spec.schema_, spec.performance_plan)


def model_of_numbers() -> dict[str, Any]:
    """A model that says how many days something takes."""
    document = model()
    document["spec"]["schema"] |= {"prediction": {"days": {"type": "numeric"}}, "labels": {"took": {"type": "numeric"}}}
    document["spec"]["performance"] = {}
    return document


def fitted(kind: Kind, path: Path, document: dict[str, Any] | None = None) -> Artefact:
    document = document or model()
    return fit(kind, read(path, document), spec_of(document).performance_plan, "loans")


def inputs(artefact: Artefact, stream: Stream) -> np.ndarray[Any, Any]:
    if artefact.kind == "cbpe":
        return stream.score[:, None]
    kinds = artefact.inputs[-1].numbers
    assert kinds is not None
    of_kinds = np.where(stream.is_hard, kinds["hard"], kinds.get("easy", np.nan))
    return np.column_stack((np.where(stream.missing, np.nan, stream.amount), stream.score, of_kinds))


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Stream(1).write(tmp_path_factory.mktemp("labelled") / "events.parquet")


@pytest.fixture(scope="module")
def mpp(labelled: Path) -> Artefact:
    return fitted("mpp", labelled)


@pytest.fixture(scope="module")
def cbpe(labelled: Path) -> Artefact:
    return fitted("cbpe", labelled)


def test_estimates_of_the_same_traffic_are_near_what_turns_out_to_be_true(mpp: Artefact, cbpe: Artefact) -> None:
    stream = Stream(2)
    for artefact in (mpp, cbpe):
        estimate = Estimator("estimated:accuracy", artefact).of_numbers(inputs(artefact, stream)).mean()
        assert estimate == pytest.approx(stream.right.mean(), abs=0.03)


def test_a_secondary_model_sees_hard_events_come_and_a_calibrated_score_does_not(mpp: Artefact, cbpe: Artefact) -> None:
    stream = Stream(3, hard=0.8)
    realised = stream.right.mean()
    by_kind = Estimator("estimated:accuracy", mpp).of_numbers(inputs(mpp, stream)).mean()
    by_score = Estimator("estimated:accuracy", cbpe).of_numbers(inputs(cbpe, stream)).mean()
    assert by_score > realised + 0.1
    assert abs(by_kind - realised) < (by_score - realised) / 2


def test_fidelity_is_of_events_that_were_not_fitted_on_and_beats_a_constant(mpp: Artefact) -> None:
    fidelity = mpp.fidelity
    assert (fidelity.chunks, fidelity.chunk_events) == (20, 150)
    assert fidelity.error < fidelity.constant_error
    assert fidelity.error == pytest.approx(fidelity.chance_error, rel=0.6)


def test_an_estimator_of_noise_says_the_mean(tmp_path: Path) -> None:
    artefact = fitted("mpp", Stream(4, hard=1.0).write(tmp_path / "noise.parquet"))
    estimates = Estimator("estimated:accuracy", artefact).of_numbers(inputs(artefact, Stream(5, hard=1.0)))
    assert estimates.mean() == pytest.approx(0.5, abs=0.03)
    assert artefact.fidelity.error < 1.2 * artefact.fidelity.constant_error


def test_how_far_numbers_are_off_is_estimated_by_what_it_depends_on(tmp_path: Path) -> None:
    document = model_of_numbers()
    random = np.random.default_rng(6)
    kinds = random.random(2_000) < 0.5
    took = random.normal(0, np.where(kinds, 4.0, 1.0))
    columns = {"kind": np.where(kinds, "hard", "easy").tolist(), "days": [0.0] * 2_000, "took": took.tolist()}
    path = tmp_path / "numbers.jsonl"
    path.write_text(
        "".join(json.dumps(dict(zip(columns, row, strict=True))) + "\n" for row in zip(*columns.values(), strict=True))
    )
    artefact = fitted("dle", path, document)
    assert artefact.fitted.left_out == {"feature:amount": "no column of the file"}
    numbers = artefact.inputs[-1].numbers
    assert numbers is not None
    estimates = Estimator("estimated:mae", artefact).of_numbers(
        np.array([[0.0, numbers["hard"]], [0.0, numbers["easy"]]])
    )
    # The mean size of a normal deviation.
    assert estimates == pytest.approx(np.sqrt(2 / np.pi) * np.array([4.0, 1.0]), rel=0.15)


@pytest.mark.parametrize(("slope", "fewest", "most"), [(0.0, 1, 20), (10.0, 30, 100)])
def test_boosting_goes_on_while_it_is_nearer_to_events_that_it_was_not_fitted_on(
    slope: float, fewest: int, most: int
) -> None:
    random = np.random.default_rng(8)
    amounts = random.random(2_000)
    outcome = np.abs(random.normal(size=2_000)) + slope * np.sin(20 * amounts) ** 2
    events = LabelledEvents("drawn", outcome, {"feature:amount": amounts, "prediction:days": np.zeros(2_000)}, {})
    artefact = fit("dle", events, spec_of(model_of_numbers()).performance_plan, "loans")
    assert artefact.trees is not None
    assert fewest <= len(artefact.trees["roots"]) <= most
    assert artefact.fidelity.error <= 1.1 * artefact.fidelity.constant_error


def test_a_file_gives_back_what_was_fitted(tmp_path: Path, mpp: Artefact) -> None:
    write_artefact(tmp_path / "loans.json", mpp)
    again = read_artefact(tmp_path / "loans.json")
    assert again.digest == mpp.digest
    stream = Stream(7)
    estimates = [Estimator("estimated:accuracy", each).of_numbers(inputs(mpp, stream)) for each in (mpp, again)]
    assert estimates[0].tolist() == estimates[1].tolist()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "fit it again"),
        ({"kind": "nml"}, "kind"),
        ({"trees": None}, "needs trees"),
        ({"calibration": None}, "calibration"),
        ({"calibration": {"scores": [1.0, 0.0], "probabilities": [0.0, 1.0]}}, "ascend"),
        ({"calibration": {"scores": [0.0, 1.0], "probabilities": [0.0, 1.5]}}, "between 0 and 1"),
        ({"calibration": {"scores": [], "probabilities": []}}, "ascend"),
        ({"spread": []}, "spread"),
        ({"surprise": 1}, "surprise"),
        ({"inputs": []}, "over its inputs"),
    ],
    ids=lambda case: case if isinstance(case, str) else next(iter(case)),
)
def test_a_file_that_is_no_estimator_is_refused(
    tmp_path: Path, mpp: Artefact, change: dict[str, Any], message: str
) -> None:
    path = tmp_path / "loans.json"
    path.write_bytes(msgspec.json.encode({**msgspec.to_builtins(mpp), **change}))
    with pytest.raises(InputError, match=message) as refused:
        read_artefact(path)
    assert str(path) in str(refused.value)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        read_artefact(tmp_path / "none.json")
    (tmp_path / "half.json").write_text('{"format": 1,')
    (tmp_path / "deep.json").write_text('{"format": 1, "trees": {"roots": ' + "[" * 100_000 + "]" * 100_000 + "}}")
    for name in ("half.json", "deep.json"):
        with pytest.raises(InputError, match="no fitted estimator"):
            read_artefact(tmp_path / name)


@pytest.mark.parametrize(
    ("kind", "stream", "message"),
    [
        ("dle", Stream(8), "dle is for numbers"),
        ("mpp", Stream(8, count=100), "300 are needed"),
        ("mpp", Stream(8, count=400, hard=0.0), "right and wrong"),
    ],
    ids=["kind", "few", "always right"],
)
def test_what_cannot_be_fitted_is_refused(tmp_path: Path, kind: Kind, stream: Stream, message: str) -> None:
    if message == "right and wrong":
        stream.is_positive = stream.score >= 0.5
    with pytest.raises(InputError, match=message):
        fitted(kind, stream.write(tmp_path / "events.parquet"))


def test_private_fields_are_in_no_file(tmp_path: Path, labelled: Path) -> None:
    document = model()
    document["spec"]["schema"]["features"]["kind"]["privacy"] = "drop"
    artefact = fitted("mpp", labelled, document)
    assert artefact.fitted.left_out == {"feature:kind": "private"}
    write_artefact(tmp_path / "loans.json", artefact)
    assert b"hard" not in (tmp_path / "loans.json").read_bytes()


def test_an_estimator_of_another_model_is_no_fit(mpp: Artefact, cbpe: Artefact) -> None:
    assert misfit(mpp, spec_of(model())) == misfit(cbpe, spec_of(model())) == ""
    document = model()
    document["spec"]["schema"]["labels"] = {"late": {"type": "category", "path": "outcome"}}
    for artefact in (mpp, cbpe):
        assert "threshold 0.5, and that is 0.4 now" in misfit(artefact, spec_of(model(threshold=0.4)))
        assert "class yes, and that is no now" in misfit(artefact, spec_of(model(positive="no")))
        assert "label label:defaulted, and that is label:late now" in misfit(artefact, spec_of(document))
    document = model()
    del document["spec"]["schema"]["features"]["amount"]
    assert "feature:amount, which was numeric and is not in the schema" in misfit(mpp, spec_of(document))
    document["spec"]["sources"][0]["kind"] = "prediction"
    assert misfit(cbpe, spec_of(document)) == ""
    assert "only cbpe" in misfit(mpp, spec_of(document))


def test_a_file_without_labels_says_which_column_it_lacks(tmp_path: Path) -> None:
    file = tmp_path / "unlabelled.jsonl"
    file.write_text('{"score": 0.5}\n')
    with pytest.raises(InputError, match="no column 'outcome'; it has score"):
        read(file, model())


def test_what_is_no_probability_is_not_estimated_and_not_fitted_on(tmp_path: Path, cbpe: Artefact) -> None:
    estimates = Estimator("estimated:accuracy", cbpe).of_numbers(np.array([[-0.1], [1.1], [0.5]]))
    assert np.isnan(estimates).tolist() == [True, True, False]
    stream = Stream(9, count=400)
    stream.score[:10] = 3.0
    assert len(read(stream.write(tmp_path / "labelled.parquet"), model())) == 390


def test_events_without_estimators_stay_as_they_are() -> None:
    events: Any = object()
    assert EstimatorColumns([], ["feature:x"], []).added(events) is events
