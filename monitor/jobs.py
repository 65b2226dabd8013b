"""What happens by the clock, all in one table. Nothing here decides anything that is stored as a result."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from apscheduler.schedulers.background import BackgroundScheduler

if TYPE_CHECKING:
    from monitor.service import Service

__all__ = ["JOBS", "start_jobs"]

JOBS: dict[str, tuple[int, Callable[[Service], None]]] = {
    "trim_ingest_log": (60, lambda service: service.trim_ingest_log()),
    "refresh_roll_ups": (60, lambda service: service.refresh_roll_ups()),
    "log_status": (300, lambda service: service.log_status()),
}
"""Every job: how often it runs, in seconds, and what it does."""


def start_jobs(service: Service) -> BackgroundScheduler:
    """Start all jobs; shut the scheduler down to stop them."""
    scheduler = BackgroundScheduler(job_defaults={"coalesce": True, "max_instances": 1})
    for name, (every_s, job) in JOBS.items():
        scheduler.add_job(job, "interval", args=[service], seconds=every_s, id=name)
    scheduler.start()
    return scheduler
