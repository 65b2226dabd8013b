"""What may happen to a stream, from a window on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bench.calibration.grid import Grid
from bench.calibration.traffic import CONSTANT, FROZEN, TWO, Traffic

__all__ = ["INJECTIONS", "Injection"]

Floats = NDArray[np.float64]
Change = Callable[[Traffic, Floats], Traffic]
"""Changes traffic, given for each window the days since the start of the injection; before it they are negative."""


@dataclass(frozen=True)
class Injection:
    """Something that is to be found.

    Attributes
    ----------
    name, meaning : str
    change : callable
    of : str
        ``numbers``, ``names`` or ``any``: of which streams it makes sense.
    signal : str
        ``feature``, or ``volume``: where it is to be found.
    from_start : bool
        The model was built on something else than all that it sees.
    recurs_days : int
        It comes again after so many days; 0 for never.
    longest_ms : int
        Of windows in which it can be told from what is usual.
    """

    name: str
    meaning: str
    change: Change
    of: str = "numbers"
    signal: str = "feature"
    from_start: bool = False
    recurs_days: int = 0
    longest_ms: int = 7 * 86_400_000

    def fits(self, *, names: bool, grid: Grid) -> bool:
        """Whether a stream of numbers, or of names, can have it in such windows."""
        return self.of in ("any", "names" if names else "numbers") and grid.window_ms <= self.longest_ms

    def applied(self, traffic: Traffic, grid: Grid, start: int, features: int) -> Traffic:
        """Return traffic in which it happens to the first features, from window ``start`` on."""
        days = (np.arange(traffic.windows) - start) / grid.per_day
        changed = self.change(traffic, days[None, :])
        if self.signal == "volume":
            return changed
        touched = (np.arange(len(traffic.level)) < features)[:, None]
        arrays = {
            name: np.where(touched, array, getattr(traffic, name))
            for name, array in vars(changed).items()
            if array is not getattr(traffic, name)
        }
        return replace(traffic, **arrays)


def _begun(days: Floats) -> NDArray[np.bool_]:
    return days >= 0


def _mean(size: float) -> Change:
    return lambda traffic, days: replace(traffic, level=traffic.level + size * _begun(days))


def _spread(factor: float) -> Change:
    return lambda traffic, days: replace(traffic, spread=np.where(_begun(days), factor, traffic.spread))


def _ramp(size: float) -> Change:
    return lambda traffic, days: replace(traffic, level=traffic.level + size * np.clip(days / 14, 0, 1))


def _blip(traffic: Traffic, days: Floats) -> Traffic:
    return replace(traffic, level=traffic.level + (days == 0))


def _missing(rate: float) -> Change:
    return lambda traffic, days: replace(traffic, missing=np.minimum(traffic.missing + rate * _begun(days), 1.0))


def _moved(share: float) -> Change:
    return lambda traffic, days: replace(traffic, moved=traffic.moved + share * _begun(days))


def _new(traffic: Traffic, days: Floats) -> Traffic:
    return replace(traffic, new=traffic.new + 0.02 * _begun(days))


def _renamed(traffic: Traffic, days: Floats) -> Traffic:
    return replace(traffic, renamed=traffic.renamed + _begun(days))


def _constant(traffic: Traffic, days: Floats) -> Traffic:
    return replace(traffic, source=np.where(_begun(days), float(CONSTANT), traffic.source))


def _frozen(traffic: Traffic, days: Floats) -> Traffic:
    return replace(traffic, source=np.where(_begun(days), float(FROZEN), traffic.source))


def _filled(traffic: Traffic, days: Floats) -> Traffic:
    return replace(traffic, filled=traffic.filled + 0.1 * _begun(days))


def _two(traffic: Traffic, days: Floats) -> Traffic:
    return replace(traffic, source=np.where(_begun(days), float(TWO), traffic.source))


def _unit(traffic: Traffic, days: Floats) -> Traffic:
    # The values that are drawn are deviations from a mean of ten standard deviations.
    factor = np.where(_begun(days), 1000.0, 1.0)
    return replace(traffic, level=(traffic.level + 10) * factor - 10, spread=traffic.spread * factor)


def _segment(traffic: Traffic, days: Floats) -> Traffic:
    return replace(traffic, tenth=traffic.tenth + _begun(days))


def _halved(traffic: Traffic, days: Floats) -> Traffic:
    return replace(traffic, events=np.where(_begun(days), 0.5, 1.0) * traffic.events)


def _outage(traffic: Traffic, days: Floats) -> Traffic:
    return replace(traffic, missing=np.where(_begun(days) & (days % 2 < 2 / 24), 1.0, traffic.missing))


def _skew(size: float) -> Change:
    return lambda traffic, days: replace(traffic, level=traffic.level + size)


INJECTIONS = {
    injection.name: injection
    for injection in (
        Injection("mean0.1", "the mean moves by 0.1 sd", _mean(0.1)),
        Injection("mean0.25", "the mean moves by 0.25 sd", _mean(0.25)),
        Injection("mean0.5", "the mean moves by 0.5 sd", _mean(0.5)),
        Injection("mean1", "the mean moves by 1 sd", _mean(1.0)),
        Injection("spread1.25", "the spread grows by a quarter", _spread(1.25)),
        Injection("spread2", "the spread doubles", _spread(2.0)),
        Injection("ramp1", "the mean moves by 1 sd in 14 days", _ramp(1.0)),
        Injection("ramp2", "the mean moves by 2 sd in 14 days", _ramp(2.0)),
        Injection("blip1", "the mean of one window moves by 1 sd", _blip),
        Injection("missing5", "5 % more values are missing", _missing(0.05), of="any"),
        Injection("missing50", "50 % more values are missing", _missing(0.5), of="any"),
        Injection("constant", "all values are one", _constant, of="any"),
        Injection("frozen", "one window is repeated", _frozen),
        Injection("filled10", "a tenth of the values are the one in the middle", _filled),
        Injection("two", "two values of the same mean and spread", _two),
        Injection("unit", "values are a thousand times as large", _unit),
        Injection("segment1", "the values of a tenth of the events move by 1 sd", _segment),
        Injection("outage", "two hours of nothing but missing values, every second day", _outage, of="any",
                  recurs_days=2, longest_ms=3_600_000),
        Injection("mix5", "5 % of events go from the first name to the third", _moved(0.05), of="names"),
        Injection("mix20", "20 % of events go from the first name to the third", _moved(0.2), of="names"),
        Injection("new", "2 % of events have a new name", _new, of="names"),
        Injection("renamed", "the first name is called differently", _renamed, of="names"),
        Injection("volume0.5", "half of the events", _halved, of="any", signal="volume"),
        Injection("skew0.25", "0.25 sd away from the data set from the start", _skew(0.25), from_start=True),
        Injection("skew0.5", "0.5 sd away from the data set from the start", _skew(0.5), from_start=True),
        Injection("skew1", "1 sd away from the data set from the start", _skew(1.0), from_start=True),
    )
}  # fmt: skip
"""Everything that may happen, by its name."""
