"""Change detectors over observations, one algorithm a file; :data:`DETECTORS` is the table of them."""

from __future__ import annotations

import copyreg
import difflib
from collections.abc import Collection
from typing import Any

from detectors.contract import Detector
from detectors.drift.adwin import ADWIN
from detectors.drift.bocpd import BOCPD
from detectors.drift.conformal import CONFORMAL
from detectors.drift.cusum import CUSUM
from detectors.drift.ddm import DDM
from detectors.drift.e_detector import E_DETECTOR
from detectors.drift.ecdd import ECDD
from detectors.drift.eddm import EDDM
from detectors.drift.ewma import EWMA
from detectors.drift.fhddm import FHDDM
from detectors.drift.gma import GMA
from detectors.drift.hddm_a import HDDM_A
from detectors.drift.hddm_w import HDDM_W
from detectors.drift.kswin import KSWIN
from detectors.drift.page_hinkley import PAGE_HINKLEY
from detectors.drift.rddm import RDDM
from detectors.drift.seed import SEED
from detectors.drift.stepd import STEPD

__all__ = ["DETECTORS", "UnknownDetectorError", "find"]

DETECTORS: dict[str, Detector] = {
    "adwin": ADWIN,
    "bocpd": BOCPD,
    "conformal": CONFORMAL,
    "cusum": CUSUM,
    "ddm": DDM,
    "e_detector": E_DETECTOR,
    "ecdd": ECDD,
    "eddm": EDDM,
    "ewma": EWMA,
    "fhddm": FHDDM,
    "gma": GMA,
    "hddm_a": HDDM_A,
    "hddm_w": HDDM_W,
    "kswin": KSWIN,
    "page_hinkley": PAGE_HINKLEY,
    "rddm": RDDM,
    "seed": SEED,
    "stepd": STEPD,
}
"""Every change detector by its name. A new one is one file and one line here; the contract tests walk this table."""


class UnknownDetectorError(ValueError):
    """There is no detector of that name.

    Parameters
    ----------
    name : str
    names : collection of str, optional
        Those that there are, if they are not ours.
    """

    def __init__(self, name: str, names: Collection[str] | None = None) -> None:
        names = DETECTORS if names is None else names
        nearest = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean {nearest[0]!r}? " if nearest else ""
        super().__init__(f"there is no detector {name!r}; {hint}the detectors are " + ", ".join(sorted(names)))
        self.name = name


def find(name: str) -> Detector:
    """Return the detector called `name`.

    Raises
    ------
    UnknownDetectorError

    Examples
    --------
    >>> find("cusum").parameters[0].name
    'k'
    >>> find("adwim")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    detectors.drift.UnknownDetectorError: there is no detector 'adwim'; did you mean 'adwin'? the detectors are \
adwin, ...
    """
    try:
        return DETECTORS[name]
    except KeyError:
        raise UnknownDetectorError(name) from None


def _by_name(detector: Detector) -> str | tuple[Any, ...]:
    """Say what a pickle needs of a detector of ours: its name, since compiled kernels cannot be kept."""
    if DETECTORS.get(detector.name) is detector:
        return find, (detector.name,)
    return object.__reduce_ex__(detector, 2)


copyreg.pickle(Detector, _by_name)
