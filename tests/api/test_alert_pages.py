"""Pages of alerts as they stand: as if the whole log had been read, which is not."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest

from monitor.api.alert_pages import AlertFilter, read_alerts
from monitor.api.standing_alerts import standing_alerts
from monitor.routing.matchers import Matcher
from sinks.store.contract import Columns, Query
from sinks.store.memory import MemoryStore
from sinks.store.rows import row_count
from tests.api.world import Client, World, step


class Counting(MemoryStore):
    """Counts the rows that are read."""

    rows = 0

    def read(self, query: Query) -> Columns:
        columns = super().read(query)
        self.rows += row_count(columns)
        return columns


def log(draw: random.Random, alerts: int) -> Iterator[dict[str, Any]]:
    """Transitions at few times, so that many share one, some of them earlier than the one before."""
    for number in range(alerts):
        model = draw.choice(["fraud", "churn"])
        at_ms = draw.randrange(1_000, 1_030)
        for sequence in range(draw.randrange(1, 5)):
            state = draw.choice(["pending", "firing", "updated", "resolved", "cancelled"])
            severity = draw.choice(["warning", "critical"])
            ended = {"ends_ms": at_ms - 5} if state in ("resolved", "cancelled") else {}
            yield step(f"a{number}", sequence, state, at_ms, model=model, severity=severity, **ended)
            at_ms += draw.choice([-1, 0, 0, 3])


def pages(world: World, chosen: AlertFilter, limit: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        page = read_alerts(world.store, chosen, limit, cursor)
        rows, cursor = rows + page.rows, page.next_cursor
        assert len(page.rows) == limit or cursor is None
        if cursor is None:
            return rows


@pytest.mark.parametrize("seed", range(3))
def test_pages_hold_what_the_whole_log_says_in_its_order(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.api.alert_pages.FEWEST_ROWS", 5)
    draw, world = random.Random(seed), World()
    world.add("alerts", list(log(draw, 60)))
    world.add("freshness_alerts", [step("f", 0, "firing", 1_003), step("f", 1, "resolved", 1_010, ends_ms=1_010)])
    world.add("acknowledgements", [{"alert_id": f"a{n}", "sequence": n % 4, "created_by": "ann"} for n in range(30)])
    choices = product(
        [None, ["fraud"]], [None, "firing", "resolved"], [None, "critical"], [(None, None), (1_010, 1_020)]
    )
    for models, state, severity, span in choices:
        expected = [
            alert["alert_id"]
            for alert in standing_alerts(world.store, models, span, state)
            if severity in (None, alert["severity"])
        ]
        for limit in (3, 100):
            shown = pages(world, AlertFilter(models, span, state, severity), limit)
            assert [alert["alert_id"] for alert in shown] == expected
    taken = pages(world, AlertFilter(acknowledged=True), 7)
    assert taken
    assert {alert["acknowledged_by"] for alert in taken} == {"ann"}
    assert pages(world, AlertFilter(matchers=[Matcher("model", "=", "other")]), 7) == []


@pytest.mark.parametrize(
    ("text", "ids"),
    [("AMOUNT moved", ["x"]), ("fraud", ["y", "x"]), ("team=risk", ["x"]), ("country", ["y"]), ("moved country", [])],
)
def test_alerts_are_found_by_words_of_what_people_see(text: str, ids: list[str]) -> None:
    world = World()
    titled = step("x", 0, "firing", 1_000, title="the amount has moved", labels='{"team": "risk"}')
    world.add("alerts", [titled, step("y", 0, "firing", 2_000, signals='[{"signal": "feature:country"}]', title="z")])
    client = Client(world)
    assert [alert["alert_id"] for alert in client.items("/v1/alerts", text=text)] == ids
    refused = client.get("/v1/alerts", text=text, transitions=True)
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "text")


def test_a_page_reads_little_of_a_long_log_and_an_open_alert_of_long_ago_is_on_the_last() -> None:
    world = World(store=Counting())
    assert isinstance(world.store, Counting)
    steps = [step("old", 0, "firing", 1)]
    for number in range(4_000):
        steps.append(step(f"a{number}", 0, "firing", 1_000 + number))
        steps.append(step(f"a{number}", 1, "resolved", 1_500 + number, ends_ms=1_500 + number))
    world.add("alerts", steps)
    client = Client(world)
    page = client.get("/v1/alerts", limit=10).json()
    assert [item["alert_id"] for item in page["items"]] == [f"a{number}" for number in range(3_999, 3_989, -1)]
    assert world.store.rows < 2_000
    following = client.get("/v1/alerts", limit=10, cursor=page["next_cursor"]).json()
    assert following["items"][0]["alert_id"] == "a3989"
    assert world.store.rows < 4_000
    [open_alert] = client.items("/v1/alerts", state="firing")
    assert open_alert["alert_id"] == "old"


def test_an_alert_that_changes_while_a_page_is_read_is_on_it_once() -> None:
    class Changing(MemoryStore):
        change: Any = None

        def read(self, query: Query) -> Columns:
            columns = super().read(query)
            if query.table == "alerts" and self.change is not None:
                change, self.change = self.change, None
                change()
            return columns

    store = Changing()
    world = World(store=store)
    world.add("alerts", [step("a", 0, "firing", 1_000), step("b", 0, "firing", 2_000)])
    store.change = lambda: world.add("alerts", [step("a", 1, "resolved", 3_000, ends_ms=3_000)])
    assert [alert["alert_id"] for alert in read_alerts(store, AlertFilter(), 10).rows] == ["b", "a"]
