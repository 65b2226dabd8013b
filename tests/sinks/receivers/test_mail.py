"""E-mail through a real SMTP server."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from sinks.receivers.contract import Alert, Delivered, Outcome, Refused, Retry
from tests.services.certificates import make_certificate
from tests.services.dripping import Dripping
from tests.sinks.receivers.notifications import group, notification, receiver_of


class Box:
    """Keeps mails; answers as a test says."""

    def __init__(self, answers: dict[str, str]) -> None:
        self.mails: list[EmailMessage] = []
        self.to: list[str] = []
        self._answers = answers

    async def handle_RCPT(  # noqa: N802 -- the name that aiosmtpd calls
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        answer = self._answers.get(address, "250 OK")
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        answer = self._answers.get("DATA", "250 OK")
        if answer.startswith("250"):
            mail = message_from_bytes(envelope.content, policy=default)
            assert isinstance(mail, EmailMessage)
            self.mails.append(mail)
            self.to += envelope.rcpt_tos
        return answer


class Server(Controller):
    """A server on a port that the system chooses."""

    def __init__(self, box: Box, **options: Any) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        super().__init__(box, hostname="127.0.0.1", port=self._socket.getsockname()[1], **options)

    def _create_server(self) -> Any:
        return self.loop.create_server(self._factory_invoker, sock=self._socket)


@contextmanager
def smtp(answers: dict[str, str] | None = None, **options: Any) -> Iterator[tuple[Box, int]]:
    box = Box(answers or {})
    server = Server(box, **options)
    server.start()
    try:
        yield box, server.port
    finally:
        server.stop()


def send(port: int, *sent: Any, draw: Any = None, **options: Any) -> list[Outcome]:
    config = {
        "kind": "email",
        "name": "mail",
        "host": "127.0.0.1",
        "port": port,
        "sender": "Leeway <leeway@example.org>",
        "to": ["ml@example.org", "ops@example.org"],
        "security": "none",
        "timeout": "5s",
    }
    receiver = receiver_of(config | options, **({} if draw is None else {"draw": draw}))
    outcomes = [receiver.send(each) for each in sent or [notification()]]
    receiver.close()
    return outcomes


def test_a_mail_is_plain_and_html_and_says_the_same() -> None:
    alert = Alert(
        "firing", {"severity": "critical"}, {"summary": "größe <moved>"}, 0, generator_url="http://l.example/1"
    )
    with smtp() as (box, port):
        assert send(port, group((alert,))) == [Delivered()]
    (mail,) = box.mails
    assert box.to == ["ml@example.org", "ops@example.org"]
    assert mail["Subject"] == "CRITICAL: größe <moved>"
    plain, html = (mail.get_body((kind,)) for kind in ("plain", "html"))
    assert plain is not None
    assert html is not None
    assert "since 1970-01-01 00:00 UTC\r\nhttp://l.example/1" in plain.get_content()
    assert "größe &lt;moved&gt;" in html.get_content()
    assert '<a href="http://l.example/1">' in html.get_content()


def test_mails_about_one_group_are_one_conversation_and_a_repetition_has_an_id_and_a_date_of_its_own() -> None:
    first_ms, four_hours_ms = 1_795_537_700_000, 14_400_000
    fires = replace(notification(), at_ms=first_ms)
    tried_again = replace(fires, at_ms=first_ms + 1)
    repeated = replace(fires, at_ms=first_ms + four_hours_ms, after_ms=first_ms)
    with smtp() as (box, port):
        send(port, fires, tried_again, repeated, replace(notification("resolved"), after_ms=repeated.at_ms))
    first, again, repetition, ended = box.mails
    assert len({mail["References"] for mail in box.mails} | {mail["In-Reply-To"] for mail in box.mails}) == 1
    assert first["Message-ID"] == again["Message-ID"]
    assert len({first["Message-ID"], repetition["Message-ID"], ended["Message-ID"], first["References"]}) == 4
    assert repetition["Date"].datetime.timestamp() - first["Date"].datetime.timestamp() == four_hours_ms / 1000
    assert all(mail["Auto-Submitted"] == "auto-generated" for mail in box.mails)


def test_a_summary_has_its_time_and_an_id_of_its_own_whatever_came_meanwhile() -> None:
    first = replace(group(()), title="daily: 0 began", text="Nothing", at_ms=86_400_000)
    sent = [first, replace(first, alerts=notification().alerts, title="daily: 1 began"), replace(first, at_ms=1)]
    with smtp() as (box, port):
        assert send(port, *sent, title="{{ status }}") == [Delivered()] * 3
    ids = [mail["Message-ID"] for mail in box.mails]
    assert ids[0] == ids[1] != ids[2]
    assert box.mails[0]["Date"] == "Fri, 02 Jan 1970 00:00:00 +0000"
    assert box.mails[1]["Subject"] == "daily: 1 began"


def test_line_feeds_in_labels_make_no_headers() -> None:
    odd = Alert("firing", {}, {"summary": "a\r\nBcc: x@example.org"}, 0)
    with smtp() as (box, port):
        assert send(port, group((odd,))) == [Delivered()]
    assert box.mails[0]["Bcc"] is None
    assert box.mails[0]["Subject"] == "ALERT: a Bcc: x@example.org"


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ({"DATA": "451 later"}, Retry),
        ({"DATA": "554 never"}, Refused),
        ({"ml@example.org": "550 who", "ops@example.org": "550 who"}, Refused),
        ({"ml@example.org": "450 busy", "ops@example.org": "550 who"}, Retry),
        ({"ml@example.org": "550 who"}, Delivered),
    ],
)
def test_answers_of_the_server_mean_what_they_say(answers: dict[str, str], expected: type[Outcome]) -> None:
    with smtp(answers) as (_, port):
        (outcome,) = send(port)
    assert isinstance(outcome, expected)


def test_a_server_that_is_not_there_is_tried_again() -> None:
    with smtp() as (_, port):
        pass
    (outcome,) = send(port)
    assert isinstance(outcome, Retry)
    assert outcome.reason.startswith(f"127.0.0.1:{port}: ConnectionRefusedError")


def signed_in(password: bytes) -> Any:
    def authenticator(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        return AuthResult(success=data.login == b"leeway" and data.password == password, handled=False)

    return authenticator


@pytest.mark.parametrize(("password", "expected"), [("s3cret", Delivered), ("wr0ng", Refused)])
def test_the_password_goes_over_an_encrypted_connection(tmp_path: Path, password: str, expected: type[Outcome]) -> None:
    cert, key = make_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    options = {"tls_context": context, "require_starttls": True, "authenticator": signed_in(b"s3cret")}
    with smtp(**options) as (box, port):
        (outcome,) = send(
            port, security="starttls", username="leeway", password=password, ca_file=str(cert), host="localhost"
        )
    assert isinstance(outcome, expected)
    assert len(box.mails) == (1 if expected is Delivered else 0)
    assert password not in str(outcome)


def test_a_certificate_that_nobody_vouches_for_is_not_trusted(tmp_path: Path) -> None:
    cert, key = make_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    with smtp(tls_context=context, require_starttls=True) as (box, port):
        (outcome,) = send(port, security="starttls", host="localhost")
    assert isinstance(outcome, Retry)
    assert "certificate verify failed" in outcome.reason
    assert box.mails == []


def test_a_server_without_encryption_is_refused_where_it_is_wanted() -> None:
    with smtp() as (_, port):
        (outcome,) = send(port, security="starttls")
    assert isinstance(outcome, Refused)
    assert "STARTTLS extension not supported" in outcome.reason


def test_a_password_is_not_sent_in_the_clear() -> None:
    with pytest.raises(ValueError, match="a password is not sent without encryption"):
        send(25, username="leeway", password="s3cret")


ASKED_FOR_MAIL = b"220 ready\r\n250 hello\r\n250 from\r\n250 to\r\n250 to\r\n354 go on\r\n"


@pytest.mark.parametrize(
    ("first", "drip", "may_have_it"),
    [(b"", b"220-wait\r\n", False), (b"220 ready\r\n", b"2", True), (ASKED_FOR_MAIL, b"250-wait\r\n", True)],
    ids=["a greeting", "an answer", "what becomes of the mail"],
)
def test_a_server_that_drips_is_left_after_the_time_out(first: bytes, drip: bytes, may_have_it: bool) -> None:
    """A byte now and then keeps an answer from timing out by itself."""
    with Dripping(first, drip) as server:
        outcomes = send(server.port, timeout="300ms")
        assert server.was_left
    assert outcomes == [Retry(f"{server.address}: no answer in time", may_have_it=may_have_it)]


def test_a_mail_that_was_taken_is_not_sent_again_because_the_farewell_drips() -> None:
    with Dripping(ASKED_FOR_MAIL + b"250 taken\r\n", b"221-bye\r\n") as server:
        assert send(server.port, timeout="300ms") == [Delivered()]
        assert server.was_left


def test_a_mail_has_no_control_characters() -> None:
    alert = Alert("firing", {}, {"summary": "a\x00b \x1b[31mc", "description": "one\x07"}, 0)
    with smtp() as (box, port):
        assert send(port, group((alert,))) == [Delivered()]
    (mail,) = box.mails
    sign = "\N{REPLACEMENT CHARACTER}"
    assert mail["Subject"] == f"ALERT: a{sign}b {sign}[31mc"
    plain = mail.get_body(("plain",))
    assert plain is not None
    assert f"one{sign}" in plain.get_content()
