"""How many JSON messages a second become columns: our decoder beside orjson and the standard library.

A message has 20 numbers, a category, an identity, a version and a time (some 450 bytes). The peers do the least that
gives the same columns from clean messages: they check nothing, and stop at the first bad one. Needs orjson.

Run ``python -m bench.decode``; the last line is JSON.
"""

from __future__ import annotations

import json
import random
import timeit
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import orjson

from monitor.config.model import SourceSpec
from monitor.config.schema import Schema
from monitor.decoders import JsonDecoder, TopicPlan
from monitor.events import Records
from monitor.privacy.mask import Mask, key_of
from monitor.privacy.privacy import ModelPrivacy

COUNT = 20_000
BATCH = 2_000
ROUNDS = 7
START_MS = 1_700_000_000_000
NAMES = [f"feat_{number:02d}" for number in range(20)]
ODD_EVERY = 100
MASKS = {
    "feature:feat_00": Mask("drop"),
    "feature:feat_01": Mask("bucket", edges=tuple(np.linspace(-3, 3, 13))),
    "feature:feat_02": Mask("personal"),
    "feature:country": Mask("hash", key_of("x" * 32)),
}


def main() -> None:
    payloads = messages()
    odd = [b'{"feat_00": NaN, ' + p[1:] if n % ODD_EVERY == 0 else p for n, p in enumerate(payloads)]
    one, many, slow = JsonDecoder(plans(1)), JsonDecoder(plans(10)), JsonDecoder(plans(1), fast=False)
    private = JsonDecoder([replace(plan, privacy=ModelPrivacy(MASKS)) for plan in plans(1)])
    ours, peer = columns_of(one, payloads), from_objects(orjson.loads, payloads)
    assert all(np.array_equal(mine, theirs) for mine, theirs in zip(ours, peer, strict=True))
    contestants: dict[str, Callable[[], object]] = {
        "leeway": lambda: [one.decode(records(batch)) for batch in batches(payloads)],
        "leeway, 1 in 100 odd": lambda: [one.decode(records(batch)) for batch in batches(odd)],
        "leeway, 4 private fields": lambda: [private.decode(records(batch)) for batch in batches(payloads)],
        "leeway, 10 models on the topic": lambda: [many.decode(records(batch)) for batch in batches(payloads)],
        "leeway, slow way only": lambda: [slow.decode(records(batch)) for batch in batches(payloads)],
        "orjson to numpy": lambda: [from_objects(orjson.loads, batch) for batch in batches(payloads)],
        "json to numpy": lambda: [from_objects(json.loads, batch) for batch in batches(payloads)],
    }
    # Rounds go through all contestants in turn, so that a busy moment of the machine hits them alike.
    best = dict.fromkeys(contestants, float("inf"))
    for _ in range(ROUNDS):
        for name, run in contestants.items():
            best[name] = min(best[name], timeit.timeit(run, number=1))
    bytes_each = sum(map(len, payloads)) / COUNT
    print(f"{COUNT} messages of {bytes_each:.0f} bytes in batches of {BATCH}, best of {ROUNDS}")
    for name, seconds in best.items():
        rate, ratio = COUNT / seconds, best["orjson to numpy"] / seconds
        print(f"{name:32} {rate:9,.0f} messages/s  {rate * bytes_each / 1e6:6.0f} MB/s  {ratio:5.2f}x")
    print(json.dumps({name: round(COUNT / seconds) for name, seconds in best.items()}))


def batches(payloads: list[bytes]) -> list[list[bytes]]:
    return [payloads[start : start + BATCH] for start in range(0, len(payloads), BATCH)]


def messages() -> list[bytes]:
    rng = random.Random(1)
    return [
        json.dumps(
            {
                "event_id": f"e{number:09d}",
                "version": "v3",
                "ts": START_MS + number,
                "country": rng.choice(["DE", "FR", "US", "BR"]),
                **{name: round(rng.gauss(0, 1), 4) for name in NAMES},
            }
        ).encode()
        for number in range(COUNT)
    ]


def plans(count: int) -> list[TopicPlan]:
    features: dict[str, Any] = {name: {"type": "numeric"} for name in NAMES}
    features["country"] = {"type": "category"}
    schema = Schema.model_validate({"id": "event_id", "version": "version", "features": features})
    source = SourceSpec.model_validate({"kafka": "scores", "event_time": "ts"})
    return [TopicPlan(f"model-{number}", source, schema) for number in range(count)]


def records(payloads: list[bytes]) -> Records:
    offsets = np.arange(len(payloads), dtype=np.int64)
    return Records("scores", 0, offsets, START_MS + offsets, payloads)


def columns_of(decoder: JsonDecoder, payloads: list[bytes]) -> list[Any]:
    events = decoder.decode(records(payloads)).events["model-0"]
    return [events.numeric, events.category[0], events.ids, events.versions, events.event_ms]


def from_objects(loads: Callable[[bytes], Any], payloads: list[bytes]) -> list[Any]:
    rows = list(map(loads, payloads))
    numeric = np.array([[row[name] for row in rows] for name in NAMES], dtype=np.float64)
    times = np.array([row["ts"] for row in rows], dtype=np.int64)
    return [numeric, [r["country"] for r in rows], [r["event_id"] for r in rows], [r["version"] for r in rows], times]


if __name__ == "__main__":
    main()
