"""How a process ends: with its exit code, whatever its threads are at in the engine of the embedded store."""

from __future__ import annotations

import signal
import socket
import sys
from pathlib import Path

import httpx
import pytest

from sinks.store import open_store
from tests.service import shop
from tests.service.process import Running, leeway

pytestmark = pytest.mark.slow

IN_ENGINE = """
import sys
import threading

import monitor.cli.run
import monitor.service
import monitor.threads
import sinks.store.sessions
from monitor.cli import main
from sinks.store.chdb import ChdbStore

LONG = "SELECT sum(sleepEachRow(1)) FROM numbers(3600) SETTINGS max_block_size = 1"
monitor.cli.run.GRACE_S = 1
monitor.service.CLOSE_WITHIN_S = 0.2
read, close = ChdbStore._read, ChdbStore.close

def stay(store):
    # In one piece: others write here as well.
    sys.stderr.write(f"in the engine: {threading.current_thread().name}\\n")
    read(store, LONG, None)
"""
BRIEFLY = """
monitor.threads.LEAVE_WITHIN_S = 0.2
"""
THREADS_STAY = """
def read_or_stay(store, sql, parameters):
    if threading.current_thread().name {whose}:
        stay(store)
    return read(store, sql, parameters)

ChdbStore._read = read_or_stay
main()
"""
CLOSE_FINDS_THREADS = """
sinks.store.sessions.CLOSE_WITHIN_S = 0.2

def close_beneath(store):
    for number in range(4):
        threading.Thread(target=stay, args=[store], name=f"reader {{number}}", daemon={daemon}).start()
    while len(store._readers._borrowers) < 4:
        threading.Event().wait(0.01)
    close(store)

ChdbStore.close = close_beneath
main()
"""
WITH_A_LATE_SIGNAL = """
import atexit
import os
import signal
import sys

from monitor.cli import main

atexit.register(os.kill, os.getpid(), signal.{name})
main()
"""


def run_as(monkeypatch: pytest.MonkeyPatch, *script: str) -> None:
    monkeypatch.setattr("tests.service.process.LEEWAY", [sys.executable, "-c", "".join(script)])


def test_stages_in_the_engine_do_not_crash_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_as(monkeypatch, IN_ENGINE, BRIEFLY, THREADS_STAY.format(whose="in ('evaluate', 'watch', 'configurations')"))
    config = shop.configured(tmp_path, shop.model("shop", {"http": "shop"}))
    with Running("run", config, "--port", 0) as service:
        shop.wait_until(lambda: "in the engine: watch\n" in service.log, "it is in the engine")
        assert service.signal(signal.SIGTERM) == 0, "".join(service.log)
    [line] = [line for line in service.log if "threads that have not ended end with the process" in line]
    assert "'watch'" in line
    assert "stopped" in service.log[-1]


def test_a_request_in_the_engine_does_not_crash_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_as(monkeypatch, IN_ENGINE, THREADS_STAY.format(whose="== 'AnyIO worker thread'"))
    config = shop.configured(tmp_path, shop.model("shop", {"http": "shop"}))
    with Running("run", config, "--port", 0) as service:
        address = httpx.URL(service.url)
        with socket.create_connection((address.host, address.port or 0)) as client:
            client.sendall(b"GET /v1/alerts HTTP/1.1\r\nHost: leeway\r\n\r\n")
            shop.wait_until(lambda: "in the engine" in "".join(service.log), "it is asked")
            assert service.signal(signal.SIGTERM) == 0, "".join(service.log)
    assert any("the store is left open: it does not answer a request" in line for line in service.log)
    [line] = [line for line in service.log if "threads that have not ended end with the process" in line]
    assert "AnyIO worker thread" in line


@pytest.mark.parametrize("daemon", [True, False])
def test_a_command_ends_with_its_answer_although_threads_are_in_the_engine(
    daemon: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_store("chdb", str(tmp_path)).close()
    run_as(monkeypatch, IN_ENGINE, CLOSE_FINDS_THREADS.format(daemon=daemon))
    ended = leeway("sql", "SELECT 1 AS one", "--store", tmp_path, "--format", "csv", timeout_s=60)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == '"one"\n1\n'
    [line] = [line for line in ended.stderr.splitlines() if "the store is left open" in line]
    assert "reader 0" in line


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_after_the_outcome_does_not_change_the_exit_code(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_as(monkeypatch, WITH_A_LATE_SIGNAL.format(name=number.name))
    ended = leeway("detectors", timeout_s=60)
    assert (ended.returncode, ended.stderr) == (0, "")
