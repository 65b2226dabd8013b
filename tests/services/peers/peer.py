"""What is asked of a peer, and of a program that runs it for us."""

from __future__ import annotations

import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tests.services.cache import UnavailableError

__all__ = ["Fired", "Peer", "PeerError"]

Options = Mapping[str, float | int | str | bool]


class PeerError(RuntimeError):
    """What a peer raised, or an option that it does not have."""


class Fired(NamedTuple):
    """Where a detector fired on one stream."""

    warnings: list[int]
    drifts: list[int]


class Peer(ABC):
    """A program that runs a peer's detectors; it starts at the first question and ends on leaving.

    One process answers many questions, because starting takes most of a second.
    """

    def __init__(self, cache: Path | None = None) -> None:
        self._cache = cache
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.communicate(timeout=30)  # the end of its input ends it
            self._process = None

    def fired(self, detector: str, options: Options, streams: Sequence[ArrayLike]) -> list[Fired]:
        """Return where a new detector fires on each of `streams`.

        Parameters
        ----------
        detector
            The peer's own name of its class, such as ``"EWMAChartDM"``.
        options
            By the peer's own names, such as ``{"lambda": 0.2}``; the others are its defaults.
        streams
            Each float [n].

        Raises
        ------
        PeerError
            What the peer raised.
        """
        flags = [self.ask("flags", detector, options, _rows(x)) for x in streams]
        return [Fired(np.flatnonzero(f == 1).tolist(), np.flatnonzero(f == 2).tolist()) for f in flags]

    def drifts(self, detector: str, options: Options, streams: Sequence[ArrayLike]) -> list[list[int]]:
        """Return only the drifts of :meth:`fired`."""
        return [fired.drifts for fired in self.fired(detector, options, streams)]

    def time_ns(self, detector: str, options: Options, x: ArrayLike, series: int = 1) -> list[float]:
        """Return the nanoseconds per observation of several rounds over `x`, in the peer's own loop.

        The observations go to `series` detectors in turn. The first rounds include what the peer does only once.
        """
        found: list[float] = self.ask("time", detector, options, _rows(x), series).tolist()
        return found

    @abstractmethod
    def command(self) -> list[str]:
        """Return the command that starts the program, having fetched it if it is not there yet."""

    @abstractmethod
    def exchange(
        self, verb: str, name: str, options: Options, rows: NDArray[np.float64], number: int
    ) -> NDArray[np.float64]:
        """Ask the program, which runs."""

    def ask(
        self, verb: str, name: str, options: Options, rows: NDArray[np.float64], number: int = 1
    ) -> NDArray[np.float64]:
        """Ask the program, which is started if it does not run."""
        if self._process is None:
            self._process = subprocess.Popen(
                self.command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
        return self.exchange(verb, name, options, rows, number)

    @property
    def requests(self) -> IO[bytes]:
        """Where the program reads."""
        return self._pipe("stdin")

    @property
    def answers(self) -> IO[bytes]:
        """Where the program writes."""
        return self._pipe("stdout")

    def _pipe(self, name: str) -> IO[bytes]:
        pipe: Any = getattr(self._process, name, None)
        if pipe is None:
            raise UnavailableError("the program does not run")
        found: IO[bytes] = pipe
        return found


def _rows(x: ArrayLike) -> NDArray[np.float64]:
    """Return float64 [n, columns]."""
    array = np.asarray(x, dtype=np.float64)
    return array.reshape(len(array), -1)
