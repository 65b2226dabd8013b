"""The soak of inserts finds nothing wrong with the store, and notices when something is."""

from __future__ import annotations

from typing import Any

import pytest

from bench import inserts
from sinks.store.clickhouse import ClickhouseStore


def test_no_row_is_lost_or_doubled_while_connections_break() -> None:
    found = inserts.soak(6_000, 250, failures=5, seed=1)

    assert found["broken connections"] >= 5
    assert (found["lost"], found["doubled"], found["different tables"]) == (0, 0, [])


def test_rows_that_are_lost_and_doubled_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    append = ClickhouseStore.append

    def careless(store: ClickhouseStore, table: str, columns: dict[str, Any], token: str) -> None:
        if token != "scores/500":
            append(store, table, columns, token)
        if token == "predictions/250":
            append(store, table, columns, token + "again")

    monkeypatch.setattr(ClickhouseStore, "append", careless)
    found = inserts.soak(3_000, 250, failures=1, seed=1)

    assert (found["lost"], found["doubled"]) == (250, 250)
    assert found["different tables"] == ["scores"]
