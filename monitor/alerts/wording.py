"""What people read: about a test of a window, about each signal of an alert, and the alert's title.

Every sentence is made here, once, from the fields of verdicts; it is stored, and nothing parses it back.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Protocol

from monitor.alerts.change_words import (
    SKILL_VALUE,
    as_number,
    as_times,
    comparison,
    joined,
    said_also,
    said_beyond,
    said_change,
    told_apart,
)
from monitor.alerts.recurrence import Recurrence
from monitor.alerts.verdict import (
    Change,
    Facts,
    Failure,
    NewNormal,
    NewVersion,
    OddLabels,
    Share,
    Status,
    Verdict,
    Why,
)
from sinks.receivers.times import utc

__all__ = [
    "Moved",
    "Said",
    "detail",
    "listed",
    "named",
    "reason",
    "said_failure",
    "said_measure",
    "said_most",
    "short_version",
    "since_version",
    "whole_of",
]

MILD = 3.0
"""Standard deviations up to which a shift is said in those: further out, scores grow more slowly than values."""

SYMPTOM = (
    "accuracy and other metrics may look better meanwhile: that number is the symptom, since the answer that is most "
    "often right is right without a model; find out what answers in the model's place: a default after an error or a "
    "timeout, a feature store that is down, the last deployment"
)
"""What to think, and to do, of an answer that stands for too many."""

UNLESS_ALIKE = "; or many cases are alike now, which is no failure: see whether features moved with it"
"""What else it may be, where not all answers are known to be one value."""

WORTH_ITS_COST = "see whether a model is worth its cost here; `leeway performance` has the metric with its interval"
"""What to think of a model that is no better."""

LABELS_CHANGED = "so that labels may have changed and not the model: `leeway performance` names what they say"
"""What to think of a metric that moved where most likely the labels did."""

LESS_THAN_A_STEP = "a shift of less may not be seen; `usual_range` in the schema, or a data set, tells more apart"
"""What to think of a number whose spread is small beside its level, and what to do."""

LATE_OR_LOST = "events that came late count in no window: `leeway explain` says how many there are"
"""What to think of a volume that sinks: traffic may be lost, or a clock ahead of it."""

NEARLY_ALL = 0.9
"""Share of all answers from which on a model is said to be stuck at one."""

LISTED_AT_MOST = 5

MOST_OF_A_VERSION = 40
"""Characters of a version's name that are said: a digest is known by its first ones."""

_WHY: Mapping[Why, str] = {
    "": "",
    "too_few": "{n} of {needed} events needed",
    "no_baseline": "",
    "nothing": "nothing to compare",
    "too_early": "learning: {seen} of {needed} {unit} seen",
    "no_value": "never had a value; learning: {seen} of {needed} {unit} seen",
    "values_come": "values come, which it never had; learning: {seen} of {needed} {unit} seen",
    "not_material": "not material: effect {effect:.3g} is below {min_effect:.3g}",
    "not_surprising": "not surprising: {surprise:.1f} of {surprise_limit:.1f} of its usual variation",
    "not_unusual": "not unusual: reached {reached} times in {seen} windows",
    "chance": "chance explains it: p = {p_value:.2g}",
}


def listed(names: Sequence[str]) -> str:
    """Return names as a sentence has them: the first few, and how many others there are.

    Examples
    --------
    >>> listed(["a", "b"]), listed(["a", "b", "c", "d", "e", "f", "g"])
    ('a, b', 'a, b, c, d, e and 2 more')
    """
    others = len(names) - LISTED_AT_MOST
    return ", ".join(names[:LISTED_AT_MOST]) + (f" and {others} more" if others > 0 else "")


class Moved(Protocol):
    """A series that is part of an alert."""

    @property
    def evidence(self) -> Verdict:
        """The foremost verdict of its last alarmed window; once its alert is over, the strongest of these."""
        ...

    @property
    def since_ms(self) -> int:
        """Start of its first alarmed window."""
        ...

    @property
    def onset_ms(self) -> int:
        """When it most likely moved, at the latest ``since_ms``."""
        ...

    @property
    def last_ms(self) -> int:
        """End of its last alarmed window."""
        ...

    @property
    def status(self) -> str:
        """What its newest window was: ``drift``, ``ok``, ``no_data``, ``learning``."""
        ...

    @property
    def new_version(self) -> NewVersion | None:
        """The version with which it began to move, or which has it from the one before."""
        ...

    @property
    def new_normal(self) -> NewNormal | None:
        """That its level has been accepted since it alarmed last."""
        ...

    @property
    def failure(self) -> Failure | None:
        """That one answer stands where a model gave many."""
        ...

    @property
    def recurrence(self) -> Recurrence | None:
        """That it alarmed so of late already."""
        ...


class Said(Protocol):
    """What a test says of a window: a verdict, or what a row of ``scores`` holds of one."""

    @property
    def status(self) -> Status: ...

    @property
    def facts(self) -> Facts: ...

    @property
    def n(self) -> int: ...

    @property
    def effect(self) -> float: ...

    @property
    def min_effect(self) -> float: ...

    @property
    def surprise(self) -> float: ...

    @property
    def surprise_limit(self) -> float: ...

    @property
    def p_value(self) -> float: ...


def reason(moved: Moved, most: Moved | None = None, *, advises: bool = True) -> str:
    """Return one sentence: what moved, by how much, compared with what, since when, and whether it still does.

    Parameters
    ----------
    moved : Moved
    most : Moved, optional
        The segment of it that moved most.
    advises : bool
        Whether it says what to think of a failure: once in an alert is enough.
    """
    verdict = moved.evidence
    if verdict.facts.change is not None:
        return _changed(moved, verdict.facts.change, most, advises=advises)
    effect = f"effect {as_number(verdict.effect)} (Cohen's h), " if verdict.facts.shares else ""
    measure = said_measure(verdict, effect)
    parts = [
        f"{named(verdict)} moved since {utc(moved.since_ms)}: {measure}{_limit(verdict)}{said_most(moved, most)}",
        _again(moved.recurrence),
        _surprise(verdict),
        f"{verdict.n:,} events up to {utc(verdict.at_ms)}{_baseline(verdict)}",
        *_beside_shares(verdict),
        _now(moved),
    ]
    return joined(parts)


def detail(verdict: Said) -> str:
    """Return what a test found in a window, in words: the column ``detail`` of ``scores``.

    Examples
    --------
    >>> from monitor.alerts.verdict import Facts
    >>> facts = Facts(shares=(Share(1, 99), Share(3, 97)))
    >>> detail(Verdict("", "", "missing:x", "missing_rate", "drift", 600_000, 300_000, facts=facts))
    '1 % → 3 %'
    >>> facts = Facts("too_early", seen=3, needed=10, unit="windows")
    >>> detail(Verdict("", "", "feature:x", "psi", "learning", 600_000, 300_000, facts=facts))
    'learning: 3 of 10 windows seen'
    """
    if verdict.facts.new_normal is not None and verdict.status != "drift":
        return _as_new_normal(verdict.facts.new_normal)
    if verdict.facts.change is not None:
        failure = verdict.facts.failure
        stuck = "" if failure is None else said_failure(failure)
        beside = joined(
            [
                stuck,
                said_change(verdict.facts.change),
                said_beyond(verdict.facts.change),
                _new_values(verdict),
                _no_value(verdict),
                _of_clocks(verdict),
            ]
        )
        if verdict.facts.change.what == SKILL_VALUE and verdict.status == "ok":
            return f"{beside}; {verdict.surprise:.0f} of {verdict.surprise_limit:.0f} blocks in a row reach 0"
        # Of nothing it is a little below 0, the logarithm of a mean: plus 0 leaves no minus sign.
        quiet = (
            f"evidence {round(verdict.surprise, 1) + 0.0:.1f} of {verdict.surprise_limit:.1f}, most of it in {beside}"
        )
        return joined([quiet, _coarse(verdict)]) if verdict.status == "ok" else beside
    shares = verdict.facts.shares if verdict.status == "drift" else None
    rates = f"{_percent(shares[0])} → {_percent(shares[1])}" if shares else ""
    return joined([rates, *_beside_shares(verdict), _coarse(verdict) if verdict.status == "ok" else ""])


def _coarse(verdict: Said) -> str:
    """Say that what is quiet may have moved by less than can be seen."""
    step = verdict.facts.step
    return f"values are told apart in steps of {as_number(step)} only: {LESS_THAN_A_STEP}" if step else ""


def said_failure(failure: Failure) -> str:
    """Say how a model fails."""
    if failure.kind == "no_better":
        lost, without = f"{failure.after:.4g}", f"{failure.before:.4g}"
        return f"not shown to be better than {failure.answer}: it loses {lost} a prediction instead of {without}"
    usual, current = told_apart(100 * failure.before, 100 * failure.after)
    answer = f"{'' if failure.is_exact else 'about '}{failure.answer}"
    if failure.kind == "fallback":
        answer = f"the default {answer}"
    state = f"stuck at {answer}" if failure.after >= NEARLY_ALL else f"{answer} too often"
    return f"{state} ({usual} % → {current} % of its answers)"


def _advice(failure: Failure) -> str:
    """Say what to think of an answer, and what else it may be where it need not be one, or a few others are left."""
    if failure.kind == "no_better":
        return WORTH_ITS_COST
    has_others = failure.kind == "stuck" and NEARLY_ALL <= failure.after < 1
    may_be_alike = has_others or not failure.is_exact
    return SYMPTOM + (UNLESS_ALIKE if may_be_alike else "")


def _changed(moved: Moved, change: Change, most: Moved | None, *, advises: bool) -> str:
    verdict, version = moved.evidence, moved.new_version
    since = f"since {'about ' if moved.onset_ms < moved.since_ms else ''}{utc(moved.onset_ms)}"
    if moved.failure is None:
        first = [f"{named(verdict)}: {said_change(change)}, {since}{said_most(moved, most)}"]
    else:
        is_or_says = ":" if moved.failure.kind == "no_better" else " is"
        first = [f"{named(verdict)}{is_or_says} {said_failure(moved.failure)}, {since}"]
        first += [_advice(moved.failure) if advises else ""]
        first += [f"{said_change(change)}{said_most(moved, most)}"]
    parts = [
        *first,
        _again(moved.recurrence),
        _new_values(verdict),
        f"about {verdict.effect:.2f} standard deviations"
        if change.what == "typical value" and verdict.effect < MILD and not change.step and change.plain is None
        else "",
        said_also(verdict),
        said_beyond(change),
        "" if version is None else _began(version),
        comparison(verdict, change),
        _of_clocks(verdict),
        f"evidence {as_number(verdict.surprise)} against a threshold of {as_number(verdict.surprise_limit)}"
        if verdict.passes_now
        else "",
        _of_labels(verdict.facts.odd_labels),
        _no_value(verdict),
        LATE_OR_LOST if _sinks(verdict, change) else "",
        _now(moved),
    ]
    return joined(parts)


def _again(recurrence: Recurrence | None) -> str:
    return "" if recurrence is None else recurrence.sentence


def _no_value(verdict: Said) -> str:
    """Say that an alarm goes on although nothing says whether what moved is back."""
    no_value = verdict.facts.no_value
    if no_value is None:
        return ""
    since = f" since {utc(no_value.since_ms)}" if no_value.since_ms else ""
    return f"no value{since}: {no_value.reason}"


def _of_clocks(verdict: Said) -> str:
    """Say that it is as it used to be at another hour, since clocks have changed."""
    clocks = verdict.facts.clock_change
    if clocks is None:
        return ""
    hours = "an hour" if abs(clocks.hours) == 1 else f"{abs(clocks.hours):g} hours"
    at = "later" if clocks.hours > 0 else "earlier"
    return (
        f"much as it used to be {hours} {at}: clocks changed {clocks.said}, and `detect.time_zone` is "
        f"{clocks.time_zone}; if that is it, name the zone of those whose traffic it is"
    )


def _of_labels(odd: OddLabels | None) -> str:
    """Say that labels do not come as they did."""
    if odd is None:
        return ""
    if odd.is_missing:
        return odd.missing
    if odd.classes:
        return f"no label says {' or '.join(odd.classes)} any more, {LABELS_CHANGED}"
    assert odd.fewer is not None
    usual, current = told_apart(*(100 * share for share in odd.fewer))
    return f"{current} % of predictions have a label, {usual} % usually: it may be these that differ, and not the model"


def _sinks(verdict: Verdict, change: Change) -> bool:
    """Whether fewer events of all traffic came: to say that of segments again tells nothing more."""
    return verdict.signal == "volume" and not verdict.segment and change.after < change.before


def since_version(version: NewVersion | None) -> str:
    """Say since which version something moved, or that it was off before."""
    if version is None:
        return ""
    if version.was_off:
        return f", off under {short_version(version.former)} already when {_came(version)}"
    return f" since {_came(version)}, after {short_version(version.former)}"


def _began(version: NewVersion) -> str:
    if version.was_off:
        return f"it was off under {short_version(version.former)} already when {_came(version)}"
    return f"it began when {_came(version)}, after {short_version(version.former)}"


def _came(version: NewVersion) -> str:
    return f"version {short_version(version.name)} came at {utc(version.first_ms)}"


def short_version(name: str) -> str:
    """Return as much of a version as is said."""
    return name[:MOST_OF_A_VERSION] or "none"


def whole_of(moved: Moved, ranked: Sequence[Moved]) -> Moved:
    """Return the whole signal of which a segment moved, if that moved too."""
    verdict = moved.evidence
    for other in ranked:
        overall = other.evidence
        if not overall.segment and (overall.version, overall.signal) == (verdict.version, verdict.signal):
            return other
    return moved


def said_most(overall: Moved, segment: Moved | None) -> str:
    """Say which segment moved most, from what to what: what it was is said once if it is that of the whole."""
    if segment is None:
        return ""
    measure = said_measure(segment.evidence)
    ours, its = overall.evidence.facts.change, segment.evidence.facts.change
    if ours is not None and its is not None and ours.what == its.what:
        measure = measure.removeprefix(f"{its.what} ")
    return f"; most in {segment.evidence.segment}: {measure}"


def _beside_shares(verdict: Said) -> list[str]:
    facts = verdict.facts
    return [facts.sentence, _expected(verdict), _why(verdict), _new_values(verdict)]


def _expected(verdict: Said) -> str:
    expected = verdict.facts.expected
    if expected is None:
        return ""
    earlier = f"{expected.earlier} earlier {expected.season}"
    return f"{verdict.n} events, {expected.events:.0f} expected from {earlier}"


def _why(verdict: Said) -> str:
    facts = verdict.facts
    if facts.why == "no_baseline":
        return _no_baseline(facts)
    return _WHY[facts.why] and _WHY[facts.why].format(
        n=verdict.n,
        seen=facts.seen,
        needed=facts.needed,
        unit=facts.unit,
        reached=facts.reached,
        effect=verdict.effect,
        min_effect=verdict.min_effect,
        surprise=verdict.surprise,
        surprise_limit=verdict.surprise_limit,
        p_value=verdict.p_value,
    )


def _no_baseline(facts: Facts) -> str:
    if facts.unit == "days":
        return "too few earlier days at this time"
    if facts.unit == "period":
        return "the baseline's period is not over"
    if not facts.unit:
        return "the baseline's data set lacks this field"
    return f"baseline: {facts.seen} of {facts.needed} {facts.unit} seen"


def _new_values(verdict: Said) -> str:
    if not verdict.facts.new_values:
        return ""
    return f"new: {', '.join(f'{value[:40]!r} ({count})' for value, count in verdict.facts.new_values)}"


def _percent(share: Share) -> str:
    return f"{100 * share.part / (share.part + share.rest):.3g} %"


def named(verdict: Verdict) -> str:
    """Return a signal, with its segment."""
    return f"{verdict.signal} [{verdict.segment}]" if verdict.segment else verdict.signal


def said_measure(verdict: Verdict, effect: str = "") -> str:
    """Say how much it is, and how many times its limit; a rate by its shares, with ``effect`` beside them."""
    if verdict.facts.change is not None:
        return said_change(verdict.facts.change)
    name = _spelled(verdict.detector)
    shares = verdict.facts.shares
    number = f"{_percent(shares[0])} → {_percent(shares[1])}" if shares else as_number(verdict.effect)
    # `volume volume 2.3` reads badly: a signal watched by the detector of its own name needs it once.
    amount = number if name == verdict.signal else f"{name} {number}"
    if not 0 < verdict.strength < math.inf:
        return amount
    return f"{amount}, {effect}{as_times(verdict.strength)}× its limit"


@cache
def _spelled(detector: str) -> str:
    # Only here: kernels bring the compiler along, and whoever only shows stored sentences needs none.
    from detectors.distance import DISTANCES, VECTOR_DISTANCES

    distance = DISTANCES.get(detector) or VECTOR_DISTANCES.get(detector)
    if distance is not None and distance.spelling:
        return distance.spelling
    return detector.upper() if len(detector) <= 3 else detector.replace("_", " ")


def _limit(verdict: Verdict) -> str:
    return f" of {as_number(verdict.min_effect)}" if 0 < verdict.strength < math.inf else ""


def _surprise(verdict: Verdict) -> str:
    if math.isnan(verdict.surprise) or math.isnan(verdict.surprise_limit):
        return ""
    return f"surprise {as_number(verdict.surprise)} against a limit of {as_number(verdict.surprise_limit)}"


def _baseline(verdict: Verdict) -> str:
    if verdict.baseline_n == 0:
        return ""
    if verdict.baseline_to_ms <= verdict.baseline_from_ms:
        return f" compared with {verdict.baseline_n:,} of the baseline"
    span = f"{utc(verdict.baseline_from_ms)} to {utc(verdict.baseline_to_ms)}"
    return f" compared with {verdict.baseline_n:,} from {span}"


def _as_new_normal(normal: NewNormal) -> str:
    if not normal.by:
        return f"adopted as the new normal after {normal.reason}"
    return f"accepted by {normal.by} as the new normal from {utc(normal.from_ms)} on: {normal.reason}"


def _now(moved: Moved) -> str:
    if moved.new_normal is not None:
        return _as_new_normal(moved.new_normal)
    if moved.status == "drift":
        return ""
    if moved.status == "ok":
        return f"quiet since {utc(moved.last_ms)}"
    return f"its newest window was not judged ({moved.status.replace('_', ' ')})"
