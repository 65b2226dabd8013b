"""What every scorer in the table keeps to; nothing here names one of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from detectors.anomaly import SCORERS, AnomalyBank, UnknownScorerError, find
from detectors.bank import SnapshotError
from detectors.contract import SCORER_FIELDS, Parameter, ParameterError, Scorer
from detectors.drift import DETECTORS
from detectors.kernel import MAX_ABS
from tests.detectors import streams
from tests.detectors.scorer_trials import SCORER_TRIALS

TRIED = [
    pytest.param(SCORERS[name], params, id=f"{name}-{i}")
    for name, trial in SCORER_TRIALS.items()
    for i, params in enumerate(trial.settings)
]
every_scorer = pytest.mark.parametrize("scorer", list(SCORERS.values()), ids=list(SCORERS))
every_parameter = pytest.mark.parametrize(
    ("scorer", "parameter"),
    [pytest.param(s, p, id=f"{s.name}-{p.name}") for s in SCORERS.values() for p in s.parameters],
)
every_setting = pytest.mark.parametrize(("scorer", "params"), TRIED)


def bank_of(scorer: Scorer, params: dict[str, Any] | None = None, series: int = 1) -> AnomalyBank:
    return AnomalyBank(scorer, params, series, SCORER_TRIALS[scorer.name].dimension)


def quick(scorer: Scorer, series: int = 1) -> AnomalyBank:
    """A bank that is soon ready and soon forgets, so that all of it is tried."""
    return bank_of(scorer, SCORER_TRIALS[scorer.name].quick | {"history": 200, "false_alarm_rate": 0.02}, series)


def noise(scorer: Scorer, seed: int, n: int) -> streams.Stream:
    """Independent normal numbers, float64 [n, d]."""
    return np.random.default_rng(seed).normal(0.0, 1.0, (n, SCORER_TRIALS[scorer.name].dimension))


def zeros(n: int) -> NDArray[np.int64]:
    return np.zeros(n, dtype=np.int64)


def content(bank: AnomalyBank) -> list[bytes]:
    snapshot = bank.snapshot()
    return [snapshot[part][array].tobytes() for part in ("scorer", "levels") for array in ("state", "memory")]


@every_scorer
def test_it_is_described(scorer: Scorer) -> None:
    assert SCORERS[scorer.name] is scorer
    assert find(scorer.name) is scorer
    assert scorer.name not in DETECTORS, "a rule could not tell which of the two it means"
    assert all((scorer.summary, scorer.statistic, scorer.reference, scorer.use_when))
    for parameter in scorer.parameters:
        assert parameter.meaning.endswith("."), parameter.name
        assert bool(parameter.choices) == (parameter.kind == "choice")


def test_a_scorer_that_is_not_there_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(UnknownScorerError, match="did you mean 'robust_z'"):
        find("robustz")


@every_scorer
def test_its_state_has_only_fields_of_8_bytes(scorer: Scorer) -> None:
    assert scorer.dtype.names is not None
    assert scorer.dtype.names[:2] == tuple(name for name, _ in SCORER_FIELDS)
    assert scorer.dtype.itemsize == 8 * len(scorer.dtype.names)


@every_scorer
def test_only_a_scorer_of_vectors_takes_several_numbers(scorer: Scorer) -> None:
    with pytest.raises(ValueError, match=f"^{scorer.name}: an observation has"):
        AnomalyBank(scorer, dimension=0)
    if scorer.vectors:
        assert SCORER_TRIALS[scorer.name].dimension > 1
        AnomalyBank(scorer, dimension=1, series=1).update([0], [1.0])
    else:
        with pytest.raises(ValueError, match=f"^{scorer.name}: an observation has 1 numbers, not 2"):
            AnomalyBank(scorer, dimension=2)


@every_setting
def test_it_equals_its_naive_twin(scorer: Scorer, params: dict[str, Any]) -> None:
    trial = SCORER_TRIALS[scorer.name]
    shapes = list(streams.adversarial(trial.length).items())
    shapes += [(f"random {i}", x) for i, x in enumerate(streams.random(25, trial.length))]
    varying = 0
    for name, shape in shapes:
        x = streams.vectors(shape, trial.dimension)
        twin = trial.twin(**scorer.values(params))
        expected = np.array([twin.update(list(row)) for row in x.tolist()])
        actual = bank_of(scorer, params).update(zeros(len(x)), x).score
        assert_allclose(actual, expected, rtol=1e-6, atol=trial.rounding, err_msg=name)
        varying += len(np.unique(actual[np.isfinite(actual)])) > 1
    # Of some adversarial streams all scores are equal.
    assert varying >= 40


@every_scorer
@given(data=st.data(), seed=st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_a_batch_may_be_cut_anywhere(scorer: Scorer, data: st.DataObject, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = noise(scorer, seed, 600)
    x[rng.integers(0, 600, 5)] = np.nan
    series = rng.integers(0, 3, 600)
    cuts = sorted(data.draw(st.lists(st.integers(0, 600), max_size=12)))
    unbroken_bank, parts = quick(scorer, 3), quick(scorer, 3)
    expected = unbroken_bank.update(series, x)
    actual = [parts.update(s, v) for s, v in zip(np.split(series, cuts), np.split(x, cuts), strict=True)]
    for index, column in enumerate(expected):
        assert_array_equal(np.concatenate([scores[index] for scores in actual]), column)
    assert content(parts) == content(unbroken_bank)


@every_scorer
@given(seed=st.integers(0, 1000), order=st.sampled_from(["shuffled", "blocks"]))
@settings(max_examples=8, deadline=None)
def test_series_do_not_disturb_one_another(scorer: Scorer, seed: int, order: str) -> None:
    alone = [noise(scorer, seed + i, 300) * 3.0**i for i in range(4)]
    series = np.repeat(np.arange(4), 300)
    if order == "shuffled":
        np.random.default_rng(seed).shuffle(series)
    x = np.empty((len(series), alone[0].shape[1]))
    for i in range(4):
        x[series == i] = alone[i]
    together = quick(scorer, 4).update(series, x)
    for i in range(4):
        for column, expected in zip(together, quick(scorer).update(zeros(300), alone[i]), strict=True):
            assert_array_equal(column[series == i], expected)


@every_scorer
def test_a_snapshot_takes_up_where_it_was_made(scorer: Scorer) -> None:
    x = noise(scorer, 3, 900)
    for at in (0, 1, 30, 301, 700, 900):
        unbroken, restored = quick(scorer, 2), quick(scorer)
        unbroken.update(np.ones(at, dtype=np.int64), x[:at])
        restored.restore(unbroken.snapshot())
        rest = np.ones(len(x) - at, dtype=np.int64)
        for actual, expected in zip(restored.update(rest, x[at:]), unbroken.update(rest, x[at:]), strict=True):
            assert_array_equal(actual, expected)
        assert content(restored) == content(unbroken)


@every_scorer
def test_a_snapshot_of_other_parameters_is_refused(scorer: Scorer) -> None:
    bank = quick(scorer)
    bank.update(zeros(400), noise(scorer, 1, 400))
    content_before = content(bank)
    with pytest.raises(SnapshotError, match="the snapshot has params"):
        bank.restore(bank_of(scorer, bank.params | {"history": 201}).snapshot())
    snapshot = bank.snapshot()
    for wrong, message in (
        ({"dimension": 7}, "dimension 7"),
        ({"levels": None}, "lacks the state"),
        ({"scorer": None}, "lacks the state"),
        ({"levels": bank_of(scorer, bank.params, series=3).snapshot()["levels"]}, "1 series, and levels of 3"),
    ):
        with pytest.raises(SnapshotError, match=message):
            bank.restore(snapshot | wrong)
    assert content(bank) == content_before


@every_scorer
def test_series_may_be_added_at_any_time(scorer: Scorer) -> None:
    x = noise(scorer, 5, 300)
    bank = quick(scorer)
    bank.update(zeros(300), x)
    bank.resize(3)
    added = bank.update(np.full(300, 2), x)
    for actual, expected in zip(added, quick(scorer).update(zeros(300), x), strict=True):
        assert_array_equal(actual, expected)


@every_scorer
@given(
    odd=st.lists(
        st.tuples(st.integers(0, 400), st.sampled_from([np.nan, np.inf, -np.inf, 2 * MAX_ABS, -1e308])), max_size=20
    ),
    which=st.integers(0, 100),
)
@settings(max_examples=15, deadline=None)
def test_what_is_not_finite_is_counted_and_changes_nothing(
    scorer: Scorer, odd: list[tuple[int, float]], which: int
) -> None:
    clean = noise(scorer, 11, 400)
    at = np.sort(np.array([position for position, _ in odd], dtype=np.int64))
    x = np.insert(clean, at, 0.0, axis=0)
    is_odd = np.insert(zeros(400), at, 1) == 1
    x[is_odd, which % x.shape[1]] = [value for _, value in odd]
    plain, bank = quick(scorer), quick(scorer)
    expected, actual = plain.update(zeros(400), clean), bank.update(zeros(len(x)), x)
    for mine, theirs in zip(actual, expected, strict=True):
        assert_array_equal(mine[~is_odd], theirs)
    assert np.isnan(actual.score[is_odd]).all()
    assert bank.skipped.tolist() == [len(odd)]
    assert bank.state["n"].tolist() == plain.state["n"].tolist()


@every_setting
def test_a_score_is_nan_until_it_is_ready_and_finite_from_then_on(scorer: Scorer, params: dict[str, Any]) -> None:
    rng = np.random.default_rng(5)
    n = bank_of(scorer, params).min_samples + 500
    extremes = rng.choice([0.0, 1.0, MAX_ABS, -MAX_ABS, 5e-324, 1e-160], n)
    for shape in (*streams.adversarial(n).values(), extremes, extremes[::-1].copy(), np.minimum(extremes, 1.0)):
        bank = bank_of(scorer, params)
        x = np.clip(streams.vectors(shape, bank.dimension), -MAX_ABS, MAX_ABS)
        with np.errstate(all="raise", under="ignore"):
            score = bank.update(zeros(n), x).score
        assert np.isnan(score[: bank.min_samples]).all()
        first = int(np.argmax(np.isfinite(score))) if np.isfinite(score).any() else n
        assert np.isfinite(score[first:]).all()
        assert bank.ready.tolist() == [first < n]
        assert all(np.isfinite(bank.state[field]).all() for field in scorer.dtype.names or ())


@every_setting
def test_it_is_ready_once_it_has_seen_enough_noise(scorer: Scorer, params: dict[str, Any]) -> None:
    bank = bank_of(scorer, params, series=2)
    x = noise(scorer, 2, bank.min_samples + 1)
    assert np.isnan(bank.update(zeros(len(x) - 2), x[:-2]).score).all()
    assert bank.ready.tolist() == [False, False]
    bank.update([0], x[-2:-1])
    assert bank.ready.tolist() == [True, False]
    assert np.isfinite(bank.update([0], x[-1:]).score).all()


@every_scorer
@pytest.mark.parametrize("shape", ["normal", "skewed", "uniform"])
def test_what_is_far_outside_of_all_that_was_seen_scores_highest(scorer: Scorer, shape: str) -> None:
    rng, d = np.random.default_rng(8), SCORER_TRIALS[scorer.name].dimension
    n = bank_of(scorer).min_samples + 300
    draws: dict[str, Any] = {"normal": rng.normal, "skewed": rng.exponential, "uniform": rng.random}
    x = draws[shape](size=(n, d))
    low, high = x.min(axis=0), x.max(axis=0)
    inside = low + (high - low) * np.vstack((rng.random((40, d)), np.zeros(d), np.ones(d)))
    outside = [high + 1.01 * (high - low), low - 1.01 * (high - low), high + 1e3, low - 1e3, high + 1e9, low - 1e9]
    probes = np.vstack((inside, outside))
    # Each probe meets a series of its own, which has seen the same as the others.
    bank = bank_of(scorer, series=len(probes))
    bank.update(np.repeat(np.arange(len(probes)), n), np.tile(x, (len(probes), 1)))
    score = bank.update(np.arange(len(probes)), probes).score
    assert score[len(inside) :].min() >= score[: len(inside)].max()
    # The farther, the higher.
    assert (np.diff(score[len(inside) :].reshape(3, 2), axis=0) >= 0).all()


WHEN = ("first", "in the warm-up", "at its end", "before there is a level", "later")


@pytest.mark.parametrize("when", WHEN)
@every_scorer
def test_one_value_a_million_deviations_out_hides_no_later_one(scorer: Scorer, when: str) -> None:
    ready = bank_of(scorer).min_samples
    wild = {"first": 0, "in the warm-up": ready // 2, "at its end": ready - 1, "before there is a level": ready + 50}
    n = ready + 3_000
    x = noise(scorer, 4, n)
    x[wild.get(when, ready + 1_500)] = 1e6
    x[n - 500] = 12.0
    x[n - 100 : n - 80] += 3.0
    scores = bank_of(scorer, {"false_alarm_rate": 2e-3}).update(zeros(n), x)
    assert scores.flag[n - 500]
    assert scores.level[n - 100 : n - 80].max() > 0.99
    # Nor is what is ordinary called odd: of 900, two are expected.
    assert scores.flag[n - 1_400 : n - 500].sum() <= 8


@every_parameter
def test_a_value_that_is_not_allowed_is_refused_with_what_is(scorer: Scorer, parameter: Parameter) -> None:
    if parameter.kind == "choice":
        bad: list[object] = ["sideways", 0, None, True]
    else:
        bad = [parameter.low - max(1.0, abs(parameter.low)), parameter.high * 2, np.nan, np.inf, "5", True, [1.0]]
        bad += [parameter.low + 0.5] if parameter.kind == "int" else []
        bad += [None] if parameter.default is not None else []
    for value in bad:
        with pytest.raises(ParameterError, match=f"^{scorer.name}: {parameter.name}=") as refused:
            bank_of(scorer, {parameter.name: value})
        assert parameter.allowed in str(refused.value)


def is_refused_together(scorer: Scorer, values: dict[str, Any]) -> bool:
    """Whether values that are allowed by themselves are refused for what the other parameters are."""
    try:
        scorer.values(values)
    except ParameterError:
        return True
    return False


@every_parameter
def test_the_limits_of_a_parameter_are_allowed_and_work(scorer: Scorer, parameter: Parameter) -> None:
    for value in parameter.choices or (parameter.low, parameter.high):
        values = {parameter.name: value}
        if is_refused_together(scorer, values):
            continue
        bank = bank_of(scorer, values)
        n = 300 if bank.min_samples < 300 else 10
        score = bank.update(zeros(n), noise(scorer, 8, n)).score
        assert np.isfinite(score[bank.min_samples :]).all()


@every_scorer
def test_an_unknown_parameter_is_refused_with_the_nearest_one(scorer: Scorer) -> None:
    name = scorer.parameters[0].name
    with pytest.raises(ParameterError, match=f"did you mean '{name}'"):
        bank_of(scorer, {name + "s": 1})
