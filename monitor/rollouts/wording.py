"""What people read about a rollout: written once, from numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence

from monitor.rollouts.rollout_log import Rollout
from monitor.rollouts.sums import is_rate
from monitor.rollouts.verdict import Compared, Verdict
from sinks.receivers.times import utc

__all__ = ["amount", "reason", "title"]


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
    signal = fact.metric.signal
    since = f"since {utc(rollout.from_ms)}" if rollout.from_ms else "not begun"
    if not fact.strata:
        return f"{signal}: nothing to compare, {since} there was no time in which both versions had events"
    if math.isinf(fact.low) and math.isinf(fact.high):
        return (
            f"{_moved(fact)}; {fact.champion_n:,} and {fact.candidate_n:,} events {since}: too few to conclude anything"
        )
    allowed = {"higher": "at least -", "lower": "at most +", "same": "within ±"}[fact.metric.better]
    return (
        f"{_moved(fact)}; difference {_bounds(fact)}, allowed {allowed}{amount(signal, fact.metric.max_loss)}; "
        f"{fact.champion_n:,} and {fact.candidate_n:,} events {since}: {fact.verdict}"
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


def _moved(fact: Compared) -> str:
    signal = fact.metric.signal
    return f"{signal} {amount(signal, fact.champion_mean)} → {amount(signal, fact.candidate_mean)}"


def _bounds(fact: Compared) -> str:
    signal = fact.metric.signal
    estimate, low, high = (amount(signal, value) for value in (fact.difference, fact.low, fact.high))
    return f"{estimate} ({low} to {high})"
