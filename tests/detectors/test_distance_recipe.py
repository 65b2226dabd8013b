"""A distance that is added as CONTRIBUTING says works: from its configuration to an alert."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.service import shop
from tests.service.process import ROOT
from tests.service.process import leeway as in_a_process

RECIPE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("### A new distance\n")[2]


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """A folder with the three packages, to which the recipe was applied: one file and one line."""
    for package in ("detectors", "monitor", "sinks"):
        # With what is compiled, which holds wherever nothing was added.
        shutil.copytree(ROOT / package, tmp_path / package)
    file, line = re.findall(r"^```python\n(.*?)^```", RECIPE, re.MULTILINE | re.DOTALL)[:2]
    [path] = re.findall(r"`(detectors/distance/triangular\S+)`", RECIPE)[:1]
    (tmp_path / path).write_text(file)
    table = tmp_path / "detectors" / "distance" / "__init__.py"
    imported = "from detectors.distance.triangular import TRIANGULAR\n\n__all__"
    text = table.read_text().replace("\n__all__", imported, 1)
    table.write_text(re.sub(r"(^DISTANCES: .*? = {\n)", rf"\1{line}", text, count=1, flags=re.MULTILINE))
    return tmp_path


def leeway(packages: Path, *arguments: object) -> str:
    process = in_a_process(*arguments, cwd=packages, packages=packages, timeout_s=800)
    assert process.returncode == 0, process.stderr
    return process.stdout


@pytest.mark.slow
def test_a_distance_added_by_the_recipe_works_from_configuration_to_alert(packages: Path) -> None:
    rules = [
        {"on": "feature:amount", "use": [{"triangular": {"min_effect": 0.1}}]},
        {"on": "feature:country", "use": ["triangular"]},
    ]
    config = shop.configured(
        packages,
        shop.model(
            "shop",
            {"kafka": "events"},
            detect=shop.DETECT | {"rule": "variation", "default_rules": False, "rules": rules},
        ),
    )
    events = packages / "events.jsonl"
    events.write_bytes(b"\n".join(shop.traffic(6, windows=40, per_window=60, partitions=1)[0][0]))

    described = json.loads(leeway(packages, "detectors", "triangular", "--json"))
    assert described["summary"] == "Triangular discrimination, from 0 to 2."
    assert described["parameters"][0]["default"] == 0.05

    plan = json.loads(leeway(packages, "check", config, "--json"))["models"][0]
    assert plan["signals"]["feature:amount"] == {"triangular": {"min_effect": 0.1}}

    rows = [json.loads(line) for line in leeway(packages, "replay", config, "-e", events, "--json").splitlines()]
    scores = [row for row in rows if row["table"] == "scores"]
    assert {row["detector"] for row in scores} == {"triangular"}
    drifts = {row["signal"]: row["p_value"] for row in scores if row["status"] == "drift"}
    assert set(drifts) == {"feature:amount", "feature:country"}
    assert max(drifts.values()) < 1e-6
    assert "firing" in {row["state"] for row in rows if row["table"] == "alerts"}
