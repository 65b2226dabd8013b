"""The router that notifies, and the one that goes on when routes are reloaded."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

import structlog

from monitor.routing.lease import Lease, LeaseLostError
from monitor.routing.router import Router
from sinks.store.contract import StoreError

__all__ = ["Routers"]

log = structlog.get_logger("leeway.route")

LOOK_S = 0.25
"""How often it is looked whether to stop while nobody may notify."""


class Routers:
    """One router after the other: the next begins where the one before it ended.

    Parameters
    ----------
    router : Router
        The first.
    once_it_answers : callable
        Opens it, when the store is there.
    lease : Lease or None
        Says whether this process may notify, if others of its store may.
    build : callable or None
        Makes the router that goes on once this process may notify again; there is none without a lease.

    Attributes
    ----------
    current : Router
    """

    def __init__(
        self,
        router: Router,
        once_it_answers: Callable[[Callable[[], None]], None] = lambda work: work(),
        lease: Lease | None = None,
        build: Callable[[], Router] | None = None,
    ) -> None:
        self.current, self._once_it_answers = router, once_it_answers
        self._lease, self._build = lease, build
        self._is_stale = False
        """Whether another process has notified since the router was opened."""
        self._next: Router | None = None
        self._lock = threading.Lock()
        self._turn = threading.RLock()
        """Held by who notifies, or by who wants nobody to."""
        self._may_run = threading.Event()
        self._may_run.set()

    @property
    def backlog(self) -> dict[str, int]:
        """Notifications that were decided on and are not settled, by receiver."""
        return self.current.backlog

    @property
    def incomplete(self) -> Mapping[str, int]:
        """Notifications that were delivered without all of their pictures, by receiver."""
        return self.current.incomplete

    @property
    def reminders(self) -> Mapping[tuple[str, str], int]:
        """Posts that remind receivers of what fires, by receiver and outcome."""
        return self.current.reminders

    def open(self) -> None:
        """Open the router: see :meth:`Router.open`.

        Raises
        ------
        StoreError
        """
        self._is_stale = self._lease is not None and not self._lease.look()
        self._once_it_answers(self.current.open)

    def run(self, stop: threading.Event, on_round: Callable[[], None] = lambda: None) -> None:
        """Notify until ``stop`` is set, by the routes of the router that came last; ``on_round`` is called in between.

        Raises
        ------
        StoreError
        """
        while not stop.is_set():
            # Who waits for a standstill comes first, and a lock alone knows no order.
            if not self._may_run.wait(LOOK_S) or not self._is_in_turn(stop):
                continue
            with self._turn:
                if self._is_stale:
                    self._start_anew()
                self._take_next()
                try:
                    self.current.run(stop, has_successor=partial(self._is_to_end, stop), on_round=on_round)
                except LeaseLostError:
                    # What it knows and has not written is older than what the other process has.
                    log.warning("another process notifies from now on", instance=self._holder)
                    self._replace()
        if self._lease is not None:
            self._lease.release()

    @property
    def is_in_turn(self) -> bool:
        """Whether this process is the one that notifies."""
        return self._lease is None or self._lease.is_held

    def notes(self) -> list[str]:
        """What people should know."""
        if self.is_in_turn:
            return []
        return [f"{self._holder or 'no process'} notifies receivers now; this one does once that one is gone"]

    @contextmanager
    def standstill(self, successor: Callable[[], Router]) -> Iterator[None]:
        """Hold the router, with what it knows written; afterwards another goes on from what is stored.

        Parameters
        ----------
        successor : callable
            Makes it.
        """
        self._may_run.clear()
        self.current.wake()
        try:
            with self._turn:
                yield
                self.follow(successor)
        finally:
            self._may_run.set()

    def follow(self, successor: Callable[[], Router]) -> None:
        """Have a router go on soon: made in turn, so that none replaces another by routes that are older.

        Parameters
        ----------
        successor : callable
            Makes it.
        """
        with self._lock:
            unused, self._next = self._next, successor()
        # Its groups wait from when it goes on.
        self.current.wake()
        if unused is not None:
            unused.close()

    def renew(self, successor: Callable[[], Router]) -> None:
        """Have a router go on in place of one that failed; see :meth:`follow`."""
        with self._turn:
            self.follow(successor)
            self._take_next()

    def close(self) -> None:
        """Close the receivers."""
        for router in filter(None, (self.current, self._next)):
            router.close()

    @property
    def _holder(self) -> str:
        return "" if self._lease is None else self._lease.holder

    def _is_in_turn(self, stop: threading.Event) -> bool:
        """Whether this process may notify; waits a moment if not."""
        if self._lease is None or self._lease.look():
            return True
        self._is_stale = True
        # What receivers answer is heard elsewhere.
        self.current.forget_reception()
        self._lease.rest(stop)
        return False

    def _is_to_end(self, stop: threading.Event) -> bool:
        while self._lease is not None and not self._lease.look():
            if self._lease.is_lost:
                raise LeaseLostError("another process notifies")
            # The store does not answer, to nobody: what is known here is still true, and nothing can be decided.
            if self._lease.rest(stop):
                return True
        return self._next is not None or not self._may_run.is_set()

    def _start_anew(self) -> None:
        log.info("this process notifies from now on")
        self._replace()
        self._is_stale = False

    def _replace(self) -> None:
        """Have a router go on from what is stored, and from nothing that is known here."""
        assert self._build is not None
        with self._lock:
            self.current.close()
            self.current, self._next = self._next or self._build(), None

    def _take_next(self) -> None:
        with self._lock:
            if self._next is None:
                return
            self._next.take_over(self.current)
            self.current.close()
            self.current, self._next = self._next, None
        try:
            self.current.open()
        except StoreError as error:
            if not error.retryable:
                raise
            # Its first step opens it once the store answers.
            log.warning("the store did not answer", error=str(error))
