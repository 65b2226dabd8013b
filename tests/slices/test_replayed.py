"""From messages to what a model got wrong: events, predictions and labels as ingest stores them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from monitor.clock import ManualClock
from monitor.replay import Replay
from monitor.sources.files import FileSource
from sinks.store.memory import MemoryStore
from tests.api.world import Client, World
from tests.monitor.streams import DAY_MS, SPEC, START_MS, TOPIC, applications, as_lines, configured, written

TRUTH = "outcomes"
TIME = {"path": "ts", "unit": "ms"}
SPEC_LABELLED: dict[str, Any] = {
    "sources": [*SPEC["sources"], {"kafka": TRUTH, "kind": "labels", "event_time": TIME, "max_ahead": "400d"}],
    "schema": {**SPEC["schema"], "labels": {"bad": {"type": "category"}}},
    "performance": {"positive": "yes"},
    "keep": {"events": 1.0, "for": {"events": "forever", "labels": "forever", "predictions": "forever"}},
}


def test_what_ingest_stores_is_compared_as_it_came_with_the_newest_labels(tmp_path: Path) -> None:
    # given events of which every third is wrong, where debts are larger, and a label that was corrected
    events = applications(5, days=1)
    for number, event in enumerate(events):
        event["debts"] = 10.0 * (number % 3 == 0) + number % 7
    truth = []
    for number, event in enumerate(events):
        is_bad = (event["score"] >= 0.5) != (number % 3 == 0)
        truth.append({"id": event["id"], "ts": event["ts"] + 60_000, "bad": "yes" if is_bad else "no"})
    truth.append(truth[0] | {"ts": truth[0]["ts"] + DAY_MS, "bad": "yes" if truth[0]["bad"] == "no" else "no"})
    configuration = configured(**SPEC_LABELLED)
    store = MemoryStore()
    store.migrate()
    paths = {TOPIC: written(tmp_path / "e", [as_lines(events)]), TRUTH: written(tmp_path / "l", [as_lines(truth)])}
    Replay(configuration, store, FileSource(paths)).run()
    # when
    client = Client(World(store=store, configuration=configuration, clock=ManualClock(START_MS + 3 * DAY_MS)))
    asked: dict[str, Any] = {"model": "loans", "from_": START_MS, "to": START_MS + DAY_MS}
    document = client.get("/v1/slices", **asked).json()
    rows = client.items("/v1/rows", **asked, limit=500)
    # then
    wrong = {event["id"]: event for event in events[3::3]}
    assert document["events"]["labelled"] == len(events)
    assert (document["current"]["events"], document["items"][0]["signal"]) == (len(wrong), "feature:debts")
    assert {row["id"] for row in rows} == wrong.keys()
    for row in rows:
        event = wrong[row["id"]]
        numbers = {each["signal"]: each["number"] for each in row["values"]}
        assert (numbers["feature:debts"], numbers["feature:amount"]) == (event["debts"], event["amount"])
        assert (row["event_ms"], row["predicted_number"]) == (event["ts"], event["score"])
