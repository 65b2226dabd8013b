"""A stage that fails takes no other with it, is started again, and is alerted about."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import generate_latest
from structlog.testing import capture_logs

from monitor.alerts.own import MODEL, STAGE_FAILED, UNUSABLE_ROWS
from monitor.clock import SystemClock
from monitor.config import load
from monitor.evaluate.loop import EvaluateLoop
from monitor.service import Service
from sinks.store.contract import Columns, Query
from sinks.store.memory import MemoryStore
from sinks.store.rows import rows_of
from tests.routing.test_quarantine import stored
from tests.service import shop
from tests.service.test_routes import configured
from tests.sinks.receivers.listener import Listener


class Poisoned(MemoryStore):
    """One stage cannot use what it reads, as if a row were of no form that is known."""

    stage = ""

    def read(self, query: Query) -> Columns:
        if threading.current_thread().name == self.stage:
            raise KeyError("matchers")
        return super().read(query)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.threads.FIRST_PAUSE_S", 0.1)
    monkeypatch.setattr("monitor.threads.LAST_PAUSE_S", 0.5)
    monkeypatch.setattr("monitor.threads.STEADY_S", 3.0)
    monkeypatch.setattr("monitor.service.WATCH_EVERY_S", 0.1)


def event(number: int) -> bytes:
    return json.dumps({"id": f"e{number}", "ts": shop.START_MS + number, "amount": 1.0}).encode()


def states(store: MemoryStore) -> list[str]:
    return list(store.read(Query("alerts", {"model": MODEL}))["state"])


@pytest.mark.parametrize("stage", ["alert", "evaluate", "ingest-http-0"])
def test_the_others_go_on_it_is_started_again_and_people_are_alerted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    # It is not over before it is notified: nobody is told of what was over by then.
    monkeypatch.setattr("monitor.threads.STEADY_S", 1e9)
    with Listener() as listener:
        store = Poisoned()
        store.stage = stage
        with shop.serving(load(configured(tmp_path, listener)), store) as service:
            why = f"the stage {stage} failed, and is started again: KeyError: 'matchers'"
            shop.wait_until(lambda: why in service.ready(), "it is said")
            metrics = generate_latest(service.metrics).decode()
            assert f'leeway_stage_failing{{stage="{stage}"}} 1.0' in metrics
            assert f'leeway_stage_failures_total{{stage="{stage}"}} 0.0' not in metrics
            service.accept("shop", [event(number) for number in range(100)])
            if stage != "ingest-http-0":
                shop.wait_until(lambda: service.counters.events == 100, "events are read all the same")
            store.stage = ""
            shop.wait_until(lambda: service.counters.events == 100, "events are read")
            shop.wait_until(lambda: listener.requests, "its failure is notified")
            monkeypatch.setattr("monitor.threads.STEADY_S", 0.0)
            shop.wait_until(lambda: not service.ready(), "it runs again")
            shop.wait_until(lambda: states(store) == ["firing", "resolved"], "the alert is over")
        alert = listener.requests[0].body["alerts"][0]
        assert (alert["labels"]["alertname"], alert["labels"]["stage"]) == (STAGE_FAILED, stage)
        assert alert["annotations"]["summary"] == f"the stage {stage} fails (KeyError), and is started again"


def test_a_stored_row_that_cannot_be_used_is_alerted_about_and_stops_nothing(tmp_path: Path) -> None:
    with Listener() as listener:
        store = MemoryStore()
        stored(store, "subscriptions", id="s1", matchers="=~", receiver="nobody", group_by="null")
        with shop.serving(load(configured(tmp_path, listener)), store, roles=["evaluate", "alert"]) as service:
            shop.wait_until(lambda: listener.requests, "it is notified")
            assert not service.ready()
            assert 'leeway_unusable_rows_total{table="subscriptions"} 1.0' in generate_latest(service.metrics).decode()
        labels = listener.requests[0].body["alerts"][0]["labels"]
        assert (labels["alertname"], labels["table"]) == (UNUSABLE_ROWS, "subscriptions")


class Shared(Poisoned):
    """A store of several processes, as one of them sees it."""

    def __init__(self, shared: MemoryStore) -> None:
        super().__init__()
        self._shared = shared

    def read(self, query: Query) -> Columns:
        super().read(query)
        return self._shared.read(query)

    def append(self, table: str, columns: Mapping[str, Sequence[Any]], token: str) -> None:
        self._shared.append(table, columns, token)


def test_each_process_alerts_about_its_own_stage_although_those_of_others_have_its_name(tmp_path: Path) -> None:
    store = MemoryStore()
    names = ("worker-1", "worker-2")

    def firing() -> set[str]:
        newest = {row["alert_id"]: row for row in rows_of(store.read(Query("alerts", {"model": MODEL})))}
        return {json.loads(row["labels"])["instance"] for row in newest.values() if row["state"] == "firing"}

    with ExitStack() as running:
        stores = {name: Shared(store) for name in names}
        for name, seen in stores.items():
            seen.stage = "ingest-http-0"
            model = shop.model("shop", {"http": "shop"})
            path = shop.configured(tmp_path / name, model, kafka={"instance": name}, api={"port": 8081})
            running.enter_context(shop.serving(load(path), seen, roles=["ingest"]))
        host = socket.gethostname()
        instances = [f"{name}@{host}:8081/ingest" for name in names]
        shop.wait_until(lambda: firing() == set(instances), "both are alerted about")
        stores["worker-2"].stage = ""
        shop.wait_until(lambda: firing() == set(instances[:1]), "one is over")
        stores["worker-1"].stage = ""
        shop.wait_until(lambda: not firing(), "the other is over")


@pytest.mark.parametrize(("stage", "is_saved"), [("evaluate", False), ("watch", True)])
def test_a_service_ends_although_a_stage_does_not_and_without_a_checkpoint_of_one_at_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str, is_saved: bool
) -> None:
    hanging, answer, saved = threading.Event(), threading.Event(), threading.Event()

    def hang(*_: object) -> None:
        hanging.set()
        answer.wait(60)

    monkeypatch.setattr(EvaluateLoop, "save", lambda loop: saved.set())
    monkeypatch.setattr(*{"evaluate": (EvaluateLoop, "run"), "watch": (Service, "_watch")}[stage], hang)
    monkeypatch.setattr("monitor.threads.LEAVE_WITHIN_S", 0.5)
    service = Service(
        load(shop.configured(tmp_path, shop.model("shop", {"http": "shop"}))), SystemClock(), MemoryStore()
    )
    service.start()
    with capture_logs() as log:
        try:
            assert hanging.wait(120)
            if stage != "evaluate":
                # A stage that does not hang ends, however busy the machine is: its checkpoint is written.
                service.stopping.set()
                shop.wait_until(lambda: "evaluate" not in {thread.name for thread in threading.enumerate()}, "it ends")
            ending = threading.Thread(target=service.stop)
            ending.start()
            ending.join(120)
            assert not ending.is_alive()
        finally:
            answer.set()
    assert saved.is_set() is is_saved
    service.intake.close()
    # On a busy machine others may need longer than that, too.
    [unfinished] = [line["stages"] for line in log if line["event"] == "stages are left unfinished"]
    assert stage in unfinished
