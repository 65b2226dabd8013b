"""The index of matchers leaves out nothing that matches."""

from __future__ import annotations

import random
from contextlib import suppress

import pytest

from monitor.routing.matcher_index import MatcherIndex
from monitor.routing.matchers import Matcher, MatcherError, matches_all, parse_matchers
from tests.routing.alertmanager import labels, matchers


def test_every_list_that_matches_is_a_candidate_in_its_order() -> None:
    rng = random.Random(3)
    lists = [[one for text in matchers(rng) for one in parse_matchers(text)] for _ in range(200)]
    index = MatcherIndex(lists)
    spared = 0
    for alert in (labels(rng) for _ in range(300)):
        candidates = index.candidates(alert)
        assert candidates == sorted(candidates)
        matching = [place for place, wanted in enumerate(lists) if matches_all(wanted, alert)]
        assert set(matching) <= set(candidates)
        spared += len(lists) - len(candidates)
    assert spared > 300 * len(lists) / 4


def test_lists_that_come_later_are_candidates_as_if_they_had_been_there_from_the_start() -> None:
    rng = random.Random(4)
    lists = [[one for text in matchers(rng) for one in parse_matchers(text)] for _ in range(120)]
    alerts = [labels(rng) for _ in range(100)]
    index = MatcherIndex(lists[:40])
    for count, added in enumerate(lists[40:], 41):
        for alert in alerts[:10]:
            index.candidates(alert)
        index.add(added)
        for alert in alerts:
            matching = {place for place, wanted in enumerate(lists[:count]) if matches_all(wanted, alert)}
            assert matching <= set(index.candidates(alert))


def test_an_expression_is_found_by_how_it_begins_and_only_what_may_match_is_asked() -> None:
    texts = [
        "web-1.*",
        "web-1*",
        "web",
        "web|db",
        "(?i)WEB.*",
        "we[bx]",
        "a)|(?:web",
        ".*eb",
        "^web$",
        r"\x77eb",
        "w{1}eb",
    ]
    index = MatcherIndex([Matcher("host", "=~", text)] for text in texts)
    for value in ("web-1", "web-", "web", "db", "w", "", "web-11x"):
        places = index.candidates({"host": value})
        matching = [number for number, text in enumerate(texts) if Matcher("host", "=~", text).matches({"host": value})]
        assert places == matching, value
    many = MatcherIndex([Matcher("host", "=~", f"h{number:04}.*")] for number in range(2000))
    assert [many.candidates({"host": f"h{number:04}x"}) for number in (0, 7, 1999)] == [[0], [7], [1999]]


PARTS = ["a", "b", "bc", r"\.", r"\-", ".", "[ab]", "[^a]", "[]a]", "^", "$", "(ab)", "(?:a|b)", "|", r"\d", "{", "]"]
PARTS += ["é", r"\Q", "(?i)", r"\x61", "-", "\n"]
REPEATED = ["", "", "*", "+", "?", "*?", "+?", "{0}", "{1,2}", "{0,1}?"]


def test_whatever_an_expression_is_made_of_it_finds_all_values_that_it_matches() -> None:
    rng, expressions = random.Random(7), list[Matcher]()
    while len(expressions) < 1_000:
        text = "".join(rng.choice(PARTS) + rng.choice(REPEATED) for _ in range(rng.randrange(1, 7)))
        with suppress(MatcherError):
            expressions.append(Matcher("host", "=~", text))
    index = MatcherIndex([expression] for expression in expressions)
    for _ in range(200):
        value = "".join(rng.choice("abcABé.-1{]\n") for _ in range(rng.randrange(7)))
        matching = [number for number, each in enumerate(expressions) if each.matches({"host": value})]
        assert index.candidates({"host": value}) == matching, value


def test_of_thousands_of_expressions_a_value_asks_those_whose_text_it_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    index = MatcherIndex([Matcher("host", "=~", f".*foo-{number:04}")] for number in range(2000))
    asked, asks = list[str](), Matcher.asks

    def noted(matcher: Matcher, value: str) -> bool:
        asked.append(value)
        return asks(matcher, value)

    monkeypatch.setattr(Matcher, "asks", noted)
    values = [f"eu-foo-{number:04}" for number in range(500)]
    assert [index.candidates({"host": value}) for value in values] == [[number] for number in range(500)]
    assert len(asked) < 20 * len(values)
