"""Sums of joined predictions and labels are those of a slow obvious reference, whatever happened on the way."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score

from detectors.performance import Question, Sums, add_up, estimates
from monitor.clock import ManualClock
from monitor.config import Configuration
from monitor.erasure.erase import Eraser, Request
from monitor.errors import LeewayError
from monitor.evaluate.horizon import Closed, Horizon
from monitor.events import ENDED, Partition, Records
from monitor.ingest.ingest import Ingest
from monitor.ingest.readers import Readers
from monitor.messages import of_life
from monitor.performance.horizon import Reach, reach_of
from monitor.performance.hours import NOW
from monitor.performance.job import work_out
from monitor.performance.performance import Performance
from monitor.performance.waiting import waiting
from monitor.replay import decisions
from monitor.sources.contract import Resume, Source
from monitor.watch import Watch, compile_watch
from sinks.store.batch import append
from sinks.store.chdb import ChdbStore
from sinks.store.contract import Query, Store, StoreError
from sinks.store.label_join import hours_of_labels, labels_of, predictions_of_hours
from sinks.store.memory import MemoryStore
from tests.monitor.streams import START_MS, configured, rows
from tests.sinks.store.samples import plain

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
AGES = (HOUR_MS // 2, 3 * HOUR_MS)
SPEC: dict[str, Any] = {
    "sources": [
        {"kafka": "scores", "event_time": {"path": "at", "unit": "ms"}, "allowed_lateness": "10m", "max_ahead": "400d"},
        {"kafka": "truth", "kind": "labels", "event_time": {"path": "at", "unit": "ms"}, "allowed_lateness": "10m"},
    ],
    "schema": {
        "id": "id",
        "version": "version",
        "features": {"country": {"type": "category"}, "rule": {"type": "numeric"}},
        "prediction": {"score": {"type": "numeric"}},
        "labels": {"bad": {"type": "category"}, "loss": {"type": "numeric"}, "times": {"type": "numeric"}},
    },
    "segments": [{"by": ["country"], "values": ["DE", "FR"]}],
    "performance": {
        "label": "bad", "positive": "true", "weight": "times", "value": "loss", "judge_at": ["30m", "3h"],
        "baselines": {"rule": {"kind": "field", "field": "rule"}, "prior": {"kind": "prior"}},
    },
    "keep": {"for": {"predictions": "forever", "labels": "forever"}},
}  # fmt: skip
DETECT = {"false_alarms": "1 per 30d", "pane": "10s"}
LATENESS_MS = 600_000


@pytest.fixture(scope="module")
def configuration() -> Configuration:
    return configured("m", **SPEC, baseline={"kind": "rolling"}, detect=DETECT)


@pytest.fixture(scope="module")
def watch(configuration: Configuration) -> Watch:
    return compile_watch(configuration, "m")


class Cut(Source):
    """Messages of partitions, given out in parts that somebody else has chosen."""

    guarantee, bounded = "all of them, once", True

    def __init__(
        self, messages: Mapping[Partition, Sequence[bytes]], parts: Sequence[tuple[Partition, int]], first: int = 0
    ) -> None:
        self._messages, self._parts, self.gaps, self._first = messages, list(parts), [], first
        self._at = dict.fromkeys(messages, 0)

    def open(self, resume: Resume) -> None:
        self._at = {partition: resume(*partition) or 0 for partition in self._messages}

    def poll(self, max_records: int, timeout_s: float) -> Sequence[Records]:
        if not self._parts:
            return []
        partition, count = self._parts.pop(0)
        first = self._at[partition]
        payloads = self._messages[partition][first : first + count]
        self._at[partition] += len(payloads)
        offsets = self._first + np.arange(first, first + len(payloads))
        return [Records(*partition, offsets, np.full(len(payloads), -1), list(payloads))] if payloads else []

    def partitions(self) -> frozenset[Partition]:
        return frozenset(self._messages)

    assigned = partitions

    def at_end(self) -> frozenset[Partition]:
        return frozenset(each for each, payloads in self._messages.items() if self._at[each] == len(payloads))

    def close(self) -> None:
        return None


def as_bytes(messages: Sequence[Mapping[str, Any]]) -> list[bytes]:
    return [json.dumps(message).encode() for message in messages]


# -- streams and what is made of them ---------------------------------------------------------------------------


def stream(seed: int, count: int = 60) -> dict[Partition, list[bytes]]:
    """Predictions of six hours, and labels that are late, early, repeated, corrected, taken back and partial."""
    rng = np.random.default_rng(seed)
    predictions, labels = [], []
    for number in range(count):
        at_ms = START_MS + int(number * 6 * HOUR_MS / count + rng.normal(0, LATENESS_MS))
        identity = f"p{number if rng.random() < 0.95 else number // 2}"
        version, country = str(rng.choice(["1", "2"])), str(rng.choice(["DE", "FR", "PL"]))
        score = None if rng.random() < 0.05 else float(rng.integers(0, 20)) / 16
        event = {"id": identity, "at": at_ms, "version": version, "country": country, "score": score}
        event["rule"] = None if number % 11 == 0 else number % 7 / 5
        predictions.append(event if rng.random() < 0.97 else {**event, "id": None})
        for said_ms in at_ms + rng.normal(HOUR_MS, 2 * HOUR_MS, rng.integers(0, 4)):
            labels.append({"id": identity, "at": int(said_ms), **_said(rng)})
    labels.sort(key=lambda label: label["at"] + rng.normal(0, HOUR_MS / 2))
    labels += [label for label in labels if rng.random() < 0.1]
    parts: dict[Partition, list[Any]] = {(topic, number): [] for topic in ("scores", "truth") for number in (0, 1)}
    for topic, messages in (("scores", predictions), ("truth", labels)):
        for message in messages:
            parts[topic, int(rng.integers(0, 2))].append(message)
    return {partition: as_bytes(messages) for partition, messages in parts.items()}


def _said(rng: np.random.Generator) -> dict[str, Any]:
    choices: dict[str, list[Any]] = {
        "bad": [True, False, None],
        "loss": [1.5, -0.25, 7.125, None],
        "times": [1, 2, 3, None],
    }
    return {name: said[rng.integers(0, len(said))] for name, said in choices.items() if rng.random() < 0.8}


def run(
    watch: Watch,
    messages: Mapping[Partition, list[bytes]],
    parts: Sequence[tuple[Partition, int]] = (),
    crashes: frozenset[int] = frozenset(),
    store: Store | None = None,
) -> Store:
    """Ingest in these parts, ending without notice behind some of them, and work out performance in between."""
    store = store or MemoryStore()
    everything = [(partition, len(lines)) for partition, lines in messages.items()]
    source = Cut(messages, [*parts, *everything])
    ingest = Ingest(Readers([watch]), store, source)
    ingest.open()
    there = dict.fromkeys(messages, False)
    for number in range(len(source._parts)):
        ingest.step(10_000, 0.0)
        performance(watch, store).advance(there, START_MS + number * HOUR_MS, at_once=number % 3 > 1)
        if number % 4 == 0:
            ingest.save()
        if number in crashes:
            ingest = Ingest(Readers([watch]), store, source)
            ingest.open()
    source._parts += everything
    while ingest.step(10_000, 0.0) or source._parts:
        pass
    ingest.finish()
    performance(watch, store).advance(None, START_MS, at_once=True)
    return store


def performance(watch: Watch, store: Store) -> Performance:
    made = Performance(watch, store)
    made.page, made.budget = 7, 12
    return made


def results(store: Store) -> list[dict[str, Any]]:
    return rows(store, "performance")


# -- the slow obvious way ----------------------------------------------------------------------------------------


def reference(watch: Watch, store: Store) -> dict[tuple[Any, ...], dict[str, Any]]:
    """What is known of each hour, version and segment at each age, event by event, from the rows as they are stored."""
    shown = "label" if watch.judged_plan.scheme.kind == "ranking" else "value"
    labels: dict[tuple[int, str], list[dict[str, Any]]] = {}
    for row in rows(store, "labels"):
        labels.setdefault((row["id_digest"], row["signal"]), []).append(row)
    complete_ms = 1 + max(row["newest_ms"] for table in ("progress", "label_progress") for row in rows(store, table))
    found: dict[tuple[Any, ...], list[tuple[Any, ...]]] = {}
    for row in rows(store, "predicted"):
        hour_ms = row["event_ms"] // HOUR_MS * HOUR_MS
        for age_ms in (NOW, *AGES):
            until_ms = ENDED if age_ms == NOW else hour_ms + HOUR_MS + age_ms
            if row["known_ms"] >= until_ms or (age_ms != NOW and until_ms > complete_ms):
                continue
            said = [
                newest(labels.get((row["id_digest"], f"label:{name}"), []), until_ms)
                for name in ("bad", "times", "loss")
            ]
            for segment in ("", *row["segments"]):
                found.setdefault((hour_ms, age_ms, row["version"], segment), []).append(
                    (row[shown], *said, row["naive_value"])
                )
    return {key: summed(watch, events) for key, events in sorted(found.items())}


def newest(labels: list[dict[str, Any]], until_ms: int) -> dict[str, Any] | None:
    known = [label for label in labels if label["known_ms"] < until_ms]
    places = ("event_ms", "topic", "partition", "offset")
    last = max(known, key=lambda label: tuple(label[name] for name in places), default=None)
    return None if last is None or last["retracted"] else last


def summed(watch: Watch, events: list[tuple[Any, ...]]) -> dict[str, Any]:
    plan = watch.model.spec.performance_plan
    assert plan is not None
    labelled = [event for event in events if event[1] is not None]
    numbers = [[np.nan if said is None else said["value"] for _, *_, said in part] for part in
               ([event[:3] for event in labelled], [event[:4] for event in labelled])]  # fmt: skip
    scores, rules = (np.array([event[at] for event in labelled]) for at in (0, -1))
    weights, values = map(np.array, numbers)
    sums = plan.scheme.fold(scores, [event[1]["label"] for event in labelled], weights, values, rules)
    return {"predictions": len(events), "labelled": len(labelled), **sums.to_row()}


def test_of_more_versions_than_are_told_apart_those_without_a_place_are_judged_together() -> None:
    # given one version for each event, as where the field is an id
    schema = {**SPEC["schema"], "max_versions": 2}
    watch = compile_watch(
        configured("m", **SPEC | {"schema": schema}, baseline={"kind": "rolling"}, detect=DETECT), "m"
    )
    events: list[dict[str, Any]] = [
        {"id": f"e{i}", "at": START_MS + i * HOUR_MS // 8, "version": f"v{i}", "country": "DE", "score": 0.75}
        for i in range(40)
    ]
    labels = [{"id": event["id"], "at": event["at"] + 1, "bad": "true"} for event in events]
    # when
    store = run(watch, {("scores", 0): as_bytes(events), ("truth", 0): as_bytes(labels)}, [(("scores", 0), 3)])
    # then
    judged = rows(store, "performance", segment="", age_ms=NOW)
    assert (
        {row["version"] for row in judged} == {"v0", "v1", "other"} == {row["version"] for row in rows(store, "panes")}
    )
    assert sum(row["predictions"] for row in judged) == 40


@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 10_000), data=st.data())
def test_whatever_the_cut_and_the_order_of_topics_and_the_crashes_the_rows_are_those_of_a_slow_reference(
    watch: Watch, seed: int, data: st.DataObject
) -> None:
    messages = stream(seed)
    parts = data.draw(st.lists(st.tuples(st.sampled_from(sorted(messages)), st.integers(1, 40)), max_size=14))
    crashes = data.draw(st.frozensets(st.integers(0, 14), max_size=3))
    # when
    cut, whole = run(watch, messages, parts, crashes), run(watch, messages)
    # then
    assert results(cut) == results(whole)
    expected = reference(watch, whole)
    stored = {tuple(row[name] for name in ("hour_ms", "age_ms", "version", "segment")): row for row in results(whole)}
    assert stored.keys() == expected.keys()
    for key, row in expected.items():
        assert {name: stored[key][name] for name in row} == row


@pytest.fixture(scope="module")
def whole(watch: Watch) -> Store:
    return run(watch, stream(3))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChdbStore]:
    opened = ChdbStore(tmp_path_factory.mktemp("performance") / "store")
    opened.migrate()
    yield opened
    opened.close()


def test_the_embedded_store_joins_the_same(watch: Watch, whole: Store, store: ChdbStore) -> None:
    run(watch, stream(3), [(("truth", 1), 9), (("scores", 0), 20), (("truth", 1), 5)], frozenset({1}), store)
    assert results(store) == results(whole)
    positions, signals = ("truth", 1, 0, of_life(2, 0)), ["label:bad"]
    in_parts = [hours_of_labels(each, "m", signals, positions, most=5) for each in (store, whole)]
    assert in_parts[0] == in_parts[1] == hours_of_labels(store, "m", signals, positions)
    sums = "sum(tp + fp + fn + tn) = sum(weight), sum(labelled), min(accuracy) >= 0 AND max(accuracy) <= 1"
    history = store.query(f"SELECT {sums} FROM performance_history WHERE age_ms = 0 AND segment = '' AND weight > 0")
    newest_rows = [row for row in results(whole) if row["age_ms"] == NOW and not row["segment"]]
    labelled = sum(row["labelled"] for row in newest_rows if Sums.from_row(row).labels)
    assert [column[0] for column in history.values()] == [1, labelled, 1]


def test_hours_are_put_together_up_to_a_page_of_predictions(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hours between which others stay as they are, and hours in a row."""
    sizes: list[tuple[int, int]] = []

    def noting(store: Store, model: str, signals: Sequence[str], hours_ms: Sequence[int], until_ms: int) -> Any:
        sizes.append((len(hours_ms), sum(predictions_of_hours(store, model, hours_ms).values())))
        return labels_of(store, model, signals, hours_ms, until_ms)

    monkeypatch.setattr("monitor.performance.performance.labels_of", noting)
    at_ms = [START_MS + 2 * hour * HOUR_MS + each for hour in range(8) for each in range(3)]
    events = [{"id": f"e{ms}", "at": ms, "version": "1", "country": "DE", "score": 0.75} for ms in at_ms]
    late = [{"id": event["id"], "at": START_MS + 9 * DAY_MS, "bad": "true"} for event in events]
    run(watch, {("scores", 0): as_bytes(events), ("truth", 0): as_bytes(late)}, [(("scores", 0), 24)])
    assert max(predictions for _, predictions in sizes) == 6
    assert sizes[:6] == [(2, 6)] * 6


def test_an_erasure_finds_predictions_and_their_labels_without_any_id(store: ChdbStore) -> None:
    # given predictions of two subjects, and labels that do not say whose they are
    digests = [7, 8]
    subjects = {"model": "of_people", "subject": ["anna", "berta"], "id_digest": digests, "offset": digests}
    store.append("predicted", plain("predicted", 2, **subjects), token="predicted of people")
    labels = {"model": "of_people", "subject": "", "id": "", "id_digest": digests, "offset": digests}
    store.append("labels", plain("labels", 2, **labels), token="labels of people")
    # when
    people = configured("of_people", keep={"subject": "customer.id"})
    erased = Eraser(store, people, ManualClock(now_ms=START_MS)).erase(Request("anna"))
    # then
    assert (erased.rows["predicted"], erased.rows["labels"]) == (1, 1)
    for table in ("predicted", "labels"):
        assert [row["id_digest"] for row in rows(store, table, model="of_people")] == [8]


def test_what_is_counted_of_labels_is_what_there_is(watch: Watch, whole: Store) -> None:
    predicted = {row["offset"] for row in rows(whole, "predicted")}
    assert predicted
    for row in results(whole):
        assert sum(row["class_predictions"]) <= row["predictions"]
        assert sum(row["class_labelled"]) <= row["labelled"] == sum(row["delay_labels"])
        assert set(row["classes"]) <= {"true", "other"}
    newest = [row for row in results(whole) if row["age_ms"] == NOW and not row["segment"]]
    assert sum(row["predictions"] for row in newest) == len(rows(whole, "predicted"))


def test_an_hour_waits_for_labels_and_says_for_which(watch: Watch) -> None:
    # given predictions that are far ahead of the labels
    messages = stream(5)
    store = MemoryStore()
    there = dict.fromkeys(messages, False)
    ingest = Ingest(
        Readers([watch]), store, Cut(messages, [(("scores", 0), 99), (("scores", 1), 99), (("truth", 0), 3)])
    )
    ingest.open()
    while ingest.step(10_000, 0.0):
        work_out([watch], store, START_MS)
    # then nothing is judged, and it is said for what that waits
    assert {row["age_ms"] for row in results(store)} == {NOW}
    reach = reach_of(store, "m", watch.model.spec, there)
    assert reach.complete_ms is None
    assert reach.held_back_by()[0] == (("truth", 1), None)
    assert waiting(store, watch).judged_ms is None


def test_no_hour_waits_for_what_has_ended() -> None:
    closed = {("events.jsonl", 0): Closed(ENDED, START_MS), ("truth", 0): Closed(START_MS, START_MS)}
    waits = Reach(closed, {}, frozenset({("truth", 0)}), Horizon(frozenset(closed)))
    assert waits.held_back_by() == [(("truth", 0), START_MS)]


def test_hours_of_which_predictions_are_read_later_from_another_partition_are_worked_out_again_at_once(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given the predictions of one partition with their labels, days after they were made
    messages = stream(11)
    store, now_ms = MemoryStore(), START_MS + 9 * DAY_MS
    ingest = Ingest(
        Readers([watch]),
        store,
        Cut(messages, [(("truth", 0), 999), (("truth", 1), 999), (("scores", 0), 999), (("scores", 1), 999)]),
    )
    ingest.open()
    for _ in range(3):
        ingest.step(10_000, 0.0)
    work_out([watch], store, now_ms)
    # when those of the other partition come a minute later; more than can be worked out in one round
    monkeypatch.setattr("monitor.performance.performance.BUDGET", 30)
    ingest.step(10_000, 0.0)
    for rounds in range(4):
        work_out([watch], store, now_ms + 60_000 + rounds)
    # then the newest rows have all of them
    newest = [row for row in results(store) if row["age_ms"] == NOW and not row["segment"]]
    assert sum(row["predictions"] for row in newest) == len(rows(store, "predicted"))


def test_late_predictions_that_come_one_by_one_have_their_hour_worked_out_a_few_times(watch: Watch) -> None:
    # given an hour of many predictions
    now_ms = START_MS + 9 * DAY_MS
    events = [
        {"id": f"e{i}", "at": START_MS + 3_500 * i, "version": "1", "country": "DE", "score": 0.75}
        for i in range(1_000)
    ]
    late = [{**event, "id": f"late{i}"} for i, event in enumerate(events[:90])]
    newer = [{**event, "id": f"newer{i}", "at": START_MS + HOUR_MS + i * 60_000} for i, event in enumerate(late)]
    pairs = [event for pair in zip(late, newer, strict=True) for event in pair]
    store, topic = MemoryStore(), ("scores", 0)
    ingest = Ingest(
        Readers([watch]), store, Cut({topic: as_bytes([*events, *pairs])}, [(topic, 1_002), *[(topic, 2)] * 89])
    )
    ingest.open()
    # when a few more come again and again
    counts = []
    for _ in range(90):
        ingest.step(10_000, 0.0)
        work_out([watch], store, now_ms)
        [row] = rows(store, "performance", age_ms=NOW, segment="", hour_ms=START_MS)
        counts.append(row["predictions"])
    # then most of them wait for the others
    assert sorted(set(counts)) == [1_001, 1_022, 1_043, 1_065, 1_087]


def test_a_silent_partition_is_not_waited_for_and_what_it_says_later_changes_no_row_that_was_judged(
    watch: Watch,
) -> None:
    # given a partition of labels that is taken for silent after a few of them
    messages = {**stream(7), ("truth", 2): []}
    parts = [(each, 3 if each == ("truth", 1) else 999) for each in sorted(messages)]
    store = MemoryStore()
    ingest = Ingest(Readers([watch]), store, Cut(messages, [*parts, (("truth", 1), 999)]))
    ingest.open()
    for _ in parts:
        ingest.step(10_000, 0.0)
    silent = {each: each in {("truth", 1), ("truth", 2)} for each in messages}
    performance(watch, store).advance(silent, START_MS)
    judged = [row for row in results(store) if row["age_ms"] != NOW]
    assert judged
    # when it speaks again
    ingest.step(10_000, 0.0)
    performance(watch, store).advance(dict.fromkeys(messages, False), START_MS, at_once=True)
    # then the rows that were judged stay, and whoever works them out again from the log of decisions gets the same
    again = {row["hour_ms"]: row for row in results(store) if row["age_ms"] != NOW}
    assert [row for row in results(store) if row in judged] == judged
    assert again
    other = MemoryStore()
    for table, columns in decisions(store, ["m"]).items():
        append(other, table, columns)
    replayed = [row for row in results(run(watch, messages, store=other)) if row["age_ms"] != NOW]
    assert [row for row in replayed if row in judged] == judged


def test_labels_of_a_partition_that_is_added_later_change_no_row_that_was_judged(watch: Watch) -> None:
    # given hours that were judged while there was one partition of labels
    messages, store, added = stream(7), MemoryStore(), ("truth", 1)
    first = sorted(messages.keys() - {added})
    ingest = Ingest(Readers([watch]), store, Cut(messages, [(each, 999) for each in [*first, added]]))
    ingest.open()
    for _ in first:
        ingest.step(10_000, 0.0)
    performance(watch, store).advance(dict.fromkeys(first, False), START_MS)
    judged = [row for row in results(store) if row["age_ms"] != NOW]
    assert judged
    # when another one has labels of these hours
    ingest.step(10_000, 0.0)
    ingest.finish()
    performance(watch, store).advance(None, START_MS, at_once=True)
    # then a replay by what was decided writes the same
    other = MemoryStore()
    for table, columns in decisions(store, ["m"]).items():
        append(other, table, columns)
    assert results(run(watch, messages, store=other)) == results(store)
    assert [row for row in results(store) if row in judged] == judged


class Asked(MemoryStore):
    """A store that is asked a bounded number of times."""

    questions = 200

    def read(self, query: Query) -> Any:
        self.questions -= 1
        assert self.questions, "asked too often"
        return super().read(query)


class Failing(MemoryStore):
    """A store in which questions about performance fail for some models."""

    fails: Mapping[str, Exception] = {}

    def read(self, query: Query) -> Any:
        if query.table == "performance_progress" and query.where["model"] in self.fails:
            raise self.fails[query.where["model"]]
        return super().read(query)


def test_topics_that_are_made_anew_are_joined_on(watch: Watch) -> None:
    # given a log whose next life is counted from far behind the one before
    messages, store = stream(11, 20), Asked()
    source = Cut(messages, [(each, 99) for each in messages], first=of_life(1, 0))
    ingest = Ingest(Readers([watch]), store, source)
    ingest.open()
    for _ in messages:
        ingest.step(10_000, 0.0)
    work_out([watch], store, START_MS)
    # then
    assert {row["age_ms"] for row in results(store)} == {NOW}
    assert waiting(store, watch).touched == 0


def test_a_model_that_fails_holds_up_no_other() -> None:
    # given a model of which rows are of no form that is known, one that the store cannot answer for, and another one
    watches = [
        compile_watch(configured(name, **SPEC, baseline={"kind": "rolling"}, detect=DETECT), name) for name in "abc"
    ]
    store, messages = Failing(), stream(11, 20)
    ingest = Ingest(Readers(watches), store, Cut(messages, [(each, 99) for each in messages]))
    ingest.open()
    for _ in messages:
        ingest.step(10_000, 0.0)
    store.fails = {"a": ValueError("no form that is known"), "b": StoreError("too much at once", retryable=True)}
    # when
    with pytest.raises(LeewayError, match=r"^not worked out: a \(ValueError\); the log of the process says more$"):
        work_out(watches, store, START_MS)
    # then
    assert {row["model"] for name in "abc" for row in rows(store, "performance", model=name)} == {"c"}
    # and a store that is away is not asked about everybody
    store.fails = dict.fromkeys("abcd", StoreError("away", retryable=True))
    with pytest.raises(StoreError, match="away"):
        work_out([*watches, *watches], store, START_MS)


def test_hours_whose_rows_are_all_there_are_judged_at_every_age() -> None:
    # given predictions that begin to go in an hour's time
    now_ms = START_MS // HOUR_MS * HOUR_MS + 12 * HOUR_MS
    keep = {"for": {"predictions": "36h", "labels": "forever"}}
    watch = compile_watch(configured("m", **{**SPEC, "keep": keep}, baseline={"kind": "rolling"}, detect=DETECT), "m")
    messages, store = stream(8, 20), MemoryStore()
    ingest = Ingest(Readers([watch]), store, Cut(messages, [(each, 99) for each in messages]))
    ingest.open()
    for _ in messages:
        ingest.step(10_000, 0.0)
    ingest.finish()
    # when
    Performance(watch, store).advance(None, now_ms)
    # then
    hours_ms = {row["event_ms"] // HOUR_MS * HOUR_MS for row in rows(store, "predicted")}
    expected = {
        (hour_ms, age_ms) for hour_ms in hours_ms if hour_ms >= now_ms - 12 * HOUR_MS for age_ms in (NOW, *AGES)
    }
    assert {(row["hour_ms"], row["age_ms"]) for row in results(store)} == expected


def test_scikit_learn_counts_the_same(watch: Watch, whole: Store) -> None:
    plan = watch.model.spec.performance_plan
    assert plan is not None
    labels: dict[tuple[int, str], list[dict[str, Any]]] = {}
    for row in rows(whole, "labels"):
        labels.setdefault((row["id_digest"], row["signal"]), []).append(row)
    joined = []
    for row in rows(whole, "predicted"):
        bad, times = (newest(labels.get((row["id_digest"], f"label:{name}"), []), ENDED) for name in ("bad", "times"))
        if bad and times and 0 <= row["value"] <= 1:
            joined.append((row["value"] >= 0.5, bad["label"] == "true", times["value"]))
    predicted, true, weight = zip(*joined, strict=True)
    parts = [Sums.from_row(row) for row in results(whole) if row["age_ms"] == NOW and not row["segment"]]
    accuracy = estimates(add_up(parts, plan.scheme.id), ["accuracy"], Question("binary", min_labels=2))
    assert accuracy["accuracy"].value == pytest.approx(accuracy_score(true, predicted, sample_weight=weight), abs=1e-12)


@pytest.mark.parametrize(("lifetime", "ages"), [("forever", {NOW}), ("5d", set())])
def test_an_old_hour_waits_for_more_labels_and_one_whose_rows_begin_to_go_stays_as_it_is(
    lifetime: str, ages: set[int]
) -> None:
    # given hours of ten days ago, of which something is shown as soon as they are there
    keep = {"for": {"predictions": lifetime, "labels": "forever"}}
    watch = compile_watch(configured("m", **{**SPEC, "keep": keep}, baseline={"kind": "rolling"}, detect=DETECT), "m")
    messages, store, now_ms = stream(8, 20), MemoryStore(), START_MS + 10 * DAY_MS
    ingest = Ingest(Readers([watch]), store, Cut(messages, [(("scores", 0), 99), (("truth", 0), 99)]))
    ingest.open()
    ingest.step(10_000, 0.0)
    assert bool(work_out([watch], store, now_ms)) == (lifetime == "forever")
    ingest.step(10_000, 0.0)
    # when labels have come
    assert work_out([watch], store, now_ms) == 0
    waits = waiting(store, watch).touched
    work_out([watch], store, now_ms + HOUR_MS)
    # then
    assert bool(waits) == (lifetime == "forever")
    assert {row["age_ms"] for row in results(store)} == ages
    assert waiting(store, watch).touched == 0


def test_two_processes_that_work_out_the_same_hours_leave_them_to_be_worked_out_once_more(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given one process that works everything out while another one is about to
    messages, store = stream(9, 20), MemoryStore()
    there = dict.fromkeys(messages, False)
    ingest = Ingest(Readers([watch]), store, Cut(messages, [(each, 99) for each in messages]))
    ingest.open()
    while ingest.step(10_000, 0.0):
        pass
    work, others = Performance._work_out, [Performance(watch, store)]

    def late(self: Performance, *arguments: Any) -> int:
        if others:
            others.pop().advance(there, START_MS)
        return work(self, *arguments)

    monkeypatch.setattr(Performance, "_work_out", late)
    Performance(watch, store).advance(there, START_MS)
    # then whichever row was the last
    assert Performance(watch, store).progress().touched
    Performance(watch, store).advance(there, START_MS)
    assert not Performance(watch, store).progress().touched
