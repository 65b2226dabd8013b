"""Mails show what moved: from window to window, and beside the baseline."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from monitor.clock import SystemClock
from monitor.config import Configuration, load
from monitor.pictures.drawing import HEIGHT, LINE, LOUD, PAPER, QUIET, SHADE, WIDTH, Bar, draw
from monitor.pictures.pictures import Pictures
from monitor.routing.message import alert_of
from monitor.watch import compile_watch
from sinks.receivers.contract import Delivered, Notification
from sinks.store.contract import Columns, Query, StoreError
from sinks.store.memory import MemoryStore
from sinks.store.rows import rows_of
from tests.service import shop
from tests.sinks.receivers.listener import Listener
from tests.sinks.receivers.notifications import notification
from tests.sinks.receivers.test_mail import send, smtp

DISTANCES = shop.DETECT | {"rule": "variation"}
"""Of distances alone there is a baseline to show."""


def pixels(png: bytes) -> NDArray[np.uint8]:
    """Decode a PNG without filters, checking its sums."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    parts, at = {}, 8
    while at < len(png):
        (size,) = struct.unpack(">I", png[at : at + 4])
        kind, data = png[at + 4 : at + 8], png[at + 8 : at + 8 + size]
        assert struct.unpack(">I", png[at + 8 + size : at + 12 + size]) == (zlib.crc32(kind + data),)
        parts[kind], at = data, at + 12 + size
    width, height, depth, colour = struct.unpack(">IIBB", parts[b"IHDR"][:10])
    assert (depth, colour) == (8, 2)
    lines = np.frombuffer(zlib.decompress(parts[b"IDAT"]), np.uint8).reshape(height, 1 + 3 * width)
    assert not lines[:, 0].any(), "no filters"
    return lines[:, 1:].reshape(height, width, 3)


def colours(image: NDArray[np.uint8]) -> Counter[tuple[int, ...]]:
    return Counter(map(tuple, image.reshape(-1, 3).tolist()))


def test_bars_are_as_high_as_what_they_stand_for() -> None:
    image = pixels(draw([Bar(1.0), Bar(2.0, loud=True, shaded=True), Bar(float("nan")), Bar(0.0)], line=1.0))
    assert image.shape == (HEIGHT, WIDTH, 3)
    left, right, nothing, zero = (colours(image[:, 6 + 117 * n : 6 + 117 * (n + 1)]) for n in range(4))
    assert right[LOUD] == pytest.approx(2 * left[QUIET], rel=0.03)
    assert right[SHADE] > 0
    assert (left[LOUD], right[QUIET], left[SHADE]) == (0, 0, 0)
    assert set(nothing) == set(zero) == {PAPER, LINE, (150, 150, 150)}
    # The line goes across at the height of the first bar.
    rows = [y for y in range(HEIGHT) if tuple(image[y, 6]) == LINE]
    assert len(rows) == 1
    top = min(y for y in range(HEIGHT) if tuple(image[y, 10]) == QUIET)
    assert abs(rows[0] - top) <= 1


@pytest.fixture(scope="module")
def drifted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Configuration, MemoryStore]:
    """A shop whose amounts rise and whose customers come from elsewhere for a while."""
    folder = tmp_path_factory.mktemp("shop")
    logs, _ = shop.traffic(9, windows=60, per_window=100, partitions=1)
    configuration = load(shop.configured(folder, shop.model("shop", {"file": "events-*.jsonl"}, detect=DISTANCES)))
    store = shop.replayed(folder, configuration, {"events-*.jsonl": logs})
    assert isinstance(store, MemoryStore)
    return configuration, store


def told(store: MemoryStore, state: str = "firing") -> Notification:
    row = next(row for row in rows_of(store.read(Query("alerts"))) if row["state"] == state)
    alert = alert_of(row, json.loads(row["labels"]), "firing", "http://leeway.example")
    return Notification("mail", "{}", {}, (alert,))


def test_what_moved_is_drawn_from_window_to_window_and_beside_its_baseline(
    drifted: tuple[Configuration, MemoryStore],
) -> None:
    configuration, store = drifted
    pictures = Pictures(store, {"shop": compile_watch(configuration, "shop")})(told(store))
    history, shares = pictures
    moved = told(store).alerts[0].labels["cause"]
    assert history.caption.startswith(f"{moved} by ")
    assert " windows until 2023-11-14 " in history.caption
    assert "a change counts from the line on, at 0." in history.caption
    assert shares.caption.startswith(f"{moved}: shares in the baseline (grey, 2023-11-14 22:1")
    found = colours(pixels(history.png))
    assert min(found[colour] for colour in (QUIET, LOUD, SHADE, LINE)) > 0, "before, during, since when, and the limit"
    found = colours(pixels(shares.png))
    assert found[LINE] == 0
    assert 0.3 < found[LOUD] / found[QUIET] < 3, "both sides are shares of one"


def test_a_mail_shows_the_pictures_it_comes_with_and_says_what_they_show(
    drifted: tuple[Configuration, MemoryStore],
) -> None:
    configuration, store = drifted
    pictures = Pictures(store, {"shop": compile_watch(configuration, "shop")})
    with smtp() as (box, port):
        assert send(port, told(store), told(store), notification(), draw=pictures) == [Delivered()] * 3
    first, again, other = box.mails
    html = first.get_body(("html",))
    plain = first.get_body(("plain",))
    assert html is not None
    assert plain is not None
    images = [part for part in first.walk() if part.get_content_type() == "image/png"]
    assert len(images) == 2
    for image, picture in zip(images, pictures(told(store)), strict=True):
        assert f'src="cid:{image["Content-ID"].strip("<>")}"' in html.get_content()
        assert f'alt="{picture.caption}"' in html.get_content()
        assert pixels(image.get_content()).shape == (HEIGHT, WIDTH, 3)
        assert image["Content-Disposition"] == "inline"
    assert "cid:" not in plain.get_content()
    assert again["Message-ID"] == first["Message-ID"]
    assert len(first.as_bytes()) < 20_000
    assert [part.get_content_type() for part in other.walk()][1:] == ["text/plain", "text/html"], (
        "nothing is known of it"
    )


class Away(MemoryStore):
    def read(self, query: Query) -> Columns:
        raise StoreError("no answer", retryable=True)


def test_a_mail_waits_for_no_picture(drifted: tuple[Configuration, MemoryStore]) -> None:
    configuration, store = drifted
    watches: dict[str, Any] = {"shop": compile_watch(configuration, "shop")}
    with smtp() as (box, port):
        assert send(port, told(store), draw=Pictures(Away(), watches)) == [Delivered()]
    assert box.mails[0].get_content_type() == "multipart/alternative"


@pytest.mark.parametrize(
    ("given", "uploads", "images"), [({}, {"pictures": "upload"}, 2), ({"pictures": False}, {}, 0)]
)
def test_a_service_sends_pictures_where_they_are_to_go(
    given: dict[str, Any],
    uploads: dict[str, Any],
    images: int,
    drifted: tuple[Configuration, MemoryStore],
    tmp_path: Path,
) -> None:
    _, store = drifted
    with smtp() as (box, port), Listener() as teams:
        card = {"kind": "teams", "name": "t", "url": teams.url(), "allow_private": True, **uploads}
        mail = {"kind": "email", "name": "m", "host": "127.0.0.1", "port": port, "sender": "a@b.c", "to": ["d@e.f"]}
        path = shop.configured(
            tmp_path,
            shop.model("shop", {"file": "events-*.jsonl"}, detect=DISTANCES),
            receivers=[{**mail, "security": "none", **given}, card],
            store={"kind": "memory"},
        )
        with shop.serving(load(path), store, roles=["alert"]):
            row = next(row for row in rows_of(store.read(Query("alerts"))) if row["state"] == "firing")
            alert_id = f"again-{images}"
            labels = json.dumps(json.loads(row["labels"]) | {"alert_id": alert_id})
            again = row | {"alert_id": alert_id, "labels": labels, "at_ms": SystemClock().now_ms()}
            store.append("alerts", {name: [value] for name, value in again.items()}, token=alert_id)
            shop.wait_until(lambda: box.mails and teams.requests, "both have come")
    assert len([part for part in box.mails[0].walk() if part.get_content_type() == "image/png"]) == images
    blocks = teams.requests[0].body["attachments"][0]["content"]["body"]
    sent = [each["url"].removeprefix("data:image/png;base64,") for each in blocks if each["type"] == "Image"]
    assert [pixels(base64.b64decode(each)).shape for each in sent] == [(HEIGHT, WIDTH, 3)] * images
