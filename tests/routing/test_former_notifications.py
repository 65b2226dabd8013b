"""A store in which a service without routes kept its own log: nobody is notified again, and nothing is lost."""

from __future__ import annotations

from typing import Any

from sinks.receivers.memory import Memory
from sinks.store.contract import Query
from tests.alerts.verdicts import WINDOW_MS
from tests.routing.test_every_receiver import Service, said


def settled(service: Service, receiver: str, *outcomes: str) -> None:
    """What became of the first transitions of the only alert, and where the former notifier would go on."""
    alerts = service.store.read(Query("alerts", order=("sequence",)))
    for sequence, outcome in enumerate(outcomes):
        written = {"alert_id": alerts["alert_id"][sequence], "sequence": sequence, "receiver": receiver}
        row = {**written, "outcome": outcome, "reason": "", "attempts": 1, "at_ms": 0}
        service.store.append("notifications", {name: [value] for name, value in row.items()}, f"n{receiver}{sequence}")
        decision = {**written, "route": "", "at_ms": 0, "why": outcome, "detail": "", "silence": ""}
        service.store.append("decisions", {name: [value] for name, value in decision.items()}, f"d{receiver}{sequence}")
    times = alerts["at_ms"].tolist()
    noted(service, "notify", f"{receiver}/flights", times[min(len(outcomes), len(times) - 1)])


def noted(service: Service, stage: str, name: str, position: int) -> None:
    row: dict[str, Any] = {"stage": stage, "name": name, "partition": 0, "position": position, "config": ""}
    columns = {name: [value] for name, value in (row | {"state": b""}).items()}
    service.store.append("checkpoints", columns, f"{stage}/{name}/{position}")


def test_what_a_receiver_was_notified_of_is_not_notified_again_and_its_end_comes_under_the_same_key() -> None:
    service, inbox = Service(), Memory("inbox")
    service.judge(1, "a")
    noted(service, "route", "flights", WINDOW_MS)
    settled(service, "inbox", "delivered")
    router = service.router(inbox)
    router.step()
    assert inbox.received == []
    service.judge(2, "a", "b")
    router.step()
    service.judge(9)
    router.step()
    assert [status for status, _ in said(inbox)] == ["firing", "resolved"]
    [alert_id] = set(service.store.read(Query("alerts"))["alert_id"])
    assert {notification.group_key for notification in inbox.received} == {f'{{}}:{{alert_id="{alert_id}"}}'}


def test_what_waited_for_a_receiver_is_notified_also_if_it_is_over() -> None:
    service, quick, sick = Service(), Memory("quick"), Memory("sick")
    service.judge(1, "a")
    service.judge(2, "a", "b")
    service.judge(9)
    noted(service, "route", "flights", 9 * WINDOW_MS)  # as far as the router of subscriptions had read
    settled(service, "quick", "delivered", "delivered", "delivered")
    settled(service, "sick")
    service.router(quick, sick).step()
    assert quick.received == []
    assert [status for status, _ in said(sick)] == ["firing", "firing", "resolved"]


def test_an_alert_whose_severity_rose_is_known_under_both_labels() -> None:
    service, inbox = Service(), Memory("inbox")
    service.judge(1, "feature:a")
    service.judge(2, "feature:a", "prediction:score")
    noted(service, "route", "flights", WINDOW_MS)
    settled(service, "inbox", "delivered", "delivered")
    router = service.router(inbox)
    router.step()
    assert inbox.received == []
    service.judge(9)
    router.step()
    assert [status for status, _ in said(inbox)] == ["resolved"]


def test_an_alert_of_which_nobody_knows_whether_it_arrived_is_notified_and_so_is_its_end() -> None:
    service, inbox = Service(), Memory("inbox")
    service.judge(1, "a")
    noted(service, "route", "flights", WINDOW_MS)
    settled(service, "inbox", "gave_up")
    router = service.router(inbox)
    router.step()
    service.judge(9)
    router.step()
    assert [status for status, _ in said(inbox)] == ["firing", "resolved"]


def test_the_former_log_is_read_until_nothing_in_it_is_needed() -> None:
    service, inbox = Service(), Memory("inbox")
    service.judge(1, "a")
    service.judge(9)
    noted(service, "route", "flights", 9 * WINDOW_MS)
    settled(service, "inbox")
    router = service.router(inbox)
    for _ in range(3):
        router.step()
        service.clock.advance(60)
    [row] = service.store.read(Query("checkpoints", where={"stage": "notify"}))["position"].tolist()
    assert row == 1 << 62
    service.router(inbox).step()
    assert [status for status, _ in said(inbox)] == ["firing", "resolved"]
