"""Compiled code is kept on disk, and is compiled anew when anything that it was made of has changed."""

from __future__ import annotations

import importlib
import os
import pkgutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import detectors
import monitor
from detectors.kernel import Kernel

CALLED = """
from detectors.kernel import inlined, kernel

TEN = {ten}


@{how}
def part(x: float) -> float:
    return {part}
"""
CALLING = """
from detectors.kernel import kernel
from called import TEN, part


@kernel
def whole(x: float) -> float:
    return part(x) + TEN
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for two files of kernels, with a disk cache of its own."""
    settings: Any = importlib.import_module("numba.core.config")
    if settings.BOUNDSCHECK or settings.DISABLE_JIT:
        pytest.skip("nothing is kept on disk")
    monkeypatch.setattr(settings, "CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setitem(sys.modules, "called", ModuleType("called"))
    return tmp_path


def written(folder: Path, *, part: str = "x", ten: int = 10, how: str = "inlined") -> Kernel[[float], float]:
    """Write both files, and read them as a new process would."""
    sys.modules["called"] = loaded(folder / "called.py", CALLED.format(part=part, ten=ten, how=how))
    calling: Kernel[[float], float] = loaded(folder / "calling.py", CALLING).whole
    return calling


def loaded(path: Path, text: str) -> ModuleType:
    path.write_text(text)
    module = ModuleType(path.stem)
    exec(compile(text, path, "exec"), module.__dict__)
    return module


def was_kept(calling: Kernel[[float], float]) -> bool:
    hits: int = sum(calling.compiled.stats.cache_hits.values())
    return hits == 1


@pytest.mark.parametrize("how", ["inlined", "kernel"])
def test_an_edit_of_a_file_whose_kernel_is_called_is_noticed(folder: Path, how: str) -> None:
    first = written(folder, how=how)
    assert (first(1.0), was_kept(first)) == (11.0, False)
    again = written(folder, how=how)
    assert (again(1.0), was_kept(again)) == (11.0, True)
    edited = written(folder, how=how, part="2 * x")
    assert (edited(1.0), was_kept(edited)) == (12.0, False)


def test_an_edit_of_a_number_in_another_file_is_noticed(folder: Path) -> None:
    written(folder)(1.0)
    edited = written(folder, ten=20)
    assert (edited(1.0), was_kept(edited)) == (21.0, False)


def test_processes_that_start_together_compile_a_kernel_once(folder: Path) -> None:
    (folder / "called.py").write_text(CALLED.format(part="x", ten=10, how="kernel"))
    (folder / "calling.py").write_text(CALLING)
    code = (
        "import sys; sys.path.append('.'); from calling import part, whole; assert whole(1.0) == 11.0;"
        " print(*(sum(of.compiled.stats.cache_misses.values()) for of in (whole, part)))"
    )
    environment = os.environ | {"NUMBA_CACHE_DIR": "cache", "PYTHONPATH": os.pathsep.join(sys.path)}
    started = [
        subprocess.Popen([sys.executable, "-c", code], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    assert sorted(process.communicate()[0].split() for process in started) == [["0", "0"], ["0", "0"], ["1", "1"]]


def test_a_kernel_that_cannot_be_compiled_is_no_other_process_s_wait(folder: Path) -> None:
    sys.modules["called"] = loaded(folder / "called.py", CALLED.format(part="x", ten=10, how="kernel"))
    impossible: Kernel[[float], float] = loaded(folder / "calling.py", CALLING.replace("+ TEN", "+ [TEN][x]")).whole
    for _ in range(2):
        with pytest.raises(Exception, match="nopython"):
            impossible(1.0)
    [lock] = (folder / "cache").rglob("*whole*.lock")
    code = "import fcntl, sys; fcntl.lockf(open(sys.argv[1], 'ab'), fcntl.LOCK_EX | fcntl.LOCK_NB)"
    subprocess.run([sys.executable, "-c", code, lock], check=True)


def test_no_kernel_takes_anything_from_another_file_by_a_dot() -> None:
    """What is written ``module.name`` could be edited without the cache noticing."""
    allowed = {"math", "numpy"}
    dotted = {
        f"{kernel.__module__}.{kernel.__name__}: {name}"
        for kernel in kernels()
        for name in kernel.__wrapped__.__code__.co_names
        if isinstance(value := kernel.__wrapped__.__globals__.get(name), ModuleType) and value.__name__ not in allowed
    }
    assert not dotted


def kernels() -> list[Kernel[..., Any]]:
    """All there are, with the modules that they stand in imported."""
    modules = [
        importlib.import_module(module.name)
        for package in (detectors, monitor)
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
        if not module.name.endswith("__main__")
    ]
    kernels_of_ours = [value for module in modules for value in vars(module).values() if isinstance(value, Kernel)]
    assert len(kernels_of_ours) > 100
    return kernels_of_ours
