"""A distance that is added as docs/distances.md says works from the configuration to the alert."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.service import shop
from tests.service.process import LEEWAY, ROOT

LAST_IMPORT = "from detectors.distance.wasserstein import WASSERSTEIN\n"
LAST_LINE = '    "pai": PAI,\n'


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The three packages in a folder of their own, with the file and the line that the recipe asks for."""
    for package in ("detectors", "monitor", "sinks"):
        # With what is compiled, which holds where nothing was added.
        shutil.copytree(ROOT / package, tmp_path / package)
    package = tmp_path / "detectors" / "distance"
    recipe = re.search(
        r"## Adding one\n.*?```python\n(.*?)```", (ROOT / "docs" / "distances.md").read_text(), re.DOTALL
    )
    assert recipe
    (package / "triangular.py").write_text(recipe[1])
    table = (package / "__init__.py").read_text()
    assert LAST_IMPORT in table
    assert LAST_LINE in table
    table = table.replace(LAST_IMPORT, f"{LAST_IMPORT}from detectors.distance.triangular import TRIANGULAR\n")
    (package / "__init__.py").write_text(table.replace(LAST_LINE, f'{LAST_LINE}    "triangular": TRIANGULAR,\n'))
    return tmp_path


def leeway(checkout: Path, *arguments: object) -> str:
    process = subprocess.run(
        [*LEEWAY, *map(str, arguments)],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    return process.stdout


def test_a_distance_added_by_the_recipe_works_from_configuration_to_alert(checkout: Path) -> None:
    rules = [
        {"on": "feature:amount", "use": [{"triangular": {"min_effect": 0.1}}]},
        {"on": "feature:country", "use": ["triangular"]},
    ]
    config = shop.configured(
        checkout, shop.model("shop", {"kafka": "events"}, detect=shop.DETECT | {"default_rules": False, "rules": rules})
    )
    events = checkout / "events.jsonl"
    events.write_bytes(b"\n".join(shop.traffic(6, windows=40, per_window=60, partitions=1)[0][0]))

    described = json.loads(leeway(checkout, "detectors", "triangular", "--json"))
    assert described["summary"] == "Triangular discrimination, from 0 to 2."
    assert described["parameters"][0]["default"] == 0.05

    plan = json.loads(leeway(checkout, "check", config, "--json"))["models"][0]
    assert plan["signals"]["feature:amount"] == {"triangular": {"min_effect": 0.1}}

    rows = [json.loads(line) for line in leeway(checkout, "replay", config, "-e", events, "--json").splitlines()]
    scores = [row for row in rows if row["table"] == "scores"]
    assert {row["detector"] for row in scores} == {"triangular"}
    drifts = {row["signal"]: row["p_value"] for row in scores if row["status"] == "drift"}
    assert set(drifts) == {"feature:amount", "feature:country"}
    assert max(drifts.values()) < 1e-6
    assert "firing" in {row["state"] for row in rows if row["table"] == "alerts"}
