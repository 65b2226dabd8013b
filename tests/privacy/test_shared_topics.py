"""What one model keeps private changes nothing of what another one sees."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from monitor.config import load
from monitor.replay import Replay
from monitor.sources.files import FileSource
from sinks.store.memory import MemoryStore
from tests.monitor.streams import rows, written
from tests.service import shop

PRIVATE: list[Any] = ["drop", {"bucket": [0, 60]}]


def reading(name: str, privacy: Any = None) -> dict[str, Any]:
    field = {"type": "numeric", **({"privacy": privacy} if privacy else {})}
    schema = {"features": {"amount": field, "weight": field}}
    return shop.model(name, {"kafka": "events"}, schema=schema, detect={**shop.DETECT, "rules": []})


def panes(folder: Path, lines: list[bytes], *models: dict[str, Any], batch: int = 1_000) -> list[dict[str, Any]]:
    """The panes of the model `public` after a replay for all of them."""
    configuration = load(shop.configured(folder, *models))
    store = MemoryStore()
    store.migrate()
    Replay(configuration, store, FileSource({"events": written(folder / "e", [lines])})).run(batch=batch)
    return rows(store, "panes", model="public")


@pytest.mark.parametrize("broken", [[], [b"nope"]], ids=["all-scanned", "one-broken"])
def test_another_model_s_private_field_changes_no_row_whatever_the_batches_are(
    tmp_path: Path, broken: list[bytes]
) -> None:
    events = [{"ts": shop.START_MS + 100 * n, "amount": 51 + n % 50, "weight": 0.3 * n} for n in range(200)]
    lines = [*(json.dumps(event).encode() for event in events[:95]), *broken]
    lines += [json.dumps(event).encode() for event in events[95:]]
    alone = panes(tmp_path / "alone", lines, reading("public"))
    assert {row["min"] for row in alone if row["signal"] == "feature:amount"} == {51.0}
    for number, privacy in enumerate(PRIVATE):
        for private in ("a-private", "z-private"):
            for batch in (10, 1_000):
                models = reading("public"), reading(private, privacy)
                folder = tmp_path / f"{number}-{private}-{batch}"
                assert panes(folder, lines, *models, batch=batch) == alone, (privacy, private, batch)
