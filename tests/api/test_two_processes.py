"""Two processes serve one store: what both decide at the same moment is decided once, by the order of the store."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from monitor.access.token_log import TokenLog
from monitor.clock import ManualClock
from monitor.configurations.log import Change, ConfigurationLog, ConflictError
from monitor.errors import InputError
from monitor.rollouts.rollout_log import read_rollouts, take_up
from monitor.routing.subscription_log import SubscriptionLog
from monitor.routing.subscriptions import Subscription
from sinks.store.contract import Query
from sinks.store.memory import MemoryStore
from tests.api.full_world import full_world
from tests.api.world import Client

ROLLOUT = {
    "model": "fraud", "candidate": "v3", "champion": "v1", "created_by": "ci",
    "metrics": [{"signal": "feature:amount", "max_loss": 2.0}],
}  # fmt: skip


class SharedStore(MemoryStore):
    """Before the next row of a table is written, another process does something, once."""

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: dict[str, Callable[[], object]] = {}

    def append(self, table: str, columns: Mapping[str, Sequence[Any]], token: str) -> None:
        if (other := self.meanwhile.pop(table, None)) is not None:
            other()
        super().append(table, columns, token)


@pytest.fixture
def store() -> SharedStore:
    store, former = SharedStore(), full_world().store
    for table in ("versions", "rollouts"):
        store.append(table, former.read(Query(table)), table)
    return store


@pytest.fixture
def client(store: SharedStore) -> Client:
    world = full_world()
    world.store = store
    return Client(world)


def start(client: Client, **changes: Any) -> Any:
    return client.request("POST", "/v1/rollouts", json=ROLLOUT | changes)


def test_of_a_rollout_that_two_start_alike_there_is_one(client: Client, store: SharedStore) -> None:
    others: list[Any] = []
    store.meanwhile["rollouts"] = lambda: others.append(start(client).json())

    assert start(client).json()["id"] == others[0]["id"]
    assert len(read_rollouts(store)) == 2


def test_of_two_rollouts_of_one_candidate_the_second_is_refused(client: Client, store: SharedStore) -> None:
    store.meanwhile["rollouts"] = lambda: start(client, level=0.1)
    refused = start(client, level=0.2)

    assert (refused.status_code, "is compared already" in refused.text) == (422, True)
    assert {each.level for each in read_rollouts(store) if each.candidate == "v3"} == {0.1}


def test_rollouts_of_other_candidates_are_both_started(client: Client, store: SharedStore) -> None:
    store.meanwhile["rollouts"] = lambda: start(client, candidate="v4")

    assert start(client).status_code == 200
    assert {"v3", "v4"} <= {each.candidate for each in read_rollouts(store)}


def test_who_stops_a_rollout_takes_nothing_back_that_was_settled_meanwhile(client: Client, store: SharedStore) -> None:
    started = start(client).json()["id"]
    store.meanwhile["rollouts"] = lambda: take_up(store, "fraud", 700_000, step_ms=10_000)
    stopped = client.request("POST", f"/v1/rollouts/{started}/stop", json={"created_by": "ann"}).json()

    assert (stopped["stopped_by"], stopped["from_ms"]) == ("ann", 690_000)


def test_of_two_that_stop_a_rollout_the_first_has(client: Client, store: SharedStore) -> None:
    def stop(name: str) -> Any:
        return client.request("POST", "/v1/rollouts/r/stop", json={"created_by": name}).json()["stopped_by"]

    others: list[str] = []
    store.meanwhile["rollouts"] = lambda: others.append(stop("bob"))

    assert (stop("ann"), others) == ("bob", ["bob"])


def log_of_configurations() -> tuple[SharedStore, ConfigurationLog]:
    store = SharedStore()
    log = ConfigurationLog(store, ManualClock(5))
    log.put(Change("fraud", "one"))
    return store, log


def test_of_two_that_replace_one_version_the_second_is_refused() -> None:
    store, log = log_of_configurations()
    store.meanwhile["configurations"] = lambda: log.put(Change("fraud", "two", author="bob"), replaces=["1"])
    with pytest.raises(ConflictError, match=r"version 2 \(.*\) of fraud is in force, by bob, and not 1"):
        log.put(Change("fraud", "three"), replaces=["1"])

    assert [each.document for each in log.every("fraud")] == ["two", "one"]


def test_of_two_that_replace_whatever_is_there_the_second_follows() -> None:
    store, log = log_of_configurations()
    store.meanwhile["configurations"] = lambda: log.put(Change("fraud", "two"))

    assert log.put(Change("fraud", "three")).version == 3
    assert [each.document for each in log.every("fraud")] == ["three", "two", "one"]


def test_many_changes_at_once_are_versions_one_behind_the_other() -> None:
    _, log = log_of_configurations()
    with ThreadPoolExecutor(8) as threads:
        versions = list(threads.map(lambda n: log.put(Change("fraud", f"text {n}")), range(20)))

    assert sorted(each.version for each in versions) == list(range(2, 22))
    assert {each.document for each in log.every("fraud")} == {"one"} | {f"text {n}" for n in range(20)}


def test_of_two_tokens_of_one_name_the_second_is_refused() -> None:
    store = SharedStore()
    log = TokenLog(store, ManualClock(5))
    store.meanwhile["tokens"] = lambda: log.create("ci", "admin", created_by="bob")
    with pytest.raises(InputError, match="a token is named 'ci' already"):
        log.create("ci", "viewer", created_by="ann")

    assert [each.role for each in log.all()] == ["admin"]


def test_a_token_has_the_name_of_one_that_was_revoked() -> None:
    log = TokenLog(MemoryStore(), ManualClock(5))
    for _ in range(3):
        log.create("ci", "viewer", created_by="ann")
        log.revoke("ci", revoked_by="ann")

    assert len(log.all()) == 3


def test_a_subscription_that_another_process_ends_meanwhile_is_made_anew() -> None:
    store = SharedStore()
    log, subscription = SubscriptionLog(store, ManualClock(5)), Subscription((), "mail", created_by="ann")
    log.add(subscription)
    log.end(subscription.id)
    store.meanwhile["subscriptions"] = lambda: (log.add(subscription), log.end(subscription.id))

    assert log.add(subscription).created_by == "ann"
    assert subscription.id in log.all()
