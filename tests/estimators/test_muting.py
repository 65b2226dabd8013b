"""An estimator that is too far from what turns out to be true alarms no more, and that is said."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from monitor.config import load
from monitor.estimators.artefact import Artefact, read_artefact, write_artefact
from monitor.estimators.estimator import Estimator
from monitor.evaluate.mark_log import Mark, note_adopted, read_marks, take_up
from monitor.evaluate.muting import alert_of, mutings, take_up_mutings
from monitor.performance.fidelity import follow_estimators, margin_of, own_deviation_of
from monitor.performance.performance import Performance
from monitor.replay import Replay, decisions
from monitor.sources.files import FileSource
from monitor.values import DAY_MS
from monitor.watch import compile_watch
from sinks.store.batch import append
from sinks.store.contract import Query, Store
from sinks.store.memory import MemoryStore
from sinks.store.rows import rows_of
from tests.estimators.streams import START_MS, Stream, configured
from tests.estimators.test_fitting import fitted

SIGNAL = "estimated:accuracy"
A_DAY, DAYS, DRIFTS, MENDED = 400, 40, 12, 26
EVERY_MS = DAY_MS // A_DAY
SPEC: dict[str, Any] = {"judge_at": ["1h"], "estimates": {"accuracy": {"uri": "loans.cbpe.json"}}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty days of events, of which every third label is the other one from one day to another: concept drift."""
    folder = tmp_path_factory.mktemp("muting")
    write_artefact(folder / "loans.cbpe.json", fitted("cbpe", Stream(1).write(folder / "labelled.parquet")))
    stream = Stream(3, count=A_DAY * DAYS)
    day = np.arange(A_DAY * DAYS) // A_DAY
    other = (day >= DRIFTS) & (day < MENDED) & (np.random.default_rng(4).random(len(day)) < 1 / 3)
    is_positive = stream.is_positive ^ other
    with (folder / "loans.jsonl").open("w") as events, (folder / "outcomes.jsonl").open("w") as labels:
        for i, event in enumerate(stream.events()):
            at_ms = START_MS + i * EVERY_MS
            events.write(json.dumps(event | {"ts": at_ms}) + "\n")
            label = {"id": event["id"], "ts": at_ms + 60_000, "outcome": "yes" if is_positive[i] else "no"}
            labels.write(json.dumps(label) + "\n")
    return folder


def replayed(folder: Path, batch: int = 10_000, store: Store | None = None) -> Store:
    store = store or MemoryStore()
    files = {"loans": [folder / "loans.jsonl"], "outcomes": [folder / "outcomes.jsonl"]}
    Replay(configured(folder, **SPEC), store, FileSource(files)).run(batch)
    return store


@cache
def whole(folder: Path) -> Store:
    return replayed(folder)


def day_of(mark: Mark) -> int:
    return (mark.from_ms - START_MS // DAY_MS * DAY_MS) // DAY_MS - 1


def test_it_is_muted_after_a_concept_drift_and_heard_once_estimates_are_right_again(folder: Path) -> None:
    muted, heard = read_marks(whole(folder), "loans")
    assert (muted.says, heard.says, muted.signal, muted.alert_id) == ("muted", "heard", SIGNAL, heard.alert_id)
    assert DRIFTS + 2 <= day_of(muted) <= DRIFTS + 7
    assert MENDED + 2 <= day_of(heard) <= MENDED + 14
    assert "where 79.5 % was estimated" in muted.reason
    assert "for longer than chance explains" in muted.reason
    # Windows were evaluated before any of this was known: what takes effect does with the next one.
    assert {muted.effective_ms, heard.effective_ms} == {0}


def test_the_same_is_found_whatever_the_batch_and_however_often_it_is_looked_for(folder: Path) -> None:
    store = replayed(folder, batch=777)
    assert read_marks(store, "loans") == read_marks(whole(folder), "loans")
    watch = compile_watch(configured(folder, **SPEC), "loans")
    settled = take_up(store, "loans", START_MS // DAY_MS * DAY_MS, 3_600_000)
    follow_estimators(store, watch, Performance(watch, store).progress().judged_ms)
    # After a crash the days since the last checkpoint are compared once more.
    store.append("checkpoints", _older(store), token="older")
    follow_estimators(store, watch, Performance(watch, store).progress().judged_ms)
    assert [mark.effective_ms for mark in read_marks(store, "loans")] == [mark.effective_ms for mark in settled]


def _older(store: Store) -> dict[str, list[Any]]:
    rows = store.read(Query("checkpoints", {"stage": "estimators"}))
    assert len(rows["position"]) == 1
    return {name: list(values) for name, values in rows.items()}


def test_estimates_of_events_as_hard_as_ever_are_never_muted(folder: Path) -> None:
    [artefact] = [read_artefact(folder / "loans.cbpe.json")]
    before = [mark for mark in read_marks(whole(folder), "loans") if day_of(mark) < DRIFTS]
    assert before == []
    assert margin_of(Estimator(SIGNAL, artefact)) == max(2 * artefact.fidelity.error, 0.02)


@pytest.mark.parametrize(("error", "chance", "beyond"), [(0.05, 0.03, 0.04), (0.03, 0.03, 0.0), (0.02, 0.03, 0.0)])
def test_days_stray_by_what_fitting_measured_beyond_chance(
    folder: Path, error: float, chance: float, beyond: float
) -> None:
    artefact = read_artefact(folder / "loans.cbpe.json")
    measured = msgspec.structs.replace(artefact.fidelity, error=error, chance_error=chance)
    estimator = Estimator(SIGNAL, msgspec.structs.replace(artefact, fidelity=measured))
    # The mean size of a normal number is sqrt(2 / pi) times its standard deviation.
    assert own_deviation_of(estimator) == pytest.approx(beyond * np.sqrt(np.pi / 2))


# -- what muting does --------------------------------------------------------------------------------------------------

TURN, COUNT = 9_000, 10_500
HOUR_MS = 3_600_000


@pytest.fixture(scope="module")
def turning(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Events that turn hard after a month, which the estimator sees and alarms about."""
    folder = tmp_path_factory.mktemp("turning")
    write_artefact(folder / "loans.cbpe.json", fitted("mpp", Stream(1).write(folder / "labelled.parquet")))
    stream = Stream(2, count=COUNT, hard=np.where(np.arange(COUNT) < TURN, 0.1, 0.9))
    lines = [json.dumps(event | {"ts": START_MS + i * 240_000}) for i, event in enumerate(stream.events())]
    (folder / "loans.jsonl").write_text("\n".join(lines) + "\n")
    (folder / "outcomes.jsonl").write_text("")
    return folder


def marks_of(artefact: Artefact, *effective_ms: int) -> list[Mark]:
    from_ms, estimator = START_MS, Estimator(SIGNAL, artefact)
    about: dict[str, Any] = {"alert_id": alert_of("loans", estimator, from_ms)}
    said = zip(("muted", "heard"), effective_ms, strict=False)
    return [
        Mark("loans", SIGNAL, "", "", says, from_ms, 0, "", f"it is {says}", from_ms, at_ms, **about)  # type: ignore[arg-type]
        for says, at_ms in said
    ]


def alerts_of(store: Store, name: str) -> list[dict[str, Any]]:
    rows = [row | {"labels": json.loads(row["labels"])} for row in rows_of(store.read(Query("alerts")))]
    return [row for row in rows if row["labels"]["alertname"] == name]


def signals_of(store: Store) -> set[str]:
    rows = [row for row in alerts_of(store, "LeewayDrift") if row["state"] != "resolved"]
    return {signal["signal"] for row in rows for signal in json.loads(row["signals"])}


def test_a_signal_that_is_muted_alarms_nobody_and_an_alert_says_so_once(turning: Path) -> None:
    assert SIGNAL in signals_of(replayed(turning))
    turn_ms = START_MS + TURN * 240_000
    muted_ms = turn_ms // HOUR_MS * HOUR_MS - 10 * HOUR_MS
    store = MemoryStore()
    note_adopted(store, marks_of(read_artefact(turning / "loans.cbpe.json"), muted_ms))

    replayed(turning, store=store)

    assert SIGNAL not in signals_of(store)
    [notice] = alerts_of(store, "LeewayEstimator")
    assert (notice["state"], notice["at_ms"], notice["severity"]) == ("firing", muted_ms, "warning")
    assert notice["title"] == f"loans: {SIGNAL} is muted, it is muted"
    # What it would have said stays there to be read.
    scores = rows_of(store.read(Query("scores", {"signal": SIGNAL}, {"window_end_ms": turn_ms})))
    assert "drift" in {row["status"] for row in scores}
    assert [mark.says for mark in read_marks(store, "loans")] == ["muted"]

    again = MemoryStore()
    for table, rows in decisions(store, ["loans"]).items():
        append(again, table, rows)
    replayed(turning, batch=999, store=again)
    assert rows_of(again.read(Query("alerts"))) == rows_of(store.read(Query("alerts")))


def test_it_alarms_again_once_it_is_heard_or_another_fit_takes_its_place(turning: Path, tmp_path: Path) -> None:
    turn_ms = (START_MS + TURN * 240_000) // HOUR_MS * HOUR_MS
    artefact = read_artefact(turning / "loans.cbpe.json")
    store = MemoryStore()
    note_adopted(store, marks_of(artefact, turn_ms - 10 * HOUR_MS, turn_ms - 5 * HOUR_MS))
    replayed(turning, store=store)
    assert SIGNAL in signals_of(store)
    assert [row["state"] for row in alerts_of(store, "LeewayEstimator")] == ["firing", "resolved"]

    for name in ("loans.jsonl", "outcomes.jsonl"):
        (tmp_path / name).symlink_to(turning / name)
    write_artefact(tmp_path / "loans.cbpe.json", fitted("mpp", Stream(7).write(tmp_path / "others.parquet")))
    store = MemoryStore()
    note_adopted(store, marks_of(artefact, turn_ms - 10 * HOUR_MS))
    replayed(tmp_path, store=store)
    assert SIGNAL in signals_of(store)
    [spell] = mutings(read_marks(store, "loans"))
    assert spell.heard is not None
    assert "another fit" in spell.heard.reason


def test_a_lost_fit_that_is_used_again_after_others_is_muted_anew(folder: Path, tmp_path: Path) -> None:
    store, lost_days = MemoryStore(), DRIFTS + 9
    for name in ("loans.jsonl", "outcomes.jsonl"):
        lines = (folder / name).read_text().splitlines(keepends=True)
        (tmp_path / name).write_text("".join(lines[: lost_days * A_DAY]))
    (tmp_path / "loans.cbpe.json").symlink_to(folder / "loans.cbpe.json")
    replayed(tmp_path, store=store)
    take_up(store, "loans", 0, 3_600_000)
    without = compile_watch(configured(tmp_path, **SPEC | {"estimates": {}}), "loans")
    # A configuration without it, which is rolled back.
    [spell] = take_up_mutings(store, without, read_marks(store, "loans"), START_MS)
    assert spell.heard is not None

    replayed(folder, store=store)
    *_, again = (each for each in mutings(read_marks(store, "loans")) if each.muted.from_ms > spell.muted.from_ms)
    assert lost_days <= day_of(again.muted) < MENDED
    assert again.heard is not None
    assert MENDED + 2 <= day_of(again.heard) <= MENDED + 14


@pytest.mark.parametrize("rule", ["change", "variation"])
def test_muting_ends_with_the_configuration_that_had_the_estimator(rule: str, turning: Path) -> None:
    store, artefact = MemoryStore(), read_artefact(turning / "loans.cbpe.json")
    note_adopted(store, marks_of(artefact, START_MS // HOUR_MS * HOUR_MS))
    configured(turning, **SPEC | {"estimates": {}})
    document = json.loads((turning / "loans.yaml").read_text())
    document["spec"]["detect"]["rule"] = rule
    (turning / "loans.yaml").write_text(json.dumps(document))
    files = {"loans": [turning / "few.jsonl"], "outcomes": [turning / "outcomes.jsonl"]}
    events = (turning / "loans.jsonl").read_text().splitlines(keepends=True)
    (turning / "few.jsonl").write_text("".join(events[:200]))
    Replay(load(turning / "leeway.yaml"), store, FileSource(files)).run(1_000)
    [spell] = mutings(read_marks(store, "loans"))
    assert spell.heard is not None
    assert "resolved" in {row["state"] for row in alerts_of(store, "LeewayEstimator")}
