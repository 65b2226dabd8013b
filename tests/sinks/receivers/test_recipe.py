"""A receiver that is added as CONTRIBUTING says works: from its configuration to an alert that it delivers."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.cli.console import by_line
from tests.service import shop
from tests.service.process import ROOT, Running, environment, leeway

RECIPE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("### A new receiver\n")[2]


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """A folder with the package `sinks`, to which the recipe was applied: one file and one line."""
    shutil.copytree(ROOT / "sinks", tmp_path / "sinks", ignore=shutil.ignore_patterns("__pycache__"))
    file, line = re.findall(r"^```python\n(.*?)^```", RECIPE, re.MULTILINE | re.DOTALL)[:2]
    [name] = re.findall(r"For example `(\S+)`", RECIPE)[:1]
    (tmp_path / name).write_text(file)
    table = tmp_path / "sinks" / "receivers" / "__init__.py"
    table.write_text(table.read_text().replace("RECEIVERS = {\n", f"RECEIVERS = {{\n{line}", 1))
    return tmp_path


def configured(folder: Path, **parameters: Any) -> Path:
    receiver = {"kind": "file", "name": "diary", **parameters}
    alerting = {"route": {"receiver": "diary", "group_wait": "1s"}}
    return shop.configured(folder, shop.model("shop", {"http": "shop"}), receivers=[receiver], alerting=alerting)


def test_what_is_wrong_with_its_parameters_is_said_with_file_line_and_path(packages: Path) -> None:
    config = configured(packages, path="", paths="both")
    checked = leeway("check", config, cwd=packages, packages=packages)
    assert checked.returncode == 2, checked.stderr
    lines = config.read_text().splitlines()
    for key, value, message in (("path", "", "String should have at least 1"), ("paths", "both", "unknown key")):
        line = next(number for number, text in enumerate(lines, 1) if f'"{key}": "{value}"' in text)
        assert f"{config}:{line}: spec.receivers.0.{key}: {message}" in by_line(checked.stderr)


def test_it_is_in_the_reference(packages: Path) -> None:
    document = packages / "configuration.md"
    shutil.copy(ROOT / "docs" / "configuration.md", document)
    command = [sys.executable, "-m", "monitor.config.reference", str(document)]
    subprocess.run(command, cwd=packages, env=environment(packages), check=True)
    _, _, section = document.read_text().partition("### spec.receivers[], kind: file\n")
    assert "| `path` | text | **required** | of the file; made if it is not there |" in section


@pytest.mark.slow
def test_it_delivers_an_alert(packages: Path) -> None:
    diary = packages / "diary.jsonl"
    config = configured(packages, path=str(diary))
    checked = leeway("check", config, cwd=packages, packages=packages)
    assert checked.returncode == 0, checked.stderr
    with Running("run", config, "--port", 0, cwd=packages, packages=packages) as service:
        shop.wait_until(lambda: service.get("/readyz").status_code == 200, "it is ready")
        alert = {"labels": {"alertname": "DiskFull"}, "annotations": {"summary": "no space is left"}}
        assert httpx.post(f"{service.url}/api/v2/alerts", json=[alert], timeout=60).status_code == 200
        # A file is there before the line in it is.
        shop.wait_until(lambda: diary.is_file() and diary.read_text().endswith("\n"), "the alert is delivered")
    [line] = diary.read_text().splitlines()
    [delivered] = json.loads(line)["alerts"]
    assert (delivered["labels"]["alertname"], delivered["annotations"]["summary"]) == ("DiskFull", "no space is left")
