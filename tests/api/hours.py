"""A model under the rule `change`: eleven days of hours, an outage on the tenth, and a change on the last."""

from __future__ import annotations

import json
import tempfile
from functools import cache
from pathlib import Path

import numpy as np

from monitor.config import Configuration
from sinks.store.contract import Store
from tests.api.world import World
from tests.monitor.streams import HOUR_MS, START_MS, configured, replayed_lines

DAYS, PER_HOUR = 11, 60
OUTAGE = range(9 * 24 + 10, 9 * 24 + 12)
"""Hours in which most amounts are missing."""

CHANGE = 10 * 24 + 12
"""The hour from which amounts are three standard deviations higher."""


def end_ms(hour: int) -> int:
    """The end of an hour, by its number."""
    return START_MS + (hour + 1) * HOUR_MS


def watched() -> Configuration:
    schema = {"id": "id", "features": {"amount": {"type": "numeric"}, "country": {"type": "category"}}}
    detect = {"rule": "change", "false_alarms": "1 per 30d", "pane": "1h", "defaults": {"window": "1h"}}
    alerts = {"resolve_after": "2h"}
    return configured(detect=detect, schema=schema, segments=[], alerts=alerts)


def lines() -> list[bytes]:
    rng = np.random.default_rng(7)
    events = []
    for hour in range(DAYS * 24):
        for number in range(PER_HOUR):
            at_ms = START_MS + hour * HOUR_MS + number * HOUR_MS // PER_HOUR
            amount = 10 + 2 * float(rng.normal()) + 3 * float(np.sin(2 * np.pi * hour / 24)) + 6 * (hour >= CHANGE)
            country = str(rng.choice(["DE", "FR", "PL"], p=[0.6, 0.3, 0.1]))
            is_out = hour in OUTAGE and rng.random() < 0.8
            events.append(
                {"id": f"{hour}/{number}", "ts": at_ms, "amount": None if is_out else amount, "country": country}
            )
    return [json.dumps(event).encode() for event in events]


@cache
def stored() -> Store:
    with tempfile.TemporaryDirectory() as folder:
        return replayed_lines(Path(folder), lines(), watched())[0]


def world() -> World:
    """A service that shows it."""
    return World(store=stored(), configuration=watched())
