"""What fires of a model ends when nobody watches it any more, whoever notices that, and receivers are notified."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from sinks.store.memory import MemoryStore
from tests.service import shop
from tests.service.test_added_models import (
    ALL_ROLES,
    APART,
    WINDOWS,
    Served,
    by_file,
    by_template,
    by_the_api,
    events,
    live,
    notifying,
    orders,
    serving,
)
from tests.service.test_configurations import again
from tests.sinks.receivers.listener import Listener

UNWATCHED = "the model is no longer watched"


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.service.FOLLOW_EVERY_S", 0.1)


def notified(listener: Listener) -> list[tuple[str, str]]:
    """Of which alerts of the model receivers were notified, and how."""
    alerts = [alert for request in listener.requests for alert in request.body["alerts"]]
    return [
        (alert["labels"]["alert_id"], alert["status"]) for alert in alerts if alert["labels"].get("model") == "orders"
    ]


def fired(there: Served, listener: Listener) -> str:
    """Have the model fire, and return the alert's id once the receiver is notified."""
    there.post(live())
    shop.wait_until(there.fires, "it fires", 120)
    [alert_id] = [alert["alert_id"] for alert in there.alerts(state="firing")]
    shop.wait_until(lambda: notified(listener) == [(alert_id, "firing")], "the receiver is notified", 20)
    return str(alert_id)


def firing_ids(there: Served) -> list[str]:
    """The ids of alerts that still fire, by either API."""
    ours = there.client.get("/v1/alerts", params={"state": "firing"}).json()["items"]
    others = there.client.get("/api/v2/alerts").json()
    return [alert["alert_id"] for alert in ours] + [alert["labels"]["alert_id"] for alert in others]


def without_file(folder: Path, there: Served) -> None:
    (folder / "models" / "orders.yaml").unlink()
    there.reload()


def given_up(folder: Path, there: Served) -> None:
    assert there.client.delete("/v1/models/orders/configuration").is_success


@pytest.mark.parametrize("roles", [ALL_ROLES, APART], ids=["together", "apart"])
@pytest.mark.parametrize(("add", "remove"), [(by_file, without_file), (by_the_api, given_up), (by_template, given_up)])
def test_what_fires_of_a_model_that_is_removed_is_resolved_with_that_reason_and_receivers_are_notified(
    tmp_path: Path,
    store: MemoryStore,
    listener: Listener,
    add: Callable[[Path, Served], None],
    remove: Callable[[Path, Served], None],
    roles: tuple[tuple[str, ...], ...],
) -> None:
    path = notifying(tmp_path, listener)
    with serving(path, store, roles) as there:
        add(tmp_path, there)
        alert_id = fired(there, listener)
        remove(tmp_path, there)
        shop.wait_until(lambda: not firing_ids(there), "it fires no more", 20)
        shop.wait_until(lambda: (alert_id, "resolved") in notified(listener), "the receiver is notified", 20)
        shown = there.client.get(f"/v1/alerts/{alert_id}").json()
        assert shown["alert"]["state"] == "resolved"
        assert UNWATCHED in shown["alert"]["title"]
        assert {entry["reason"] for entry in shown["alert"]["signals"]} == {UNWATCHED}
    with serving(path, store, roles) as there:
        assert firing_ids(there) == []
    assert notified(listener) == [(alert_id, "firing"), (alert_id, "resolved")]


def test_what_fires_of_a_model_whose_file_was_taken_away_while_the_service_was_down_is_resolved(
    tmp_path: Path, store: MemoryStore, listener: Listener
) -> None:
    path = notifying(tmp_path, listener, orders())
    with serving(path, store) as there:
        alert_id = fired(there, listener)
    (tmp_path / "models" / "orders.yaml").unlink()
    with serving(path, store) as there:
        shop.wait_until(lambda: (alert_id, "resolved") in notified(listener), "the receiver is notified", 20)
        assert firing_ids(there) == []
    assert notified(listener) == [(alert_id, "firing"), (alert_id, "resolved")]


def test_a_model_that_comes_back_begins_without_its_former_alerts_and_a_replay_writes_the_same_rows(
    tmp_path: Path, store: MemoryStore
) -> None:
    history, end_ms = events(shop.START_MS), shop.START_MS + WINDOWS * shop.WINDOW_MS
    # What follows is off in the first windows, too.
    first = [event for event in history if event["ts"] < shop.START_MS + 26.5 * shop.WINDOW_MS]
    # Another model reads the stream all the time.
    path = shop.configured(tmp_path, shop.model("other", {"http": "orders"}), models=["models/*.yaml"])
    with serving(path, store) as there:
        by_the_api(tmp_path, there)
        there.post(first)
        shop.wait_until(there.fires, "it fires", 120)
        shop.wait_until(
            shop.judged(there.services[0], "orders", shop.START_MS + 26 * shop.WINDOW_MS), "it is evaluated"
        )
        [former_id] = [alert["alert_id"] for alert in there.alerts(state="firing")]
        given_up(tmp_path, there)
        shop.wait_until(lambda: former_id not in firing_ids(there), "it fires no more", 20)
        by_the_api(tmp_path, there)
        assert there.alerts(state="firing") == []
        there.post(history[len(first) :])
        shop.wait_until(shop.judged(there.services[0], "orders", end_ms), "all windows are evaluated")
        others = [alert for alert in there.alerts() if alert["alert_id"] != former_id]
        assert [alert["state"] for alert in others] == ["resolved"]
        configuration = there.services[0].configuration
    steps = shop.rows(store, "alerts", only=["state"], alert_id=former_id)
    assert steps[0] == ("firing",)
    assert [state for state in steps if state == ("resolved",)] == [steps[-1]]
    file = tmp_path / "orders.jsonl"
    file.write_text("".join(json.dumps(event) + "\n" for event in history))
    replayed = again(store, configuration, {"orders": [file]})
    written = {
        table: [row for row in rows if row[0] == "orders"] for table, rows in shop.results(store, end_ms).items()
    }
    assert shop.results(replayed, end_ms) == written
