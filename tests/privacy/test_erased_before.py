"""Who was erased stays erased when their field becomes private later, or its digests are made under another key."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from monitor.config import load
from monitor.erasure.erased import ALWAYS, STARTED, Erasure, ErasureList
from monitor.privacy.mask import Mask, key_of
from monitor.replay import Replay
from monitor.sources.files import FileSource
from sinks.store.memory import MemoryStore
from tests.monitor.streams import rows, written
from tests.service import shop

SECRET = "not-for-production-0123456789abcdef"
FIELD = "feature:customer"


def replayed(folder: Path, privacy: str, erased: list[str]) -> MemoryStore:
    """Replay events of four customers, of whom some stand on the list."""
    customer = {"type": "category", "path": "user.id", "privacy": privacy}
    keep = {"events": True, "subject": "user.id"}
    detect = {**shop.DETECT, "rules": []}
    document = shop.model("shop", {"kafka": "events"}, schema={"features": {"customer": customer}}, keep=keep)
    document["spec"]["detect"] = detect
    configuration = load(shop.configured(folder, document, privacy={"hash_key": "${LEEWAY_HASH_KEY}"}))
    store = MemoryStore()
    store.migrate()
    listed = ErasureList(store)
    for name in erased:
        listed.add(Erasure(listed.digest_of(name, 1), "", 1, ALWAYS, STARTED, (f"shop/{FIELD}",)))
    events = [{"ts": shop.START_MS + 100 * n, "user": {"id": f"customer-{n % 4}"}} for n in range(300)]
    lines = [json.dumps(event).encode() for event in events]
    Replay(configuration, store, FileSource({"events": written(folder / "e", [lines])})).run(batch=70)
    return store


@pytest.mark.parametrize("privacy", ["hash", "personal"])
@pytest.mark.parametrize("digests", [[], [Mask("hash", key_of("another key")).text("customer-3")]])
def test_an_erasure_holds_when_a_field_becomes_private_or_its_key_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, privacy: str, digests: list[str]
) -> None:
    monkeypatch.setenv("LEEWAY_HASH_KEY", SECRET)
    mask = Mask(privacy, key_of(SECRET))  # type: ignore[arg-type]
    store = replayed(tmp_path, privacy, ["customer-3", *digests])
    names = {name for row in rows(store, "panes", signal=FIELD) for name in row["names"]}
    others = {mask.text(f"customer-{n}") for n in range(3)}
    assert names >= others
    assert {name[:7] for name in names - others} == {"erased-"}
    about = {row["subject"] for row in rows(store, "events")} | {json.dumps(row) for row in rows(store, "findings")}
    assert mask.text("customer-3") not in about
