"""A run of the demonstration in a folder of its own, so that it does not touch what a user's demo left."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.service.process import ROOT, leeway


def checkout(folder: Path) -> Path:
    """A folder that looks like the repository's to the demo."""
    for name in ("configs", "tests"):
        (folder / name).symlink_to(ROOT / name)
    return folder


def demo(folder: Path, *arguments: str) -> dict[str, Any]:
    """The summary of a whole run."""
    said = leeway("demo", "--no-serve", "--json", *arguments, cwd=checkout(folder), timeout_s=1_700)
    assert said.returncode == 0, said.stderr
    summary: dict[str, Any] = json.loads(said.stdout)
    return summary
