"""The accounts of a run of chaos see what is lost, doubled or not notified, and its schedule ends what it begins."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

import numpy as np
import pytest

from bench.chaos_accounts import Ledger, Stored, balance, read_stored, unheard, unnoted
from bench.chaos_health import Sample, growth, noting_deaths
from bench.chaos_schedule import FAULTS, KILLS_UNTIL, schedule
from bench.soak_chaos import ALLOWED
from sinks.store.contract import TABLES
from sinks.store.memory import MemoryStore

PANE_MS = 10
POSITIONS = [("shop", 0, offset) for offset in range(4)]


def sent() -> Ledger:
    return Ledger({position: f"e{position[2]}" for position in POSITIONS})


def stored() -> Stored:
    """Three events that count, in two panes, of which one is closed, and one that was rejected."""
    counted = {position: (f"e{position[2]}", 5 * position[2]) for position in POSITIONS[:3]}
    panes = Counter({("shop", 0, 0): 2})
    return Stored(counted, {POSITIONS[3]: "not_json"}, panes, Counter(), {("shop", 0): 10}, PANE_MS)


def test_what_counts_once_or_is_rejected_is_balanced() -> None:
    result = balance(sent(), stored())
    assert result.wrong == []
    assert result.counts["events counted"] == 3
    assert result.counts["events in them"] == 2
    assert result.counts["rejected: not_json"] == 1


def lose(ledger: Ledger, store: Stored) -> None:
    del store.counted[POSITIONS[2]]


def reject_too(ledger: Ledger, store: Stored) -> None:
    store.rejected[POSITIONS[2]] = "late"


def count_a_copy(ledger: Ledger, store: Stored) -> None:
    store.counted[POSITIONS[2]] = store.counted[POSITIONS[1]]


def invent(ledger: Ledger, store: Stored) -> None:
    store.counted[("shop", 0, 9)] = ("e9", 30)


def add_to_a_pane(ledger: Ledger, store: Stored) -> None:
    store.panes["shop", 0, 0] += 1


@pytest.mark.parametrize(
    ("defect", "words"),
    [
        (lose, "accepted and neither counted nor rejected: 1, such as ('shop', 0, 2)"),
        (reject_too, "counted and rejected: 1, such as ('shop', 0, 2)"),
        (count_a_copy, "counted twice: 1, such as e1"),
        (invent, "in the store, and never sent: 1, such as ('shop', 0, 9)"),
        (add_to_a_pane, "panes whose sum is not that of their events: 1, such as ('shop', 0, 0) 3 for 2"),
    ],
)
def test_each_way_to_miscount_is_seen(defect: Any, words: str) -> None:
    ledger, store = sent(), stored()
    defect(ledger, store)
    assert words in balance(ledger, store).wrong


def test_what_was_sent_without_an_answer_may_be_there_once() -> None:
    ledger, store = sent(), stored()
    invent(ledger, store)
    ledger.unanswered.add("e9")
    assert balance(ledger, store).wrong == []


def test_a_copy_of_a_late_event_may_count() -> None:
    ledger, store = sent(), stored()
    count_a_copy(ledger, store)
    store.panes["shop", 0, 0] += 1
    store.late["shop", 0, 0] = 1
    assert balance(ledger, store).wrong == []


def test_a_late_event_excuses_one_copy_in_its_pane() -> None:
    ledger, store = sent(), stored()
    for copied in (0, 1):
        position = ("shop", 0, 10 + copied)
        ledger.accepted[position] = f"e{copied}"
        store.counted[position] = store.counted[POSITIONS[copied]]
    store.panes["shop", 0, 0] += 2
    store.late["shop", 0, 0] = 1
    assert balance(ledger, store).wrong == ["counted twice: 2, such as e0, e1"]


def row(table: str, **values: Any) -> dict[str, list[Any]]:
    empty = {"int": 0, "float": 0.0, "bytes": b"", "ints": [], "strs": []}
    return {column.name: [values.get(column.name, empty.get(column.kind, ""))] for column in TABLES[table].columns}


def test_the_accounts_are_read_from_the_store() -> None:
    store = MemoryStore()
    place = {"topic": "shop", "partition": 1, "offset": 7}
    store.append("events", row("events", **place, id="e7", event_ms=12), "1")
    store.append("dead_letters", row("dead_letters", **{**place, "offset": 8}, action="rejected", reason="empty"), "2")
    store.append("dead_letters", row("dead_letters", **place, action="kept", reason="late"), "3")
    shared = {"topic": "shop", "partition": 1, "pane_start_ms": 10, "signal": "volume"}
    store.append("panes", row("panes", **shared, version="a", n=1), "4")
    store.append("panes", row("panes", **shared, version="b", n=2, late_at_ms=20), "5")
    store.append("progress", row("progress", model="m", topic="shop", partition=1, closed_ms=30), "6")
    assert read_stored(store, PANE_MS) == Stored(
        {("shop", 1, 7): ("e7", 12)},
        {("shop", 1, 8): "empty"},
        Counter({("shop", 1, 10): 3}),
        Counter({("shop", 1, 10): 2}),
        {("shop", 1): 30},
        PANE_MS,
    )


def test_a_transition_that_nobody_took_is_seen() -> None:
    store = MemoryStore()
    for sequence, (state, title) in enumerate([("pending", "x"), ("firing", "it moved"), ("resolved", "it moved")]):
        transition = row("alerts", alert_id="a", sequence=sequence, state=state, title=title)
        store.append("alerts", transition, str(sequence))
    notified = row("notifications", alert_id="a", sequence=1, receiver="steady/0", outcome="delivered")
    store.append("notifications", notified, "n")
    assert unheard(store, {("it moved", "firing")}) == [("it moved", "resolved")]
    assert unnoted(store, ["steady"]) == ["'it moved' (resolved) by steady"]


@pytest.mark.parametrize(("outcome", "missing"), [("gave_up", []), ("delivered", ["'it moved' (resolved) by rough"])])
def test_who_certainly_has_not_got_an_alert_need_not_take_its_end(outcome: str, missing: list[str]) -> None:
    store = MemoryStore()
    for sequence, state in enumerate(["firing", "resolved"]):
        transition = row("alerts", alert_id="a", sequence=sequence, state=state, title="it moved")
        store.append("alerts", transition, str(sequence))
    by_rough = {"alert_id": "a", "receiver": "rough/0"}
    store.append("notifications", row("notifications", **by_rough, sequence=0, outcome=outcome), "n")
    assert unnoted(store, ["rough"]) == ["'it moved' (resolved) by rough"]
    store.append("decisions", row("decisions", **by_rough, sequence=1, why="known"), "d")
    assert unnoted(store, ["rough"]) == missing


def test_a_schedule_ends_what_it_begins_and_kills_early() -> None:
    happenings = schedule(3, 1_800)
    assert happenings == schedule(3, 1_800)
    assert happenings != schedule(4, 1_800)
    assert {happening.fault for happening in happenings} == set(FAULTS)
    held: set[str] = set()
    for happening in happenings:
        fault = FAULTS[happening.fault]
        if happening.is_over:
            held.remove(fault.group)
        else:
            assert fault.group not in held
            assert happening.fault != "kill" or happening.at_s <= KILLS_UNTIL * 1_800
            held |= {fault.group} if fault.most_s else set()
    assert not held


def rising(*rss_mb: float) -> list[Sample]:
    """Ten minutes for each figure, every two seconds; from one to the next it rises evenly."""
    figures = np.interp(np.arange(0, len(rss_mb) - 1, 1 / 300), range(len(rss_mb)), rss_mb).tolist()
    return [Sample(60.0 + 2 * i, figure, 9, 20, 0, 0) for i, figure in enumerate(figures)]


def test_a_figure_that_goes_on_rising_is_seen_and_one_that_stays_high_is_none() -> None:
    leak, stays, falls = (growth(rising(*figures), "rss_mb") for figures in ((300, 440), (300, 700, 700), (700, 500)))
    assert leak.last - leak.before > ALLOWED["rss_mb"]
    assert round(leak.an_hour) == 840
    assert stays.last - stays.before < ALLOWED["rss_mb"]
    assert stays.an_hour == pytest.approx(0)
    assert falls.last < falls.before
    assert growth(rising(1, 2), "threads")[:3] == (9, 9, 9)


def test_a_thread_of_the_run_that_dies_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    reasons = list[str]()
    monkeypatch.setattr(threading, "excepthook", lambda death: None)
    with noting_deaths(reasons):
        thread = threading.Thread(target=lambda: int("x"), name="traffic")
        thread.start()
        thread.join()
    assert reasons == ["traffic of the run died: ValueError: invalid literal for int() with base 10: 'x'"]
