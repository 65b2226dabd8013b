"""NannyML and Evidently, each installed in an environment of its own and run as a program of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from bench.calibration.draw import names_of
from bench.calibration.grid import START_MS, Grid
from bench.calibration.peers.logs import Log
from tests.services.cache import UnavailableError, default_cache, digest, once, run

__all__ = ["PROJECTS", "Monitor", "environment"]

HERE = Path(__file__).parent
PROJECTS = ("nannyml", "evidently")
UNTRACKED = {"NML_DISABLE_USAGE_LOGGING": "1", "DO_NOT_TRACK": "1", "ITERATIVE_DO_NOT_TRACK": "1"}
"""Both send what they are used for to their makers otherwise."""


def environment(project: str, cache: Path | None = None) -> Path:
    """Return the interpreter of a project's environment, which is made if it is not there yet.

    Raises
    ------
    UnavailableError
        pip failed, with what it printed.
    """
    wanted = HERE / f"{project}.txt"

    def install(folder: Path) -> None:
        run([sys.executable, "-m", "venv", str(folder)])
        pip = [str(folder / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        run([*pip, "--requirement", str(wanted)])

    return once((cache or default_cache()) / "peers" / f"{project}-{digest(wanted)}", project, install) / "bin/python"


class Monitor:
    """A program that compares windows with a reference, by the defaults of its project.

    Parameters
    ----------
    project : str
        Of `PROJECTS`.
    grid : Grid
    """

    def __init__(self, project: str, grid: Grid) -> None:
        self._grid = grid
        self._folder = TemporaryDirectory()
        self._program = subprocess.Popen(
            [str(environment(project)), str(HERE / f"{project}_runs.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | UNTRACKED,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._program.communicate(timeout=60)  # the end of its input ends it
        self._folder.cleanup()

    def fit(self, name: str, reference: Log) -> None:
        """Have it learn a reference."""
        self._ask("fit", name, reference)

    def alerts(self, name: str, log: Log) -> NDArray[np.bool_]:
        """Return in which windows it alerts, bool[2, F, T]: of drift, and of missing values.

        Parameters
        ----------
        name : str
            Of a reference with the same features.
        log : Log
        """
        answer = np.array(self._ask("alerts", name, log), dtype=np.bool_)
        return answer.reshape(2, len(log.columns), log.windows)

    def _ask(self, verb: str, name: str, log: Log) -> Any:
        path = Path(self._folder.name) / "log.npz"
        at_ms = START_MS + log.window * self._grid.window_ms
        names = names_of(log.stream) if log.stream.shares else []
        np.savez(path, window=log.window, at_ms=at_ms, columns=log.columns, names=np.array(names, dtype=np.str_))
        period = "h" if self._grid.name == "1h" else "D"
        request = {"verb": verb, "name": name, "path": str(path), "windows": log.windows, "period": period}
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        print(json.dumps(request), file=self._program.stdin, flush=True)
        line = self._program.stdout.readline()
        if not line:
            raise UnavailableError("the program ended in the middle of an answer")
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["answer"]
