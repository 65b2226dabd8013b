"""What every detector in the table keeps to; nothing here names one of them, but for streams to suit their warm-up."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba.core.caching import FunctionCache
from numpy.testing import assert_allclose, assert_array_equal

from detectors.bank import Bank, Flags
from detectors.contract import DRIFT, OK, STATE_FIELDS, Detector, Parameter, ParameterError
from detectors.drift import DETECTORS
from detectors.kernel import MAX_ABS, Kernel
from tests.detectors import streams
from tests.detectors.jit_digest import digests
from tests.detectors.trials import TRIALS

ROOT = Path(__file__).parents[2]

TRIED = [
    pytest.param(DETECTORS[name], params, id=f"{name}-{i}")
    for name, trial in TRIALS.items()
    for i, params in enumerate(trial.settings)
]
every_detector = pytest.mark.parametrize("detector", list(DETECTORS.values()), ids=list(DETECTORS))
every_parameter = pytest.mark.parametrize(
    ("detector", "parameter"),
    [pytest.param(d, p, id=f"{d.name}-{p.name}") for d in DETECTORS.values() for p in d.parameters],
)
every_setting = pytest.mark.parametrize(("detector", "params"), TRIED)


def eager(detector: Detector, series: int = 1) -> Bank:
    """A bank that is set to fire often, so that resets are tried too."""
    return Bank(detector, TRIALS[detector.name].often, series)


def a_step(detector: Detector, seed: int, size: float, n: int = 2000, at: int = 1000) -> streams.Stream:
    """Noise, then noise that is higher by `size`, as the detector's domain has it."""
    return streams.suited(detector.domain, streams.step(seed, size, n, at))


def compiled_files(kernel: Kernel[..., Any]) -> list[Path]:
    """What the compiler keeps on disk of a kernel as its source is now."""
    cache = kernel.compiled._cache
    if not isinstance(cache, FunctionCache):  # with bounds checks nothing is kept
        return []
    overloads: dict[Any, str] = cache._cache_file._load_index()  # type: ignore[no-untyped-call]
    return [Path(cache.cache_path, name) for name in overloads.values()]


def content(bank: Bank) -> tuple[bytes, bytes]:
    snapshot = bank.snapshot()
    return snapshot["state"].tobytes(), snapshot["memory"].tobytes()


@every_detector
def test_it_is_described(detector: Detector) -> None:
    assert DETECTORS[detector.name] is detector
    assert all((detector.summary, detector.statistic, detector.reference, detector.use_when, detector.false_alarms))
    for parameter in detector.parameters:
        assert parameter.meaning.endswith("."), parameter.name
        assert bool(parameter.choices) == (parameter.kind == "choice")
    assert detector.dtype.names is not None
    assert detector.dtype.names[:2] == tuple(name for name, _ in STATE_FIELDS)


@every_detector
def test_its_state_has_only_fields_of_8_bytes(detector: Detector) -> None:
    assert detector.dtype.names is not None
    assert detector.dtype.itemsize == 8 * len(detector.dtype.names)


@every_setting
def test_it_equals_its_naive_twin(detector: Detector, params: dict[str, Any]) -> None:
    fired, trial = 0, TRIALS[detector.name]
    n = trial.length
    for name, shape in (streams.adversarial(n) | {"step": streams.step(1, 4.0, n=n, at=n // 2)}).items():
        x = streams.suited(detector.domain, shape)
        twin = trial.twin(**detector.values(params))
        expected = [twin.update(value) for value in x.tolist()]
        flags = Bank(detector, params, series=1).update_one(0, x)
        assert flags.flag.tolist() == [flag for _, flag in expected], name
        scores = [score for score, _ in expected]
        # At an offset of 1e9 a running mean and an exact one differ in the seventh digit of the noise.
        assert_allclose(flags.score, scores, rtol=1e-6, atol=2e-6 * max(map(abs, scores)), err_msg=name)
        fired += len(flags.drifts())
    assert fired > 5


@every_detector
@given(data=st.data(), seed=st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_a_batch_may_be_cut_anywhere(detector: Detector, data: st.DataObject, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = a_step(detector, seed, 5.0, n=600, at=300)
    x[rng.integers(0, 600, 5)] = np.nan
    series = rng.integers(0, 3, 600)
    cuts = sorted(data.draw(st.lists(st.integers(0, 600), max_size=12)))
    together, parts = eager(detector, 3), eager(detector, 3)
    expected = together.update(series, x)
    actual = [parts.update(s, v) for s, v in zip(np.split(series, cuts), np.split(x, cuts), strict=True)]
    assert_array_equal(np.concatenate([f.score for f in actual]), expected.score)
    assert_array_equal(np.concatenate([f.flag for f in actual]), expected.flag)
    assert content(parts) == content(together)


@every_detector
@given(seed=st.integers(0, 1000), order=st.sampled_from(["shuffled", "blocks"]))
@settings(max_examples=15, deadline=None)
def test_series_do_not_disturb_one_another(detector: Detector, seed: int, order: str) -> None:
    alone = [a_step(detector, seed + i, 4.0 * i, n=300, at=150) for i in range(4)]
    series = np.repeat(np.arange(4), 300)
    if order == "shuffled":
        np.random.default_rng(seed).shuffle(series)
    x = np.empty(len(series))
    for i in range(4):
        x[series == i] = alone[i]
    together = eager(detector, 4).update(series, x)
    for i in range(4):
        expected = eager(detector).update_one(0, alone[i])
        assert_array_equal(together.score[series == i], expected.score)
        assert_array_equal(together.flag[series == i], expected.flag)


@every_detector
def test_a_snapshot_takes_up_where_it_was_made(detector: Detector) -> None:
    x = a_step(detector, 3, 5.0)
    for at in (0, 1, 30, 999, 1003, 1040, 2000):
        unbroken, restored = eager(detector, 2), eager(detector)
        unbroken.update_one(1, x[:at])
        restored.restore(unbroken.snapshot())
        expected, actual = unbroken.update_one(1, x[at:]), restored.update_one(1, x[at:])
        assert_array_equal(actual.score, expected.score)
        assert_array_equal(actual.flag, expected.flag)
        assert content(restored) == content(unbroken)


@pytest.fixture(scope="module")
def compiled_digests() -> dict[str, str]:
    return digests()


def test_compiled_and_interpreted_agree_to_the_bit(compiled_digests: dict[str, str]) -> None:
    run = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.detectors.jit_digest"],
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.splitlines() == [f"{name} {digest}" for name, digest in compiled_digests.items()]


def test_no_kernel_carries_what_an_array_assigned_to_a_slice_brings_along(compiled_digests: dict[str, str]) -> None:
    # One such line below it made a kernel take five times as long to compile; `detectors.rows` has what to do instead.
    modules = [module for name, module in sorted(sys.modules.items()) if name.startswith("detectors.")]
    kernels = {value for module in modules for value in vars(module).values() if isinstance(value, Kernel)}
    files = [file for kernel in kernels for file in compiled_files(kernel)]
    assert len(files) > 250
    assert [file.name for file in files if b"cannot assign slice" in file.read_bytes()] == []


@every_detector
def test_it_is_quiet_on_noise(detector: Detector) -> None:
    mean, sd = (0.5, 0.1) if detector.domain == "real" else (0.0, 1.0)
    x = streams.suited(detector.domain, np.random.default_rng(7).normal(mean, sd, (10, 20_000)))
    drifts = [len(Bank(detector, series=1).update_one(0, row).drifts()) for row in x]
    # In 200,000 observations the defaults promise three at most on average (CUSUM).
    assert sum(drifts) <= 8


@every_detector
@pytest.mark.parametrize("size", [3.0, -3.0])
def test_it_is_loud_on_a_step_and_says_which_way(detector: Detector, size: float) -> None:
    allowed = TRIALS[detector.name].in_time
    in_time = 0
    for seed in range(20):
        n = 2000 + 3 * max(allowed, 300)
        flags = Bank(detector, series=1).update_one(0, a_step(detector, seed, size, n, at=2000))
        drifts = flags.drifts()
        first = drifts[drifts >= 2000][0]
        assert np.sign(flags.score[first]) == np.sign(size)
        in_time += int(first < 2000 + allowed)
    # A false alarm shortly before may still have it learning.
    assert in_time >= 18


@every_detector
@pytest.mark.parametrize("wild", [1e6, -1e6, -999_999.0])
@pytest.mark.parametrize("when", ["first", "in the warm-up", "last of the warm-up", "soon after", "long after"])
def test_one_wild_value_neither_alarms_nor_makes_it_deaf(detector: Detector, when: str, wild: float) -> None:
    """A value 1e6 sd out, or a sentinel, as far out as the domain allows; then a step of 3 sd."""
    least = Bank(detector, series=1).min_samples
    at = {"first": 0, "in the warm-up": least // 2, "last of the warm-up": max(0, least - 2)}.get(when, least)
    at += {"soon after": 50, "long after": 3000}.get(when, 0)
    step = at + 2 * least + 2000
    allowed = TRIALS[detector.name].in_time
    for seed in range(5):
        x = streams.step(seed, 3.0, n=step + 4 * allowed, at=step)
        x[at] = wild
        drifts = Bank(detector, series=1).update_one(0, streams.suited(detector.domain, x)).drifts()
        assert not ((drifts >= at) & (drifts < at + 50)).any()
        assert ((drifts >= step) & (drifts < step + 2 * allowed)).any()


@every_detector
def test_one_wild_value_in_a_hundred_does_not_make_it_deaf(detector: Detector) -> None:
    least = Bank(detector, series=1).min_samples
    step = 2 * least + 2000
    allowed = TRIALS[detector.name].in_time
    for seed in range(5):
        x = streams.step(seed, 3.0, n=step + 4 * allowed, at=step)
        x[np.random.default_rng(seed).random(x.size) < 0.01] = -999_999.0
        drifts = Bank(detector, series=1).update_one(0, streams.suited(detector.domain, x)).drifts()
        assert ((drifts >= step) & (drifts < step + 3 * allowed)).any()


@every_detector
@given(
    odd=st.lists(
        st.tuples(st.integers(0, 1500), st.sampled_from([np.nan, np.inf, -np.inf, 2 * MAX_ABS, -1e308])), max_size=20
    )
)
@settings(max_examples=20, deadline=None)
def test_what_is_not_finite_is_counted_and_changes_nothing(detector: Detector, odd: list[tuple[int, float]]) -> None:
    clean = a_step(detector, 11, 5.0, n=1500, at=1000)
    at = np.sort(np.array([position for position, _ in odd], dtype=np.int64))
    x = np.insert(clean, at, [value for _, value in odd])
    is_odd = ~(np.abs(x) <= MAX_ABS)
    plain, bank = eager(detector), eager(detector)
    expected = plain.update_one(0, clean)
    flags = bank.update_one(0, x)
    assert_array_equal(flags.score[~is_odd], expected.score)
    assert_array_equal(flags.flag[~is_odd], expected.flag)
    assert (flags.flag[is_odd] == OK).all()
    assert (flags.score[is_odd] == 0.0).all()
    assert bank.skipped.tolist() == [len(odd)]
    assert (expected.drifts() >= 1000).any()


@every_detector
def test_what_is_outside_its_domain_is_counted_and_changes_nothing(detector: Detector) -> None:
    outside = {"real": [], "unit": [-0.1, 1.1, 5.0], "binary": [-0.1, 0.5, 2.0]}[detector.domain]
    x = a_step(detector, 6, 4.0, n=400, at=200)
    plain, bank = eager(detector), eager(detector)
    expected = plain.update_one(0, x)
    flags = bank.update_one(0, np.insert(x, [100] * len(outside), outside))
    assert_array_equal(np.delete(flags.score, np.arange(100, 100 + len(outside))), expected.score)
    assert bank.skipped.tolist() == [len(outside)]


@every_setting
def test_scores_are_always_finite(detector: Detector, params: dict[str, Any]) -> None:
    rng = np.random.default_rng(5)
    extremes = rng.choice([0.0, 1.0, MAX_ABS, -MAX_ABS, 5e-324, 1e-160, np.nan, np.inf], 3000)
    for shape in (*streams.adversarial().values(), extremes, extremes[extremes < 1.0]):
        x = streams.suited(detector.domain, shape)
        bank = Bank(detector, params, series=1)
        with np.errstate(all="raise"):
            assert np.isfinite(bank.update_one(0, x).score).all()
        assert all(np.isfinite(bank.state[field]).all() for field in detector.dtype.names or ())


@every_setting
def test_it_says_nothing_before_it_is_ready(detector: Detector, params: dict[str, Any]) -> None:
    bank = Bank(detector, params, series=2)
    # What looks only for falling rates of errors waits for correct answers.
    largest = 0.0 if params.get("direction") == "down" and detector.domain == "binary" else 1.0
    x = np.full(bank.min_samples - 1, largest)
    if detector.domain != "binary":
        x = streams.suited(detector.domain, np.random.default_rng(2).normal(0.0, 1e6, bank.min_samples - 1))
    assert not bank.update_one(0, x).flag.any()
    # The observation that makes it ready may be the first that it judges.
    bank.update_one(0, [largest])
    assert bank.ready[0]


@every_detector
def test_what_it_calls_quiet_is(detector: Detector) -> None:
    bank = eager(detector)
    encoded = detector.encode(bank.params)
    x = np.insert(a_step(detector, 2, 6.0, n=400, at=200), [30, 250], np.nan)
    at = 0
    while at < len(x):
        quiet = detector.quiet(bank.state[0], encoded)
        flags = bank.update_one(0, x[at : at + quiet + 1])
        assert not flags.flag[:quiet].any()
        assert not flags.score[:quiet].any()
        at += quiet + 1


@every_detector
def test_it_begins_anew_at_the_observation_after_a_drift(detector: Detector) -> None:
    x = a_step(detector, 4, 6.0)
    flags = eager(detector).update_one(0, x)
    first = flags.drifts()[-1]
    again = eager(detector)
    after = again.update_one(0, x[first + 1 :])
    assert_array_equal(flags.score[first + 1 :], after.score)
    assert_array_equal(flags.flag[first + 1 :], after.flag)


@every_detector
def test_the_state_at_a_drift_can_be_looked_at(detector: Detector) -> None:
    x = a_step(detector, 4, 6.0)
    bank = eager(detector)
    first = bank.update_one(0, x).drifts()[0]
    bank = eager(detector)
    bank.update_one(0, x[: first + 1])
    assert bank.state["drifted"].tolist() == [1]
    bank.update_one(0, [np.nan])
    assert bank.state["drifted"].tolist() == [1]
    bank.update_one(0, x[first + 1 : first + 2])
    assert bank.state["drifted"].tolist() == [0]


@every_parameter
def test_a_value_that_is_not_allowed_is_refused_with_what_is(detector: Detector, parameter: Parameter) -> None:
    if parameter.kind == "choice":
        bad: list[object] = ["sideways", 0, None, True]
    else:
        bad = [parameter.low - max(1.0, abs(parameter.low)), parameter.high * 2, np.nan, np.inf, "5", True, [1.0]]
        bad += [parameter.low + 0.5] if parameter.kind == "int" else []
        bad += [None] if parameter.default is not None else []
    for value in bad:
        with pytest.raises(ParameterError, match=f"^{detector.name}: {parameter.name}=") as refused:
            Bank(detector, {parameter.name: value})
        assert parameter.allowed in str(refused.value)


@every_detector
def test_the_limits_of_every_parameter_are_allowed_and_work(detector: Detector) -> None:
    x = a_step(detector, 8, 3.0, n=300, at=150)
    for parameter in detector.parameters:
        for value in parameter.choices or (parameter.low, parameter.high):
            params: dict[str, Any] = {parameter.name: value}
            if parameter.name in ("mean", "sd"):
                params = {"mean": 0.0, "sd": 1.0} | params
            flags: Flags = Bank(detector, params, series=1).update_one(0, x)
            assert np.isfinite(flags.score).all()
            assert set(flags.flag.tolist()) <= {OK, 1, DRIFT}


@every_detector
def test_an_unknown_parameter_is_refused_with_the_nearest_one(detector: Detector) -> None:
    name = detector.parameters[0].name
    with pytest.raises(ParameterError, match=f"did you mean '{name}'"):
        Bank(detector, {name + "s": 1})
