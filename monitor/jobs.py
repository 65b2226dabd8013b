"""What happens by the clock, all in one table. Nothing here decides anything that is stored as a result."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping

import structlog

from monitor.clock import Clock
from sinks.store.contract import Store, StoreError

__all__ = ["JOBS", "Jobs", "refresh_roll_ups"]

JOBS: dict[str, tuple[int, str]] = {
    "trim_ingest_log": (60, "ingest"),
    "refresh_roll_ups": (60, "evaluate"),
    "keep_lifetimes": (3600, "evaluate"),
    "look_at_group": (30, "ingest"),
    "log_status": (300, ""),
}
"""Every job: how often it runs, in seconds, and the role whose process runs it; empty: every process."""

LEAVE_WITHIN_S = 5.0
"""A job that takes longer to end, such as one that waits for a broker, ends with the process."""

log = structlog.get_logger("leeway.service")


class Jobs:
    """The jobs of a process's roles, each in a thread of its own; they run until :meth:`stop`.

    They go by the clock that never goes back: by the time of day they would stand still for a day after one that ran
    a day ahead was set back, and the ingest log would grow for as long.

    Parameters
    ----------
    jobs : mapping of str to callable
        What each of :data:`JOBS` does.
    roles : collection of str
    clock : Clock
    """

    def __init__(self, jobs: Mapping[str, Callable[[], None]], roles: Collection[str], clock: Clock) -> None:
        self._clock, self._stop = clock, threading.Event()
        self._threads = [
            threading.Thread(target=self._repeat, args=(name, jobs[name], every_s), name=name, daemon=True)
            for name, (every_s, role) in JOBS.items()
            if not role or role in roles
        ]
        for thread in self._threads:
            thread.start()

    @property
    def names(self) -> list[str]:
        """Those that run here."""
        return [thread.name for thread in self._threads]

    def stop(self) -> None:
        """Begin none any more; return once those that run are done, or after :data:`LEAVE_WITHIN_S`."""
        self._stop.set()
        until_s = self._clock.monotonic_s() + LEAVE_WITHIN_S
        for thread in self._threads:
            thread.join(max(0.0, until_s - self._clock.monotonic_s()))
        if unfinished := [thread.name for thread in self._threads if thread.is_alive()]:
            log.warning("jobs are left unfinished", jobs=unfinished)

    def _repeat(self, name: str, job: Callable[[], None], every_s: float) -> None:
        while not self._clock.wait(self._stop, every_s):
            try:
                job()
            except Exception as error:  # noqa: BLE001 -- a job may fail in any way, and is done again
                log.error("a job failed", job=name, reason=f"{type(error).__name__}: {error}")


def refresh_roll_ups(store: Store, stopping: threading.Event) -> None:
    """Add up what has settled; until it has worked, answers come from the rows and are only slower."""
    try:
        store.refresh(is_enough=stopping.is_set)
    except StoreError as error:
        log.warning("roll-ups were not refreshed", reason=str(error), retryable=error.retryable)
