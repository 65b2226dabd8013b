"""What Apprise hands on, to a server of its plainest kind."""

from __future__ import annotations

import sys

import pytest

from sinks.receivers.contract import Delivered, Retry
from tests.sinks.receivers.listener import Answer, Listener
from tests.sinks.receivers.notifications import notification, receiver_of


def test_title_text_and_kind_are_handed_on(caplog: pytest.LogCaptureFixture) -> None:
    with Listener(Answer(), Answer(500), Answer()) as server, caplog.at_level("DEBUG"):
        receiver = receiver_of({"kind": "apprise", "name": "a", "url": f"json://user:s3cret@{server.address}/pa1h"})
        outcomes = [receiver.send(each) for each in (notification(), notification(), notification("resolved"))]
        receiver.close()
    assert [type(outcome) for outcome in outcomes] == [Delivered, Retry, Delivered]
    first, _, last = (request.body for request in server.requests)
    assert (first["title"], first["type"]) == ("WARNING: s", "warning")
    assert "since 2026-11-24 16:28:02 UTC" in first["message"]
    assert (last["title"], last["type"]) == ("RESOLVED: s", "success")
    told = [record.getMessage() for record in caplog.records if record.name.startswith("apprise")]
    assert told, "a failure leaves a warning"
    assert not [line for line in (*told, str(outcomes)) if "s3cret" in line or "pa1h" in line]


def test_an_address_that_it_does_not_know_is_refused_and_not_quoted(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ValueError, match=r"^receiver 'a': Apprise knows no such address$"):
        receiver_of({"kind": "apprise", "name": "a", "url": "nonsense://s3cret"})
    assert "s3cret" not in caplog.text


def test_without_the_package_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(ValueError, match=r"pip install 'leeway\[apprise\]'"):
        receiver_of({"kind": "apprise", "name": "a", "url": "json://127.0.0.1"})
