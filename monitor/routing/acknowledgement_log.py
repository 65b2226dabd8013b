"""Acknowledgements in the store: somebody has taken an alert on, and it is not repeated until it changes."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.clock import Clock
from sinks.store.change_log import ChangeLog, Row
from sinks.store.contract import Store

__all__ = ["Acknowledgement", "AcknowledgementLog", "acknowledgements"]


@dataclass(frozen=True)
class Acknowledgement:
    """Somebody has taken an alert on.

    Attributes
    ----------
    alert_id : str
    sequence : int
        The transition that the alert stood at.
    at_ms : int
    created_by, comment : str
    """

    alert_id: str
    sequence: int
    at_ms: int
    created_by: str
    comment: str

    def holds(self, sequence: int) -> bool:
        """Whether the alert, which stands at a transition, is as it was then."""
        return sequence <= self.sequence


def acknowledgements(store: Store) -> dict[str, Acknowledgement]:
    """Return those that were not taken back, by alert.

    Raises
    ------
    StoreError
    """
    rows = ChangeLog(store, "acknowledgements").rows()
    return {row["alert_id"]: _read(row) for row in rows if not row["taken_back"]}


class AcknowledgementLog:
    """The acknowledgements of one store.

    Parameters
    ----------
    store : Store
    clock : Clock

    Examples
    --------
    >>> from monitor.clock import ManualClock
    >>> from sinks.store.memory import MemoryStore
    >>> log = AcknowledgementLog(MemoryStore(), ManualClock(now_ms=1_000))
    >>> log.set("a", 2, "ann", "I look into it")
    >>> log.all()["a"].holds(2), log.all()["a"].holds(3)
    (True, False)
    >>> log.take_back("a", "ann")
    >>> log.all()
    {}
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._log, self._clock = store, ChangeLog(store, "acknowledgements"), clock

    def all(self) -> dict[str, Acknowledgement]:
        """Return those that were not taken back, by alert.

        Raises
        ------
        StoreError
        """
        return acknowledgements(self._store)

    def get(self, alert_id: str) -> Acknowledgement | None:
        """Return that of one alert.

        Raises
        ------
        StoreError
        """
        row = self._log.named([alert_id]).get(alert_id)
        return None if row is None or row["taken_back"] else _read(row)

    def set(self, alert_id: str, sequence: int, created_by: str, comment: str) -> None:
        """Acknowledge an alert as it stands.

        Raises
        ------
        StoreError
        """
        self._write(alert_id, sequence, created_by, comment, taken_back=0)

    def take_back(self, alert_id: str, created_by: str) -> None:
        """Have an alert repeated again.

        Raises
        ------
        StoreError
        """
        self._write(alert_id, 0, created_by, "", taken_back=1)

    def _write(self, alert_id: str, sequence: int, created_by: str, comment: str, *, taken_back: int) -> None:
        row = {"alert_id": alert_id, "updated_ms": self._clock.now_ms(), "sequence": sequence, "taken_back": taken_back}
        self._log.put([row | {"created_by": created_by, "comment": comment}])


def _read(row: Row) -> Acknowledgement:
    return Acknowledgement(*(row[name] for name in ("alert_id", "sequence", "updated_ms", "created_by", "comment")))
