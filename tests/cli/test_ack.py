"""`leeway ack`: an alert is taken on and given back, and who did it is shown."""

from __future__ import annotations

import json

from tests.api.test_alertmanager import world
from tests.api.world import serving
from tests.cli.console import Console


def test_an_alert_is_taken_on_and_given_back(leeway: Console) -> None:
    with serving(world()) as url:
        said = leeway("ack", "v", "--by", "ann", "--comment", "I look into it", "--url", url)
        assert (said.code, said.out) == (0, "v is not repeated until it changes\n")
        explained = leeway("alerts", "explain", "v", "--url", url).out
        assert "ann took it on at 2023-11-14T22:13:20Z: I look into it" in explained
        taken = json.loads(leeway("alerts", "explain", "v", "--json", "--url", url).out)["acknowledged"]
        assert taken == {
            "created_by": "ann",
            "comment": "I look into it",
            "at_ms": 1_700_000_000_000,
            "sequence": 0,
            "holds": True,
        }
        undone = leeway("ack", "v", "--undo", "--json", "--url", url)
        assert json.loads(undone.out) == {"alert_id": "v", "acknowledged": None}
        assert "took it on" not in leeway("alerts", "explain", "v", "--url", url).out


def test_what_is_over_or_not_there_cannot_be_taken_on(leeway: Console) -> None:
    with serving(world()) as url:
        over = leeway("ack", "old", "--url", url)
        assert (over.code, over.err) == (2, "error: alert 'old' is over: there is nothing to take on\n")
        unknown = leeway("ack", "nothing", "--url", url)
        assert (unknown.code, unknown.err) == (2, "error: no alert has the id 'nothing'\n")
