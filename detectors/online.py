"""One detector over one stream, an observation at a time, with the interface of a river drift detector."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from detectors.contract import DRIFT, OK, WARNING, Value
from detectors.drift import find
from detectors.kernel import bound
from detectors.states import States

__all__ = ["Online"]

_HELD = 64
"""How many observations are held back at most: by then a call of the kernel is cheap for each of them."""


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
        self._detector = find(detector)
        values = self._detector.values(params)
        width = self._detector.memory_width(values)
        self._states = States(self._detector, values, self._detector.dtype, width, series=1)
        self._encoded = self._detector.encode(values)
        # Asking after each observation costs more than the kernel; who is not quiet at first is not asked again.
        self._is_quiet_at_times = self._room_left() > 1
        self._prepare()

    def _prepare(self) -> None:
        """Make what each call of the kernel uses again: making it anew would take longer than the kernel does."""
        self._x, self._score = np.zeros(_HELD), np.zeros(_HELD)
        self._flag = np.zeros(_HELD, dtype=np.uint8)
        self._rows = np.zeros(_HELD, dtype=np.int64)
        # Setting and getting single items takes half the time that it does with arrays.
        self._x_items: Any = self._x.data
        self._score_items: Any = self._score.data
        self._flag_items: Any = self._flag.data
        self._absorb_one = bound(self._detector.update, self._arguments(1))
        self._held = self._last = 0
        self._room = self._room_left()

    def _arguments(self, n: int) -> tuple[Any, ...]:
        states = (self._states.all_state, self._states.all_memory, self._encoded)
        return (*states, self._rows[:n], self._x[:n], self._score[:n], self._flag[:n])

    def _room_left(self) -> int:
        return 1 + min(self._detector.quiet(self._states.all_state[0], self._encoded), _HELD - 1)

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
            self._detector.update(*self._arguments(self._held))
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
        return bool(self._detector.ready(self._states.state, self._encoded)[0])

    @property
    def skipped(self) -> int:
        """How many observations were NaN, infinite or beyond ``MAX_ABS``."""
        self._absorb()
        return int(self._states.state["skipped"][0])

    def clone(self) -> Online:
        """Return a detector with the same parameters that has seen nothing, as river's ``clone``."""
        return Online(self.name, **self.params)

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy or a pickle needs: all but the compiled kernel."""
        answer = (self.score, self.drift_detected, self.warning_detected)
        self._absorb()
        return {"name": self.name, "params": self.params, "states": self._states.snapshot(), "said": answer}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        """Go on from what :meth:`__getstate__` returned."""
        self.__init__(state["name"], **state["params"])  # type: ignore[misc]
        self._states.restore(state["states"])
        self._prepare()
        score, drift_detected, warning_detected = state["said"]
        self._score_items[0] = score
        self._flag_items[0] = DRIFT if drift_detected else WARNING if warning_detected else OK

    def __repr__(self) -> str:
        """Show the call that makes such a detector."""
        written = "".join(f", {name}={value!r}" for name, value in self.params.items())
        return f"Online({self.name!r}{written})"
