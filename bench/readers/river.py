"""Reads a topic as one would by hand: kafka-python, orjson, river. Run by :mod:`bench.kafka`."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import orjson
from kafka import KafkaConsumer
from river import drift

from bench.events import FEATURES


def main(_folder: str, bootstrap: str, topic: str, count: str) -> None:
    """Read so many events."""
    make: Any = drift
    detectors = [(name, make.ADWIN(), make.PageHinkley()) for name in FEATURES]
    consumer = KafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest", group_id=None)
    total, first = int(count), int(count) // 10
    drifts = 0
    begun = time.process_time(), time.perf_counter()
    for seen, message in enumerate(consumer, 1):
        event = orjson.loads(message.value)
        for name, adwin, page_hinkley in detectors:
            x = event[name]
            adwin.update(x)
            page_hinkley.update(x)
            drifts += adwin.drift_detected + page_hinkley.drift_detected
        if seen == first:
            begun = time.process_time(), time.perf_counter()
        if seen == total:
            break
    cpu_s, wall_s = time.process_time() - begun[0], time.perf_counter() - begun[1]
    consumer.close()
    print(json.dumps({"events": total - first, "cpu_s": cpu_s, "wall_s": wall_s, "drifts": drifts}))


if __name__ == "__main__":
    main(*sys.argv[1:])
