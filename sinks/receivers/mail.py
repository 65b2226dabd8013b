"""A receiver that sends e-mail."""

from __future__ import annotations

import hashlib
import html
import smtplib
import ssl
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any

import structlog

from sinks.receivers.contract import Delivered, Notification, Outcome, Picture, Refused, Retry
from sinks.receivers.text import Text
from sinks.receivers.times import EPOCH

__all__ = ["Mail", "message"]

logger = structlog.get_logger("leeway.notify")

PORTS = {"none": 25, "starttls": 587, "tls": 465}


def message(
    notification: Notification,
    sender: str,
    to: Sequence[str],
    title: str,
    text: str,
    pictures: Sequence[Picture] = (),
) -> EmailMessage:
    """Return the mail, plain and as HTML; the latter shows pictures, which come with it.

    All mails about one group refer to one id, so that mail programs show them as one conversation. Sent again, a mail
    has the id that it had: most mail servers and programs show it once.
    """
    domain = sender.rpartition("@")[2].strip("> ") or "leeway"
    group = hashlib.sha256(notification.group_key.encode()).hexdigest()[:32]
    # A summary has its key from its time; of other notifications of a group it takes the words to tell them apart.
    words = f"{notification.at_ms}" if notification.at_ms else f"{title}\n{text}"
    this = hashlib.sha256(f"{group}\n{notification.receiver}\n{words}".encode()).hexdigest()[:32]
    mail = EmailMessage(policy=SMTP)
    mail["From"], mail["To"], mail["Subject"] = sender, ", ".join(to), title
    mail["Message-ID"] = f"<{this}@{domain}>"
    mail["References"] = mail["In-Reply-To"] = f"<{group}@{domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    times_ms = (max(alert.starts_at_ms, alert.ends_at_ms) for alert in notification.alerts)
    newest_ms = notification.at_ms or max(times_ms)
    mail["Date"] = format_datetime(EPOCH + timedelta(milliseconds=newest_ms))
    mail.set_content(text + "\n")
    ids = [f"{this}.{number}@{domain}" for number in range(len(pictures))]
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
    name : str
    host : str
    sender : str
        The address that mails come from.
    to : sequence of str
    port : int or None
        None: 587 with STARTTLS, 465 with TLS, 25 without.
    security : {"starttls", "tls", "none"}
        Without encryption no password is sent.
    username, password : str
    ca_file : str
        Certificates to trust instead of the system's.
    title, text : str
        Templates; see :mod:`sinks.receivers.text`.
    pictures : bool
        Whether mails show what moved.
    draw : callable or None
        From a notification to its pictures.
    timeout_ms : int
    send_resolved : bool
    """

    def __init__(
        self,
        name: str,
        host: str,
        sender: str,
        to: Sequence[str],
        *,
        port: int | None = None,
        security: str = "starttls",
        username: str = "",
        password: str = "",
        ca_file: str = "",
        title: str = "",
        text: str = "",
        pictures: bool = True,
        draw: Callable[[Notification], Sequence[Picture]] | None = None,
        timeout_ms: int = 10_000,
        send_resolved: bool = True,
    ) -> None:
        if security == "none" and password:
            raise ValueError("a password is not sent without encryption: set `security` to starttls or tls")
        self.name = name
        self.send_resolved = send_resolved
        self._sender, self._to = sender, list(to)
        self._host, self._port, self._security = host, port or PORTS[security], security
        self._credentials = (username, password)
        self._trusted = ssl.create_default_context(cafile=ca_file or None)
        self._timeout_s = timeout_ms / 1000
        self._text, self._draw = Text(title, text), draw if pictures else None

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Mail:
        """Take the parameters by their names."""
        return cls(**config)

    def send(self, notification: Notification) -> Outcome:
        """Send it, once."""
        said = self._text.of(notification)
        pictures = self._draw(notification) if self._draw is not None else ()
        mail = message(notification, self._sender, self._to, *said, pictures)
        where, connected = f"{self._host}:{self._port}", False
        try:
            with self._connected() as server:
                connected = True
                refused = server.send_message(mail, self._sender, self._to)
        except smtplib.SMTPRecipientsRefused as error:
            return _judge(where, [code for code, _ in error.recipients.values()], "no address was accepted")
        except smtplib.SMTPResponseException as error:
            return _judge(where, [error.smtp_code], type(error).__name__)
        except smtplib.SMTPNotSupportedError as error:
            return Refused(f"{where}: {error}")
        except (smtplib.SMTPException, OSError) as error:
            return Retry(f"{where}: {type(error).__name__}: {error}", may_have_it=connected)
        for address, (code, _) in refused.items():
            logger.warning("a mail was not accepted for an address", receiver=self.name, address=address, code=code)
        return Delivered()

    def close(self) -> None:
        """Nothing to release: a connection lasts as long as a mail."""

    def _connected(self) -> smtplib.SMTP:
        if self._security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                self._host, self._port, timeout=self._timeout_s, context=self._trusted
            )
        else:
            server = smtplib.SMTP(self._host, self._port, timeout=self._timeout_s)
        try:
            if self._security == "starttls":
                server.starttls(context=self._trusted)
            if self._credentials[0]:
                server.login(*self._credentials)
        except (smtplib.SMTPException, OSError):
            server.close()
            raise
        return server


def _judge(where: str, codes: Sequence[int], what: str) -> Outcome:
    reason = f"{where}: {what} ({', '.join(str(code) for code in sorted(set(codes)))})"
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
