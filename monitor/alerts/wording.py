"""What people read: about a test of a window, about each signal of an alert, and the alert's title.

Every sentence is made here, once, from the fields of verdicts; it is stored, and nothing parses it back.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Protocol

from monitor.alerts.foremost import is_nearly_constant, is_of_spread
from monitor.alerts.recurrence import Recurrence
from monitor.alerts.verdict import (
    Change,
    Facts,
    Failure,
    NewNormal,
    NewVersion,
    OddLabels,
    Plain,
    Share,
    Status,
    Verdict,
    Why,
)
from monitor.values import format_duration
from sinks.receivers.times import utc

__all__ = ["Moved", "Said", "detail", "listed", "moved_most", "reason", "title"]

KINDS = {
    "volume": "volumes",
    "prediction": "predictions",
    "performance": "performance metrics",
    "feature": "features",
    "missing": "missing rates",
    "serving": "serving metrics",
}
"""What several signals of a kind are called, in the order in which a title lists them."""

OF_ALL = "coverage"
"""What begins so is of all predictions, rather than of those that have a label."""

NEAR = 0.1
"""Of a number: one that differs by less needs more digits to be told apart."""

FAR = 0.5
"""Part of what moved by which a window alone must differ from it to be told apart."""

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

RATES = ("missing", "invalid", "out of range", "fallback")
"""What is said in per cent, beside shares and findings."""

SKILL_VALUE = "skill"
"""What changes where a model is no better than an answer without a model."""

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

FURTHER = 1.5
"""How many times as far as the whole a segment must have moved to be named: else all of them moved alike."""

BEYOND_CHANCE = 3.0
"""Standard errors by which it must have moved further: one event has an effect with a standard deviation of about 1."""

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


def title(model: str, ranked: Sequence[Moved], *, version: str | None = None, is_over: bool = False) -> str:
    """Return the headline of an alert: what alarms still, and then what does no longer.

    Parameters
    ----------
    model : str
    ranked : sequence of Moved
        At least one, strongest first.
    version : str or None
        The one that it is about, where other alerts are about others.
    is_over : bool
        Whether the alert has ended: then it is of all that moved.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> verdict = Verdict("", "", "feature:hour", "psi", "drift", 600_000, 300_000, effect=1.43, min_effect=0.1)
    >>> moved = SimpleNamespace(evidence=verdict, status="drift", new_version=None, failure=None, recurrence=None)
    >>> title("flights", [moved])
    'flights: feature:hour moved (PSI 1.43, 14× its limit)'
    >>> moved.new_version = NewVersion("7", 1_360_418_520_000, "6")
    >>> title("flights", [moved])
    'flights: feature:hour moved (PSI 1.43, 14× its limit) since version 7 came at 2013-02-09 14:02 UTC, after 6'
    """
    alarmed = ranked if is_over else [moved for moved in ranked if moved.status == "drift"] or ranked
    failing = [moved for moved in alarmed if moved.failure is not None]
    headline = _failing(failing, alarmed) if failing else _moves(_of_newest_versions(alarmed))
    alarmed_series = {moved.evidence.series for moved in alarmed}
    quiet = [moved for moved in _of_newest_versions(ranked) if moved.evidence.series not in alarmed_series]
    named = "" if version is None else f" (version {_version(version)})"
    return f"{model}{named}: {headline}{_no_longer(quiet)}{_came_before(alarmed)}"


def _came_before(alarmed: Sequence[Moved]) -> str:
    """Say how often the foremost alarmed so of late, and that it is about that alone, where others come for once."""
    foremost, recurrence = alarmed[0].evidence, alarmed[0].recurrence
    if recurrence is None:
        return ""
    is_alone = all(moved.recurrence is not None or moved.evidence.signal == foremost.signal for moved in alarmed)
    return f"; {recurrence.headline if is_alone else recurrence.headline_of(_name(foremost))}"


def _moves(ranked: Sequence[Moved]) -> str:
    """Say what moved, of what has not gone on in a newer version."""
    foremost = _whole_of(ranked[0], ranked)
    top, most = foremost.evidence, _most(foremost, moved_most(foremost, ranked))
    formers = _formers(ranked)
    versions_of_signals = {(moved.evidence.version, moved.evidence.signal) for moved in ranked}
    # A version and the one from which it has what moved are one.
    is_one_signal = len({(formers.get(version, version), signal) for version, signal in versions_of_signals}) == 1
    if is_one_signal and (not top.segment or len(ranked) == 1):
        others = _so_did(top, ranked)
        odd = top.facts.odd_labels
        measures = _joined(
            [
                _measure(top),
                _also(top),
                _beyond(top.facts.change),
                odd.missing if odd is not None and odd.is_missing else "",
            ]
        )
        moves = f"{_name(top)} moved ({measures}{most or others})"
    else:
        versions = sorted({formers.get(version, version) for version, _ in versions_of_signals} - {""})
        of_versions = f" of versions {listed([_version(name) for name in versions])}" if len(versions) > 1 else ""
        moves = f"{_subjects(ranked)}{of_versions} moved together (strongest: {_name(top)} {_measure(top)}{most})"
    return f"{moves}{_since_version(foremost.new_version)}{_older(foremost, ranked)}"


def _no_longer(quiet: Sequence[Moved]) -> str:
    """Say what alarmed, and does no longer: the strongest, and how many there are."""
    if not quiet:
        return ""
    foremost = _whole_of(quiet[0], quiet)
    measure = _measure(foremost.evidence) if foremost.failure is None else _failed(foremost.failure)
    if len(quiet) == 1:
        return f"; {_name(foremost.evidence)} alarms no longer ({measure})"
    return f"; {len(quiet)} others alarm no longer (strongest: {_name(foremost.evidence)} {measure})"


def _of_newest_versions(ranked: Sequence[Moved]) -> Sequence[Moved]:
    """Leave out what goes on in a newer version, with its segments: the title says how that is off."""
    formers = _formers(ranked)
    gone_on = {
        (formers[verdict.version], segment, verdict.signal)
        for verdict in (moved.evidence for moved in ranked if _goes_on(moved))
        for segment in ({verdict.segment} if verdict.segment else {moved.evidence.segment for moved in ranked})
    }
    return [moved for moved in ranked if moved.evidence.series not in gone_on]


def _goes_on(moved: Moved) -> bool:
    """Whether a version has what moved from the one before it."""
    return moved.new_version is not None and moved.new_version.was_off


def _formers(ranked: Sequence[Moved]) -> dict[str, str]:
    """By version, the one before from which it has what moved."""
    return {
        moved.evidence.version: moved.new_version.former
        for moved in ranked
        if moved.new_version is not None and moved.new_version.was_off
    }


def _older(foremost: Moved, ranked: Sequence[Moved]) -> str:
    """Say which signals were off before the version came with which the foremost began to move."""
    if foremost.new_version is None or foremost.new_version.was_off:
        return ""
    older = {moved.evidence.signal for moved in ranked if _goes_on(moved)}
    return f"; {listed(sorted(older))} off before that already" if older else ""


def moved_most(moved: Moved, ranked: Sequence[Moved]) -> Moved | None:
    """Return the segment that most explains how a whole signal moved, of those that moved clearly further that way.

    Parameters
    ----------
    moved : Moved
    ranked : sequence of Moved
        What the alert is about, strongest first.
    """
    overall = moved.evidence
    if overall.segment:
        return None
    further = [
        other
        for other in ranked
        if other.evidence.segment
        and (other.evidence.version, other.evidence.signal) == (overall.version, overall.signal)
        and _is_further(other, overall)
    ]
    # Of as many events each, the first is the strongest.
    return max(further, key=lambda other: other.evidence.effect * max(other.evidence.n, 1), default=None)


def _so_did(overall: Verdict, ranked: Sequence[Moved]) -> str:
    """Say how many segments moved as the whole did, and how many the other way."""
    ours, segments, other_way = overall.facts.change, set[str](), set[str]()
    for moved in ranked:
        its, segment = moved.evidence.facts.change, moved.evidence.segment
        is_other = ours is not None and its is not None and _is_other_way(ours, its)
        (other_way if is_other else segments).add(segment)
    so_did, others = len(segments - {overall.segment}), len(other_way - segments)
    parts = [f"so did {_plural(so_did, 'segment')}" if so_did else ""]
    parts += [f"{_plural(others, 'segment')} moved the other way" if others else ""]
    return "".join(f"; {part}" for part in parts if part)


def _is_other_way(ours: Change, its: Change) -> bool:
    is_comparable = ours.what == its.what or (ours.better and its.better)
    return bool(is_comparable) and (ours.after > ours.before) != (its.after > its.before)


def _is_further(other: Moved, overall: Verdict) -> bool:
    """Whether a segment moved in the direction of the whole, and further beyond what few events make of chance."""
    verdict = other.evidence
    if verdict.strength < FURTHER * overall.strength:
        return False
    ours, its = overall.facts.change, verdict.facts.change
    if ours is None or its is None:
        return True
    if math.isnan(verdict.effect) or math.isnan(overall.effect):
        return False
    if _is_other_way(ours, its):
        return False
    if not verdict.n and not overall.n:
        # A day may end with a window that says nothing of how many events there were.
        return True
    # The windows from when it moved to when that was found, which its effect is the mean of.
    step_ms = verdict.at_ms - verdict.window_start_ms
    windows = max((other.since_ms + step_ms - other.onset_ms) / step_ms, 1.0)
    return (verdict.effect - overall.effect) * math.sqrt(verdict.n * windows) >= BEYOND_CHANCE


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
    effect = f"effect {_number(verdict.effect)} (Cohen's h), " if verdict.facts.shares else ""
    measure = _measure(verdict, effect)
    parts = [
        f"{_name(verdict)} moved since {utc(moved.since_ms)}: {measure}{_limit(verdict)}{_most(moved, most)}",
        _again(moved.recurrence),
        _surprise(verdict),
        f"{verdict.n:,} events up to {utc(verdict.at_ms)}{_baseline(verdict)}",
        *_beside_shares(verdict),
        _now(moved),
    ]
    return _joined(parts)


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
        stuck = "" if failure is None else _failed(failure)
        beside = _joined(
            [
                stuck,
                _beside(verdict.facts.change),
                _beyond(verdict.facts.change),
                _new_values(verdict),
                _no_value(verdict),
            ]
        )
        if verdict.facts.change.what == SKILL_VALUE and verdict.status == "ok":
            return f"{beside}; {verdict.surprise:.0f} of {verdict.surprise_limit:.0f} blocks in a row reach 0"
        # Of nothing it is a little below 0, the logarithm of a mean: plus 0 leaves no minus sign.
        quiet = (
            f"evidence {round(verdict.surprise, 1) + 0.0:.1f} of {verdict.surprise_limit:.1f}, most of it in {beside}"
        )
        return _joined([quiet, _coarse(verdict)]) if verdict.status == "ok" else beside
    shares = verdict.facts.shares if verdict.status == "drift" else None
    rates = f"{_percent(shares[0])} → {_percent(shares[1])}" if shares else ""
    return _joined([rates, *_beside_shares(verdict), _coarse(verdict) if verdict.status == "ok" else ""])


def _coarse(verdict: Said) -> str:
    """Say that what is quiet may have moved by less than can be seen."""
    step = verdict.facts.step
    return f"values are told apart in steps of {_number(step)} only: {LESS_THAN_A_STEP}" if step else ""


def _failing(failing: Sequence[Moved], ranked: Sequence[Moved]) -> str:
    """Say which answer stands for many, first of all of the whole of which segments fail, and what moved besides."""
    foremost = _whole_of(failing[0], failing)
    assert foremost.failure is not None
    others = [f"{len(failing) - 1} more as well"] if len(failing) > 1 else []
    others += [f"{_plural(len(ranked) - len(failing), 'other')} moved"] if len(ranked) > len(failing) else []
    stuck = f"{_name(foremost.evidence)} is {_failed(foremost.failure)}"
    if foremost.failure.kind == "no_better":
        stuck = f"{_failed(foremost.failure)} ({_name(foremost.evidence)})"
    return "; ".join([stuck, *others]) + _since_version(foremost.new_version)


def _failed(failure: Failure) -> str:
    if failure.kind == "no_better":
        lost, without = f"{failure.after:.4g}", f"{failure.before:.4g}"
        return f"not shown to be better than {failure.answer}: it loses {lost} a prediction instead of {without}"
    usual, current = _apart(100 * failure.before, 100 * failure.after)
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
        first = [f"{_name(verdict)}: {_beside(change)}, {since}{_most(moved, most)}"]
    else:
        is_or_says = ":" if moved.failure.kind == "no_better" else " is"
        first = [f"{_name(verdict)}{is_or_says} {_failed(moved.failure)}, {since}"]
        first += [_advice(moved.failure) if advises else ""]
        first += [f"{_beside(change)}{_most(moved, most)}"]
    parts = [
        *first,
        _again(moved.recurrence),
        _new_values(verdict),
        f"about {verdict.effect:.2f} standard deviations"
        if change.what == "typical value" and verdict.effect < MILD and not change.step and change.plain is None
        else "",
        _also(verdict),
        _beyond(change),
        "" if version is None else _began(version),
        _compared(verdict, change),
        f"evidence {_number(verdict.surprise)} against a threshold of {_number(verdict.surprise_limit)}"
        if verdict.passes_now
        else "",
        _of_labels(verdict.facts.odd_labels),
        _no_value(verdict),
        LATE_OR_LOST if _sinks(verdict, change) else "",
        _now(moved),
    ]
    return _joined(parts)


def _again(recurrence: Recurrence | None) -> str:
    return "" if recurrence is None else recurrence.sentence


def _no_value(verdict: Said) -> str:
    """Say that an alarm goes on although nothing says whether what moved is back."""
    no_value = verdict.facts.no_value
    if no_value is None:
        return ""
    since = f" since {utc(no_value.since_ms)}" if no_value.since_ms else ""
    return f"no value{since}: {no_value.reason}"


def _of_labels(odd: OddLabels | None) -> str:
    """Say that labels do not come as they did."""
    if odd is None:
        return ""
    if odd.is_missing:
        return odd.missing
    if odd.classes:
        return f"no label says {' or '.join(odd.classes)} any more, {LABELS_CHANGED}"
    assert odd.fewer is not None
    usual, current = _apart(*(100 * share for share in odd.fewer))
    return f"{current} % of predictions have a label, {usual} % usually: it may be these that differ, and not the model"


def _sinks(verdict: Verdict, change: Change) -> bool:
    """Whether fewer events of all traffic came: to say that of segments again tells nothing more."""
    return verdict.signal == "volume" and not verdict.segment and change.after < change.before


def _since_version(version: NewVersion | None) -> str:
    if version is None:
        return ""
    if version.was_off:
        return f", off under {_version(version.former)} already when {_came(version)}"
    return f" since {_came(version)}, after {_version(version.former)}"


def _began(version: NewVersion) -> str:
    if version.was_off:
        return f"it was off under {_version(version.former)} already when {_came(version)}"
    return f"it began when {_came(version)}, after {_version(version.former)}"


def _came(version: NewVersion) -> str:
    return f"version {_version(version.name)} came at {utc(version.first_ms)}"


def _version(name: str) -> str:
    return name[:MOST_OF_A_VERSION] or "none"


def _beside(change: Change) -> str:
    """Say what moved, from what to what."""
    if change.what == SKILL_VALUE:
        return f"skill {change.after:.3g}" + (
            "" if math.isnan(change.before) else f", {change.before:.3g} when last better"
        )
    if change.what == "repeats":
        return "repeats the values of the window before it"
    if plainly := _plainly(change):
        return plainly
    usual, current = _amounts(change)
    is_spread = is_of_spread(change)
    if change.against_reference and not is_spread:
        return f"{change.what} {usual} in the reference, {current} now"
    if is_spread:
        return f"{_spread(change)} {_usual(change)}{_span(change)}"
    return f"{change.what} {usual} → {current}{_span(change)}{_worth(change)}"


def _span(change: Change) -> str:
    if not change.by_day or change.against_reference:
        return ""
    return " over the day so far" if change.so_far else " over the day"


def _plainly(change: Change) -> str:
    """Say what a reader can recompute; empty where the usual words are true."""
    if change.plain is None:
        return ""
    if change.plain.only is not None:
        return _others(change, change.plain)
    return "" if change.plain.median is None else _middle(change, change.plain)


def _others(change: Change, plain: Plain) -> str:
    """Say of a number that was one value how many values are others: neither a typical value nor a spread says it."""
    span = _span(change)
    mostly = "" if plain.mostly is None else f", mostly {_number(plain.mostly)}"
    if plain.distance is not None:
        mostly = f", spread by {_number(plain.distance)} from it on average"
    if change.against_reference:
        return (
            f"values other than {_number(plain.only or 0.0)}: none in the reference, {_share(plain.share)} now{mostly}"
        )
    if plain.usual_share is None:
        return f"{_share(plain.share)} of values other than {_number(plain.only or 0.0)}{span}{mostly}"
    usual, current = _apart(100 * plain.usual_share, 100 * plain.share)
    return f"values other than {_number(plain.only or 0.0)}: {usual} % → {current} %{span}{mostly}"


def _middle(change: Change, plain: Plain) -> str:
    """Say the median and the mean of values, where one between them would be neither."""
    pairs = {"median": (plain.usual_median, plain.median), "mean": (plain.usual_mean, plain.mean)}
    amounts = []
    for name, (usual, current) in pairs.items():
        assert usual is not None
        assert current is not None
        of_usual, of_current = _apart(usual, current)
        in_reference = f"{name} {of_usual} in the reference, {of_current} now"
        amounts.append(in_reference if change.against_reference else f"{name} {of_usual} → {of_current}")
    span = _span(change)
    return ("; " if change.against_reference else ", ").join(amounts) + span


def _beyond(change: Change | None) -> str:
    """Say how many values lie beyond those of the reference: by how much, scores hardly say."""
    plain = None if change is None else change.plain
    if plain is None or plain.only is not None or not plain.share:
        return ""
    mostly = "" if plain.mostly is None else f", mostly {_number(plain.mostly)}"
    if plain.low is not None and plain.high is not None:
        where = f"outside {_number(plain.low)} to {_number(plain.high)}, the range"
    elif plain.low is not None:
        where = f"below {_number(plain.low)}, the smallest"
    else:
        where = f"above {_number(plain.high or 0.0)}, the largest"
    return f"{_share(plain.share)} of values {where} of the reference{mostly}"


def _is_of_a_constant(change: Change | None) -> bool:
    return change is not None and change.plain is not None and change.plain.only is not None


def _share(share: float) -> str:
    return f"{100 * share:.3g} %"


def _also(verdict: Verdict) -> str:
    """Say what else of a signal is off: of what was constant, its typical value and its spread say the same."""
    is_constant = _is_of_a_constant(verdict.facts.change)
    changes = [beside.change for beside in verdict.facts.beside]
    return _joined([_beside(change) for change in changes if not (is_constant and _is_of_a_constant(change))])


def _worth(change: Change) -> str:
    """Say of a metric whether that is good: of some of them more is worse."""
    if not change.better or change.after == change.before:
        return ""
    is_better = (change.after > change.before) == (change.better == "higher")
    return ", which is better" if is_better else ", which is worse"


def _compared(verdict: Verdict, change: Change) -> str:
    """Say of how many events it is, and with what they are compared."""
    if change.what == SKILL_VALUE:
        return f"of predictions judged {format_duration(change.age_ms)} after their hour, up to {utc(verdict.at_ms)}"
    against = "the reference" if change.against_reference else "the same hours of earlier days"
    if change.by_day and not verdict.n:
        # The day had events, and its last window had none: at night there is nothing to be missed.
        return f"over the day up to {utc(verdict.at_ms)}, compared with {against}"
    if not change.age_ms:
        return f"{_events(verdict.n)} in the window up to {utc(verdict.at_ms)}, {_alone(change)}compared with {against}"
    subject = "prediction" if change.what.startswith(OF_ALL) else "labelled prediction"
    judged = f"each judged {format_duration(change.age_ms)} after its hour, in the window up to {utc(verdict.at_ms)}"
    return f"of {_plural(verdict.n, subject, ',')}, {judged}; {_alone(change)}compared with {against}"


def _alone(change: Change) -> str:
    """Say what a window has by itself where that is far from what there is on average since it began."""
    # How many events it has stands beside it, and a spread is no amount.
    if change.in_window is None or change.what == "events" or is_of_spread(change) or change.plain is not None:
        return ""
    if change.step or abs(change.in_window - change.after) <= FAR * abs(change.after - change.before):
        return ""
    return f"which by itself has {_amounts(change._replace(after=change.in_window))[1]}; "


def _events(count: int) -> str:
    return f"{count:,} {'event' if count == 1 else 'events'}" if count else "no event"


def _spread(change: Change) -> str:
    factor = change.after / change.before
    if factor >= 1:
        # Beyond the reference scores grow with the logarithm of the distance, and their spread with it.
        is_cut = change.plain is not None and change.plain.is_more
        return f"{change.what} {'at least ' if is_cut else ''}{factor:.3g} times"
    return f"{'nearly constant, ' if is_nearly_constant(change) else ''}{change.what} {100 * factor:.3g} % of"


def _usual(change: Change) -> str:
    return "that of the reference" if change.against_reference else "the usual"


def _whole_of(moved: Moved, ranked: Sequence[Moved]) -> Moved:
    """Return the whole signal of which a segment moved, if that moved too."""
    verdict = moved.evidence
    for other in ranked:
        overall = other.evidence
        if not overall.segment and (overall.version, overall.signal) == (verdict.version, verdict.signal):
            return other
    return moved


def _most(overall: Moved, segment: Moved | None) -> str:
    """Say which segment moved most, from what to what: what it was is said once if it is that of the whole."""
    if segment is None:
        return ""
    measure = _measure(segment.evidence)
    ours, its = overall.evidence.facts.change, segment.evidence.facts.change
    if ours is not None and its is not None and ours.what == its.what:
        measure = measure.removeprefix(f"{its.what} ")
    return f"; most in {segment.evidence.segment}: {measure}"


def _amounts(change: Change) -> tuple[str, str]:
    """Say what there was and what there is, so that they can be told apart."""
    if change.what == "events":
        rounded = round(change.before, 1), round(change.after, 1)
        # Of hardly any events, such as one expected in five minutes, a tenth is much.
        return _apart(*rounded) if rounded[0] != rounded[1] else _apart(change.before, change.after)
    is_rate = change.unit == "%" or change.what in RATES or change.what.endswith((" anomalies", " drifts"))
    if is_rate or change.what.startswith("share of"):
        usual, current = _apart(100 * change.before, 100 * change.after)
        return f"{usual} %", f"{current} %"
    if change.step:
        return _in_steps(change)
    usual, current = _apart(change.before, change.after)
    return (f"{usual} {change.unit}", f"{current} {change.unit}") if change.unit else (usual, current)


def _in_steps(change: Change) -> tuple[str, str]:
    """Say what there was and what there is of values that are told apart in steps, no finer than these.

    Examples
    --------
    >>> _in_steps(Change("typical value", 293.9981, 294.0, by_day=False, step=4.0))
    ('294', 'higher by less than a step of 4')
    >>> _in_steps(Change("typical value", 52.75, 53.7512, by_day=False, step=0.5))
    ('52.8', '53.8, in steps of 0.5')
    """
    digits, step = max(-math.floor(math.log10(change.step)), 0), _number(change.step)
    usual, moved = f"{change.before:,.{digits}f}", change.after - change.before
    if abs(moved) < change.step:
        return usual, f"{'higher' if moved > 0 else 'lower'} by less than a step of {step}"
    return usual, f"{change.after:,.{digits}f}, in steps of {step}"


def _apart(usual: float, current: float) -> tuple[str, str]:
    """Write two numbers with three digits each, or with two of their difference where that is small."""
    gap = abs(current - usual)
    if not 0 < gap < NEAR * max(abs(usual), abs(current)):
        return _number(usual), _number(current)
    digits = max(1 - math.floor(math.log10(gap)), 0)
    return f"{usual:,.{digits}f}", f"{current:,.{digits}f}"


def _beside_shares(verdict: Said) -> list[str]:
    facts = verdict.facts
    return [facts.sentence, _expected(verdict), _why(verdict), _new_values(verdict)]


def _joined(parts: Sequence[str]) -> str:
    return "; ".join(part for part in parts if part)


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


def _subjects(ranked: Sequence[Moved]) -> str:
    signals = sorted({moved.evidence.signal for moved in ranked})
    segments = {moved.evidence.segment for moved in ranked}
    named = _plural(len(segments - {""}), "segment")
    kinds: dict[str, list[str]] = {kind: [] for kind in KINDS}
    for signal in signals:
        kinds.setdefault(signal.partition(":")[0], []).append(signal)
    counted = [_counted(kind, names) for kind, names in kinds.items() if names]
    text = counted[0] if len(counted) == 1 else f"{', '.join(counted[:-1])} and {counted[-1]}"
    if len(segments) <= 1:
        return text
    return f"{text} in all traffic and {named}" if "" in segments else f"{text} in {named}"


def _counted(kind: str, names: list[str]) -> str:
    if len(names) == 1:
        return names[0]
    return f"{len(names)} {KINDS.get(kind, f'{kind} signals')}"


def _plural(count: int, noun: str, form: str = "") -> str:
    return f"{count:{form}} {noun}{'s' * (count != 1)}"


def _name(verdict: Verdict) -> str:
    return f"{verdict.signal} [{verdict.segment}]" if verdict.segment else verdict.signal


def _measure(verdict: Verdict, effect: str = "") -> str:
    """Say how much it is, and how many times its limit; a rate by its shares, with ``effect`` beside them."""
    if verdict.facts.change is not None:
        return _beside(verdict.facts.change)
    name = _spelled(verdict.detector)
    shares = verdict.facts.shares
    number = f"{_percent(shares[0])} → {_percent(shares[1])}" if shares else _number(verdict.effect)
    # `volume volume 2.3` reads badly: a signal watched by the detector of its own name needs it once.
    amount = number if name == verdict.signal else f"{name} {number}"
    if not 0 < verdict.strength < math.inf:
        return amount
    return f"{amount}, {effect}{_times(verdict.strength)}× its limit"


@cache
def _spelled(detector: str) -> str:
    # Only here: kernels bring the compiler along, and whoever only shows stored sentences needs none.
    from detectors.distance import DISTANCES, VECTOR_DISTANCES

    distance = DISTANCES.get(detector) or VECTOR_DISTANCES.get(detector)
    if distance is not None and distance.spelling:
        return distance.spelling
    return detector.upper() if len(detector) <= 3 else detector.replace("_", " ")


def _limit(verdict: Verdict) -> str:
    return f" of {_number(verdict.min_effect)}" if 0 < verdict.strength < math.inf else ""


def _surprise(verdict: Verdict) -> str:
    if math.isnan(verdict.surprise) or math.isnan(verdict.surprise_limit):
        return ""
    return f"surprise {_number(verdict.surprise)} against a limit of {_number(verdict.surprise_limit)}"


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


def _number(value: float) -> str:
    return f"{value:,.0f}" if 1000 <= abs(value) < math.inf else f"{value:.3g}"


def _times(ratio: float) -> str:
    return f"{ratio:,.0f}" if ratio >= 10 else f"{ratio:.1f}".removesuffix(".0")
