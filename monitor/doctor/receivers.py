"""Receivers: whether what they notify can be reached. Nothing is sent unless somebody asks for it."""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple
from urllib.request import getproxies, proxy_bypass

import httpx

from monitor.build import receiver_for_trial
from monitor.clock import Clock
from monitor.config import Configuration
from monitor.doctor.finding import Finding, examine, fine, unknown, wrong
from monitor.errors import InputError
from sinks.receivers.contract import Alert, Delivered, Notification
from sinks.receivers.parameters import Parameters
from sinks.receivers.post import private

__all__ = ["receivers", "send_test"]

REACH_S = 5.0
ALL_WITHIN_S = 12.0
"""Sooner than all checks are given up, so that each is named."""


class PrivateAddressError(Exception):
    """The receiver would refuse to send there."""


class _Reached(NamedTuple):
    """Whom a receiver notifies, and how that is reached: raises `OSError` if it is not."""

    where: str
    reach: Callable[[], str]


def receivers(configuration: Configuration, clock: Clock) -> Iterator[Finding]:
    """Look at each, side by side: connections are opened, with TLS where the receiver uses it, and closed again."""
    subjects = {
        f"{name} ({each.kind})": partial(_look, f"{name} ({each.kind})", each)
        for name, each in _named(configuration).items()
    }
    for finding in examine(subjects, clock, ALL_WITHIN_S):
        # What `examine` says itself is by the name of what it ran.
        yield replace(finding, check="receivers", subject=finding.subject or finding.check)


def send_test(configuration: Configuration, name: str, clock: Clock) -> Finding:
    """Send one notification that says that it is a test.

    Raises
    ------
    InputError
        There is no such receiver.
    """
    named = _named(configuration)
    if name not in named:
        raise InputError(f"no receiver is named {name!r}; there are {', '.join(named)}")
    now_ms = clock.now_ms()
    labels = {"alertname": "LeewayTest", "severity": "info"}
    summary = "a test of `leeway doctor`: whoever reads this is reached"
    alert = Alert("firing", labels, {"summary": summary}, now_ms, 0)
    notification = Notification(name, f"leeway-test/{now_ms}", {"alertname": "LeewayTest"}, (alert,), at_ms=now_ms)
    receiver = receiver_for_trial(configuration, named[name])
    try:
        outcome = receiver.send(notification)
    finally:
        receiver.close()
    if isinstance(outcome, Delivered) and outcome.reason:
        advice = "mend it; a bot of Slack's needs the right `files:write` for pictures"
        return wrong("receivers", name, f"a test was sent, and taken {outcome.reason}", advice)
    if isinstance(outcome, Delivered):
        return fine("receivers", name, "a test was sent, and taken")
    return wrong(
        "receivers", name, f"the test was not taken: {outcome.reason}", "mend the receiver; docs/alerts.md has its keys"
    )


def _named(configuration: Configuration) -> dict[str, Parameters]:
    spec = configuration.service.spec
    named: dict[str, Parameters] = {each.name: each for each in spec.receivers}
    for receiver in spec.routing.receivers:
        for number, entry in enumerate(receiver.parts):
            name = f"{receiver.name}/{number}"
            named[name] = entry.parameters(name, spec.routing.global_)
    if spec.heartbeat is not None:
        named |= {f"heartbeat/{each.name}": each for each in spec.heartbeat.receivers}
    return named


def _look(subject: str, parameters: Parameters) -> Iterator[Finding]:
    yield _finding(subject, parameters)


def _finding(subject: str, parameters: Parameters) -> Finding:
    try:
        reached = _reached(parameters)
        if isinstance(reached, str):
            return unknown("receivers", subject, reached)
        return fine("receivers", subject, f"{reached.where} {reached.reach()}")
    except ssl.SSLError as error:
        return wrong("receivers", subject, f"TLS: {error.reason or error}", "check its certificate, and `ca_file`")
    except PrivateAddressError as error:
        return wrong(
            "receivers", subject, str(error), "`allow_private: true` lets the receiver send there, if it is meant"
        )
    except (OSError, smtplib.SMTPException, httpx.InvalidURL) as error:
        advice = "check the address, name resolution, and what lies in between: firewall, proxy"
        return wrong("receivers", subject, f"{type(error).__name__}: {error}", advice)


def _reached(parameters: Any) -> _Reached | str:
    """Return how a receiver is reached, or why that is not known."""
    if parameters.kind == "email":
        ports = {"starttls": 587, "tls": 465, "none": 25}
        port = parameters.port or ports[parameters.security]
        return _Reached(f"{parameters.host}:{port}", lambda: _greeted(parameters, port))
    if parameters.kind == "log":
        return _Reached("the log", lambda: "is its own")
    if parameters.kind in ("kafka", "apprise"):
        return "see the check `kafka`" if parameters.kind == "kafka" else "Apprise says nothing before it sends"
    secret = getattr(parameters, "url", None)
    if secret is None:
        return "its address is in a file, which is read when it sends"
    url = httpx.URL(secret.get_secret_value())
    if getattr(parameters, "proxy", "") or (url.scheme in getproxies() and not proxy_bypass(url.host)):
        return f"{url.host} is reached through a proxy"
    port = url.port or {"https": 443, "clickhouses": 9440, "clickhouse": 9000}.get(url.scheme, 80)
    has_tls, may_be_private = url.scheme in ("https", "clickhouses"), getattr(parameters, "allow_private", True)
    return _Reached(
        f"{url.host}:{port}", lambda: _connected(url.host, port, has_tls=has_tls, may_be_private=may_be_private)
    )


def _connected(host: str, port: int, *, has_tls: bool, may_be_private: bool) -> str:
    addresses = [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    if not may_be_private and any(map(private, addresses)):
        raise PrivateAddressError(f"{host} is not a public address, and the receiver sends nothing there")
    with socket.create_connection((host, port), timeout=REACH_S) as connection:
        if has_tls:
            with ssl.create_default_context().wrap_socket(connection, server_hostname=host):
                return "answers, with a good certificate"
    return "answers"


def _greeted(parameters: Any, port: int) -> str:
    context = ssl.create_default_context(cafile=parameters.ca_file or None)
    if parameters.security == "tls":
        server: smtplib.SMTP = smtplib.SMTP_SSL(parameters.host, port, timeout=REACH_S, context=context)
    else:
        server = smtplib.SMTP(parameters.host, port, timeout=REACH_S)
    with server:
        server.ehlo()
        if parameters.security == "starttls":
            server.starttls(context=context)
            server.ehlo()
    return "answers; nobody was logged in, and nothing sent"
