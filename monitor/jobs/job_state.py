"""How a job fares in one process."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from monitor.jobs.run_log import JobRun
from sinks.receivers.times import utc
from sinks.store.change_log import after

__all__ = ["MOST_REQUESTS", "JobState"]

LONG_MS = 10_000
"""A run that takes longer is recorded before it ends."""

HANGS_AFTER_MS = 600_000
MOST_FAILURES = 3
MOST_REQUESTS = 100
"""That wait for a run that goes on."""


class JobState:
    """One job in one process.

    Parameters
    ----------
    name : str
    every_s : float
    last_run : JobRun or None
        Of this process, or of the one before it.

    Attributes
    ----------
    requests : deque of JobRun
        What people ask for, until a run of its own begins.
    running : JobRun or None
    started_ms : int
        When the last run began; 0 if none has.
    failures : int
        How many have failed in a row.
    counts : dict of str to int
        Runs by outcome, since the process started.
    is_recorded : bool
        Whether the store took down the last one at once. Else it was away, which others say, and no job's fault.

    Examples
    --------
    >>> from dataclasses import replace
    >>> state = JobState("look", 60.0, None)
    >>> run = state.begin(1_000, "a:8080")
    >>> state.end(replace(run, outcome="done"), 1_200).ended_ms
    1200
    >>> state.begin(181_000, "a:8080").missed
    2
    """

    def __init__(self, name: str, every_s: float, last_run: JobRun | None) -> None:
        self.name, self.every_s = name, every_s
        self.requests: deque[JobRun] = deque()
        self.running: JobRun | None = None
        self.started_ms = last_run.started_ms if last_run is not None else 0
        self.failures = last_run.failures if last_run is not None else 0
        self.done_ms = last_run.ended_ms if last_run is not None and last_run.outcome == "done" else 0
        self.counts: dict[str, int] = {"done": 0, "failed": 0}
        since_ms = last_run.started_ms if last_run is not None and last_run.failures else 0
        self._failing = since_ms, last_run.reason if last_run is not None else ""
        self._is_stated, self.is_recorded = False, True
        self._has_ended = last_run is not None and last_run.outcome in ("done", "failed")

    @property
    def due_ms(self) -> int:
        """When it runs next by the clock."""
        return self.started_ms + round(1000 * self.every_s)

    def begin(self, now_ms: int, instance: str) -> JobRun:
        """A run begins."""
        request = self.requests.popleft() if self.requests else None
        missed = max(0, round((now_ms - self.started_ms) / (1000 * self.every_s)) - 1) if self.started_ms else 0
        # Two runs in one millisecond are two, and a clock that goes back makes no run replace an earlier one.
        run = JobRun(after(self.started_ms, now_ms), self.name, instance, missed=missed, failures=self.failures)
        if request is not None:
            run = replace(run, asked_ms=request.asked_ms, asked_by=request.asked_by)
        self.running, self._is_stated, self.started_ms = run, False, run.started_ms
        return run

    def take_long_run(self, now_ms: int) -> JobRun | None:
        """Return the run that takes long, once."""
        run = self.running
        if run is None or self._is_stated or now_ms - run.started_ms < LONG_MS:
            return None
        self._is_stated = True
        return run

    def end(self, run: JobRun, now_ms: int) -> JobRun:
        """The run has ended, as it says; return it with its time."""
        self.running, self.failures = None, run.failures
        self.counts[run.outcome] += 1
        self._has_ended = True
        ended = replace(run, ended_ms=max(now_ms, run.started_ms))
        if run.outcome == "done":
            self.done_ms = ended.ended_ms
        self._failing = run.started_ms if run.failures == 1 else self._failing[0], run.reason
        return ended

    @property
    def is_known(self) -> bool:
        """Whether its last run has come to an end: one that was killed says nothing."""
        return self._has_ended

    def trouble(self, now_ms: int) -> str:
        """Return what people should know of it; empty if all is well."""
        run, hint = self.running, f"`leeway jobs history --job {self.name}` shows its runs"
        if run is not None and now_ms - run.started_ms >= max(HANGS_AFTER_MS, 3_000 * self.every_s):
            return f"the job {self.name} runs since {utc(run.started_ms)} and does not end; {hint}"
        if self.failures >= MOST_FAILURES and self.is_recorded:
            since_ms, reason = self._failing
            fails = f"fails since {utc(since_ms)}, {self.failures} times in a row"
            return f"the job {self.name} {fails}{': ' if reason else ''}{reason}; {hint}"
        return ""
