"""When alarmed windows become alerts, which of them share one, and how grave an alert is."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase

__all__ = ["SEVERITIES", "AlertPolicy"]

SEVERITIES = ("info", "warning", "critical")
"""The least grave first."""


@dataclass(frozen=True)
class AlertPolicy:
    """What a model's configuration says about its alerts; times are event time.

    Attributes
    ----------
    severity : mapping of str to sequence of str
        Patterns of signals for each severity.
    group_by : sequence of str
        Of ``model``, ``version``, ``segment``: signals that agree in these may share an alert.
    for_ms : int
        How long a condition must hold before it fires.
    resolve_after_ms : int
        Quiet time before an alert is resolved.
    join_within_ms : int
        Signals that start this soon after an alert's start have its cause.
    time_zone : str
        By whose days and hours alerts say when something comes again.
    holidays : collection of date
        Days that are like a weekend.
    """

    severity: Mapping[str, Sequence[str]]
    group_by: Sequence[str]
    for_ms: int
    resolve_after_ms: int
    join_within_ms: int
    time_zone: str = "UTC"
    holidays: Collection[date] = ()

    def severity_of(self, signals: Sequence[str]) -> str:
        """Return the gravest severity whose patterns match one of ``signals``; ``warning`` if none does.

        Examples
        --------
        >>> policy = AlertPolicy({"critical": ["prediction:*"], "info": ["feature:*"]}, ["model"], 0, 0, 0)
        >>> [policy.severity_of(signals) for signals in (["feature:a", "prediction:p"], ["feature:a"], ["volume"])]
        ['critical', 'info', 'warning']
        """
        for severity in reversed(SEVERITIES):
            patterns = self.severity.get(severity, ())
            if any(fnmatchcase(signal, pattern) for pattern in patterns for signal in signals):
                return severity
        return "warning"
