"""Rollouts: a candidate version beside its champion, until it may stay or has to go."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from pydantic import Field

from monitor.api.auditor import about
from monitor.api.contract import ApiService
from monitor.api.forms import InPages, listed, lists
from monitor.api.parameters import TheService, answer, check_model, question_of, watched
from monitor.api.people import Author, Comment
from monitor.api.problems import ProblemError, bad_parameter
from monitor.api.reading import Order, Page, Row
from monitor.api.tables import schema
from monitor.errors import InputError
from monitor.resources.rollouts import KnownRollout, RolloutDetail, Rollouts
from monitor.rollouts.judged import BETTER, judged_signals
from monitor.rollouts.rollout_log import JUDGED, Better, Metric, Rollout, log_rollout, log_stop, read_rollouts
from monitor.rollouts.standing import Standing, standings
from monitor.rollouts.strata import read_comparisons
from monitor.rollouts.sums import fields_of, is_rate, step_between
from monitor.rollouts.verdict import Compared, Comparison, compared, course_of, levels_of
from monitor.rollouts.wording import reason
from monitor.values import DAY_MS, Strict, parse_duration
from monitor.watch import Watch
from sinks.store import contract

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["alerts"])

LATEST_FIRST = Order("rollouts", (int, str), lambda rollout: (rollout.created_ms, rollout.id))

MOST_ACTIVE, MOST_METRICS = 20, 20
"""Rollouts of a model that are compared at once, and metrics of each."""

MOST_BY_DEFAULT = 10
RATE_LOSS = 0.01
"""By how much a rate may be worse where nobody says."""

MOST_POINTS = 200
"""Of a course: as many as a chart can show, each with bounds of its own."""

LEAST_LOSS, MOST_LOSS = 1e-12, 1e12
"""What a metric may lose is 0, or within these: squares of it are numbers."""

LONGEST_MS = 90 * DAY_MS

ASSUMES = (
    "events of one span do not depend on one another",
    "in every span the versions differ by as much, or in the same direction from max_loss",
    "which version an event goes to does not depend on what comes of it",
)
LABELS = "labels come as often, and as soon, for both versions, whatever they say"
ASYMPTOTIC = (
    "asymptotic metrics: sums of many events are nearly normal; nothing is concluded from fewer than 500 of each"
)


class PostedMetric(Strict):
    """What versions are compared by."""

    signal: str = Field(
        description="a number, such as `prediction:score`; `missing:NAME` or `invalid:NAME`; or "
        "`performance:NAME` by labels"
    )
    better: Better | None = Field(
        default=None, description="by default `lower` of rates, and `same` of numbers: not further away than `max_loss`"
    )
    max_loss: float | None = Field(
        default=None,
        ge=0,
        le=MOST_LOSS,
        allow_inf_nan=False,
        description="in the signal's units; of a rate, a share: 0.01 by default",
    )


class PostedRollout(Strict):
    """A candidate that is compared with its champion from the next window on."""

    model: str
    candidate: str = Field(min_length=1, max_length=200, description="the version that may stay or has to go")
    champion: str = Field(min_length=1, max_length=200, description="the version that it is compared with")
    metrics: list[PostedMetric] = Field(
        default_factory=list,
        max_length=MOST_METRICS,
        description="`missing:NAME` of each prediction if empty, or else of each feature, the first ten",
    )
    max_loss: float | None = Field(
        default=None, ge=0, le=MOST_LOSS, allow_inf_nan=False, description="of metrics that state none"
    )
    level: float = Field(default=0.05, ge=0.0001, le=0.5, description="how often a verdict may be wrong")
    until: str = Field(default="14d", description="for how long, in event time: `90d` at most")
    reason: Comment = ""
    created_by: Author


class PostedStop(Strict):
    """Who stops a rollout, and why."""

    created_by: Author
    reason: Comment = ""


@router.post("/rollouts", summary="Compare a candidate version with its champion", response_model=RolloutDetail)
def start_rollout(posted: PostedRollout, service: TheService) -> Response:
    watch = watched(service, posted.model)
    _check_versions(service, posted)
    metrics = _metrics(watch, posted)
    _check_resolution(service, watch, posted.champion, metrics)
    rollout = Rollout(
        "",
        posted.model,
        posted.candidate,
        posted.champion,
        metrics,
        posted.level,
        _lasts_ms(watch, posted.until),
        posted.created_by,
        posted.reason,
    )
    about(rollout.model, rollout.candidate, rollout.champion)
    return answer(_detail(service, _started(service, rollout)))


@lists(router, Rollouts)
def rollouts(
    service: TheService, form: InPages, question: Annotated[Rollouts, Depends(question_of(Rollouts))]
) -> Response:
    check_model(service, question.model)
    types = schema(KnownRollout)
    matching = [
        rollout
        for rollout in read_rollouts(service.store, question.model)
        if question.candidate in (None, rollout.candidate)
    ]

    def read(limit: int, cursor: str | None) -> Page:
        page, following = LATEST_FIRST.page(matching, limit, cursor)
        now = standings(service.store, page)
        return Page.of([_row(rollout, now[rollout.id]) for rollout in page], types.names, following)

    return listed(form, read, types, {})


@router.get("/rollouts/{rollout}", summary="One rollout, with its evidence", response_model=RolloutDetail)
def one_rollout(
    rollout: str,
    service: TheService,
    points: Annotated[int, Query(ge=0, le=MOST_POINTS, description="of each metric's `course`, at most")] = 0,
) -> Response:
    return answer(_detail(service, _named(service, rollout), points))


@router.post("/rollouts/{rollout}/stop", summary="Stop comparing versions", response_model=RolloutDetail)
def stop_rollout(rollout: str, posted: PostedStop, service: TheService) -> Response:
    running = _named(service, rollout)
    about(running.model, running.candidate, running.champion)
    if not running.stopped_ms:
        running = log_stop(service.store, service.clock, running, posted.created_by, posted.reason)
    return answer(_detail(service, running))


def _named(service: ApiService, name: str) -> Rollout:
    rollout = next((each for each in read_rollouts(service.store) if each.id == name), None)
    if rollout is None:
        raise ProblemError("not-found", f"there is no rollout {name!r}")
    return rollout


def _started(service: ApiService, rollout: Rollout) -> Rollout:
    """Return the rollout, or the same one where it runs already."""
    while True:
        rollouts = read_rollouts(service.store, rollout.model)
        active = _active(service, rollouts)
        running = next((each for each in active if _is_in_place_of(each, rollout)), None)
        if running is not None and running.is_like(rollout):
            return running
        if running is not None:
            detail = f"{rollout.candidate} is compared already, by {running.id}: stop that first"
            raise bad_parameter("candidate", detail)
        if len(active) >= MOST_ACTIVE:
            detail = f"{MOST_ACTIVE} rollouts of {rollout.model} are running: stop those nobody needs"
            raise bad_parameter("model", detail)
        started = log_rollout(service.store, service.clock, rollout, rollouts)
        if started.is_like(rollout):
            return started


def _active(service: ApiService, rollouts: Sequence[Rollout]) -> list[Rollout]:
    rollouts = [rollout for rollout in rollouts if not rollout.stopped_ms]
    now = standings(service.store, rollouts)
    return [rollout for rollout in rollouts if now[rollout.id].is_active]


def _is_in_place_of(rollout: Rollout, other: Rollout) -> bool:
    return (rollout.candidate, rollout.by_labels) == (other.candidate, other.by_labels)


def _check_versions(service: ApiService, posted: PostedRollout) -> None:
    if posted.candidate == posted.champion:
        raise bad_parameter("candidate", "expected another version than the champion")
    stored = service.store.read(contract.Query("versions", {"model": posted.model}, columns=("version",)))["version"]
    if posted.champion not in stored:
        choices = f"known are {', '.join(stored)}" if len(stored) else "it has none yet"
        raise bad_parameter("champion", f"{posted.model} has no version {posted.champion!r}; {choices}")


def _lasts_ms(watch: Watch, until: str) -> int:
    try:
        lasts_ms = parse_duration(until)
    except (InputError, ValueError) as error:
        raise bad_parameter("until", str(error)) from error
    step_ms = watch.model.spec.detect.defaults.step_ms
    if not step_ms <= lasts_ms <= LONGEST_MS:
        raise bad_parameter("until", f"expected no less than a window's step, {step_ms // 1000} s, and 90d at most")
    return lasts_ms


def _metrics(watch: Watch, posted: PostedRollout) -> tuple[Metric, ...]:
    fields = [*fields_of(watch), *judged_signals(watch)]
    chosen = posted.metrics or [PostedMetric(signal=signal) for signal in _by_default(watch)]
    if len({metric.signal for metric in chosen}) < len(chosen):
        raise bad_parameter("metrics", "a signal stands there twice")
    if not chosen:
        raise bad_parameter("metrics", f"say by what versions are compared; {_choices(fields)}")
    metrics = []
    for metric in chosen:
        if metric.signal not in fields:
            raise ProblemError("unknown-signal", f"versions are not compared by {metric.signal!r}; {_choices(fields)}")
        max_loss = metric.max_loss if metric.max_loss is not None else posted.max_loss
        if max_loss is None and not is_rate(metric.signal):
            raise bad_parameter("max_loss", f"say by how much {metric.signal} may be worse, in its units")
        better: Better = metric.better or _better(metric.signal)
        metrics.append(Metric(metric.signal, better, RATE_LOSS if max_loss is None else max_loss))
        if 0 < metrics[-1].max_loss < LEAST_LOSS:
            raise bad_parameter("max_loss", f"{metric.signal}: expected 0, or {LEAST_LOSS:g} at least")
        if is_rate(metric.signal) and metrics[-1].max_loss >= 1:
            raise bad_parameter("max_loss", f"{metric.signal} is a share of events: expected less than 1")
    if len({metric.signal.startswith(JUDGED) for metric in metrics}) > 1:
        raise bad_parameter("metrics", f"labels come later than windows: compare by {JUDGED}… in a rollout of its own")
    return tuple(metrics)


def _check_resolution(service: ApiService, watch: Watch, champion: str, metrics: Sequence[Metric]) -> None:
    for metric in metrics:
        if step := step_between(service.store, watch, metric.signal, champion):
            raise bad_parameter(
                "metrics",
                f"values of {metric.signal} are told {step:.3g} apart, and spread by less: their mean is not known well"
                " enough to be compared. Give it a `usual_range`, and begin once its panes have been counted with it",
            )


def _better(signal: str) -> Better:
    if signal.startswith(JUDGED):
        return BETTER[signal.removeprefix(JUDGED)]
    return "lower" if is_rate(signal) else "same"


def _by_default(watch: Watch) -> Sequence[str]:
    kind = "prediction:" if watch.model.spec.schema_.prediction else "feature:"
    fields = fields_of(watch).items()
    return [rate for rate, signal in fields if rate.startswith("missing:") and signal.startswith(kind)][
        :MOST_BY_DEFAULT
    ]


def _choices(fields: Sequence[str]) -> str:
    return f"there are {', '.join(fields)}" if fields else "the model has no numbers, and nothing that may be missing"


def _row(rollout: Rollout, now: Standing) -> Row:
    has_begun = rollout.stratum_ms > 0
    return {
        **vars(rollout),
        "metrics": [metric.signal for metric in rollout.metrics],
        "verdict": now.verdict,
        "state": now.state,
        "from_ms": rollout.from_ms if has_begun else None,
        "last_ms": now.last_ms or None,
        "until_ms": rollout.until_ms if has_begun else None,
        "stopped_ms": rollout.stopped_ms or None,
    }


def _detail(service: ApiService, rollout: Rollout, points: int = 0) -> Row:
    comparisons, _, _ = read_comparisons(service.store, rollout)
    facts, levels = compared(rollout, comparisons), levels_of(rollout)
    types = schema(KnownRollout)
    shown = _row(rollout, standings(service.store, [rollout])[rollout.id])
    return {name: shown[name] for name in types.names} | {
        "compared": [_fact(fact, rollout) | {"course": _course(fact, rollout, comparisons, points)} for fact in facts],
        "promote_level": levels.promote,
        "rollback_level": levels.rollback,
        "assumes": [
            *ASSUMES,
            *([LABELS] if rollout.by_labels else []),
            *([] if all(is_rate(fact.metric.signal) for fact in facts) else [ASYMPTOTIC]),
        ],
    }


def _fact(fact: Compared, rollout: Rollout) -> Row:
    numbers = {name: getattr(fact, name) for name in ("champion_mean", "candidate_mean", "difference", "low", "high")}
    return {
        **vars(fact.metric),
        "verdict": fact.verdict,
        **{name: _number(value) for name, value in numbers.items()},
        "champion_n": fact.champion_n,
        "candidate_n": fact.candidate_n,
        "strata": fact.strata,
        "method": "exact" if is_rate(fact.metric.signal) else "asymptotic",
        "words": reason(fact, rollout),
    }


def _course(
    fact: Compared, rollout: Rollout, comparisons: Mapping[str, Sequence[Comparison]], points: int
) -> list[Row]:
    course = course_of(rollout, fact.metric, comparisons.get(fact.metric.signal, ()), points)
    return [{name: _number(value) for name, value in point._asdict().items()} for point in course]


def _number(value: float) -> float | None:
    """Return what JSON can say; nothing of what is infinite or unknown."""
    return value if math.isfinite(value) else None
