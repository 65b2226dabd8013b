"""What happens by the clock."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from monitor.jobs import JOBS, refresh_roll_ups, start_jobs
from sinks.store.contract import StoreError
from sinks.store.memory import MemoryStore


class FailingStore(MemoryStore):
    """A store that does not answer."""

    def refresh(self, settle_ms: int = 0, is_enough: Callable[[], bool] = lambda: False) -> int:
        raise StoreError("no answer", retryable=True)


@pytest.mark.parametrize(("store", "lines"), [(MemoryStore(), 0), (FailingStore(), 1)])
def test_roll_ups_are_refreshed_and_a_store_that_cannot_is_in_the_log(store: MemoryStore, lines: int) -> None:
    with capture_logs() as log:
        refresh_roll_ups(store, threading.Event())
    assert [line["log_level"] for line in log] == ["warning"] * lines


def test_a_process_runs_the_jobs_of_its_roles() -> None:
    jobs = dict.fromkeys(JOBS, lambda: None)
    scheduled = {}
    for role in ("ingest", "evaluate", "api"):
        scheduler = start_jobs(jobs, [role])
        scheduled[role] = sorted(job.id for job in scheduler.get_jobs())
        scheduler.shutdown()
    assert scheduled == {
        "ingest": ["log_status", "look_at_group", "trim_ingest_log"],
        "evaluate": ["log_status", "refresh_roll_ups"],
        "api": ["log_status"],
    }
