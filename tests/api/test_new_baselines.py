"""Baselines are built before they are in force, promoted, and frozen."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import httpx
import pytest

from monitor.check import read_model
from monitor.config import Configuration, Service
from monitor.configurations.log import Change, ConfigurationLog
from monitor.watch import compile_watch
from sinks.store.contract import Query, Store
from sinks.store.memory import MemoryStore
from tests.api.world import Client, World, configured, model, serving
from tests.cli.console import Console
from tests.monitor.streams import DAY_MS, SPEC, START_MS, applications, as_lines, detecting, replayed_lines, rows
from tests.monitor.streams import configured as watched

PAGE = (Path(__file__).parents[2] / "docs" / "change-configuration.md").read_text()
DAYS = 20
CHANGES_MS = START_MS + 15 * DAY_MS
DETECT = detecting(
    default_rules=False,
    rules=[{"on": "feature:amount", "use": ["psi"]}, {"on": "feature:age", "use": ["psi"]}],
    pane="6h",
    defaults={"window": "12h", "min_samples": 20, "learn_windows": 4},
)
PART: dict[str, Any] = {"segments": [], "baseline": {"kind": "rolling", "span": "8d"}, "detect": DETECT}
DOCUMENT = f"""# The model of applications.
apiVersion: leeway/v1
kind: Model
metadata: {{name: loans}}
spec:
  sources: {json.dumps(SPEC["sources"])}
  schema: {json.dumps(SPEC["schema"])}
  baseline:   # what was usual
    kind: rolling
    span: 8d  # a week and a day
  # When a window alarms.
  detect: {json.dumps(DETECT)}
"""
WEEK = {"kind": "period", "from": "2024-01-02T00:00:00Z", "to": "2024-01-10T00:00:00Z"}


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Twenty days of a model whose amounts rise on the sixteenth."""

    def change(event: dict[str, Any]) -> None:
        event["amount"] *= 6 if event["ts"] >= CHANGES_MS else 1

    lines = as_lines(applications(5, days=DAYS, per_day=150, change=change))
    store, _ = replayed_lines(tmp_path_factory.mktemp("loans"), lines, watched(**PART))
    return store


@pytest.fixture
def world(evaluated: Store) -> World:
    store = MemoryStore()
    store.migrate()
    for table in ("panes", "progress", "scores", "alerts"):
        store.append(table, evaluated.read(Query(table)), token=table)
    world = World(store=store, configuration=Configuration(Service(), {}, Path()))
    log = ConfigurationLog(store, world.clock)
    log.put(Change("loans", DOCUMENT, "api", author="ann", reason="first"), replaces="")
    return world


def post(world: World, baseline: dict[str, Any] | None, model: str = "loans", **how: Any) -> httpx.Response:
    headers = how.pop("headers", {})
    path = f"/v1/models/{model}/baseline"
    content = json.dumps({"baseline": baseline})
    headers |= {"Content-Type": "application/json"}
    return Client(world).request("POST", path, content=content, params=how, headers=headers)


def newest(world: World) -> tuple[int, str]:
    version = ConfigurationLog(world.store, world.clock).newest("loans")
    assert version is not None
    return version.version, version.document


def test_what_a_baseline_would_be_is_said_before_it_is_one(world: World) -> None:
    answer = post(world, WEEK, dry_run=True, days=6)
    assert answer.status_code == 200, answer.text
    built = answer.json()
    assert newest(world) == (1, DOCUMENT)
    panes = world.store.read(Query("panes", {"signal": "feature:amount", "segment": "", "late_at_ms": 0}))
    inside = (panes["pane_start_ms"] >= START_MS + DAY_MS) & (panes["pane_start_ms"] < START_MS + 9 * DAY_MS)
    by_signal = {row["signal"]: row for row in built["signals"]}
    assert by_signal["feature:amount"]["baseline_n"] == (panes["n"] + panes["missing"])[inside].sum()
    assert by_signal["feature:amount"]["effect"] > 5 * by_signal["feature:amount"]["min_effect"]
    assert by_signal["feature:age"]["effect"] < 2 * by_signal["feature:age"]["min_effect"]
    assert built["difference"]["backtest"]["fired_now"] == 1
    assert {each["path"] for each in built["difference"]["fields"]} >= {"spec.baseline.kind", "spec.baseline.from"}
    assert (built["refusal"], built["notes"]) == ("", [])


def test_a_promoted_baseline_is_a_version_that_differs_by_it_alone(world: World) -> None:
    accepted = post(world, WEEK, reason="a quiet week", created_by="bob").json()
    changed = DOCUMENT.replace(
        "  baseline:   # what was usual\n    kind: rolling\n    span: 8d  # a week and a day\n",
        "  baseline: {kind: period, from: '2024-01-02T00:00:00Z', to: '2024-01-10T00:00:00Z'}  # a week and a day\n",
    )
    assert newest(world) == (2, changed)
    assert (accepted["author"], accepted["reason"], accepted["document"]) == ("bob", "a quiet week", changed)
    again = post(world, WEEK | {"to": "2024-01-11T00:00:00Z"}, headers={"If-Match": '"1"'})
    assert (again.status_code, newest(world)[0]) == (412, 2)
    for number, header in enumerate(('"1", "2"', "*"), 3):
        again = post(world, WEEK | {"to": f"2024-01-1{number}T00:00:00Z"}, headers={"If-Match": header})
        assert (again.status_code, newest(world)[0]) == (200, number)


def test_a_frozen_baseline_is_the_period_that_was_learned_from_before_the_alarm(world: World) -> None:
    answer = post(world, None)
    assert answer.status_code == 200, answer.text
    accepted = answer.json()
    assert accepted["baseline"]["kind"] == "period"
    spans = {
        row["signal"]: (row["baseline_from_ms"], row["baseline_to_ms"])
        for row in rows(world.store, "latest", detector="psi")
    }
    to_ms = min(end_ms for _, end_ms in spans.values())
    from_ms = to_ms - max(end_ms - start_ms for start_ms, end_ms in spans.values())
    assert to_ms <= CHANGES_MS + DAY_MS // 2
    _, document = newest(world)
    period: Any = read_model(Path(), "loans", document).spec.baseline
    assert (period.from_ms, period.to_ms) == (from_ms, to_ms)
    assert post(world, None).json()["detail"] == "the baseline of loans is a period, which stands still already"


def test_what_cannot_be_a_baseline_is_refused_with_the_reason(world: World) -> None:
    long_ago = {"kind": "period", "from": "2023-01-02T00:00:00Z", "to": "2023-01-10T00:00:00Z"}
    refused = post(world, long_ago)
    assert refused.status_code == 422
    assert "panes of it are stored since 2024-01-01 00:00 UTC only" in refused.json()["detail"]
    [note] = post(world, long_ago, dry_run=True).json()["notes"]
    assert note in refused.json()["detail"]
    wrong = post(world, {"kind": "period", "from": "2024-01-02"}).json()
    assert {each["field"] for each in wrong["errors"]} == {"spec.baseline.from", "spec.baseline.to"}
    # What it is compared with already is in a checkpoint, whatever panes are left.
    world.watches["loans"] = compile_watch(watched(**PART | {"baseline": long_ago}), "loans")
    assert post(world, long_ago, dry_run=True).json()["notes"] == []
    for odd in ({}, {"kind": "period", "from": {"to": {}}}, {"kind": "\ud800"}, {"kind": "rolling", "span": "${SPAN}"}):
        assert post(world, odd).status_code == 422
    assert newest(world) == (1, DOCUMENT)


def test_what_a_period_lacks_or_has_is_noted(world: World) -> None:
    early = post(world, WEEK | {"from": "2023-12-20T00:00:00Z"}).json()
    assert early["notes"] == ["panes are stored since 2024-01-01 00:00 UTC only: what came before is not in it"]
    alarmed = post(world, WEEK | {"to": "2024-01-20T00:00:00Z"}, dry_run=True).json()["notes"]
    assert len(alarmed) == 1
    assert alarmed[0].startswith("windows in it have alarmed, and count as any others: feature:amount (")
    ahead = post(world, WEEK | {"to": "2034-01-20T00:00:00Z"}, dry_run=True).json()["notes"]
    assert ahead[0] == "nothing is compared with it before 2034-01-20 00:00 UTC, when it is over"


def test_a_file_is_told_what_it_would_say() -> None:
    world = World(configuration=configured(model("fraud")))
    world.configuration.texts["fraud"] = DOCUMENT.replace("name: loans", "name: fraud")
    refused = post(world, WEEK, model="fraud")
    assert refused.status_code == 409
    line = "baseline: {kind: period, from: '2024-01-02T00:00:00Z', to: '2024-01-10T00:00:00Z'}"
    assert f"under `spec` it would say `{line}`" in refused.json()["detail"]


@pytest.fixture
def leeway(capsys: pytest.CaptureFixture[str]) -> Console:
    return Console(capsys)


def test_the_commands_of_the_page_run(world: World, leeway: Console) -> None:
    [commands] = re.findall(r"^```sh\n(leeway baseline build .*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
    for theirs, ours in (
        ("orders", "loans"),
        ("2026-10-01T00:00:00Z", WEEK["from"]),
        ("2026-10-29T00:00:00Z", WEEK["to"]),
    ):
        commands = commands.replace(theirs, ours)
    with serving(world) as url:
        for number, command in enumerate(commands.splitlines()):
            wait = ["--wait", "0"] if "build" not in command else []
            said = leeway(*shlex.split(command)[1:], *wait, "--url", url)
            # No process goes by a change here.
            assert said.code == (1 if wait else 0), said.err
            assert newest(world)[0] == 1 + number
            if "build" in command:
                assert "compared with 2024-01-02T00:00:00Z to 2024-01-10T00:00:00Z" in said.out
                assert "feature:amount" in said.out
        nothing = leeway("baseline", "promote", "loans", "--url", url)
        assert (nothing.code, "Name a period" in nothing.err) == (2, True)
