"""Which detectors watch which signals, and what is wrong with the rules that say so.

A rule names a detector in one of two ways. With a pattern (``feature:*``) the detector is applied wherever it fits,
so that one rule serves numbers and categories; with the exact name of a signal it must fit.

The windowed detectors, :data:`WINDOWED`, are the tables of `detectors.distance` and the volume; the per-event ones
stand in ``detectors.drift.DETECTORS`` and ``detectors.anomaly.SCORERS``, and river's in river. These are imported only
when a rule names one of them: ``leeway check`` should answer at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from detectors.chart.volume import MIN_EFFECT
from detectors.distance import DISTANCES, VECTOR_DISTANCES, Distance, VectorDistance
from monitor.config.detect import Rule, Use
from monitor.config.model import Model
from monitor.config.schema import FieldSpec
from monitor.errors import nearest_hint

if TYPE_CHECKING:
    from detectors.contract import Described

__all__ = [
    "ALIASES",
    "RIVERS",
    "VOLUME",
    "WINDOWED",
    "Params",
    "Windowed",
    "is_pattern",
    "sharing_budget",
    "uses_for",
    "wrong_anywhere",
    "wrong_rules",
]

Params = dict[str, float | int | str | bool]
Path_ = tuple[str | int, ...]

VOLUME = "volume"
"""The signal that counts events."""

_SIGNAL_KINDS = ("feature", "prediction", "estimated", "vector", VOLUME)

RIVERS = "river."
"""What the names of river's detectors begin with."""


@dataclass(frozen=True)
class Windowed:
    """A detector that compares a window with the baseline.

    Attributes
    ----------
    name : str
    kind : str
        ``distance`` (of two distributions), ``rate`` (a share of the events) or ``volume`` (how many events).
    summary : str
        One sentence for the user.
    fits : frozenset of str
        ``numeric``, ``category``, ``range`` (numeric with a declared range), ``vector``, ``volume``.
    default_min_effect : float
        The smallest effect that is material unless the user says otherwise.
    largest_effect : float
        ``min_effect`` beyond it could never be reached.
    """

    name: str
    kind: str
    summary: str
    fits: frozenset[str]
    default_min_effect: float
    largest_effect: float = math.inf


_DISTANCES: tuple[Distance | VectorDistance, ...] = (*DISTANCES.values(), *VECTOR_DISTANCES.values())

WINDOWED: dict[str, Windowed] = {
    **{
        distance.name: Windowed(
            distance.name,
            "rate" if distance.is_rate else "distance",
            distance.summary,
            distance.fits,
            distance.default_min_effect,
            distance.largest_effect,
        )
        for distance in _DISTANCES
    },
    VOLUME: Windowed(VOLUME, "volume", "How many events came, against what is usual.", frozenset({VOLUME}), MIN_EFFECT),
}
"""Every windowed detector, by name."""

ALIASES = {alias: distance.name for distance in _DISTANCES for alias in distance.aliases}
"""Short names that rules may use."""


def uses_for(model: Model) -> dict[str, dict[str, Params]]:
    """Return the detectors of every signal, with their parameters.

    Parameters
    ----------
    model : Model

    Returns
    -------
    dict of signal to dict of detector name to parameters
        Signals in the order of the schema, then vectors, ``volume`` last; detectors in the order in which rules name
        them first; parameters of later rules override those of earlier ones. A signal that nothing watches has an empty
        dict.

    Examples
    --------
    >>> model = Model.model_validate({
    ...     "apiVersion": "leeway/v1", "kind": "Model", "metadata": {"name": "m"},
    ...     "spec": {"sources": [{"http": "m"}], "schema": {"features": {"amount": {"type": "numeric"}}},
    ...              "detect": {"default_rules": False, "rules": [
    ...                  {"on": "*", "use": ["psi", "ks", "new_category"]},
    ...                  {"on": "feature:amount", "use": [{"psi": {"min_effect": 0.2}}]}]}}})
    >>> uses_for(model)
    {'feature:amount': {'psi': {'min_effect': 0.2}, 'ks': {}}, 'volume': {}}
    """
    rules = [
        (rule, [(ALIASES.get(use.name, use.name), use.params) for use in rule.use])
        for rule in model.spec.detect.all_rules()
    ]
    fits = {name: _fits(name) for _, uses in rules for name, _ in uses}
    # Signals of one kind, of which a model may have hundreds, share what the same rules give them.
    alike: dict[tuple[tuple[int, ...], frozenset[str]], dict[str, Params]] = {}
    uses_of: dict[str, dict[str, Params]] = {}
    for signal, traits in _signals(model).items():
        matching = tuple(index for index, (rule, _) in enumerate(rules) if rule.matches(signal))
        if (matching, traits) not in alike:
            alike[matching, traits] = _uses_of(traits, [rules[index][1] for index in matching], fits)
        uses_of[signal] = alike[matching, traits]
    return uses_of


def wrong_rules(model: Model) -> Iterator[tuple[Path_, str]]:
    """Yield what is wrong with the rules of a model's file: the path of the key, and a message.

    Parameters
    ----------
    model : Model

    Yields
    ------
    (tuple of str and int, str)
    """
    signals = _signals(model)
    mistaken = False
    for path, message in _wrong_vectors(model):
        mistaken = True
        yield ("spec", "detect", "vectors", *path), message
    for index, rule in enumerate(model.spec.detect.rules):
        for path, message in _wrong_rule(rule, signals, model):
            mistaken = True
            yield ("spec", "detect", "rules", index, *path), message
    # Parameters that are wrong by themselves would be reported once more.
    if not mistaken:
        yield from _wrong_combinations(model)
    for path, message in _wrong_error_detectors(model):
        yield ("spec", "performance", "detectors", *path), message
    for path, message in _wrong_severities(model):
        yield ("spec", "alerts", "severity", *path), message


def _wrong_severities(model: Model) -> Iterator[tuple[Path_, str]]:
    """Yield patterns that no signal matches; all signals of a kind, `prediction:*`, may be none."""
    signals = [*_signals(model), *model.spec.judged_signals]
    for severity, patterns in model.spec.alerts.severity.items():
        for index, pattern in enumerate([patterns] if isinstance(patterns, str) else patterns):
            is_of_a_kind = pattern in {f"{kind}:*" for kind in (*_SIGNAL_KINDS[:-1], "performance")}
            if not is_of_a_kind and not any(fnmatchcase(signal, pattern) for signal in signals):
                path: Path_ = (severity,) if isinstance(patterns, str) else (severity, index)
                hint = nearest_hint(pattern, signals, cutoff=0.5)
                yield path, f"{pattern!r} matches no signal; {hint}the signals are {', '.join(signals)}"


def _wrong_error_detectors(model: Model) -> Iterator[tuple[Path_, str]]:
    plan = model.spec.performance_plan
    if plan is None or not plan.detectors:
        return
    from detectors.drift import DETECTORS

    for index, (name, params) in enumerate(plan.detectors.items()):
        if name not in DETECTORS:
            hint = nearest_hint(name, DETECTORS, cutoff=0.5)
            yield (index,), f"{name!r} is no detector of change in errors; {hint}there are {', '.join(DETECTORS)}"
        elif plan.scheme.kind in ("regression", "ranking") and DETECTORS[name].domain != "real":
            suited = [each for each, detector in DETECTORS.items() if detector.domain == "real"]
            message = f"{name} is for errors that are 0 or 1, and these are numbers: there are {', '.join(suited)}"
            yield (index,), message
        else:
            mistakes = list(_wrong_parameters(name, Use(name=name, params=dict(params))))
            yield from (((index, name, parameter), message) for parameter, message in mistakes)
            if not mistakes:
                try:
                    DETECTORS[name].values(params)
                except ValueError as error:
                    yield (index, name), str(error)


def _wrong_vectors(model: Model) -> Iterator[tuple[Path_, str]]:
    fields = model.spec.schema_.signals()
    numeric = [signal for signal, field in fields.items() if field.type == "numeric"]
    has_whole_events = any(source.kind == "event" for source in model.spec.watched_sources)
    for name, signals in model.spec.detect.vectors.items():
        for index, signal in enumerate(signals):
            if signal not in numeric:
                hint = nearest_hint(signal, numeric, cutoff=0.5)
                yield (name, index), f"{signal!r} is no numeric signal; {hint}they are {', '.join(numeric)}"
            elif signal in signals[:index]:
                yield (name, index), f"{signal!r} is named twice"
        if not has_whole_events and len({signal.partition(":")[0] for signal in signals}) > 1:
            yield (name,), "features and predictions come in separate events here, and a vector is of one event"


def is_pattern(on: str) -> bool:
    """Whether ``on`` may match several signals.

    Examples
    --------
    >>> is_pattern("feature:*"), is_pattern("feature:amount")
    (True, False)
    """
    return any(character in on for character in "*?[")


def _signals(model: Model) -> dict[str, frozenset[str]]:
    """What there is to watch, and which detectors that is for."""
    fields = {signal: _traits(spec) for signal, spec in model.spec.schema_.signals().items()}
    vectors = dict.fromkeys(model.spec.detect.vector_signals(), frozenset({"vector"}))
    estimates = dict.fromkeys(model.spec.estimated_signals(), frozenset({"numeric"}))
    return fields | vectors | estimates | {VOLUME: frozenset({"volume"})}


def sharing_budget(uses: Mapping[str, Mapping[str, object]]) -> list[str]:
    """Return the signals that share the budget of `rule: change`: those for which rules name any detector.

    Of those that only per-event detectors watch it is looked at how often these fire.

    Examples
    --------
    >>> sharing_budget({"feature:x": {"adwin": {}}, "feature:y": {}, "volume": {"volume": {}}})
    ['feature:x', 'volume']
    """
    return [signal for signal, named in uses.items() if named]


def _traits(spec: FieldSpec) -> frozenset[str]:
    traits: set[str] = {spec.type}
    if spec.range is not None:
        traits.add("range")
    if spec.type == "numeric" and (spec.range is None or (spec.range[0] >= 0 and spec.range[1] <= 1)):
        traits.add("unit")
    return frozenset(traits)


def _uses_of(
    traits: frozenset[str], rules: Sequence[Sequence[tuple[str, Params]]], fits: Mapping[str, frozenset[str]]
) -> dict[str, Params]:
    uses: dict[str, Params] = {}
    for named in rules:
        for name, params in named:
            if fits[name] & traits:
                uses[name] = uses.get(name, {}) | params
    return uses


def _fits(name: str) -> frozenset[str]:
    if name in WINDOWED:
        return WINDOWED[name].fits
    if name.startswith(RIVERS):
        return frozenset({"numeric"})
    from detectors.anomaly import SCORERS

    if name in SCORERS:
        return frozenset({"numeric", "vector"} if SCORERS[name].vectors else {"numeric"})
    from detectors.drift import DETECTORS

    return frozenset({"numeric"} if DETECTORS[name].domain == "real" else {"unit"})


def _per_event() -> Mapping[str, Described]:
    from detectors.anomaly import SCORERS, with_levels
    from detectors.drift import DETECTORS

    return {**DETECTORS, **{name: with_levels(scorer) for name, scorer in SCORERS.items()}}


def _unfit_vector(name: str, signal: str, model: Model) -> str:
    """What keeps a distance from being taken of a vector; nothing if it can be."""
    fields = model.spec.schema_.signals()
    parts = model.spec.detect.vector_signals().get(signal, [])
    # A part that is no signal is a mistake of its own.
    without = [part for part in parts if part in fields and fields[part].range is None]
    if without and model.spec.baseline.uri is None:
        return (
            f"{name} has to know how far the numbers of {signal!r} spread: name a data set in the baseline's `uri`, "
            f"or declare a `range` for {', '.join(without)}"
        )
    return ""


def wrong_anywhere(rules: Mapping[int, Rule]) -> Iterator[tuple[Path_, str]]:
    """Yield what is wrong with rules, by their indices, whatever signals a model has: path and message."""
    for index, rule in rules.items():
        kind, _, _ = rule.on.partition(":")
        if not any(fnmatchcase(signal_kind, kind) for signal_kind in _SIGNAL_KINDS):
            yield (
                (index, "on"),
                _no_signal(rule.on, [f"{signal_kind}:NAME" for signal_kind in _SIGNAL_KINDS[:-1]] + [VOLUME]),
            )
        for path, message in _wrong_uses(rule):
            yield (index, *path), message


def _wrong_uses(rule: Rule) -> Iterator[tuple[Path_, str]]:
    for index, use in enumerate(rule.use):
        name = ALIASES.get(use.name, use.name)
        if unknown := _unknown(name):
            yield ("use", index), unknown
            continue
        for parameter, message in _wrong_parameters(name, use):
            yield ("use", index, use.name, parameter), message


def _wrong_rule(rule: Rule, signals: Mapping[str, frozenset[str]], model: Model) -> Iterator[tuple[Path_, str]]:
    matched = [signal for signal in signals if rule.matches(signal)]
    if not matched:
        yield ("on",), _no_signal(rule.on, list(signals))
    yield from _wrong_uses(rule)
    for index, use in enumerate(rule.use):
        name = ALIASES.get(use.name, use.name)
        if _unknown(name):
            continue
        if matched and not is_pattern(rule.on) and not _fits(name) & signals[rule.on]:
            yield ("use", index), _misfit(use.name, _fits(name), rule.on, signals[rule.on])
        if name in WINDOWED and WINDOWED[name].fits == {"vector"}:
            yield from (
                (("use", index), message)
                for signal in matched
                if "vector" in signals[signal] and (message := _unfit_vector(name, signal, model))
            )


def _no_signal(on: str, signals: list[str]) -> str:
    prefix, _, field = on.partition(":")
    covered = {"missing", "invalid", "out_of_range"}
    if prefix in covered:
        return f"no signal is named {on!r}; watch it with `use: [{prefix}_rate]` on the signal of {field!r}"
    return f"matches no signal; {nearest_hint(on, signals, cutoff=0.5)}the signals are {', '.join(signals)}"


def _unknown(name: str) -> str:
    """What is wrong with the name of a detector; nothing if there is one."""
    if name.startswith(RIVERS):
        from detectors.river_adapter import check_each

        try:
            check_each(name, {})
        except ValueError as error:
            return str(error)
        return ""
    return "" if name in WINDOWED or name in _per_event() else _unknown_detector(name)


def _unknown_detector(name: str) -> str:
    names = [*WINDOWED, *ALIASES, *_per_event()]
    return f"unknown detector {name!r}; {nearest_hint(name, names, cutoff=0.5)}known are {', '.join(names)}"


def _misfit(name: str, fits: frozenset[str], signal: str, traits: frozenset[str]) -> str:
    if fits == {"range"} and "numeric" in traits:
        return f"{name} needs a `range` in the schema of {signal!r}"
    if fits == {"unit"} and "numeric" in traits:
        return f"{name} is for errors and losses, from 0 to 1, and the `range` of {signal!r} goes beyond that"
    kinds = {
        "range": "numeric fields with a range",
        "unit": "numeric fields from 0 to 1",
        "volume": "the signal `volume`",
        "vector": "vectors",
    }
    fitting = " and ".join(sorted(kinds.get(kind, f"{kind} fields") for kind in fits))
    (kind,) = traits - {"range", "unit"}
    actual = {"volume": "the number of events", "vector": "a vector"}.get(kind, f"a {kind} field")
    return f"{name} is for {fitting}, and {signal!r} is {actual}"


def _wrong_parameters(name: str, use: Use) -> Iterator[tuple[str, str]]:
    if name in WINDOWED:
        yield from _wrong_windowed_parameters(WINDOWED[name], use)
        return
    if name.startswith(RIVERS):
        yield from _wrong_river_parameters(name, use)
        return
    detector = _per_event()[name]
    by_name = {parameter.name: parameter for parameter in detector.parameters}
    for parameter, value in use.params.items():
        try:
            if parameter in by_name:
                by_name[parameter].accept(name, value)
            else:
                detector.values({parameter: value})
        except ValueError as error:
            yield parameter, str(error)


def _wrong_river_parameters(name: str, use: Use) -> Iterator[tuple[str, str]]:
    from detectors.river_adapter import check_each

    for parameter, value in use.params.items():
        try:
            check_each(name, {parameter: value})
        except ValueError as error:
            yield parameter, str(error)


def _wrong_windowed_parameters(detector: Windowed, use: Use) -> Iterator[tuple[str, str]]:
    for parameter, value in use.params.items():
        if parameter != "min_effect":
            message = f"{use.name}: there is no parameter {parameter!r}; the only one is min_effect"
            yield parameter, message
        elif not _is_effect(value, detector.largest_effect):
            upper = "" if math.isinf(detector.largest_effect) else f" and at most {detector.largest_effect:g}"
            yield parameter, f"{use.name}: min_effect is a number of at least 0{upper}, got {value!r}"


def _is_effect(value: object, largest: float) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return math.isfinite(value) and 0 <= value <= largest


def _wrong_combinations(model: Model) -> Iterator[tuple[Path_, str]]:
    """Parameters that are allowed one by one, but not together with what an earlier rule has set."""
    named = {ALIASES.get(use.name, use.name) for rule in model.spec.detect.all_rules() for use in rule.use}
    if named <= WINDOWED.keys():
        return
    seen: set[str] = set()
    for signal, uses in uses_for(model).items():
        for name, params in uses.items():
            if name in WINDOWED:
                continue
            try:
                _check_together(name, params)
            except ValueError as error:
                if str(error) not in seen:
                    seen.add(str(error))
                    yield _last_use(model, signal, name), str(error)


def _check_together(name: str, params: Params) -> None:
    if name.startswith(RIVERS):
        from detectors.river_adapter import values_of

        values_of(name, params)
    else:
        _per_event()[name].values(params)


def _last_use(model: Model, signal: str, name: str) -> Path_:
    paths = [
        ("spec", "detect", "rules", index, "use", position, use.name)
        for index, rule in enumerate(model.spec.detect.rules)
        for position, use in enumerate(rule.use if rule.matches(signal) else ())
        if ALIASES.get(use.name, use.name) == name
    ]
    return paths[-1]
