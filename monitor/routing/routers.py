"""The router that notifies, and the one that goes on when routes are reloaded."""

from __future__ import annotations

import threading
from collections.abc import Callable

from monitor.routing.router import Router

__all__ = ["Routers"]


class Routers:
    """One router after the other: the next begins where the one before it ended.

    Parameters
    ----------
    router : Router
        The first.

    Attributes
    ----------
    current : Router
    """

    def __init__(self, router: Router) -> None:
        self.current = router
        self._next: Router | None = None
        self._lock = threading.Lock()

    @property
    def backlog(self) -> dict[str, int]:
        """Notifications that were decided on and are not settled, by receiver."""
        return self.current.backlog

    def open(self) -> None:
        """Open the router: see :meth:`Router.open`.

        Raises
        ------
        StoreError
        """
        self.current.open()

    def run(self, stop: threading.Event, on_round: Callable[[], None] = lambda: None) -> None:
        """Notify until ``stop`` is set, by the routes of the router that came last; ``on_round`` is called in between.

        Raises
        ------
        StoreError
        """
        self.current.run(stop, has_successor=self._has_next, on_round=on_round)
        while not stop.is_set():
            self._take_next()
            self.current.run(stop, has_successor=self._has_next, on_round=on_round)

    def follow(self, router: Router) -> None:
        """Have a router go on soon."""
        with self._lock:
            unused, self._next = self._next, router
        # Its groups wait from when it goes on.
        self.current.wake()
        if unused is not None:
            unused.close()

    def renew(self, router: Router) -> None:
        """Have a router go on in place of one that failed."""
        self.follow(router)
        self._take_next()

    def close(self) -> None:
        """Close the receivers."""
        for router in filter(None, (self.current, self._next)):
            router.close()

    def _has_next(self) -> bool:
        return self._next is not None

    def _take_next(self) -> None:
        with self._lock:
            if self._next is None:
                return
            self.current.close()
            self.current, self._next = self._next, None
        self.current.open()
