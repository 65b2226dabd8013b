"""What Apprise hands on, to a server of its plainest kind."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from sinks.receivers.apprise import MOST_UNFINISHED
from sinks.receivers.contract import Delivered, Retry
from tests.service.process import ROOT, environment
from tests.service.shop import wait_until
from tests.services.dripping import Dripping
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


ONE_THAT_HANGS = """
import sys
from tests.sinks.receivers.notifications import notification, receiver_of
print(receiver_of({"kind": "apprise", "name": "a", "url": sys.argv[1], "timeout": "200ms"}).send(notification()).reason)
"""


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that takes connections, and never answers; it is waited for for ten minutes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"json://127.0.0.1:{listener.getsockname()[1]}/?rto=600"


def test_a_sending_is_given_up_after_the_time_out_however_its_answer_trickles_in() -> None:
    with Dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", b" ") as server:
        receiver = receiver_of({"kind": "apprise", "name": "a", "url": f"json://{server.address}", "timeout": "300ms"})
        assert receiver.send(notification()) == Retry("Apprise has not ended within 0.3 s", may_have_it=True)
        receiver.close()


def test_several_services_have_the_time_out_together_and_no_one_waits_for_another(silent: str) -> None:
    with Listener(Answer()) as server:
        urls = f"{silent}, json://{server.address}"
        receiver = receiver_of({"kind": "apprise", "name": "a", "url": urls, "timeout": "2s"})
        assert receiver.send(notification()) == Retry("Apprise has not ended within 2 s", may_have_it=True)
        wait_until(lambda: len(server.requests) == 1, "the other one is notified while the first hangs")


def test_where_attempts_hang_nothing_else_is_begun(silent: str) -> None:
    receiver = receiver_of({"kind": "apprise", "name": "a", "url": silent, "timeout": "50ms"})
    outcomes = [receiver.send(notification()) for _ in range(MOST_UNFINISHED + 1)]
    assert outcomes[:-1] == MOST_UNFINISHED * [Retry("Apprise has not ended within 0.05 s", may_have_it=True)]
    assert outcomes[-1] == Retry("4 attempts of Apprise's are still under way after their time was up")


def test_one_that_hangs_does_not_keep_the_process_from_ending(silent: str) -> None:
    command = [sys.executable, "-c", ONE_THAT_HANGS, silent]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "Apprise has not ended within 0.2 s\n"
