"""One file for each scorer, with its slow obvious twin and the settings with which it is tried."""

from __future__ import annotations

from importlib import import_module

from detectors.anomaly import SCORERS
from tests.detectors.trial import ScorerTrial

SCORER_TRIALS: dict[str, ScorerTrial] = {name: import_module(f"{__name__}.{name}").TRIAL for name in SCORERS}
"""The trial of every scorer in the table; one without a file here is an error."""
