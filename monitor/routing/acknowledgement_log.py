"""Acknowledgements in the store: somebody has taken an alert on, and it is not repeated until it changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from monitor.clock import Clock
from sinks.store.change_log import ChangeLog, Row
from sinks.store.contract import Store

__all__ = ["Acknowledgement", "AcknowledgementLog", "acknowledgements", "acknowledgements_of"]

MOST_AT_ONCE = 1_000
"""Rows that are written together."""


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


def acknowledgements_of(store: Store, alert_ids: Iterable[str]) -> dict[str, Acknowledgement]:
    """Return those of some alerts, by alert.

    Raises
    ------
    StoreError
    """
    rows = ChangeLog(store, "acknowledgements").named(alert_ids)
    return {name: _read(row) for name, row in rows.items() if not row["taken_back"]}


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
    >>> log.take_back("a", created_by="ann")
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
        self.set_all({alert_id: sequence}, created_by, comment)

    def set_all(self, sequences: Mapping[str, int], created_by: str, comment: str) -> None:
        """Acknowledge alerts as they stand, by their ids: an incident may have very many.

        Raises
        ------
        StoreError
        """
        self._write(sequences, created_by, comment, taken_back=0)

    def take_back(self, *alert_ids: str, created_by: str) -> None:
        """Have alerts repeated again.

        Raises
        ------
        StoreError
        """
        self._write(dict.fromkeys(alert_ids, 0), created_by, "", taken_back=1)

    def _write(self, sequences: Mapping[str, int], created_by: str, comment: str, *, taken_back: int) -> None:
        made = {"updated_ms": self._clock.now_ms(), "taken_back": taken_back, "created_by": created_by}
        rows = [
            {"alert_id": name, "sequence": number, "comment": comment, **made} for name, number in sequences.items()
        ]
        for first in range(0, len(rows), MOST_AT_ONCE):
            self._log.put(rows[first : first + MOST_AT_ONCE])


def _read(row: Row) -> Acknowledgement:
    return Acknowledgement(*(row[name] for name in ("alert_id", "sequence", "updated_ms", "created_by", "comment")))
