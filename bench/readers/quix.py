"""Reads a topic with Quix Streams, with a count and a mean of every number in its state. Run by :mod:`bench.kafka`."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from quixstreams import Application

FEATURES = [f"feat_{number:02d}" for number in range(20)]


def main(folder: str, bootstrap: str, topic: str, count: str) -> None:
    """Read so many events; the state is written once for each."""
    total, first = int(count), int(count) // 10
    done: dict[str, Any] = {"seen": 0}
    application = Application(
        broker_address=bootstrap,
        consumer_group=f"quix-{time.time_ns()}",
        auto_offset_reset="earliest",
        state_dir=folder,
        use_changelog_topics=False,
        loglevel="WARNING",
    )

    def fold(event: dict[str, float], state: Any) -> None:
        sums = state.get("sums", default={"n": 0})
        sums["n"] += 1
        for name in FEATURES:
            sums[name] = sums.get(name, 0.0) + event[name]
        state.set("sums", sums)
        done["seen"] += 1
        if done["seen"] == first:
            done["begun"] = time.process_time(), time.perf_counter()
        if done["seen"] == total:
            done["ended"] = time.process_time(), time.perf_counter()
            application.stop()

    frame = application.dataframe(application.topic(topic, value_deserializer="json"))
    frame.update(fold, stateful=True)
    application.run()
    begun, ended = done["begun"], done["ended"]
    print(json.dumps({"events": total - first, "cpu_s": ended[0] - begun[0], "wall_s": ended[1] - begun[1]}))


if __name__ == "__main__":
    main(*sys.argv[1:])
