"""Keys of receivers: what is refused, with its place, and what is never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.config import ConfigError, load
from monitor.config.service import ServiceSpec
from sinks.receivers import RECEIVERS, build
from sinks.receivers.contract import Notification, Receiver
from tests.cli.console import by_line
from tests.cli.test_check_kafka import MODEL
from tests.sinks.receivers.notifications import notification

SECRET = "s3cret"
EVERY_KIND = {
    "webhook": "url: 'https://10.0.0.7/${SECRET}', headers: {X-Key: '${SECRET}'}, secret: '${SECRET}'",
    "alertmanager": "url: 'https://10.0.0.7/${SECRET}', headers: {X-Key: '${SECRET}'}",
    "slack": "url: 'https://10.0.0.7/', token: '${SECRET}', channel: '#ml'",
    "teams": "url: 'https://10.0.0.7/${SECRET}'",
    "pagerduty": "url: 'https://10.0.0.7/', routing_key: '${SECRET}'",
    "opsgenie": "url: 'https://10.0.0.7/', api_key: '${SECRET}', teams: [ml]",
    "email": "host: 127.0.0.1, port: 1, sender: a@b.c, to: [d@e.f], username: me, password: '${SECRET}'",
    "apprise": "url: 'json://me:${SECRET}@127.0.0.1:1/'",
    "clickhouse": "url: 'clickhouse://me:${SECRET}@127.0.0.1:1/d'",
    "kafka": "topic: alerts",
    "log": "send_resolved: true",
}


def service_of(folder: Path, receiver: str) -> ServiceSpec:
    (folder / "model.yaml").write_text(MODEL)
    service = f"apiVersion: leeway/v1\nkind: Service\nspec:\n  models: []\n  receivers:\n    - {receiver}\n"
    (folder / "leeway.yaml").write_text(service)
    return load(folder).service.spec


@pytest.mark.parametrize(
    ("written", "mistake"),
    [
        ("{kind: pigeon, name: p}", "spec.receivers.0: unknown receiver 'pigeon'; there are alertmanager, apprise, "),
        ("{name: p}", "spec.receivers.0: a receiver has a kind: alertmanager, apprise, "),
        ("{kind: webhook, name: p}", "spec.receivers.0: give either url or url_file"),
        ("{kind: webhook, name: p, url: 'ftp://a'}", "spec.receivers.0.url: an address begins with http:// or"),
        ("{kind: webhook, name: p, url: 'http://a', secrets: b}", "spec.receivers.0.secrets: unknown key"),
        ("{kind: slack, name: p}", "spec.receivers.0: give the url of an incoming webhook, or token and channel"),
        ("{kind: slack, name: p, token: a}", "spec.receivers.0: token and channel go together"),
        ("{kind: teams, name: p, url: 'http://a', title: '{{ a'}", "spec.receivers.0.title: the template is no Jinja2"),
        ("{kind: pagerduty, name: p}", "spec.receivers.0.routing_key: required key is missing"),
        ("{kind: opsgenie, name: p}", "spec.receivers.0.api_key: required key is missing"),
        ("{kind: email, name: p, host: a, sender: a, to: [b@c]}", "spec.receivers.0.sender: String should match"),
        ("{kind: email, name: p, host: a, sender: a@b, to: []}", "spec.receivers.0.to: List should have at least 1"),
        (
            "{kind: email, name: p, host: a, sender: a@b, to: [b@c], security: none, username: d, password: e}",
            "spec.receivers.0: a password is not sent without encryption",
        ),
        (
            "{kind: email, name: p, host: a, sender: a@b, to: [b@c], username: d}",
            "spec.receivers.0: username and password go together",
        ),
        ("{kind: clickhouse, name: p, url: 'http://a'}", "spec.receivers.0.url: an address begins with clickhouse://"),
        (
            "{kind: clickhouse, name: p, url: 'clickhouse://a', table: a b}",
            "spec.receivers.0.table: 'a b' is no name of",
        ),
        ("{kind: kafka, name: p}", "spec.receivers.0.topic: required key is missing"),
    ],
)
def test_a_wrong_receiver_is_named_with_its_line_and_path(tmp_path: Path, written: str, mistake: str) -> None:
    with pytest.raises(ConfigError) as refused:
        service_of(tmp_path, written)
    assert f"{tmp_path / 'leeway.yaml'}:6: " in by_line(refused.value)
    assert mistake in str(refused.value)


def test_every_kind_is_tried() -> None:
    assert set(EVERY_KIND) == set(RECEIVERS)


@pytest.mark.parametrize("kind", sorted(set(EVERY_KIND) - {"log"}))
def test_a_receiver_tells_nobody_its_secrets(
    tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", SECRET)
    spec = service_of(tmp_path, f"{{kind: {kind}, name: p, {EVERY_KIND[kind]}}}")
    (configured,) = spec.receivers
    receiver: Receiver = build(configured, **({"connect": _nobody} if kind == "kafka" else {}))
    sent: Notification = notification()
    with caplog.at_level("DEBUG"):
        outcome = receiver.send(sent)
    receiver.close()
    shown = [repr(spec), str(spec), spec.model_dump_json(), str(outcome), caplog.text]
    assert not [text for text in shown if SECRET in text]


def _nobody() -> None:
    raise ConnectionError("no answer from Kafka at 127.0.0.1:1")


def test_a_mistake_in_a_receiver_does_not_quote_its_secrets(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        service_of(tmp_path, "{kind: webhook, name: p, url: 'htp://me:s3cret@a/s3cret', secret: [s3cret]}")
    assert SECRET not in str(refused.value)
