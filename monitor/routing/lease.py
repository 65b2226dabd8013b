"""Who notifies, where several processes of one store may: one of them at a time, and another once that one is gone.

It is a row of the table ``checkpoints`` (stage :data:`LEASE`), which whoever holds the lease writes anew every
:data:`RENEW_S`, with a number that grows. Others take it over when the number has stood still for :data:`LEASE_S`, by
their own clock that does not leap: no two clocks are compared. Who could not renew it in that time asks first who holds
it. Of two that write the same next number the store takes one.

Nobody can ask a receiver to take something only if nobody else has sent it: who holds the lease may be held up between
looking and sending, and another may have sent the same by then, under the same key. Nothing is lost by that.
"""

from __future__ import annotations

import threading
import uuid

import structlog

from monitor.clock import Clock
from monitor.errors import LeewayError
from sinks.store.change_log import after
from sinks.store.contract import Query, Store, StoreError
from sinks.store.rows import rows_of

__all__ = ["LEASE", "LEASE_S", "RENEW_S", "Lease", "LeaseLostError"]

LEASE = "lease"
RENEW_S = 5.0
LEASE_S = 20.0
AGAIN_S = 0.25
log = structlog.get_logger("leeway.route")


class LeaseLostError(LeewayError):
    """Another process notifies meanwhile."""


class Lease:
    """The right to notify, as one process sees it.

    Parameters
    ----------
    store : Store
    clock : Clock
    instance : str
        This process. It has the name again after a restart, and then need not wait for itself.

    Examples
    --------
    >>> from monitor.clock import ManualClock
    >>> from sinks.store.memory import MemoryStore
    >>> store, clock = MemoryStore(), ManualClock()
    >>> one, other = Lease(store, clock, "a:8080"), Lease(store, clock, "b:8080")
    >>> def look():
    ...     return one.look(), other.look()
    >>> look()
    (True, False)
    >>> other.holder
    'a:8080'
    >>> for _ in range(5):
    ...     clock.advance(RENEW_S)
    ...     taken_over = other.look()
    >>> taken_over, one.look()
    (True, False)
    """

    def __init__(self, store: Store, clock: Clock, instance: str) -> None:
        self._store, self._clock, self._instance = store, clock, instance
        # Two processes may have one name, and are two even so.
        self._name = f"{instance} {uuid.uuid4().hex}"
        self._look_s: float | None = None
        """When to look next; None before the first time."""
        self._held_until_s: float | None = None
        self._stands: tuple[int, str] | None = None
        self._stands_since_s = 0.0

    @property
    def is_held(self) -> bool:
        """Whether this process may notify."""
        return self._held_until_s is not None and self._clock.monotonic_s() < self._held_until_s

    @property
    def is_lost(self) -> bool:
        """Whether another process holds it, or may take it; not as long as the store only does not say so."""
        return self._held_until_s is None

    @property
    def holder(self) -> str:
        """The process that held it at the last look; empty if none did."""
        return "" if self._stands is None else self._stands[1].rpartition(" ")[0]

    def look(self) -> bool:
        """Renew it, or take it if it is free, when that is due; return whether this process may notify.

        Raises
        ------
        StoreError
            If the store fails in a way that waiting does not mend.
        """
        now_s = self._clock.monotonic_s()
        if self._look_s is None or now_s >= self._look_s or not (self.is_held or self.is_lost):
            try:
                self._look(now_s)
            except StoreError as error:
                if not error.retryable:
                    raise
                log.warning("the store did not answer", error=str(error))
        return self.is_held

    def rest(self, stop: threading.Event) -> bool:
        """Wait until it is worth another look; return whether to stop."""
        return self._clock.wait(stop, AGAIN_S)

    def release(self) -> None:
        """Let another have it at once, if it is held."""
        if self.is_held:
            self._held_until_s = None
            try:
                self._follow(self._stored()[0], "")
            except StoreError as error:
                log.warning("others wait until they may notify", seconds=LEASE_S, error=str(error))

    def _look(self, now_s: float) -> None:
        number, holder = self._stored()
        # Looked for once, at the start: two that have one name would take it from each other for ever.
        is_former_self = self._look_s is None and holder.rpartition(" ")[0] == self._instance
        is_free = not holder or is_former_self or now_s - self._stands_since_s >= LEASE_S
        if holder == self._name or is_free:
            self._follow(number, self._name)
            _, holder = self._stored()
        # Others count from when they see what is written: never earlier than that.
        self._held_until_s = now_s + LEASE_S if holder == self._name else None
        self._look_s = now_s + RENEW_S

    def _stored(self) -> tuple[int, str]:
        """The number of who holds it, and its name."""
        rows = rows_of(self._store.read(Query("checkpoints", where={"stage": LEASE})))
        stands = next(((row["position"], row["config"]) for row in rows), (0, ""))
        if stands != self._stands:
            self._stands, self._stands_since_s = stands, self._clock.monotonic_s()
        return stands

    def _follow(self, number: int, name: str) -> None:
        row = {"stage": LEASE, "name": "", "partition": 0, "config": name, "state": b""}
        row["position"] = after(number, self._clock.now_ms())
        # Of rows that follow one number the store takes the first.
        self._store.append("checkpoints", {column: [value] for column, value in row.items()}, f"{LEASE}/after/{number}")
