"""Grafana's own types of dashboards, from its Foundation SDK.

The first use builds a small program with Go into the cache, which takes half a minute of CPU. Of panels it knows those
that `check.go` names; another one is a mistake until it is added there.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from tests.services.alertmanager import run_go
from tests.services.cache import default_cache, digest, once

__all__ = ["mistakes_in"]

SOURCES = tuple(Path(__file__).parent / name for name in ("go.mod", "check.go"))


def mistakes_in(dashboards: Iterable[Path]) -> list[str]:
    """Return what is wrong with dashboards: unknown keys, missing ones, and values of another type."""
    program = once(default_cache() / f"grafana-{digest(*SOURCES)}", "grafana", _build) / "check"
    return subprocess.run([program, *dashboards], capture_output=True, text=True, check=True).stdout.splitlines()


def _build(folder: Path) -> None:
    folder.mkdir()
    for source in SOURCES:
        shutil.copy(source, folder)
    run_go(["build", "-mod=mod", "-o", "check", "."], folder)
