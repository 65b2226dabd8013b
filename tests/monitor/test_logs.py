"""The log: one object a line for programs, whoever writes it, and nothing that is said better elsewhere."""

from __future__ import annotations

import json
import subprocess
import sys

LIBRARIES = """
import logging
from monitor.logs import log_to_stderr
log_to_stderr(as_json=True)
import structlog
import sinks.store.clients
structlog.get_logger("leeway").info("ours", count=1)
logging.getLogger("kafka.net").error("connection %s", "lost")
try:
    raise OSError("refused")
except OSError:
    logging.getLogger("uvicorn").warning("a request failed", exc_info=True)
    logging.getLogger("clickhouse_driver.connection").warning("Failed to connect", exc_info=True)
"""


WARNING = """
import warnings
from monitor.logs import log_to_stderr
log_to_stderr(as_json=True)
warnings.warn("overflow encountered\\nin exp", RuntimeWarning)
"""


def test_a_warning_of_pythons_is_an_object_too() -> None:
    done = subprocess.run([sys.executable, "-c", WARNING], capture_output=True, text=True, check=True)
    (line,) = map(json.loads, done.stderr.splitlines())
    assert (line["level"], line["logger"], line["category"]) == ("warning", "py.warnings", "RuntimeWarning")
    assert (line["event"], line["where"]) == ("overflow encountered\nin exp", "<string>:5")
    assert line["timestamp"]


def test_every_line_is_an_object_those_of_libraries_too_and_the_driver_of_the_store_says_nothing() -> None:
    done = subprocess.run([sys.executable, "-c", LIBRARIES], capture_output=True, text=True, check=True)
    ours, lost, failed = (json.loads(line) for line in done.stderr.splitlines())
    assert (ours["event"], ours["count"]) == ("ours", 1)
    assert (lost["event"], lost["logger"], lost["level"]) == ("connection lost", "kafka.net", "error")
    assert failed["event"] == "a request failed"
    assert failed["exception"].endswith("OSError: refused")
