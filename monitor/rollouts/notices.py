"""The alert about a verdict: a delivery pipeline is notified of it by routes, as people are of drifts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import xxhash

from monitor.alerts.alert_log import ROLLOUT
from monitor.alerts.transition import Transition
from monitor.rollouts.rollout_log import Rollout
from monitor.rollouts.verdict import Compared, Verdict
from monitor.rollouts.wording import reason, title
from monitor.values import DAY_MS
from monitor.watch import Watch

__all__ = ["RESOLVED_AFTER_MS", "resolved", "verdict_reached"]

RESOLVED_AFTER_MS = DAY_MS
"""So long the alert about a verdict fires, unless somebody stops the rollout before."""

SEVERITIES: dict[Verdict, str] = {"promote": "info", "hold": "warning", "rollback": "critical"}


def verdict_reached(
    watch: Watch, rollout: Rollout, verdict: Verdict, facts: Sequence[Compared], at_ms: int
) -> Transition:
    """Return the start of the alert about a verdict, or about an end without one.

    Parameters
    ----------
    watch : Watch
    rollout : Rollout
    verdict : {"promote", "hold", "rollback"}
    facts : sequence of Compared
    at_ms : int
        End of the window with which it is known.
    """
    metadata = watch.model.metadata
    severity = SEVERITIES[verdict]
    own = {
        "alertname": ROLLOUT,
        "cause": "rollout",
        "model": rollout.model,
        "namespace": metadata.namespace,
        "severity": severity,
        "version": rollout.candidate,
        "champion": rollout.champion,
        "rollout": rollout.id,
        "verdict": verdict,
    }
    return Transition(
        model=rollout.model,
        alert_id=xxhash.xxh3_64_hexdigest(f"{ROLLOUT}|{rollout.model}|{rollout.id}".encode()),
        sequence=0,
        state="firing",
        at_ms=at_ms,
        starts_ms=rollout.from_ms,
        ends_ms=0,
        version=rollout.candidate,
        segment="",
        severity=severity,
        title=title(rollout, verdict, facts),
        labels={**metadata.labels, **{name: value for name, value in own.items() if value}},
        signals=[_entry(rollout, fact, at_ms) for fact in facts],
    )


def resolved(fired: Transition, at_ms: int) -> Transition:
    """Return its end."""
    signals = [{**entry, "alarmed": False} for entry in fired.signals]
    return replace(fired, sequence=1, state="resolved", at_ms=at_ms, ends_ms=fired.at_ms, signals=signals)


def _entry(rollout: Rollout, fact: Compared, at_ms: int) -> dict[str, Any]:
    """One metric, with its facts."""
    numbers = {name: getattr(fact, name) for name in ("difference", "low", "high", "candidate_mean", "champion_mean")}
    return {
        "version": rollout.candidate,
        "segment": "",
        "signal": fact.metric.signal,
        "detector": "rollout",
        "since_ms": rollout.from_ms,
        "last_ms": at_ms,
        "verdict": fact.verdict,
        "max_loss": fact.metric.max_loss,
        **{name: value if math.isfinite(value) else None for name, value in numbers.items()},
        "n": fact.candidate_n,
        "baseline_n": fact.champion_n,
        "alarmed": fact.verdict == "rollback",
        "reason": reason(fact, rollout),
    }
