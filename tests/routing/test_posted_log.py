"""Alerts that others post are told by routes, end when they are not posted again, and outlive restarts."""

from __future__ import annotations

import json
import threading
from collections import Counter
from dataclasses import replace
from typing import Any

from monitor.alerts.transition import POSTED
from monitor.clock import SystemClock
from monitor.delivery.target import Target
from monitor.routing.plan import Plan
from monitor.routing.posted import Post, posted
from monitor.routing.posted_log import PostedLog
from monitor.routing.router import Router
from sinks.store.contract import Columns, Query
from sinks.store.memory import MemoryStore
from sinks.store.rows import row_count, rows_of
from tests.routing.test_router import FlakyStore, World
from tests.service.shop import wait_until

RESOLVE_MS = 300_000
DISK = {"alertname": "Disk", "model": "fraud", "severity": "warning"}


class Posts(World):
    """A router that also takes what is posted."""

    def started(self) -> Router:
        plan = Plan(self.alerting.route.build(), {Target("mail"): self.mail, Target("pager"): self.pager})
        router = Router(self.store, plan, self.clock, "", [POSTED, "fraud", "churn"])
        router.open()
        return router

    def post(
        self,
        labels: dict[str, str] = DISK,
        *,
        starts_ms: int | None = None,
        ends_ms: int | None = None,
        **annotations: str,
    ) -> None:
        now_ms = self.clock.now_ms()
        starts_ms = now_ms - 1_000 if starts_ms is None else starts_ms
        given = Post(labels, annotations, starts_ms, ends_ms, "http://prometheus.example/graph")
        PostedLog(self.store).put([posted(given, now_ms, RESOLVE_MS)])

    def told(self) -> list[list[tuple[str, str]]]:
        """What the mail was told: status and name of alerts."""
        return [
            sorted((alert.status, alert.labels.get("alertname", "")) for alert in one.alerts)
            for one in self.mail.received
        ]

    def kept(self) -> list[dict[str, Any]]:
        """Transitions of posted alerts."""
        return sorted(rows_of(self.store.read(Query("alerts", where={"model": POSTED}))), key=lambda row: row["at_ms"])


def test_what_is_posted_is_told_in_groups_with_leeway_s_own_alerts() -> None:
    world = Posts()
    world.post(summary="disk is full", runbook="http://wiki.example/disk")
    world.happens("a")
    world.passes(40)
    assert world.told() == [[("firing", "Disk"), ("firing", "LeewayDrift")]]
    [disk] = [alert for alert in world.mail.received[0].alerts if alert.labels == DISK]
    assert disk.annotations == {"summary": "disk is full", "runbook": "http://wiki.example/disk"}
    assert disk.generator_url == "http://prometheus.example/graph"
    [row] = world.kept()
    assert (row["state"], row["title"], row["severity"]) == ("firing", "disk is full", "warning")
    decided = rows_of(world.store.read(Query("decisions", where={"alert_id": row["alert_id"]})))
    assert [row["why"] for row in decided] == ["delivered"]


def test_an_alert_that_is_not_posted_again_is_over_after_the_time_out_and_one_that_is_fires_on() -> None:
    world = Posts()
    for _ in range(10):
        world.post()
        world.passes(60, each=5)
    assert world.told() == [[("firing", "Disk")]]
    world.passes(700, each=5)
    assert world.told()[1:] == [[("resolved", "Disk")]]
    assert [row["state"] for row in world.kept()] == ["firing", "resolved"]
    [alert] = world.mail.received[1].alerts
    assert alert.ends_at_ms == world.kept()[1]["ends_ms"]


def test_an_alert_that_is_posted_as_over_ends_at_once_and_is_another_one_when_it_comes_back() -> None:
    world = Posts()
    world.post()
    world.passes(40)
    world.post(ends_ms=world.clock.now_ms())
    world.passes(400, each=5)
    world.post()
    world.passes(100, each=5)
    assert world.told() == [[("firing", "Disk")], [("resolved", "Disk")], [("firing", "Disk")]]
    assert len({row["alert_id"] for row in world.kept()}) == 2


def test_what_was_posted_last_is_what_is_said() -> None:
    world = Posts()
    world.post(summary="91 %", ends_ms=world.clock.now_ms() + 10 * RESOLVE_MS)
    world.passes(40)
    world.post(summary="97 %", ends_ms=world.clock.now_ms() + 10 * RESOLVE_MS)
    world.post(DISK | {"instance": "b"}, summary="90 %", ends_ms=world.clock.now_ms() + 10 * RESOLVE_MS)
    world.passes(400, each=5)
    said = sorted(alert.annotations["summary"] for alert in world.mail.received[-1].alerts)
    assert said == ["90 %", "97 %"]


def test_of_an_alert_that_is_said_to_be_over_twice_the_later_end_and_the_last_words_are_notified() -> None:
    world = Posts()
    start_ms = world.clock.now_ms()
    world.post(starts_ms=start_ms, summary="full")
    world.passes(40)
    world.post(starts_ms=start_ms, ends_ms=start_ms + 35_000, summary="full")
    world.passes(2)
    world.post(starts_ms=start_ms, ends_ms=start_ms + 41_000, summary="it was a log file")
    world.passes(400, each=5)
    [ended] = world.mail.received[-1].alerts
    assert (ended.status, ended.starts_at_ms, ended.ends_at_ms) == ("resolved", start_ms, start_ms + 41_000)
    assert ended.annotations["summary"] == "it was a log file"
    assert world.told() == [[("firing", "Disk")], [("resolved", "Disk")]]


def test_of_two_starts_the_earlier_is_notified() -> None:
    world = Posts()
    start_ms = world.clock.now_ms()
    world.post(starts_ms=start_ms)
    world.passes(2)
    world.post(starts_ms=start_ms - 7_000)
    world.passes(40)
    assert [alert.starts_at_ms for alert in world.mail.received[0].alerts] == [start_ms - 7_000]


def test_an_alert_that_began_long_ago_does_not_wait_for_others() -> None:
    world = Posts()
    world.post(starts_ms=world.clock.now_ms() - 40_000)
    world.passes(1)
    assert world.told() == [[("firing", "Disk")]]


def test_a_burst_is_dated_so_that_little_of_it_is_read_again() -> None:
    world = Posts()
    alerts = [posted(Post({"alertname": "Disk", "n": str(n)}), world.clock.now_ms(), RESOLVE_MS) for n in range(2_500)]
    PostedLog(world.store).put(alerts)
    world.passes(40)
    counts = Counter(row["at_ms"] for row in world.kept())
    assert (len(world.kept()), max(counts.values())) == (2_500, 500)
    assert len(world.mail.received[0].alerts) == 2_500
    PostedLog(world.store).put([replace(alert, annotations={"summary": "full"}) for alert in alerts])
    world.passes(400, each=50)
    assert {alert.annotations.get("summary") for alert in world.mail.received[-1].alerts} == {"full"}


def kept_no_longer(store: MemoryStore, table: str) -> None:
    """Drop the rows of a table, as their lifetime does."""
    store._tables[table] = MemoryStore()._tables[table]


class CountingStore(FlakyStore):
    """Counts the rows that are read of each table."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: Counter[str] = Counter()

    def read(self, query: Query) -> Columns:
        columns = super().read(query)
        self.rows[query.table] += row_count(columns)
        return columns


def test_thousands_of_alerts_that_fire_are_not_read_again_while_nothing_happens() -> None:
    world = Posts(open_at_once=False)
    world.store = store = CountingStore()
    world.router = world.started()
    alerts = [posted(Post({"alertname": "Disk", "n": str(n)}), world.clock.now_ms(), RESOLVE_MS) for n in range(2_500)]
    PostedLog(store).put(alerts)
    world.passes(40)
    store.rows.clear()
    world.passes(40)
    assert store.rows["alerts"] == 0
    # then one of them is over
    PostedLog(store).put([replace(alerts[7], ends_ms=world.clock.now_ms(), updated_ms=world.clock.now_ms())])
    store.rows.clear()
    world.passes(2)
    assert store.rows["alerts"] <= 3
    [ended] = [row for row in world.kept() if row["state"] == "resolved"]
    assert json.loads(ended["labels"])["n"] == "7"


def test_an_alert_ends_although_its_first_transition_was_kept_no_longer() -> None:
    world = Posts()
    world.post(summary="disk is full")
    world.passes(40)
    [begun] = world.kept()
    kept_no_longer(world.store, "alerts")
    world.post(ends_ms=world.clock.now_ms(), summary="it was a log file")
    world.passes(400, each=5)
    assert world.told() == [[("firing", "Disk")], [("resolved", "Disk")]]
    [ended] = world.kept()
    assert (ended["alert_id"], ended["sequence"]) == (begun["alert_id"], 1)
    assert (json.loads(ended["labels"]), ended["severity"]) == (DISK, "warning")


def test_an_alert_of_which_nothing_is_left_begins_anew_when_it_is_posted_again() -> None:
    world = Posts()
    world.post(ends_ms=world.clock.now_ms() + 50_000)
    world.passes(40)
    kept_no_longer(world.store, "alerts")
    kept_no_longer(world.store, "posted")
    world.passes(20)
    world.post()
    world.passes(5)
    assert [row["state"] for row in world.kept()] == ["firing"]


def test_what_is_posted_wakes_the_router_of_its_process() -> None:
    world = Posts(open_at_once=False)
    world.clock = SystemClock()  # type: ignore[assignment]
    world.router, stop = world.started(), threading.Event()
    running = threading.Thread(target=world.router.run, args=(stop, 60.0))
    running.start()
    try:
        world.post(starts_ms=world.clock.now_ms() - 40_000)
        wait_until(lambda: world.told() == [[("firing", "Disk")]], "it is notified, long before the router looks")
    finally:
        stop.set()
        running.join()


def test_a_restart_forgets_no_alert_and_tells_of_ends_that_came_meanwhile() -> None:
    world = Posts()
    world.post()
    world.post(DISK | {"instance": "b"}, ends_ms=world.clock.now_ms() + 100 * RESOLVE_MS)
    world.passes(40)
    world.clock.advance(1_000)
    world.router = world.started()
    world.passes(400, each=5)
    assert world.told() == [[("firing", "Disk")] * 2, [("firing", "Disk"), ("resolved", "Disk")]]
    assert sorted(row["state"] for row in world.kept()) == ["firing", "firing", "resolved"]


def test_two_posts_in_one_millisecond_are_merged_in_their_order() -> None:
    world = Posts()
    now_ms = world.clock.now_ms()
    for ends_ms in (now_ms + 60_000, now_ms + 1_000, now_ms + 500):
        world.post(ends_ms=ends_ms)
    [alert] = PostedLog(world.store).firing(now_ms)
    assert alert.ends_ms == now_ms + 60_000, "a stated end that is later stands"
    world.post(ends_ms=now_ms)
    assert PostedLog(world.store).firing(now_ms) == []


def test_a_post_that_a_slower_clock_has_dated_is_taken_up_too() -> None:
    world = Posts()
    world.post()
    world.passes(2)
    behind = posted(Post(DISK | {"instance": "b"}), world.clock.now_ms() - 10_000, RESOLVE_MS)
    PostedLog(world.store).put([behind])
    world.passes(40)
    assert world.told() == [[("firing", "Disk")] * 2]


def test_a_post_that_another_process_writes_late_does_not_wait_for_the_look_at_slower_clocks() -> None:
    world = Posts()
    world.post()
    world.passes(7)
    dated_ms = world.clock.now_ms()
    world.clock.advance(1)
    world.post(DISK | {"instance": "b"})
    world.router.step()
    PostedLog(world.store).put([posted(Post(DISK | {"instance": "c"}), dated_ms, RESOLVE_MS)])
    world.passes(1)
    assert len(world.kept()) == 3


def test_an_alert_that_a_slower_clock_has_dated_anew_fires_on() -> None:
    world = Posts()
    world.post(ends_ms=world.clock.now_ms() + 50_000)
    world.passes(40)
    world.post(DISK | {"instance": "b"}, starts_ms=world.clock.now_ms() - 40_000)
    world.passes(8)
    # Between two looks at what slower clocks have dated.
    PostedLog(world.store).put([posted(Post(DISK), world.clock.now_ms() - 20_000, RESOLVE_MS)])
    world.passes(20)
    assert [row["state"] for row in world.kept()] == ["firing", "firing"]


def test_the_end_of_an_alert_that_is_posted_with_a_later_span_keeps_its_start() -> None:
    world = Posts()
    start_ms = world.clock.now_ms()
    world.post(starts_ms=start_ms, ends_ms=start_ms + 40_000)
    world.passes(35)
    world.clock.advance(20)
    world.post(starts_ms=start_ms + 50_000, ends_ms=start_ms + 52_000)
    world.passes(1)
    ended = world.kept()[-1]
    assert (ended["state"], ended["starts_ms"], ended["ends_ms"]) == ("resolved", start_ms, start_ms + 52_000)


def test_an_alert_that_the_store_took_without_saying_so_is_one_and_ends() -> None:
    for seconds_away in (1, 100):
        world = Posts()
        world.store.unanswered = "alerts"
        world.post(ends_ms=world.clock.now_ms() + 50_000)
        world.passes(1)
        world.clock.advance(seconds_away)
        world.passes(400, each=5)
        assert [row["state"] for row in world.kept()] == ["firing", "resolved"]
        assert len({row["alert_id"] for row in world.kept()}) == 1


def test_a_store_that_fails_for_a_moment_loses_no_post_and_doubles_none() -> None:
    world = Posts()
    world.post(summary="91 %")
    world.passes(40)
    world.post(summary="97 %")
    world.post(DISK | {"instance": "b"}, summary="90 %")
    world.store.failing = "alerts"
    world.passes(200, each=5)
    world.post(summary="97 %")
    world.passes(200, each=5)
    assert sorted(alert.annotations["summary"] for alert in world.mail.received[1].alerts) == ["90 %", "97 %"]
    assert [row["state"] for row in world.kept()].count("firing") == 2
