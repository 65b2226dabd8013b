"""Who decides something has a name, and says why where others will ask: spaces are neither."""

from __future__ import annotations

from typing import Any

import pytest

from monitor.evaluate.mark_log import read_marks
from tests.api.full_world import full_world
from tests.api.world import Client

MARK: dict[str, Any] = {
    "model": "fraud", "signal": "feature:amount", "says": "accepted", "at": 60_000, "created_by": "ann", "reason": "up",
}  # fmt: skip


@pytest.mark.parametrize(
    ("route", "body", "field"),
    [
        ("/v1/marks", MARK | {"reason": " \t"}, "reason"),
        ("/v1/marks", MARK | {"created_by": "  "}, "created_by"),
        ("/v1/marks", MARK | {"created_by": "x" * 201}, "created_by"),
        ("/v1/marks", MARK | {"reason": "x" * 2_001}, "reason"),
        ("/v1/rollouts", {"model": "fraud", "candidate": "v3", "champion": "v1", "created_by": " "}, "created_by"),
        ("/v1/rollouts/r/stop", {"created_by": "\n"}, "created_by"),
        ("/v1/clocks", {"model": "fraud", "reason": " ", "created_by": "ann"}, "reason"),
    ],
)
def test_spaces_are_no_name_and_no_reason(route: str, body: dict[str, Any], field: str) -> None:
    refused = Client(full_world()).request("POST", route, json=body)
    assert refused.status_code == 422
    assert field in {error["field"] for error in refused.json()["errors"]}


def test_spaces_around_what_people_write_are_none_of_it() -> None:
    world = full_world()
    marked = MARK | {"reason": " prices rose ", "created_by": "ann\n"}
    assert Client(world).request("POST", "/v1/marks", json=marked).status_code == 200
    mark = next(mark for mark in read_marks(world.store) if mark.reason.startswith("prices"))
    assert (mark.created_by, mark.reason) == ("ann", "prices rose")
