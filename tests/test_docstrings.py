"""The examples in docstrings run, and print what they say."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest
import structlog

ROOT = Path(__file__).parent.parent
PACKAGES = ("detectors", "monitor", "sinks")


def modules_with_examples() -> list[str]:
    files = [file for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py"))]
    shown = [file.relative_to(ROOT) for file in files if ">>> " in file.read_text()]
    return [".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in shown]


MODULES = modules_with_examples()


def test_there_are_examples_in_every_package() -> None:
    assert {name.partition(".")[0] for name in MODULES} == set(PACKAGES)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with structlog.testing.capture_logs():
        results = doctest.testmod(importlib.import_module(name))
    assert results.attempted
    assert not results.failed
