"""MOA (https://moa.cms.waikato.ac.nz, GPL-3), run as a program of its own for the tests and the benchmarks."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tests.services.cache import UnavailableError, copy_jars, default_cache, digest, once, run
from tests.services.peers.peer import Options, Peer, PeerError

__all__ = ["Moa", "fetch"]

POM = Path(__file__).with_name("pom.xml")
SOURCE = Path(__file__).with_name("MoaRuns.java")
# Part of the runtime, where the command javac often is not.
JAVAC = ["java", "-m", "jdk.compiler/com.sun.tools.javac.Main", "-nowarn"]


def fetch(cache: Path | None = None) -> Path:
    """Return the folder of MOA's jar and our program that runs it, fetched and compiled if they are not there yet.

    Raises
    ------
    UnavailableError
        Maven or Java's compiler is missing or failed.
    """
    found = re.search(r"<moa\.version>(.+?)</moa\.version>", POM.read_text())
    if found is None:
        raise UnavailableError(f"{POM} states no moa.version")
    return once((cache or default_cache()) / f"moa-{found[1]}-{digest(POM, SOURCE)}", "moa", _make)


def _make(folder: Path) -> None:
    copy_jars(POM, folder)
    jars = ":".join(str(jar) for jar in sorted(folder.glob("*.jar")))
    run([*JAVAC, "-cp", jars, "-d", str(folder), str(SOURCE)])


class Moa(Peer):
    """MOA in a virtual machine of its own.

    Parameters
    ----------
    cache
        The folder of downloads; `LEEWAY_CACHE` without it.
    for_load
        Compile for throughput. Without it the machine starts with half the CPU time, which suits tests.
    """

    def __init__(self, cache: Path | None = None, for_load: bool = False) -> None:
        super().__init__(cache)
        self._quick = [] if for_load else ["-XX:TieredStopAtLevel=1"]

    def command(self) -> list[str]:
        """Return the command that starts the machine."""
        folder = fetch(self._cache)
        return ["java", "-Xmx1g", "-XX:+UseSerialGC", *self._quick, "-cp", f"{folder}/*:{folder}", "MoaRuns"]

    def scores(self, options: Options, rows: ArrayLike, seed: int = 1) -> NDArray[np.float64]:
        """Return the anomaly score that half-space trees (``HSTrees``) give each row before they learn it.

        Parameters
        ----------
        options
            ``windowSize``, ``numberOfTrees``, ``maxDepth``, ``anomalyThreshold``, ``sizeLimit``.
        rows
            float [n, features], of numbers from 0 to 1.
        seed
            Of the trees.
        """
        return self.ask("scores", "HSTrees", options, np.asarray(rows, dtype=np.float64), seed)

    def time_scores_ns(self, options: Options, rows: ArrayLike, seed: int = 1) -> list[float]:
        """Return the nanoseconds per row of several rounds of :meth:`scores`, in MOA's own loop."""
        found: list[float] = self.ask(
            "time scores", "HSTrees", options, np.asarray(rows, dtype=np.float64), seed
        ).tolist()
        return found

    def exchange(
        self, verb: str, name: str, options: Options, rows: NDArray[np.float64], number: int
    ) -> NDArray[np.float64]:
        """Ask the machine; see ``MoaRuns.java`` for what goes over the pipe."""
        settings = b"".join(_text(key) + _text(str(value)) for key, value in options.items())
        head = _text(verb) + _text(name) + struct.pack(">i", len(options)) + settings
        self.requests.write(head + struct.pack(">iii", number, *rows.shape) + rows.astype(">f8").tobytes())
        self.requests.flush()
        if self._answered_text() == "error":
            raise PeerError(self._answered_text())
        (count,) = struct.unpack(">i", self._answered(4))
        return np.frombuffer(self._answered(8 * count), dtype=">f8").astype(np.float64)

    def _answered_text(self) -> str:
        (size,) = struct.unpack(">H", self._answered(2))
        return self._answered(size).decode()

    def _answered(self, size: int) -> bytes:
        answered = self.answers.read(size)
        if len(answered) < size:
            raise UnavailableError("the virtual machine ended in the middle of an answer")
        return answered


def _text(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack(">H", len(encoded)) + encoded
