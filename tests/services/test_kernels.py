"""What is kept of compiled kernels is ours alone, and does not grow without end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.services.kernels import keep_compiled, prune

NOW_S = 1_800_000_000.0


def entry(folder: Path, name: str, age_s: float, size: int = 1000) -> Path:
    path = folder / name
    path.mkdir()
    (path / "whole.1.nbc").write_bytes(b"x" * size)
    os.utime(path, (NOW_S - age_s, NOW_S - age_s))
    return path


def test_what_was_not_used_for_longest_goes_first(tmp_path: Path) -> None:
    for day in range(1, 6):
        entry(tmp_path, f"day-{day}", 86_400.0 * day)
    prune(tmp_path, NOW_S, most_bytes=3000)
    assert {path.name for path in tmp_path.iterdir()} == {"day-1", "day-2", "day-3"}


def test_what_may_be_in_use_stays(tmp_path: Path) -> None:
    for minute in range(5):
        entry(tmp_path, f"minute-{minute}", 60.0 * minute)
    prune(tmp_path, NOW_S, most_bytes=3000)
    assert len(list(tmp_path.iterdir())) == 5


def test_a_folder_of_one_s_own_is_used(tmp_path: Path) -> None:
    environment: dict[str, str] = {}
    assert keep_compiled(tmp_path / "cache" / "kernels", environment) is None
    assert environment["LEEWAY_KERNELS"] == str(tmp_path / "cache" / "kernels")


def test_settings_of_the_user_stay(tmp_path: Path) -> None:
    environment = {"NUMBA_CACHE_DIR": "mine"}
    assert keep_compiled(tmp_path, environment) is None
    assert environment == {"NUMBA_CACHE_DIR": "mine"}


def test_a_folder_to_which_others_may_write_is_not_used(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    environment: dict[str, str] = {}
    assert "others may write to it" in (keep_compiled(tmp_path, environment) or "")
    assert not environment


def test_a_folder_of_another_user_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    environment: dict[str, str] = {}
    assert "belongs to another user" in (keep_compiled(tmp_path, environment) or "")
    assert not environment


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    environment: dict[str, str] = {}
    assert str(tmp_path / "file") in (keep_compiled(tmp_path / "file" / "kernels", environment) or "")
    assert not environment


def test_a_run_that_may_not_keep_kernels_says_so(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    (cache / "kernels").mkdir(parents=True)
    (cache / "kernels").chmod(0o777)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_CACHE")}
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "--collect-only", __file__]
    run = subprocess.run(
        command, env=environment | {"LEEWAY_CACHE": str(cache)}, capture_output=True, text=True, check=True
    )
    assert "compiled for this clone alone" in run.stdout
