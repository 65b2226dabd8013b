"""What every receiver does, and how alerts are identified."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from sinks.receivers import RECEIVERS, build, parameters_class, read_parameters
from sinks.receivers.contract import Delivered, Outcome, fingerprint
from tests.sinks.receivers.listener import Listener
from tests.sinks.receivers.notifications import LABELS, notification

OPTIONS: dict[str, dict[str, Any]] = {
    "alertmanager": {},
    "log": {},
    "opsgenie": {"api_key": "k"},
    "pagerduty": {"routing_key": "k"},
    "slack": {},
    "teams": {},
    "webhook": {"timeout": "2s", "headers": {}, "send_resolved": True},
}
ELSEWHERE = {
    "apprise": "test_apprise.py",
    "clickhouse": "test_table.py",
    "email": "test_mail.py",
    "kafka": "test_kafka.py",
}
"""Receivers that need another server than one of HTTP."""


def config(kind: str, listener: Listener) -> dict[str, Any]:
    where = {} if kind == "log" else {"url": listener.url(), "allow_private": True}
    return {"kind": kind, "name": f"my-{kind}"} | OPTIONS[kind] | where


def test_every_receiver_is_tried() -> None:
    assert set(RECEIVERS) == set(OPTIONS) | set(ELSEWHERE)


@pytest.mark.parametrize("kind", sorted(OPTIONS))
def test_every_receiver_is_built_from_its_configuration_and_delivers(kind: str) -> None:
    with Listener() as listener:
        receiver = build(read_parameters(config(kind, listener)))
        outcomes: list[Outcome] = [receiver.send(notification(s)) for s in ("firing", "resolved", "resolved")]
        receiver.close()
    assert receiver.name == f"my-{kind}"
    assert receiver.send_resolved is True
    assert outcomes == [Delivered()] * 3


@pytest.mark.parametrize("kind", sorted(RECEIVERS))
def test_the_parameters_of_a_receiver_are_of_its_kind(kind: str) -> None:
    assert get_args(parameters_class(kind).model_fields["kind"].annotation) == (kind,)


def test_an_unknown_kind_is_refused_with_the_kinds_there_are() -> None:
    with pytest.raises(
        ValueError,
        match=r"unknown receiver 'pigeon'; there are alertmanager, apprise, clickhouse, email, kafka, log",
    ):
        read_parameters({"kind": "pigeon", "name": "p"})


# Answers of Alertmanager 0.28.1: alerts with these labels were posted to /api/v2/alerts of a running one, and the
# fingerprints read from its webhook bodies (the first two) and from GET /api/v2/alerts.
@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (LABELS, "87fc40a6a99d27f6"),
        (LABELS | {"severity": "critical"}, "6ce94993cf57b103"),
        ({"alertname": "x"}, "d240efc3896bf266"),
        ({"a": "b", "z": "é€😀"}, "0eaf712e24f59ae3"),
    ],
)
def test_fingerprints_are_alertmanagers(labels: dict[str, str], expected: str) -> None:
    assert fingerprint(labels) == expected
    assert fingerprint(dict(reversed(labels.items()))) == expected


def test_a_fingerprint_tells_names_from_values() -> None:
    assert fingerprint({"ab": "c"}) != fingerprint({"a": "bc"})
    assert fingerprint({"a": "b", "c": ""}) != fingerprint({"a": "b"})
