"""One test of one window, decided alone: the compiled rule with everything around it left out."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from detectors.chart import decide, legend
from detectors.distance.contract import EFFECT, KNOWN, NO_TEST, P_X
from monitor.alerts.verdict import Facts, Verdict
from monitor.evaluate.alarm_rule import STATUSES, WHYS, Budget


def log_effect(effect: float, min_effect: float) -> float:
    """The scale on which a signal's variation is learned."""
    return float(decide.log_effect(effect, min_effect))


def usual(history: Sequence[float]) -> tuple[float, float]:
    """Location and scale of what a signal does when nothing is wrong."""
    location, scale = decide.usual(np.sort(np.asarray(history, dtype=np.float64)), len(history))
    return float(location), float(scale)


def decided(effect: float, min_effect: float, p_value: float, history: Sequence[float], budget: Budget) -> Verdict:
    """Decide about one window; no p-value (NaN) is no floor.

    ``history`` holds the log effects of the signal's quiet windows, and of the onsets of its alarms; the newest ones
    of more than ``HISTORY`` count.
    """
    ordered = np.sort(np.asarray(history[-legend.HISTORY :], dtype=np.float64))
    numbers, codes = np.full(legend.NUMBERS, np.nan), np.zeros(legend.CODES, dtype=np.int64)
    numbers[EFFECT], numbers[P_X] = effect, p_value
    codes[legend.P_KIND] = NO_TEST if math.isnan(p_value) else KNOWN
    memory, unused = np.zeros(legend.MEMORY, dtype=np.int64), np.empty(0)
    memory[legend.COUNT] = len(ordered)
    decide.decide(
        min_effect, budget.odds, budget.surprises, unused, ordered, unused, memory, budget.enough, p_value, True,
        numbers, codes,
    )  # fmt: skip
    facts = Facts(
        WHYS[codes[legend.REASON]], int(codes[legend.SEEN]), budget.enough, "windows", int(codes[legend.REACHED])
    )
    return Verdict(
        "",
        "",
        "feature:x",
        "psi",
        STATUSES[codes[legend.STATUS]],
        at_ms=1,
        window_start_ms=0,
        effect=effect,
        min_effect=min_effect,
        surprise=numbers[legend.SURPRISE],
        surprise_limit=numbers[legend.THRESHOLD],
        p_value=p_value,
        facts=facts,
    )
