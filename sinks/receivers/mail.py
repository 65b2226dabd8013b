"""A receiver that sends e-mail."""

from __future__ import annotations

import hashlib
import html
import smtplib
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from functools import partial
from typing import Annotated, Literal, Self

import structlog
from pydantic import Field, SecretStr, model_validator

from sinks.parameters import DurationMs
from sinks.receivers.contract import Delivered, Notification, Outcome, Picture, Refused, Retry
from sinks.receivers.text import Worded
from sinks.receivers.times import moment

__all__ = ["EmailParameters", "Mail", "message"]

logger = structlog.get_logger("leeway.notify")

PORTS = {"none": 25, "starttls": 587, "tls": 465}


class EmailParameters(Worded):
    """Sends e-mail."""

    kind: Literal["email"]
    host: str = Field(description="of the SMTP server")
    sender: str = Field(pattern=r"@", description="the address that mails come from")
    to: list[Annotated[str, Field(pattern=r"@")]] = Field(min_length=1)
    port: int | None = Field(default=None, ge=1, le=65_535, description="587, 465 or 25, by `security`")
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str = ""
    password: SecretStr = Field(default=SecretStr(""), description="by reference: `${SMTP_PASSWORD}`")
    ca_file: str = Field(default="", description="file of the certificates to trust; the public ones if empty")
    pictures: bool = Field(default=True, description="whether small charts of what moved are in the mail")
    timeout: DurationMs = Field(default=10_000, gt=0, description="for a mail and its answers, altogether")

    @model_validator(mode="after")
    def _passwords_are_encrypted(self) -> Self:
        if self.security == "none" and self.password.get_secret_value():
            raise ValueError("a password is not sent without encryption: set `security` to starttls or tls")
        if bool(self.username) != bool(self.password.get_secret_value()):
            raise ValueError("username and password go together")
        return self


def message(
    notification: Notification, parameters: EmailParameters, words: tuple[str, str], pictures: Sequence[Picture] = ()
) -> EmailMessage:
    """Return the mail, plain and as HTML; the latter shows pictures, which come with it.

    All mails about one group refer to one id, so that mail programs show them as one conversation. Tried again, a mail
    has the id that it had: most mail servers and programs show it once. A repetition has an id of its own.
    """
    title, text = words
    # An id has to be unique in the world: its right side is the sender's own domain (RFC 5322, 3.6.4).
    domain = parameters.sender.rpartition("@")[2].strip("> ") or "leeway"
    group = hashlib.sha256(notification.group_key.encode()).hexdigest()[:32]
    # A summary has its key from its time. Decided upon anew after a crash, another mail has another time, and still
    # follows the same one that was taken.
    suffix = f"{notification.at_ms}" if notification.title else f"{notification.after_ms}\n{title}\n{text}"
    mail_id = hashlib.sha256(f"{group}\n{notification.receiver}\n{suffix}".encode()).hexdigest()[:32]
    mail = EmailMessage(policy=SMTP)
    mail["From"], mail["To"], mail["Subject"] = parameters.sender, ", ".join(parameters.to), title
    mail["Message-ID"] = f"<{mail_id}@{domain}>"
    mail["References"] = mail["In-Reply-To"] = f"<{group}@{domain}>"
    # Keeps replies of absent people away (RFC 3834).
    mail["Auto-Submitted"] = "auto-generated"
    mail["Date"] = format_datetime(moment(notification.at_ms))
    mail.set_content(text + "\n")
    ids = [f"{mail_id}.{number}@{domain}" for number in range(len(pictures))]
    shown = [(name, picture.caption) for name, picture in zip(ids, pictures, strict=True)]
    mail.add_alternative(_html(notification, title, text, shown), subtype="html")
    page = mail.get_body(("html",))
    assert isinstance(page, EmailMessage)
    for name, picture in zip(ids, pictures, strict=True):
        page.add_related(picture.png, "image", "png", cid=f"<{name}>", disposition="inline")
    return mail


class Mail:
    """Sends e-mail through an SMTP server.

    Delivered means that the server took it for at least one of the addresses; those that it refused are logged. An
    answer 4xx or a network error means try again, any other 5xx is a refusal (RFC 5321, 4.2.1).

    Parameters
    ----------
    parameters : EmailParameters
    draw : callable or None
        From a notification to its pictures.
    """

    Parameters = EmailParameters

    def __init__(
        self, parameters: EmailParameters, *, draw: Callable[[Notification], Sequence[Picture]] | None = None
    ) -> None:
        self.name, self.send_resolved = parameters.name, parameters.send_resolved
        self._parameters = parameters
        self._port = parameters.port or PORTS[parameters.security]
        self._trusted = ssl.create_default_context(cafile=parameters.ca_file or None)
        self._text = parameters.words()
        self._draw = draw if parameters.pictures else None

    def send(self, notification: Notification) -> Outcome:
        """Send it, once."""
        pictures = self._draw(notification) if self._draw is not None else ()
        mail = message(notification, self._parameters, self._text.of(notification), pictures)
        where = f"{self._parameters.host}:{self._port}"
        dialogue = _Dialogue(self._parameters, self._port, self._trusted, mail)
        dialogue.start()
        dialogue.join(self._parameters.timeout / 1000)
        if is_late := dialogue.is_alive():
            dialogue.cut_off()
        if dialogue.refused is not None:
            for address, (code, _) in dialogue.refused.items():
                logger.warning("a mail was not accepted for an address", receiver=self.name, address=address, code=code)
            return Delivered()
        # Cut off it fails as well, sooner or later.
        if is_late or dialogue.error is None:
            return Retry(f"{where}: no answer in time", may_have_it=dialogue.is_connected)
        return _failure(where, dialogue.error, may_have_it=dialogue.is_connected)

    def close(self) -> None:
        """Nothing to release: a connection lasts as long as a mail."""


class _Dialogue(threading.Thread):
    """One mail on its way: in a thread, as a time-out of smtplib's bounds each wait for a byte."""

    def __init__(self, parameters: EmailParameters, port: int, trusted: ssl.SSLContext, mail: EmailMessage) -> None:
        super().__init__(name=f"mail-{parameters.name}", daemon=True)
        self._parameters, self._address, self._trusted = parameters, (parameters.host, port), trusted
        self._mail, self._timeout_s = mail, parameters.timeout / 1000
        self._cut_off: Callable[[], None] = lambda: None
        self._is_over = self.is_connected = False
        self.refused: dict[str, tuple[int, bytes]] | None = None
        self.error: Exception | None = None

    def cut_off(self) -> None:
        """Send nothing any more, and wait for nothing."""
        self._is_over = True
        self._cut_off()

    def run(self) -> None:
        try:
            with socket.create_connection(self._address, self._timeout_s) as connection, connection.dup() as handle:
                # Whatever becomes of the connection when it is encrypted, this is another name for it.
                self._cut_off = partial(_end, handle)
                if not self._is_over:
                    self._send(connection)
        except Exception as error:  # noqa: BLE001 -- whoever waits for it says what it means
            self.error = error

    def _send(self, connection: socket.socket) -> None:
        parameters = self._parameters
        if parameters.security == "tls":
            connection = self._trusted.wrap_socket(connection, server_hostname=parameters.host)
        with _Smtp(connection, *self._address, self._timeout_s) as server:
            if parameters.security == "starttls":
                server.starttls(context=self._trusted)
            if parameters.username:
                server.login(parameters.username, parameters.password.get_secret_value())
            self.is_connected = True
            # Either whoever waited no longer sees that it is connected, or it is seen here that nobody waits.
            if not self._is_over:
                self.refused = server.send_message(self._mail, parameters.sender, parameters.to)


class _Smtp(smtplib.SMTP):
    """Talks over a connection that others can cut off."""

    def __init__(self, connection: socket.socket, host: str, port: int, timeout_s: float) -> None:
        self._connection = connection
        super().__init__(host, port, timeout=timeout_s)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        return self._connection


def _end(connection: socket.socket) -> None:
    # It may have ended by itself meanwhile.
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def _failure(where: str, error: Exception, *, may_have_it: bool) -> Outcome:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return _outcome(where, [code for code, _ in error.recipients.values()], "no address was accepted")
    if isinstance(error, smtplib.SMTPResponseException):
        return _outcome(where, [error.smtp_code], type(error).__name__)
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return Refused(f"{where}: {error}")
    if isinstance(error, smtplib.SMTPException | OSError):
        return Retry(f"{where}: {type(error).__name__}: {error}", may_have_it=may_have_it)
    raise error


def _outcome(where: str, codes: Sequence[int], summary: str) -> Outcome:
    reason = f"{where}: {summary} ({', '.join(str(code) for code in sorted(set(codes)))})"
    return Retry(reason) if any(400 <= code < 500 for code in codes) else Refused(reason)


def _html(notification: Notification, title: str, text: str, pictures: Sequence[tuple[str, str]]) -> str:
    colour = "#2e8b57" if notification.status == "resolved" else "#d00000"
    shown = "".join(
        f'<p><img src="cid:{name}" alt="{html.escape(caption)}"><br>\n<small>{html.escape(caption)}</small></p>\n'
        for name, caption in pictures
    )
    lines = "<br>\n".join(_linked(html.escape(line)) for line in text.split("\n"))
    return (
        f'<!DOCTYPE html>\n<html><body style="font-family:sans-serif">\n'
        f'<h2 style="border-left:6px solid {colour};padding-left:8px">{html.escape(title)}</h2>\n'
        f"<p>{lines}</p>\n{shown}</body></html>\n"
    )


def _linked(line: str) -> str:
    return f'<a href="{line}">{line}</a>' if line.startswith(("http://", "https://")) and " " not in line else line
