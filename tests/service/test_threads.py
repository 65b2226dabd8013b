"""What one thread asks while another one works."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from monitor.clock import SystemClock
from monitor.sources.http_log import HttpLog, HttpSource


def test_a_stream_can_be_asked_how_far_it_is_while_it_is_read(tmp_path: Path) -> None:
    log = HttpLog(tmp_path / "ingest.log", SystemClock())
    source = HttpSource(log, ["a", "b", "c"])
    source.open(lambda topic, partition: None)
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            assert len(source.partitions()) == 3
            assert source.at_end() <= source.assigned()

    with ThreadPoolExecutor(1) as threads:
        asking = threads.submit(ask)
        for _ in range(2000):
            source.poll(10, 0.0)
        done.set()
        asking.result()
    log.close()
