"""Labels that Leeway gives alerts itself: a model's own, which are copied onto every alert, do not replace them."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["OF_EVERY_ALERT", "OF_SOME_ALERTS", "replaced"]

OF_EVERY_ALERT = ("alert_id", "alertname", "cause", "model", "namespace", "segment", "severity", "version")
"""Where an alert has no version or no segment, it has no such label."""

OF_SOME_ALERTS = ("champion", "incident", "recurring", "rollout", "signal", "topic", "verdict")
"""Of what comes again, rollouts, estimators that are muted, streams, and where receivers are notified of incidents."""


def replaced(labels: Iterable[str]) -> list[str]:
    """Return those names of a model's own labels under which alerts have Leeway's values.

    Examples
    --------
    >>> replaced({"team": "risk", "severity": "page", "topic": "scores"})
    ['severity', 'topic']
    """
    return sorted({*OF_EVERY_ALERT, *OF_SOME_ALERTS} & set(labels))
