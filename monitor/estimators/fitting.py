"""Fitting an estimator on labelled events, and how good it is on events that it has not seen.

``cbpe`` is confidence-based performance estimation: a calibrated score says how often predictions like it are right.
``mpp`` is the performance predictor of Ghanta et al. (arXiv 1902.08638): a second model learns on which events the
first one is right. ``dle`` does the same for how far a number is off. What is said of fidelity is cross-fitted, in
blocks of consecutive events, since neighbours are alike.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.estimate import Calibration, Trees, calibrate, constant, trees_of
from detectors.performance import Binary, Multiclass, Regression
from detectors.sketch import Coded
from monitor.config.performance import PerformancePlan
from monitor.errors import InputError
from monitor.estimators.artefact import FORMAT, Artefact, Fidelity, Fitted, Input, Kind, knots_of
from monitor.estimators.class_confidence import fitted_classes, with_probabilities
from monitor.estimators.estimator import Estimator, chance_of_right, numbers_of
from monitor.estimators.labelled import LabelledEvents

__all__ = ["FEWEST_EVENTS", "FEWEST_OF_EACH", "fit"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

FEWEST_EVENTS = 300
FEWEST_OF_EACH = 20
"""Right and wrong predictions without which there is nothing to learn."""

BLOCKS = 5
MOST_CHUNKS = 20
FEWEST_IN_CHUNK = 100
NAMES = 1_000
"""Names of a category that stand for themselves."""

PRIOR_EVENTS = 20.0
"""Of the mean of all, which the mean of the events with one name is drawn towards."""

SPREAD = 512

ROUNDS = range(10, 101, 10)
"""Rounds of boosting among which blocks choose on which trees were not fitted: more of them learn a season by heart."""


@dataclass(frozen=True)
class _Model:
    """What was fitted on some events; the calibration is not there yet."""

    inputs: tuple[Input, ...]
    trees: Trees | None

    def scores(self, events: LabelledEvents, rows: Integers) -> Floats:
        """Return the scores of events; of trees a row after each of `ROUNDS`, else one."""
        matrix = _matrix(events, self.inputs, rows)
        if self.trees is None:
            return matrix.T[:1]
        return np.stack([self.trees.first(rounds).score(matrix) for rounds in ROUNDS])


def fit(kind: Kind, events: LabelledEvents, plan: PerformancePlan, model: str) -> Artefact:
    """Fit an estimator.

    Parameters
    ----------
    kind : str
        A key of `monitor.estimators.artefact.KINDS`.
    events : LabelledEvents
        In the order in which they came.
    plan : PerformancePlan
    model : str

    Returns
    -------
    Artefact

    Raises
    ------
    InputError
        If the kind is not for such predictions, or there are too few events, or scikit-learn is not installed.
    """
    of_classes = kind == "cbpe" and isinstance(plan.scheme, Multiclass)
    if of_classes:
        events = with_probabilities(events, plan)
    _check(kind, events, plan)
    blocks = np.array_split(np.arange(len(events), dtype=np.int64), BLOCKS)
    parts, estimates = (fitted_classes if of_classes else partial(_fitted, kind))(events, plan, blocks)
    artefact = Artefact(
        format=FORMAT,
        kind=kind,
        model=model,
        prediction=plan.prediction,
        threshold=plan.scheme.threshold if isinstance(plan.scheme, Binary) else None,
        positive=plan.scheme.positive if isinstance(plan.scheme, Binary) else None,
        label=plan.label,
        spread=tuple(np.quantile(estimates, np.linspace(0, 1, SPREAD)).tolist()),
        fitted=Fitted(events.source, len(events), float(events.outcome.mean()), dict(events.left_out), events.stored),
        fidelity=_fidelity(kind, estimates, events.outcome, blocks),
        **parts,
    )
    assert Estimator("estimated:x", artefact).layout.edges.size
    return artefact


def _fitted(
    kind: Kind, events: LabelledEvents, plan: PerformancePlan, blocks: list[Integers]
) -> tuple[dict[str, Any], Floats]:
    """Return the artefact's own parts, and estimates of each block by what was fitted on the others."""
    fitted_on = _fitter(kind, events, plan)
    everything = np.concatenate(blocks)
    staged = [fitted_on(np.setdiff1d(everything, block)).scores(events, block) for block in blocks]
    by_rounds = np.concatenate(staged, axis=1)
    best = int(_losses(kind, by_rounds, events.outcome).argmin())
    scores, final = by_rounds[best], fitted_on(everything)
    calibration = None if kind == "dle" else _calibrated(kind, events, plan, scores, everything)
    estimates = np.concatenate([_held_out(kind, events, plan, scores, everything, block) for block in blocks])
    parts = {
        "inputs": () if kind == "cbpe" else final.inputs,
        "calibration": None if calibration is None else knots_of(calibration),
        "trees": None if final.trees is None else final.trees.first(ROUNDS[best]).to_document(),
    }
    return parts, estimates


def _losses(kind: Kind, scores: Floats, outcome: Floats) -> Floats:
    """Return what each row of scores costs, as boosting itself counts it: squared errors, or log loss."""
    of_each = (scores - outcome) ** 2 if kind == "dle" else np.logaddexp(0.0, scores) - outcome * scores
    return np.asarray(of_each.mean(axis=1))


def _check(kind: Kind, events: LabelledEvents, plan: PerformancePlan) -> None:
    if (kind == "dle") != isinstance(plan.scheme, Regression):
        raise InputError(f"{kind} is for {'numbers' if kind == 'dle' else 'classes'}: use {_kind_for(plan)}")
    if kind == "cbpe" and plan.prediction in events.left_out:
        raise InputError(
            f"{plan.prediction} is {events.left_out[plan.prediction]}: a calibration would keep its values"
        )
    if len(events) < FEWEST_EVENTS:
        all_parts = "all probabilities, a prediction" if kind == "cbpe" and plan.probabilities else "a prediction"
        raise InputError(f"{len(events):,} events have {all_parts} and a label, and {FEWEST_EVENTS:,} are needed")
    if kind != "dle" and not FEWEST_OF_EACH <= events.outcome.sum() <= len(events) - FEWEST_OF_EACH:
        right = int(events.outcome.sum())
        message = (
            f"{right:,} of {len(events):,} predictions are right: {FEWEST_OF_EACH} right and wrong ones are needed"
        )
        raise InputError(message)
    if kind != "cbpe" and not (events.numeric or events.category):
        raise InputError(
            "no signal can be looked at: " + ", ".join(f"{s} is {why}" for s, why in events.left_out.items())
        )


def _kind_for(plan: PerformancePlan) -> str:
    return "dle" if isinstance(plan.scheme, Regression) else "mpp, or cbpe where there are probabilities"


def _fitter(kind: Kind, events: LabelledEvents, plan: PerformancePlan) -> Callable[[Integers], _Model]:
    if kind == "cbpe":
        return lambda rows: _Model((Input(plan.prediction),), None)
    boosted = _boosting(kind)

    def fitted(rows: Integers) -> _Model:
        inputs = _inputs(events, rows)
        return _Model(inputs, boosted(_matrix(events, inputs, rows), events.outcome[rows]))

    return fitted


def _boosting(kind: Kind) -> Callable[[Floats, Floats], Trees]:
    try:
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
        from threadpoolctl import threadpool_limits
    except ImportError as error:
        raise InputError(f"{kind} is fitted with scikit-learn: pip install 'leeway[estimators]'") from error
    settings: dict[str, Any] = {"max_iter": ROUNDS[-1], "early_stopping": False, "random_state": 0}

    def boosted(matrix: Floats, outcome: Floats) -> Trees:
        if outcome.min() == outcome.max():
            # Without both of them in a block there is nothing to tell apart.
            return constant(outcome[0] if kind == "dle" else 0.0, matrix.shape[1])
        # Its threads wait for each other without pause: a busy machine is slow with them, and trees are small.
        with threadpool_limits(1):
            if kind == "dle":
                return trees_of(HistGradientBoostingRegressor(**settings).fit(matrix, outcome))
            return trees_of(HistGradientBoostingClassifier(**settings).fit(matrix, outcome.astype(np.int64)))

    return boosted


def _inputs(events: LabelledEvents, rows: Integers) -> tuple[Input, ...]:
    """Return what is looked at; a name of a category stands for what its events turned out to be worth."""
    categories = [Input(signal, _numbers(names, events.outcome, rows)) for signal, names in events.category.items()]
    return (*(Input(signal) for signal in events.numeric), *categories)


def _numbers(names: list[str | None], outcome: Floats, rows: Integers) -> dict[str, float]:
    sums: dict[str, list[float]] = {}
    for i in rows.tolist():
        if (name := names[i]) is not None:
            pair = sums.setdefault(name, [0.0, 0.0])
            pair[0] += float(outcome[i])
            pair[1] += 1.0
    mean = float(outcome[rows].mean())
    frequent = sorted(sums, key=lambda name: (-sums[name][1], name))[:NAMES]
    return {n: (sums[n][0] + PRIOR_EVENTS * mean) / (sums[n][1] + PRIOR_EVENTS) for n in frequent}


def _matrix(events: LabelledEvents, inputs: tuple[Input, ...], rows: Integers) -> Floats:
    columns = [
        events.numeric[each.signal][rows]
        if each.numbers is None
        else numbers_of(Coded.of(events.category[each.signal]).take(rows), each.numbers)
        for each in inputs
    ]
    return np.stack(columns, axis=1)


def _calibrated(
    kind: Kind, events: LabelledEvents, plan: PerformancePlan, scores: Floats, rows: Integers
) -> Calibration:
    """Return what scores mean, by events of which the score was not fitted: of ``cbpe`` for the positive class."""
    outcome = events.outcome[rows]
    if kind == "cbpe":
        assert isinstance(plan.scheme, Binary)
        outcome = np.where(scores[rows] >= plan.scheme.threshold, outcome, 1.0 - outcome)
    return calibrate(scores[rows], outcome)


def _held_out(
    kind: Kind, events: LabelledEvents, plan: PerformancePlan, scores: Floats, everything: Integers, block: Integers
) -> Floats:
    """Return estimates of a block by what was fitted, and calibrated, on the others."""
    if kind == "dle":
        return np.maximum(scores[block], 0.0)
    calibration = _calibrated(kind, events, plan, scores, np.setdiff1d(everything, block))
    probability = calibration.probability(scores[block])
    if kind == "cbpe":
        assert isinstance(plan.scheme, Binary)
        return chance_of_right(probability, scores[block], plan.scheme.threshold)
    return probability


def _fidelity(kind: Kind, estimates: Floats, outcome: Floats, blocks: list[Integers]) -> Fidelity:
    size = max(FEWEST_IN_CHUNK, len(outcome) // MOST_CHUNKS)
    count = len(outcome) // size
    chunks = np.arange(count * size).reshape(count, size)
    realised, estimated = outcome[chunks].mean(axis=1), estimates[chunks].mean(axis=1)
    constant = np.empty(len(outcome))
    for block in blocks:
        constant[block] = (outcome.sum() - outcome[block].sum()) / (len(outcome) - len(block))
    spread = estimates * (1 - estimates) if kind != "dle" else (outcome - estimates) ** 2
    # The mean size of a normal deviation is sqrt(2 / pi) times its standard deviation.
    chance = np.sqrt(2 / np.pi * spread[chunks].sum(axis=1)) / size
    return Fidelity(
        chunks=count,
        chunk_events=size,
        error=float(np.abs(estimated - realised).mean()),
        constant_error=float(np.abs(constant[chunks].mean(axis=1) - realised).mean()),
        chance_error=float(chance.mean()),
    )
