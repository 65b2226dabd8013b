"""Why somebody was told, or was not, is kept: when it changes, whatever breaks, with routes and without."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import sinks.store
from monitor.routing.decision_log import DecisionLog, Made, silenced_by
from monitor.routing.matchers import parse_matchers
from monitor.routing.silence_log import SilenceLog
from monitor.routing.silences import Silence
from sinks.receivers.contract import Refused, Retry
from sinks.receivers.memory import Memory
from sinks.store import open_store
from sinks.store.contract import Query
from sinks.store.memory import MemoryStore
from sinks.store.rows import rows_of
from sinks.store.sqlstore import SqlStore
from tests.alerts.verdicts import WINDOW_MS
from tests.routing.test_every_receiver import Service
from tests.routing.test_router import MINUTE_MS, World

DEFAULT, CRITICAL = "{}/{}/1", '{}/{severity="critical"}/0'


def decided(store: MemoryStore, alert_id: str = "a") -> list[tuple[int, str, str, str, str]]:
    """What was decided, in order: transition, receiver, route, why, detail."""
    rows = sorted(rows_of(store.read(Query("decisions", where={"alert_id": alert_id}))), key=lambda row: row["at_ms"])
    return [(row["sequence"], row["receiver"], row["route"], row["why"], row["detail"]) for row in rows]


def silenced(world: World, matchers: str, minutes: int) -> str:
    now_ms = world.clock.now_ms()
    silence = Silence("", tuple(parse_matchers(matchers)), now_ms, now_ms + minutes * MINUTE_MS, "ann", "a rollout")
    return SilenceLog(world.store, world.clock).set(silence)


def test_what_stays_as_it_is_has_one_row_however_often_it_is_looked_at() -> None:
    world = World()
    name = silenced(world, "model=fraud", minutes=60)
    world.happens("a")
    world.passes(50 * 60, each=30)
    assert decided(world.store) == [(0, "mail/0", DEFAULT, "silenced", f"by silence {name}")]
    world.passes(30 * 60, each=30)
    assert decided(world.store)[1:] == [(0, "mail/0", DEFAULT, "delivered", "it was never notified")]
    [row] = [row for row in rows_of(world.store.read(Query("decisions"))) if row["why"] == "delivered"]
    assert row["at_ms"] > 10**12 + 60 * MINUTE_MS, "the time of the look at which it was told"


def test_each_route_and_receiver_has_its_own_reason() -> None:
    world = World()
    world.happens("a", severity="critical", cause="amount")
    world.happens("v", severity="warning", cause="volume")
    world.passes(40)
    [by_pager, by_mail] = decided(world.store)
    assert by_pager[:4] == (0, "pager/0", CRITICAL, "inhibited")
    assert by_mail[:4] == (0, "mail/0", DEFAULT, "inhibited")
    assert decided(world.store, "v") == [(0, "mail/0", DEFAULT, "delivered", "it was never notified")]


def test_an_end_that_is_not_wanted_and_an_update_that_says_nothing_new_are_explained() -> None:
    world = World()
    world.happens("a", severity="critical")
    world.passes(40)
    world.happens("a", "updated", severity="critical")
    world.passes(6 * 60, each=10)
    world.happens("a", "resolved", severity="critical")
    world.passes(6 * 60, each=10)
    of_pager = [row[:1] + row[3:] for row in decided(world.store) if row[1] == "pager/0"]
    assert [row[:2] for row in of_pager] == [(0, "delivered"), (1, "known"), (2, "unwanted")]
    assert of_pager[2][2] == "the receiver does not want ends (send_resolved: false)"
    of_mail = [(row[0], row[3]) for row in decided(world.store) if row[1] == "mail/0"]
    assert of_mail == [(0, "delivered"), (1, "known"), (2, "delivered")]


def test_a_muted_time_is_the_reason_of_everybody_in_the_group() -> None:
    always = {"name": "always", "time_intervals": [{"times": [{"start_time": "00:00", "end_time": "24:00"}]}]}
    route = {"receiver": "mail", "routes": [{"matchers": ["model=fraud"], "mute_time_intervals": ["always"]}]}
    world = World(route=route, time_intervals=[always])
    world.happens("a")
    world.happens("b")
    world.passes(40)
    expected = (0, "mail/0", '{}/{model="fraud"}/0', "muted", "within always")
    assert (decided(world.store), decided(world.store, "b")) == ([expected], [expected])


def test_what_a_receiver_answered_is_the_reason_and_not_repeated() -> None:
    world = World(open_at_once=False)
    world.mail = Memory("mail", answers=[Refused("answered 404") for _ in range(3)])
    world.router = world.started()
    world.happens("a")
    world.passes(20 * 60, each=10)
    assert [row[3:] for row in decided(world.store)] == [
        ("refused", "answered 404"),
        ("delivered", "it was never notified"),
    ]


def test_a_restart_writes_nothing_that_was_written() -> None:
    world = World()
    silenced(world, "model=churn", minutes=600)
    world.happens("a")
    world.happens("b", model="churn")
    world.passes(6 * 60, each=10)
    before = decided(world.store), decided(world.store, "b")
    world.router = world.started()
    world.passes(6 * 60, each=10)
    assert (decided(world.store), decided(world.store, "b")) == before


def test_a_store_that_fails_loses_no_decision() -> None:
    world = World()
    world.store.failing = "decisions"
    world.happens("a")
    world.passes(40)
    assert world.store.failing == ""
    assert [row[3] for row in decided(world.store)] == ["delivered"]


def test_without_routes_each_receiver_says_why_it_was_told_or_not() -> None:
    service = Service(**{"for": 2 * WINDOW_MS})
    inbox = Memory("inbox", answers=[Retry("busy"), Retry("busy")])
    router = service.router(inbox)
    for minute, signals in enumerate(["a", "a", "a", "", "", "", ""], start=1):
        service.judge(minute, *signals.split())
        for _ in range(3):
            service.clock.advance(10)
            router.step()
    [alert_id] = set(service.store.read(Query("alerts"))["alert_id"])
    route = '{}/{}/0/{alert_id!=""}/0'
    assert decided(service.store, alert_id) == [
        (1, "inbox/0", route, "delivered", "it was never notified"),
        (2, "inbox/0", route, "delivered", "all are over"),
    ]


def test_rows_are_found_by_the_silence_whatever_their_sentence_says() -> None:
    world = World()
    log = DecisionLog()
    log.note(Made("a", 0, "mail/0", "{}", 10, "silenced", "quiet until Monday", "s1"))
    log.note(Made("b", 0, "mail/0", "{}", 10, "silenced", "by silence s1", "s2"))
    log.write(world.store)
    assert silenced_by(world.store, "s1", 0, 10) == {"a"}


def test_rows_from_before_there_was_a_column_are_found_by_their_sentence(tmp_path: Path) -> None:
    """Those of a store whose version kept the silence in the sentence alone."""
    (migration,) = (Path(sinks.store.__file__).parent / "migrations").glob("*_silence_of_decisions.sql")
    columns = "(alert_id, sequence, receiver, route, at_ms, why, detail)"
    sentence = "by silence 0b6c-1; the resolution is notified when that is over (late_ends: true)"
    with closing(open_store("chdb", str(tmp_path / "store"))) as store:
        assert isinstance(store, SqlStore)
        store.migrate()
        store.command("ALTER TABLE decisions DROP COLUMN silence")
        store.command(
            f"INSERT INTO decisions {columns} VALUES ('a', 0, 'mail/0', '{{}}', 10, 'silenced', '{sentence}')"
        )
        store.command(f"INSERT INTO decisions {columns} VALUES ('b', 0, 'mail/0', '{{}}', 10, 'known', '{sentence}')")
        store.command(migration.read_text().rstrip(";\n"))
        assert silenced_by(store, "0b6c-1", 0, 10) == {"a"}
        assert silenced_by(store, "0b6c", 0, 10) == set()
