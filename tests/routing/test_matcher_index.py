"""The index of matchers leaves out nothing that matches."""

from __future__ import annotations

import random

from monitor.routing.matcher_index import MatcherIndex
from monitor.routing.matchers import matches_all, parse_matchers
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
