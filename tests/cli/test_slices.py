"""What a model got wrong, on the terminal."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.api.world import serving
from tests.cli.console import Console
from tests.slices.labelled import END_MS, EVENTS, START_MS, labelled_world

ASKED = ("--model", "fraud", "--from", str(START_MS), "--to", str(END_MS))


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving(labelled_world()) as address:
        yield address


def test_what_it_got_wrong_is_a_table_with_the_size_of_the_sample(url: str, leeway: Console) -> None:
    answer = leeway("slices", *ASKED, "--url", url)
    assert answer.code == 0
    assert answer.out.splitlines()[3].split()[0] == "feature:amount"
    assert answer.err.startswith(
        f"119 predicted wrongly beside {EVENTS - 119} all others, of all {EVENTS} labelled events"
    )
    lines = leeway("slices", *ASKED, "--slice", "fp", "--against", "tn", "--json", "--url", url).lines
    assert {line["signal"] for line in lines} >= {"feature:amount", "feature:country"}


def test_single_events_are_a_table_with_what_differs_most(url: str, leeway: Console) -> None:
    answer = leeway("rows", *ASKED, "--slice", "worst", "--limit", "3", "--url", url)
    assert answer.code == 0
    assert answer.out.count("amount ") == 3
    assert "the 10% with the largest squared error" in answer.err
    refused = leeway("rows", *ASKED, "--slice", "over", "--url", url)
    assert refused.code == 2
    assert "there is no slice 'over' of binary predictions" in refused.err
