"""Fixtures of services that run within the test: a store in memory, and who is notified."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sinks.store.memory import MemoryStore
from tests.sinks.receivers.listener import Listener


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    store.migrate()
    return store


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener() as listening:
        yield listening
