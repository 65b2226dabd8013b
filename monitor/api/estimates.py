"""How good predictions are by estimators, before their labels come, beside what is known of them by now."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Response

from detectors.performance import Question, estimates
from detectors.sketch import NumericSummary
from monitor.api.contract import ApiService
from monitor.api.forms import Whole, listed_whole, lists
from monitor.api.labelled_hours import NEWEST_MS, Chosen, LabelledSpan, hours_of, spans
from monitor.api.parameters import TheService, check_model, question_of, span_of
from monitor.api.reading import Row
from monitor.estimators.artefact import ASSUMED
from monitor.estimators.estimator import Estimator
from monitor.evaluate.mark_log import Mark, read_marks
from monitor.evaluate.muting import Muting, mutings
from monitor.panes.distributions import Part, by_window
from monitor.performance.fidelity import margin_of
from monitor.resources.estimates import EstimatedQuality, Estimates
from monitor.watch import Watch

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["performance"])

NORMAL_95 = 1.959964
Windows = Mapping[int, NumericSummary]


@lists(router, Estimates)
def estimated(
    service: TheService, form: Whole, question: Annotated[Estimates, Depends(question_of(Estimates))]
) -> Response:
    check_model(service, question.model)
    watch = service.watches.get(question.model)
    chosen = _in_whole_steps(hours_of(service, question, span_of(service, question), NEWEST_MS))
    rows = [] if watch is None or not watch.estimators else list(_rows(service, watch, chosen, question))
    return listed_whole(form, rows, EstimatedQuality, {"from_ms": chosen.span[0], "to_ms": chosen.span[1]})


def _in_whole_steps(chosen: Chosen) -> Chosen:
    """Panes are read step by step: of the first and the last one, all of it is shown."""
    steps = chosen.steps()
    return replace(chosen, span=(steps.start, steps.start + len(steps) * steps.step))


def _rows(service: ApiService, watch: Watch, chosen: Chosen, question: Estimates) -> Iterator[Row]:
    plan = watch.judged_plan
    assert chosen.step_ms is not None
    realised = {each.from_ms: each for each in spans(service.store, chosen, plan.scheme.id)}
    spells = mutings(read_marks(service.store, question.model))
    by_signal = {each.signal: _windows(service, watch, chosen, question, each) for each in watch.estimators}
    for step in chosen.steps():
        nothing = LabelledSpan(step, step + chosen.step_ms, question.version, question.segment)
        labelled = realised.get(step, nothing)
        for estimator in watch.estimators:
            summary = by_signal[estimator.signal].get(step)
            if summary is not None or labelled.predictions:
                muted = _muted(spells, estimator, labelled)
                yield {"model": question.model, **_row(estimator, summary, labelled, plan.scheme.id, muted)}


def _windows(service: ApiService, watch: Watch, chosen: Chosen, question: Estimates, estimator: Estimator) -> Windows:
    """The estimates of each step, by where it begins; panes of another fit are left out."""
    steps = chosen.steps()
    part = Part(*chosen.span, question.version, question.segment)
    windows = by_window(service.store, watch, part, estimator.signal, steps.step)
    return {step: summary for step, summary in zip(steps, windows, strict=True) if isinstance(summary, NumericSummary)}


def _muted(spells: Sequence[Muting], estimator: Estimator, labelled: LabelledSpan) -> Mark | None:
    """Return what mutes the signal in some window that ends in a span, the newest such."""
    muting = [
        spell.muted
        for spell in spells
        if spell.is_of(estimator)
        and 0 < spell.muted.effective_ms <= labelled.to_ms
        and (spell.heard is None or not 0 < spell.heard.effective_ms <= labelled.from_ms)
    ]
    return muting[-1] if muting else None


def _row(
    estimator: Estimator, summary: NumericSummary | None, labelled: LabelledSpan, scheme: str, muted: Mark | None
) -> Row:
    artefact = estimator.artefact
    metric = "mae" if artefact.kind == "dle" else "accuracy"
    sums = labelled.sums(scheme)
    realised = estimates(sums, [metric], Question(scheme.partition(":")[0]))[metric]
    mean, reach = _mean(estimator, summary)
    return {
        "signal": estimator.signal,
        "kind": artefact.kind,
        "metric": metric,
        "version": labelled.version,
        "segment": labelled.segment,
        "from_ms": labelled.from_ms,
        "to_ms": labelled.to_ms,
        "events": 0 if summary is None else summary.n,
        "missing": 0 if summary is None else summary.missing,
        "estimate": _number(mean),
        "low": _number(max(mean - reach, 0.0)),
        "high": _number(min(mean + reach, 1.0)),
        "realised": _number(realised.value),
        "labels": sums.labels,
        "coverage": labelled.coverage,
        "off_by": _number(abs(mean - realised.value)),
        "usually_off_by": artefact.fidelity.error,
        "may_be_off_by": margin_of(estimator),
        "muted_since_ms": None if muted is None else muted.effective_ms,
        "muted_because": "" if muted is None else muted.reason,
        **ASSUMED,
    }


def _mean(estimator: Estimator, summary: NumericSummary | None) -> tuple[float, float]:
    """The mean of estimates, and how far chance alone may take what comes of them; NaN where that is not labelled.

    If each event has the outcome 1 with its own probability p, the sum of outcomes has the variance
    ``sum(p * (1 - p)) = n * (mean - mean**2 - var)``.
    """
    if summary is None or not summary.n:
        return math.nan, math.nan
    mean = summary.mean(estimator.layout)
    if estimator.artefact.kind == "dle":
        return mean, math.nan
    variance = max(mean - mean**2 - summary.std(estimator.layout) ** 2, 0.0) / summary.n
    return mean, NORMAL_95 * math.sqrt(variance)


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
