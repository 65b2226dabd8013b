"""`leeway subscribe`, `unsubscribe` and `subscriptions`, and who `leeway route test` says would be told by them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from monitor.clock import SystemClock
from monitor.config import Service
from monitor.routing.matchers import parse_matchers
from monitor.routing.subscription_log import SubscriptionLog
from monitor.routing.subscriptions import Subscription
from sinks.store import open_store
from tests.api.test_subscriptions import SPEC
from tests.api.world import World, serving
from tests.cli.console import Console

ROUTES = """\
route: {receiver: mail, group_by: [model]}
receivers: [{name: mail}]
"""


@pytest.fixture
def url() -> Iterator[str]:
    made = World()
    made.configuration = replace(made.configuration, service=Service.model_validate({"spec": SPEC}))
    with serving(made) as address:
        yield address


def test_somebody_subscribes_sees_it_and_ends_it(url: str, leeway: Console) -> None:
    said = leeway("subscribe", "model=fraud", "severity!=info", "--to", "log", "--by", "ann", "--url", url)
    assert said.code == 0, said.err
    name = said.out.strip()
    more = ("--email", "bob@example.org", "--group-by", "...", "--group-wait", "1m", "--json", "--url", url)
    assert json.loads(leeway("subscribe", *more).out)["group_wait_ms"] == 60_000
    table = leeway("subscriptions", "--url", url).out
    assert name in table
    assert 'model="fraud", severity!="info"' in table
    assert "all alerts" in table
    assert "bob@example.org" in table
    assert [one["receiver"] for one in leeway("subscriptions", "--json", "--url", url).lines if one["receiver"]] == [
        "log"
    ]
    assert leeway("unsubscribe", name, "--url", url).code == 0
    assert name not in leeway("subscriptions", "--url", url).out
    again = leeway("unsubscribe", name, "--url", url)
    assert (again.code, again.err) == (2, f"error: there is no subscription {name}\n")


def test_what_cannot_be_is_a_usage_error_or_refused_by_the_service(url: str, leeway: Console) -> None:
    for told in ((), ("--to", "log", "--email", "ann@example.org")):
        said = leeway("subscribe", "model=fraud", *told, "--url", url)
        assert (said.code, "say whom to notify" in said.err) == (2, True)
    said = leeway("subscribe", "model=fraud", "--webhook", "https://evil.com/x", "--url", url)
    assert (said.code, said.out) == (2, "")
    assert "'evil.com' is not among" in said.err


def test_routes_are_tested_with_the_subscriptions_of_a_service_or_a_store(
    url: str, leeway: Console, tmp_path: Path
) -> None:
    file = tmp_path / "alertmanager.yml"
    file.write_text(ROUTES)
    leeway("subscribe", "model=fraud", "--to", "log", "--group-wait", "10s", "--url", url)
    leeway("subscribe", "model=churn", "--to", "log", "--url", url)
    rows = leeway("route", "test", file, "model=fraud", "--url", url, "--json").lines
    assert [(row["receiver"], row["told"], row["group_wait_ms"]) for row in rows] == [
        ("mail", True, 30_000),
        ("log", True, 10_000),
    ]
    assert rows[1]["route"].startswith("subscription/")
    assert len(leeway("route", "test", file, "model=fraud", "--json").lines) == 1
    store = open_store("chdb", str(tmp_path / "store"))
    store.migrate()
    log = SubscriptionLog(store, SystemClock())
    kept = log.add(Subscription(parse_matchers('model=~"fr.*", segment=""'), "email", "ann@example.org"))
    store.close()
    rows = leeway("route", "test", file, "model=fraud", "--store", tmp_path / "store", "--json").lines
    assert [row["receiver"] for row in rows] == ["mail", "email:ann@example.org"]
    assert rows[1]["route"] == kept.route.key
    both = leeway("route", "test", file, "a=b", "--url", url, "--store", tmp_path)
    assert "exclude each other" in both.err
