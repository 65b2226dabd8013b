"""When jobs run, in the threads of one process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import structlog
from apscheduler.executors.base import BaseExecutor, run_job
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from monitor.clock import Clock, SetBacks
from monitor.errors import LeewayError
from monitor.jobs.job import JOBS
from monitor.jobs.job_state import MOST_REQUESTS, JobState
from monitor.jobs.pause_log import Pause, read_pauses
from monitor.jobs.run_log import AskedRuns, JobRun, RunLog, read_last_run
from monitor.threads import in_words, join_within
from sinks.store.contract import Store, StoreError

__all__ = ["Every", "Jobs"]

LEAVE_WITHIN_S = 5.0
"""A job that takes longer to end, such as one that waits for a broker, ends with the process."""

LOOK_EVERY_S = 3.0
SETTLED_S = 60.0
"""What a process before this one has missed waits until the start is over."""

log = structlog.get_logger("leeway.service")


class Jobs:
    """The jobs of a process's roles; they run until :meth:`stop`.

    APScheduler goes by the time of day: when a clock that ran a day ahead is set back, no job would run for a day, and
    the ingest log would grow for as long. Hence :meth:`follow`, to be called often.

    Parameters
    ----------
    jobs : mapping of str to callable
        What each of :data:`~monitor.jobs.job.JOBS` does; others are not run.
    roles : collection of str
    clock : Clock
    store : Store
        Keeps what became of runs, and which jobs are paused.
    instance : str
        Which process this is.

    Attributes
    ----------
    states : dict of str to JobState
        How each of those that run here fares.
    pauses : dict of str to Pause
        Those of all jobs, as they were when the store answered last.
    """

    def __init__(
        self,
        jobs: Mapping[str, Callable[[], object]],
        roles: Collection[str],
        clock: Clock,
        store: Store,
        instance: str = "",
    ) -> None:
        self._clock, self._set_backs, self._runs = clock, SetBacks(clock), _DaemonThreads()
        self._store, self._instance = store, instance
        self._log, self._asked = RunLog(store), AskedRuns(store, clock, instance)
        self._looked_s = clock.monotonic_s()
        self.pauses: dict[str, Pause] = {}
        self._knows_pauses = False
        self._read_pauses()
        self.states: dict[str, JobState] = {}
        # After a pause of the machine a job runs once, however late, and not once for each time that it missed.
        defaults = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        self._scheduler = BackgroundScheduler(executors={"default": self._runs}, job_defaults=defaults, timezone=UTC)
        for name, job in JOBS.items():
            if name in jobs and (not job.role or job.role in roles):
                self.states[name] = JobState(name, job.every_s, self._last_run(name))
                due: dict[str, Any] = self._due(self.states[name])
                trigger = Every(seconds=job.every_s, timezone=UTC)
                self._scheduler.add_job(self._run, trigger, args=(name, jobs[name]), id=name, name=name, **due)
        self._scheduler.start()

    def follow(self) -> None:
        """Run all of them, and go on from now, if the clock was set back; do what people have asked for."""
        if self._set_backs.is_new():
            log.warning("the clock was set back: all jobs run now")
            self._run_now(self.states)
        if self._clock.monotonic_s() - self._looked_s < LOOK_EVERY_S:
            return
        self._looked_s = self._clock.monotonic_s()
        for state in self.states.values():
            if (run := state.take_long_run(self._clock.now_ms())) is not None:
                self._log.write(run)
        if not self._read_pauses():
            return
        try:
            self._take_asked()
            self._log.end_abandoned(self._clock)
        except StoreError as error:
            log.warning("what people ask jobs to do waits for the store", error=str(error))

    def troubles(self) -> dict[str, str]:
        """Return what people should know of jobs that fail, or do not end."""
        now_ms = self._clock.now_ms()
        return {name: text for name, state in self.states.items() if (text := state.trouble(now_ms))}

    def is_sound(self, name: str) -> bool:
        """Whether it is known of a job that has no troubles, or nothing here runs it."""
        return name not in self.states or self.states[name].is_known

    def forgotten(self) -> dict[str, str] | None:
        """Return what people should know of jobs that are paused for long; None before the store has said so."""
        if not self._knows_pauses:
            return None
        now_ms = self._clock.now_ms()
        return {name: pause.reminder for name, pause in self.pauses.items() if pause.is_forgotten(now_ms)}

    def stop(self) -> list[str]:
        """Begin none any more, and wait for those that run; return those not done after :data:`LEAVE_WITHIN_S`."""
        self._scheduler.shutdown(wait=False)
        unfinished = join_within(self._runs.threads.values(), self._clock, LEAVE_WITHIN_S)
        if unfinished:
            log.warning("jobs are left unfinished", jobs=unfinished)
        return unfinished

    def _run(self, name: str, work: Callable[[], object]) -> None:
        state = self.states[name]
        self._read_pauses()
        if name in self.pauses or not self._knows_pauses:
            return
        run = state.begin(self._clock.now_ms(), self._instance)
        try:
            work()
        except Exception as error:  # noqa: BLE001 -- a job may fail in any way, and is done again
            _log_failure(name, error)
            run = replace(run, outcome="failed", reason=_reason(error), failures=state.failures + 1)
        else:
            run = replace(run, outcome="done", failures=0)
        state.is_recorded = self._log.write(state.end(run, self._clock.now_ms()))

    def _take_asked(self) -> None:
        for request in self._asked.take():
            if (state := self.states.get(request.job)) is None:
                continue
            if len(state.requests) < MOST_REQUESTS:
                state.requests.append(request)
            else:
                log.warning("a job is not run once more: too many requests wait", job=request.job)
        # APScheduler passes over a job that runs, until it is next due by the clock.
        waiting = [name for name, state in self.states.items() if state.requests and name not in self.pauses]
        self._run_now([name for name in waiting if not self._runs.is_busy(name)])

    def _run_now(self, names: Collection[str]) -> None:
        now = datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC)
        for name in names:
            self._scheduler.modify_job(name, next_run_time=now)

    def _read_pauses(self) -> bool:
        """Return whether the store has said which jobs are paused; those stay as they were if it has not."""
        try:
            self.pauses = read_pauses(self._store)
            self._knows_pauses = True
        except StoreError as error:
            log.warning("which jobs are paused is not known anew", reason=str(error))
            return False
        return True

    def _last_run(self, name: str) -> JobRun | None:
        try:
            run = read_last_run(self._store, name, self._instance)
            if run is not None and run.outcome == "running":
                self._log.write(replace(run, outcome="unfinished", ended_ms=self._clock.now_ms()))
            return run
        except StoreError as error:
            log.warning("when a job has run last is not known", job=name, reason=str(error))
            return None

    def _due(self, state: JobState) -> dict[str, Any]:
        """When it runs first, if that is sooner than by the clock."""
        now_ms = self._clock.now_ms()
        due_ms = max(state.due_ms, now_ms + round(1000 * SETTLED_S))
        if not state.started_ms or due_ms >= now_ms + round(1000 * state.every_s):
            return {}
        return {"next_run_time": datetime.fromtimestamp(due_ms / 1000, UTC)}


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

    def is_busy(self, name: str) -> bool:
        """Whether a run of a job goes on."""
        return name in self.threads and self.threads[name].is_alive()

    def _do_submit_job(self, job: Any, run_times: Sequence[datetime]) -> None:
        thread = threading.Thread(target=self._run, args=(job, run_times), name=job.id, daemon=True)
        self.threads[job.id] = thread
        thread.start()

    def _run(self, job: Any, run_times: Sequence[datetime]) -> None:
        self._run_job_success(job.id, run_job(job, job._jobstore_alias, run_times, self._logger.name))


def _log_failure(name: str, error: Exception) -> None:
    if isinstance(error, StoreError) and error.retryable:
        log.warning("a job waits for the store", job=name, reason=str(error))
    else:
        log.error("a job failed", job=name, reason=in_words(error))


def _reason(error: Exception) -> str:
    """Return what may be kept of an error: other messages than our own quote values, and stand only in the log."""
    is_own = isinstance(error, LeewayError) or (isinstance(error, StoreError) and error.retryable)
    return in_words(error) if is_own else f"{type(error).__name__}; the log of the process says more"
