"""The index of matchers leaves out nothing that matches."""

from __future__ import annotations

import random

from monitor.routing.matcher_index import MatcherIndex
from monitor.routing.matchers import Matcher, matches_all, parse_matchers
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
