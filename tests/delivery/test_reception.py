"""Who takes nothing is known from the first failure until something is taken, over retries, reloads and restarts."""

from __future__ import annotations

from typing import Any

from structlog.testing import capture_logs

from monitor.alerts.own import MODEL
from monitor.clock import ManualClock
from monitor.delivery.reception import Failing, Reception, failing_by_store
from monitor.delivery.target import Target
from monitor.heartbeat.failing_receivers import FailingReceivers
from sinks.receivers.contract import Delivered, Refused, Retry
from sinks.receivers.memory import Memory
from sinks.store.contract import Query
from sinks.store.memory import MemoryStore
from sinks.store.rows import rows_of
from tests.routing.test_router import MINUTE_MS, World
from tests.routing.test_subscriptions import Subscribed

REFUSED, DOWN = Refused("hooks: 404 Not Found"), Retry("hooks: 500 Internal Server Error")


def copied(store: MemoryStore) -> MemoryStore:
    """What the next process finds."""
    copy = MemoryStore()
    for table in ("alerts", "notifications", "checkpoints", "decisions"):
        rows = rows_of(store.read(Query(table)))
        if rows:
            copy.append(table, {name: [row[name] for row in rows] for name in rows[0]}, table)
    return copy


def test_a_receiver_that_is_down_for_an_hour_fails_all_the_time_also_between_tries() -> None:
    world = World()
    world.mail = Memory("mail", answers=[DOWN] * 1000)
    world.router, reception = world.started(), Reception.of(world.store)
    world.happens("a")
    world.passes(29)
    assert (reception.failing, reception.receivers) == ({}, ["mail", "pager"])
    began_ms, failing = world.clock.now_ms() + 2000, set()
    with capture_logs() as lines:
        for _ in range(60):
            world.passes(60)
            failing.add(reception.failing.get("mail"))
    assert failing == {Failing(began_ms, DOWN.reason)}, "also while nothing waits"
    assert [line["event"] for line in lines].count("a receiver does not take notifications") == 1
    assert reception.counts.keys() == {("mail", "gave_up")}


def test_a_receiver_that_refuses_everything_is_counted_and_fails_until_it_takes_something() -> None:
    world = World()
    world.mail = Memory("mail", answers=[REFUSED, REFUSED])
    world.router, reception = world.started(), Reception.of(world.store)
    world.happens("a")
    world.passes(331)
    assert reception.counts == {("mail", "refused"): 2}
    assert reception.failing["mail"].reason == REFUSED.reason
    assert reception.notes() == [
        "the receiver mail has taken nothing since 2001-09-09 01:47:11 UTC; the log says what it answers"
    ]
    with capture_logs() as lines:
        world.passes(300)
    assert reception.counts == {("mail", "refused"): 2, ("mail", "delivered"): 1}
    assert (reception.failing, reception.notes()) == ({}, [])
    assert "a receiver takes notifications again" in [line["event"] for line in lines]


def test_a_reload_keeps_what_is_known_and_drops_receivers_that_are_gone() -> None:
    world = World()
    world.mail = Memory("mail", answers=[REFUSED] * 9)
    world.router, reception = world.started(), Reception.of(world.store)
    world.happens("a")
    world.passes(31)
    [failing] = reception.failing.values()
    world.started()
    assert reception.failing == {"mail": failing}
    reception.follow(world.store, [target for target in world.plan.receivers if target.receiver != "mail"])
    assert (reception.failing, reception.is_taken_by("mail")) == ({}, True)


def test_a_restart_knows_from_the_store_who_took_nothing() -> None:
    world = World()
    world.mail = Memory("mail", answers=[Delivered(), REFUSED, DOWN])
    world.started()
    world.happens("a")
    world.passes(32)
    world.happens("b")
    world.passes(300)
    failed_ms = world.clock.now_ms()
    world.store = copied(world.store)  # type: ignore[assignment]
    world.started()
    failing = Reception.of(world.store).failing["mail"]
    assert failing.reason == REFUSED.reason
    assert failed_ms - MINUTE_MS < failing.since_ms <= failed_ms
    world.passes(60)
    assert not Reception.of(world.store).failing
    world.store = copied(world.store)  # type: ignore[assignment]
    world.started()
    reception = Reception.of(world.store)
    assert (reception.failing, reception.is_taken_by("mail"), reception.is_taken_by("pager")) == ({}, True, False)


def test_people_are_notified_elsewhere_of_a_receiver_that_has_taken_nothing_for_a_quarter_of_an_hour() -> None:
    world = World()
    world.mail = Memory("mail", answers=[REFUSED] * 4 + [DOWN] * 18)
    world.router, receivers = world.started(), FailingReceivers(world.store, world.clock)
    world.happens("a")

    def transitions_within(minutes: int) -> list[tuple[str, str]]:
        until_ms = world.clock.now_ms() + minutes * MINUTE_MS
        while world.clock.now_ms() < until_ms:
            world.passes(30)
            receivers.step()
        rows = rows_of(world.store.read(Query("alerts", {"model": MODEL}, order=("at_ms",))))
        return [(row["state"], row["title"].rpartition(": ")[2]) for row in rows]

    assert transitions_within(15) == []
    assert transitions_within(2) == [("firing", "404 Not Found")]
    assert transitions_within(10)[1:] == [("updated", "500 Internal Server Error")], "the reason of the newest failure"
    receivers = FailingReceivers(world.store, world.clock)
    assert [state for state, _ in transitions_within(10)] == ["firing", "updated", "resolved"], "over a restart"


def test_a_receiver_of_which_very_much_was_taken_hides_none_that_fails_over_a_restart() -> None:
    store, names = MemoryStore(), [*["quiet/0"] * 2, *["busy/0"] * 30_000]
    rows: dict[str, list[Any]] = {
        "alert_id": [f"a{number}" for number in range(len(names))],
        "sequence": [0] * len(names),
        "receiver": names,
        "outcome": ["delivered", "gave_up", *["delivered"] * 30_000],
        "reason": ["", "410 Gone", *[""] * 30_000],
        "attempts": [1] * len(names),
        "at_ms": list(range(len(names))),
    }
    store.append("notifications", rows, "many")
    reception = Reception.of(store)
    reception.follow(store, [Target("quiet"), Target("busy"), Target("new")])
    assert reception.failing == {"quiet": Failing(1, "410 Gone")}
    assert [reception.is_taken_by(name) for name in ("quiet", "busy", "new")] == [False, True, False]


def test_a_clock_that_was_set_back_puts_off_no_alert_about_a_receiver_that_fails() -> None:
    store = MemoryStore()
    reception = Reception.of(store)
    reception.follow(store, [Target("mail")])
    reception.hear(Target("mail"), REFUSED, now_ms=1_700_000_000_000 + 7 * 24 * 60 * MINUTE_MS)
    FailingReceivers(store, ManualClock(now_ms=1_700_000_000_000)).step()
    assert [row["state"] for row in rows_of(store.read(Query("alerts")))] == ["firing"]


def test_a_subscriber_who_takes_nothing_is_a_note_until_something_is_taken_also_over_a_restart() -> None:
    world = Subscribed()
    reception, address = Reception.of(world.store), "https://hooks.example.org"
    world.inboxes[address] = Memory("hook", answers=[Delivered(), *[DOWN] * 60])
    wanted = world.wants("model=fraud", address, "webhook")
    entry = f"{wanted.told}/0"
    world.happens("a")
    world.passes(40)
    assert (reception.failing_subscribers, failing_by_store(world.store, [entry])) == (0, {})
    world.happens("b")
    world.passes(310, each=10)
    note = "addresses of subscriptions that take nothing: 1; `leeway subscriptions` names them"
    assert (reception.failing, reception.notes()) == ({}, [note])
    [problem] = failing_by_store(world.store, [entry, "mail/0"]).values()
    assert problem == f"it did not take the newest notification, at 2001-09-09 01:56:35 UTC: {DOWN.reason}"
    world.router = world.started()
    world.router.step()
    assert reception.notes() == [note]
    world.passes(3_600, each=10)
    assert (reception.notes(), failing_by_store(world.store, [entry])) == ([], {})
