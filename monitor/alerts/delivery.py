"""Sending one notification: tried again until it is taken, refused for good, or its time is over."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from monitor.alerts.decision import Patience, Recorded
from monitor.clock import Clock
from sinks.receivers.contract import Delivered, Notification, Receiver, Refused

__all__ = ["Delivery", "deliver"]


@dataclass(frozen=True)
class Delivery:
    """What became of a notification.

    Attributes
    ----------
    outcome : {"delivered", "refused", "gave_up"}
    reason : str
        Empty if it was delivered.
    attempts : int
    may_have_it : bool
        Whether the receiver may have it, although it was not delivered.
    """

    outcome: Recorded
    reason: str
    attempts: int
    may_have_it: bool = False


def deliver(
    receiver: Receiver,
    notification: Notification,
    for_s: float,
    clock: Clock,
    stop: threading.Event,
    patience: Patience,
) -> Delivery:
    """Send a notification, with growing pauses between tries.

    Parameters
    ----------
    receiver : Receiver
    notification : Notification
    for_s : float
        For how long it is tried; the group is looked at again after that, and may have changed.
    clock : Clock
    stop : threading.Event
        Ends the tries early.
    patience : Patience

    Examples
    --------
    >>> from monitor.clock import ManualClock
    >>> from sinks.receivers.contract import Alert, Retry
    >>> from sinks.receivers.memory import Memory
    >>> busy = Memory("pager", answers=[Retry("busy"), Retry("busy", after_s=5)])
    >>> said = Notification("pager", "key", {}, (Alert("firing", {}, {}, 0),))
    >>> deliver(busy, said, 60, ManualClock(), threading.Event(), Patience())
    Delivery(outcome='delivered', reason='', attempts=3, may_have_it=False)
    """
    until_s = clock.monotonic_s() + for_s
    attempts, may_have_it = 0, False
    while True:
        attempts += 1
        answer = receiver.send(notification)
        if isinstance(answer, Delivered):
            return Delivery("delivered", "", attempts)
        if isinstance(answer, Refused):
            return Delivery("refused", answer.reason, attempts, may_have_it)
        may_have_it = may_have_it or answer.may_have_it
        pause_s = max(patience.pause_s(attempts), answer.after_s or 0.0)
        if clock.monotonic_s() + pause_s >= until_s or clock.wait(stop, pause_s):
            return Delivery("gave_up", answer.reason, attempts, may_have_it)
