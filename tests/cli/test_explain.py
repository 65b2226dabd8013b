"""`leeway alerts explain`: who was told about an alert, and why."""

from __future__ import annotations

import json

from tests.api.test_alertmanager import world
from tests.api.test_explain import made
from tests.api.world import serving
from tests.cli.console import Console


def test_the_command_line_explains_an_alert(leeway: Console) -> None:
    shown = world()
    shown.add(
        "decisions", [made(1_000, "silenced", "by silence s1"), made(2_000, "delivered", "it was never notified")]
    )
    with serving(shown) as url:
        table = leeway("alerts", "explain", "v", "--url", url)
        assert table.code == 0
        assert "it was never notified" in table.out
        assert "by silence s1" not in table.out
        assert "by silence s1" in leeway("alerts", "explain", "v", "--history", "--url", url).out
        document = json.loads(leeway("alerts", "explain", "v", "--json", "--url", url).out)
        assert document["alert"]["alert_id"] == "v"
        unknown = leeway("alerts", "explain", "nothing", "--url", url)
        assert (unknown.code, unknown.err) == (2, "error: no alert has the id 'nothing'\n")
        misplaced = leeway("alerts", "--json", "explain", "v", "--url", url)
        assert misplaced.code == 2
        assert "options go behind 'explain'" in misplaced.err
