"""What a model got wrong beside what it got right: numbers are those of SciPy and scikit-learn on the same events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import ks_2samp
from sklearn.metrics import confusion_matrix

from monitor.clock import ManualClock
from monitor.erasure.erase import Request
from monitor.ingest.duplicates import digests
from monitor.packed import Texts
from monitor.panes.distributions import Part
from monitor.slices import fields, sample
from monitor.slices.sample import read_sample
from sinks.store.chdb import ChdbStore
from sinks.store.contract import Query
from tests.api.world import HOUR_MS, Client, World
from tests.slices.labelled import END_MS, EVENTS, MARKUP, SPAN, START_MS, drawn, labelled_world, stored

ASKED: dict[str, Any] = {"model": "fraud", **SPAN}
WHOLE = Part(START_MS, END_MS)
KEEP = {"events": 1.0, "subject": "customer"}


@pytest.fixture(scope="module")
def world() -> World:
    return labelled_world()


@pytest.fixture(scope="module")
def client(world: World) -> Client:
    return Client(world)


def outcome(event: dict[str, Any]) -> str:
    says, was = event["score"] >= 0.5, event["fraud"] == "yes"
    return ("t" if says == was else "f") + ("p" if says else "n")


def is_wrong(event: dict[str, Any]) -> bool:
    return outcome(event) in ("fp", "fn")


def distance(item: dict[str, Any], name: str) -> dict[str, Any]:
    distances: list[dict[str, Any]] = [each for each in item["distances"] if each["detector"] == name]
    return distances[0]


def test_divergences_are_scipys_on_the_same_events(client: Client) -> None:
    items = {item["signal"]: item for item in client.items("/v1/slices", **ASKED)}
    wrong, right = ([e for e in drawn() if is_wrong(e) == side] for side in (True, False))
    for name in ("amount", "score"):
        item = items[f"feature:{name}" if name == "amount" else f"prediction:{name}"]
        values = [[e[name] for e in side if e[name] is not None] for side in (wrong, right)]
        assert (item["n"], item["baseline_n"]) == tuple(map(len, values))
        # Amounts are whole, so that each has a cell of its own; scores share cells.
        expected = ks_2samp(*values).statistic
        assert distance(item, "ks")["statistic"] == pytest.approx(expected, abs=1e-12 if name == "amount" else 0.03)
    missing = [sum(e["amount"] is None for e in side) / len(side) for side in (wrong, right)]
    amount = items["feature:amount"]
    assert [amount["missing_rate"], amount["baseline_missing_rate"]] == pytest.approx(missing)
    names = ["DE", "PL", MARKUP]
    counts = [np.array([Counter(e["country"] for e in side)[name] for name in names]) for side in (wrong, right)]
    shares = [count / count.sum() for count in counts]
    country = items["feature:country"]
    assert distance(country, "total_variation")["statistic"] == pytest.approx(np.abs(shares[0] - shares[1]).sum() / 2)
    assert distance(country, "jensen_shannon")["statistic"] == pytest.approx(jensenshannon(*shares, base=2))


def test_what_differs_most_comes_first_with_both_distributions(client: Client) -> None:
    items = client.items("/v1/slices", **ASKED, cells=True)
    assert [item["signal"] for item in items[:2]] == ["feature:amount", "feature:country"]
    strengths = [item["strength"] for item in items]
    assert strengths == sorted(strengths, reverse=True)
    cells = items[1]["cells"]
    counted = dict(zip(cells["names"], cells["current"], strict=True))
    assert counted == Counter(e["country"] for e in drawn() if is_wrong(e))


def members(client: Client, **asked: Any) -> tuple[int, int]:
    document = client.get("/v1/slices", **ASKED, **asked).json()
    return document["current"]["events"], document["baseline"]["events"]


def test_slices_by_outcome_are_those_of_the_confusion_matrix(client: Client) -> None:
    events = drawn()
    truth, says = [e["fraud"] == "yes" for e in events], [e["score"] >= 0.5 for e in events]
    tn, fp, fn, tp = map(int, confusion_matrix(truth, says).ravel())
    assert members(client, slice="fp", against="tn") == (fp, tn)
    assert members(client, slice="tp", against="fn") == (tp, fn)
    assert members(client, slice="right", against="wrong") == (tp + tn, fp + fn)
    assert members(client, slice="label=yes") == (tp + fn, tn + fp)
    assert members(client, slice="fp", against="all") == (fp, len(events))


def test_the_worst_are_those_that_lose_most_and_come_first(client: Client) -> None:
    losses = sorted(((e["score"] - (e["fraud"] == "yes")) ** 2 for e in drawn()), reverse=True)
    assert members(client, slice="worst", share=0.05) == (20, EVENTS - 20)
    rows = client.items("/v1/rows", **ASKED, slice="worst", share=0.05, limit=500)
    assert [row["loss"] for row in rows] == pytest.approx(losses[:20])


def other_world(schema: dict[str, Any], events: list[dict[str, Any]], **spec: Any) -> World:
    """A model that predicts something else."""
    features = {"amount": {"type": "numeric"}, "country": {"type": "category"}}
    stated = {"schema": {"id": "id", "features": features, **schema}, "keep": {"events": 1.0}, **spec}
    configuration = labelled_world(0, **stated).configuration
    return stored(World(clock=ManualClock(END_MS), configuration=configuration), events)


def test_numbers_are_sliced_by_their_errors() -> None:
    errors = [n % 7 - 3.0 for n in range(70)]
    events = [e | {"score": 5.0 + error, "fraud": 5.0} for e, error in zip(drawn(70), errors, strict=True)]
    schema = {"prediction": {"score": {"type": "numeric"}}, "labels": {"fraud": {"type": "numeric"}}}
    client = Client(other_world(schema, events, performance={}))
    assert members(client, slice="over", against="under") == (30, 30)
    rows = client.items("/v1/rows", **ASKED, share=0.2)
    assert [row["loss"] for row in rows] == sorted(map(abs, errors), reverse=True)[:14]
    assert {(row["outcome"], row["true_number"], row["true_name"]) for row in rows} <= {
        ("over", 5.0, None),
        ("under", 5.0, None),
    }


def test_several_classes_are_right_or_wrong() -> None:
    names = ["a", "b", MARKUP]
    events = [e | {"score": names[n % 3], "fraud": names[n % 2]} for n, e in enumerate(drawn(60))]
    schema = {"prediction": {"score": {"type": "category"}}, "labels": {"fraud": {"type": "category"}}}
    client = Client(other_world(schema, events, performance={}))
    assert members(client, slice="wrong", against="right") == (40, 20)
    assert members(client, slice="label=b", against="all") == (30, 60)
    assert "there are right, wrong, label=CLASS" in client.get("/v1/slices", **ASKED, slice="worst").json()["detail"]
    (row, *_) = client.items("/v1/rows", **ASKED, slice="label=a")
    assert (row["predicted_name"], row["loss"]) == ({e["id"]: e["score"] for e in events}[row["id"]], None)


def test_a_version_and_a_segment_choose_events(client: Client) -> None:
    german = [e for e in drawn() if e["country"] == "DE"]
    wrong = sum(map(is_wrong, german))
    assert members(client, segment="country=DE") == (wrong, len(german) - wrong)
    assert members(client, version="v1") == members(client)
    assert members(client, version="v2") == (0, 0)


def test_events_without_a_label_are_in_no_slice() -> None:
    world = labelled_world(0)
    document = Client(stored(world, drawn(), unlabelled=150)).get("/v1/slices", **ASKED).json()
    assert document["events"]["labelled"] == EVENTS - 150
    assert document["current"]["events"] == sum(map(is_wrong, drawn()[:-150]))


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample, "PAGE_ROWS", 7)
    monkeypatch.setattr(sample, "IDS_AT_ONCE", 11)


def ids(world: World, most: int) -> list[str]:
    names: list[str] = read_sample(world.store, world.watches["fraud"], WHOLE, most).columns["id"]
    return names


def test_a_sample_is_of_the_smallest_hashes_however_it_is_read(world: World, small_parts: None) -> None:
    names = [e["id"] for e in drawn()]
    hashes = digests(Texts.of(names)).tolist()
    ranked = [name for _, name in sorted(zip(hashes, names, strict=True))]
    assert ids(world, 25) == ranked[:25]
    assert ids(world, EVENTS) == ranked
    taken = read_sample(world.store, world.watches["fraud"], WHOLE, 25)
    assert (taken.is_all, taken.counts.stored, taken.counts.looked_at) == (False, EVENTS, 33)


def test_a_sample_says_of_how_many_it_is(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample, "MOST_IDS", 100)
    monkeypatch.setattr(sample, "IDS_AT_ONCE", 50)
    events = Client(world).get("/v1/slices", **ASKED).json()["events"]
    assert (events["labelled"], events["stored"], events["is_all"]) == (100, EVENTS, False)
    assert events["note"].startswith("100 labelled events, those with the smallest hashes of their ids among 400")


def test_ids_that_stand_in_for_very_many_events_are_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample, "MOST_ROWS", 399)
    answer = Client(world).get("/v1/slices", **ASKED)
    assert (answer.status_code, "predicted of fraud share their ids" in answer.json()["detail"]) == (422, True)


def test_where_only_some_were_looked_at_it_is_not_said_of_all(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample, "MOST_IDS", 100)
    monkeypatch.setattr(sample, "IDS_AT_ONCE", 50)
    events = Client(world).get("/v1/slices", **ASKED, version="v2").json()["events"]
    assert "400 events are stored of this time, and none of 100 that were looked at has a label" in events["note"]


def test_too_many_stored_events_are_refused_with_what_to_do(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample, "MOST_STORED", 399)
    answer = Client(world).get("/v1/slices", **ASKED)
    assert answer.status_code == 422
    assert "ask for a shorter span" in answer.json()["detail"]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChdbStore]:
    store = ChdbStore(tmp_path_factory.mktemp("slices") / "store")
    store.migrate()
    yield store
    store.close()


def test_the_engine_gives_the_same_answers_as_memory(engine: ChdbStore, client: Client) -> None:
    world = World(store=engine, clock=ManualClock(END_MS + HOUR_MS), configuration=labelled_world(0).configuration)
    of_engine = Client(stored(world, drawn()))
    for path in ("/v1/slices", "/v1/rows"):
        for more in ({}, {"slice": "worst", "segment": "country=PL"}, {"version": "v9"}):
            asked = ASKED | more
            assert of_engine.get(path, **asked).json() == client.get(path, **asked).json()


def refusal(world: World, **asked: Any) -> tuple[int, str, str]:
    problem = Client(world).get("/v1/slices", **(ASKED | asked)).json()
    return problem["status"], problem["type"].partition("#")[2], problem["detail"]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"slice": "over"}, "there is no slice 'over' of binary predictions; there are right, wrong, tp"),
        ({"slice": "rest"}, "there is no slice 'rest'"),
        ({"slice": "wrong", "against": "wrong"}, "both slices are the same"),
        ({"slice": "label=maybe"}, "no event of the sample has the label 'maybe'; there are 'no', 'yes'"),
        ({"against": MARKUP}, f"there is no slice '{MARKUP}'"),
        ({"share": 0.9}, "less than or equal to 0.5"),
        ({"segment": "country=FR"}, "fraud has no segment 'country=FR'"),
        ({"signal": "feature:income"}, "no single values of feature:income are stored: privacy: personal"),
        ({"signal": "feature:iban"}, "keep.without"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(asked: dict[str, Any], words: str, world: World) -> None:
    status, kind, detail = refusal(world, **asked)
    assert (status, kind) == (422, "bad-parameter")
    assert words in detail


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"performance": None}, "has no `spec.performance`"),
        ({"keep": {}}, "set `keep.events` to a share of them"),
    ],
)
def test_where_nothing_is_stored_the_answer_says_what_to_configure(spec: dict[str, Any], words: str) -> None:
    status, kind, detail = refusal(labelled_world(**spec))
    assert (status, kind) == (409, "nothing-stored")
    assert words in detail


def values(row: dict[str, Any]) -> dict[str, Any]:
    return {each["signal"]: each["number"] if each["name"] is None else each["name"] for each in row["values"]}


def test_rows_are_those_of_the_slice_with_what_differs_most_first(client: Client) -> None:
    by_id = {e["id"]: e for e in drawn()}
    rows = client.items("/v1/rows", **ASKED, slice="fp", limit=500)
    assert len(rows) == sum(outcome(e) == "fp" for e in by_id.values())
    for row in rows:
        event = by_id[row["id"]]
        assert (row["outcome"], row["predicted_number"], row["true_name"]) == ("fp", event["score"], event["fraud"])
        assert values(row) == {
            "feature:amount": event["amount"],
            "feature:country": event["country"],
            "prediction:score": event["score"],
        }
    ranked = [item["signal"] for item in client.items("/v1/slices", **ASKED, slice="fp")]
    shown = [each["signal"] for each in rows[0]["values"]]
    assert shown == [signal for signal in ranked if signal in shown]
    assert client.items("/v1/rows", **ASKED, slice="fp", limit=3) == rows[:3]


def test_no_private_field_is_in_a_row(client: Client) -> None:
    text = client.get("/v1/rows", **ASKED, limit=500).text
    for hidden in ("income", "merchant", "hashed-", "iban", "feature:age", "customer", '"c7"'):
        assert hidden not in text


def test_no_single_event_is_chosen_by_what_is_not_shown_of_it() -> None:
    """A digest is no name, but whoever sees who has it can follow a person."""
    digests_of = {"type": "category", "privacy": "hash"}
    features = {"amount": {"type": "numeric"}, "merchant": digests_of}
    schema = {"features": features, "prediction": {"score": digests_of}, "labels": {"fraud": digests_of}}
    events = [e | {"score": f"hashed-{n % 3}", "fraud": f"hashed-{n % 2}"} for n, e in enumerate(drawn(30))]
    segments = [{"by": ["merchant"], "values": ["anna"]}]
    world = other_world(schema, events, performance={}, segments=segments)
    client, rows = Client(world), Client(world).get("/v1/rows", **ASKED)
    [segment] = world.watches["fraud"].segment_names - {""}
    assert (rows.json()["choices"], "hashed-" in rows.text) == (["right", "wrong", "all"], False)
    for asked in ({"slice": "label=hashed-1"}, {"against": "label=hashed-1"}, {"segment": segment}):
        assert client.get("/v1/slices", **ASKED, **asked).status_code == 200
        answer = client.get("/v1/rows", **ASKED, **asked)
        assert (answer.status_code, "private (`hash`): no events are shown by it" in answer.text) == (422, True)


def test_an_id_that_is_the_subject_is_not_shown() -> None:
    rows = Client(labelled_world(keep={"events": 1.0, "subject": "id"})).items("/v1/rows", **ASKED)
    assert {row["id"] for row in rows} == {None}


def test_no_row_shows_whom_an_event_is_about() -> None:
    """A signal that is read from where the subject stands is left out, whatever its name, and chooses no events."""
    who = {"type": "category", "path": "customer"}
    schema = {
        "id": "id",
        "features": {"amount": {"type": "numeric"}, "country": {"type": "category"}, "who": who},
        "prediction": {"score": {"type": "category"}},
        "labels": {"fraud": {"type": "category"}},
    }
    events = [e | {"who": f"Anna-{n % 3}", "score": "no", "fraud": "yes"} for n, e in enumerate(drawn(30))]
    segments = [{"by": ["who"], "values": ["Anna-1"]}]
    world = other_world(schema, [], performance={}, segments=segments, keep=KEEP)
    stored(world, events, features=("amount", "country", "who"))
    client, [segment] = Client(world), world.watches["fraud"].segment_names - {""}
    rows = client.items("/v1/rows", **ASKED, slice="all", against="wrong")
    assert {tuple(sorted(values(row))) for row in rows} == {("feature:amount", "feature:country", "prediction:score")}
    assert "Anna-" not in client.get("/v1/rows", **ASKED, slice="all", against="wrong").text
    assert "feature:who" in {item["signal"] for item in client.items("/v1/slices", **ASKED, slice="all")}, "added up"
    answer = client.get("/v1/rows", **ASKED, segment=segment)
    words = "feature:who says whom an event is about (`keep.subject: customer`): no events are shown by it"
    assert (answer.status_code, words in answer.text) == (422, True)


@pytest.mark.parametrize(("part", "side"), [("prediction", "predicted_name"), ("labels", "true_name")])
def test_no_row_shows_a_prediction_or_a_label_that_is_its_subject(part: str, side: str) -> None:
    fields = {"prediction": {"score": {"type": "category"}}, "labels": {"fraud": {"type": "category"}}}
    for spec in fields[part].values():
        spec["path"] = "customer"
    schema = {"id": "id", "features": {"amount": {"type": "numeric"}}, **fields}
    events = [e | {"score": f"Anna-{n % 3}", "fraud": f"Anna-{n % 2}"} for n, e in enumerate(drawn(30))]
    client = Client(
        stored(other_world(schema, [], performance={}, keep=KEEP, segments=[]), events, features=["amount"])
    )
    answer = client.get("/v1/rows", **ASKED, slice="all", against="wrong").json()
    assert {row[side] for row in answer["items"]} == {None}
    shows_labels = any("label=" in name for name in answer["choices"])
    assert shows_labels == (part == "prediction")
    chosen = client.get("/v1/rows", **ASKED, slice="label=Anna-1", against="all")
    assert chosen.status_code == (200 if part == "prediction" else 422)


def test_who_was_erased_is_in_no_row_and_in_no_slice(engine: ChdbStore) -> None:
    world = World(store=engine, clock=ManualClock(END_MS + HOUR_MS), configuration=labelled_world(0).configuration)
    client, asked = Client(stored(world, drawn())), ASKED | {"slice": "all", "against": "wrong", "limit": 500}
    erased = {e["id"] for e in drawn() if e["customer"] == "c7"}
    assert erased < {row["id"] for row in client.items("/v1/rows", **asked)}
    world.erase(Request("c7"), on_begun=lambda _: None)
    assert {row["id"] for row in client.items("/v1/rows", **asked)} == {e["id"] for e in drawn()} - erased
    assert client.get("/v1/slices", **ASKED).json()["events"]["stored"] == EVENTS - len(erased)


def test_fields_of_several_topics_are_put_together() -> None:
    """The prediction comes without features; these come twice, and what is stated last holds."""
    schema = {"prediction": {"score": {"type": "numeric"}}, "labels": {"fraud": {"type": "category"}}}
    world = other_world(schema, drawn(1), performance={"positive": "yes"})
    shared: dict[str, Any] = {"model": "fraud", "event_ms": START_MS, "id": "e0"}
    alone = shared | {"topic": "fraud", "offset": 0, "fields": '{"prediction:score":0.5}'}
    first = {"topic": "more", "event_ms": START_MS - HOUR_MS, "fields": '{"feature:amount":1,"feature:country":"DE"}'}
    second = {"topic": "more", "event_ms": START_MS + 1, "fields": '{"feature:amount":2,"feature:country":null}'}
    world.add("events", [alone, shared | first, shared | second])
    (row,) = Client(world).items("/v1/rows", **ASKED, slice="all", against="wrong")
    assert values(row) == {"feature:amount": 2, "feature:country": "DE", "prediction:score": 0.5}


def test_an_answer_is_the_same_however_few_events_are_read_at_once(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ASKED | {"slice": "all", "against": "wrong", "limit": 60}
    answers = [client.get(path, **asked).json() for path in ("/v1/slices", "/v1/rows")]
    monkeypatch.setattr(fields, "EVENTS_AT_ONCE", (3, 7))
    assert [client.get(path, **asked).json() for path in ("/v1/slices", "/v1/rows")] == answers


def test_the_more_fields_an_event_has_the_fewer_events_are_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    world, limits = labelled_world(40), list[int]()
    read = world.store.read

    def noted(query: Query) -> Any:
        rows = read(query)
        limits.append(len(rows["fields"]) if query.columns[-1:] == ("fields",) else 0)
        return rows

    monkeypatch.setattr(world.store, "read", noted)
    monkeypatch.setattr(fields, "EVENTS_AT_ONCE", (1, 40))
    monkeypatch.setattr(fields, "VALUES_AT_ONCE", 10 * len(world.watches["fraud"].layouts))
    Client(world).items("/v1/slices", **ASKED)
    assert max(limits) == 10


def test_an_id_of_very_many_events_is_refused_and_one_of_some_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """Topics of their own say the same of an event again and again."""
    world = labelled_world(8)
    monkeypatch.setattr(fields, "EVENTS_AT_ONCE", (25, 25))
    again = {"model": "fraud", "event_ms": START_MS, "id": "e3", "topic": "more", "fields": '{"feature:amount":2}'}
    world.add("events", [again | {"offset": offset} for offset in range(90)])
    client, asked = Client(world), ASKED | {"slice": "all", "against": "wrong"}
    assert len(client.items("/v1/rows", **asked)) == 8
    monkeypatch.setattr(fields, "EVENTS_AT_ONCE", (20, 20))
    answer = client.get("/v1/rows", **asked)
    assert (answer.status_code, "have the same id" in answer.json()["detail"]) == (422, True), answer.text
    assert "e3" not in answer.text
