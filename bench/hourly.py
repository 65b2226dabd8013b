"""What the hourly roll-up of scores costs and saves, by the length of windows.

Thirty days of a model's signals for each length: bytes of a day on the disk, seconds of a refresh, and milliseconds to
read the history of one signal by the hour, from the roll-up and from the scores::

    python -m bench.hourly [--signals 200] [--windows 5 15 30 60]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from bench.rows import MINUTE_MS, START_MS, scores
from sinks.store.chdb import ChdbStore
from sinks.store.contract import Buckets
from sinks.store.upkeep import merge, status

DAYS, DAY_MS, HOUR_MS, BLOCK, ROUNDS = 30, 86_400_000, 3_600_000, 100_000, 20


def measured(store: ChdbStore, minutes: int, signals: int) -> str:
    """Return what a model with windows of so many minutes takes, as a line."""
    model, count = f"m{minutes}", DAYS * DAY_MS // (minutes * MINUTE_MS) * signals
    for name in ("scores", "scores_1h", "scores_1d", "drifts_1h", "touched", "latest"):
        store.command(f"TRUNCATE TABLE {name}")
    for first in range(0, count, BLOCK):
        block = scores(model, signals, minutes * MINUTE_MS, first, min(BLOCK, count - first))
        store.append("scores", block, f"{model}/{first}")
    merge(store, "scores")
    from_scores_ms = _history_ms(store, model)
    start_s = time.perf_counter()
    store.refresh(settle_ms=0)
    refresh_s = time.perf_counter() - start_s
    merge(store, "scores_1h")
    sizes = {table.name: table.bytes / DAYS for table in status(store).tables}
    scores_kb, hours_kb = sizes["scores"] / 1e3, sizes["scores_1h"] / 1e3
    return (
        f"{minutes:3} min  a day: scores {scores_kb:7,.0f} kB, by the hour {hours_kb:7,.0f} kB"
        f"  refresh {refresh_s:6.1f} s  a signal's hours: {from_scores_ms:6.1f} ms from scores,"
        f" {_history_ms(store, model):6.1f} ms from the roll-up"
    )


def _history_ms(store: ChdbStore, model: str) -> float:
    question = Buckets(START_MS, START_MS + DAYS * DAY_MS, HOUR_MS, {"model": model, "signal": "feature:f007"})
    times_ms = []
    for _ in range(ROUNDS):
        start_s = time.perf_counter()
        store.buckets(question)
        times_ms.append((time.perf_counter() - start_s) * 1e3)
    return statistics.median(times_ms)


def main() -> None:
    """Print a row for each length."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--signals", type=int, default=200)
    parser.add_argument("--windows", type=int, nargs="+", default=[5, 15, 30, 60], help="minutes")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = ChdbStore(Path(folder) / "store")
        store.migrate()
        for minutes in arguments.windows:
            print(measured(store, minutes, arguments.signals), flush=True)
        store.close()


if __name__ == "__main__":
    main()
