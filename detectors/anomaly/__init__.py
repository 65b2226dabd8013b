"""Scorers of anomalies, one algorithm a file; :data:`SCORERS` is the table of them."""

from __future__ import annotations

import copyreg
import difflib
from typing import Any

from detectors.anomaly.bank import AnomalyBank, Scores, with_levels
from detectors.anomaly.ewma_residual import EWMA_RESIDUAL
from detectors.anomaly.forecast import FORECAST
from detectors.anomaly.half_space_trees import HALF_SPACE_TREES
from detectors.anomaly.holt_winters import HOLT_WINTERS
from detectors.anomaly.loda import LODA
from detectors.anomaly.quantile_filter import QUANTILE_FILTER
from detectors.anomaly.random_cut_forest import RANDOM_CUT_FOREST
from detectors.anomaly.robust_z import ROBUST_Z
from detectors.anomaly.rs_hash import RS_HASH
from detectors.anomaly.spot import DSPOT, SPOT
from detectors.contract import Scorer

__all__ = ["SCORERS", "AnomalyBank", "Scores", "UnknownScorerError", "find", "with_levels"]

SCORERS: dict[str, Scorer] = {
    "dspot": DSPOT,
    "ewma_residual": EWMA_RESIDUAL,
    "forecast": FORECAST,
    "half_space_trees": HALF_SPACE_TREES,
    "holt_winters": HOLT_WINTERS,
    "loda": LODA,
    "quantile_filter": QUANTILE_FILTER,
    "random_cut_forest": RANDOM_CUT_FOREST,
    "rs_hash": RS_HASH,
    "robust_z": ROBUST_Z,
    "spot": SPOT,
}
"""Every scorer by its name. A new one is one file and one line here; the contract tests walk this table."""


class UnknownScorerError(ValueError):
    """There is no scorer of that name.

    Parameters
    ----------
    name : str
    """

    def __init__(self, name: str) -> None:
        nearest = difflib.get_close_matches(name, SCORERS, n=1)
        hint = f"did you mean {nearest[0]!r}? " if nearest else ""
        super().__init__(f"there is no scorer {name!r}; {hint}the scorers are " + ", ".join(sorted(SCORERS)))
        self.name = name


def find(name: str) -> Scorer:
    """Return the scorer called `name`.

    Raises
    ------
    UnknownScorerError
    """
    try:
        return SCORERS[name]
    except KeyError:
        raise UnknownScorerError(name) from None


def _by_name(scorer: Scorer) -> str | tuple[Any, ...]:
    """Say what a pickle needs of a scorer of ours: its name, since compiled kernels cannot be kept."""
    if SCORERS.get(scorer.name) is scorer:
        return find, (scorer.name,)
    return object.__reduce_ex__(scorer, 2)


copyreg.pickle(Scorer, _by_name)
