"""Which detectors and scorers of river, MOA, CapyMOA and frouros stand beside which of ours, and what theirs cost."""

from __future__ import annotations

import importlib
import importlib.util
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from river import anomaly

from bench.contenders import RIVER
from tests.services.peers import Frouros, Moa

__all__ = [
    "CAPYMOA_TWINS",
    "FROUROS_TWINS",
    "MOA_TWINS",
    "RIVER_SCORERS",
    "RIVER_TWINS",
    "capymoa_ns",
    "frouros_ns",
    "moa_ns",
    "river_ns",
    "river_scores_ns",
    "rivers",
]

RIVER_TWINS = {
    "adwin": "ADWIN",
    "ddm": "binary.DDM",
    "eddm": "binary.EDDM",
    "fhddm": "binary.FHDDM",
    "hddm_a": "binary.HDDMA",
    "hddm_w": "binary.HDDMW",
    "kswin": "KSWIN",
    "page_hinkley": "PageHinkley",
}
MOA_TWINS = {
    "adwin": "ADWINChangeDetector",
    "cusum": "CusumDM",
    "ddm": "DDM",
    "ecdd": "EWMAChartDM",
    "eddm": "EDDM",
    "gma": "GeometricMovingAverageDM",
    "hddm_a": "HDDM_A_Test",
    "hddm_w": "HDDM_W_Test",
    "page_hinkley": "PageHinkleyDM",
    "rddm": "RDDM",
    "seed": "SEEDChangeDetector",
    "stepd": "STEPD",
}
FROUROS_TWINS = {
    "adwin": "ADWIN",
    "bocpd": "BOCD",
    "cusum": "CUSUM",
    "ddm": "DDM",
    "ecdd": "ECDDWT",
    "eddm": "EDDM",
    "gma": "GeometricMovingAverage",
    "hddm_a": "HDDMA",
    "hddm_w": "HDDMW",
    "kswin": "KSWIN",
    "page_hinkley": "PageHinkley",
    "rddm": "RDDM",
    "stepd": "STEPD",
}
CAPYMOA_TWINS = {
    "adwin": "ADWIN",
    "cusum": "CUSUM",
    "ddm": "DDM",
    "ecdd": "EWMAChart",
    "eddm": "EDDM",
    "gma": "GeometricMovingAverage",
    "hddm_a": "HDDMAverage",
    "hddm_w": "HDDMWeighted",
    "page_hinkley": "PageHinkley",
    "rddm": "RDDM",
    "seed": "SEED",
    "stepd": "STEPD",
}
RIVER_SCORERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "half_space_trees": lambda params: anomaly.HalfSpaceTrees(
        n_trees=params["trees"], height=params["depth"], window_size=params["window"], seed=1
    ),
    "loda": lambda params: anomaly.LODA(seed=1),
}
_FEW = {"KSWIN": 300, "ADWIN": 2000, "STEPD": 1000, "BOCD": 60}
_SERIES = 100


def rivers(name: str, params: dict[str, Any]) -> Any:
    """Return river's detector that stands beside ours, or None; what it has a setting for is set."""
    if name not in RIVER_TWINS or set(params) - {"clock"}:
        return None
    _, make, _ = RIVER[RIVER_TWINS[name]]
    return make(**params) if params else make()


def river_ns(detector: Any, x: list[float], seconds: float = 0.1) -> float:
    """Return the CPU nanoseconds per observation of river's detector, fed as its users do."""
    return _paced(x, seconds, lambda part: _updated(detector, part))


def capymoa_ns(name: str, x: list[float]) -> list[float]:
    """Return the nanoseconds per observation of CapyMOA's detector, from Python; nothing where it is not installed."""
    if name not in CAPYMOA_TWINS or importlib.util.find_spec("capymoa") is None:
        return []
    detector = getattr(importlib.import_module("capymoa.drift.detectors"), CAPYMOA_TWINS[name])()
    return [_paced(x, 0.1, lambda part: _added(detector, part)) for _ in range(5)]


def _added(detector: Any, x: list[float]) -> None:
    for value in x:
        detector.add_element(value)


def _updated(detector: Any, x: list[float]) -> None:
    for value in x:
        detector.update(value)


def _scored(scorer: Any, rows: list[dict[int, float]]) -> None:
    for row in rows:
        scorer.score_one(row)
        scorer.learn_one(row)


def river_scores_ns(scorer: Any, rows: NDArray[np.float64], seconds: float = 0.1) -> float:
    """Return the CPU nanoseconds per row of river's scorer, which scores and then learns it."""
    return _paced([dict(enumerate(row)) for row in rows.tolist()], seconds, lambda part: _scored(scorer, part))


def _paced(x: list[Any], seconds: float, work: Callable[[list[Any]], None]) -> float:
    """Time `work` on so many of `x` as take about `seconds`."""
    first = x[:10]
    start = time.thread_time_ns()
    work(first)
    each = max((time.thread_time_ns() - start) / len(first), 50.0)
    part = x[: max(20, int(seconds * 1e9 / each))]
    start = time.thread_time_ns()
    work(part)
    return (time.thread_time_ns() - start) / len(part)


def moa_ns(peer: Moa, name: str, x: NDArray[np.float64]) -> list[float]:
    """Return nanoseconds per observation of MOA's detector in its own loop over as many series, once it is warm."""
    return peer.time_ns(MOA_TWINS[name], {}, np.tile(x, 10), series=_SERIES)[-5:]


def frouros_ns(peer: Frouros, name: str, x: NDArray[np.float64]) -> list[float]:
    """Return nanoseconds per observation of frouros' detector in its own loop, over ten series."""
    twin = FROUROS_TWINS[name]
    return peer.time_ns(twin, {}, x[: _FEW.get(twin, 5000)], series=1 if twin in _FEW else 10)
