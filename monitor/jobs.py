"""What happens by the clock, all in one table. Nothing here decides anything that is stored as a result."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import structlog
from apscheduler.executors.base import BaseExecutor, run_job
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from monitor.clock import Clock, SetBacks
from monitor.threads import join_within
from sinks.store.contract import Store, StoreError

__all__ = ["JOBS", "Every", "Jobs", "refresh_roll_ups"]

JOBS: dict[str, tuple[int, str]] = {
    "trim_ingest_log": (60, "ingest"),
    "refresh_roll_ups": (60, "evaluate"),
    "keep_lifetimes": (3600, "evaluate"),
    "look_at_group": (30, "ingest"),
    "look_at_store": (300, ""),
    "log_status": (300, ""),
}
"""Every job: how often it runs, in seconds, and the role whose process runs it; empty: every process."""

LEAVE_WITHIN_S = 5.0
"""A job that takes longer to end, such as one that waits for a broker, ends with the process."""

log = structlog.get_logger("leeway.service")


class Jobs:
    """The jobs of a process's roles; they run until :meth:`stop`.

    APScheduler goes by the time of day: when a clock that ran a day ahead is set back, no job would run for a day, and
    the ingest log would grow for as long. Hence :meth:`follow_clock`, to be called often.

    Parameters
    ----------
    jobs : mapping of str to callable
        What each of :data:`JOBS` does.
    roles : collection of str
    clock : Clock
    """

    def __init__(self, jobs: Mapping[str, Callable[[], None]], roles: Collection[str], clock: Clock) -> None:
        self._clock, self._set_backs, self._runs = clock, SetBacks(clock), _DaemonThreads()
        # After a pause of the machine a job runs once, however late, and not once for each time that it missed.
        defaults = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        self._scheduler = BackgroundScheduler(executors={"default": self._runs}, job_defaults=defaults, timezone=UTC)
        for name, (every_s, role) in JOBS.items():
            if not role or role in roles:
                job = (name, jobs[name])
                trigger = Every(seconds=every_s, timezone=UTC)
                self._scheduler.add_job(_run, trigger, args=job, id=name, name=name)
        self._scheduler.start()

    @property
    def names(self) -> list[str]:
        """Those that run here."""
        return [job.id for job in self._scheduler.get_jobs()]

    def follow_clock(self) -> None:
        """Run all of them, and go on from now, if the clock was set back since the last call."""
        if not self._set_backs.is_new():
            return
        log.warning("the clock was set back: all jobs run now")
        now = datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC)
        for name in self.names:
            self._scheduler.modify_job(name, next_run_time=now)

    def stop(self) -> list[str]:
        """Begin none any more, and wait for those that run; return those not done after :data:`LEAVE_WITHIN_S`."""
        self._scheduler.shutdown(wait=False)
        unfinished = join_within(self._runs.threads.values(), self._clock, LEAVE_WITHIN_S)
        if unfinished:
            log.warning("jobs are left unfinished", jobs=unfinished)
        return unfinished


class Every(IntervalTrigger):  # type: ignore[misc]
    """When a job is due that missed some of its times: now, once.

    APScheduler lists every time that was missed before it takes one of them: millions, where a machine starts in 1970
    until it is told the time.
    """

    __slots__ = ()

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        following: datetime = super().get_next_fire_time(previous_fire_time, now)
        return max(following, now)


class _DaemonThreads(BaseExecutor):  # type: ignore[misc]
    """A thread for each run: the process would wait for those of APScheduler's own pool before it ends.

    Attributes
    ----------
    threads : dict of str to Thread
        The last run of each job.
    """

    def __init__(self) -> None:
        super().__init__()
        self.threads: dict[str, threading.Thread] = {}

    def _do_submit_job(self, job: Any, run_times: Sequence[datetime]) -> None:
        thread = threading.Thread(target=self._run, args=(job, run_times), name=job.id, daemon=True)
        self.threads[job.id] = thread
        thread.start()

    def _run(self, job: Any, run_times: Sequence[datetime]) -> None:
        self._run_job_success(job.id, run_job(job, job._jobstore_alias, run_times, self._logger.name))


def _run(name: str, job: Callable[[], None]) -> None:
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
