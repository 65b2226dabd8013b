"""One detector over one stream, an observation at a time, with the interface of a river drift detector."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from detectors.contract import DRIFT, OK, WARNING, Detector, Value
from detectors.drift import find
from detectors.kernel import bound
from detectors.states import States

__all__ = ["Online"]

_HELD = 64
"""How many observations are held back at most: by then a call of the kernel is cheap for each of them."""


class _Series:
    """The one series: its detector, the parameters as kernels take them, and what it has seen."""

    def __init__(self, detector: Detector, params: Mapping[str, Value]) -> None:
        values = detector.values(params)
        self.detector, self.encoded = detector, detector.encode(values)
        self.states = States(detector, values, detector.dtype, detector.memory_width(values), series=1)

    def quiet(self) -> int:
        """How many observations, from the next on, cannot alarm."""
        return self.detector.quiet(self.states.all_state[0], self.encoded)

    def ready(self) -> bool:
        return bool(self.detector.ready(self.states.state, self.encoded)[0])


class Online:
    """A bank of one series. For experiments and tests; a stream is better fed to a Bank in batches.

    Whatever is asked is answered as if each observation had been absorbed at once. Those of which the detector knows
    beforehand that they cannot alarm (ADWIN looks at every 32nd) are absorbed together.

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
    >>> detector = Online("page_hinkley")
    >>> for i, x in enumerate([0.0, 1.0] * 100 + [1.0] * 100):
    ...     if detector.update(x).drift_detected:
    ...         print(f"change at {i}, score {detector.score:.2f}")
    change at 233, score 19.90
    """

    def __init__(self, detector: str, **params: Value) -> None:
        self.name = detector
        self.params = params
        self._series = _Series(find(detector), params)
        # Asking after each observation costs more than the kernel; who is not quiet at first is not asked again.
        self._is_quiet_at_times = self._room_left() > 1
        self._prepare()

    def _prepare(self) -> None:
        """Make what each call of the kernel uses again: making it again would take longer than the kernel does."""
        rows, x, score = np.zeros(_HELD, dtype=np.int64), np.zeros(_HELD), np.zeros(_HELD)
        flag = np.zeros(_HELD, dtype=np.uint8)
        self._held_back = (rows, x, score, flag)
        # Setting and getting single items takes half the time that it does with arrays.
        self._x_items: Any = x.data
        self._score_items: Any = score.data
        self._flag_items: Any = flag.data
        self._absorb_one = bound(self._series.detector.update, self._arguments(1))
        self._held = self._last = 0
        self._room = self._room_left()

    def _arguments(self, n: int) -> tuple[Any, ...]:
        states = self._series.states
        return (states.all_state, states.all_memory, self._series.encoded, *(array[:n] for array in self._held_back))

    def _room_left(self) -> int:
        return 1 + min(self._series.quiet(), _HELD - 1)

    def update(self, x: float) -> Online:
        """Absorb one observation.

        Returns
        -------
        Online
            Itself.
        """
        if not self._is_quiet_at_times:
            self._x_items[0] = x
            self._absorb_one()
            return self
        self._x_items[self._held] = x
        self._held += 1
        if self._held == self._room:
            self._absorb()
        return self

    def _absorb(self) -> None:
        """Run the kernel over what is held."""
        if self._held == 1:
            self._absorb_one()
        elif self._held:
            self._series.detector.update(*self._arguments(self._held))
        else:
            return
        self._last = self._held - 1
        self._held = 0
        self._room = self._room_left()

    @property
    def drift_detected(self) -> bool:
        """Whether there was a drift at the last observation."""
        return not self._held and bool(self._flag_items[self._last] == DRIFT)

    @property
    def warning_detected(self) -> bool:
        """Whether there was a warning, and no drift, at the last observation."""
        return not self._held and bool(self._flag_items[self._last] == WARNING)

    @property
    def score(self) -> float:
        """The statistic after the last observation."""
        return 0.0 if self._held else float(self._score_items[self._last])

    @property
    def ready(self) -> bool:
        """Whether enough was seen to judge; until then no drift says nothing."""
        self._absorb()
        return self._series.ready()

    @property
    def skipped(self) -> int:
        """How many observations were NaN, infinite or beyond ``MAX_ABS``."""
        self._absorb()
        return int(self._series.states.state["skipped"][0])

    def clone(self) -> Online:
        """Return a detector with the same parameters that has seen nothing, as river's ``clone``."""
        return Online(self.name, **self.params)

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy or a pickle needs: all but the compiled kernel."""
        answer = (self.score, self.drift_detected, self.warning_detected)
        self._absorb()
        return {"name": self.name, "params": self.params, "states": self._series.states.snapshot(), "said": answer}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        """Go on from what :meth:`__getstate__` returned."""
        self.__init__(state["name"], **state["params"])  # type: ignore[misc]
        self._series.states.restore(state["states"])
        self._prepare()
        score, drift_detected, warning_detected = state["said"]
        self._score_items[0] = score
        self._flag_items[0] = DRIFT if drift_detected else WARNING if warning_detected else OK

    def __repr__(self) -> str:
        """Show the call that makes such a detector."""
        written = "".join(f", {name}={value!r}" for name, value in self.params.items())
        return f"Online({self.name!r}{written})"
