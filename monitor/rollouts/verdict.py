"""Whether a candidate may stay: a pure function of what both versions did, span by span."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from detectors.sequential import Arm, Strata, lower_bound, mean_evidence, rate_evidence, upper_bound
from detectors.sequential.bounds import Evidence
from monitor.rollouts.rollout_log import Metric, Rollout
from monitor.rollouts.sums import Sums, is_rate

__all__ = ["Compared", "Comparison", "Levels", "Point", "Verdict", "compared", "course_of", "levels_of", "verdict_of"]

Verdict = Literal["promote", "hold", "rollback"]


class Comparison(NamedTuple):
    """What both versions did in the same span of time."""

    end_ms: int
    candidate: Sums
    champion: Sums


class Levels(NamedTuple):
    """How often each bound may ever be wrong.

    A candidate is promoted only if every bound allows it, so that a wrong one needs a wrong bound of the metric that is
    worse: each has the whole level. One bound is enough for a rollback: they share it (Bonferroni).
    """

    promote: float
    rollback: float


@dataclass(frozen=True)
class Compared:
    """One metric, in the signal's units.

    Attributes
    ----------
    metric : Metric
    verdict : {"promote", "hold", "rollback"}
        Of this metric alone.
    difference, low, high : float
        Candidate minus champion: the estimate, and the bounds that hold at all times; NaN and infinite while nothing
        can be concluded.
    candidate_mean, champion_mean : float
        Over the spans that are compared, each by its weight; NaN without one.
    candidate_n, champion_n : int
        Observations in them; in all, where there is none.
    strata : int
        How many spans are compared.
    """

    metric: Metric
    verdict: Verdict
    difference: float
    low: float
    high: float
    candidate_mean: float
    champion_mean: float
    candidate_n: int
    champion_n: int
    strata: int


class Point(NamedTuple):
    """What was known of a metric after one of its spans; as in :class:`Compared`."""

    end_ms: int
    difference: float
    low: float
    high: float
    candidate_n: int
    champion_n: int


def levels_of(rollout: Rollout) -> Levels:
    """Return how often each bound may be wrong.

    Examples
    --------
    >>> metrics = (Metric("missing:amount", "lower", 0.01), Metric("prediction:score", "same", 0.02))
    >>> rollback = levels_of(Rollout("", "fraud", "v8", "v7", metrics, 0.06, 600_000, "ann")).rollback
    >>> round(rollback, 3)
    0.02
    """
    bounds = sum(2 if metric.better == "same" else 1 for metric in rollout.metrics)
    return Levels(rollout.level, rollout.level / bounds)


def verdict_of(rollout: Rollout, comparisons: Mapping[str, Sequence[Comparison]]) -> Verdict:
    """Return the verdict after the last span.

    Parameters
    ----------
    rollout : Rollout
    comparisons : mapping of str to sequence of Comparison
        By metric, in the order of time.
    """
    levels = levels_of(rollout)
    verdicts = {_verdict(metric, comparisons.get(metric.signal, ()), levels) for metric in rollout.metrics}
    if "rollback" in verdicts:
        return "rollback"
    return "promote" if verdicts == {"promote"} else "hold"


def compared(rollout: Rollout, comparisons: Mapping[str, Sequence[Comparison]]) -> list[Compared]:
    """Return what is known of each metric after the last span, in units of the data."""
    levels = levels_of(rollout)
    return [_compared(metric, comparisons.get(metric.signal, ()), levels) for metric in rollout.metrics]


def course_of(rollout: Rollout, metric: Metric, comparisons: Sequence[Comparison], points: int) -> list[Point]:
    """Return what was known of a metric after some of its spans, evenly many spans apart, the last one among them.

    Parameters
    ----------
    rollout : Rollout
    metric : Metric
    comparisons : sequence of Comparison
        Of the metric, in the order of time.
    points : int
        How many at most.
    """
    paired, strata = _paired(comparisons), _strata(metric, comparisons)
    if strata is None or points < 1:
        return []
    chosen = np.unique(np.linspace(len(paired), 1, points, dtype=np.int64))
    levels = levels_of(rollout)
    candidate_n, champion_n = (np.cumsum(arm.n, dtype=np.int64) for arm in (strata.candidate, strata.champion))
    course = []
    for count in chosen.tolist():
        so_far, newest = strata.first(count), count - 1
        low, high = _bounds(metric, so_far, levels)
        numbers = int(candidate_n[newest]), int(champion_n[newest])
        course.append(Point(paired[newest].end_ms, so_far.difference, low, high, *numbers))
    return course


def _bounds(metric: Metric, strata: Strata, levels: Levels) -> tuple[float, float]:
    # The bound that allows a promotion has the one level, and the one that asks for a rollback the other.
    below = levels.rollback if metric.better == "lower" else levels.promote
    above = levels.rollback if metric.better == "higher" else levels.promote
    evidence = _evidence(metric)
    low = lower_bound(evidence, strata, below, metric.max_loss)
    return low, upper_bound(evidence, strata, above, metric.max_loss)


def _verdict(metric: Metric, comparisons: Sequence[Comparison], levels: Levels) -> Verdict:
    """Of every way in which the candidate may be worse, ask whether it is, and whether it is not."""
    strata, evidence = _strata(metric, comparisons), _evidence(metric)
    if strata is None:
        return "hold"
    loss = metric.max_loss
    ways = {"higher": [strata], "lower": [strata.swapped], "same": [strata, strata.swapped]}[metric.better]
    if any(_holds(evidence, way.swapped, loss, loss, levels.rollback) for way in ways):
        return "rollback"
    return "promote" if all(_holds(evidence, way, -loss, loss, levels.promote) for way in ways) else "hold"


def _holds(evidence: Evidence, strata: Strata, margin: float, shift: float, level: float) -> bool:
    return bool(evidence(strata, margin, shift)[-1] >= -math.log(level))


def _compared(metric: Metric, comparisons: Sequence[Comparison], levels: Levels) -> Compared:
    strata = _strata(metric, comparisons)
    if strata is None:
        candidate_n, champion_n = sum(c.candidate.n for c in comparisons), sum(c.champion.n for c in comparisons)
        nothing = math.nan, -math.inf, math.inf, math.nan, math.nan
        return Compared(metric, "hold", *nothing, candidate_n, champion_n, 0)
    paired, weight = _paired(comparisons), strata.weight / strata.weight.sum()
    candidate, champion = ([each.candidate for each in paired], [each.champion for each in paired])
    return Compared(
        metric,
        _verdict(metric, comparisons, levels),
        strata.difference,
        *_bounds(metric, strata, levels),
        float(weight @ [sums.mean for sums in candidate]),
        float(weight @ [sums.mean for sums in champion]),
        sum(sums.n for sums in candidate),
        sum(sums.n for sums in champion),
        len(paired),
    )


def _evidence(metric: Metric) -> Evidence:
    return rate_evidence if is_rate(metric.signal) else mean_evidence


def _paired(comparisons: Sequence[Comparison]) -> list[Comparison]:
    return [each for each in comparisons if each.candidate.n and each.champion.n]


def _strata(metric: Metric, comparisons: Sequence[Comparison]) -> Strata | None:
    """Return what is compared; None without a span in which both had events."""
    paired = _paired(comparisons)
    if not paired:
        return None
    # Near both means, squares do not swallow what differs.
    origin = 0.0 if is_rate(metric.signal) else paired[0].champion.mean
    return Strata(_arm([each.candidate for each in paired], origin), _arm([each.champion for each in paired], origin))


def _arm(sums: Sequence[Sums], origin: float) -> Arm:
    n, mean, squares = (np.array(column, dtype=np.float64) for column in zip(*map(_columns, sums), strict=True))
    return Arm(n, n * (mean - origin), squares + n * (mean - origin) ** 2)


def _columns(sums: Sums) -> tuple[int, float, float]:
    return sums.n, sums.mean, sums.squares
