"""Sending one notification: tried again until it is taken, refused for good, or its time is over."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import structlog

from monitor.clock import Clock
from monitor.delivery.patience import Patience
from monitor.tracing.spans import span
from sinks.receivers.contract import Delivered, Notification, Receiver, Refused, Retry
from sinks.receivers.contract import Outcome as Answer

__all__ = ["Attempts", "Delivery", "Outcome", "Pause"]

log = structlog.get_logger("leeway.notify")

Outcome = Literal["delivered", "refused", "gave_up"]


@dataclass(frozen=True)
class Delivery:
    """What became of a notification.

    Attributes
    ----------
    outcome : {"delivered", "refused", "gave_up"}
    reason : str
        Of what was delivered: why it has no pictures, or not all; empty if it has all that were to go with it.
    attempts : int
    may_have_it : bool
        Whether the receiver may have it, although it was not delivered.
    """

    outcome: Outcome
    reason: str
    attempts: int
    may_have_it: bool = False


@dataclass(frozen=True)
class Pause:
    """It is tried again after so long."""

    for_s: float


class Attempts:
    """A notification on its way, with growing pauses between tries.

    Parameters
    ----------
    receiver : Receiver
    notification : Notification
    for_s : float
        For how long it is tried, from the first try on; the group is looked at again after that, and may have changed.
    clock : Clock
    patience : Patience
    heard : callable
        Gets every answer.

    Attributes
    ----------
    held_s : float
        For how long the receiver asks to be sent nothing at all, in its last answer.

    Examples
    --------
    >>> from monitor.clock import ManualClock
    >>> from sinks.receivers.contract import Alert, Retry
    >>> from sinks.receivers.memory import Memory
    >>> busy = Memory("pager", answers=[Retry("busy"), Retry("busy", after_s=5)])
    >>> notification = Notification("pager", "key", {}, (Alert("firing", {}, {}, 0),))
    >>> attempts = Attempts(busy, notification, 60, ManualClock(), Patience())
    >>> attempts.next(), attempts.next(), attempts.held_s
    (Pause(for_s=1.0), Pause(for_s=5), 5)
    >>> attempts.next(), attempts.held_s
    (Delivery(outcome='delivered', reason='', attempts=3, may_have_it=False), 0.0)
    """

    def __init__(
        self,
        receiver: Receiver,
        notification: Notification,
        for_s: float,
        clock: Clock,
        patience: Patience,
        heard: Callable[[Answer], None] = lambda _: None,
    ) -> None:
        self._receiver, self._notification, self._for_s = receiver, notification, for_s
        self._clock, self._patience, self._heard = clock, patience, heard
        self._until_s: float | None = None
        self._reason, self._count, self._may_have_it = "", 0, False
        self.held_s = 0.0

    def next(self) -> Delivery | Pause:
        """Try once; return what became of it, or when to try again."""
        if self._until_s is None:
            self._until_s = self._clock.monotonic_s() + self._for_s
        self._count += 1
        self.held_s = 0.0
        alerts = len(self._notification.alerts)
        with span("notify", receiver=self._receiver.name, alerts=alerts, attempt=self._count) as notifying:
            answer = self._answer()
            notifying.note(answer=type(answer).__name__.lower())
        self._heard(answer)
        if isinstance(answer, Delivered):
            return Delivery("delivered", answer.reason, self._count)
        self._reason = answer.reason
        if isinstance(answer, Refused):
            return Delivery("refused", answer.reason, self._count, self._may_have_it)
        self._may_have_it = self._may_have_it or answer.may_have_it
        self.held_s = min(self._asked_s(answer), self._patience.most_held_s)
        pause_s = max(self._patience.pause_s(self._count), self.held_s)
        return self.given_up() if self._clock.monotonic_s() + pause_s >= self._until_s else Pause(pause_s)

    def _asked_s(self, answer: Retry) -> float:
        if answer.until_ms is not None:
            return max(0.0, (answer.until_ms - self._clock.now_ms()) / 1000)
        return answer.after_s or 0.0

    def _answer(self) -> Answer:
        try:
            return self._receiver.send(self._notification)
        except Exception as error:  # noqa: BLE001 -- a receiver that fails stops neither the others nor the stage
            frame = traceback.extract_tb(error.__traceback__)[-1]
            # The message may hold what must not be written down: a secret of the receiver's, or names in an alert.
            reason = f"the receiver fails: {type(error).__name__} at {frame.name}, line {frame.lineno}"
            log.error("a receiver fails", receiver=self._receiver.name, reason=reason)
            return Refused(reason)

    def given_up(self, untried: str = "") -> Delivery:
        """What became of it if it is not tried again; ``untried`` says why it never was, if it was not."""
        return Delivery("gave_up", self._reason if self._count else untried, self._count, self._may_have_it)

    def run(self, stop: threading.Event) -> Delivery:
        """Try until something became of it, or ``stop`` is set."""
        while isinstance(answer := self.next(), Pause):
            if self._clock.wait(stop, answer.for_s):
                return self.given_up()
        return answer
