"""One detector over one stream, an observation at a time, with the interface of a river drift detector."""

from __future__ import annotations

from detectors.bank import Bank
from detectors.contract import DRIFT, OK, WARNING, Value
from detectors.drift import find

__all__ = ["Online"]


class Online:
    """A bank of one series. For experiments and tests; a stream is better fed to a Bank in batches.

    Parameters
    ----------
    detector : str
        The name in :data:`detectors.drift.DETECTORS`.
    **params
        What differs from the defaults.

    Raises
    ------
    UnknownDetectorError, ParameterError

    Examples
    --------
    >>> detector = Online("page_hinkley", threshold=5.0)
    >>> for i, x in enumerate([0.0] * 100 + [1.0] * 100):
    ...     if detector.update(x).drift_detected:
    ...         print(f"change at {i}, score {detector.score:.2f}")
    change at 105, score 5.77
    """

    def __init__(self, detector: str, **params: Value) -> None:
        self.name = detector
        self.params = params
        self._bank = Bank(find(detector), params, series=1)
        self._flag = OK
        self._score = 0.0

    def update(self, x: float) -> Online:
        """Absorb one observation.

        Returns
        -------
        Online
            Itself.
        """
        score, flag = self._bank.update_one(0, x)
        self._flag = int(flag[0])
        self._score = float(score[0])
        return self

    @property
    def drift_detected(self) -> bool:
        """Whether there was a drift at the last observation."""
        return self._flag == DRIFT

    @property
    def warning_detected(self) -> bool:
        """Whether there was a warning, and no drift, at the last observation."""
        return self._flag == WARNING

    @property
    def score(self) -> float:
        """The statistic after the last observation."""
        return self._score

    @property
    def ready(self) -> bool:
        """Whether enough was seen to judge; until then no drift says nothing."""
        return bool(self._bank.ready[0])

    @property
    def skipped(self) -> int:
        """How many observations were NaN, infinite or beyond ``MAX_ABS``."""
        return int(self._bank.skipped[0])

    def clone(self) -> Online:
        """Return a detector with the same parameters that has seen nothing, as river's ``clone``."""
        return Online(self.name, **self.params)

    def __repr__(self) -> str:
        """Show the call that makes such a detector."""
        given = "".join(f", {name}={value!r}" for name, value in self.params.items())
        return f"Online({self.name!r}{given})"
