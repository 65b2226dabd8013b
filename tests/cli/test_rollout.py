"""`leeway rollout`: a delivery pipeline goes on, waits or goes back by its exit code."""

from __future__ import annotations

from typing import Any

import pytest

from monitor.cli import rollout
from sinks.store.contract import Query, StoreError
from tests.api.full_world import full_world
from tests.api.world import World, serving
from tests.cli.console import Console


def test_a_pipeline_gates_on_the_exit_code(leeway: Console) -> None:
    world = full_world()
    with serving(world) as url:
        versions = ("--candidate", "v3", "--champion", "v1", "--until", "2d", "--url", url)
        started = leeway("rollout", "start", "fraud", *versions, "--metric", "missing:amount=0.005", "--by", "ci")
        assert started.code == 0
        waiting = leeway("rollout", "status", started.out.strip(), "--wait", "--timeout", "0.1", "--url", url)
        assert waiting.code == 5
        assert "hold: fraud, v3 beside v1, waiting" in waiting.out
        for verdict, code in (("promote", 0), ("rollback", 6)):
            decided(world, verdict)
            status = leeway("rollout", "status", "r", "--wait", "--url", url)
            assert (status.code, status.out.startswith(f"{verdict}: fraud, v2 beside v1, decided")) == (code, True)
            assert "missing:amount 1 % → 5 %" in status.out
        assert leeway("rollout", "list", "--model", "fraud", "--json", "--url", url).lines[1]["verdict"] == "rollback"
        assert leeway("rollout", "stop", "r", "--reason", "seen", "--by", "ann", "--url", url).code == 0


def test_whoever_waits_goes_on_while_the_service_is_away(leeway: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    world = full_world()
    decided(world, "hold")
    answered = world.store.read
    looks: list[str] = []

    def away(query: Query) -> Any:
        looks.append(query.table)
        if len(looks) > 3 and len(looks) < 7:
            raise StoreError("the disk is full", retryable=True)
        if len(looks) == 7:
            decided(world, "rollback")
        return answered(query)

    monkeypatch.setattr(rollout, "LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(world.store, "read", away)
    with serving(world) as url:
        status = leeway("rollout", "status", "r", "--wait", "--timeout", "30", "--url", url)
    assert (status.code, status.out.startswith("rollback: fraud")) == (6, True)
    assert "asking again" in status.err


def decided(world: World, verdict: str) -> None:
    row = {"model": "fraud", "rollout": "r", "end_ms": 3_000, "signal": "missing:amount", "verdict": verdict}
    world.add("rollout_strata", [row])


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--metric", "missing:x=much"), "expected a number behind '='"),
        (("--metric", "missing:x", "--better", "missing:x=up"), "expected one of higher, lower, same, got up"),
        (("--better", "missing:x=lower"), "no --metric missing:x"),
        (("--metric", "missing:x=nan"), "expected a number behind '='"),
        (("--metric", "missing:x=0.01", "--metric", "missing:x=0.5"), "missing:x stands there twice"),
        (("--level", "nan"), "a number is infinite or none"),
        (("--max-loss", "nan"), "a number is infinite or none"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(leeway: Console, options: tuple[str, ...], says: str) -> None:
    said = leeway("rollout", "start", "fraud", "--candidate", "v2", "--champion", "v1", *options)
    assert (said.code, says in said.err) == (2, True)


@pytest.mark.parametrize("verb", [("status",), ("stop", "--by", "ann")])
def test_an_id_that_a_failed_command_left_empty_is_none(leeway: Console, verb: tuple[str, ...]) -> None:
    said = leeway("rollout", *verb, "", "--url", "http://127.0.0.1:9")
    assert (said.code, "expected a name or an id, got nothing" in said.err) == (2, True)
