"""Whether a receiver is told about a transition, and how long it is waited for: pure, with the reasons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["TOLD_STATES", "Decision", "Patience", "Recorded", "why"]

Recorded = Literal["delivered", "refused", "gave_up"]

TOLD_STATES = ("firing", "updated", "resolved")


@dataclass(frozen=True)
class Patience:
    """How long a receiver is waited for.

    Parameters
    ----------
    first_s, most_s : float
        The first pause between tries, and the longest; each is twice the one before.
    give_up_s : float
        A transition is not tried again when this much time has passed since its first try.

    Examples
    --------
    >>> [Patience().pause_s(attempts) for attempts in (1, 2, 3, 12)]
    [1.0, 2.0, 4.0, 300.0]
    """

    first_s: float = 1.0
    most_s: float = 300.0
    give_up_s: float = 21_600.0

    def pause_s(self, attempts: int) -> float:
        """Return the pause after ``attempts`` (≥ 1) tries."""
        # The exponent is bounded because 2.0**1024 overflows.
        return min(self.most_s, self.first_s * 2.0 ** min(attempts - 1, 60))


@dataclass(frozen=True)
class Decision:
    """Whether a transition is to be sent, and why; `settled` if something became of it before."""

    send: bool
    reason: str
    settled: bool = False


def why(row: Mapping[str, Any], start_ms: int, send_resolved: bool, recorded: Recorded | None, told: bool) -> Decision:
    """Decide whether a receiver is told about a transition.

    Parameters
    ----------
    row : mapping
        A row of ``alerts``.
    start_ms : int
        The event time from which the receiver is told about this model.
    send_resolved : bool
        Whether the receiver wants ends.
    recorded : {"delivered", "refused", "gave_up"} or None
        What the notification log says of this transition.
    told : bool
        Whether the receiver may know the alert: something about it was delivered, or given up on without a refusal.

    Examples
    --------
    >>> why({"state": "firing", "at_ms": 5}, start_ms=0, send_resolved=True, recorded=None, told=False)
    Decision(send=True, reason='firing was not sent yet', settled=False)
    >>> why({"state": "resolved", "at_ms": 5}, start_ms=0, send_resolved=True, recorded=None, told=False)
    Decision(send=False, reason='the receiver was never told that it fired', settled=False)
    """
    state = row["state"]
    if recorded is not None:
        return Decision(False, f"{state} was settled before ({recorded})", settled=True)
    if state not in TOLD_STATES:
        return Decision(False, f"nobody is told about {state} alerts")
    if row["at_ms"] < start_ms:
        return Decision(False, f"{state} at {row['at_ms']} lies before {start_ms}, where the receiver starts")
    if state == "resolved" and not send_resolved:
        return Decision(False, "the receiver does not want ends (send_resolved: false)")
    if state == "resolved" and not told:
        return Decision(False, "the receiver was never told that it fired")
    return Decision(True, f"{state} was not sent yet")
