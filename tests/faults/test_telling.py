"""A process that tells people is killed at the moments that matter: everybody hears everything, under one key."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from bench.inboxes import Inbox
from bench.soak_alerts import Ordeal, report, soak
from tests.services.clickhouse import Endpoint

MANNERS = {"steady": {"taken": 1}, "rough": {"taken": 12, "500": 1, "429": 1, "never": 1}}
MOMENTS = ["answered", "unlogged"]


@pytest.mark.slow
@pytest.mark.parametrize("routed", [True, False], ids=["routed", "unrouted"])
def test_whoever_dies_every_transition_is_told_at_least_once_under_one_key(
    routed: bool, clickhouse_endpoint: Endpoint, tmp_path: Path
) -> None:
    ordeal = soak(clickhouse_endpoint, tmp_path / f"told_{routed}", MOMENTS, seed=1, routed=routed, manners=MANNERS)
    said = "\n".join(report(ordeal))
    assert ordeal.is_good, said
    assert ordeal.kills.total() == len(MOMENTS)
    assert len(ordeal.due) > 2 * len(MOMENTS)
    # With routes a group may have grown until it is told again.
    assert routed or sum(inbox.repeated for inbox in ordeal.inboxes) >= 2, f"two died between answer and log\n{said}"
    assert {answer for inbox in ordeal.inboxes for answer in inbox.answers} > {"taken"}


def test_what_is_lost_repeated_or_comes_under_another_key_is_seen() -> None:
    alert = {"labels": {"alert_id": "a"}, "status": "firing", "annotations": {"summary": "a fires"}}
    with Inbox("one", {"taken": 1}, seed=1) as one, Inbox("other", {"500": 1}, seed=1) as other:
        for key in ("k", "k", "l"):
            httpx.post(one.url, content=json.dumps({"groupKey": key, "alerts": [alert]}), timeout=60)
        httpx.post(other.url, content=json.dumps({"groupKey": "k", "alerts": [alert]}), timeout=60)
        assert one.heard == {("a", "a fires")}
        assert one.repeated == 1
        assert one.keys == {"a": {"k", "l"}}
        assert other.heard == set(), "it did not take it"
        lost = Ordeal(
            [one, other], lost={"one": set(), "other": {("a", "a fires")}}, many_keys={"one": {"a"}, "other": set()}
        )
    assert not lost.is_good
    assert report(lost)[-1] == "lost: other did not hear a fires"
