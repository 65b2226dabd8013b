"""Estimators that are fitted on stored events: a file with the same events, and their newest labels, is the oracle."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from monitor.config import load
from monitor.config.model import Model
from monitor.errors import InputError
from monitor.estimators.artefact import Kind, StoredEvents, read_artefact
from monitor.estimators.fitting import fit
from monitor.estimators.labelled import LabelledEvents
from monitor.ingest.duplicates import digests
from monitor.packed import Texts
from monitor.panes.distributions import Part
from monitor.replay import Replay
from monitor.slices import fitting, sample
from monitor.slices.fitting import stored_events, stored_span
from monitor.sources.files import FileSource
from monitor.watch import Watch, watch_of
from sinks.store.chdb import ChdbStore
from sinks.store.contract import Query, Store
from sinks.store.memory import MemoryStore
from tests.cli.console import Console
from tests.estimators.streams import EVERY_MS, START_MS, Stream, configured, model
from tests.estimators.test_fitting import fitted, read

COUNT = 700
HOUR_MS = 3_600_000
PART = Part(START_MS, START_MS + COUNT * EVERY_MS)
UNLABELLED, RETRACTED, CORRECTED = 11, 13, 7
"""Every so many events have no label, one that was taken back, or one that was corrected."""


def document(**spec: Any) -> dict[str, Any]:
    """The model, with a private field and one that is not kept."""
    made = model()
    made["spec"]["schema"]["features"] |= {
        "income": {"type": "numeric", "privacy": "personal"},
        "note": {"type": "category"},
    }
    made["spec"]["keep"] = {"events": 1.0, "without": ["feature:note"]}
    made["spec"] |= spec
    return made


def drawn() -> list[dict[str, Any]]:
    """Events with what turned out to be true of them in the end, if that is known."""
    stream = Stream(1, count=COUNT, hard=0.5)
    events = [event | {"income": 1e6 + event["ts"] % 977, "note": "n"} for event in stream.events()]
    for number, (event, is_positive) in enumerate(zip(events, stream.is_positive.tolist(), strict=True)):
        event["outcome"] = "yes" if is_positive else "no"
        if number % UNLABELLED == 0 or number % RETRACTED == 0:
            event["outcome"] = None
    return events


def truths(events: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Labels as they come, an hour after the event or, where they are corrected, two."""
    wrong = {"yes": "no", "no": "yes", None: "yes"}
    for number, event in enumerate(events):
        if number % UNLABELLED == 0:
            continue
        label = {"id": event["id"], "ts": event["ts"] + HOUR_MS, "outcome": event["outcome"]}
        if number % RETRACTED == 0 or number % CORRECTED == 0:
            yield label | {"outcome": wrong[event["outcome"]]}
            label["ts"] += HOUR_MS
        yield label


def watched(**spec: Any) -> Watch:
    return watch_of(Model.model_validate(document(**spec)), None)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A service's documents, its events, and a file of those that have a label."""
    folder = tmp_path_factory.mktemp("stored")
    configured(folder)
    (folder / "loans.yaml").write_text(json.dumps(document()))
    events = drawn()
    labelled = [{n: v for n, v in e.items() if n != "note"} for e in events if e["outcome"] is not None]
    outcomes = sorted(truths(events), key=lambda label: label["ts"])
    for name, lines in (("labelled", labelled), ("events", events), ("outcomes", outcomes)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


@pytest.fixture(scope="module")
def store(folder: Path) -> MemoryStore:
    store = MemoryStore()
    topics = {"loans": [folder / "events.jsonl"], "outcomes": [folder / "outcomes.jsonl"]}
    Replay(load(folder / "leeway.yaml"), store, FileSource(topics)).run()
    return store


def of_file(folder: Path) -> LabelledEvents:
    return read(folder / "labelled.jsonl", document())


@pytest.mark.parametrize("kind", ["cbpe", "mpp"])
def test_what_is_fitted_is_what_a_file_of_the_same_events_gives(kind: Kind, folder: Path, store: MemoryStore) -> None:
    watch = watched()
    events = stored_events(store, watch, PART, kind)
    artefact = fit(kind, events, watch.judged_plan, "loans")
    expected = fitted(kind, folder / "labelled.jsonl", document())
    assert artefact.fitted.events == len(of_file(folder)) < COUNT
    assert artefact.fitted.left_out.pop("feature:note") == "keep.without"
    assert expected.fitted.left_out.pop("feature:note") == "no column of the file"
    assert artefact.fitted.left_out == {"feature:income": "private"}
    # An hour after the last event with a label comes that, or another hour later, a correction.
    last_ms = max(label["ts"] for label in truths(drawn()) if label["outcome"] is not None)
    assert artefact.fitted.stored == StoredEvents(PART.from_ms, PART.to_ms, last_ms, is_all=True)
    assert msgspec.structs.replace(artefact, fitted=expected.fitted) == expected
    assert msgspec.structs.replace(artefact.fitted, source="labelled.jsonl", stored=None) == expected.fitted


def test_of_many_events_those_with_the_smallest_hashes_are_taken_in_their_order(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = watched()
    labelled = [event for event in drawn() if event["outcome"] is not None]
    hashes = digests(Texts.of([event["id"] for event in labelled]))
    smallest = [labelled[row]["score"] for row in np.sort(np.argsort(hashes)[:40]).tolist()]
    monkeypatch.setattr(fitting, "MOST_FITTED", 40)
    cuts: list[tuple[Kind, int, int]] = [("mpp", 7, 11), ("cbpe", 1_000, 50)]
    for kind, page, at_once in cuts:
        monkeypatch.setattr(sample, "PAGE_ROWS", page)
        monkeypatch.setattr(sample, "IDS_AT_ONCE", at_once)
        taken = stored_events(store, watch, PART, kind)
        assert taken.numeric["prediction:score"].tolist() == smallest
        assert taken.stored is not None
        assert not taken.stored.is_all


def test_of_very_many_ids_those_with_the_smallest_hashes_are_looked_for(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fitting, "MOST_IDS", 100)
    monkeypatch.setattr(sample, "PAGE_ROWS", 64)
    hashes = digests(Texts.of([event["id"] for event in drawn()]))
    smallest = [drawn()[row] for row in np.sort(np.argsort(hashes)[:100]).tolist()]
    taken = stored_events(store, watched(), PART, "cbpe")
    expected = [event["score"] for event in smallest if event["outcome"] is not None]
    assert taken.numeric["prediction:score"].tolist() == expected
    assert taken.stored is not None
    assert not taken.stored.is_all


def test_predictions_without_an_id_are_nobodys(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    # given more of them than are read of one id
    beside = MemoryStore()
    for table in ("predicted", "labels"):
        rows = store.read(Query(table, {"model": "loans"}))
        beside.append(table, rows, token=table)
        if table == "predicted":
            nobodys = rows | {"partition": rows["partition"] + 1, "id_digest": np.zeros(COUNT, dtype=np.int64)}
            beside.append(table, nobodys, token="nobodys")
    monkeypatch.setattr(sample, "MOST_ROWS", COUNT - 1)
    monkeypatch.setattr(sample, "IDS_AT_ONCE", 100)
    # then
    taken, expected = (stored_events(each, watched(), PART, "cbpe") for each in (beside, store))
    assert repr(taken) == repr(expected)
    assert taken.stored is not None
    assert taken.stored.is_all


def test_numbers_and_classes_are_those_of_a_file(tmp_path: Path) -> None:
    # given predictions of a number and of a class, whose labels are known, or cannot be compared
    random = np.random.default_rng(3)
    for type_, draw in (
        ("numeric", lambda: round(random.normal(), 3)),
        ("category", lambda: str(random.choice([*"ab"]))),
    ):
        schema = document()["spec"]["schema"] | {
            "prediction": {"answer": {"type": type_}},
            "labels": {"true": {"type": type_}},
        }
        made = document(schema=schema, performance={}, keep={"events": 1.0})
        events = [e | {"answer": draw(), "true": draw() if n % 9 else None} for n, e in enumerate(drawn()[:50])]
        (tmp_path / "events.jsonl").write_text("".join(json.dumps(e) + "\n" for e in events))
        configured(tmp_path)
        (tmp_path / "loans.yaml").write_text(json.dumps(made))
        store = MemoryStore()
        paths = [tmp_path / "events.jsonl"]
        Replay(load(tmp_path / "leeway.yaml"), store, FileSource({"loans": paths, "outcomes": paths})).run()
        # when
        kind: Kind = "dle" if type_ == "numeric" else "mpp"
        taken = stored_events(
            store, watch_of(Model.model_validate(made), None), Part(*stored_span(store, "loans")), kind
        )
        # then
        expected = read(paths[0], made)
        assert taken.outcome.tolist() == expected.outcome.tolist()
        assert taken.category == expected.category
        assert repr({s: v.tolist() for s, v in taken.numeric.items()}) == repr(
            {s: v.tolist() for s, v in expected.numeric.items()}
        )


@pytest.mark.parametrize(
    ("spec", "kind", "words"),
    [
        ({"keep": {}}, "mpp", "mpp looks at features, and no events are stored: set `spec.keep.events`"),
        ({}, "mpp", "no events of this time are stored: `spec.keep.events` says how many"),
        ({}, "cbpe", "no predictions of this time are stored with an id: they are from when `spec.performance`"),
    ],
)
def test_where_nothing_is_stored_it_says_what_to_configure(spec: dict[str, Any], kind: Kind, words: str) -> None:
    empty = MemoryStore()
    assert stored_span(empty, "loans") == (0, 0)
    with pytest.raises(InputError) as refused:
        stored_events(empty, watched(**spec), PART, kind)
    assert words in str(refused.value)


def test_events_without_labels_are_refused(store: MemoryStore) -> None:
    with pytest.raises(InputError) as refused:
        stored_events(store, watched(), Part(START_MS, START_MS + 1), "cbpe")
    assert "1 events are stored of this time, and none has a label that fits" in str(refused.value)
    with pytest.raises(InputError, match="no event of this time is of version 'v9' and has a label that fits"):
        stored_events(store, watched(), replace(PART, version="v9"), "cbpe")


def test_a_private_score_is_not_calibrated(store: MemoryStore) -> None:
    schema = document()["spec"]["schema"]
    schema["prediction"] = {"score": {"type": "numeric", "privacy": {"bucket": [0, 0.5, 1]}}}
    watch = watched(schema=schema)
    events = stored_events(store, watch, PART, "cbpe")
    assert events.numeric == {}
    with pytest.raises(InputError, match="prediction:score is private"):
        fit("cbpe", events, watch.judged_plan, "loans")


def copied(table: str, origin: Store, copy: Store) -> None:
    copy.append(table, origin.read(Query(table)), token=table)


@pytest.fixture
def console(
    folder: Path,
    store: MemoryStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Console:
    with closing(ChdbStore(tmp_path / "store")) as made:
        made.migrate()
        for table in ("predicted", "labels", "events"):
            copied(table, store, made)
    monkeypatch.chdir(tmp_path)
    for name in ("leeway.yaml", "loans.yaml"):
        (tmp_path / name).write_text((folder / name).read_text())
    return Console(capsys)


def test_the_command_fits_on_what_is_stored(console: Console, folder: Path, tmp_path: Path) -> None:
    fit_stored = partial(console, "estimator", "fit", "leeway.yaml", "--from")
    said = fit_stored("store", "--kind", "cbpe", "--store", "store")
    assert (said.code, said.err) == (0, "")
    assert "fitted on" in said.out
    assert "events of the store" in said.out
    assert "  predicted      from 2023-11-14T22:13:20Z to 2023-11-15T01:08:" in said.out
    assert "  labelled       by 2023-11-15T0" in said.out
    assert console("estimator", "show", "loans.cbpe.json").out == said.out
    fit_stored(folder / "labelled.jsonl", "--kind", "cbpe", "--to", "file.json")
    of_store, of_file = (read_artefact(tmp_path / name) for name in ("loans.cbpe.json", "file.json"))
    assert msgspec.structs.replace(of_store, fitted=of_file.fitted) == of_file
    shorter = fit_stored("store", "--store", "store", "--until", str(START_MS + 100 * EVERY_MS))
    assert shorter.code == 2
    assert "events have a prediction and a label, and 300 are needed" in shorter.err
    for options, words in (
        ((folder / "labelled.jsonl", "--since", "-1d"), "go with --from store"),
        (("store", "--store", "none"), "no store at none"),
        (("store", "--store", "store", "--since", "-1d", "--until", "-2d"), "--since has to be earlier"),
        (("store", "--store", "store", "--since", "yesterday"), "'yesterday' is not a time"),
        (("store",), "A store in memory ends with its process"),
    ):
        refused = fit_stored(*options)
        assert (refused.code, words in refused.err) == (2, True), refused.err
