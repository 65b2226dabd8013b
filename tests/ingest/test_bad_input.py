"""Whatever comes: a count, a reason and a coordinate, and the rest goes on as if it had not come."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from monitor.replay import Replay
from monitor.sources.files import FileSource
from sinks.store.memory import MemoryStore
from tests.monitor.streams import (
    DAY_MS,
    HOUR_MS,
    START_MS,
    TOPIC,
    applications,
    as_lines,
    configured,
    outcome,
    replayed_lines,
    rows,
    written,
)

EVENTS = applications(11, days=4, per_day=300)
LINES = as_lines(EVENTS)
PLACE = 700
HERE = EVENTS[PLACE]


def odd(**changes: Any) -> bytes:
    return json.dumps({**HERE, "id": "odd", **changes}).encode()


def replaced(text: str) -> bytes:
    return odd(debts="@").replace(b'"@"', text.encode())


CASES: dict[str, tuple[bytes, str, str, str]] = {
    "broken JSON": (b'{"id": "odd", "ts": 17', "rejected", "not_json", ""),
    "not an object": (b"[1, 2]", "rejected", "not_an_object", ""),
    "not UTF-8": (b'{"id": "\xff"}', "rejected", "not_utf8", ""),
    "more than a message may be": (odd(country="x" * (1 << 20)), "rejected", "too_large", ""),
    "a very long string": (odd(country="x" * 1_000_000), "kept", "too_long", "feature:country"),
    "a wrong type": (odd(debts="many"), "kept", "wrong_type", "feature:debts"),
    "NaN": (replaced("NaN"), "kept", "not_finite", "feature:debts"),
    "infinity": (replaced("-Infinity"), "kept", "not_finite", "feature:debts"),
    "a number beyond all floats": (replaced("1e999"), "kept", "not_finite", "feature:debts"),
    "a huge whole number": (replaced("9" * 400), "kept", "not_finite", "feature:debts"),
    "30 days late": (odd(ts=HERE["ts"] - 30 * DAY_MS), "kept", "late", ""),
    "a day in the future": (odd(ts=HERE["ts"] + DAY_MS), "rejected", "future", ""),
    "twice": (LINES[PLACE], "rejected", "duplicate", ""),
    "no time": (json.dumps({"id": "odd", "amount": 1}).encode(), "rejected", "no_event_time", ""),
}


def replay_with(folder: Path, line: bytes | None, **spec: Any) -> tuple[Any, Any]:
    lines = LINES if line is None else [*LINES[: PLACE + 1], line, *LINES[PLACE + 1 :]]
    return replayed_lines(folder, lines, configured(**spec))


@pytest.mark.parametrize("case", CASES)
def test_each_kind_of_bad_message_has_a_count_a_reason_and_a_place(tmp_path: Path, case: str) -> None:
    line, action, reason, field = CASES[case]

    store, done = replay_with(tmp_path, line)

    (letter,) = rows(store, "dead_letters")
    assert (letter["topic"], letter["partition"], letter["offset"]) == (TOPIC, 0, PLACE + 1)
    assert (letter["action"], letter["reason"], letter["field"]) == (action, reason, field)
    assert letter["detail"]
    assert letter["payload_bytes"] == len(line)
    assert bytes.fromhex(letter["payload"]) == line[: len(letter["payload"]) // 2]
    assert done.counters.reasons == {reason: 1}


@pytest.mark.parametrize("case", [case for case in CASES if CASES[case][1] == "rejected" or case == "30 days late"])
def test_a_message_that_counts_nowhere_changes_no_score(tmp_path: Path, case: str) -> None:
    clean, _ = replay_with(tmp_path / "clean", None)
    troubled, _ = replay_with(tmp_path / "troubled", CASES[case][0])
    assert outcome(troubled)["scores"] == outcome(clean)["scores"]


@pytest.mark.parametrize("case", ["a wrong type", "NaN", "a very long string", "a huge whole number"])
def test_a_bad_field_costs_the_event_only_that_field(tmp_path: Path, case: str) -> None:
    store, _ = replay_with(tmp_path, CASES[case][0])
    field = CASES[case][3]
    panes = [row for row in rows(store, "panes") if row["segment"] == ""]
    totals = {
        signal: sum(row["n"] for row in panes if row["signal"] == signal) for signal in {row["signal"] for row in panes}
    }
    assert totals.pop(field) == len(LINES)
    assert set(totals.values()) == {len(LINES) + 1}
    assert sum(row["invalid"] for row in panes) == 1


def test_missing_and_extra_fields_are_counted(tmp_path: Path) -> None:
    bare = {key: value for key, value in HERE.items() if key not in {"amount", "country"}}
    line = json.dumps({**bare, "id": "odd", "colour": "red"}).encode()
    schema = configured().models["loans"].spec.schema_.model_dump() | {"extra": "count"}

    store, done = replay_with(tmp_path, line, schema=schema, segments=[])

    missing = {row["signal"]: row["missing"] for row in rows(store, "panes") if row["missing"]}
    assert missing == {"feature:amount": 1, "feature:country": 1}
    (letter,) = rows(store, "dead_letters")
    assert (letter["offset"], letter["reason"], letter["detail"][:6]) == (
        PLACE + 1,
        "extra_field",
        letter["detail"][:6],
    )
    assert "colour" in letter["detail"] or letter["field"] == "colour"
    assert done.counters.reasons == {"extra_field": 1}


def test_an_hour_ahead_is_believed_within_max_ahead_and_refused_beyond_it(tmp_path: Path) -> None:
    ahead = odd(ts=HERE["ts"] + HOUR_MS)
    sources = [{"kafka": TOPIC, "event_time": {"path": "ts", "unit": "ms"}, "allowed_lateness": "1h"}]
    _, wide = replay_with(tmp_path / "wide", ahead)
    store, narrow = replay_with(tmp_path / "narrow", ahead, sources=[sources[0] | {"max_ahead": "30m"}])
    assert wide.counters.rejected == 0
    assert narrow.counters.reasons["future"] >= 1
    assert PLACE + 1 in {row["offset"] for row in rows(store, "dead_letters", reason="future")}


def test_many_late_events_are_all_counted_but_leave_few_dead_letters(tmp_path: Path) -> None:
    late = [json.dumps({**HERE, "id": f"late{i}", "ts": START_MS + i}).encode() for i in range(500)]

    store, done = replayed_lines(tmp_path, [*LINES, *late])

    assert done.counters.late == 500
    assert len(rows(store, "dead_letters")) == 10
    assert sum(row["n"] for row in rows(store, "panes", signal="volume", segment="") if row["late_at_ms"]) == 500


def replayed_file(path: Path) -> tuple[MemoryStore, FileSource]:
    store, source = MemoryStore(), FileSource({TOPIC: [path]})
    store.migrate()
    Replay(configured(), store, source).run()
    return store, source


def test_an_empty_file_is_an_answer_of_nothing(tmp_path: Path) -> None:
    store, _ = replayed_file(written(tmp_path, [[]])[0])
    assert outcome(store) == {name: [] for name in outcome(store)}


def test_a_gzip_file_cut_in_the_middle_counts_up_to_the_cut_and_says_where(tmp_path: Path) -> None:
    whole = gzip.compress(b"\n".join(LINES))
    path = tmp_path / "events.jsonl.gz"
    path.write_bytes(whole[: len(whole) // 2])

    store, source = replayed_file(path)

    assert 100 < sum(row["n"] for row in rows(store, "panes", signal="volume", segment="")) < len(LINES)
    (failure,) = source.failures
    assert "events.jsonl.gz" in failure
