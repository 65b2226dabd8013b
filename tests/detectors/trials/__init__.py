"""One file for each detector, with its slow obvious twin and the settings with which it is tried."""

from __future__ import annotations

from importlib import import_module

from detectors.drift import DETECTORS
from tests.detectors.trial import Trial

TRIALS: dict[str, Trial] = {name: import_module(f"{__name__}.{name}").TRIAL for name in DETECTORS}
"""The trial of every detector in the table; one without a file here is an error."""
