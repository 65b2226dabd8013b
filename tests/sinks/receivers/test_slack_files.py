"""Pictures that are uploaded to Slack: behind the message, which has been delivered whatever they meet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from sinks.receivers import build, post, read_parameters
from sinks.receivers.contract import Delivered, Outcome, Picture, Refused, Retry
from tests.services.certificates import make_certificate
from tests.sinks.receivers.notifications import notification
from tests.sinks.receivers.workspace import ADDRESS, CHANNEL, COMPLETE, MESSAGE, TOKEN, Answer, Workspace

PICTURES = [Picture("typical value of <!channel> & more", b"\x89PNG one"), Picture("shares", b"\x89PNG another")]
NO_ADDRESS = "1 of 1: slack.com: the answer names no address with https:// to upload to"
FAILS = Answer({"ok": False, "error": "missing_scope", "needed": "files:write"})


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_certificate(tmp_path_factory.mktemp("slack"))


@pytest.fixture(autouse=True)
def _trusted(monkeypatch: pytest.MonkeyPatch, certificate: tuple[Path, Path]) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", f"{certificate[0]}")
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def workspace(certificate: tuple[Path, Path]) -> Iterator[Workspace]:
    with Workspace(certificate) as made:
        yield made


def sent(workspace: Workspace, pictures: list[Picture] = PICTURES, times: int = 1, **options: Any) -> list[Outcome]:
    """Send a notification; nothing secret may be in what comes of it, or in the log."""
    config: dict[str, Any] = {"kind": "slack", "name": "slack", "url": f"{workspace.address}{MESSAGE}"}
    config |= {"token": TOKEN, "channel": "#ml", "allow_private": True, "pictures": "upload"}
    receiver = build(read_parameters(config | options), draw=lambda _: pictures)
    with capture_logs() as logs:
        outcomes = [receiver.send(notification()) for _ in range(times)]
    receiver.close()
    assert "s3cret" not in f"{outcomes}{logs}"
    assert "/upload" not in f"{outcomes}{logs}"
    incomplete = [each.reason for each in outcomes if isinstance(each, Delivered) and each.reason]
    assert [f"without its pictures: {log['reason']}" for log in logs] == incomplete
    return outcomes


def test_pictures_stand_in_the_thread_of_their_message(workspace: Workspace) -> None:
    assert sent(workspace, times=2) == [Delivered()] * 2
    one = [MESSAGE, ADDRESS, "/upload/F0", ADDRESS, "/upload/F1", COMPLETE]
    assert workspace.paths[:6] == one
    assert [message["channel"] for message in workspace.messages] == ["#ml"] * 2
    assert [file.content for file in workspace.files.values()] == [picture.png for picture in PICTURES] * 2
    first, second = workspace.threads
    assert (first["channel_id"], first["thread_ts"]) == (CHANNEL, "1700000000.000001")
    assert second["thread_ts"] == "1700000000.000002"
    assert [each["id"] for each in first["files"]] == ["F0", "F1"]
    assert first["initial_comment"] == "1. typical value of &lt;!channel&gt; &amp; more\n2. shares"
    assert workspace.files["F0"].alt == "typical value of &lt;!channel&gt; &amp; more"


def test_captions_that_are_too_long_are_cut(workspace: Workspace) -> None:
    long = Picture("größer & größer " * 500, b"\x89PNG")
    assert sent(workspace, [long] * 2) == [Delivered()]
    assert 900 < len(workspace.files["F0"].alt) <= 1000
    assert len(workspace.threads[0]["initial_comment"]) <= 3000


def test_a_receiver_trusts_whom_the_environment_names_when_it_is_made(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("SSL_CERT_FILE", f"{make_certificate(tmp_path)[0]}")
        [untrusted] = sent(workspace)
    assert isinstance(untrusted, Retry)
    assert "CERTIFICATE_VERIFY_FAILED" in untrusted.reason
    assert sent(workspace) == [Delivered()]


def test_nothing_is_uploaded_without_pictures_or_without_a_message(certificate: tuple[Path, Path]) -> None:
    with Workspace(certificate, {MESSAGE: [None, Answer({"ok": False, "error": "is_archived"})]}) as workspace:
        assert sent(workspace, []) == [Delivered()]
        assert sent(workspace) == [Refused("slack.com: is_archived")]
        assert workspace.paths == [MESSAGE] * 2


def test_pictures_that_cannot_be_drawn_are_no_reason_to_send_a_message_again(workspace: Workspace) -> None:
    assert sent(workspace, [None]) == [Delivered("without its pictures: AttributeError")]  # type: ignore[list-item]
    assert workspace.paths == [MESSAGE]


@pytest.mark.parametrize(
    ("step", "answers", "reason", "shown"),
    [
        (MESSAGE, [Answer({"ok": True})], "the answer does not say where the message stands", 0),
        (ADDRESS, [FAILS], "2 of 2: slack.com: missing_scope (files:write)", 0),
        (ADDRESS, [None, FAILS], "1 of 2: slack.com: missing_scope (files:write)", 1),
        (ADDRESS, [Answer(status=500)], "2 of 2: https://ADDRESS: 500 Internal Server Error", 0),
        (ADDRESS, [Answer([1])], "2 of 2: slack.com: the answer does not say `ok`", 0),
        ("/upload", [Answer(status=503)], "2 of 2: https://ADDRESS: 503 Service Unavailable", 0),
        (COMPLETE, [Answer({"ok": False, "error": "ratelimited"})], "slack.com: ratelimited", 0),
        (COMPLETE, [Answer({"ok": False, "error": TOKEN})], "slack.com: ***", 0),
    ],
)
def test_a_message_is_delivered_once_whatever_its_pictures_meet(
    step: str, answers: list[Answer | None], reason: str, shown: int, certificate: tuple[Path, Path]
) -> None:
    with Workspace(certificate, {step: answers}) as workspace:
        [outcome] = sent(workspace)
        address = workspace.address.removeprefix("https://")
    assert outcome == Delivered(f"without its pictures: {reason.replace('ADDRESS', address)}")
    assert workspace.paths.count(MESSAGE) == 1
    assert len(workspace.threads) == (1 if shown else 0)
    assert [len(thread["files"]) for thread in workspace.threads] == [shown] * len(workspace.threads)


# What comes before the last step has time enough on a busy machine.
@pytest.mark.parametrize(("step", "timeout_s"), [(ADDRESS, 1), ("/upload", 1), (COMPLETE, 4)])
def test_slow_pictures_hold_nothing_up_for_longer_than_the_time_out(
    step: str, timeout_s: int, certificate: tuple[Path, Path]
) -> None:
    """A byte now and then keeps a request from timing out by itself."""
    with Workspace(certificate, {step: [Answer(drips=True)] * 2}) as workspace:
        outcomes = sent(workspace, times=2, timeout=f"{timeout_s}s")
        assert workspace.paths.count(MESSAGE) == 2
        assert workspace.paths.count(step) == 2 or step == "/upload", "those of the second are tried as well"
    assert outcomes == [Delivered(f"without its pictures: they took longer than {timeout_s}000 ms")] * 2
    assert workspace.threads == []


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("http://127.0.0.1:{port}/elsewhere", NO_ADDRESS),
        ("ftp://127.0.0.1/elsewhere", NO_ADDRESS),
        ("", NO_ADDRESS),
        (7, NO_ADDRESS),
        ("https:///elsewhere", "1 of 1: https://: the request cannot be sent (UnsupportedProtocol)"),
        ("https://[::1/elsewhere", "InvalidURL"),
        ("https://127.0.0.1:99999/elsewhere", ""),
        (f"https://{'a' * 300}/elsewhere", ""),
    ],
)
def test_an_address_that_is_none_gets_no_picture(address: Any, reason: str, certificate: tuple[Path, Path]) -> None:
    answer = Answer({"ok": True, "file_id": "F0"})
    with Workspace(certificate, {ADDRESS: [answer]}) as workspace:
        port = workspace.address.rpartition(":")[2]
        answer.fields["upload_url"] = address.format(port=port) if isinstance(address, str) else address
        [outcome] = sent(workspace, PICTURES[:1])
    assert isinstance(outcome, Delivered)
    assert outcome.reason.startswith(f"without its pictures: {reason}")
    assert "elsewhere" not in outcome.reason
    assert workspace.paths == [MESSAGE, ADDRESS]


def test_an_address_in_a_private_network_gets_no_picture(
    certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(post, "private", lambda address: address != "127.0.0.1")
    inside = Answer({"ok": True, "file_id": "F0", "upload_url": "https://169.254.169.254/latest/meta-data"})
    with Workspace(certificate, {ADDRESS: [inside]}) as workspace:
        outcomes = sent(workspace, PICTURES[:1], times=2, allow_private=False)
    assert outcomes[0].reason == (
        "without its pictures: 1 of 1: https://169.254.169.254: 169.254.169.254 is not a public address;"
        " set `allow_private: true` to send there"
    )
    assert outcomes[1] == Delivered()


def test_an_address_that_leads_elsewhere_is_not_followed(certificate: tuple[Path, Path]) -> None:
    with Workspace(certificate, {"/upload": [Answer(status=307, headers={"Location": "/elsewhere"})]}) as workspace:
        [outcome] = sent(workspace, PICTURES[:1])
    assert "307 Temporary Redirect" in outcome.reason
    assert "/elsewhere" not in workspace.paths


def test_a_picture_that_is_too_large_is_left_out(workspace: Workspace) -> None:
    [outcome] = sent(workspace, [PICTURES[0], replace(PICTURES[1], png=b"x" * 1_000_001)])
    assert outcome == Delivered("without its pictures: 1 of 2: a picture has 1000001 bytes, more than 1000000")
    assert [len(thread["files"]) for thread in workspace.threads] == [1]
