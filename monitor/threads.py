"""Threads that stand and fall together: if one of them fails, all are asked to stop, and its error is kept."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

__all__ = ["Threads"]

log = structlog.get_logger("leeway.service")


class Threads:
    """The threads of one process, each running one stage.

    Attributes
    ----------
    stop : threading.Event
        Set once everything is to end: by :meth:`join`, or by a stage that failed.
    failure : Exception or None
        The first error of a stage.

    Examples
    --------
    >>> threads = Threads()
    >>> threads.run("idle", threads.stop.wait)
    >>> threads.join()
    >>> threads.failure is None
    True
    """

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.failure: Exception | None = None
        self._threads: list[threading.Thread] = []

    def run(self, name: str, stage: Callable[[], object]) -> None:
        """Run a stage in a thread of its own."""

        def guarded() -> None:
            try:
                stage()
            except Exception as error:  # noqa: BLE001 -- a stage that fails stops the service, which raises the error
                log.error("a stage failed", stage=name, error=str(error))
                self.failure = self.failure or error
                self.stop.set()

        thread = threading.Thread(target=guarded, name=name, daemon=True)
        thread.start()
        self._threads.append(thread)

    def join(self) -> None:
        """Ask every stage to stop and wait until all have."""
        self.stop.set()
        for thread in self._threads:
            thread.join()

    def raise_failure(self) -> None:
        """Raise the error of a stage, if one failed."""
        if self.failure is not None:
            raise self.failure
