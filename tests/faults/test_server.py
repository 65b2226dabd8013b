"""A whole replay onto a server whose connections break, row for row what the embedded store holds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sinks.store import open_store
from sinks.store.contract import READABLE, Query, Store
from tests.monitor.streams import outcome, replayed_lines, troubled
from tests.services.clickhouse import Faults
from tests.sinks.store.conftest import store_of
from tests.sinks.store.samples import exact

STREAM = troubled(5, days=8, per_day=200)


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """The embedded store after an unbroken replay."""
    opened = open_store("chdb", str(tmp_path_factory.mktemp("embedded") / "store"))
    replayed_lines(tmp_path_factory.mktemp("events"), STREAM, store=opened, batch=900, checkpoint_every=700)
    yield opened
    opened.close()


def test_a_replay_onto_a_server_that_breaks_leaves_the_rows_of_the_embedded_store(
    request: pytest.FixtureRequest, embedded: Store, faults: Faults, tmp_path: Path
) -> None:
    with store_of("clickhouse", request, tmp_path) as server:
        before = faults.injected
        faults.at_random(0.5, seed=7, kinds=("drop_in_data", "drop_before", "drop_after", "error", "error_after"))
        replayed_lines(tmp_path, STREAM, store=server, batch=900, checkpoint_every=700)
        faults.clear()
        assert {"drop_in_data", "drop_before", "drop_after"} <= set(faults.injected - before)
        assert outcome(server) == outcome(embedded)
        for name, table in READABLE.items():
            found, expected = (exact(table, store.read(Query(name))) for store in (server, embedded))
            assert found == expected, name
