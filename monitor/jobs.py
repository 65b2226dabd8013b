"""What happens by the clock, all in one table. Nothing here decides anything that is stored as a result."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping

import structlog
from apscheduler.schedulers.background import BackgroundScheduler

from sinks.store.contract import Store, StoreError

__all__ = ["JOBS", "refresh_roll_ups", "start_jobs"]

JOBS: dict[str, tuple[int, str]] = {
    "trim_ingest_log": (60, "ingest"),
    "refresh_roll_ups": (60, "evaluate"),
    "look_at_group": (30, "ingest"),
    "log_status": (300, ""),
}
"""Every job: how often it runs, in seconds, and the role whose process runs it; empty: every process."""

log = structlog.get_logger("leeway.service")


def start_jobs(jobs: Mapping[str, Callable[[], None]], roles: Collection[str]) -> BackgroundScheduler:
    """Start the jobs of a process's roles; shut the scheduler down to stop them.

    Parameters
    ----------
    jobs : mapping of str to callable
        What each of :data:`JOBS` does.
    roles : collection of str
    """
    # After a pause of the machine a job runs once, not once for each time that it missed.
    scheduler = BackgroundScheduler(job_defaults={"coalesce": True, "max_instances": 1})
    for name, (every_s, role) in JOBS.items():
        if not role or role in roles:
            scheduler.add_job(jobs[name], "interval", seconds=every_s, id=name)
    scheduler.start()
    return scheduler


def refresh_roll_ups(store: Store, stopping: threading.Event) -> None:
    """Add up what has settled; until it has worked, answers come from the rows and are only slower."""
    try:
        store.refresh(is_enough=stopping.is_set)
    except StoreError as error:
        log.warning("roll-ups were not refreshed", reason=str(error), retryable=error.retryable)
