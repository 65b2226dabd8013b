"""Alerts reach a real Alertmanager: they fire there, and end when Leeway says so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from sinks.receivers.contract import Delivered, Notification, Refused
from tests.services.alertmanager import alertmanager
from tests.sinks.receivers.notifications import notification, receiver_of


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    file = tmp_path / "alertmanager.yml"
    file.write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
    with alertmanager(file, tmp_path) as address:
        yield address


def firing(url: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = httpx.get(f"{url}/api/v2/alerts", timeout=60).json()
    return found


def test_an_alert_fires_there_until_it_is_over_and_is_known_by_its_fingerprint(url: str) -> None:
    receiver = receiver_of({"kind": "alertmanager", "name": "am", "url": url + "/", "allow_private": True})
    said = notification("firing")
    assert receiver.send(said) == receiver.send(said) == Delivered()
    [alert] = firing(url)
    assert alert["fingerprint"] == said.alerts[0].fingerprint
    assert alert["annotations"] == {"summary": "s"}
    assert alert["generatorURL"] == said.alerts[0].generator_url
    assert alert["startsAt"].startswith("2026-11-24T")
    # Its end lies in the future of the fixed times of these tests: say that it was over as soon as it began.
    over = replace(said.alerts[0], status="resolved", starts_at_ms=1_000, ends_at_ms=2_000)
    assert receiver.send(replace(said, alerts=(over,))) == Delivered()
    assert firing(url) == []
    receiver.close()


def test_what_alertmanager_refuses_is_refused(url: str) -> None:
    receiver = receiver_of({"kind": "alertmanager", "name": "am", "url": url, "allow_private": True})
    wrong = replace(notification("firing").alerts[0], labels={})
    outcome = receiver.send(Notification("am", "k", {}, (wrong,)))
    assert isinstance(outcome, Refused)
    assert "400" in outcome.reason
    receiver.close()
