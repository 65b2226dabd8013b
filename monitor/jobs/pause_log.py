"""Which jobs do not run, since when, and who wants it so."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.clock import Clock
from monitor.values import DAY_MS
from sinks.receivers.times import utc
from sinks.store.change_log import ChangeLog
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of

__all__ = ["Pause", "pause_job", "read_pauses", "resume_job"]

FORGOTTEN_AFTER_MS = DAY_MS


@dataclass(frozen=True)
class Pause:
    """A job that does not run until somebody resumes it."""

    job: str
    since_ms: int
    created_by: str
    reason: str

    @property
    def sentence(self) -> str:
        """What people should know of it."""
        return f"{self.fact} by {self.created_by}: {self.reason}"

    @property
    def fact(self) -> str:
        """What anybody may know of it."""
        return f"the job {self.job} is paused since {utc(self.since_ms)}"

    @property
    def reminder(self) -> str:
        """What people should know of one that stands for long."""
        return f"{self.sentence}. `leeway jobs resume {self.job}` has it run again"

    def is_forgotten(self, now_ms: int) -> bool:
        """Whether it stands for so long that somebody may have forgotten it."""
        return now_ms - self.since_ms >= FORGOTTEN_AFTER_MS


def pause_job(store: Store, clock: Clock, job: str, created_by: str, reason: str) -> Pause:
    """Pause a job in every process; one that is paused already stays so, for another reason.

    Raises
    ------
    StoreError

    Examples
    --------
    >>> from monitor.clock import ManualClock
    >>> from sinks.store.memory import MemoryStore
    >>> store, clock = MemoryStore(), ManualClock(5)
    >>> pause_job(store, clock, "keep_lifetimes", "ann", "audit").since_ms
    5
    >>> clock.advance(1)
    >>> pause_job(store, clock, "keep_lifetimes", "bob", "audit of May").since_ms
    5
    >>> resume_job(store, clock, "keep_lifetimes", "bob", "done")
    >>> read_pauses(store)
    {}
    """
    standing = read_pauses(store).get(job)
    since_ms = standing.since_ms if standing is not None else clock.now_ms()
    _write(store, clock, Pause(job, since_ms, created_by, reason), is_paused=True)
    return Pause(job, since_ms, created_by, reason)


def resume_job(store: Store, clock: Clock, job: str, created_by: str, reason: str) -> None:
    """Have a job run again by the clock.

    Raises
    ------
    StoreError
    """
    _write(store, clock, Pause(job, 0, created_by, reason), is_paused=False)


def _write(store: Store, clock: Clock, pause: Pause, *, is_paused: bool) -> None:
    row = {**vars(pause), "updated_ms": clock.now_ms(), "is_paused": int(is_paused)}
    ChangeLog(store, "job_pauses").put([row])


def read_pauses(store: Store) -> dict[str, Pause]:
    """Return the pauses in force, by job.

    Raises
    ------
    StoreError
    """
    columns = ("job", "since_ms", "created_by", "reason")
    rows = rows_of(store.read(Query("job_pauses", {"is_paused": 1}, columns=columns)))
    return {row["job"]: Pause(**row) for row in rows}
