"""How good a model is, by labels: what is compared with which label, and what an error costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from detectors.performance import METRICS, Binary, Multiclass, Ranking, Regression, Scheme
from detectors.performance.evidence import CHARTED
from detectors.performance.ranked_items import MAX_ITEMS
from monitor.config.detect import Uses
from monitor.config.naive import (
    NEVER_SHOWN,
    SKILL,
    VALUE,
    ConstantAnswer,
    Naive,
    NaiveSpec,
    PriorAnswer,
    naive_of,
    signal_beside,
)
from monitor.config.schema import FieldSpec, Schema
from monitor.values import DAY_MS, DurationMs, Strict, WrongPartError

__all__ = [
    "COVERAGE",
    "ERROR",
    "PERFORMANCE",
    "EstimateSpec",
    "IntervalSpec",
    "Performance",
    "PerformancePlan",
    "is_judged",
    "metric_of",
    "plan_of",
]

PERFORMANCE = "performance:"
"""What the signals of metrics begin with."""

ALARMING: Mapping[str, frozenset[str]] = {
    "binary": frozenset({"accuracy", "precision", "recall", "brier", "value_per_event"}),
    "multiclass": frozenset({"accuracy", "balanced_accuracy", "value_per_event"}),
    "regression": frozenset({"bias", "mae", "pinball", "interval_coverage", "value_per_event"}),
    "ranking": frozenset({"ndcg", "value_per_event"}),
}
"""Metrics that alarm where nobody chooses."""

COVERAGE = "coverage"
"""The signal that says how many predictions have a label."""

ERROR = "error"
"""The metric, so to say, that per-event detectors watch: whether a prediction was wrong, or by how much."""

Kind = Literal["binary", "multiclass", "regression", "ranking"]

OUTCOMES = ("tp", "fp", "fn", "tn")
MAX_PAIRS = 10_000
MAX_CLASSES = 256
MAX_AGES = 10
MAX_ESTIMATES = 8
MAX_NAIVE = 8
MAX_DETECTORS = 8
NAME_OF_ESTIMATE = r"^[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,62}$"
LARGEST_VALUE = 1e12

_KINDS: Mapping[tuple[str, str], Kind] = {
    ("numeric", "category"): "binary",
    ("category", "category"): "multiclass",
    ("numeric", "numeric"): "regression",
    ("ranking", "ranking"): "ranking",
}
"""What is compared, by the types of prediction and label."""

_ValueOfOutcome = Annotated[float, Field(ge=-LARGEST_VALUE, le=LARGEST_VALUE, allow_inf_nan=False)]


class EstimateSpec(Strict):
    """An estimator that was fitted on labelled events."""

    uri: str = Field(min_length=1, description="the file that `leeway estimator fit` wrote")


class IntervalSpec(Strict):
    """Between what each predicted number is to be."""

    low: str = Field(min_length=1, description="a numeric part of the prediction, or a feature that comes with it")
    high: str = Field(min_length=1, description="the same of the upper end")


class Performance(Strict):
    """What is compared with what turned out to be true, and what is worked out of it."""

    prediction: str | None = Field(
        default=None, description="the part of the prediction that is compared; the only one if absent"
    )
    label: str | None = Field(default=None, description="the label it is compared with; the only one if absent")
    kind: Kind | None = Field(
        default=None, description="follows from the types: a number and a category are binary, and so on"
    )
    positive: str | None = Field(
        default=None,
        min_length=1,
        description='binary: the class whose probability the prediction is, in quotes: `"1"`, `"yes"`, `"true"`',
    )
    threshold: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="binary: a prediction of at least this says the positive class; 0.5 if absent",
    )
    k: int | None = Field(
        default=None, ge=1, le=MAX_ITEMS, description="rankings: so many items of a list count in ndcg; 10 if absent"
    )
    beta: float = Field(default=1.0, gt=0, le=100, description="how much more recall counts than precision in f_beta")
    probabilities: dict[str, str] = Field(
        default_factory=dict,
        max_length=MAX_CLASSES,
        description="multiclass: which numeric part of the prediction is the probability of each class, for `cbpe`: "
        "`{cat: p_cat, dog: p_dog}`",
    )
    weight: str | None = Field(
        default=None, description="a numeric label: how much an event counts, such as how many it stands for"
    )
    value: str | dict[str, _ValueOfOutcome] | None = Field(
        default=None,
        description="what an outcome is worth: binary `{tp: 120, fp: -8, fn: -450, tn: 0}`, multiclass "
        "`{true/predicted: number}` (pairs that are not named are worth 0), or a numeric label that says it",
    )
    currency: str | None = Field(default=None, min_length=1, max_length=20, description="what `value` is in")
    judge_at: list[DurationMs] = Field(
        default_factory=lambda: [DAY_MS // 24, DAY_MS, 7 * DAY_MS],
        min_length=1,
        max_length=MAX_AGES,
        description="how old predictions are when they are judged, ascending; later labels change history only",
    )
    min_labels: int = Field(
        default=100, ge=2, le=1_000_000_000, description="fewer labels give a value without an interval"
    )
    metrics: list[str] = Field(
        default_factory=list, description="which are worked out; all that fit what is compared if absent"
    )
    alarm_on: list[str] | None = Field(
        default=None,
        description="which metrics alarm when they move, and `coverage`, whether labels come: those that `metrics` "
        "names, or without it `accuracy`, `precision`, `recall` and `brier` of two classes, `accuracy` and "
        "`balanced_accuracy` of several, `bias` and `mae` of numbers, `ndcg` of rankings, and `value_per_event`; `[]`: "
        "none. With `detectors` also `error`, how often these fire. `skill:NAME`, where it is named here, alarms while "
        "the model is not shown to be better than that baseline",
    )
    detectors: Uses = Field(
        default_factory=list,
        max_length=MAX_DETECTORS,
        description="per-event detectors of change that are shown the errors, one by one as first labels come: "
        "`[ddm, {adwin: {delta: 0.001}}]`; 0 and 1 of classes, absolute errors of numbers, 1 − NDCG of rankings",
    )
    quantile: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="numbers: which quantile the prediction is to be, such as 0.9, for `pinball`",
    )
    interval: IntervalSpec | None = Field(
        default=None, description="numbers: which fields are the ends of an interval, for `interval_coverage`"
    )
    baselines: dict[Annotated[str, Field(pattern=NAME_OF_ESTIMATE)], NaiveSpec] | None = Field(
        default=None,
        max_length=MAX_NAIVE,
        description="answers that cost nothing, by name: the metric `skill:NAME` says how much less the model loses, "
        "and with `value` by outcome `gain:NAME` how much more an event is worth; `{prior: {kind: prior}}` if absent",
    )
    estimates: dict[Annotated[str, Field(pattern=NAME_OF_ESTIMATE)], EstimateSpec] = Field(
        default_factory=dict,
        max_length=MAX_ESTIMATES,
        description="what is known of each event before its label comes, by the name of its signal, `estimated:NAME`",
    )

    @field_validator("judge_at")
    @classmethod
    def _ages_ascend(cls, ages: list[int]) -> list[int]:
        if ages[0] <= 0 or any(earlier >= later for earlier, later in pairwise(ages)):
            raise ValueError("ages are longer than 0s and ascend, such as [1h, 1d, 7d]")
        return ages

    @model_validator(mode="after")
    def _currency_is_of_something(self) -> Self:
        if self.currency is not None and self.value is None:
            raise WrongPartError(("currency",), "nothing is worth anything without `value`")
        return self


@dataclass(frozen=True)
class PerformancePlan:
    """What is compared with what, settled.

    Attributes
    ----------
    prediction, label : str
        Signals, such as ``prediction:score`` and ``label:fraudulent``.
    weight, value : str or None
        Signals of labels that say how much an event counts, and what its outcome was worth.
    scheme : Scheme
        What is summed up.
    metrics : tuple of str
    judge_at_ms : tuple of int
        Ascending.
    min_labels : int
    beta : float
    currency : str or None
    naive : tuple of Naive
        What predictions are compared with that costs nothing.
    alarm_on : tuple of str
        Metrics that are signals, and ``coverage`` and ``error`` where these are.
    detectors : mapping of str to mapping
        What is shown the errors, with its parameters, by name.
    probabilities : mapping of str to str
        The signal that is the probability of each class, of several classes that have one.
    """

    prediction: str
    label: str
    weight: str | None
    value: str | None
    scheme: Scheme
    metrics: tuple[str, ...]
    judge_at_ms: tuple[int, ...]
    min_labels: int
    beta: float
    currency: str | None
    naive: tuple[Naive, ...] = ()
    alarm_on: tuple[str, ...] = (COVERAGE,)
    detectors: Mapping[str, Mapping[str, float | int | str | bool]] = field(default_factory=dict)
    probabilities: Mapping[str, str] = field(default_factory=dict)

    @property
    def naive_signal(self) -> str | None:
        """The signal of the field that answers without a model, if there is one."""
        return None if self.scheme.naive is None else self.scheme.naive[0]

    @property
    def interval(self) -> tuple[str, str] | None:
        """The signals of the fields between which a number is to be, if there are such."""
        return self.scheme.interval if isinstance(self.scheme, Regression) else None

    @property
    def label_signals(self) -> tuple[str, ...]:
        """The signals of labels that are read: of the label itself, then of weight and value."""
        return tuple(signal for signal in (self.label, self.weight, self.value) if signal is not None)

    @property
    def signals(self) -> tuple[str, ...]:
        """The signals that are made of labels: metrics that can be followed, and how many labels there are."""
        plain = (COVERAGE, *(each.metric for each in self.naive))
        return tuple(name if name in plain else f"{PERFORMANCE}{name}" for name in self.alarm_on)

    @property
    def charted(self) -> tuple[str, ...]:
        """Those of the signals that are followed by charts: all but skills."""
        return tuple(signal for signal in self.signals if not signal.startswith(SKILL))


def is_judged(signal: str) -> bool:
    """Whether a signal is made of labels.

    Examples
    --------
    >>> [is_judged(signal) for signal in ("performance:accuracy", "coverage", "skill:prior", "feature:amount")]
    [True, True, True, False]
    """
    return signal.startswith((PERFORMANCE, SKILL)) or signal == COVERAGE


def metric_of(signal: str) -> str:
    """Return of which metric a signal is.

    Examples
    --------
    >>> metric_of("performance:accuracy")
    'accuracy'
    """
    return signal.removeprefix(PERFORMANCE)


def plan_of(performance: Performance, schema: Schema) -> PerformancePlan:
    """Settle what is compared with what.

    Raises
    ------
    WrongPartError
        Of a part of ``performance`` that does not fit the schema or the other parts.
    """
    prediction = _field("prediction", performance.prediction, schema.prediction)
    label = _field("label", performance.label, schema.labels)
    kind = _kind(performance, schema.prediction[prediction], schema.labels[label])
    _refuse_hidden(kind, performance, schema.prediction[prediction], schema.labels[label])
    weight = _number(("weight",), performance.weight, label, schema.labels)
    value = performance.value if isinstance(performance.value, str) else None
    scheme = _scheme(kind, performance)
    specs = performance.baselines
    if specs is None:
        specs = {} if kind == "ranking" else {"prior": PriorAnswer(kind="prior")}
    fields = {signal: spec for signal, spec in schema.signals().items() if signal != f"prediction:{prediction}"}
    naive = naive_of(specs, scheme, performance.judge_at, fields)
    _refuse_digests(
        kind, schema.labels[label], specs, {each.name: fields[each.signal] for each in naive if each.signal}
    )
    if isinstance(performance.value, dict):
        naive += tuple(replace(each, loss=VALUE) for each in naive if each.signal is None)
    metrics, skills = _metrics(kind, performance, [each.metric for each in naive])
    naive = tuple(each for each in naive if each.metric in skills)
    answering = next(((each.signal, each.loss) for each in naive if each.signal), None)
    interval = None if performance.interval is None else _interval(performance.interval, fields)
    return PerformancePlan(
        prediction=f"prediction:{prediction}",
        label=f"label:{label}",
        weight=weight,
        value=_number(("value",), value, label, schema.labels),
        scheme=_scheme(kind, performance, answering, interval),
        metrics=metrics,
        judge_at_ms=tuple(performance.judge_at),
        min_labels=performance.min_labels,
        beta=performance.beta,
        currency=performance.currency,
        naive=naive,
        alarm_on=_alarm_on(kind, performance, metrics, naive),
        detectors=_detectors(performance),
        probabilities=_probabilities(performance, schema.prediction, schema.prediction[prediction]),
    )


def _detectors(performance: Performance) -> Mapping[str, Mapping[str, float | int | str | bool]]:
    detectors: dict[str, Mapping[str, float | int | str | bool]] = {}
    for index, use in enumerate(performance.detectors):
        if use.name in detectors:
            raise WrongPartError(("detectors", index), f"{use.name} is named twice")
        detectors[use.name] = use.params
    return detectors


def _probabilities(
    performance: Performance, fields: Mapping[str, FieldSpec], prediction: FieldSpec
) -> Mapping[str, str]:
    if performance.probabilities and prediction.is_digest:
        message = "the classes are digests (`privacy: hash`), and cannot be named here"
        raise WrongPartError(("probabilities",), message)
    if len(performance.probabilities) == 1:
        raise WrongPartError(("probabilities",), "name the probability of each class: there are two at least")
    signals: dict[str, str] = {}
    for of_class, name in performance.probabilities.items():
        part = ("probabilities", of_class)
        if name not in fields or fields[name].type != "numeric":
            numeric = ", ".join(each for each, spec in fields.items() if spec.type == "numeric") or "there is none"
            raise WrongPartError(part, f"{name!r} is no numeric part of the prediction: {numeric}")
        if fields[name].privacy is not None:
            raise WrongPartError(part, f"`privacy` changes what {name!r} says, so that it is no probability any more")
        if f"prediction:{name}" in signals.values():
            raise WrongPartError(part, f"{name!r} is the probability of another class")
        signals[of_class] = f"prediction:{name}"
    return signals


def _field(part: str, name: str | None, fields: Mapping[str, FieldSpec]) -> str:
    if name is None:
        if len(fields) != 1:
            names = ", ".join(fields) or "none"
            raise WrongPartError((part,), f"name one: the schema's are {names}")
        return next(iter(fields))
    if name not in fields:
        raise WrongPartError((part,), f"{name!r} is none of the schema's: {', '.join(fields) or 'there is none'}")
    return name


def _kind(performance: Performance, prediction: FieldSpec, label: FieldSpec) -> Kind:
    types = (prediction.type, label.type)
    inferred = _KINDS.get(types)
    if inferred is None:
        message = f"a {prediction.type} and a label that is a {label.type} cannot be compared"
        raise WrongPartError(("prediction",), message)
    if performance.kind is not None and performance.kind != inferred:
        needed = next(types for types, kind in _KINDS.items() if kind == performance.kind)
        message = f"{performance.kind} compares {needed[0]} with {needed[1]}, and these are {types[0]} and {types[1]}"
        raise WrongPartError(("kind",), message)
    if inferred == "binary" and performance.positive is None:
        raise WrongPartError(("positive",), "name the class whose probability the prediction is")
    for key in ("quantile", "interval"):
        if inferred != "regression" and getattr(performance, key) is not None:
            raise WrongPartError((key,), f"only numbers have one, and this is {inferred}")
    if inferred != "multiclass" and performance.probabilities:
        raise WrongPartError(("probabilities",), f"only names of classes have them, and this is {inferred}")
    if inferred != "ranking" and performance.k is not None:
        raise WrongPartError(("k",), f"only rankings have one, and this is {inferred}")
    for key in ("baselines", "estimates"):
        if inferred == "ranking" and getattr(performance, key):
            raise WrongPartError((key,), "there are none of rankings: leave it out")
    for key in ("positive", "threshold"):
        if inferred != "binary" and getattr(performance, key) is not None:
            raise WrongPartError((key,), f"only what is binary has one, and this is {inferred}")
    return inferred


def _refuse_hidden(kind: Kind, performance: Performance, prediction: FieldSpec, label: FieldSpec) -> None:
    """Sums of an hour may be of one event, so they are no place for what is never shown."""
    for part, spec in (("prediction", prediction), ("label", label)):
        if spec.privacy in NEVER_SHOWN:
            raise WrongPartError((part,), f"`privacy: {spec.privacy}` leaves nothing that may be compared")
        names_classes = kind == "binary" or isinstance(performance.value, dict)
        if spec.is_digest and names_classes:
            named_in = "positive" if kind == "binary" else "value"
            raise WrongPartError((named_in,), "the classes are digests (`privacy: hash`), and cannot be named here")
    if kind == "multiclass" and prediction.is_digest != label.is_digest:
        part = "prediction" if prediction.is_digest else "label"
        message = "its classes are digests (`privacy: hash`), which never equal names: have both as digests, or none"
        raise WrongPartError((part,), message)


def _refuse_digests(
    kind: Kind, label: FieldSpec, specs: Mapping[str, NaiveSpec], answering: Mapping[str, FieldSpec]
) -> None:
    """Digests are neither named nor compared with names."""
    for name, spec in specs.items():
        if isinstance(spec, ConstantAnswer) and label.is_digest:
            message = "the classes are digests (`privacy: hash`), and cannot be named here"
            raise WrongPartError(("baselines", name, "answer"), message)
        if name in answering and kind != "regression" and answering[name].is_digest != label.is_digest:
            message = "of it and the label one has digests (`privacy: hash`), which never equal names"
            raise WrongPartError(("baselines", name, "field"), message)


def _number(part: tuple[str], name: str | None, label: str, labels: Mapping[str, FieldSpec]) -> str | None:
    if name is None:
        return None
    if name not in labels or labels[name].type != "numeric":
        raise WrongPartError(part, f"{name!r} is not a numeric label of the schema")
    if name == label:
        raise WrongPartError(part, f"{name!r} is what predictions are compared with")
    if labels[name].privacy in NEVER_SHOWN:
        raise WrongPartError(part, f"`privacy: {labels[name].privacy}` leaves nothing that may be summed up")
    return f"label:{name}"


def _interval(interval: IntervalSpec, fields: Mapping[str, FieldSpec]) -> tuple[str, str]:
    low, high = (
        signal_beside(("interval", end), name, "regression", fields)
        for end, name in (("low", interval.low), ("high", interval.high))
    )
    return low, high


def _scheme(
    kind: Kind,
    performance: Performance,
    naive: tuple[str, str] | None = None,
    interval: tuple[str, str] | None = None,
) -> Scheme:
    matrix = performance.value if isinstance(performance.value, dict) else None
    from_label = isinstance(performance.value, str)
    if kind == "binary":
        threshold = 0.5 if performance.threshold is None else performance.threshold
        values = None if matrix is None else _of_outcomes(matrix)
        return Binary(str(performance.positive), threshold, values, from_label, naive)
    if kind == "multiclass":
        return Multiclass(None if matrix is None else _of_pairs(matrix), from_label, naive)
    if matrix is not None:
        of = "rankings" if kind == "ranking" else "errors of numbers"
        raise WrongPartError(("value",), f"{of} have no outcomes: name a numeric label")
    if kind == "ranking":
        return Ranking(10 if performance.k is None else performance.k, from_label)
    return Regression(from_label, naive, performance.quantile, interval)


def _of_outcomes(matrix: Mapping[str, float]) -> tuple[float, float, float, float]:
    if set(matrix) != set(OUTCOMES):
        raise WrongPartError(("value",), "name what each outcome is worth: {tp, fp, fn, tn}")
    return matrix["tp"], matrix["fp"], matrix["fn"], matrix["tn"]


def _of_pairs(matrix: Mapping[str, float]) -> dict[tuple[str, str], float]:
    if not matrix or len(matrix) > MAX_PAIRS:
        raise WrongPartError(("value",), f"name between one and {MAX_PAIRS:,} pairs")
    pairs: dict[tuple[str, str], float] = {}
    for name, number in matrix.items():
        true, _, predicted = name.partition("/")
        if not true or not predicted or "/" in predicted:
            raise WrongPartError(("value", name), "a pair is `true/predicted`, the names of two classes")
        pairs[true, predicted] = number
    return pairs


def _alarm_on(kind: Kind, performance: Performance, metrics: Sequence[str], naive: Sequence[Naive]) -> tuple[str, ...]:
    """The metrics that are signals; few unless somebody chooses, since they share a budget and most move together."""
    followed = [name for name in metrics if name in CHARTED]
    others = [COVERAGE, ERROR] if performance.detectors else [COVERAGE]
    if performance.alarm_on is None:
        return (*(name for name in followed if performance.metrics or name in ALARMING[kind]), *others)
    # What was usual when an hour began is not known of its sums.
    skills = [each.metric for each in naive if each.history is None and each.loss != VALUE]
    choices = [*followed, *others, *skills]
    for index, name in enumerate(performance.alarm_on):
        if name not in choices or name in performance.alarm_on[:index]:
            reason = "is named twice" if name in choices else "is none that alarms"
            raise WrongPartError(("alarm_on", index), f"{name!r} {reason}; there are {', '.join(choices)}")
    return tuple(performance.alarm_on)


def _metrics(kind: Kind, performance: Performance, skills: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The metrics, and the skills, that are worked out."""
    fitting = [name for name, metric in METRICS.items() if kind in metric.kinds]
    if performance.value is None:
        fitting = [name for name in fitting if not METRICS[name].needs_value]
    fitting = [
        name for name in fitting if not METRICS[name].needs or getattr(performance, METRICS[name].needs) is not None
    ]
    for index, name in enumerate(performance.metrics):
        if name not in METRICS and name not in skills:
            there_are = ", ".join([*fitting, *skills])
            raise WrongPartError(("metrics", index), f"there is no {name!r}; there are {there_are}")
        if name in METRICS and name not in fitting:
            needs = "value" if METRICS[name].needs_value else METRICS[name].needs
            reason = f"needs `{needs}`" if needs and kind in METRICS[name].kinds else f"is none of {kind} predictions"
            raise WrongPartError(("metrics", index), f"{name} {reason}; there are {', '.join(fitting)}")
        if name in performance.metrics[:index]:
            raise WrongPartError(("metrics", index), f"{name!r} is named twice")
    chosen = performance.metrics or [*fitting, *skills]
    return tuple(name for name in chosen if name in METRICS), tuple(name for name in chosen if name in skills)
