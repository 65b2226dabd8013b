"""Single events are stored when the configuration says so, the same ones whatever happens on the way."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.config.keep import Keep
from monitor.config.service import Service
from monitor.replay import Replay, Replayed
from monitor.sources.files import FileSource
from monitor.watch import compile_watch
from sinks.store.chdb import ChdbStore
from sinks.store.contract import Store
from sinks.store.memory import MemoryStore
from tests.monitor.streams import (
    DAY_MS,
    SPEC,
    START_MS,
    TOPIC,
    applications,
    as_lines,
    configured,
    outcome,
    replayed,
    replayed_lines,
    rows,
    troubled,
    written,
)

ALL = {"events": True, "predictions": True, "subject": "customer"}
SOME = {"events": "5%", "predictions": "30%", "subject": "customer"}
KEPT = ("events", "predictions", "labels")


def customers(seed: int, **options: Any) -> list[dict[str, Any]]:
    """Applications, each of one of forty customers."""
    events = applications(seed, **options)
    return [{**event, "customer": f"c{number * 7919 % 40}"} for number, event in enumerate(events)]


def with_customers(lines: list[bytes]) -> list[bytes]:
    """The lines of a troubled stream, those of whole events with a customer."""
    return [
        line.replace(b'"id": "', b'"customer": "c%d", "id": "' % (place % 40), 1) for place, line in enumerate(lines)
    ]


def kept(store: Store) -> dict[str, list[str]]:
    return {table: [json.dumps(row) for row in rows(store, table)] for table in KEPT}


@pytest.fixture(scope="module")
def troubles() -> list[bytes]:
    return with_customers(troubled(21, days=6))


@pytest.fixture(scope="module")
def unbroken(troubles: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    store, _ = replayed_lines(tmp_path_factory.mktemp("unbroken"), troubles, configured(keep=SOME))
    found = kept(store)
    assert len(found["events"]) > 20
    assert len(found["predictions"]) > 4 * len(found["events"])
    return found


def test_nothing_is_kept_unless_the_configuration_says_so(tmp_path: Path) -> None:
    store, _ = replayed_lines(tmp_path, as_lines(customers(1, days=2)))
    assert kept(store) == {table: [] for table in KEPT}


def test_what_is_kept_of_an_event_is_what_the_schema_names_and_no_more(tmp_path: Path) -> None:
    # given an event with a field that the schema does not name, one to be left out, and one that cannot be read
    events = customers(2, days=2)
    events[5] |= {"secret": "s3cret", "debts": "many"}
    keep = {**ALL, "without": ["feature:age"]}
    # when it is kept
    store, _ = replayed_lines(tmp_path, as_lines(events), configured(keep=keep))
    # then
    found = {row["id"]: row for row in rows(store, "events")}
    assert len(found) == len(events)
    event = events[5]
    assert json.loads(found[event["id"]].pop("fields")) == {
        "feature:amount": event["amount"],
        "feature:debts": None,
        "prediction:score": event["score"],
        "feature:country": event["country"],
    }
    assert found[event["id"]] == {
        "model": "loans",
        "event_ms": event["ts"],
        "topic": TOPIC,
        "partition": 0,
        "offset": 5,
        "record_ms": -1,
        "version": "v1",
        "id": event["id"],
        "subject": event["customer"],
    }
    assert b"s3cret" not in json.dumps(kept(store)).encode()


def test_a_prediction_is_a_row_for_each_part_that_could_be_read(tmp_path: Path) -> None:
    schema = {**SPEC["schema"], "prediction": {"score": {"type": "numeric"}, "decision": {"type": "category"}}}
    events = [{**event, "decision": "no" if event["score"] < 0.3 else "yes"} for event in customers(3, days=2)]
    events[3]["score"], events[3]["decision"] = "high", None
    store, _ = replayed_lines(tmp_path, as_lines(events), configured(schema=schema, keep={"predictions": True}))
    found = rows(store, "predictions")
    assert not rows(store, "events")
    scores = {row["id"]: row["value"] for row in found if row["signal"] == "prediction:score"}
    assert scores == {event["id"]: event["score"] for event in events if event["id"] != events[3]["id"]}
    decisions = {row["id"]: row["label"] for row in found if row["signal"] == "prediction:decision"}
    assert decisions == {event["id"]: event["decision"] for event in events if event["id"] != events[3]["id"]}
    by_id = {event["id"]: event for event in events}
    for row in found:
        country = by_id[row["id"]]["country"]
        assert row["segments"] == ([f"country={country}"] if country in {"DE", "FR"} else [])
        assert row["subject"] == ""


def test_duplicates_and_events_that_are_not_believed_are_not_kept(tmp_path: Path) -> None:
    events = customers(4, days=2)
    lines = as_lines(events)
    doubled = [twin for line in lines for twin in (line, line)]
    doubled.insert(100, json.dumps({**events[50], "id": "future", "ts": events[50]["ts"] + 9 * DAY_MS}).encode())
    store, done = replayed_lines(tmp_path, doubled, configured(keep=ALL))
    assert done.counters.reasons["duplicate"] == len(events)
    assert sorted(row["id"] for row in rows(store, "events")) == sorted(event["id"] for event in events)


def test_a_sample_is_part_of_every_larger_one_and_as_large_as_asked_for(tmp_path: Path) -> None:
    lines = as_lines(customers(5, days=8))
    found = {}
    for share in ("2%", "20%", "60%"):
        store, _ = replayed_lines(tmp_path, lines, configured(keep={"events": share}))
        found[share] = {row["id"] for row in rows(store, "events")}
        expected = len(lines) * float(share[:-1]) / 100
        assert abs(len(found[share]) - expected) < 4 * expected**0.5
    assert found["2%"] < found["20%"] < found["60%"]


def test_events_and_predictions_of_one_identity_are_kept_together_across_topics(tmp_path: Path) -> None:
    # given features and predictions on topics of their own, in another order
    events = customers(6, days=2)
    features = [{k: v for k, v in event.items() if k != "score"} for event in events]
    scores = [{k: event[k] for k in ("id", "ts", "version", "score", "customer")} for event in reversed(events)]
    base = {"event_time": {"path": "ts", "unit": "ms"}, "allowed_lateness": "5d", "max_ahead": "9d"}
    sources = [{"kafka": "f", "kind": "features", **base}, {"kafka": "p", "kind": "prediction", **base}]
    keep = {"events": "30%", "predictions": "30%"}
    configuration = configured(sources=sources, segments=[], keep=keep)
    files = {
        "f": written(tmp_path / "f", [as_lines(features[::2]), as_lines(features[1::2])]),
        "p": written(tmp_path / "p", [as_lines(scores)]),
    }
    store = MemoryStore()
    Replay(configuration, store, FileSource(files)).run()
    kept_of = {topic: {row["id"] for row in rows(store, "events", topic=topic)} for topic in ("f", "p")}
    assert kept_of["f"] == kept_of["p"] == {row["id"] for row in rows(store, "predictions")}
    assert kept_of["f"]


@pytest.mark.parametrize(("batch", "every"), [(1, 0), (13, 0), (317, 400), (100_000, 0)])
def test_batches_and_checkpoints_do_not_show(
    batch: int, every: int, troubles: list[bytes], unbroken: dict[str, list[str]], tmp_path: Path
) -> None:
    store, _ = replayed_lines(tmp_path, troubles, configured(keep=SOME), batch=batch, checkpoint_every=every)
    assert kept(store) == unbroken


def test_partitions_do_not_show_but_in_the_coordinates(tmp_path: Path) -> None:
    events = customers(7, days=3)
    configuration = configured(keep=SOME)
    one, _ = replayed_lines(tmp_path / "one", as_lines(events), configuration)
    parts = [as_lines(events[start::3]) for start in range(3)]
    several, _ = replayed(configuration, written(tmp_path / "several", parts), batch=70)

    def without_place(store: Store, table: str) -> list[Any]:
        return sorted(
            [
                json.dumps({k: v for k, v in row.items() if k not in {"partition", "offset"}})
                for row in rows(store, table)
            ]
        )

    for table in ("events", "predictions"):
        assert without_place(several, table) == without_place(one, table)


def test_a_replay_over_the_same_store_changes_nothing(
    troubles: list[bytes], unbroken: dict[str, list[str]], tmp_path: Path
) -> None:
    store, _ = replayed_lines(tmp_path, troubles, configured(keep=SOME), batch=500, checkpoint_every=700)
    replayed_lines(tmp_path, troubles, configured(keep=SOME), store=store, batch=300)
    assert kept(store) == unbroken


def test_keeping_changes_no_score_no_pane_and_no_checkpoint_of_what_is_watched(
    troubles: list[bytes], tmp_path: Path
) -> None:
    without, _ = replayed_lines(tmp_path, troubles)
    store, _ = replayed_lines(tmp_path, troubles, configured(keep=SOME))
    found = outcome(store)
    assert {table: found[table] for table in outcome(without)} == outcome(without)
    plain, keeping = compile_watch(configured(), "loans"), compile_watch(configured(keep=SOME), "loans")
    assert (plain.fold_hash, plain.config_hash) == (keeping.fold_hash, keeping.config_hash)


# -- labels ----------------------------------------------------------------------------------------------------

LABELLED: dict[str, Any] = {
    "sources": [*SPEC["sources"], {"kafka": "outcomes", "kind": "labels", "event_time": {"path": "at", "unit": "ms"}}],
    "schema": {**SPEC["schema"], "labels": {"defaulted": {"type": "category"}, "loss": {"type": "numeric"}}},
    "keep": ALL,
}


def outcomes_of(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What became of every third application, twenty days later."""
    return [
        {"id": event["id"], "at": event["ts"] + 20 * DAY_MS, "defaulted": event["score"] > 0.5, "loss": event["amount"]}
        for event in events[::3]
    ]


def replay_labelled(folder: Path, events: list[Any], outcomes: list[bytes], **options: Any) -> tuple[Store, Replayed]:
    store = options.pop("store", None) or MemoryStore()
    files = {
        TOPIC: written(folder / "events", [as_lines(events)]),
        "outcomes": written(folder / "outcomes", [outcomes]),
    }
    return store, Replay(configured(**LABELLED), store, FileSource(files)).run(**options)


def test_labels_are_stored_with_their_time_and_hold_no_window_back(tmp_path: Path) -> None:
    # given outcomes that come twenty days after the events, and one that is for no event
    events = customers(8, days=4)
    outcomes = outcomes_of(events)
    lines = [*as_lines(outcomes), json.dumps({"at": START_MS, "defaulted": True}).encode()]
    # when
    store, done = replay_labelled(tmp_path, events, lines)
    # then every outcome is two rows
    found = rows(store, "labels")
    assert {row["id"]: row["label"] for row in found if row["signal"] == "label:defaulted"} == {
        outcome["id"]: str(outcome["defaulted"]).lower() for outcome in outcomes
    }
    assert {(row["id"], row["event_ms"], row["value"]) for row in found if row["signal"] == "label:loss"} == {
        (outcome["id"], outcome["at"], outcome["loss"]) for outcome in outcomes
    }
    assert done.counters.labels == len(lines)
    assert done.counters.events == len(events)
    assert [(row["reason"], row["offset"]) for row in rows(store, "dead_letters")] == [("no_id", len(outcomes))]
    # and nothing else differs from a model without labels
    plain, _ = replayed_lines(tmp_path, as_lines(events))
    for table in ("scores", "panes", "alerts"):
        assert outcome(store)[table] == outcome(plain)[table]


@pytest.mark.parametrize("batch", [1, 50, 10_000])
def test_batches_do_not_show_in_labels(batch: int, tmp_path: Path) -> None:
    events = customers(9, days=2)
    lines = as_lines(outcomes_of(events))
    whole, _ = replay_labelled(tmp_path / "whole", events, lines)
    cut, _ = replay_labelled(tmp_path / "cut", events, lines, batch=batch, checkpoint_every=60)
    assert kept(cut) == kept(whole)


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChdbStore]:
    opened = ChdbStore(tmp_path_factory.mktemp("keep") / "store")
    opened.migrate()
    yield opened
    opened.close()


def test_the_embedded_store_holds_the_same_rows_and_joins_labels_to_predictions(
    embedded: ChdbStore, tmp_path: Path
) -> None:
    # given outcomes of which one was corrected later
    events = customers(10, days=3)
    outcomes = outcomes_of(events)
    corrected = {**outcomes[4], "at": outcomes[4]["at"] + DAY_MS, "loss": -1.0}
    lines = as_lines([corrected, *outcomes])
    memory, _ = replay_labelled(tmp_path / "memory", events, lines)
    # when
    replay_labelled(tmp_path / "chdb", events, lines, store=embedded, batch=90, checkpoint_every=200)
    # then
    assert kept(embedded) == kept(memory)
    sql = """
        SELECT id, predicted_value, predicted_ms, labelled_ms, value
        FROM labelled_predictions WHERE model = 'loans' AND label_signal = 'label:loss' ORDER BY id
    """
    found = embedded.query(sql)
    newest = {outcome["id"]: outcome for outcome in [*outcomes, corrected]}
    by_id = {event["id"]: event for event in events}
    assert found["id"] == sorted(newest)
    for identity, score, predicted_ms, labelled_ms, loss in zip(*found.values(), strict=True):
        assert (score, predicted_ms) == (by_id[identity]["score"], by_id[identity]["ts"])
        assert (labelled_ms, loss) == (newest[identity]["at"], newest[identity]["loss"])


# -- configuration ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"keep": {"events": "120%"}}, "between 0% and 100%"),
        ({"keep": {"events": 5}}, "percentage"),
        ({"keep": {"for": {"events": "soon"}}}, "duration"),
        ({"keep": {"for": {"events": "10ms"}}}, "whole seconds"),
        ({"keep": {"without": ["age"]}}, "not a signal"),
        ({"keep": {"event": True}}, "Extra inputs"),
        ({"keep": {"predictions": True}, "schema": {"features": {"x": {"type": "numeric"}}}}, "no prediction"),
        ({"sources": LABELLED["sources"]}, "schema.labels must say"),
        ({"schema": LABELLED["schema"]}, "need a source of `kind: labels`"),
        ({"schema": LABELLED["schema"], "sources": LABELLED["sources"][1:]}, "one that is not of kind labels"),
        (
            {"schema": {**LABELLED["schema"], "id": None}, "sources": LABELLED["sources"]},
            "schema.id must say which event",
        ),
    ],
)
def test_what_cannot_be_kept_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        configured(segments=[], **changes)


def test_the_examples_of_the_manual_are_configurations() -> None:
    text = (Path(__file__).parents[2] / "docs" / "retention.md").read_text()
    model, service = (yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", text, flags=re.DOTALL))
    keep = configured(**{**model["spec"], "segments": []}).models["loans"].spec.keep
    assert (keep.events, keep.predictions, keep.for_.labels) == (0.01, 1.0, 365 * DAY_MS)
    kept = Service.model_validate({"apiVersion": "leeway/v1", **service}).spec.store.keep
    assert (kept.panes, kept.scores, kept.findings) == (30 * DAY_MS, 730 * DAY_MS, None)


def test_what_is_kept_is_kept_for_a_while_unless_it_says_otherwise() -> None:
    assert Keep().for_.events == 30 * DAY_MS
    keep = Keep.model_validate({"for": {"events": "7d", "labels": "forever"}})
    assert (keep.for_.events, keep.for_.predictions, keep.for_.labels) == (7 * DAY_MS, 180 * DAY_MS, None)
