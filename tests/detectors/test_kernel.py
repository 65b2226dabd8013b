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
from tests.services.kernels import LOCATORS

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
NUMBERS = """
import numpy as np

TEN = {ten}
"""
ADDING = """
from detectors.kernel import kernel
from called import TEN


@kernel
def whole(x: float) -> float:
    return x + TEN{position}
"""


@pytest.fixture(params=["by path", "by content"])
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Path:
    """A folder for two files of kernels, with a disk cache of its own of either kind."""
    settings: Any = importlib.import_module("numba.core.config")
    if settings.BOUNDSCHECK or settings.DISABLE_JIT:
        pytest.skip("nothing is kept on disk")
    by_content = request.param == "by content"
    values = {"CACHE_DIR": "" if by_content else str(tmp_path / "cache"), "CACHE_LOCATOR_CLASSES": LOCATORS}
    for name, value in values.items():
        monkeypatch.setattr(settings, name, value)
        monkeypatch.setenv(f"NUMBA_{name}", value)
    monkeypatch.setenv("LEEWAY_KERNELS", str(tmp_path / "cache"))
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


@pytest.mark.parametrize("folder", ["by content"], indirect=True)
@pytest.mark.parametrize("how", ["inlined", "kernel"])
def test_another_clone_compiles_only_what_differs(tmp_path: Path, folder: Path, how: str) -> None:
    clone = tmp_path / "clone"
    clone.mkdir()
    written(folder, how=how)(1.0)
    same = written(clone, how=how)
    assert (same(1.0), was_kept(same)) == (11.0, True)
    edited = written(clone, how=how, part="2 * x")
    assert (edited(1.0), was_kept(edited)) == (12.0, False)
    first = written(folder, how=how)
    assert (first(1.0), was_kept(first)) == (11.0, True)


@pytest.mark.parametrize(
    ("ten", "position"),
    [("{}", ""), ("np.uint8({})", ""), ("({}.0, 1.0)", "[0]"), ("np.array([{}.0])", "[0]")],
    ids=["number", "numpy", "tuple", "array"],
)
def test_an_edit_of_numbers_in_another_file_is_noticed(folder: Path, ten: str, position: str) -> None:
    def adding(number: int) -> Kernel[[float], float]:
        sys.modules["called"] = loaded(folder / "called.py", NUMBERS.format(ten=ten.format(number)))
        calling: Kernel[[float], float] = loaded(folder / "calling.py", ADDING.format(position=position)).whole
        return calling

    adding(10)(1.0)
    again = adding(10)
    assert (again(1.0), was_kept(again)) == (11.0, True)
    edited = adding(20)
    assert (edited(1.0), was_kept(edited)) == (21.0, False)


def test_code_for_other_types_is_not_run(folder: Path) -> None:
    """Two processes may write it under one name, where locks do not work."""
    first = written(folder)
    assert (first(1.5), first(2)) == (11.5, 12)
    one, other = sorted((folder / "cache").rglob("calling.whole*.nbc"))
    one.write_bytes(other.read_bytes())
    again = written(folder)
    assert (again(1.5), again(2)) == (11.5, 12)


def test_processes_that_start_together_compile_a_kernel_once(folder: Path) -> None:
    (folder / "called.py").write_text(CALLED.format(part="x", ten=10, how="kernel"))
    (folder / "calling.py").write_text(CALLING)
    code = (
        "import sys; sys.path.append('.'); from calling import part, whole; assert whole(1.0) == 11.0;"
        " print(*(sum(of.compiled.stats.cache_misses.values()) for of in (whole, part)))"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
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
