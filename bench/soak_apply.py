"""Kills a service while its configuration changes: ``python -m bench.soak_apply --kills 30``.

A model is changed over and over while events come, and the process is killed (``kill -9``) at a random moment between
the request and the time when the change is in force. Each time it is started again: either the old version or the new
one must be in force, the new one if it was acknowledged, and the document must be that one. At the end a replay of all
events with what was decided must write the same rows. Printed are how often the old and how often the new one was in
force, how long that took behind a start, and how many rows were compared. The exit code is 1 if anything differs.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from monitor.client.leeway import Leeway
from monitor.clock import SystemClock
from monitor.config import load
from monitor.configurations.following import begun
from monitor.configurations.log import ConfigurationLog
from monitor.logs import warn_on_stderr
from monitor.replay import Replay, courses, decisions, replay_course
from monitor.sources.files import FileSource
from monitor.values import DAY_MS
from sinks.store import open_store
from sinks.store.batch import append
from sinks.store.memory import MemoryStore
from tests.service import shop
from tests.service.process import Running

__all__ = ["Outcome", "ordeal"]

CONVERGES_S, END_WITHIN_S, EVENTS_PER_WINDOW = 60.0, 600.0, 60
NDJSON = "application/x-ndjson"
SEGMENTS: list[dict[str, Any]] = [{"by": ["country"], "values": ["DE", "PL"]}]
CHANGES: list[dict[str, Any]] = [
    {},
    {"segments": SEGMENTS},
    {"segments": SEGMENTS, "detect": {**shop.DETECT, "false_alarms": "1 per 2h"}},
    {"alerts": {"resolve_after": "80s"}},
    {"detect": {**shop.DETECT, "rules": []}},
]


@dataclass
class Outcome:
    """What became of the changes.

    Attributes
    ----------
    versions : Counter of str
        How often the ``old`` and how often the ``new`` one was in force behind a kill.
    in_force_s : list of float
        Behind each start.
    rows : int
        Compared with a replay.
    mistakes : list of str
    """

    versions: Counter[str] = field(default_factory=Counter)
    in_force_s: list[float] = field(default_factory=list)
    rows: int = 0
    mistakes: list[str] = field(default_factory=list)


class _Change(threading.Thread):
    """A request that may never be answered."""

    def __init__(self, url: str, document: str) -> None:
        super().__init__()
        self.document, self._url = document, url
        self.is_acknowledged = False

    def run(self) -> None:
        headers = {"Content-Type": "application/yaml"}
        try:
            address = f"{self._url}/v1/models/orders/configuration"
            self.is_acknowledged = httpx.put(address, content=self.document, headers=headers, timeout=30).is_success
        except httpx.HTTPError:
            return


def ordeal(folder: Path, kills: int, seed: int) -> Outcome:
    """Kill a service so often while it is changed, and compare what it wrote with a replay.

    Parameters
    ----------
    folder : Path
        Empty; for the store and the events.
    kills, seed : int
    """
    rng, outcome = random.Random(seed), Outcome()
    # Of late: panes are kept for some days.
    start_ms = (SystemClock().now_ms() - DAY_MS) // shop.WINDOW_MS * shop.WINDOW_MS
    windows = 8 * (kills + 1)
    [events], end_ms = shop.traffic(seed, windows, EVENTS_PER_WINDOW, partitions=1, start_ms=start_ms)
    config = shop.configured(folder, models=[], checkpoint_every="1s", idle_after="1h")
    size = -(-len(events) // (kills + 1))
    former, change = "", None
    for number in range(kills + 1):
        with Running("run", config, "--port", 0) as service:
            former = _looked_at(service, former, change, outcome) if change is not None else _first(service)
            service.post("orders", b"\n".join(events[number * size : (number + 1) * size]), content_type=NDJSON)
            if number < kills:
                change = _Change(service.url, _document(number + 1))
                change.start()
                time.sleep(rng.uniform(0.0, rng.choice((0.3, 2.0))))
                service.kill()
                change.join()
            else:
                _await_end(service, end_ms)
                service.signal(signal.SIGTERM)
    _compare(folder, config, events, end_ms, outcome)
    return outcome


def _document(number: int) -> str:
    """One version; the comment makes each another one."""
    model = shop.model("orders", {"http": "orders"}, **CHANGES[number % len(CHANGES)])
    return f"# change {number}\n{json.dumps(model, indent=1)}\n"


def _first(service: Running) -> str:
    document = _document(0)
    with Leeway(service.url) as leeway:
        assert leeway.configurations.apply("orders", document, wait_s=CONVERGES_S)["is_in_force"]
    return document


def _looked_at(service: Running, former: str, change: _Change, outcome: Outcome) -> str:
    """Wait until a version is in force; return its document, which must be the old one or the new one."""
    begun_s = time.monotonic()
    with Leeway(service.url) as leeway:
        shop.wait_until(lambda: leeway.configurations.versions("orders")["is_in_force"], "it is in force", CONVERGES_S)
        document: str = leeway.configurations.get("orders")["document"]
    outcome.in_force_s.append(time.monotonic() - begun_s)
    if document not in (former, change.document):
        outcome.mistakes.append("neither the old nor the new version is in force")
    if change.is_acknowledged and document != change.document:
        outcome.mistakes.append("a change that was acknowledged is lost")
    outcome.versions["new" if document == change.document else "old"] += 1
    return document


def _await_end(service: Running, end_ms: int) -> None:
    with Leeway(service.url) as leeway:
        last_window = leeway.history("orders", "volume", from_=end_ms - shop.WINDOW_MS, to=end_ms + 1)
        shop.wait_until(lambda: list(last_window), "all windows are evaluated", END_WITHIN_S)


def _compare(folder: Path, config: Path, events: Sequence[bytes], end_ms: int, outcome: Outcome) -> None:
    log, replayed, clock = folder / "orders.jsonl", MemoryStore(), SystemClock()
    log.write_bytes(b"".join(line + b"\n" for line in events))
    store = open_store("chdb", path=str(folder / "store"))
    try:
        configuration = begun(load(config), ConfigurationLog(store, clock), {}).configuration
        for table, rows in decisions(store, ["orders"]).items():
            append(replayed, table, rows)
        changed = courses(store, configuration, clock)
        for course in changed.values():
            replay_course(course, replayed, lambda: FileSource({"orders": [log]}))
        if not changed:
            Replay(configuration, replayed, FileSource({"orders": [log]})).run()
        stored = shop.results(store, end_ms)
    finally:
        store.close()
    for table, rows_again in shop.results(replayed, end_ms).items():
        outcome.rows += len(stored[table])
        differing = set(stored[table]) ^ set(rows_again)
        if differing:
            outcome.mistakes.append(f"{table}: {len(differing)} rows differ, the first: {min(differing, key=str)}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what became of the changes, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak_apply", description=__doc__)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    warn_on_stderr()
    with tempfile.TemporaryDirectory(prefix="leeway-apply-") as folder:
        outcome = ordeal(Path(folder), options.kills, options.seed)
    for mistake in outcome.mistakes:
        print(f"MISTAKE: {mistake}")
    print(
        f"killed {options.kills} times while it was changed: {outcome.versions['old']} times the old version was in"
        f" force, {outcome.versions['new']} times the new one, {statistics.median(outcome.in_force_s):.1f} s behind a"
        f" start (at most {max(outcome.in_force_s):.1f}); {outcome.rows:,} rows, {len(outcome.mistakes)} mistakes"
    )
    return int(bool(outcome.mistakes))


if __name__ == "__main__":
    sys.exit(main())
