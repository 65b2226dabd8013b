"""`leeway incidents`: what belongs together, and what may be behind it."""

from __future__ import annotations

from tests.api.test_incidents import rollout
from tests.api.world import serving
from tests.cli.console import Console


def test_incidents_are_listed_and_shown(leeway: Console) -> None:
    with serving(rollout()) as url:
        table = leeway("incidents", "--state", "firing", "--url", url)
        assert table.code == 0
        assert "f moved; and 1 more alert (churn)" in table.out
        assert "version v2 of fraud was first seen at" in table.out
        assert "old" not in table.out
        assert [row["id"] for row in leeway("incidents", "--json", "--url", url).lines] == ["f", "old"]
        shown = leeway("incidents", "show", "c", "--url", url).out
        assert shown.startswith("f: critical, firing, since 1970-01-02T00:00:00Z\n")
        assert "fired 5 min after it" in shown
        [document] = leeway("incidents", "show", "c", "--json", "--url", url).lines
        assert [cause["kind"] for cause in document["causes"]] == ["version", "together"]
        assert leeway("incidents", "ack", "f", "--url", url).out == "c: not repeated until they change\n"
        unknown = leeway("incidents", "show", "nothing", "--url", url)
        assert (unknown.code, unknown.err) == (2, "error: no alert that fired has the id 'nothing'\n")
        misplaced = leeway("incidents", "--json", "show", "f", "--url", url)
        assert (misplaced.code, "options go behind 'show'" in misplaced.err) == (2, True)
