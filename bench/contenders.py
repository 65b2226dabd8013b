"""Change detectors that are compared: all of ours, those of river, MOA and frouros, and two that know nothing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from river import drift

from detectors.bank import Bank
from detectors.contract import Detector
from detectors.drift import DETECTORS
from tests.services.peers import Peer

__all__ = [
    "FROUROS",
    "MOA",
    "RIVER",
    "Always",
    "Contender",
    "Never",
    "Ours",
    "River",
    "Theirs",
    "of_peer",
    "ours",
    "rivers",
]

Matrix = NDArray[np.float64]
Positions = NDArray[np.intp]


@dataclass(frozen=True)
class Contender(ABC):
    """A detector with its settings.

    Parameters
    ----------
    whose, name
        For the table.
    domain
        ``"real"``, ``"unit"`` or ``"binary"``, as of our own detectors.
    slowness
        By how much fewer observations it is tried on than the fastest, so that the whole table takes minutes.
    """

    whose: str
    name: str
    domain: str
    slowness: int = 1

    @abstractmethod
    def drifts(self, rows: Matrix, known: Mapping[str, float]) -> list[Positions]:
        """Return where a new detector fires on each row; `known` has the true ``mean`` and ``sd`` before any change."""


@dataclass(frozen=True)
class Always(Contender):
    """Fires at each observation: no delay is short by itself."""

    def drifts(self, rows: Matrix, known: Mapping[str, float]) -> list[Positions]:
        """Return all positions."""
        return [np.arange(rows.shape[1])] * len(rows)


@dataclass(frozen=True)
class Never(Contender):
    """Never fires: no silence is good by itself."""

    def drifts(self, rows: Matrix, known: Mapping[str, float]) -> list[Positions]:
        """Return nothing."""
        return [np.arange(0)] * len(rows)


@dataclass(frozen=True)
class Ours(Contender):
    """One of ours, in batches.

    Parameters
    ----------
    params
        What differs from the defaults.
    told
        The parameters that are given the truth about the stream before the change: a good baseline.
    """

    params: Mapping[str, Any] = field(default_factory=dict)
    told: tuple[str, ...] = ()

    def drifts(self, rows: Matrix, known: Mapping[str, float]) -> list[Positions]:
        """Run one series after another."""
        params = {**self.params, **{name: known[name] for name in self.told}}
        detector = DETECTORS[self.name]
        return [Bank(detector, params, series=1).update_one(0, row).drifts() for row in rows]


@dataclass(frozen=True)
class River(Contender):
    """One of river's, as river's users feed it."""

    make: Callable[[], Any] = drift.ADWIN

    def drifts(self, rows: Matrix, known: Mapping[str, float]) -> list[Positions]:
        """Run one series after another."""
        return [np.array(list(self._fired(row)), dtype=np.intp) for row in rows]

    def _fired(self, row: NDArray[np.float64]) -> Any:
        detector = self.make()
        for i, x in enumerate(row.tolist()):
            detector.update(x)
            if detector.drift_detected:
                yield i


@dataclass(frozen=True)
class Theirs(Contender):
    """One of a peer that runs as a program of its own."""

    peer: Peer | None = None

    def drifts(self, rows: Matrix, known: Mapping[str, float]) -> list[Positions]:
        """Ask the peer."""
        assert self.peer is not None
        return [np.array(found, dtype=np.intp) for found in self.peer.drifts(self.name, {}, list(rows))]


RIVER: dict[str, tuple[str, Callable[[], Any], int]] = {
    "ADWIN": ("real", drift.ADWIN, 10),
    "KSWIN": ("real", lambda: drift.KSWIN(seed=1), 1000),
    "PageHinkley": ("real", drift.PageHinkley, 10),
    "binary.DDM": ("binary", drift.binary.DDM, 10),
    "binary.EDDM": ("binary", drift.binary.EDDM, 10),
    "binary.FHDDM": ("binary", drift.binary.FHDDM, 10),
    "binary.HDDMA": ("unit", drift.binary.HDDMA, 20),
    "binary.HDDMW": ("unit", drift.binary.HDDMW, 20),
}
"""River's detectors: domain, constructor, slowness."""

MOA: dict[str, str] = {
    "ADWINChangeDetector": "real",
    "CusumDM": "real",
    "DDM": "binary",
    "EDDM": "binary",
    "EWMAChartDM": "binary",
    "GeometricMovingAverageDM": "real",
    "HDDM_A_Test": "unit",
    "HDDM_W_Test": "unit",
    "PageHinkleyDM": "real",
    "RDDM": "binary",
    "SEEDChangeDetector": "real",
    "SeqDrift1ChangeDetector": "real",
    "STEPD": "binary",
}
"""MOA's detectors: domain. All are fast, but SeqDrift2 does not return on unbounded numbers."""

FROUROS: dict[str, tuple[str, int]] = {
    "ADWIN": ("real", 200),
    "CUSUM": ("real", 50),
    "DDM": ("binary", 50),
    "ECDDWT": ("binary", 50),
    "EDDM": ("binary", 50),
    "GeometricMovingAverage": ("real", 50),
    "HDDMA": ("unit", 100),
    "HDDMW": ("unit", 100),
    "KSWIN": ("real", 1000),
    "PageHinkley": ("real", 50),
    "RDDM": ("binary", 100),
    "STEPD": ("binary", 500),
}
"""frouros' detectors: domain, slowness. (Its Bayesian one needs 5 ms an observation.)"""

_BASELINE = ("mean", "sd")
_SLOW = {"bocpd": 10, "kswin": 2}


def ours(name: str, detector: Detector, params: Mapping[str, Any] | None = None) -> list[Contender]:
    """Return one of our detectors, and once more with a good baseline if it can be given one."""
    params = params or {}
    slowness = _SLOW.get(name, 1)
    found: list[Contender] = [Ours("leeway", name, detector.domain, slowness, params)]
    told = tuple(p.name for p in detector.parameters if p.name in _BASELINE and p.name not in params)
    if told:
        found.append(Ours("leeway, told", name, detector.domain, slowness, params, told))
    return found


def rivers() -> list[Contender]:
    """Return river's detectors."""
    return [River("river", name, domain, slowness, make) for name, (domain, make, slowness) in RIVER.items()]


def of_peer(whose: str, peer: Peer, table: Mapping[str, tuple[str, int]]) -> list[Contender]:
    """Return the detectors of MOA or frouros."""
    return [Theirs(whose, name, domain, slowness, peer) for name, (domain, slowness) in table.items()]
