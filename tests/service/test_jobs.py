"""What happens by the clock."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from monitor.jobs import JOBS
from sinks.store.contract import StoreError
from sinks.store.memory import MemoryStore


class FailingStore(MemoryStore):
    """A store that does not answer."""

    def refresh(self, settle_ms: int = 0) -> int:
        raise StoreError("no answer", retryable=True)


@pytest.mark.parametrize(("store", "lines"), [(MemoryStore(), 0), (FailingStore(), 1)])
def test_roll_ups_are_refreshed_and_a_store_that_cannot_is_in_the_log(store: MemoryStore, lines: int) -> None:
    from monitor.service import Service

    service: Any = SimpleNamespace(store=store)
    service.refresh_roll_ups = lambda: Service.refresh_roll_ups(service)
    with capture_logs() as log:
        JOBS["refresh_roll_ups"][1](service)
    assert [line["log_level"] for line in log] == ["warning"] * lines
