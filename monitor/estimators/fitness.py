"""Whether a fitted estimator is for a model as it is configured now."""

from __future__ import annotations

from collections.abc import Iterator

from detectors.performance import Binary, Regression
from monitor.config.model import ModelSpec
from monitor.config.performance import PerformancePlan
from monitor.estimators.artefact import Artefact, Input

__all__ = ["misfit"]


def misfit(artefact: Artefact, spec: ModelSpec) -> str:
    """Return what keeps an estimator from being used; nothing if it can be.

    Parameters
    ----------
    artefact : Artefact
    spec : ModelSpec
        With `performance`.
    """
    plan = spec.performance_plan
    assert plan is not None
    return "; ".join([*_of_prediction(artefact, plan), *_of_inputs(artefact, spec)])


def _of_prediction(artefact: Artefact, plan: PerformancePlan) -> Iterator[str]:
    if artefact.prediction != plan.prediction:
        yield f"it was fitted for {artefact.prediction}, and {plan.prediction} is compared: fit it again"
    if (artefact.kind == "dle") != isinstance(plan.scheme, Regression):
        yield f"{artefact.kind} is not for such predictions: fit another kind"
    threshold, positive = (
        (plan.scheme.threshold, plan.scheme.positive) if isinstance(plan.scheme, Binary) else (None, None)
    )
    if artefact.threshold != threshold:
        yield f"it was fitted for the threshold {artefact.threshold}, and that is {threshold} now: fit it again"
    if artefact.kind == "cbpe" and artefact.classes != plan.probabilities:
        yield "it was fitted for other probabilities of classes than `performance.probabilities` names: fit it again"
    for part, fitted_for, present in (("class", artefact.positive, positive), ("label", artefact.label, plan.label)):
        if fitted_for not in (None, present):
            yield f"it was fitted for the {part} {fitted_for}, and that is {present} now: fit it again"


def _of_inputs(artefact: Artefact, spec: ModelSpec) -> Iterator[str]:
    fields = spec.schema_.signals()
    for each in artefact.inputs or (Input(artefact.prediction),):
        field = fields.get(each.signal)
        needed = "numeric" if each.numbers is None else "category"
        if field is None or field.type != needed:
            actual = "not in the schema" if field is None else f"{field.type} now"
            yield f"it looks at {each.signal}, which was {needed} and is {actual}: fit it again"
        elif field.privacy is not None:
            yield f"it looks at {each.signal}, which is private now: fit it again"
    kinds = {source.kind for source in spec.watched_sources}
    if artefact.kind != "cbpe" and kinds != {"event"}:
        yield "it looks at features and prediction, which come in events of their own here: only cbpe can be used"
