"""A receiver that keeps its notifications: the twin for tests and examples."""

from __future__ import annotations

from collections.abc import Iterable

from sinks.receivers.contract import Delivered, Notification, Outcome

__all__ = ["Memory"]


class Memory:
    """Keeps every notification, whatever it answers.

    Delivers for as long as the object lives.

    Parameters
    ----------
    name : str
    send_resolved : bool
    answers : iterable of Outcome
        What to answer, in order; ``Delivered`` when they are used up.

    Examples
    --------
    >>> from sinks.receivers.contract import Alert, Notification, Retry
    >>> inbox = Memory("inbox", answers=[Retry("not yet")])
    >>> notification = Notification("inbox", "key", {}, (Alert("firing", {}, {}, 0),))
    >>> inbox.send(notification), inbox.send(notification), len(inbox.received)
    (Retry(reason='not yet', after_s=None, may_have_it=False, until_ms=None), Delivered(reason=''), 2)
    """

    def __init__(self, name: str, *, send_resolved: bool = True, answers: Iterable[Outcome] = ()) -> None:
        self.name = name
        self.send_resolved = send_resolved
        self.received: list[Notification] = []
        self._answers = iter(answers)

    def send(self, notification: Notification) -> Outcome:
        """Keep it, and answer what the script says."""
        self.received.append(notification)
        return next(self._answers, Delivered())

    def close(self) -> None:
        """Keep what was received."""
