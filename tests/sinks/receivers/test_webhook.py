"""The webhook against a real HTTP server."""

from __future__ import annotations

import base64
import hmac
import logging
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sinks.receivers.contract import Alert, Delivered, Outcome, Refused, Retry
from sinks.receivers.post import retry_after_s
from sinks.receivers.times import rfc3339
from sinks.receivers.webhook import SIGNATURE, Webhook, WebhookParameters
from tests.sinks.receivers.listener import Answer, Listener
from tests.sinks.receivers.notifications import LABELS, STARTS_MS, group, notification


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def hook(url: str | None, **written: Any) -> Webhook:
    address = {} if url is None else {"url": url}
    named = {"kind": "webhook", "name": "hook", "allow_private": True}
    return Webhook(WebhookParameters.model_validate(named | address | written))


def send(listener: Listener, count: int = 1, path: str = "/hook", **options: object) -> list[Outcome]:
    webhook = hook(listener.url(path), **options)
    outcomes = [webhook.send(notification()) for _ in range(count)]
    webhook.close()
    return outcomes


# The bodies that a running Alertmanager 0.28.1 posted (route: group_by [alert_id]; external URL as below) for the
# same alerts given to its API: the alert fires, its severity rises, it is resolved.
WARNING = {
    "status": "firing",
    "labels": LABELS,
    "annotations": {"summary": "s"},
    "startsAt": "2026-11-24T16:28:02.151Z",
    "endsAt": "0001-01-01T00:00:00Z",
    "generatorURL": "http://leeway.example/alerts/1",
    "fingerprint": "87fc40a6a99d27f6",
}
CRITICAL = WARNING | {"labels": LABELS | {"severity": "critical"}, "fingerprint": "6ce94993cf57b103"}
ENVELOPE = {
    "version": "4",
    "groupKey": '{}:{alert_id="00112233445566ff"}',
    "truncatedAlerts": 0,
    "receiver": "hook",
    "groupLabels": {"alert_id": "00112233445566ff"},
    "commonLabels": LABELS,
    "commonAnnotations": {"summary": "s"},
    "externalURL": "http://leeway.example",
}
FIRED = ENVELOPE | {"status": "firing", "alerts": [WARNING]}
RISEN = ENVELOPE | {
    "status": "firing",
    "commonLabels": {name: value for name, value in LABELS.items() if name != "severity"},
    "alerts": [CRITICAL, WARNING | {"status": "resolved", "endsAt": "2026-11-24T16:29:04.151Z"}],
}
RESOLVED = ENVELOPE | {
    "status": "resolved",
    "commonLabels": LABELS | {"severity": "critical"},
    "alerts": [CRITICAL | {"status": "resolved", "endsAt": "2026-11-24T16:29:08.326Z"}],
}


def alert(status: str, severity: str, lasted_ms: int = 0) -> Alert:
    return replace(notification(status, severity).alerts[0], ends_at_ms=STARTS_MS + lasted_ms)


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ((alert("firing", "warning"),), FIRED),
        ((alert("firing", "critical"), alert("resolved", "warning", 62_000)), RISEN),
        ((alert("resolved", "critical", 66_175),), RESOLVED),
    ],
    ids=["fired", "severity risen", "resolved"],
)
def test_the_body_is_alertmanagers(sent: tuple[Alert, ...], expected: dict[str, object]) -> None:
    with Listener() as listener:
        webhook = hook(listener.url("/a/b?c=d"))
        assert webhook.send(group(sent)) == Delivered()
        webhook.close()
    (request,) = listener.requests
    assert request.body == expected
    assert request.path == "/a/b?c=d"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"] == "Leeway"


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_any_2xx_is_delivered(status: int) -> None:
    with Listener(Answer(status)) as listener:
        assert send(listener) == [Delivered()]


def test_a_server_error_is_tried_again_and_then_gets_through() -> None:
    with Listener(Answer(500, text="down for\n maintenance")) as listener:
        first, second = send(listener, 2)
        where = f"http://{listener.address}"
    assert first == Retry(f"{where}: 500 Internal Server Error: down for maintenance")
    assert second == Delivered()
    assert listener.requests[0].body == listener.requests[1].body


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_retry_after_in_seconds_is_honoured(status: int) -> None:
    with Listener(Answer(status, {"Retry-After": "17"})) as listener:
        (outcome,) = send(listener)
    assert isinstance(outcome, Retry)
    assert outcome.after_s == 17.0


@pytest.mark.parametrize(
    ("asked", "after_s"),
    [
        ({"Retry-After": "Sat, 09 Feb 2013 05:31:30 GMT", "Date": "Sat, 09 Feb 2013 05:30:00 GMT"}, 90.0),
        ({"Retry-After": "Sat, 09 Feb 2013 05:31:30 GMT", "Date": "Sat, 09 Feb 2013 05:40:00 GMT"}, 0.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": ""}, None),
    ],
)
def test_retry_after_as_a_date_counts_from_the_answers_date(asked: dict[str, str], after_s: float | None) -> None:

    assert retry_after_s({name.lower(): value for name, value in asked.items()}) == after_s


@pytest.mark.parametrize("status", [301, 307, 400, 401, 404, 413, 422])
def test_other_answers_are_refusals(status: int) -> None:
    with Listener(Answer(status, {"Location": "/elsewhere"}, text="no")) as listener:
        (outcome,) = send(listener)
    assert isinstance(outcome, Refused)
    assert f": {status} " in outcome.reason
    assert outcome.reason.endswith(": no")
    assert len(listener.requests) == 1, "a redirection is not followed: it may lead anywhere"


def test_a_server_that_hangs_is_left_after_the_time_out() -> None:
    with Listener(Answer(hang=True)) as listener:
        (outcome,) = send(listener, timeout="200ms")
        where = f"http://{listener.address}"
    assert outcome == Retry(f"{where}: no answer in time (ReadTimeout)", may_have_it=True)


def test_a_refused_connection_is_tried_again() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody else can take the port meanwhile
        where = f"http://127.0.0.1:{taken.getsockname()[1]}"
        webhook = hook(f"{where}/secret-path")
        outcome = webhook.send(notification())
        webhook.close()
    assert isinstance(outcome, Retry)
    assert outcome.reason.startswith(f"{where}: ConnectError: ")
    assert "refused" in outcome.reason
    assert outcome.after_s is None


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """Everything that any logger says, down to DEBUG."""
    lines: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    handler, root = Keep(), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield lines
    root.setLevel(level)
    root.removeHandler(handler)


def test_secrets_are_sent_but_never_told(logged: list[str]) -> None:
    answer = "Bearer t0ken /hook/pa+h?key=1 s3cret user"
    with Listener(Answer(500, text=answer), Answer(400, text=answer)) as listener:
        webhook = hook(f"http://user:s3cret@{listener.address}/hook/pa+h?key=1", headers={"X-Key": "t0ken"})
        outcomes = [webhook.send(notification()) for _ in range(2)]
        webhook.close()
    request = listener.requests[0]
    assert request.headers["authorization"] == "Basic " + base64.b64encode(b"user:s3cret").decode()
    assert request.headers["x-key"] == "t0ken"
    told = " ".join([*(str(outcome) for outcome in outcomes), *logged])
    assert "***" in told
    for secret in ("s3cret", "t0ken", "pa+h", "user"):
        assert secret not in told


def test_a_body_is_signed_with_the_secret_as_any_receiver_can_check() -> None:
    with Listener() as listener:
        (outcome,) = send(listener, secret="s3cret")
    assert outcome == Delivered()
    (request,) = listener.requests
    expected = hmac.digest(b"s3cret", request.raw, "sha256").hex()
    assert request.headers[SIGNATURE.lower()] == f"sha256={expected}"


def test_a_body_without_a_secret_is_not_signed() -> None:
    with Listener() as listener:
        send(listener)
    assert SIGNATURE.lower() not in listener.requests[0].headers


def test_a_header_that_cannot_be_sent_is_a_refusal_that_does_not_quote_it() -> None:
    with Listener() as listener:
        (outcome,) = send(listener, headers={"X-Key": "t0ken\nX-Other: y"})
    assert isinstance(outcome, Refused)
    assert "LocalProtocolError" in outcome.reason
    assert "t0ken" not in outcome.reason


def test_a_long_answer_is_quoted_shortly() -> None:
    with Listener(Answer(503, text="é" * 100_000)) as listener:
        (outcome,) = send(listener)
    assert isinstance(outcome, Retry)
    assert len(outcome.reason) < 300


def test_times_are_utc_to_the_millisecond() -> None:

    assert rfc3339(STARTS_MS) == "2026-11-24T16:28:02.151Z"
    assert rfc3339(0) == "1970-01-01T00:00:00Z"
    assert rfc3339(100) == "1970-01-01T00:00:00.1Z"


def test_a_body_holds_as_many_alerts_as_are_wanted_and_counts_the_others() -> None:
    alerts = tuple(Alert("firing" if n == 2 else "resolved", {"n": str(n)}, {}, 0, 1) for n in range(3))
    with Listener() as listener:
        webhook = hook(listener.url(), max_alerts=2)
        assert webhook.send(group(alerts)) == Delivered()
        assert webhook.send(group(alerts[:2])) == Delivered()
        webhook.close()
    cut, whole = (request.body for request in listener.requests)
    assert ([alert["labels"]["n"] for alert in cut["alerts"]], cut["truncatedAlerts"]) == (["0", "1"], 1)
    assert cut["status"] == "resolved", "as Alertmanager says of those that it tells"
    assert whole["truncatedAlerts"] == 0


def test_the_address_of_a_file_is_the_one_that_it_holds_now(tmp_path: Path) -> None:
    file = tmp_path / "address"
    with Listener() as listener:
        webhook = hook(None, url_file=str(file))
        assert webhook.send(notification()) == Retry(f"{file} cannot be used: No such file or directory")
        for path in ("/hunter2", "/hunter3"):
            file.write_text(f"{listener.url(path)}\n")
            assert webhook.send(notification()) == Delivered()
        for nonsense in ("hunter2", "http://[::hunter2/"):
            file.write_text(nonsense)
            assert webhook.send(notification()) == Retry(f"{file} cannot be used: it holds no address")
        webhook.close()
    assert [request.path for request in listener.requests] == ["/hunter2", "/hunter3"]
