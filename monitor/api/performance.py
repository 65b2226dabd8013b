"""How good a model is, by its labels: metrics with their confidence intervals."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Annotated

from fastapi import APIRouter, Depends, Response

from detectors.performance import METRICS, Estimate, Question, Sums, estimates
from detectors.performance.sums import UNUSABLE
from monitor.api.contract import ApiService
from monitor.api.forms import Whole, listed_whole, lists
from monitor.api.labelled_hours import NEWEST_MS, LabelledSpan, hours_of, spans
from monitor.api.parameters import TheService, check_model, duration_ms, question_of, span_of
from monitor.api.problems import bad_parameter
from monitor.api.reading import Row
from monitor.api.too_good import Failures
from monitor.config.performance import PerformancePlan
from monitor.resources.performance import MAX_ROWS, MetricDetail, MetricEstimate, Performance
from monitor.values import format_duration
from sinks.store.contract import Query
from sinks.store.rows import rows_of

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["performance"])

NEWEST = "newest"
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
    """

    scheme: str
    metrics: Sequence[str]
    by: Question
    currency: str | None
    age: str

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
    rows: list[Row] = []
    size = 0
    for labelled in spans(service.store, chosen, terms.scheme):
        of_span = list(_rows(question.model, labelled, terms, failures))
        rows += of_span
        size += sum(1 + len(row["detail"]) for row in of_span)
        if size > MAX_ROWS:
            message = f"the answer has more than {MAX_ROWS:,} rows: ask for fewer metrics, or longer steps"
            raise bad_parameter("step", message)
    if not rows and question.step is None:
        nothing = LabelledSpan(*chosen.span, question.version, question.segment)
        rows = list(_rows(question.model, nothing, terms, failures))
    head = {"from_ms": chosen.span[0], "to_ms": chosen.span[1]}
    return listed_whole(form, rows, MetricEstimate, head)


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
    for name in question.metrics or ():
        if name not in fitting:
            raise bad_parameter("metric", f"there is no {name!r} of {kind} predictions; there are {', '.join(fitting)}")
    by = Question(kind) if plan is None else Question(kind, plan.min_labels, plan.beta)
    metrics = question.metrics or (fitting if plan is None else plan.metrics)
    return Terms(scheme, list(dict.fromkeys(metrics)), by, None if plan is None else plan.currency, question.age)


def _stored_scheme(service: ApiService, model: str) -> str | None:
    newest = Query("performance", {"model": model}, descending=True, limit=1, columns=("scheme",))
    return next((row["scheme"] for row in rows_of(service.store.read(newest))), None)


def _rows(model: str, labelled: LabelledSpan, terms: Terms, failures: Failures) -> Iterator[Row]:
    sums = labelled.sums(terms.scheme)
    delay_ms = labelled.delay_ms(0.5)
    for name, estimate in terms.estimated(labelled).items():
        metric = METRICS[name]
        too_good = failures.too_good(labelled, name, metric.better, estimate)
        yield {
            "model": model,
            "metric": name,
            "version": labelled.version,
            "segment": labelled.segment,
            "from_ms": labelled.from_ms,
            "to_ms": labelled.to_ms,
            "age": terms.age,
            "value": _number(estimate.value),
            "low": _number(estimate.low),
            "high": _number(estimate.high),
            "bound": estimate.bound,
            "better": metric.better,
            "currency": terms.currency if metric.needs_value else None,
            "labels": sums.labels,
            "predictions": labelled.predictions,
            "coverage": labelled.coverage,
            "unusable": sum(sums.count(reason) for reason in UNUSABLE),
            "delay_median_ms": delay_ms,
            "too_good": too_good is not None,
            "alert_id": None if too_good is None else too_good.failing.alert_id,
            "reason": _reason(labelled, sums, estimate, terms.age) if too_good is None else too_good.sentence,
            "detail": [{name: row.get(name) for name in DETAIL} for row in estimate.detail],
        }


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def _reason(labelled: LabelledSpan, sums: Sums, estimate: Estimate, age: str) -> str:
    """Why there is no value or interval: the first of what stands in its way."""
    if labelled.others:
        hours = "an hour was" if labelled.others == 1 else f"{labelled.others:,} hours were"
        left_out = f"{hours} summed up under another configuration, and left out"
        return f"{estimate.reason}; {left_out}" if sums.labels and estimate.reason else left_out
    if not labelled.predictions:
        return "no predictions" if age == NEWEST else f"no predictions, or none that were judged at {age} yet"
    if not labelled.labelled:
        return f"no labels yet of {labelled.predictions:,} predictions"
    return estimate.reason
