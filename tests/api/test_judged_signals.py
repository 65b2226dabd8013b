"""Signals that labels make, asked by HTTP: what protects since when, why an hour alarmed, and what people may say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from monitor.clock import ManualClock
from monitor.performance.alarms import alarm_judged
from monitor.watch import Watch, compile_watch
from sinks.store.batch import append, empty_rows
from sinks.store.memory import MemoryStore
from tests.api.labelled_days import labelled
from tests.api.world import HOUR_MS, Client, World, configured
from tests.monitor.streams import START_MS

DAYS, DROP = 9, 8 * 24
LABELS = 40


def wrong_in(hour: int) -> int:
    """Four of forty labels are wrong, and later twelve."""
    return 12 if hour >= DROP else 3 + hour % 3


def judged_hours(watch: Watch) -> dict[str, list[Any]]:
    """Rows of ``performance``; in the last two hours no label comes."""
    plan, written = watch.model.spec.performance_plan, empty_rows("performance")
    assert plan is not None
    for hour in range(DAYS * 24):
        count = 0 if hour >= DAYS * 24 - 2 else LABELS
        truths = ["no"] * min(wrong_in(hour), count) + ["yes"] * max(count - wrong_in(hour), 0)
        row = {
            "model": "fraud", "hour_ms": START_MS + hour * HOUR_MS, "age_ms": HOUR_MS, "version": "7",
            "segment": "", "predictions": LABELS, "labelled": count, "classes": ["other", "yes"],
            "class_predictions": [0, LABELS], "class_labelled": [0, count], "delay_hours": [], "delay_labels": [],
            **plan.scheme.fold(np.full(count, 0.9), truths).to_row(),
        }  # fmt: skip
        for name, value in row.items():
            written[name].append(value)
    return written


@pytest.fixture(scope="module")
def client() -> Client:
    configuration = configured(labelled(metrics=["accuracy"]))
    watch, store = compile_watch(configuration, "fraud"), MemoryStore()
    append(store, "performance", judged_hours(watch))
    alarm_judged(store, watch, START_MS + (DAYS * 24 + 1) * HOUR_MS)
    clock = ManualClock(START_MS + (DAYS * 24 + 2) * HOUR_MS)
    return Client(World(store=store, clock=clock, configuration=configuration))


def at(number: float) -> int:
    return START_MS + int(number * HOUR_MS)


def test_a_signal_says_since_when_it_protects_and_what_it_can_find(client: Client) -> None:
    (row,) = client.items("/v1/series", model="fraud", signal="coverage")
    assert (row["state"], row["protects_since_ms"]) == ("firing", at(25))
    assert row["detectable"][0]["contrast"] == "coverage"
    assert row["detectable"][0]["window_low"] < 1


def test_a_metric_of_which_no_label_comes_any_more_says_so(client: Client) -> None:
    (row,) = client.items("/v1/series", model="fraud", signal="performance:accuracy")
    assert row["state"] == "firing" or row["reason"].startswith("no window since")
    shift = next(each for each in row["detectable"] if each["contrast"] == "accuracy")
    assert (shift["unit"], round(shift["usual"], 1)) == ("share", 0.9)


def test_an_hour_is_explained_with_what_would_have_alarmed(client: Client) -> None:
    quiet = client.get("/v1/explain", model="fraud", signal="performance:accuracy", at=at(DROP - 5.5)).json()
    (contrast,) = quiet["contrasts"]
    assert quiet["outcome"] == "quiet"
    assert contrast["actual"] == pytest.approx(1 - wrong_in(DROP - 6) / LABELS)
    # At each hour of the day it has been the same so far.
    assert contrast["alarms_below"] < contrast["expected"] == pytest.approx(contrast["actual"], abs=0.01)
    alarmed = client.get("/v1/explain", model="fraud", signal="performance:accuracy", at=at(DROP + 10.5)).json()
    assert alarmed["outcome"] == "stands"
    assert [alert["title"].split(" (")[0] for alert in alarmed["alerts"]] == ["fraud: performance:accuracy moved"]


def test_what_an_alert_about_labels_was_can_be_said(client: Client) -> None:
    said = b'{"model": "fraud", "signal": "performance:accuracy", "says": "real", "created_by": "ann"}'
    answer = client.post("/v1/marks", said, content_type="application/json")
    assert answer.status_code == 200, answer.text
    alerts = client.items("/v1/alerts", model="fraud")
    assert answer.json()["alert_id"] in {alert["alert_id"] for alert in alerts}
    unknown = client.post("/v1/marks", said.replace(b"accuracy", b"recall"), content_type="application/json")
    assert "coverage" in unknown.json()["detail"]


def test_a_metric_without_positive_labels_is_blind_since_they_stopped_and_says_what_labels_say_instead() -> None:
    configuration, recoded = configured(labelled(metrics=["recall"])), 6 * 24
    watch, written = compile_watch(configuration, "fraud"), empty_rows("performance")
    plan = watch.model.spec.performance_plan
    assert plan is not None
    for hour in range(DAYS * 24):
        truths = ["1", "0"] * (LABELS // 2) if hour >= recoded else ["yes", "no"] * (LABELS // 2)
        row = {
            "model": "fraud", "hour_ms": START_MS + hour * HOUR_MS, "age_ms": HOUR_MS, "version": "7", "segment": "",
            "predictions": LABELS, "labelled": LABELS, "classes": ["other", "yes"], "class_predictions": [0, LABELS],
            "class_labelled": [0, LABELS], "delay_hours": [], "delay_labels": [],
            **plan.scheme.fold(np.full(LABELS, 0.9), truths).to_row(),
        }  # fmt: skip
        for name, value in row.items():
            written[name].append(value)
    world = World(clock=ManualClock(START_MS + (DAYS * 24 + 2) * HOUR_MS), configuration=configuration)
    said = {"model": "fraud", "signal": "label:fraud"}
    for number, (hour, label) in enumerate([(0, "yes"), (recoded + 1, "1"), (recoded + 2, "0"), (recoded + 3, "0")]):
        world.add("labels", [said | {"event_ms": START_MS + hour * HOUR_MS, "label": label, "offset": number}])
    append(world.store, "performance", written)
    alarm_judged(world.store, watch, START_MS + (DAYS * 24 + 1) * HOUR_MS)
    (row,) = Client(world).items("/v1/series", model="fraud", signal="performance:recall")
    assert (row["state"], row["blind_since_ms"]) == ("blind", at(recoded))
    assert row["reason"] == "no event was positive; labels say '0', '1', and none 'yes', which is `positive`"
