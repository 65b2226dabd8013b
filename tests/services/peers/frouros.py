"""frouros (https://github.com/IFCA-Advanced-Computing/frouros, BSD-3), run as a program of its own."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.services.cache import UnavailableError, default_cache, digest, once, run
from tests.services.peers.peer import Options, Peer, PeerError

__all__ = ["Frouros", "fetch"]

WANTED = Path(__file__).with_name("frouros.txt")
PROGRAM = Path(__file__).with_name("frouros_runs.py")


def fetch(cache: Path | None = None) -> Path:
    """Return the folder that frouros is installed in, fetched if it is not there yet.

    Raises
    ------
    UnavailableError
        pip failed.
    """
    return once((cache or default_cache()) / f"frouros-{digest(WANTED)}", "frouros", _install)


def _install(folder: Path) -> None:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    run([*pip, "--require-hashes", "--target", str(folder), "--requirement", str(WANTED)])


class Frouros(Peer):
    """frouros in an interpreter of its own, with our numpy and scipy."""

    def command(self) -> list[str]:
        """Return the command that starts the interpreter."""
        # -P: the folder of the program has a frouros.py of its own, this one.
        return ["env", f"PYTHONPATH={fetch(self._cache)}", sys.executable, "-P", str(PROGRAM)]

    def exchange(
        self, verb: str, name: str, options: Options, rows: NDArray[np.float64], number: int
    ) -> NDArray[np.float64]:
        """Ask the interpreter."""
        request = {"verb": verb, "name": name, "options": dict(options), "n": len(rows), "number": number}
        self.requests.write(json.dumps(request).encode() + b"\n" + rows.tobytes())
        self.requests.flush()
        answered = self.answers.readline()
        if not answered:
            raise UnavailableError("the interpreter ended in the middle of an answer")
        answer = json.loads(answered)
        if "error" in answer:
            raise PeerError(answer["error"])
        return np.array(answer["found"], dtype=np.float64)
