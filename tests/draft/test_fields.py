"""What fields are taken for, by their names and values."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from monitor.draft import Origin, Sample, draft
from monitor.draft.fields import Guess, guess
from monitor.draft.text import model_text
from monitor.errors import InputError

START_MS = 1_700_000_000_000
ROWS = 300


def sample(**fields: Callable[[int], Any]) -> Sample:
    """Rows made field by field, of the row's number."""
    made = Sample()
    for i in range(ROWS):
        made.add({name: value(i) for name, value in fields.items()}, 0, -1)
    return made


def only(name: str, value: Callable[[int], Any]) -> Guess:
    [made] = guess(sample(**{name: value}), None)
    return made


def amount(i: int) -> float:
    return random.Random(i).lognormvariate(3, 1)


@pytest.mark.parametrize(
    ("name", "value", "role", "type_"),
    [
        ("amount", amount, "feature", "numeric"),
        ("country", lambda i: "DE" if i % 3 else "FR", "feature", "category"),
        ("is_new", lambda i: i % 2 == 0, "feature", "category"),
        ("flag", lambda i: i % 2, "feature", "category"),
        ("zip_code", lambda i: 10_000 + i % 5, "feature", "category"),
        ("embedding", lambda i: [0.1 * i, 1.0, 2.0], "feature", "vector"),
        ("score", lambda i: i / ROWS, "prediction", "numeric"),
        ("y_pred", lambda i: "yes" if i % 4 else "no", "prediction", "category"),
        ("ts", lambda i: START_MS + i, "time", "ms"),
        ("created_at", lambda i: START_MS // 1000 + i, "time", "s"),
        ("event_time", lambda i: (START_MS + i) * 1000, "time", "us"),
        ("when", lambda i: f"2024-03-{1 + i % 28:02}T10:00:00Z", "time", "iso"),
        ("event_id", lambda i: f"e{i}", "id", ""),
        ("model_version", lambda i: f"v{i // 200}", "version", ""),
        ("label", lambda i: i % 2, "label", ""),
        ("customer_email", lambda i: f"p{i}@example.org", "personal", ""),
        ("contact", lambda i: f"p{i}@example.org", "personal", ""),
        ("reach_me_at", lambda i: f"+49 170 {1000000 + i}", "personal", ""),
        ("lastName", lambda i: f"Name {i}", "personal", ""),
        ("home_address", lambda i: f"{i} High Street", "personal", ""),
        ("source", lambda i: f"10.0.0.{i % 200}", "personal", ""),
        ("customer_id", lambda i: i % 90, "left out", ""),
        ("always", lambda i: "x", "left out", ""),
        ("never", lambda i: None, "left out", ""),
        ("index", lambda i: i, "left out", ""),
        ("__index_level_0__", lambda i: i * 7 % 300, "left out", ""),
        ("card_balance", lambda i: i * 1.5, "feature", "numeric"),
        ("comment", lambda i: f"thing number {i}", "left out", ""),
        ("as_text", lambda i: f"{i % 7}.5", "left out", ""),
        ("price", lambda i: f"{i % 70},{i % 10}5", "left out", ""),
        ("postal_code", lambda i: f"0{1000 + i % 5}", "feature", "category"),
        ("release", lambda i: f"1.2.{10 + i % 5}", "feature", "category"),
        ("seen", lambda i: f"{1 + i % 28}.03.2024 10:00", "left out", ""),
        ("time", lambda i: (START_MS + i) // (1_000 if i % 2 else 1), "time", "auto"),
        ("timestamp", lambda i: f"20240301T{i % 24:02}0000Z", "time", "iso"),
        ("tags", lambda i: ["a"] * (i % 3), "left out", ""),
        ("month", lambda i: 1 + i % 12, "left out", ""),
    ],
)
def test_a_field_is_known_by_its_name_and_values(name: str, value: Callable[[int], Any], role: str, type_: str) -> None:
    made = only(name, value)
    assert (made.role, made.type) == (role, type_), made
    assert made.reason


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (lambda i: f"{i % 70},{i % 10}5", "texts of numbers with commas"),
        (lambda i: f"{1 + i % 12}/{1 + i % 28}/2024", "times that are not ISO 8601"),
        (lambda i: f"Mon, {1 + i % 28:02} May 2024 10:00:00 GMT", "times that are not ISO 8601"),
        (lambda i: float("nan") if i % 3 else amount(i), "numbers; 200 are NaN or infinite"),
    ],
)
def test_why_a_field_is_not_what_it_seems_to_be_is_said(value: Callable[[int], Any], reason: str) -> None:
    assert reason in only("thing", value).reason


def test_why_no_path_leads_to_a_field_is_said() -> None:
    rows = Sample()
    deep: dict[str, Any] = {"x": 1}
    for _ in range(10):
        deep = {"d": deep}
    rows.add({"": 1, "a.b": 2, "header:x": 3, **deep, **{f"f{i}": i for i in range(2_010)}}, 0, -1)
    reasons = {each.path: each.reason for each in guess(rows, None)}
    assert reasons[""] == "it has no name"
    assert "a dot in its name" in reasons["a.b"]
    assert "headers" in reasons["header:x"]
    assert reasons["d.d.d.d.d.d.d.d.d"] == "it is nested more than 8 deep"
    assert reasons["f2009"] == "the first 2,000 fields are looked at"


PEOPLE = ("Ann Smith", "Bob Miller", "Cid Jones")


@pytest.mark.parametrize(
    ("name", "value", "role"),
    [
        ("customer_name", lambda i: PEOPLE[0], "left out"),
        ("patient_surname", lambda i: PEOPLE[i % 3], "feature"),
        ("label_of_name", lambda i: PEOPLE[i % 3], "label"),
        ("dob", lambda i: f"1977-0{1 + i % 9}-{1 + i % 28:02}", "personal"),
        ("birth_date", lambda i: f"1977-0{1 + i % 3}-01", "feature"),
        ("mobile", lambda i: 170_123 + i % 40, "feature"),
    ],
)
def test_few_values_of_a_personal_name_stand_nowhere_in_the_file(
    name: str, value: Callable[[int], Any], role: str
) -> None:
    fields = {"amount": amount, name: value}
    made = draft("fraud", sample(**fields), Origin("events"), events_per_hour=10_000)
    text = model_text(made)
    assert [each.role for each in made.guesses if each.path == name] == [role]
    for shown in (*PEOPLE, "1977", "170123", "170,123"):
        assert shown not in text


def test_a_few_rows_of_different_persons_are_personal() -> None:
    rows = Sample()
    for i in range(15):
        rows.add({"amount": amount(i), "customer_name": f"Ann {i}", "carrier_name": "DHL"}, 0, -1)
    roles = {each.path: each.role for each in guess(rows, None)}
    assert roles == {"amount": "feature", "customer_name": "personal", "carrier_name": "left out"}


@pytest.mark.parametrize("number", [10**400, 1e300, -(10**400)])
def test_lists_of_numbers_that_are_too_large_are_left_out(number: float) -> None:
    made = only("embedding", lambda i: [number, 1.0])
    assert (made.role, "too large" in made.reason) == ("left out", True)
    few = only("embedding", lambda i: [number if i < 3 else 3.0, 4.0])
    assert (few.type, few.settings) == ("vector", {"dimension": 2, "norm": 5.0})


@pytest.mark.parametrize(("text", "is_utc"), [("-05:00", False), ("+02:00", False), ("Z", False), ("", True)])
def test_times_are_taken_as_utc_only_if_they_say_nothing_of_it(text: str, is_utc: bool) -> None:
    made = only("ts", lambda i: f"2024-01-01T00:{i % 60:02}:00{text}")
    assert ("taken as UTC" in made.reason) is is_utc


def test_what_may_be_somebody_s_is_shown_nowhere() -> None:
    for name, value in (("note", lambda i: f"p{i}@example.org"), ("surname", lambda i: f"Meier {i}")):
        assert "0" not in only(name, value).seen + only(name, value).reason


@pytest.mark.parametrize(
    ("value", "bounds"),
    [
        (lambda i: i / ROWS, [0, 1]),
        (lambda i: 5.0 * i, [0, 3000]),
        (lambda i: i / 100 - 1.013, [-2.1, 4]),
        (lambda i: i * 1e-5, [0, 0.006]),
        (lambda i: (i - 1) * 1e20, None),
    ],
)
def test_a_range_is_that_of_a_share_or_reaches_twice_as_far(value: Callable[[int], Any], bounds: Any) -> None:
    assert only("x", value).settings.get("range") == bounds


def test_a_range_is_drafted_with_and_without_a_data_set() -> None:
    rows = sample(x=lambda i: 5.0 * i, score=lambda i: i / ROWS)
    assert [each.settings.get("range") for each in drafted(rows).guesses] == [[0, 3000], [0, 1]]


def test_an_identity_that_comes_again_is_none() -> None:
    assert only("id", lambda i: i % 50).role == "left out"


def test_the_likeliest_of_several_times_is_the_event_s() -> None:
    guesses = guess(sample(updated_at=lambda i: START_MS + i, ts=lambda i: START_MS + i, x=amount), None)
    assert [each.role for each in guesses] == ["left out", "time", "feature"]


def test_what_grows_with_time_is_left_out() -> None:
    def counter(i: int) -> int:
        return 17 * i + i % 3

    assert only("counter", counter).role == "feature", "rows of a frame may be sorted by it"
    by_name = {each.path: each.role for each in guess(sample(ts=lambda i: START_MS + i, counter=counter), None)}
    assert by_name == {"ts": "time", "counter": "left out"}


def drafted(rows: Sample, model: str = "fraud", events_per_hour: float | None = None) -> Any:
    return draft(model, rows, Origin("events"), events_per_hour)


def test_windows_are_the_shortest_with_enough_events() -> None:
    def window_min(per_hour: float) -> float:
        return float(drafted(sample(x=amount), events_per_hour=per_hour).cut.window_ms / 60_000)

    assert [window_min(per_hour) for per_hour in (10_000, 3_000, 600, 100, 1)] == [5, 15, 60, 360, 1440]


def test_traffic_is_that_of_all_partitions_together() -> None:
    rows = Sample()
    for i in range(200):
        rows.add({"ts": START_MS + i // 2 * 60_000, "x": amount(i)}, i % 2, -1)
    assert drafted(rows).traffic.events_per_hour == pytest.approx(120)


def test_segments_have_few_values_with_enough_traffic_each() -> None:
    fields: dict[str, Callable[[int], Any]] = {
        "x": amount,
        "kind": lambda i: "abcd"[i % 4],
        "country": lambda i: "DE" if i % 3 else "FR",
        "seldom": lambda i: "rare" if i == 7 else "usual",
    }
    made = drafted(sample(**fields), events_per_hour=6_000)
    assert [each.path for each in made.segments] == ["country", "kind"]
    assert drafted(sample(**fields)).segments == [], "how much traffic there is is not known"


def test_messages_of_other_models_are_left_out() -> None:
    made = drafted(sample(model=lambda i: "fraud" if i % 2 else "risk", x=lambda i: amount(i) if i % 2 else "none"))
    assert made.where == "model"
    assert [each.type for each in made.guesses if each.is_watched] == ["numeric"]
    assert made.notes[0].startswith("150 of 300 messages are of other models")


def test_a_field_called_model_that_names_none_is_a_field_like_others() -> None:
    made = drafted(sample(model=lambda i: "audi" if i % 2 else "vw", x=amount))
    assert (made.where, made.guesses[0].role) == ("", "feature")


def test_names_are_unique_and_have_no_spaces() -> None:
    rows = Sample()
    for i in range(50):
        rows.add({"features": {"x": amount(i), "mean radius": amount(i)}, "b": {"x": amount(i)}, "x": amount(i)}, 0, -1)
    assert list(drafted(rows).names.values()) == ["features.x", "mean_radius", "b.x", "x"]


def test_a_sample_without_anything_to_watch_says_why() -> None:
    with pytest.raises(InputError, match="always: it is always x"):
        drafted(sample(always=lambda i: "x"))


def test_names_that_no_path_leads_to_are_said() -> None:
    rows = Sample()
    for i in range(50):
        rows.add({"x": amount(i), "a.b": i}, 0, -1)
    made = drafted(rows)
    assert [each.path for each in made.guesses if each.role == "left out"] == ["a.b"]


def test_a_message_may_have_any_number_of_fields() -> None:
    rows = Sample()
    for i in range(3):
        rows.add({f"f{i}_{k}": k for k in range(1_500)}, 0, -1)
    assert len(rows.columns) == 2_000
    assert len(list(watched(guess(rows, None)))) <= 500


def watched(guesses: list[Guess]) -> Iterator[Guess]:
    return (each for each in guesses if each.is_watched)


def test_numbers_that_differ_little_beside_their_level_get_a_usual_range() -> None:
    near = sample(
        latitude=lambda i: 52.7 + i % 101 / 1000, floor=lambda i: i % 5, built=lambda i: 1990 + i % 30, x=amount
    )
    made = drafted(near)
    usual = {each.path: each.settings.get("usual_range") for each in made.guesses}
    assert usual == {"latitude": [52.65, 52.849], "floor": None, "built": [1975, 2034], "x": None}
    assert "latitude: {type: numeric, range: [0, 110], usual_range: [52.65, 52.849]}" in model_text(made)
    assert any("latitude, built: values differ little" in note for note in made.notes)


def test_a_data_set_needs_no_usual_range() -> None:
    near = sample(latitude=lambda i: 52.7 + i % 101 / 1000)
    made = draft("fraud", near, Origin("near.csv", data_set="near.csv"), 60.0)
    assert "usual_range" not in model_text(made)
    assert "usual_range" in model_text(made.without_data_set("it is broken"))
