"""What happens by the clock, all in one table. Nothing here decides anything that is stored as a result."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from apscheduler.schedulers.background import BackgroundScheduler

if TYPE_CHECKING:
    from monitor.service import Service

__all__ = ["JOBS", "start_jobs"]

JOBS: dict[str, tuple[int, Callable[[Service], None], str]] = {
    "trim_ingest_log": (60, lambda service: service.trim_ingest_log(), "ingest"),
    "refresh_roll_ups": (60, lambda service: service.refresh_roll_ups(), "evaluate"),
    "log_status": (300, lambda service: service.log_status(), ""),
}
"""Every job: how often it runs, in seconds, what it does, and the role whose process does it; empty: every process."""


def start_jobs(service: Service) -> BackgroundScheduler:
    """Start the jobs of the process's roles; shut the scheduler down to stop them."""
    scheduler = BackgroundScheduler(job_defaults={"coalesce": True, "max_instances": 1})
    for name, (every_s, job, role) in JOBS.items():
        if not role or role in service.roles:
            scheduler.add_job(job, "interval", args=[service], seconds=every_s, id=name)
    scheduler.start()
    return scheduler
