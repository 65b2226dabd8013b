"""A broker that takes what it is sent and answers nothing."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.service.shop import wait_until
from tests.services.kafka import Broker, Cluster
from tests.sources.reading import source

pytestmark = pytest.mark.kafka
HANGS_S = 1.0


@contextmanager
def hanging(broker: Broker) -> Iterator[None]:
    os.kill(broker.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(broker.pid, signal.SIGCONT)


def test_waiting_for_a_broker_that_hangs_fills_no_memory(kafka: Cluster, topic: str) -> None:
    """The client keeps something of each round in which it waits, for as long as the broker owes an answer."""
    if not isinstance(kafka, Broker):
        pytest.skip("a broker of others is not stopped")
    with source(kafka, topic) as reader:
        wait_until(lambda: not reader.poll(10, 0.1) and reader.assigned(), "it is assigned")
        with hanging(kafka):
            reader.poll(10, HANGS_S)  # a heartbeat is due after 0.2 s
            before, until_s = sys.getallocatedblocks(), time.monotonic() + HANGS_S
            while time.monotonic() < until_s:
                reader.poll(10, 0.1)
            assert sys.getallocatedblocks() - before < 10_000
