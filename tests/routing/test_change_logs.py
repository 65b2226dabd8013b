"""Things that people change, which the store holds as rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from monitor.clock import ManualClock
from monitor.incidents.deployments import Deployment, announce, read_deployments
from monitor.routing.acknowledgement_log import AcknowledgementLog
from monitor.routing.matchers import parse_matchers
from monitor.routing.posted import Posted
from monitor.routing.posted_log import PostedLog
from monitor.routing.silence_log import SilenceLog
from monitor.routing.silences import Silence
from monitor.routing.subscription_log import SubscriptionLog
from monitor.routing.subscriptions import Subscription
from sinks.store.change_log import ChangeLog
from sinks.store.contract import TABLES
from sinks.store.memory import MemoryStore

NOW_MS = 1_000_000


def acknowledged(world: tuple[MemoryStore, ManualClock]) -> list[str]:
    log = AcknowledgementLog(*world)
    log.set("a", 1, "ann", "first")
    log.set("a", 1, "ann", "second")
    return [log.all()["a"].comment]


def silenced(world: tuple[MemoryStore, ManualClock]) -> list[str]:
    log, matchers = SilenceLog(*world), tuple(parse_matchers("model=fraud"))
    name = log.set(Silence("", matchers, 0, NOW_MS + 9, "ann", "first"))
    log.set(Silence(name, matchers, NOW_MS, NOW_MS + 9, "ann", "second"))
    return [silence.comment for silence in log.all()]


def subscribed(world: tuple[MemoryStore, ManualClock]) -> list[str]:
    log, subscription = SubscriptionLog(*world), Subscription(parse_matchers("model=fraud"), "mail", comment="first")
    log.add(subscription)
    log.end(subscription.id)
    log.add(Subscription(subscription.matchers, "mail", comment="second"))
    return [each.comment for each in log.all().values()]


def posted(world: tuple[MemoryStore, ManualClock]) -> list[str]:
    log = PostedLog(world[0])
    log.put([Posted({"alertname": "Disk"}, {"summary": "first"}, 0, NOW_MS + 9, NOW_MS)])
    log.put([Posted({"alertname": "Disk"}, {"summary": "second"}, 0, NOW_MS + 9, NOW_MS)])
    return [alert.annotations["summary"] for alert in log.firing(NOW_MS)]


def deployed(world: tuple[MemoryStore, ManualClock]) -> list[str]:
    for name in ("first", "second"):
        announce(*world, Deployment("build-7", name, NOW_MS))
    return [deployment.name for deployment in read_deployments(world[0])]


@pytest.mark.parametrize("changed_twice", [acknowledged, silenced, subscribed, posted, deployed])
def test_of_two_changes_in_the_same_millisecond_the_later_one_counts(
    changed_twice: Callable[[tuple[MemoryStore, ManualClock]], list[str]],
) -> None:
    assert changed_twice((MemoryStore(), ManualClock(now_ms=NOW_MS))) == ["second"]


def test_what_nobody_changed_is_not_written() -> None:
    class Full(MemoryStore):
        def append(self, *arguments: Any, **named: Any) -> None:
            raise AssertionError("nothing is to be written")

    ChangeLog(Full(), "silences").put([])


@pytest.mark.parametrize("table", ["acknowledgements", "deployments", "marks", "posted", "silences", "subscriptions"])
def test_these_tables_have_one_name_and_a_time(table: str) -> None:
    assert (len(TABLES[table].key), bool(TABLES[table].newest_by)) == (1, True)
