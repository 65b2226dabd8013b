"""A change in the units of the data: from what to what, of which hours, and how far apart that is."""

from __future__ import annotations

import math
from collections.abc import Sequence

from monitor.alerts.foremost import CONCENTRATION, is_nearly_constant, is_of_spread
from monitor.alerts.verdict import (
    Change,
    Plain,
    Verdict,
)
from monitor.values import format_duration
from sinks.receivers.times import utc

__all__ = [
    "SKILL_VALUE",
    "as_number",
    "as_times",
    "comparison",
    "joined",
    "plural",
    "said_also",
    "said_beyond",
    "said_change",
    "told_apart",
]

SKILL_VALUE = "skill"
"""What changes where a model is no better than an answer without a model."""

OF_ALL = "coverage"
"""What begins so is of all predictions, rather than of those that have a label."""

FAR = 0.5
"""Part of what moved by which a window alone must differ from it to be told apart."""

RATES = ("missing", "invalid", "out of range", "fallback", CONCENTRATION)
"""What is said in per cent, beside shares and findings."""

NEAR = 0.1
"""Of a number: one that differs by less needs more digits to be told apart."""


def said_change(change: Change) -> str:
    """Say what moved, from what to what."""
    return f"{_moved(change)} and back" if change.is_back else _moved(change)


def _moved(change: Change) -> str:
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


def _alike(change: Change) -> str:
    """Say how alike values have become, and which one of them stands out, if one does."""
    usual, current = _amounts(change)
    of_all = f"{CONCENTRATION} {usual} → {current}{_span(change)}"
    if change.plain is None or change.plain.mostly is None:
        return f"values {'more' if change.after > change.before else 'less'} alike, {of_all}"
    shares = told_apart(100 * (change.plain.usual_share or 0.0), 100 * change.plain.share)
    return f"{shares[0]} % → {shares[1]} % of values about {as_number(change.plain.mostly)}, {of_all}"


def _span(change: Change) -> str:
    if not change.by_day or change.against_reference:
        return ""
    return " over the day so far" if change.so_far else " over the day"


def _plainly(change: Change) -> str:
    """Say what a reader can recompute; empty where the usual words are true."""
    if change.what == CONCENTRATION:
        return _alike(change)
    if change.plain is None:
        return ""
    if change.plain.only is not None:
        return _others(change, change.plain)
    return "" if change.plain.median is None else _middle(change, change.plain)


def _others(change: Change, plain: Plain) -> str:
    """Say of a number that was one value how many values are others: neither a typical value nor a spread says it."""
    span = _span(change)
    mostly = "" if plain.mostly is None else f", mostly {as_number(plain.mostly)}"
    if plain.distance is not None:
        mostly = f", spread by {as_number(plain.distance)} from it on average"
    others = f"values other than {as_number(plain.only or 0.0)}"
    if change.against_reference:
        return f"{others}: none in the reference, {_share(plain.share)} now{mostly}"
    if plain.usual_share is None:
        return f"{_share(plain.share)} of {others}{span}{mostly}"
    usual, current = told_apart(100 * plain.usual_share, 100 * plain.share)
    return f"values other than {as_number(plain.only or 0.0)}: {usual} % → {current} %{span}{mostly}"


def _middle(change: Change, plain: Plain) -> str:
    """Say the median and the mean of values, where one between them would be neither."""
    pairs = {"median": (plain.usual_median, plain.median), "mean": (plain.usual_mean, plain.mean)}
    amounts = []
    for name, (usual, current) in pairs.items():
        assert usual is not None
        assert current is not None
        of_usual, of_current = told_apart(usual, current)
        in_reference = f"{name} {of_usual} in the reference, {of_current} now"
        amounts.append(in_reference if change.against_reference else f"{name} {of_usual} → {of_current}")
    span = _span(change)
    return ("; " if change.against_reference else ", ").join(amounts) + span


def said_beyond(change: Change | None) -> str:
    """Say how many values lie beyond those of the reference: by how much, scores hardly say."""
    plain = None if change is None or change.what == CONCENTRATION else change.plain
    if plain is None or plain.only is not None or not plain.share:
        return ""
    mostly = "" if plain.mostly is None else f", mostly {as_number(plain.mostly)}"
    if plain.low is not None and plain.high is not None:
        where = f"outside {as_number(plain.low)} to {as_number(plain.high)}, the range"
    elif plain.low is not None:
        where = f"below {as_number(plain.low)}, the smallest"
    else:
        where = f"above {as_number(plain.high or 0.0)}, the largest"
    return f"{_share(plain.share)} of values {where} of the reference{mostly}"


def _is_of_a_constant(change: Change | None) -> bool:
    return change is not None and change.plain is not None and change.plain.only is not None


def _share(share: float) -> str:
    return f"{100 * share:.3g} %"


def said_also(verdict: Verdict) -> str:
    """Say what else of a signal is off: of what was constant, its typical value and its spread say the same."""
    is_constant = _is_of_a_constant(verdict.facts.change)
    changes = [beside.change for beside in verdict.facts.beside]
    return joined([said_change(change) for change in changes if not (is_constant and _is_of_a_constant(change))])


def _worth(change: Change) -> str:
    """Say of a metric whether that is good: of some of them more is worse."""
    if not change.better or change.after == change.before:
        return ""
    is_better = (change.after > change.before) == (change.better == "higher")
    return ", which is better" if is_better else ", which is worse"


def comparison(verdict: Verdict, change: Change) -> str:
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
    return f"of {plural(verdict.n, subject, ',')}, {judged}; {_alone(change)}compared with {against}"


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


def _amounts(change: Change) -> tuple[str, str]:
    """Say what there was and what there is, so that they can be told apart."""
    if change.what == "events":
        rounded = round(change.before, 1), round(change.after, 1)
        # Of hardly any events, such as one expected in five minutes, a tenth is much.
        return told_apart(*rounded) if rounded[0] != rounded[1] else told_apart(change.before, change.after)
    is_rate = change.unit == "%" or change.what in RATES or change.what.endswith((" anomalies", " drifts"))
    if is_rate or change.what.startswith("share of"):
        usual, current = told_apart(100 * change.before, 100 * change.after)
        return f"{usual} %", f"{current} %"
    if change.step:
        return _in_steps(change)
    usual, current = told_apart(change.before, change.after)
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
    digits, step = max(-math.floor(math.log10(change.step)), 0), as_number(change.step)
    usual, moved = f"{change.before:,.{digits}f}", change.after - change.before
    if abs(moved) < change.step:
        return usual, f"{'higher' if moved > 0 else 'lower'} by less than a step of {step}"
    return usual, f"{change.after:,.{digits}f}, in steps of {step}"


def told_apart(usual: float, current: float) -> tuple[str, str]:
    """Write two numbers with three digits each, or with two of their difference where that is small."""
    gap = abs(current - usual)
    if not 0 < gap < NEAR * max(abs(usual), abs(current)):
        return as_number(usual), as_number(current)
    digits = max(1 - math.floor(math.log10(gap)), 0)
    return f"{usual:,.{digits}f}", f"{current:,.{digits}f}"


def joined(parts: Sequence[str]) -> str:
    """Return what is said, one after the other."""
    return "; ".join(part for part in parts if part)


def plural(count: int, noun: str, form: str = "") -> str:
    """Return a count with its noun."""
    return f"{count:{form}} {noun}{'s' * (count != 1)}"


def as_number(value: float) -> str:
    """Return a number with three digits, or whole and with separators."""
    return f"{value:,.0f}" if 1000 <= abs(value) < math.inf else f"{value:.3g}"


def as_times(ratio: float) -> str:
    """Return how many times as much something is."""
    return f"{ratio:,.0f}" if ratio >= 10 else f"{ratio:.1f}".removesuffix(".0")
