"""Random configurations of Alertmanager, and alerts for them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from monitor.config.alerting import Alerting

LABELS = {
    "team": ["a", "b", "a b", ""],
    "severity": ["info", "warning", "critical"],
    "größe": ["klein", "groß"],
    "model": ["fraud", "churn", "prices"],
    "a.b": ['say "x"', "line\nbreak", "\\"],
}
PLAIN = [name for name in LABELS if name.isidentifier() and name.isascii()]
EXPRESSIONS = [".*", ".+", "a|b", "[a-m].*", "(?i)FRAUD|churn", "war.*|crit", "a)|(b", "", "kl.{3}", "^info$"]
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"]
START_MS = 1_704_067_200_000
"""Monday, 2024-01-01 00:00 UTC."""


def labels(rng: random.Random) -> dict[str, str]:
    """Labels of an alert, some missing."""
    return {name: rng.choice(values) for name, values in LABELS.items() if rng.random() < 0.7}


def quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def matcher(rng: random.Random, names: list[str] | None = None) -> str:
    """A matcher as people write them, with quotes or without."""
    name = rng.choice(names or list(LABELS))
    operator = rng.choice(["=", "!=", "=~", "!~"])
    value = rng.choice(LABELS[name] if "~" not in operator else EXPRESSIONS)
    plain = value.isalnum() and rng.random() < 0.5
    written = (name if name.isidentifier() else quoted(name)) + rng.choice(["", " "])
    return f"{written}{operator}{value if plain else quoted(value)}"


def matchers(rng: random.Random) -> list[str]:
    """A list of matchers, some of them several in one text."""
    found = [matcher(rng) for _ in range(rng.choice([1, 1, 1, 2, 3]))]
    if len(found) > 1 and rng.random() < 0.3:
        found[:2] = ["{" + ", ".join(found[:2]) + "}"]
    return found


def intervals(rng: random.Random) -> list[dict[str, Any]]:
    """Named intervals."""
    return [
        {"name": f"t{number}", "time_intervals": [interval(rng) for _ in range(rng.randint(1, 2))]}
        for number in range(4)
    ]


def interval(rng: random.Random) -> dict[str, Any]:
    minutes = sorted(rng.sample(range(0, 1441, 30), 2))
    times = {
        key: f"{minute // 60:02d}:{minute % 60:02d}"
        for key, minute in zip(("start_time", "end_time"), minutes, strict=True)
    }
    days = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"]
    low, high = sorted(rng.sample(range(7), 2))
    parts: dict[str, Any] = {
        "times": [times],
        "weekdays": [rng.choice([days[low], f"{days[low]}:{days[high]}"]), rng.choice(days).title()],
        "days_of_month": [rng.choice(["1:15", "31", "-3:-1", "-1", "29:31", "10:-10", "-31:-20"])],
        "months": [rng.choice(["january", "3", "march:october", "11:12"])],
        "years": [rng.choice(["2024", "2023:2024", "2025"])],
        "location": rng.choice(ZONES),
    }
    kept = {key: value for key, value in parts.items() if rng.random() < 0.4}
    if "-" in str(kept.get("days_of_month")):
        # Where clocks change, Alertmanager takes a month for shorter than it is: `test_intervals` has that.
        kept["location"] = "Asia/Kolkata"
    return kept


def route(rng: random.Random, receivers: list[str], depth: int) -> dict[str, Any]:
    """A route with children."""
    made: dict[str, Any] = {"matchers": matchers(rng)}
    if rng.random() < 0.1:
        made = {"match": {rng.choice(PLAIN): "a"}, "match_re": {rng.choice(PLAIN): rng.choice(EXPRESSIONS)}}
    if rng.random() < 0.6:
        made["receiver"] = rng.choice(receivers)
    if rng.random() < 0.4:
        made["group_by"] = rng.choice([["..."], [], ["team"], ["model", "a.b"], ["größe"]])
    for key, chance in (("group_wait", 0.3), ("group_interval", 0.3), ("repeat_interval", 0.3)):
        if rng.random() < chance:
            made[key] = rng.choice(["5s", "1m", "1h30m", "1d", "2500ms"])
    if rng.random() < 0.7:
        made["continue"] = rng.random() < 0.9
    for key in ("mute_time_intervals", "active_time_intervals"):
        if rng.random() < 0.3:
            made[key] = rng.sample(["t0", "t1", "t2", "t3"], rng.randint(1, 2))
    if depth and rng.random() < 0.7:
        made["routes"] = [route(rng, receivers, depth - 1) for _ in range(rng.randint(1, 3))]
    return made


def configuration(rng: random.Random) -> dict[str, Any]:
    """A whole configuration."""
    receivers = ["r0", "r1", "r2", "r3"]
    root: dict[str, Any] = {"receiver": "r0", "routes": [route(rng, receivers, 3) for _ in range(rng.randint(0, 4))]}
    if rng.random() < 0.7:
        root["group_by"] = rng.choice([["..."], ["severity"], ["team", "model"]])
    hook = {"url": "http://127.0.0.1/"}
    return {
        "route": root,
        "receivers": [
            {"name": name, "webhook_configs": [hook | {"send_resolved": name != "r1"}]} for name in receivers
        ],
        "time_intervals": intervals(rng),
    }


def configurations(seed: int, count: int) -> Iterator[tuple[random.Random, dict[str, Any], Alerting]]:
    """Yield configurations, each with a generator of its own and as Leeway reads it."""
    for number in range(count):
        rng = random.Random(f"{seed}/{number}")
        made = configuration(rng)
        yield rng, made, Alerting.model_validate(made)


# -- scripts -----------------------------------------------------------------------------------------------------------

HOUR_MS = 3_600_000
FOR_EVER_MS = 10**11


def inhibit_rule(rng: random.Random) -> dict[str, Any]:
    return {
        "source_matchers": [matcher(rng)],
        "target_matchers": [matcher(rng)],
        "equal": rng.sample(list(LABELS), rng.randint(0, 2)),
    }


def scripted(rng: random.Random) -> tuple[dict[str, Any], dict[str, Any]]:
    """A configuration with what happens under it in some hours.

    Everything happens in a millisecond of its own, and all waits are whole seconds: nothing happens at once that
    Alertmanager would do in any order.
    """
    document = configuration(rng)
    while not _keys_differ(document):
        document = configuration(rng)
    document["inhibit_rules"] = [inhibit_rule(rng) for _ in range(rng.choice([0, 0, 1, 2]))]
    for receiver in document["receivers"]:
        receiver["webhook_configs"] *= rng.choice([1, 1, 2])
    for one in _walk(document["route"]):
        one |= {
            "group_wait": rng.choice(["0s", "10s", "30s", "2m"]),
            "group_interval": rng.choice(["15s", "1m", "5m", "20m"]),
            "repeat_interval": rng.choice(["1m", "30m", "4h"]),
        }
        if rng.random() < 0.7:
            one.pop("mute_time_intervals", None)
            one.pop("active_time_intervals", None)
    start_ms = START_MS + rng.randrange(0, 300 * 24 * HOUR_MS, 1_000)
    until_ms = start_ms + 3 * HOUR_MS
    count = rng.randint(3, 25)
    places = sorted(rng.sample(range(2 * HOUR_MS // 1_000), count))
    events = _events(
        rng, [start_ms + place * 1_000 + n for place, n in zip(places, rng.sample(range(1, 1_000), count), strict=True)]
    )
    outage = {"receiver": "r0", "from_ms": start_ms + HOUR_MS // 2, "to_ms": start_ms + HOUR_MS}
    fails = [outage] if rng.random() < 0.3 else []
    return document, {"start_ms": start_ms, "until_ms": until_ms, "events": events, "fails": fails}


def _keys_differ(document: dict[str, Any]) -> bool:
    """Routes with the same key share their log: where they are due at once, Alertmanager tells either."""
    keys = [route.key for route in Alerting.model_validate(document).route.build().walk()]
    return len(set(keys)) == len(keys)


def _walk(route: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield route
    for child in route.get("routes", ()):
        yield from _walk(child)


def _events(rng: random.Random, times_ms: list[int]) -> list[dict[str, Any]]:
    alerts = [labels(rng) | {"n": str(number)} for number in range(4)]
    events: list[dict[str, Any]] = []
    silences: dict[str, int] = {}
    for at_ms in times_ms:
        live = [name for name, ends_ms in silences.items() if ends_ms > at_ms]
        chance = rng.random()
        if chance < 0.15:
            name = f"s{len(silences)}"
            starts_ms = at_ms + rng.choice([0, 0, 600_000])
            silences[name] = starts_ms + rng.choice([300_000, 1_800_000, 7_200_000])
            pattern = rng.choice(['n="1"', 'n=~"0|2"', 'severity="critical"', 'n="3",team!="a"', 'team=~".+"'])
            made = {"name": name, "matchers": pattern, "ends_ms": silences[name]}
            events.append({"at_ms": at_ms, "kind": "silence", "starts_ms": starts_ms, **made})
        elif chance < 0.2 and live:
            name = rng.choice(live)
            silences[name] = at_ms
            events.append({"at_ms": at_ms, "kind": "expire", "name": name})
        else:
            starts_ms = at_ms - rng.choice([0, 0, 0, 1_200_000])
            ends_ms = at_ms + rng.choice([FOR_EVER_MS, FOR_EVER_MS, 0, 0, 90_000])
            events.append(
                {
                    "at_ms": at_ms,
                    "kind": "alert",
                    "labels": rng.choice(alerts),
                    "starts_ms": starts_ms,
                    "ends_ms": ends_ms,
                }
            )
    return events
