"""A private field is out of its range, and in its segment, where it would be without privacy."""

from __future__ import annotations

import json
from typing import Any

import pytest

from monitor.config import load
from monitor.replay import Replay
from monitor.sources.files import FileSource
from sinks.store.memory import MemoryStore
from tests.monitor.streams import rows, written
from tests.service import shop

SECRET = "not-for-production-0123456789abcdef"


def watching(name: str, amount: Any, customer: Any = None) -> dict[str, Any]:
    features = {
        "amount": {"type": "numeric", "range": [18, 99], **({"privacy": amount} if amount else {})},
        "customer": {"type": "category", **({"privacy": customer} if customer else {})},
    }
    segments = [{"by": ["customer"], "values": ["customer-1", "customer-2"]}]
    detect = {**shop.DETECT, "rules": []}
    return shop.model(name, {"kafka": "events"}, schema={"features": features}, segments=segments, detect=detect)


@pytest.fixture(scope="module")
def panes(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What one stream becomes for models that differ in `privacy` alone."""
    folder = tmp_path_factory.mktemp("privacy")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("LEEWAY_HASH_KEY", SECRET)
        models = [
            watching("public", None),
            watching("personal", "personal", "hash"),
            watching("bucket", {"bucket": [0, 30, 50]}, "hash"),
        ]
        configuration = load(shop.configured(folder, *models, privacy={"hash_key": "${LEEWAY_HASH_KEY}"}))
    amounts = [-5, 17.9, 18, 19, 20, 25, 49, 98.5, 99, 99.2, 100, 1e9]
    events = [
        {"ts": shop.START_MS + 100 * n, "amount": amounts[n % 12], "customer": f"customer-{n % 7}"} for n in range(240)
    ]
    lines = [json.dumps(event).encode() for event in events]
    store = MemoryStore()
    store.migrate()
    Replay(configuration, store, FileSource({"events": written(folder / "e", [lines])})).run()
    return rows(store, "panes")


@pytest.mark.parametrize("private", ["personal", "bucket"])
def test_what_is_out_of_a_range_is_what_would_be_without_privacy(panes: list[dict[str, Any]], private: str) -> None:
    outside = {
        name: [
            (row["n"], row["out_of_range"])
            for row in panes
            if (row["model"], row["signal"], row["segment"]) == (name, "feature:amount", "")
        ]
        for name in ("public", private)
    }
    assert outside[private] == outside["public"]
    assert sum(count for _, count in outside["public"]) == 100


@pytest.mark.parametrize("private", ["personal", "bucket"])
def test_a_segment_of_a_field_of_digests_holds_the_events_of_its_value(
    panes: list[dict[str, Any]], private: str
) -> None:
    counts: dict[str, dict[str, int]] = {"public": {}, private: {}}
    for row in panes:
        if row["model"] in counts and row["signal"] == "feature:amount":
            of_model = counts[row["model"]]
            of_model[row["segment"]] = of_model.get(row["segment"], 0) + row["n"]
    assert sorted(counts[private].values()) == sorted(counts["public"].values())
    assert {segment[:16] for segment in counts[private]} == {"", "customer=hashed-"}
