"""What became of each run of a job, in each process; and runs that people ask for."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Literal

import structlog

from monitor.clock import Clock
from monitor.jobs.job import JOBS
from sinks.store.batch import append
from sinks.store.contract import Query, Store, StoreError
from sinks.store.rows import rows_of

__all__ = ["AskedRuns", "JobRun", "Outcome", "RunLog", "ask_to_run", "latest_runs", "read_last_run"]

Outcome = Literal["asked", "running", "done", "failed", "unfinished"]

OF_LATE_MS = round(2_000 * max(job.every_s for job in JOBS.values()))
"""A process that has run nothing for so long is gone."""

MOST_WAITING = 500
"""Runs that are held while the store is away."""

ASKED_FOR_MS = 300_000
"""So long a process does what was asked for before it started, or by a clock that is behind its own."""

ABANDONED_EVERY_S = 300.0
ABANDONED_AFTER_MS = round(3_000 * max(job.every_s for job in JOBS.values() if not job.role))
"""A process from which no run was heard for so long has left those that it had begun."""

log = structlog.get_logger("leeway.service")


@dataclass(frozen=True)
class JobRun:
    """One run of a job in one process.

    Attributes
    ----------
    started_ms : int
        When it was asked for, of a row that only says that somebody did.
    job, instance : str
    ended_ms : int
        0 while it runs.
    outcome : Outcome
        ``running`` of one that takes long, ``unfinished`` of one whose process ended first.
    reason : str
        Why it failed, or was asked for.
    missed : int
        How many runs before it did not take place when they were due.
    failures : int
        How many have failed in a row, with this one; before it, while it runs.
    asked_ms : int
        Which request it does; 0 if it runs by the clock.
    asked_by : str
    """

    started_ms: int
    job: str
    instance: str
    ended_ms: int = 0
    outcome: Outcome = "running"
    reason: str = ""
    missed: int = 0
    failures: int = 0
    asked_ms: int = 0
    asked_by: str = ""


class RunLog:
    """Writes runs. What the store does not take waits for the next one, and never makes a job fail.

    Parameters
    ----------
    store : Store
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._turn = threading.Lock()
        self._waiting: deque[JobRun] = deque()
        self._looked_s: float | None = None

    def write(self, run: JobRun) -> bool:
        """Write one, and those that wait; return whether the store has taken them."""
        with self._turn:
            self._waiting.append(run)
            if len(self._waiting) > MOST_WAITING:
                log.warning("a run of a job is not recorded: the store is away", **vars(self._waiting.popleft()))
            # Of two rows of one run, that it goes on and that it has ended, the latter counts, whoever came first.
            by_end = sorted(self._waiting, key=lambda each: each.ended_ms)
            rows = {(each.started_ms, each.job, each.instance): each for each in by_end}
            try:
                _append(self._store, rows.values())
            except StoreError as error:
                if len(self._waiting) == 1:
                    log.warning("runs of jobs are recorded later: the store is away", reason=str(error))
                return False
            self._waiting.clear()
            return True

    def end_abandoned(self, clock: Clock) -> None:
        """Note as unfinished what processes had begun that are gone, and do not start again under their names.

        Every :data:`ABANDONED_EVERY_S`. A run that ends after all says so later, and that counts.

        Raises
        ------
        StoreError
        """
        if self._looked_s is not None and clock.monotonic_s() - self._looked_s < ABANDONED_EVERY_S:
            return
        now_ms = clock.now_ms()
        since_ms = now_ms - ABANDONED_AFTER_MS
        runs = [JobRun(**row) for row in rows_of(self._store.read(Query("job_runs", {"outcome": "running"})))]
        if runs:
            of_late = Query("job_runs", low={"started_ms": since_ms}, columns=("instance",))
            instances = set(self._store.read(of_late)["instance"])
            for run in runs:
                if run.started_ms < since_ms and run.instance not in instances:
                    self.write(replace(run, outcome="unfinished", ended_ms=now_ms))
        self._looked_s = clock.monotonic_s()


class AskedRuns:
    """What people ask the jobs of one process to do, each once.

    Parameters
    ----------
    store : Store
    clock : Clock
    instance : str

    Examples
    --------
    >>> from monitor.clock import ManualClock
    >>> from sinks.store.memory import MemoryStore
    >>> store, clock = MemoryStore(), ManualClock(1_000_000)
    >>> requests = AskedRuns(store, clock, "a:8080")
    >>> ask_to_run(store, clock, "keep_lifetimes", "ann", "after a change").asked_ms
    1000000
    >>> [run.job for run in requests.take()], requests.take()
    (['keep_lifetimes'], [])
    """

    def __init__(self, store: Store, clock: Clock, instance: str) -> None:
        self._store, self._clock, self._instance = store, clock, instance
        self._taken: set[tuple[str, int]] | None = None

    def take(self) -> list[JobRun]:
        """Return what has been asked for since the last time, the earliest first.

        Raises
        ------
        StoreError
        """
        # By the own clock alone: whoever asks may have one that is a day ahead, and others one that is right.
        from_ms = self._clock.now_ms() - ASKED_FOR_MS
        if self._taken is None:
            # Who was here before, under the same name, has done these.
            done = Query("job_runs", {"instance": self._instance}, low={"asked_ms": from_ms})
            self._taken = {(row["job"], row["asked_ms"]) for row in rows_of(self._store.read(done))}
        query = Query("job_runs", {"outcome": "asked"}, low={"started_ms": from_ms})
        requests = [JobRun(**row) for row in rows_of(self._store.read(query))]
        new = [run for run in requests if (run.job, run.asked_ms) not in self._taken]
        self._taken = {(job, asked_ms) for job, asked_ms in self._taken if asked_ms >= from_ms}
        self._taken |= {(run.job, run.asked_ms) for run in new}
        return new


def ask_to_run(store: Store, clock: Clock, job: str, created_by: str, reason: str) -> JobRun:
    """Ask every process of a job's role to run it now, and return the request.

    Raises
    ------
    StoreError
    """
    now_ms = clock.now_ms()
    request = JobRun(now_ms, job, "", now_ms, "asked", reason, asked_ms=now_ms, asked_by=created_by)
    _append(store, [request])
    return request


def read_last_run(store: Store, job: str, instance: str) -> JobRun | None:
    """Return the last run of a job in a process.

    Raises
    ------
    StoreError
    """
    where = {"job": job, "instance": instance}
    rows = rows_of(store.read(Query("job_runs", where, order=("started_ms",), descending=True, limit=1)))
    return JobRun(**rows[0]) if rows else None


def latest_runs(store: Store, now_ms: int) -> dict[str, list[JobRun]]:
    """Return the last run of each job in every process that has run it of late; else the last that there was.

    Raises
    ------
    StoreError
    """
    query = Query("job_runs", low={"started_ms": now_ms - OF_LATE_MS}, without={"outcome": "asked"})
    newest = {(run.job, run.instance): run for run in (JobRun(**row) for row in rows_of(store.read(query)))}
    latest: dict[str, list[JobRun]] = {}
    for _, run in sorted(newest.items()):
        latest.setdefault(run.job, []).append(run)
    for job in JOBS.keys() - latest:
        where, without = {"job": job}, {"outcome": "asked"}
        query = Query("job_runs", where, without=without, order=("started_ms",), descending=True, limit=1)
        latest[job] = [JobRun(**row) for row in rows_of(store.read(query))]
    return latest


def _append(store: Store, runs: Iterable[JobRun]) -> None:
    rows = list(runs)
    append(store, "job_runs", {each.name: [getattr(run, each.name) for run in rows] for each in fields(JobRun)})
