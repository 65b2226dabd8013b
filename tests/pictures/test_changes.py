"""Mails show the signal that moved in its own units, beside what is usual, and how events ceased."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from monitor.alerts.alert_log import FRESHNESS, FRESHNESS_ALERTS
from monitor.alerts.transition import Transition, to_columns
from monitor.api.app import ROUTERS
from monitor.config import Configuration, Service
from monitor.pictures import digits
from monitor.pictures.drawing import LINE, LOUD, QUIET
from monitor.pictures.expected import Series, drawn
from monitor.pictures.links import Links, PictureSeals
from monitor.pictures.pictures import Pictures
from monitor.pictures.plot import BAND, HEIGHT, ONSET, WIDTH, Point, plot
from monitor.routing.message import alert_of
from monitor.watch import compile_watch
from monitor.web import PAGES
from monitor.web.pictures import AT_ONCE, _drawing
from sinks.receivers.contract import Alert, Notification, Picture
from sinks.store.batch import append
from sinks.store.contract import Store
from sinks.store.memory import MemoryStore
from tests.api.world import NOW_MS, Client, World
from tests.monitor.streams import DAY_MS, HOUR_MS, START_MS, configured, replayed_lines, rows
from tests.pictures.test_pictures import colours, pixels

DAYS, PER_HOUR = 10, 40
ONSET_MS = START_MS + (DAYS - 1) * DAY_MS + 7 * HOUR_MS
SCHEMA = {"id": "id", "features": {name: {"type": "numeric"} for name in "xy"}}
DETECT = {"false_alarms": "1 per 30d", "pane": "1h", "defaults": {"window": "1h"}}
CONFIGURATION = configured(detect=DETECT, schema=SCHEMA, segments=[])


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Of a day's season; on the last morning x rises from 10 to 13, and two thirds of y are missing."""
    rng, lines = np.random.default_rng(3), []
    for number in range(DAYS * 24 * PER_HOUR):
        at_ms = START_MS + number * HOUR_MS // PER_HOUR
        value = rng.normal(10 + 0.6 * np.sin(2 * np.pi * at_ms / DAY_MS), 1)
        is_late = at_ms >= ONSET_MS
        x, y = value + 3 * is_late, None if is_late and number % 3 else value
        lines.append(json.dumps({"id": str(number), "ts": at_ms, "x": x, "y": y}).encode())
    return replayed_lines(tmp_path_factory.mktemp("loans"), lines, CONFIGURATION)[0]


@pytest.fixture(scope="module")
def pictures(store: Store) -> Pictures:
    return Pictures(store, {"loans": compile_watch(CONFIGURATION, "loans")})


def of(pictures: Pictures, *rows_of_alerts: Mapping[str, Any]) -> list[Picture]:
    alerts: list[Alert] = [alert_of(row, json.loads(row["labels"]), "firing", "") for row in rows_of_alerts]
    return pictures(Notification("mail", "{}", {}, tuple(alerts)))


def shows(image: NDArray[np.uint8], text: str) -> bool:
    """Whether a text stands anywhere in the left margin, or below."""
    glyphs = np.full((digits.HEIGHT, digits.width(text), 3), 255, np.uint8)
    digits.write(glyphs, 0, 0, text, LINE)
    views = np.lib.stride_tricks.sliding_window_view(image, glyphs.shape)[:, :, 0]
    return bool((views == glyphs).all(axis=(2, 3, 4)).any())


def test_what_moved_is_drawn_in_its_units_beside_what_is_usual(store: Store, pictures: Pictures) -> None:
    [firing] = [row for row in rows(store, "alerts") if row["state"] == "firing"]
    assert [moved["contrast"] for moved in json.loads(firing["signals"])] == ["typical value", "missing"]
    [picture] = of(pictures, firing)
    assert picture.caption == (
        "typical value of feature:x, 48 windows of 1h until 2024-01-10 08:00 UTC: red is drift, the upright line stands"
        " where it most likely began, at 2024-01-10 07:00 UTC; the thin line is what is usual at that hour, and on grey"
        " ground no window alarms by itself"
    )
    image = pixels(picture.png)
    assert image.shape == (HEIGHT, WIDTH, 3)
    counted = colours(image)
    assert min(counted[colour] for colour in (BAND, LINE, LOUD, ONSET, QUIET)) > 0
    assert shows(image, "10")
    assert shows(image, "12")
    assert shows(image, "01-10 08:00")
    [onset] = {x for _, x in np.argwhere((image == ONSET).all(axis=2)).tolist()}
    red = [x for _, x in np.argwhere((image == LOUD).all(axis=2)).tolist()]
    assert min(red) - onset in (0, 1)


def linking(key: str) -> Configuration:
    """The configuration of the same models, with links to pictures."""
    spec = {"pictures": {"key": key, "lifetime": "1d"}, "external_url": "https://leeway.example/drift/"}
    access = {"access": {"tokens": [{"name": "ann", "role": "admin", "token": "a" * 40}]}}
    return replace(CONFIGURATION, service=Service.model_validate({"spec": spec | access}))


def test_a_link_shows_the_same_picture_without_a_token_until_it_is_over(store: Store, pictures: Pictures) -> None:
    firing = next(row for row in rows(store, "alerts") if row["state"] == "firing")
    alert = alert_of(firing, json.loads(firing["labels"]), "firing", "")
    notification = Notification("slack", "{}", {}, (alert,), at_ms=NOW_MS)
    key, prefix = "k" * 32, "https://leeway.example/drift"
    [linked] = Links(pictures, PictureSeals(key), prefix + "/", DAY_MS)(notification)
    [picture] = of(pictures, firing)
    address = linked.url.removeprefix(prefix)
    world = World(store=store, configuration=linking(key))
    client = Client(world, routers=[*ROUTERS, *PAGES])

    shown = client.get(address)
    assert (linked.caption, shown.content) == (picture.caption, picture.png)
    assert shown.headers["content-type"] == "image/png"
    assert shown.headers["cross-origin-resource-policy"] == "cross-origin"
    with ExitStack() as busy:
        for _ in range(AT_ONCE):
            busy.enter_context(_drawing)
        assert client.get(address).status_code == 503
    altered = address[:-2] + ("AA" if address[-2:] != "AA" else "BB")
    assert [client.get(path).status_code for path in (altered, "/pictures/none")] == [404] * 2
    other = World(store=store, configuration=linking("o" * 32))
    assert Client(other, routers=[*ROUTERS, *PAGES]).get(address).status_code == 404
    world.clock.advance(2 * DAY_MS)
    assert client.get(address).status_code == 404


def test_a_rate_is_drawn_in_percent_and_an_alert_that_lasts_with_its_onset(store: Store, pictures: Pictures) -> None:
    firing = next(row for row in rows(store, "alerts") if row["state"] == "firing")
    missing = json.loads(firing["signals"])[1]
    lasting = MemoryStore()
    for table in ("scores", "expectations", "panes"):
        kept = rows(store, table)
        append(lasting, table, {name: [row[name] for row in kept] for name in kept[0]})
    # It was found an hour after its onset, and stands four days later: nothing came meanwhile.
    row = firing | {"signals": json.dumps([missing]), "at_ms": firing["at_ms"] + 4 * DAY_MS, "sequence": 1}
    append(lasting, "alerts", {name: [value] for name, value in row.items()})
    [picture] = of(Pictures(lasting, {"loans": compile_watch(CONFIGURATION, "loans")}), row)
    assert picture.caption.startswith(
        "missing of feature:y in % of events, 48 windows of 1h until 2024-01-11 19:00 UTC"
    )
    image = pixels(picture.png)
    assert shows(image, "60%")
    assert colours(image)[ONSET] > 0


@pytest.mark.parametrize(("kind", "partition"), [("model", -1), ("partition", 0)])
def test_a_silence_is_drawn_behind_the_events_before_it(
    kind: str, partition: int, store: Store, pictures: Pictures
) -> None:
    since_ms = START_MS + DAYS * DAY_MS
    topic = "" if kind == "model" else "loans"
    alert_id, at_ms = f"silent-{kind}", since_ms + 16 * HOUR_MS
    labels = {"alertname": FRESHNESS, "alert_id": alert_id, "model": "loans"}
    signals = [{"kind": kind, "topic": topic, "partition": partition, "since_ms": since_ms, "reason": "no events"}]
    alert = Transition(
        "loans", alert_id, 0, "firing", at_ms, since_ms, 0, "", "", "critical", "no events", labels, signals
    )
    append(store, FRESHNESS_ALERTS, to_columns([alert]))
    [picture] = of(pictures, alert.to_row())
    of_flow = " from loans/0" if topic else ""
    assert picture.caption.startswith(
        f"Events of loans{of_flow} in 1h each, by their own times, until 2024-01-11 16:00"
    )
    assert picture.caption.endswith("the last came, at 2024-01-11 00:00 UTC, red is the silence")
    image = pixels(picture.png)
    assert shows(image, "40")
    heights = np.argwhere((image == LOUD).all(axis=2))[:, 0]
    assert heights.min() > HEIGHT - 30, "none at all"
    assert colours(image)[QUIET] > colours(image)[LOUD] > 0


def test_grey_ground_is_what_is_explained_of_a_window_wherever_the_picture_begins(tmp_path: Path) -> None:
    """Of a number that wanders from window to window: what alarms depends on where it has been that day."""
    wandering = configured(detect=DETECT, schema={"id": "id", "features": {"x": {"type": "numeric"}}}, segments=[])
    rng, level, lines = np.random.default_rng(3), 0.0, []
    for number in range(DAYS * 24 * 20):
        level = 0.9 * level + rng.normal(0, 0.4) if number % 20 == 0 else level
        event = {"id": str(number), "ts": START_MS + number * HOUR_MS // 20, "x": rng.normal(10 + level, 1)}
        lines.append(json.dumps(event).encode())
    store, watch = replayed_lines(tmp_path, lines, wandering)[0], compile_watch(wandering, "loans")
    ends_ms = range(ONSET_MS, ONSET_MS + 3 * HOUR_MS, HOUR_MS)
    windows = drawn(store, watch, Series("feature:x", "", "", "typical value"), ends_ms)
    assert windows is not None
    assert [point.end_ms for point in windows.points] == list(ends_ms)
    client = Client(World(store=store, configuration=wandering))
    for point in windows.points:
        explained = client.get("/v1/explain", model="loans", signal="feature:x", at=str(point.end_ms - 1)).json()
        [typical] = [each for each in explained["contrasts"] if each["contrast"] == "typical value"]
        numbers = [typical[name] for name in ("expected", "alarms_below", "alarms_above")]
        assert numbers == pytest.approx([point.expected, point.low, point.high])


def test_an_alert_of_which_no_picture_can_be_made_has_none(store: Store, pictures: Pictures) -> None:
    firing = next(row for row in rows(store, "alerts") if row["state"] == "firing")
    odd = json.loads(firing["signals"])[0] | {"onset_ms": None}
    labels = json.dumps(json.loads(firing["labels"]) | {"alert_id": "odd"})
    row = firing | {"alert_id": "odd", "labels": labels, "signals": json.dumps([odd])}
    append(store, "alerts", {name: [value] for name, value in row.items()})
    assert of(pictures, row) == []


def test_numbers_of_an_axis_can_be_told_apart_and_have_room() -> None:
    points = [Point(number * HOUR_MS, 1_200_000.0 + 700 * number) for number in range(1, 9)]
    image = pixels(plot(points, HOUR_MS, 0))
    assert shows(image, "1202k")
    assert shows(image, "1204k")
    small = pixels(plot([Point(HOUR_MS, 0.0012), Point(2 * HOUR_MS, 0.0031)], HOUR_MS, 0, share=True))
    assert shows(small, "0.20%")
    flat = pixels(plot([Point(HOUR_MS, 5.0), Point(2 * HOUR_MS, 5.0)], HOUR_MS, 0))
    assert shows(flat, "4")
    assert shows(flat, "6")


def test_what_a_new_version_moved_is_drawn_behind_what_the_version_before_did(tmp_path: Path) -> None:
    versioned = configured(detect=DETECT, schema=SCHEMA | {"version": "version"}, segments=[])
    rng, lines = np.random.default_rng(3), []
    for number in range(DAYS * 24 * PER_HOUR):
        at_ms = START_MS + number * HOUR_MS // PER_HOUR
        is_new = at_ms >= ONSET_MS
        x = rng.normal(10, 1) + 3 * is_new
        event = {"id": str(number), "ts": at_ms, "version": "v2" if is_new else "v1", "x": x, "y": 1.0}
        lines.append(json.dumps(event).encode())
    store = replayed_lines(tmp_path, lines, versioned)[0]
    firing = next(row for row in rows(store, "alerts") if row["state"] == "firing")
    assert firing["title"].endswith(" since version v2 came at 2024-01-10 07:00 UTC, after v1")
    [picture] = of(Pictures(store, {"loans": compile_watch(versioned, "loans")}), firing)
    assert " UTC, before that under version v1; the thin line" in picture.caption
    image = pixels(picture.png)
    [onset] = {x for _, x in np.argwhere((image == ONSET).all(axis=2)).tolist()}
    grey = {x for _, x in np.argwhere((image == QUIET).all(axis=2)).tolist()}
    assert len({x for x in grey if x < onset}) > (onset - 62) / 2, "what v1 did is there"


def test_a_share_of_a_value_that_is_named_as_a_contrast_is_drawn(tmp_path: Path) -> None:
    schema = {"id": "id", "features": {"answer": {"type": "category"}}}
    sometimes, lines = configured(detect=DETECT, schema=schema, segments=[]), []
    for number in range(DAYS * 24 * 10):
        at_ms = START_MS + number * HOUR_MS // 10
        is_often = at_ms >= ONSET_MS or number % 3 == 0
        event = {"id": str(number), "ts": at_ms, "answer": "repeats" if is_often else "listens"}
        lines.append(json.dumps(event).encode())
    store = replayed_lines(tmp_path, lines, sometimes)[0]
    firing = next(row for row in rows(store, "alerts") if row["state"] == "firing")
    moved = json.loads(firing["signals"])[0] | {"contrast": "share of 'repeats'"}
    row = firing | {"sequence": firing["sequence"] + 10, "signals": json.dumps([moved])}
    append(store, "alerts", {name: [value] for name, value in row.items()})
    [picture] = of(Pictures(store, {"loans": compile_watch(sometimes, "loans")}), row)
    assert picture.caption.startswith("share of 'repeats' of feature:answer in % of events, ")


@pytest.mark.parametrize(
    ("values", "written"),
    [
        ([12_345.42, 12_345.74], ["12345.5", "12345.6", "12345.7"]),
        ([1_700_000_000.0, 1_700_000_040.0], ["1700000000", "1700000020", "1700000040"]),
        ([-1_700_000_000.0, -1_700_000_040.0], ["-1700000000", "-1700000040"]),
        ([0.0000012, 0.0000031], ["1.5E-6", "2.0E-6", "3.0E-6"]),
        ([0.00012, 0.00018], ["0.00012", "0.00014", "0.00018"]),
        ([5.0, 5.000004], ["5.000000", "5.000002", "5.000004"]),
        ([0.0, 2e300], ["0", "1.0E300", "2.0E300"]),
    ],
)
def test_numbers_that_are_long_or_tiny_are_legible(values: list[float], written: list[str]) -> None:
    points = [Point(number * HOUR_MS, value) for number, value in enumerate(values, 1)]
    image = pixels(plot(points, HOUR_MS, 0))
    assert [text for text in written if shows(image, text)] == written
    assert (image[: HEIGHT - 20, -8:] == 255).all(), "none goes around to the other side"


def test_no_two_characters_look_alike() -> None:
    characters = "0123456789.-:%kMGE"
    drawn_characters = []
    for character in characters:
        glyph = np.full((digits.HEIGHT, digits.width("0"), 3), 255, np.uint8)
        digits.write(glyph, 0, 0, character, LINE)
        drawn_characters.append(glyph.tobytes())
    assert len(set(drawn_characters)) == len(characters)
