"""`leeway accept`, `mark` and `marks`: what people say of signals."""

from __future__ import annotations

from monitor.evaluate.mark_log import take_up
from tests.api.test_marks import world
from tests.api.world import serving
from tests.cli.console import Console


def test_a_level_is_accepted_and_a_false_alarm_is_marked(leeway: Console) -> None:
    with serving(world()) as url:
        series = ("--author", "ann", "--url", url)
        accepted = leeway("accept", "fraud", "feature:amount", "--version", "v1", "--reason", "new prices", *series)
        marked = leeway("mark", "fraud", "feature:amount", "--at", "15000", "false", *series, "--json")
        assert (accepted.code, marked.code, accepted.err) == (0, 0, "")
        assert marked.err == "", "that alert is over"
        by_id = {row["id"]: row for row in leeway("marks", "--model", "fraud", "--json", "--url", url).lines}
        mark = by_id[accepted.out.strip()]
        assert (mark["says"], mark["version"], mark["created_by"], mark["from_ms"]) == ("accepted", "v1", "ann", 50_000)
        assert [row["says"] for row in by_id.values()].count("false") == 1
        assert "new prices" in leeway("marks", "--says", "accepted", "--url", url).out


def test_a_mark_is_taken_back_by_another_and_what_was_learned_by_then_is_said(leeway: Console) -> None:
    made = world()
    with serving(made) as url:
        slip = leeway("mark", "fraud", "feature:amount", "false", "--url", url)
        made.clock.advance(1_000)
        taken_back = leeway("mark", "fraud", "feature:amount", "real", "--url", url)
        take_up(made.store, "fraud", 120_000, 60_000)
        made.clock.advance(1_000)
        harmless = leeway("mark", "fraud", "feature:amount", "harmless", "--url", url)
        take_up(made.store, "fraud", 180_000, 60_000)
        made.clock.advance(1_000)
        late = leeway("mark", "fraud", "feature:amount", "real", "--url", url)
    still_fires = "The alert still fires: what is usual is learned from its days so far, and not from later ones. "
    accept = "If this is the new normal, accept it (`leeway accept`).\n"
    assert [answer.err for answer in (slip, taken_back, harmless)] == [still_fires + accept, "", still_fires + accept]
    assert "learned from this alert, since an older mark had effect at 1970-01-01 00:03 UTC" in late.err
    assert len(late.out.split()) == 1


def test_a_level_is_accepted_from_a_time_on(leeway: Console) -> None:
    with serving(world()) as url:
        said = leeway("accept", "fraud", "volume", "--from", "70000", "--reason", "sale", "--url", url, "--json")
        assert '"from_ms": 70000' in said.out


def test_what_is_not_there_cannot_be_accepted(leeway: Console) -> None:
    with serving(world()) as url:
        wrong = leeway("accept", "fraud", "feature:age", "--reason", "x", "--url", url)
        assert (wrong.code, "fraud has no signal 'feature:age', but volume" in wrong.err) == (2, True)
        assert leeway("accept", "fraud", "volume", "--url", url).code == 2
        assert leeway("mark", "fraud", "volume", "wrong", "--url", url).code == 2
