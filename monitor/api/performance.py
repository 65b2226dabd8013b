"""How good a model is, by its labels: metrics with their confidence intervals."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Annotated

from fastapi import APIRouter, Depends, Response

from detectors.performance import METRICS, Estimate, Question, Sums, estimates
from detectors.performance.outcomes import FN, TP
from detectors.performance.sums import UNUSABLE, Quantity
from monitor.api.contract import ApiService
from monitor.api.forms import Whole, listed_whole, lists
from monitor.api.label_values import other_values
from monitor.api.labelled_hours import NEWEST_MS, LabelledSpan, hours_of, spans
from monitor.api.parameters import TheService, check_model, duration_ms, question_of, span_of
from monitor.api.problems import bad_parameter
from monitor.api.reading import Row
from monitor.api.skill import Skills
from monitor.api.too_good import Failures
from monitor.config.naive import VALUE
from monitor.config.performance import PerformancePlan
from monitor.resources.performance import MAX_ROWS, MetricDetail, MetricEstimate, Performance
from monitor.values import format_duration
from sinks.store.contract import Query
from sinks.store.rows import rows_of

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["performance"])

NEWEST = "newest"
POSITIVE = (TP, FN)
"""What becomes of events that were positive."""

DETAIL = tuple(each.name for each in fields(MetricDetail))


@dataclass(frozen=True)
class Terms:
    """What metrics are worked out by.

    Attributes
    ----------
    scheme : str
        Of the sums that they are made of.
    metrics : sequence of str
    by : Question
    currency : str or None
    age : str
    skills : sequence of str
    """

    scheme: str
    metrics: Sequence[str]
    by: Question
    currency: str | None
    age: str
    skills: Sequence[str] = ()

    def estimated(self, labelled: LabelledSpan) -> dict[str, Estimate]:
        """Return the metrics of a span."""
        return dict(estimates(labelled.sums(self.scheme), self.metrics, self.by))


@lists(router, Performance)
def performance(
    service: TheService, form: Whole, question: Annotated[Performance, Depends(question_of(Performance))]
) -> Response:
    check_model(service, question.model)
    plan = _plan(service, question.model)
    age_ms = _age_ms(plan, question.age)
    chosen = hours_of(service, question, span_of(service, question), age_ms)
    terms = _terms(service, question, plan)
    failures = Failures(service, chosen, terms.scheme, terms.estimated)
    skills = Skills(service.store, chosen, plan, terms.skills)
    rows: list[Row] = []
    size = 0
    for labelled in spans(service.store, chosen, terms.scheme):
        instead = _instead_of_positive(service, question.model, labelled, terms.scheme)
        of_span = [*_rows(labelled, terms, failures, instead), *_skills(labelled, terms, skills)]
        rows += of_span
        size += sum(1 + len(row["detail"]) for row in of_span)
        if size > MAX_ROWS:
            message = f"the answer has more than {MAX_ROWS:,} rows: ask for fewer metrics, or longer steps"
            raise bad_parameter("step", message)
    if not rows and question.step is None:
        nothing = LabelledSpan(*chosen.span, question.version, question.segment)
        rows = [*_rows(nothing, terms, failures), *_skills(nothing, terms, skills)]
    head = {"from_ms": chosen.span[0], "to_ms": chosen.span[1]}
    return listed_whole(form, [{"model": question.model, **row} for row in rows], MetricEstimate, head)


def _plan(service: ApiService, model: str) -> PerformancePlan | None:
    watch = service.watches.get(model)
    return None if watch is None else watch.model.spec.performance_plan


def _age_ms(plan: PerformancePlan | None, age: str) -> int:
    if age == NEWEST:
        return NEWEST_MS
    age_ms = duration_ms("age", age)
    if plan is not None and age_ms not in plan.judge_at_ms:
        ages = ", ".join(map(format_duration, plan.judge_at_ms))
        raise bad_parameter("age", f"nothing is judged at {age!r}; the ages are {NEWEST}, {ages} (`judge_at`)")
    return age_ms


def _terms(service: ApiService, question: Performance, plan: PerformancePlan | None) -> Terms:
    """What the configuration says; without it, what the newest rows are made of."""
    scheme = _stored_scheme(service, question.model) if plan is None else plan.scheme.id
    if scheme is None:
        raise bad_parameter("model", f"{question.model!r} has no `spec.performance`: nothing is compared with labels")
    kind = scheme.partition(":")[0]
    fitting = [name for name, metric in METRICS.items() if kind in metric.kinds]
    skills = [] if plan is None else [naive.metric for naive in plan.naive]
    there_are = [*fitting, *skills]
    for name in question.metrics or ():
        if name not in there_are:
            raise bad_parameter(
                "metric", f"there is no {name!r} of {kind} predictions; there are {', '.join(there_are)}"
            )
    by = Question(kind) if plan is None else Question(kind, plan.min_labels, plan.beta)
    chosen = dict.fromkeys(question.metrics or (fitting if plan is None else [*plan.metrics, *skills]))
    metrics, of_skill = ([name for name in chosen if name in group] for group in (METRICS, skills))
    return Terms(scheme, metrics, by, None if plan is None else plan.currency, question.age, of_skill)


def _stored_scheme(service: ApiService, model: str) -> str | None:
    newest = Query("performance", {"model": model}, descending=True, limit=1, columns=("scheme",))
    return next((row["scheme"] for row in rows_of(service.store.read(newest))), None)


def _instead_of_positive(service: ApiService, model: str, labelled: LabelledSpan, scheme: str) -> str:
    """Return what labels say of a span of which none says the positive class."""
    sums = labelled.sums(scheme)
    has_none = sums.labels > 0 and not any(sums.weight(Quantity.OUTCOMES, outcome) for outcome in POSITIVE)
    return other_values(service, model, labelled.from_ms, labelled.to_ms) if has_none else ""


def _rows(labelled: LabelledSpan, terms: Terms, failures: Failures, instead: str = "") -> Iterator[Row]:
    sums = labelled.sums(terms.scheme)
    shared = _shared(labelled, sums, terms)
    for name, estimate in terms.estimated(labelled).items():
        metric = METRICS[name]
        too_good = failures.too_good(labelled, name, metric.better, estimate)
        reason = "; ".join(part for part in (estimate.reason, instead) if part) if estimate.reason else ""
        yield {
            **shared,
            "metric": name,
            "value": _number(estimate.value),
            "low": _number(estimate.low),
            "high": _number(estimate.high),
            "bound": estimate.bound,
            "better": metric.better,
            "currency": terms.currency if metric.needs_value else None,
            "labels": sums.labels,
            "too_good": too_good is not None,
            "alert_id": None if too_good is None else too_good.failing.alert_id,
            "reason": _reason(labelled, sums, reason, terms.age) if too_good is None else too_good.sentence,
            "detail": [{name: row.get(name) for name in DETAIL} for row in estimate.detail],
        }


def _skills(labelled: LabelledSpan, terms: Terms, skills: Skills) -> Iterator[Row]:
    sums = labelled.sums(terms.scheme)
    shared = _shared(labelled, sums, terms)
    for compared in skills.of(labelled):
        skill = compared.skill
        yield {
            **shared,
            "metric": compared.naive.metric,
            "value": _number(skill.value),
            "low": _number(skill.low),
            "high": _number(skill.high),
            "bound": 0.0,
            "better": "higher",
            "currency": terms.currency if compared.naive.loss == VALUE else None,
            "labels": skill.labels,
            "too_good": False,
            "alert_id": None,
            "verdict": skill.verdict,
            "baseline": compared.naive.words,
            "loss": compared.naive.loss,
            "model_loss": _number(skill.model),
            "baseline_loss": _number(skill.naive),
            "reason": _reason(labelled, sums, compared.sentence, terms.age),
            "detail": [],
        }


def _shared(labelled: LabelledSpan, sums: Sums, terms: Terms) -> Row:
    """What all metrics of a span have in common; what only some have is null."""
    return {
        "version": labelled.version,
        "segment": labelled.segment,
        "from_ms": labelled.from_ms,
        "to_ms": labelled.to_ms,
        "age": terms.age,
        "predictions": labelled.predictions,
        "coverage": labelled.coverage,
        "unusable": sum(sums.count(reason) for reason in UNUSABLE),
        "delay_median_ms": labelled.delay_ms(0.5),
        **dict.fromkeys(("verdict", "baseline", "loss", "model_loss", "baseline_loss")),
    }


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def _reason(labelled: LabelledSpan, sums: Sums, reason: str, age: str) -> str:
    """Why there is no value or interval: the first of what stands in its way."""
    if labelled.others:
        hours = "an hour was" if labelled.others == 1 else f"{labelled.others:,} hours were"
        left_out = f"{hours} summed up under another configuration, and left out"
        return f"{reason}; {left_out}" if sums.labels and reason else left_out
    if not labelled.predictions:
        return "no predictions" if age == NEWEST else f"no predictions, or none that were judged at {age} yet"
    if not labelled.labelled:
        return f"no labels yet of {labelled.predictions:,} predictions"
    return reason
