"""What people read about a rollout: written once, from numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence

from monitor.rollouts.rollout_log import JUDGED, Rollout
from monitor.rollouts.sums import is_rate
from monitor.rollouts.verdict import Compared, Verdict
from sinks.receivers.times import utc

__all__ = ["amount", "reason", "title"]

POINTS = " points"


def title(rollout: Rollout, verdict: Verdict, facts: Sequence[Compared]) -> str:
    """Return what becomes of a candidate, and because of what."""
    versions = f"{rollout.model}: {rollout.candidate} beside {rollout.champion}"
    match verdict:
        case "promote":
            return f"{versions}: promote, no metric is worse by more than it may be"
        case "rollback":
            worst = next(fact for fact in facts if fact.verdict == "rollback")
            return f"{versions}: roll back, {_moved(worst)}"
    undecided = ", ".join(fact.metric.signal for fact in facts if fact.verdict == "hold")
    return f"{versions}: hold, undecided at the end: {undecided}"


def reason(fact: Compared, rollout: Rollout) -> str:
    """Return what is known of a metric: champion, candidate, the difference with its bounds, and of how many events."""
    signal, observed = fact.metric.signal, _observations(fact.metric.signal)
    if not rollout.stratum_ms and not fact.strata:
        return f"{signal}: nothing to compare yet, it begins with the next window"
    since = f"since {utc(rollout.from_ms)}"
    if not fact.strata:
        return f"{signal}: nothing to compare, {since} {_lacking(fact, rollout, observed)}"
    numbers = f"{fact.champion_n:,} and {fact.candidate_n:,} {observed} {since}"
    if math.isinf(fact.low) and math.isinf(fact.high):
        return f"{_moved(fact)}; {numbers}: too few to conclude anything"
    allowed = {"higher": "at least -", "lower": "at most +", "same": "within ±"}[fact.metric.better]
    return (
        f"{_moved(fact)}; difference {_bounds(fact)}, allowed {allowed}{_distance(signal, fact.metric.max_loss)}; "
        f"{numbers}: {fact.verdict}"
    )


def amount(signal: str, value: float) -> str:
    """Return a value of a signal for people.

    Examples
    --------
    >>> amount("missing:amount", 0.0123), amount("prediction:score", 12.3456), amount("prediction:score", math.inf)
    ('1.23 %', '12.35', '∞')
    """
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    return f"{100 * value:.3g} %" if is_rate(signal) else f"{value:.4g}"


def _observations(signal: str) -> str:
    if signal.startswith(JUDGED):
        return "labelled predictions"
    return "events" if is_rate(signal) else "values"


def _lacking(fact: Compared, rollout: Rollout, observed: str) -> str:
    """Say which version has nothing that could be compared."""
    counts = {rollout.champion: fact.champion_n, rollout.candidate: fact.candidate_n}
    without = [version for version, n in counts.items() if not n]
    if not without:
        return f"both versions had {observed} at no time together"
    if len(without) > 1:
        return f"neither version had {observed} that can be compared"
    return f"{without[0]} had no {observed}, of {max(counts.values()):,} of the other version"


def _moved(fact: Compared) -> str:
    signal = fact.metric.signal
    champion, candidate = (_mean(fact, value) for value in (fact.champion_mean, fact.candidate_mean))
    return f"{signal} {champion} → {candidate}"


def _mean(fact: Compared, value: float) -> str:
    """Return a mean with as many digits as its difference needs."""
    scale = max(abs(fact.difference), fact.metric.max_loss)
    if is_rate(fact.metric.signal) or not (0 < scale < abs(value) < math.inf):
        return amount(fact.metric.signal, value)
    digits = math.floor(math.log10(abs(value))) - math.floor(math.log10(scale)) + 2
    return f"{value:.{min(max(digits, 4), 15)}g}"


def _bounds(fact: Compared) -> str:
    signal = fact.metric.signal
    low, high = (_distance(signal, value).removesuffix(POINTS) for value in (fact.low, fact.high))
    return f"{_distance(signal, fact.difference)} ({low} to {high})"


def _distance(signal: str, value: float) -> str:
    """Return how far two values of a signal are apart: of two shares, in points."""
    if not is_rate(signal) or math.isinf(value):
        return amount(signal, value)
    return f"{100 * value:.3g}{POINTS}"
