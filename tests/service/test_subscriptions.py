"""A service without routes: who subscribes while it runs is told at the address, and the address is shown to nobody."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from monitor.alerts.own import OwnAlerts
from monitor.api.app import create_app
from monitor.client.inprocess import InProcess
from monitor.clock import SystemClock
from monitor.config import load
from sinks.store.contract import TABLES
from sinks.store.memory import MemoryStore
from tests.cli.console import Console
from tests.service import shop
from tests.service.test_routes import SPEC
from tests.sinks.receivers.listener import Answer, Listener
from tests.sinks.receivers.test_mail import smtp


def configured(folder: Path, port: int, **subscriptions: Any) -> Path:
    post = {"kind": "email", "name": "post", "host": "127.0.0.1", "port": port, "security": "none"}
    receivers = [post | {"sender": "leeway@example.org", "to": ["ml@example.org"], "send_resolved": False}]
    return shop.configured(
        folder, shop.model("shop", {"http": "shop"}, **SPEC), receivers=receivers, subscriptions=subscriptions
    )


def test_who_subscribes_while_the_service_runs_is_told_also_after_a_restart(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with Listener(Answer(500, text="hunter2")) as listener, smtp() as (box, port):
        webhook = {"hosts": ["127.0.0.1"], "allow_private": True}
        email = {"through": "post", "hosts": ["example.org"]}
        file = configured(tmp_path, port, webhook=webhook, email=email)
        configuration, store = load(file), MemoryStore()
        alerts = OwnAlerts(store, SystemClock())
        with (
            shop.serving(configuration, store, roles=["evaluate", "alert"]) as service,
            httpx.Client(transport=InProcess(create_app(service)), base_url="http://leeway") as client,
        ):
            for told in ({"webhook": listener.url("/hunter2")}, {"email": "ann@example.org"}):
                waits = {"group_wait": "0s", "group_interval": "1s"}
                wanted = {**waits, "matchers": ["topic=orders"], "group_by": ["topic"], "created_by": "ann"}
                assert client.post("/v1/subscriptions", json=wanted | told).status_code == 200
            alerts.lost(("payments", 0, 5, 9))
            alerts.lost(("orders", 0, 5, 9))
            shop.wait_until(lambda: len(listener.requests) == 2, "the webhook is told, at the second try")
            shop.wait_until(lambda: len(box.mails) == 3, "the configured receiver of all, and the subscriber of one")
            shop.wait_until(lambda: not any(service.backlog().values()), "and noted")
            answers = [client.get(path).text for path in ("/v1/subscriptions", "/v1/status", "/metrics")]
        assert sorted(box.to) == ["ann@example.org", "ml@example.org", "ml@example.org"]
        [first, second] = listener.requests
        assert first.body == second.body
        assert (second.path, second.body["groupLabels"]) == ("/hunter2", {"topic": "orders"})
        with shop.serving(configuration, store, roles=["evaluate", "alert"]) as service:
            alerts.lost(("orders", 1, 5, 9))
            shop.wait_until(lambda: len(listener.requests) == 3, "what is new is told")
            shop.wait_until(lambda: not any(service.backlog().values()), "and noted")
        assert len(listener.requests[2].body["alerts"]) == 2
    kept = "".join(repr(store.read(query)) for query in queries(without="subscriptions"))
    for text in (*answers, kept, *capfd.readouterr()):
        assert "hunter2" not in text


def queries(without: str) -> list[Any]:
    from sinks.store.contract import Query

    return [Query(table) for table in TABLES if table != without]


def test_mail_that_may_subscribe_goes_through_a_receiver_that_is_there(tmp_path: Path, leeway: Console) -> None:
    file = configured(tmp_path, 25, email={"through": "mail", "hosts": ["example.org"]})
    assert "subscriptions.email.through: no receiver of kind email is named 'mail'" in leeway("check", file).err
    file = configured(tmp_path, 25, webhook={"hosts": ["https://example.org"]})
    assert "spec.subscriptions.webhook.hosts.0" in leeway("check", file).err


@pytest.fixture
def leeway(capsys: pytest.CaptureFixture[str]) -> Console:
    return Console(capsys)
