"""What a model is compared with that costs nothing: answers without a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from detectors.performance import Binary, Multiclass, Scheme
from detectors.performance.naive import Answer, loss_of
from monitor.config.schema import FieldSpec
from monitor.values import DAY_MS, DurationMs, Strict, WrongPartError, format_duration

__all__ = [
    "GAIN",
    "NEVER_SHOWN",
    "SKILL",
    "VALUE",
    "ConstantAnswer",
    "FieldAnswer",
    "History",
    "MovingAverageAnswer",
    "Naive",
    "NaiveSpec",
    "PriorAnswer",
    "SeasonalAnswer",
    "naive_of",
    "signal_beside",
]

SKILL = "skill:"
"""Before the name of a naive answer: the metric that compares what is lost with it."""

GAIN = "gain:"
"""The same of the metric that compares what events are worth."""

VALUE = "value"
"""What is lost where it is that what an event is worth."""

HOUR_MS = DAY_MS // 24
LONGEST_MS = 366 * DAY_MS
LARGEST_ANSWER = 1e60
NEVER_SHOWN = ("drop", "personal")

Loss = Annotated[
    Literal["brier", "error", "squared"] | None,
    Field(
        description="what an event costs: `brier` (a probability's squared error) or `error` (1 where the class is "
        "wrong) of probabilities, `error` of classes, `squared` of numbers; the first of these if absent"
    ),
]


class PriorAnswer(Strict):
    """The best answer for all that is the same: the mean, the share of the positive, the most frequent class."""

    kind: Literal["prior"]
    loss: Loss = None


class ConstantAnswer(Strict):
    """Always the same answer."""

    kind: Literal["constant"]
    answer: str | float = Field(
        union_mode="left_to_right",
        description="a number, the probability of the positive class, or a class in quotes",
    )
    loss: Loss = None


class SeasonalAnswer(Strict):
    """What was true so long before, such as of the same hour of the week before."""

    kind: Literal["seasonal"]
    period: DurationMs = Field(default=7 * DAY_MS, gt=0, le=LONGEST_MS, description="so long before, in whole hours")
    loss: Loss = None


class MovingAverageAnswer(Strict):
    """What was true of the newest hours that were judged, at the last age of `judge_at`, when an hour begins."""

    kind: Literal["moving_average"]
    over: DurationMs = Field(
        default=DAY_MS, gt=0, le=LONGEST_MS, description="of so many hours; `1h` is the last value"
    )
    loss: Loss = None


class FieldAnswer(Strict):
    """What a field of the event says, such as the answer of a rule or of the model's predecessor."""

    kind: Literal["field"]
    field: str = Field(min_length=1, description="a part of the prediction, or a feature that comes with it")
    loss: Loss = None


NaiveSpec = Annotated[
    PriorAnswer | ConstantAnswer | SeasonalAnswer | MovingAverageAnswer | FieldAnswer, Field(discriminator="kind")
]


@dataclass(frozen=True)
class History:
    """The hours whose labels a naive answer for an hour is made of.

    Attributes
    ----------
    first_ms, last_ms : int
        The first and the last of these hours begin so long before the hour.
    age_ms : int
        What was known at this age of theirs, which is not after the hour begins.
    """

    first_ms: int
    last_ms: int
    age_ms: int


@dataclass(frozen=True)
class Naive:
    """A naive answer, settled.

    Attributes
    ----------
    name : str
    loss : str
        One of `detectors.performance.naive.LOSSES`, or ``value``.
    answer : float, str or None
        What it is, where it is the same for all time.
    history : History or None
        Of what it is made, where it is made of earlier hours.
    signal : str or None
        Of the field that answers; without any of these it is the prior of what is asked for.
    """

    name: str
    loss: str
    answer: Answer | None = None
    history: History | None = None
    signal: str | None = None

    @property
    def metric(self) -> str:
        """The name of the metric that compares with it."""
        return f"{GAIN if self.loss == VALUE else SKILL}{self.name}"

    @property
    def words(self) -> str:
        """What it does, for people."""
        if self.signal is not None:
            return f"the field {self.signal.partition(':')[2]}"
        if self.answer is not None:
            return f"always answering {self.answer if isinstance(self.answer, str) else f'{self.answer:g}'}"
        if self.history is None:
            usual = {"brier": "share of the positive", "squared": "mean"}
            return f"always answering the {usual.get(self.loss, 'most frequent class')}"
        span_ms = self.history.first_ms - self.history.last_ms + HOUR_MS
        average = "usual class" if self.loss in ("error", VALUE) else "mean"
        if span_ms == HOUR_MS:
            return f"answering the {average} of the hour {format_duration(self.history.first_ms)} before"
        ends = format_duration(self.history.last_ms - HOUR_MS)
        return f"answering the {average} of {format_duration(span_ms)} that ended {ends} before"


def naive_of(
    specs: Mapping[str, NaiveSpec], scheme: Scheme, judge_at_ms: Sequence[int], fields: Mapping[str, FieldSpec]
) -> tuple[Naive, ...]:
    """Settle what predictions are compared with.

    Parameters
    ----------
    specs : mapping
        By name.
    scheme : Scheme
    judge_at_ms : sequence of int
    fields : mapping of str to FieldSpec
        Those that may answer, by their signals.

    Raises
    ------
    WrongPartError
        Of a part, from ``baselines`` on, that does not fit what is predicted.
    """
    naive = tuple(_naive(name, spec, scheme, (judge_at_ms, fields)) for name, spec in specs.items())
    answering = [each.name for each in naive if each.signal is not None]
    if len(answering) > 1:
        message = f"one field is stored with each prediction, and {answering[0]!r} has one already"
        raise WrongPartError(("baselines", answering[1], "kind"), message)
    return naive


def _naive(name: str, spec: Any, scheme: Scheme, by: tuple[Sequence[int], Mapping[str, FieldSpec]]) -> Naive:
    judge_at_ms, fields = by
    signal = (
        signal_beside(("baselines", name, "field"), spec.field, scheme.kind, fields)
        if isinstance(spec, FieldAnswer)
        else None
    )
    is_class = signal is not None and fields[signal].type == "category"
    try:
        loss = loss_of(scheme.kind, spec.loss or ("error" if is_class else None))
    except ValueError as error:
        raise WrongPartError(("baselines", name, "loss"), str(error)) from error
    if isinstance(spec, ConstantAnswer):
        return Naive(name, loss, answer=_answer(name, spec.answer, scheme))
    if isinstance(spec, SeasonalAnswer | MovingAverageAnswer):
        return Naive(name, loss, history=_history(name, spec, judge_at_ms))
    return Naive(name, loss, signal=signal)


def signal_beside(part: tuple[str, ...], field: str, kind: str, fields: Mapping[str, FieldSpec]) -> str:
    """Return the signal of a field that comes with the prediction, and is compared with labels like it.

    Parameters
    ----------
    part : tuple of str
        Which part of ``performance`` names it.
    field, kind : str
    fields : mapping of str to FieldSpec
        Those that there are, by their signals.

    Raises
    ------
    WrongPartError
    """
    signals = [signal for signal in (f"prediction:{field}", f"feature:{field}") if signal in fields]
    if not signals:
        there_are = ", ".join(sorted(signal.partition(":")[2] for signal in fields)) or "nothing does"
        raise WrongPartError(part, f"{field!r} does not come beside the prediction: {there_are}")
    spec = fields[signals[0]]
    types = {"binary": ("numeric", "category"), "multiclass": ("category",), "regression": ("numeric",)}[kind]
    if spec.type not in types:
        raise WrongPartError(part, f"{field!r} is a {spec.type}, and {kind} predictions need a {types[0]}")
    if spec.privacy in NEVER_SHOWN:
        raise WrongPartError(part, f"`privacy: {spec.privacy}` leaves nothing that may be compared")
    return signals[0]


def _answer(name: str, answer: Answer, scheme: Scheme) -> Answer:
    part = ("baselines", name, "answer")
    if isinstance(scheme, Multiclass):
        if not isinstance(answer, str):
            raise WrongPartError(part, f'classes are predicted: name one, in quotes: "{answer:g}"')
        return answer
    if isinstance(answer, str):
        raise WrongPartError(part, f"numbers are predicted, and {answer!r} is none")
    if isinstance(scheme, Binary) and not 0 <= answer <= 1:
        raise WrongPartError(part, f"probabilities are predicted, and {answer:g} is none")
    if not abs(answer) <= LARGEST_ANSWER:
        raise WrongPartError(part, f"{answer:g} is beyond all numbers that are compared")
    return answer


def _history(name: str, spec: SeasonalAnswer | MovingAverageAnswer, judge_at_ms: Sequence[int]) -> History:
    """Hours end, and are judged, before the one begins that is answered."""
    part, length_ms = ("period", spec.period) if isinstance(spec, SeasonalAnswer) else ("over", spec.over)
    if length_ms % HOUR_MS:
        raise WrongPartError(("baselines", name, part), "hours are added up: it is a multiple of `1h`")
    if isinstance(spec, MovingAverageAnswer):
        age_ms = judge_at_ms[-1]
        last_ms = HOUR_MS - -age_ms // HOUR_MS * HOUR_MS
        return History(last_ms + length_ms - HOUR_MS, last_ms, age_ms)
    ages_ms = [age_ms for age_ms in judge_at_ms if age_ms <= length_ms - HOUR_MS]
    if not ages_ms:
        message = f"no label counts so soon: hours are judged {format_duration(judge_at_ms[0])} after they end at first"
        raise WrongPartError(("baselines", name, part), message)
    return History(length_ms, length_ms, ages_ms[-1])
