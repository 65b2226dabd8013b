"""`leeway silence`: added, listed and ended through a running service."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from monitor.clock import SystemClock
from monitor.config import Service
from tests.api.world import World, serving
from tests.cli.console import Console


@pytest.fixture
def url() -> Iterator[str]:
    made = World()
    made.clock = SystemClock()  # type: ignore[assignment]
    service = Service.model_validate({"spec": {"alerting": {"route": {"receiver": "log"}}}})
    made.configuration = replace(made.configuration, service=service)
    with serving(made) as address:
        yield address


def test_a_silence_is_added_listed_and_ended(url: str, leeway: Console) -> None:
    why = ("--comment", "new version", "--by", "ann", "--url", url)
    added = leeway("silence", "add", "model=fraud", 'severity!~"info|warning"', "--for", "2h", *why)
    assert added.code == 0, added.err
    name = added.out.strip()
    [silence] = leeway("silence", "list", "--json", "--url", url).lines
    assert (silence["id"], silence["status"]["state"], silence["comment"]) == (name, "active", "new version")
    table = leeway("silence", "list", "--url", url).out
    assert 'model="fraud", severity!~"info|warning"' in table
    later = leeway("silence", "add", "model=churn", "--for", "1d", "--from", "+1h", *why, "--json")
    assert later.lines[0]["silenceID"] != name
    assert leeway("silence", "end", name, "--url", url).code == 0
    left = leeway("silence", "list", "--json", "--url", url).lines
    assert [one["status"]["state"] for one in left] == ["pending"]
    assert len(leeway("silence", "list", "--all", "--json", "--url", url).lines) == 2


def test_a_silence_may_match_what_is_said_of_alerts(url: str, leeway: Console) -> None:
    matcher = 'annotation:summary=~".*amount.*"'
    added = leeway("silence", "add", matcher, "--for", "2h", "--comment", "a new price list", "--url", url)
    assert added.code == 0, added.err
    assert matcher in leeway("silence", "list", "--url", url).out


def test_a_silence_may_count_at_some_hours_of_the_week_only(url: str, leeway: Console) -> None:
    hours = ("--only", "mon-fri 22:00-06:00", "--only", "sat,sun", "--zone", "Europe/Berlin", "--for", "52w")
    added = leeway("silence", "add", "model=fraud", *hours, "--comment", "nightly loads", "--url", url)
    assert added.code == 0, added.err
    table = leeway("silence", "list", "--url", url).out
    assert "nightly loads [only monday:friday 22:00-24:00 Europe/Berlin; tuesday:saturday 00:00-06:00" in table
    [silence] = leeway("silence", "list", "--json", "--url", url).lines
    assert len(silence["leeway"]["intervals"]) == 3


def test_a_silence_names_who_is_told_of_it_and_says_what_it_did(url: str, leeway: Console) -> None:
    why = ("--for", "2h", "--comment", "new version", "--by", "ann", "--url", url)
    name = leeway("silence", "add", "model=fraud", "--tell", "log", *why).out.strip()
    [silence] = leeway("silence", "show", name, "--json", "--url", url).lines
    assert silence["leeway"]["tells"] == ["log"]
    said = leeway("silence", "show", name, "--url", url).out
    assert 'active: model="fraud", by ann: new version\nkept quiet: nothing\n' in said
    refused = leeway("silence", "add", "model=fraud", "--tell", "nobody", *why)
    assert (refused.code, "no receiver is named 'nobody'" in refused.err) == (2, True)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["add", "model=fraud", "--for", "2h", "--only", "funday"], 2, "'funday' is no day of the week"),
        (["add", "model", "--for", "2h"], 2, "column 6: found the end instead of ="),
        (["add", "model=~.*", "--for", "2h"], 2, "this would silence everything"),
        (["add", "model=fraud", "--for", "2"], 2, "expected a duration"),
        (["end", "no-such-silence"], 2, "there is no silence no-such-silence"),
    ],
)
def test_what_makes_no_sense_is_refused(url: str, leeway: Console, words: list[str], code: int, said: str) -> None:
    why = ["--comment", "x"] if words[0] == "add" else []
    answer = leeway("silence", *words, *why, "--url", url)
    assert answer.code == code
    assert said in answer.err


def test_a_service_that_does_not_answer_is_named(leeway: Console) -> None:
    answer = leeway("silence", "list", "--url", "http://127.0.0.1:1")
    assert answer.code == 3
    assert "http://127.0.0.1:1 cannot be reached" in answer.err
