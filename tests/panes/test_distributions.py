"""What came in a stretch of time is the same however it is put together."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.panes import distributions
from monitor.panes.distributions import TIERS, Part, pieces_of, summaries
from sinks.store.contract import Query
from tests.api.world import World

PANE_MS, HOUR_MS = 10_000, 3_600_000
STARTS = range(0, 3 * HOUR_MS, 170_000)
times = st.integers(0, 3 * HOUR_MS // PANE_MS).map(lambda n: n * PANE_MS)


@given(st.integers(-(2**40), 2**40), st.integers(1, 2**40), st.sampled_from([1_000, 10_000, 7_000, 60_000, 3_600_000]))
def test_pieces_are_the_span_and_no_longer_sums_would_fit(from_ms: int, length_ms: int, pane_ms: int) -> None:
    span = from_ms, from_ms + length_ms
    pieces = pieces_of(span, pane_ms)
    assert [end for _, (_, end) in pieces[:-1]] == [start for _, (start, _) in pieces[1:]]
    assert (pieces[0][1][0], pieces[-1][1][1]) == span
    lengths = dict(TIERS)
    for table, (start, end) in pieces:
        if table in lengths:
            assert start % lengths[table] == end % lengths[table] == 0
            assert lengths[table] % pane_ms == 0
    assert len(pieces) <= 5


@pytest.fixture(scope="module")
def world() -> World:
    """Three hours of panes, some of them late, of two signals."""
    world = World()
    for start_ms in STARTS:
        late_ms = start_ms + 60_000 if start_ms % 3 == 0 else 0
        world.numbers("feature:amount", start_ms, [start_ms / 2e5, 3.0, None], late_at_ms=late_ms)
        world.names("feature:country", start_ms, {"DE": 2, f"C{start_ms % 7}": 1})
    return world


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(a=times, b=times, rows=st.sampled_from([1, 7, 2_000]))
def test_sums_of_panes_give_what_the_panes_give(
    a: int, b: int, rows: int, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distributions, "ROWS_AT_ONCE", rows)
    from_ms, to_ms = min(a, b), max(a, b) + PANE_MS
    watch = world.watches["fraud"]
    found = summaries(world.store, watch, Part(from_ms, to_ms)).summaries
    plain = [summaries(world.store, watch, Part(ms, ms + PANE_MS)).summaries for ms in STARTS if from_ms <= ms < to_ms]
    for signal in ("feature:amount", "feature:country"):
        parts = [pane[signal] for pane in plain if signal in pane]
        if parts:
            total = parts[0]
            for part in parts[1:]:
                total = total + part  # type: ignore[operator]
            assert found[signal] == total
        else:
            assert signal not in found


def test_no_more_panes_are_added_up_at_once_than_fit(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    part = Part(STARTS[0], STARTS[-1] + PANE_MS)
    at_once = summaries(world.store, world.watches["fraud"], part)
    monkeypatch.setattr(distributions, "ROWS_AT_ONCE", 20)
    most = 0

    class Measured:
        """A store of which it is known how many panes it adds up at most."""

        read = world.store.read

        def totals(self, query: Query) -> Any:
            nonlocal most
            most = max(most, len(world.store.read(query)["signal"]))
            return world.store.totals(query)

    assert summaries(Measured(), world.watches["fraud"], part) == at_once  # type: ignore[arg-type]
    assert 0 < most <= 20


def test_where_each_hour_has_other_names_fewer_hours_are_added_up_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    for hour in range(60):
        world.names("feature:country", hour * HOUR_MS, {f"{hour}-{i}": 1 for i in range(5)})
    part = Part(0, 60 * HOUR_MS)
    at_once = summaries(world.store, world.watches["fraud"], part)
    monkeypatch.setattr(distributions, "NAMES_AT_ONCE", 40)
    monkeypatch.setattr(distributions, "ROWS_AT_FIRST", 8)
    lengths = []

    class Measured:
        """A store of which it is known how many names it answers."""

        read = world.store.read

        def totals(self, query: Query) -> Any:
            totals = world.store.totals(query)
            lengths.append(sum(map(len, totals["names"])))
            return totals

    assert summaries(Measured(), world.watches["fraud"], part) == at_once  # type: ignore[arg-type]
    assert max(lengths) == 40
    assert sum(lengths) == 300
