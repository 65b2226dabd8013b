"""`leeway incidents`: what belongs together, and what may be behind it."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from tests.api.test_incidents import fires, rollout
from tests.api.world import World, serving
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


def test_the_page_about_alerts_shows_what_is_printed(leeway: Console) -> None:
    page = (Path(__file__).parents[2] / "docs" / "alerts.md").read_text()
    [block] = re.findall(r"^```text\n(\$ leeway incidents .*?)^```$", page, flags=re.MULTILINE | re.DOTALL)
    command, _, shown = block.partition("\n")
    world, minute = World(), 1_715_641_200_000 // 60_000  # 2024-05-13T23:00Z
    moved = "fraud: 200 features moved together (strongest: feature:amount PSI 1.43, 14× its limit)"
    world.add(
        "alerts",
        [
            fires("1d0a8f6c2b7e9d34", minute, severity="critical", title=moved),
            fires(
                "77c3be01f9a2d850", minute + 5, "churn", title="churn: feature:visits moved (PSI 0.31, 3.1× its limit)"
            ),
        ],
    )
    first_ms = {"v7": 1, "v8": (minute - 2) * 60_000}
    world.add("versions", [{"model": "fraud", "version": name, "first_ms": ms} for name, ms in first_ms.items()])
    at_ms = (minute - 3) * 60_000
    rollout = {"id": "b", "at_ms": at_ms, "name": "feature store 1.4", "models": ["churn", "fraud"], "labels": "{}"}
    world.add("deployments", [rollout])
    with serving(world) as url:
        said = leeway(*shlex.split(command.removeprefix("$ leeway ")), "--url", url)
    words = [line.split() for line in said.out.splitlines() if line.strip("─ ")]
    expected = [line.split() for line in shown.splitlines() if line]
    assert words[: len(expected)] == expected
