"""`leeway deployments`: what a pipeline announces, people see."""

from __future__ import annotations

from tests.api.world import World, serving
from tests.cli.console import Console


def test_deployments_are_added_and_listed(leeway: Console) -> None:
    with serving(World()) as url:
        add = ("deployments", "add", "features 1.4", "--url", url)
        said = leeway(*add, "--id", "b7", "--model", "fraud", "--label", "team=risk", "--version", "v2", "--by", "ci")
        assert (said.code, said.out) == (0, "b7\n")
        [row] = leeway("deployments", "list", "--json", "--url", url).lines
        assert (row["models"], row["labels"], row["created_by"]) == (["fraud"], {"team": "risk"}, "ci")
        table = leeway("deployments", "list", "--model", "fraud", "--url", url).out
        assert "features 1.4" in table
        assert "fraud, team=risk" in table
        nothing = leeway(*add)
        assert (nothing.code, nothing.err) == (2, "error: say what was changed: models, topics or labels\n")
        wrong = leeway(*add, "--label", "team")
        assert (wrong.code, "expected NAME=VALUE" in wrong.err) == (2, True)
