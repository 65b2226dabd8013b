"""Pure numerics: arrays in, arrays out, state in arrays; no clock, no file, no log, no network.

Start with :mod:`detectors.contract`. Then :class:`detectors.bank.Bank` runs one detector over many series, and
:class:`detectors.online.Online` is a bank of one with the interface of a river drift detector.

Examples
--------
>>> from detectors import Online
>>> Online("cusum", mean=0.0, sd=1.0).update(0.3).drift_detected
False
"""

from importlib import import_module
from typing import Any

NAMES = {
    "AnomalyBank": "detectors.anomaly",
    "Bank": "detectors.bank",
    "Online": "detectors.online",
    "OnlineScorer": "detectors.anomaly.online",
}
"""What can be imported from here, and where it is: nothing is loaded, or compiled, that nobody asks for."""

__all__ = list(NAMES)


def __getattr__(name: str) -> Any:
    if name not in NAMES:
        raise AttributeError(f"module 'detectors' has no attribute {name!r}")
    return getattr(import_module(NAMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *NAMES])
