"""The table of alerts, on a ClickHouse server."""

from __future__ import annotations

from typing import Any

import pytest

from sinks.receivers.contract import Delivered, Refused, Retry
from tests.services.clickhouse import Target
from tests.services.dripping import Dripping
from tests.sinks.receivers.notifications import LABELS, notification, receiver_of


def address(target: Target) -> str:
    user = f"{target.user}:{target.password}@" if target.user else ""
    return f"clickhouse://{user}{target.host}:{target.port}/{target.database}"


def test_a_repetition_leaves_one_row_and_an_end_another(clickhouse_database: Target) -> None:
    receiver = receiver_of({"kind": "clickhouse", "name": "t", "url": address(clickhouse_database)})
    sent = [notification(), notification(), notification("resolved")]
    assert [receiver.send(each) for each in sent] == [Delivered()] * 3
    receiver.close()
    with clickhouse_database.client() as client:
        rows: list[Any] = client.execute(
            "SELECT status, labels, starts_at, ends_at > starts_at, fingerprint FROM alerts_told FINAL ORDER BY status"
        )
    assert [row[0] for row in rows] == ["firing", "resolved"]
    assert [row[3] for row in rows] == [0, 1]
    assert rows[0][1] == LABELS
    assert rows[0][2].isoformat() == "2026-11-24T16:28:02.151000+00:00"
    assert rows[0][4] == notification().alerts[0].fingerprint


def test_a_database_that_is_not_there_is_a_refusal_that_says_so(clickhouse_database: Target) -> None:
    receiver = receiver_of(
        {"kind": "clickhouse", "name": "t", "url": address(clickhouse_database), "table": "nowhere.told"}
    )
    outcome = receiver.send(notification())
    receiver.close()
    assert isinstance(outcome, Refused)
    assert "table 'nowhere.told': error 81" in outcome.reason


def test_a_server_that_is_not_there_is_tried_again() -> None:
    receiver = receiver_of({"kind": "clickhouse", "name": "t", "url": "clickhouse://me:s3cret@127.0.0.1:1/d"})
    outcome = receiver.send(notification())
    assert outcome == Retry("table 'alerts_told': NetworkError", may_have_it=True)


def test_a_server_that_drips_is_left_after_the_time_out() -> None:
    """A byte now and then keeps an answer from timing out by itself: here, of the server's name."""
    with Dripping(b"\x00\x7f", b"x") as server:
        url = f"clickhouse://me:s3cret@{server.address}/d"
        receiver = receiver_of({"kind": "clickhouse", "name": "t", "url": url, "timeout": "300ms"})
        outcomes = [receiver.send(notification()) for _ in range(2)]
        receiver.close()
        assert server.was_left
    assert outcomes == [Retry("table 'alerts_told': no answer in time", may_have_it=True)] * 2


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="'a; b' is no name of a table"):
        receiver_of({"kind": "clickhouse", "name": "t", "url": "clickhouse://127.0.0.1", "table": "a; b"})
