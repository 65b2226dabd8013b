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


OUTAGE = """
import logging
from monitor.logs import log_to_stderr
log_to_stderr(as_json=False)
import structlog
log = structlog.get_logger("leeway.store")
for attempt in range(40):
    log.warning("the store does not answer; trying again", error=f"store at db:9000/d: refused {attempt}")
    log.warning("the receiver does not answer", error=f"refused {attempt}")
    log.warning("the store does not answer; trying again", error="store at db:9000/d: no room")
    logging.getLogger("apscheduler.scheduler").warning("Execution of job %s skipped", "work_out_performance")
logging.getLogger("apscheduler.scheduler").error("a job cannot be run")
"""


def test_an_outage_of_the_store_is_said_three_times_by_each_who_meets_it_and_jobs_that_last_are_not_said() -> None:
    # when
    done = subprocess.run([sys.executable, "-c", OUTAGE], capture_output=True, text=True, check=True)
    # then
    lines = done.stderr.splitlines()
    for reason, count in (("store at db:9000/d: refused", 3), ("no room", 3), ("error='refused", 40)):
        repeated = [line for line in lines if reason in line]
        assert len(repeated) == count
        assert ("(more of this kind is left out for ten minutes)" in repeated[-1]) == (count == 3)
    # then, what libraries say stands as everything does
    [scheduler] = [line for line in lines if "apscheduler" in line]
    stamp, rest = scheduler.split(" ", 1)
    assert (stamp[10], stamp[-1], rest) == ("T", "Z", "[error    ] apscheduler.scheduler: a job cannot be run")
