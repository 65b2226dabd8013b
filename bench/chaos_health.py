"""What a service takes while a run of chaos lasts, and whether it answers."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import httpx
import numpy as np

from bench.chaos_threads import Background
from bench.fleet import Member

__all__ = ["Growth", "Health", "Sample", "growth", "noting_deaths"]

EVERY_S, PROBE_S = 2.0, 5.0
WARM_UP_S = 60.0
"""So old a process has imported and compiled everything, and its caches are filled."""


class Sample(NamedTuple):
    """What one process takes at one time."""

    age_s: float
    rss_mb: float
    threads: float
    descriptors: float
    own_disk_mb: float
    store_mb: float


class Growth(NamedTuple):
    """How a figure went.

    Attributes
    ----------
    before : float
        The highest that it was in the first half: what a load has once needed stays with the process.
    median : float
    last : float
    an_hour : float
        By how much it grew in the second half, which begins where everything has happened once.
    """

    before: float
    median: float
    last: float
    an_hour: float


@dataclass
class _Life:
    pid: int
    begun_s: float
    samples: list[Sample]


class Health(Background):
    """Looks at the service every two seconds.

    Parameters
    ----------
    service : callable
        Returns the process that runs.
    disks : sequence of Path
        The folder of the service's own, and that of the store.

    Attributes
    ----------
    longest_silence_s : float
        For how long at most ``/healthz`` was not answered by a process that had begun to listen.
    """

    def __init__(self, service: Callable[[], Member], disks: Sequence[Path]) -> None:
        super().__init__(self._run)
        self._service, self._disks = service, disks
        self._lives: list[_Life] = []
        self.longest_silence_s, self.probes = 0.0, 0
        self._answered_s = time.monotonic()

    @property
    def samples(self) -> list[Sample]:
        """Those of the last process, since it was warm."""
        samples = self._lives[-1].samples if self._lives else []
        return [sample for sample in samples if sample.age_s >= WARM_UP_S]

    def _run(self) -> None:
        with httpx.Client(timeout=PROBE_S) as client:
            while not self._stop.wait(EVERY_S):
                member = self._service()
                self._sample(member)
                self._probe(client, member)

    def _sample(self, member: Member) -> None:
        if not self._lives or self._lives[-1].pid != member.pid:
            self._lives.append(_Life(member.pid, time.monotonic(), []))
        life = self._lives[-1]
        taken = _of_process(member.pid)
        if taken is not None:
            own, tables = (_bytes(disk) / 1e6 for disk in self._disks)
            life.samples.append(Sample(time.monotonic() - life.begun_s, *taken, own, tables))

    def _probe(self, client: httpx.Client, member: Member) -> None:
        now_s = time.monotonic()
        if not member.url:
            self._answered_s = now_s
            return
        try:
            answered = client.get(f"{member.url}/healthz").status_code == 200
        except httpx.HTTPError:
            answered = False
        self.probes += 1
        if answered or self._service() is not member:
            self._answered_s = time.monotonic()
        self.longest_silence_s = max(self.longest_silence_s, time.monotonic() - self._answered_s)


def growth(samples: Sequence[Sample], name: str) -> Growth:
    """Return how a figure went, by its medians over tenths of the time.

    Examples
    --------
    >>> samples = [Sample(60.0 + i, 100.0, 9, 20 + i, 0, 0) for i in range(100)]
    >>> growth(samples, "rss_mb"), round(growth(samples, "descriptors").an_hour)
    (Growth(before=100.0, median=100.0, last=100.0, an_hour=0.0), 3600)
    """
    values = np.array([getattr(sample, name) for sample in samples])
    ages_s, half = np.array([sample.age_s for sample in samples]), len(values) // 2
    slope = np.polyfit(ages_s[half:], values[half:], 1)[0] * 3600 if len(values) - half > 2 else 0.0
    tenths = [float(np.median(part)) for part in np.array_split(values, 10) if len(part)]
    before = max(tenths[: max(1, len(tenths) // 2)])
    return Growth(before, float(np.median(values)), tenths[-1], round(float(slope), 6))


@contextmanager
def noting_deaths(reasons: list[str]) -> Iterator[None]:
    """Note which threads die of an error: what they sent, posted or measured is lacking from then on.

    Parameters
    ----------
    reasons : list of str
        Takes a line for each of them.
    """
    former = threading.excepthook

    def note(death: threading.ExceptHookArgs) -> None:
        name = death.thread.name if death.thread is not None else "a thread"
        reasons.append(f"{name} of the run died: {death.exc_type.__name__}: {death.exc_value}")
        former(death)

    threading.excepthook = note
    try:
        yield
    finally:
        threading.excepthook = former


def _of_process(pid: int) -> tuple[float, float, float] | None:
    """Memory in MB, threads and descriptors; None if it has just ended."""
    try:
        status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        return int(status["VmRSS"].split()[0]) / 1e3, int(status["Threads"]), len(os.listdir(f"/proc/{pid}/fd"))
    except (OSError, KeyError):
        return None


def _bytes(folder: Path) -> int:
    """What the files of a folder take, but for what fills the disk on purpose."""
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            if name != "filling":
                try:
                    total += os.lstat(os.path.join(path, name)).st_blocks * 512
                except FileNotFoundError:
                    continue  # merged away meanwhile
    return total
