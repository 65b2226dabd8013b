"""Prometheus' `promtool`, which checks rules and plays them through.

The first use builds it with Go into the cache, which takes six minutes of CPU.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.services.alertmanager import run_go
from tests.services.cache import default_cache, digest, once

__all__ = ["promtool"]

MODULE = Path(__file__).parent / "go.mod"
PROGRAM = "github.com/prometheus/prometheus/cmd/promtool"


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `promtool`; return what it printed, and its exit code."""
    program = once(default_cache() / f"promtool-{digest(MODULE)}", "promtool", _build) / "promtool"
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False)


def _build(folder: Path) -> None:
    folder.mkdir()
    shutil.copy(MODULE, folder)
    run_go(["build", "-mod=mod", "-o", "promtool", PROGRAM], folder)
