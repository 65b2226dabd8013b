"""Levels that people accept, or that are adopted: the same log gives the same rows, and later changes alarm."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from monitor.clock import ManualClock
from monitor.config import Configuration
from monitor.evaluate.backtest import backtest, span_of
from monitor.evaluate.mark_log import Mark, log_mark, read_marks
from monitor.replay import Replay
from monitor.sources.files import FileSource
from monitor.watch import compile_watch
from sinks.store.batch import append
from sinks.store.contract import Query, Store
from sinks.store.memory import MemoryStore
from tests.monitor.streams import (
    DAY_MS,
    HOUR_MS,
    START_MS,
    TOPIC,
    configured,
    outcome,
    replayed,
    rows,
    written,
)

PER_HOUR = 24
DAYS = 30
CHANGE_DAY = 16.25
AGAIN_DAY = 25.25
WINDOW_MS = 6 * HOUR_MS

FIRST, SECOND = ("firing", CHANGE_DAY + 0.25), ("firing", AGAIN_DAY + 0.25)

Level = Callable[[float], float]
"""Returns the level of a signal, by day."""


def watched(**spec: Any) -> Configuration:
    detect = {"rule": "change", "false_alarms": "1 per 30d", "pane": "1h", "defaults": {"window": "6h"}}
    schema = {"id": "id", "features": {"x": {"type": "numeric"}, "country": {"type": "category"}}}
    return configured(detect=detect | spec.pop("detect", {}), schema=schema, segments=spec.pop("segments", []), **spec)


def shifted(day: float) -> float:
    return 1.0 * (day >= CHANGE_DAY)


def lines(level: Level = shifted, days: int = DAYS, seed: int = 1, country: str = "DE") -> list[bytes]:
    """Events of a number with a daily season."""
    rng, events = np.random.default_rng(seed), []
    for number in range(days * 24 * PER_HOUR):
        day = number / (24 * PER_HOUR)
        value = rng.normal() + 0.6 * np.sin(2 * np.pi * day) + level(day)
        at_ms = START_MS + number * HOUR_MS // PER_HOUR
        events.append({"id": str(number), "ts": at_ms, "x": float(value), "country": country})
    return [json.dumps(event).encode() for event in events]


def at(day: float) -> int:
    """A time, ms since the epoch."""
    return START_MS + round(day * DAY_MS)


def said(
    store: Store,
    *,
    says: str = "accepted",
    signal: str = "feature:x",
    from_day: float = CHANGE_DAY,
    on_day: float = 20,
    **more: Any,
) -> Mark:
    """Log a mark, on a day."""
    mark = Mark("loans", signal, "", "", says, at(from_day), 0, "ann", "prices rose", 0)  # type: ignore[arg-type]
    return log_mark(store, ManualClock(at(on_day)), Mark(**{**vars(mark), **more}))


def decided(day: float | None, **more: Any) -> MemoryStore:
    """An empty store with a mark that has effect from a day on; None: of which that is still to be settled."""
    store = MemoryStore()
    store.migrate()
    said(store, effective_ms=0 if day is None else at(day), **more)
    return store


def transitions(store: Store, signal: str = "feature:x") -> list[tuple[str, float]]:
    """States of the alerts of a signal, and the days of their windows' ends."""
    return [
        (alert["state"], (alert["at_ms"] - START_MS) / DAY_MS)
        for alert in sorted(rows(store, "alerts"), key=lambda alert: (alert["at_ms"], alert["sequence"]))
        if signal in {entry["signal"] for entry in json.loads(alert["signals"])}
    ]


def reasons(store: Store) -> list[str]:
    """What alerts that ended say."""
    ended = [alert for alert in rows(store, "alerts") if alert["state"] == "resolved"]
    return [entry["reason"] for alert in ended for entry in json.loads(alert["signals"])]


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A level that is higher by 1 from the morning of day 16 on, and by 2.5 from that of day 25 on."""
    return written(tmp_path_factory.mktemp("stream"), [lines(lambda day: shifted(day) + 1.5 * (day >= AGAIN_DAY))])


@pytest.fixture(scope="module")
def accepted(stream: list[Path]) -> Store:
    return replayed(watched(), stream, decided(20.25))[0]


def test_an_accepted_level_ends_its_alarm_and_the_next_change_is_an_alarm_of_its_own(accepted: Store) -> None:
    assert transitions(accepted) == [FIRST, ("resolved", 20.25), SECOND]
    assert "accepted by ann as the new normal from 2024-01-17 06:00 UTC on: prices rose" in reasons(accepted)[0]
    [row] = rows(accepted, "scores", signal="feature:x", detector="change", window_end_ms=at(20.25))
    assert (row["status"], row["detail"]) == (
        "ok",
        "accepted by ann as the new normal from 2024-01-17 06:00 UTC on: prices rose",
    )


def test_what_is_expected_from_then_on_is_stored(stream: list[Path]) -> None:
    store, _ = replayed(watched(), stream, decided(20.5))
    expected = {row["from_ms"]: _mean_expected(row) for row in rows(store, "expectations", signal="feature:x")}
    assert expected[at(20)] == pytest.approx(0, abs=0.2)
    assert expected[at(20.25)] == pytest.approx(0.9, abs=0.2)
    assert expected[at(21)] == pytest.approx(expected[at(20.25)], abs=0.1)


def _mean_expected(row: dict[str, Any]) -> float:
    return float(np.mean(json.loads(row["contrasts"])["contrasts"]["expected"][0]))


def test_without_an_acceptance_the_alarm_stands(stream: list[Path]) -> None:
    store, _ = replayed(watched(), stream)
    assert transitions(store)[0] == FIRST
    assert "resolved" not in dict(transitions(store))


@pytest.mark.parametrize("from_day", [10, 16.6, 20])
def test_a_time_that_misses_the_change_does_too(stream: list[Path], from_day: float) -> None:
    store, _ = replayed(watched(), stream, decided(20.25, from_day=from_day))
    assert transitions(store) == [FIRST, ("resolved", 20.25), SECOND]


@pytest.mark.parametrize("hours", [0, 1])
def test_a_change_that_is_announced_does_not_alarm(stream: list[Path], hours: float) -> None:
    """Said before anything was read: it has effect from the first window that ends behind that time."""
    store = decided(None, from_day=CHANGE_DAY - hours / 24)
    replayed(watched(), stream, store)
    [mark] = read_marks(store)
    assert mark.effective_ms == at(CHANGE_DAY + (0 if hours else 0.25))
    assert transitions(store) == [SECOND]


def test_a_level_can_be_accepted_when_its_alarm_is_over(tmp_path: Path) -> None:
    """An alarm of two days, accepted later: nothing changes but that its days teach."""
    brief = lines(lambda day: 1.0 * (CHANGE_DAY <= day < 18))
    store, _ = replayed(watched(), written(tmp_path, [brief]), decided(22, from_day=18))
    assert [state for state, _ in transitions(store)] == ["firing", "resolved"]


def mixed(kind: str, days: int = 30) -> list[bytes]:
    """Half of the events are gone, another country comes more often, or values are missing, from day 16 on."""
    rng = np.random.default_rng(3)
    events: list[dict[str, Any]] = []
    for hour in range(days * 24):
        is_new, wave = hour >= CHANGE_DAY * 24, 1 + 0.5 * np.sin(np.pi * hour / 12)
        for _ in range(rng.poisson(30 * wave * (0.5 if kind == "volume" and is_new else 1))):
            at_ms = START_MS + hour * HOUR_MS + int(rng.integers(HOUR_MS))
            value = None if kind == "missing" and is_new and rng.random() < 0.3 else float(rng.normal())
            country = rng.choice(["DE", "FR"], p=[0.3, 0.7] if kind == "mix" and is_new else [0.6, 0.4])
            events.append({"id": f"{len(events)}", "ts": at_ms, "x": value, "country": str(country)})
    return [json.dumps(event).encode() for event in sorted(events, key=lambda event: event["ts"])]


@pytest.mark.parametrize(
    ("kind", "signal"), [("volume", "volume"), ("mix", "feature:country"), ("missing", "feature:x")]
)
def test_volumes_shares_and_rates_have_new_normals_too(tmp_path: Path, kind: str, signal: str) -> None:
    paths = written(tmp_path, [mixed(kind)])
    store, _ = replayed(watched(), paths, decided(20.25, signal=signal))
    states = transitions(store, signal)
    assert CHANGE_DAY < states[0][1] <= CHANGE_DAY + 0.75
    assert states[-1] == ("resolved", 20.25)
    assert [state for state, _ in states if state != "updated"] == ["firing", "resolved"]
    announced, _ = replayed(watched(), paths, decided(None, signal=signal))
    assert transitions(announced, signal) == []


def test_only_the_series_that_was_accepted_is_at_a_new_level(tmp_path: Path) -> None:
    segments = [{"by": ["country"], "values": ["DE"]}]
    paths = written(tmp_path, [lines(days=22)])
    configuration = watched(segments=segments, alerts={"group_by": ["model", "segment"]})
    store, _ = replayed(configuration, paths, decided(20, segment="country=DE"))
    ended = {alert["segment"] for alert in rows(store, "alerts") if alert["state"] == "resolved"}
    assert ended == {"country=DE"}
    assert {alert["segment"] for alert in rows(store, "alerts")} == {"", "country=DE"}


# -- the same log gives the same rows ---------------------------------------------------------------------------------


def watching(store: Store, stream: list[Path], after: int, restart_every: int = 0, *, dies: bool = False) -> Store:
    """Replay while somebody accepts the level some batches after its alarm; a process may end, and another goes on."""
    batches, progress, stopping = 0, 0, [True]

    class StoppedError(Exception):
        pass

    def on_progress(_: Any) -> None:
        nonlocal batches, progress
        progress += 1
        batches += bool(rows(store, "alerts"))
        if batches >= after > 0 and not read_marks(store):
            said(store)
            if dies:
                raise StoppedError
        if restart_every and progress % restart_every == 0:
            raise StoppedError

    while stopping:
        replay = Replay(watched(), store, FileSource({TOPIC: list(stream)}))
        try:
            replay.run(batch=PER_HOUR * 5, on_progress=on_progress, checkpoint_every=PER_HOUR * 24)
            stopping.clear()
        except StoppedError:
            continue
    return store


def copied(store: Store) -> MemoryStore:
    """An empty store with the marks of another."""
    twin = MemoryStore()
    twin.migrate()
    append(twin, "marks", store.read(Query("marks")))
    return twin


@pytest.fixture(scope="module")
def live(stream: list[Path]) -> Store:
    store = MemoryStore()
    store.migrate()
    return watching(store, stream, after=20)


def test_an_acceptance_in_passing_has_effect_from_the_next_window_on(live: Store) -> None:
    [mark] = read_marks(live)
    assert mark.effective_ms > at(CHANGE_DAY)
    assert transitions(live) == [
        FIRST,
        ("resolved", (mark.effective_ms - START_MS) / DAY_MS),
        SECOND,
    ]


def test_a_replay_with_the_same_log_writes_the_same_rows(live: Store, stream: list[Path]) -> None:
    again, _ = replayed(watched(), stream, copied(live))
    assert outcome(again) == outcome(live)
    assert rows(again, "expectations") == rows(live, "expectations")


@pytest.mark.parametrize("restart_every", [7, 40])
def test_a_process_that_ends_anywhere_changes_no_row(live: Store, stream: list[Path], restart_every: int) -> None:
    store = copied(live)
    assert outcome(watching(store, stream, after=-1, restart_every=restart_every)) == outcome(live)


def test_a_process_that_ends_after_an_acceptance_goes_on_with_it(stream: list[Path]) -> None:
    store = MemoryStore()
    store.migrate()
    watching(store, stream, after=20, restart_every=10)
    assert outcome(store) == outcome(replayed(watched(), stream, copied(store))[0])
    assert [state for state, _ in transitions(store)] == ["firing", "resolved", "firing"]


@pytest.mark.parametrize("after", [1, 2, 3, 4, 20])
def test_a_process_that_ends_with_an_acceptance_decides_no_window_anew(stream: list[Path], after: int) -> None:
    """Some windows behind its checkpoint are stored already, and people have seen them."""
    store = MemoryStore()
    store.migrate()
    watching(store, stream, after, dies=True)
    assert outcome(store) == outcome(replayed(watched(), stream, copied(store))[0])
    assert [state for state, _ in transitions(store)] == ["firing", "resolved", "firing"]
    [mark] = read_marks(store)
    assert mark.effective_ms > at(FIRST[1])


def test_a_backtest_gives_the_alerts_that_were(live: Store) -> None:
    watch = compile_watch(watched(), "loans")
    done = backtest(live, watch, span_of(live, watch))
    assert [transition.to_row() for transition in done.transitions] == [
        {name: row[name] for name in done.transitions[0].to_row()} for row in rows(live, "alerts")
    ]


# -- skews ------------------------------------------------------------------------------------------------------------


def referred(folder: Path, **detect: Any) -> Configuration:
    rng = np.random.default_rng(11)
    table = pa.table({"x": rng.normal(size=5_000), "country": ["DE"] * 5_000})
    pq.write_table(table, folder / "training.parquet")
    return watched(baseline={"kind": "dataset", "uri": str(folder / "training.parquet")}, detect=detect)


def test_an_accepted_skew_is_said_again_when_it_moves_further(tmp_path: Path) -> None:
    """1 above the training data from the first event on, and a slow way to 2 in the second half."""
    stream = written(tmp_path, [lines(lambda day: 1.0 + max(0.0, (day - 14) / 14), days=30)])
    store, _ = replayed(referred(tmp_path), stream, decided(8, from_day=0))
    early = [(state, day) for state, day in transitions(store) if day < 14]
    assert [state for state, _ in early] == ["firing", "resolved"]
    assert early[0][1] <= 4
    assert early[1][1] == 8
    assert any(state == "firing" for state, day in transitions(store) if day > 14)


def test_an_accepted_skew_stays_so_when_the_configuration_changes(tmp_path: Path) -> None:
    paths = written(
        tmp_path,
        [
            lines(lambda day: 1.0, days=12),
        ],
    )
    more = written(tmp_path / "more", [lines(lambda day: 1.0, days=24)])
    store = decided(8, from_day=0)
    configuration = referred(tmp_path)
    Replay(configuration, store, FileSource({TOPIC: paths})).run(checkpoint_every=1)
    changed = referred(tmp_path, false_alarms="2 per 30d")
    Replay(changed, store, FileSource({TOPIC: more})).run(checkpoint_every=1)
    assert [state for state, _ in transitions(store)] == ["firing", "resolved"]


# -- adoption ---------------------------------------------------------------------------------------------------------


def test_what_has_stood_long_enough_is_adopted_and_says_so(stream: list[Path]) -> None:
    store, _ = replayed(watched(detect={"adopt_after": "5d"}), stream)
    assert transitions(store) == [FIRST, ("resolved", 22.25), SECOND]
    assert "adopted as the new normal after 5d" in reasons(store)[0]
    [mark] = read_marks(store)
    assert (mark.says, mark.created_by, mark.signal, mark.from_ms) == ("adopted", "", "feature:x", at(CHANGE_DAY))
    again, _ = replayed(watched(detect={"adopt_after": "5d"}), stream, copied(store))
    assert outcome(again) == outcome(store)
    assert rows(again, "marks") == rows(store, "marks")


def test_a_skew_that_has_stood_long_enough_is_adopted(tmp_path: Path) -> None:
    configuration = referred(tmp_path, adopt_after="6d")
    store, _ = replayed(configuration, written(tmp_path, [lines(lambda day: 1.0, days=20)]))
    assert [state for state, _ in transitions(store)] == ["firing", "resolved"]
    assert "adopted as the new normal after 6d" in reasons(store)[0]


def test_a_skew_is_adopted_since_a_midnight_whatever_the_clocks_did_since(tmp_path: Path) -> None:
    """Days were taken to have 24 hours: one was adopted since eleven in the evening."""
    configuration = referred(tmp_path, adopt_after="6d", time_zone="Europe/Berlin", defaults={"window": "1h"})
    summer_ms = int(datetime(2024, 3, 24, tzinfo=ZoneInfo("Europe/Berlin")).timestamp() * 1000)
    events = [json.loads(line) for line in lines(lambda day: 1.0, days=14)]
    stream = [json.dumps(event | {"ts": event["ts"] - START_MS + summer_ms}).encode() for event in events]
    store, _ = replayed(configuration, written(tmp_path, [stream]))
    [mark] = [mark for mark in read_marks(store) if mark.signal == "feature:x"]
    begins = datetime.fromtimestamp(mark.from_ms / 1000, ZoneInfo("Europe/Berlin"))
    assert (mark.says, begins.hour, begins < datetime(2024, 3, 31, tzinfo=begins.tzinfo)) == ("adopted", 0, True)


# -- marks ------------------------------------------------------------------------------------------------------------


def test_days_that_were_marked_harmless_teach(tmp_path: Path) -> None:
    """Weekly sales on a Wednesday alarm until somebody says that they are harmless."""
    sales = written(tmp_path, [lines(lambda day: 1.0 * (int(day) % 7 == 2 and day > 14), days=38)])
    unsaid, again, said_so = (
        list(map(repr, rows(replayed(watched(), sales, store)[0], "scores")))
        for store in (None, None, decided(18, says="harmless", from_day=16, to_ms=at(17)))
    )
    assert unsaid == again != said_so


@pytest.fixture(scope="module")
def sales(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A sale on a Wednesday, and none after it."""
    return written(tmp_path_factory.mktemp("sales"), [lines(lambda day: 1.0 * (int(day) == 16), days=22)])


def scores_with(sales: list[Path], *marks: tuple[str, float, float], **others: Any) -> list[str]:
    """Scores as text, of days of which is said something, on a day, that has effect from a day on."""
    store = MemoryStore()
    store.migrate()
    for says, on_day, effective in marks:
        about: dict[str, Any] = {"alert_id": "a", "from_day": 16, "to_ms": at(17)} | others
        said(store, says=says, on_day=on_day, effective_ms=at(effective), **about)
    if others:
        said(store, says="harmless", from_day=16, to_ms=at(17), alert_id="a", on_day=18, effective_ms=at(18))
    return list(map(repr, rows(replayed(watched(), sales, store)[0], "scores")))


HARMLESS = ("harmless", 18, 18)


@pytest.fixture(scope="module")
def taught(sales: list[Path]) -> list[str]:
    return scores_with(sales, HARMLESS)


def test_nothing_is_learned_from_an_alert_whose_mark_is_taken_back_in_time(
    sales: list[Path], taught: list[str]
) -> None:
    untaught = scores_with(sales)
    assert taught != untaught
    assert scores_with(sales, HARMLESS, ("real", 18.5, 18)) == untaught
    assert scores_with(sales, HARMLESS, ("real", 18.5, 17)) == untaught, "before the other has effect"
    assert scores_with(sales, HARMLESS, ("false", 18.5, 18), ("real", 18.6, 18)) == untaught


@pytest.mark.parametrize(
    "others",
    [
        [("real", 18.5, 19)],  # by then it has been learned
        [("real", 17.5, 18)],  # what is newer counts
        [("real", 18.5, 18), ("harmless", 18.6, 18)],
    ],
)
def test_what_has_been_learned_or_is_said_once_more_is_not_taken_back(
    sales: list[Path], taught: list[str], others: list[tuple[str, float, float]]
) -> None:
    assert scores_with(sales, HARMLESS, *others) == taught


@pytest.fixture(scope="module")
def spikes(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A number that is higher for one window of every second day from day 15 on."""
    return written(
        tmp_path_factory.mktemp("spikes"), [lines(lambda day: 3.0 * (day >= 15 and 0.25 <= day % 2 < 0.5), days=26)]
    )


def test_what_is_said_on_the_day_of_an_alarm_that_is_over_is_learned(spikes: list[Path]) -> None:
    alert = {"from_day": 16.25, "to_ms": at(16.75), "alert_id": "a"}
    unsaid, harmless, false = (
        replayed(watched(), spikes, store)[0]
        for store in (None, *(decided(17, says=says, **alert) for says in ("harmless", "false")))
    )
    assert ("firing", 16.5) in transitions(unsaid)
    assert list(map(repr, rows(harmless, "scores"))) != list(map(repr, rows(unsaid, "scores")))
    assert _limits(false, 17) > _limits(harmless, 17)


def test_false_ones_raise_the_threshold_of_their_signal_alone(spikes: list[Path]) -> None:
    store = MemoryStore()
    store.migrate()
    for day in (16, 18, 20, 22):
        about: dict[str, Any] = {"from_day": day + 0.25, "to_ms": at(day + 0.75), "alert_id": str(day)}
        said(store, says="false", effective_ms=at(day + 1), **about)
    assert len(transitions(replayed(watched(), spikes)[0])) > len(transitions(replayed(watched(), spikes, store)[0]))
    assert _limits(store, 23) > 1.5 * _limits(store, 23, "feature:country")
    [of_x], [of_country] = (
        rows(store, "expectations", signal=f"feature:{name}", from_ms=at(23)) for name in ("x", "country")
    )
    assert of_x["threshold"] == _limits(store, 23)
    assert json.loads(of_x["contrasts"])["raised"][0] == pytest.approx(of_x["threshold"] - of_country["threshold"])
    assert "raised" not in json.loads(of_country["contrasts"])


def _limits(store: Store, day: int, signal: str = "feature:x") -> float:
    """The threshold of a signal in the first window of a day."""
    of_signal = {"signal": signal, "detector": "change", "window_end_ms": at(day + 0.25)}
    return next(float(row["surprise_limit"]) for row in rows(store, "scores", **of_signal))


@pytest.mark.parametrize("of", [{"alert_id": "b"}, {"signal": "volume"}, {"version": "v2"}])
def test_a_mark_of_another_alert_or_series_takes_nothing_back(
    sales: list[Path], taught: list[str], of: dict[str, str]
) -> None:
    assert scores_with(sales, ("real", 18.5, 18), **of) == taught
