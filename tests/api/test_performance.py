"""How good a model is, asked by HTTP: metrics with intervals, coverage, delays, and why there is none."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest

from detectors.performance import METRICS, Binary
from monitor.api import labelled_hours, labels, performance
from monitor.performance.waiting import Waiting
from tests.api.labelled_days import labelled, labelled_days
from tests.api.test_docs import DOCS, blocks
from tests.api.world import HOUR_MS, NOW_MS, Client, World, configured, serving
from tests.cli.console import Console

NOON_MS = NOW_MS // (24 * HOUR_MS) * 24 * HOUR_MS - 12 * HOUR_MS
SCORES = [0.9, 0.8, 0.3, 0.1]
CLASSES = ["yes", "no", "yes", "no"]


@pytest.fixture
def world() -> World:
    return World(configuration=configured(labelled(metrics=["accuracy", "roc_auc"], min_labels=50)))


def ask(world: World, query: str = "", route: str = "performance") -> list[dict[str, Any]]:
    answer = Client(world).get(f"/v1/{route}?model=fraud{query}")
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def test_hours_are_added_up_to_metrics_with_intervals(world: World) -> None:
    for hour in range(20):
        world.labelled_hour(NOON_MS - hour * HOUR_MS, SCORES, CLASSES)
    accuracy, auc = ask(world)
    assert (accuracy["metric"], accuracy["value"], accuracy["labels"]) == ("accuracy", 0.5, 80)
    assert 0.39 < accuracy["low"] < 0.5 < accuracy["high"] < 0.61
    assert auc["value"] == 0.75
    assert (accuracy["coverage"], accuracy["reason"]) == (1.0, "")


def test_each_step_has_its_own_estimate(world: World) -> None:
    world.labelled_hour(NOON_MS - HOUR_MS, SCORES, CLASSES)
    world.labelled_hour(NOON_MS, SCORES[:2], CLASSES[:2])
    rows = ask(world, "&metric=accuracy&step=1h")
    assert [(row["from_ms"], row["to_ms"], row["labels"]) for row in rows] == [
        (NOON_MS - HOUR_MS, NOON_MS, 4),
        (NOON_MS, NOON_MS + HOUR_MS, 2),
    ]
    assert rows[0]["reason"] == "4 labels, and an interval needs 50"


def test_the_first_and_last_step_end_where_the_span_does(world: World) -> None:
    world.labelled_hour(NOON_MS, SCORES, CLASSES)
    (row,) = ask(world, f"&metric=accuracy&step=1d&from={NOON_MS}&to={NOON_MS + 2 * HOUR_MS}")
    assert (row["from_ms"], row["to_ms"]) == (NOON_MS, NOON_MS + 2 * HOUR_MS)


def test_versions_and_segments_are_told_apart_on_request(world: World) -> None:
    for version, segment in (("v1", ""), ("v2", ""), ("v1", "country=DE")):
        world.labelled_hour(NOON_MS, SCORES, CLASSES, version=version, segment=segment)
    assert [(row["version"], row["labels"]) for row in ask(world, "&metric=accuracy")] == [(None, 8)]
    by_version = ask(world, "&metric=accuracy&by=version")
    assert [(row["version"], row["segment"], row["labels"]) for row in by_version] == [("v1", "", 4), ("v2", "", 4)]
    by_segment = ask(world, "&metric=accuracy&by=segment&version=v1")
    assert [(row["version"], row["segment"]) for row in by_segment] == [("v1", ""), ("v1", "country=DE")]


def test_what_was_known_at_an_age_is_apart_from_what_is_known_now(world: World) -> None:
    world.labelled_hour(NOON_MS, SCORES, ["yes", *[None] * 3], age_ms=HOUR_MS)
    world.labelled_hour(NOON_MS, SCORES, CLASSES)
    (early,), (newest,) = ask(world, "&metric=accuracy&age=1h"), ask(world, "&metric=accuracy")
    assert (early["labels"], early["predictions"], early["coverage"]) == (1, 4, 0.25)
    assert (newest["age"], newest["labels"]) == ("newest", 4)


def test_where_there_is_no_value_it_is_said_why(world: World) -> None:
    assert {row["reason"] for row in ask(world)} == {"no predictions"}
    assert "judged at 1d yet" in ask(world, "&age=1d")[0]["reason"]
    world.labelled_hour(NOON_MS, SCORES, [None] * 4)
    rows = ask(world)
    assert {(row["value"], row["reason"]) for row in rows} == {(None, "no labels yet of 4 predictions")}


def test_the_table_says_how_many_labels_are_of_no_use_and_its_shares_are_of_the_others(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of 400 predictions 396 have a label, 16 of which are of a prediction that is no number."""
    for hour in range(4):
        scores = [*np.resize(SCORES, 80), *[np.nan] * 4, *np.resize(SCORES, 16)]
        labels = [*np.resize(CLASSES, 99), None]
        world.labelled_hour(NOON_MS - hour * HOUR_MS, scores, labels)
    with serving(world) as url:
        leeway = Console(capsys)
        row = leeway("performance", "fraud", "--metric", "accuracy", "--url", url, "--json").lines[0]
        table = leeway("performance", "fraud", "--metric", "accuracy", "--url", url).out
        hourly = leeway("performance", "fraud", "--metric", "roc_auc", "--step", "1h", "--url", url).out
    assert (row["labels"], row["unusable"], row["predictions"], row["coverage"]) == (380, 16, 400, 0.99)
    assert table.rstrip().endswith("380      95.0%            16 unusable")
    assert hourly.count("95.0%") == hourly.count("; 4 unusable") + hourly.count("  4 unusable") == 4


def test_labels_of_which_none_says_the_positive_class_are_named(world: World) -> None:
    recoded = [("1", 1), ("0", 2), ("0", 3), ("no", 4)]
    world.labelled_hour(NOON_MS, SCORES, [name for name, _ in recoded])
    said = {"model": "fraud", "signal": "label:fraud"}
    world.add("labels", [said | {"event_ms": NOON_MS, "label": name, "offset": n} for name, n in recoded])
    (recall,) = ask(world, "&metric=recall")
    assert recall["reason"] == ("no event was positive; labels say '0', '1', 'no', and none 'yes', which is `positive`")
    world.add("labels", [said | {"event_ms": NOON_MS + 1, "label": "yes", "offset": 5}])
    (recall,) = ask(world, "&metric=recall")
    assert recall["reason"] == "no event was positive"


def test_hours_of_another_threshold_are_left_out_and_counted(world: World) -> None:
    former = Binary("yes", 0.9).fold(np.array(SCORES), CLASSES)
    world.labelled_hour(NOON_MS, SCORES, CLASSES, **former.to_row())
    world.labelled_hour(NOON_MS + HOUR_MS, SCORES, CLASSES)
    (row,) = ask(world, "&metric=accuracy")
    assert (row["labels"], row["predictions"]) == (4, 8)
    assert "an hour was summed up under another configuration" in row["reason"]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("&metric=mae", "there is no 'mae' of binary predictions; there are accuracy"),
        ("&age=2h", "nothing is judged at '2h'; the ages are newest, 1h, 1d, 7d"),
        ("&step=90m", "a step is a multiple of `1h`"),
        ("&step=1h&from=2020-01-01", "at most 2,000 are shown"),
        ("&by=segment&segment=country=DE", "leave out either `segment` or `by=segment`"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_the_reason(world: World, query: str, message: str) -> None:
    refused = Client(world).get(f"/v1/performance?model=fraud{query}")
    assert refused.status_code == 422
    assert message in refused.json()["detail"]


def test_an_answer_with_its_tables_has_no_more_rows_than_can_be(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(performance, "MAX_ROWS", 4)
    world.labelled_hour(NOON_MS, SCORES, CLASSES)
    assert len(ask(world)) == 2
    refused = Client(world).get("/v1/performance?model=fraud&metric=confusion")
    assert (refused.status_code, "more than 4 rows" in refused.json()["detail"]) == (422, True)


def test_no_more_hours_are_added_up_than_can_be_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labelled_hours, "MAX_HOURS", 4)
    monkeypatch.setattr(labelled_hours, "PAGE_ROWS", 2)
    for hour in range(3):
        world.labelled_hour(NOON_MS - hour * HOUR_MS, SCORES, CLASSES)
    assert ask(world)[0]["labels"] == 12
    world.labelled_hour(NOON_MS - 3 * HOUR_MS, SCORES, CLASSES)
    refused = Client(world).get("/v1/performance?model=fraud")
    assert (refused.status_code, "take a shorter one" in refused.json()["detail"]) == (422, True)


def test_no_more_sums_are_held_than_fit_in_memory(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for hour in range(20):
        world.labelled_hour(NOON_MS - hour * HOUR_MS, SCORES, CLASSES, segment="country=DE")
    alone = ask(world, "&by=segment&metric=accuracy")
    where = {"model": "fraud", "segment": "country=DE"}
    chosen = labelled_hours.Chosen((NOON_MS - 19 * HOUR_MS, NOON_MS + HOUR_MS), None, NOON_MS, where, None)
    scheme = Binary("yes").id
    (collected,) = labelled_hours.spans(world.store, chosen, scheme)
    assert collected.numbers == len(collected.sums(scheme).keys)
    monkeypatch.setattr(labelled_hours, "HELD_NUMBERS", 200)
    assert ask(world, "&by=segment&metric=accuracy") == alone
    for country in range(5):
        world.labelled_hour(NOON_MS, SCORES, CLASSES, segment=f"country={country}")
    refused = Client(world).get("/v1/performance?model=fraud&by=segment")
    assert (refused.status_code, "too large to be held at once" in refused.json()["detail"]) == (422, True)


def test_weights_beyond_all_sums_are_refused_with_the_reason(world: World) -> None:
    for hour in range(2):
        world.labelled_hour(NOON_MS - hour * HOUR_MS, SCORES, CLASSES, keys=[0, 8192], sums=[4, 1 << 61])
    refused = Client(world).get("/v1/performance?model=fraud")
    assert (refused.status_code, "take a shorter span" in refused.json()["detail"]) == (422, True)


def test_a_model_that_compares_nothing_is_refused() -> None:
    refused = Client(World()).get("/v1/performance?model=fraud")
    assert (refused.status_code, "has no `spec.performance`" in refused.json()["detail"]) == (422, True)


def test_the_status_of_labels_shows_coverage_by_class_and_how_long_they_take(world: World) -> None:
    world.labelled_hour(
        NOON_MS,
        SCORES,
        ["yes", "no", None, None],
        classes=["other", "yes"],
        class_predictions=[2, 2],
        class_labelled=[0, 2],
        delay_hours=[0, 3],
        delay_labels=[1, 1],
    )
    (row,) = ask(world, "", "labels")
    assert (row["predictions"], row["labelled"], row["coverage"]) == (4, 2, 0.5)
    assert [(each["name"], each["coverage"]) for each in row["classes"]] == [("other", 0.0), ("yes", 1.0)]
    assert (row["delay_median_ms"], row["delay_p90_ms"]) == (4 * HOUR_MS, None)


def test_it_is_said_what_labels_correct_and_what_is_of_no_prediction(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    shared = {"model": "fraud", "signal": "label:fraud", "topic": "truth", "event_ms": NOON_MS}
    for offset, (digest, label, retracted) in enumerate([(1, "yes", 0), (1, "no", 0), (1, "", 1), (2, "no", 0)]):
        said = {"offset": offset, "id_digest": digest, "id": str(digest), "label": label, "retracted": retracted}
        world.add("labels", [shared | said])
    world.add("predicted", [{"model": "fraud", "event_ms": NOON_MS, "id_digest": 1}])
    with serving(world) as address:
        head = httpx.get(f"{address}/v1/labels?model=fraud").json()
        shown = Console(capsys)("labels", "status", "fraud", "--url", address).out
    assert head["said"] == {"labels": 4, "corrected": 1, "taken_back": 1, "unmatched": 1}
    assert "Of 4 labels of this time, 1 correct what was said, 1 take it back, 1 are of no prediction." in shown


def test_it_is_said_what_hours_wait_for(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = Waiting(NOON_MS, NOON_MS - HOUR_MS, [(("truth", 1), NOON_MS - HOUR_MS), (("truth", 0), None)], 3)
    monkeypatch.setattr(labels, "waiting", lambda store, watch: facts)
    with serving(world) as address:
        head = httpx.get(f"{address}/v1/labels?model=fraud", timeout=60).json()
        shown = Console(capsys)("labels", "status", "fraud", "--url", address).out
    assert head["judged_ms"] == NOON_MS
    assert head["held_back_by"][0] == {"topic": "truth", "partition": 1, "known_ms": NOON_MS - HOUR_MS}
    assert "Judged are hours whose age is reached before 2023-11-13T12:00:00Z." in shown
    assert "The next ones wait for truth/1, known up to 2023-11-13T11:00:00Z." in shown


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving(labelled_days()) as address:
        yield address


@pytest.mark.parametrize("block", blocks("performance.md", "console"), ids=lambda block: block.splitlines()[0])
def test_the_page_shows_what_commands_print(block: str, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    command, *shown = block.splitlines()
    answer = Console(capsys)(*shlex.split(command.removeprefix("$ leeway ")), "--url", url)
    assert answer.code == 0, answer.err
    assert answer.out.rstrip().splitlines() == shown


def test_the_page_names_every_metric() -> None:
    page = (DOCS / "performance.md").read_text()
    assert [name for name in METRICS if f"| `{name}` |" not in page] == []
