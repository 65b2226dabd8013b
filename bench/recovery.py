"""Whether alarms of the alarm rule stand as long as what they are about, and no longer.

Independent signals of one contrast have a fault for hours, for days or for good, which is ten days. Of each setting:
how many alarm; how many alerts one fault is (1.0 would be right); in how many of them an alert stands from the first
alarm to the end of the fault; and after how many hours it is over then, in half of them and in nine of ten. Some
faults shrink half way to a half or a quarter of what they were::

    python -m bench.recovery [--signals 100] [--seed 1] [--day 22]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from detectors.change.legend import LOCATION, RATE, RATES, SCORE, STANDS, STATUS
from detectors.change.model import Evidence, ModelCharts, Settings

__all__ = ["FAULTS", "LEVELS", "OF_FEW", "Recovered", "Setting", "measured"]

Floats = NDArray[np.float64]

RESOLVE_AFTER_HOURS = 0.25
"""The default of `resolve_after`."""

FOR_GOOD, FOLLOWED_DAYS = 10.0, 5
"""Days for which what lasts for good is followed, and those after the end of other faults."""

LASTING = (
    (8 / 24, 1.0, "8 h"),
    (3.0, 1.0, "3 days"),
    (3.0, 0.5, "3 days, to 1/2"),
    (3.0, 0.25, "3 days, to 1/4"),
    (FOR_GOOD, 1.0, "for good"),
)
"""For how many days faults last, and how much of them remains half way."""

MISSING = 0.02
"""Share of the values of a rate that are missing all the time."""


@dataclass(frozen=True)
class Fault:
    """What a fault does to a contrast: a shift of typical values in standard deviations, or more values missing.

    Of the latter, ``usual`` are so all the time.
    """

    shift: float = 0.0
    missing: float = 0.0
    usual: float = MISSING


FAULTS = {
    "0.25 sd": Fault(shift=0.25),
    "0.5 sd": Fault(shift=0.5),
    "1 sd": Fault(shift=1.0),
    "+3 sd in 1/8": Fault(shift=3 / 8),
    "1/8 missing": Fault(missing=(1 - MISSING) / 8),
    "4/5 missing": Fault(missing=0.8 - MISSING),
}

OF_FEW = {
    "1/4 to 0.43": (6, Fault(missing=0.18, usual=0.25)),
    "2 to 6 %": (20, Fault(missing=0.04)),
    "0.3 sd": (3, Fault(shift=0.3)),
}
"""Faults that few events say little of in a day, and how many events an hour has."""


def autoregressive(rng: np.random.Generator, signals: int, days: int, windows_per_day: int) -> Floats:
    """Levels that are AR(0.5) from window to window, with a standard deviation of 0.25."""
    steps = rng.normal(0, 0.25 * np.sqrt(0.75), (signals, days * windows_per_day))
    return np.asarray(lfilter([1.0], [1.0, -0.5], steps, axis=1))


def seasonal(rng: np.random.Generator, signals: int, days: int, windows_per_day: int) -> Floats:
    """A sine a day, of 1.5 standard deviations."""
    times = np.arange(days * windows_per_day) / windows_per_day
    return np.asarray(1.5 * np.sin(2 * np.pi * (times + rng.random((signals, 1)))))


def daily(rng: np.random.Generator, signals: int, days: int, windows_per_day: int) -> Floats:
    """A level for each day, with a standard deviation of 0.25."""
    return np.repeat(rng.normal(0, 0.25, (signals, days)), windows_per_day, axis=1)


LEVELS: dict[str, Callable[[np.random.Generator, int, int, int], Floats]] = {
    "iid": lambda _, signals, days, windows_per_day: np.zeros((signals, days * windows_per_day)),
    "season": seasonal,
    "AR 0.5": autoregressive,
    "day levels": daily,
}


@dataclass(frozen=True)
class Setting:
    """Signals, and when they have a fault.

    Attributes
    ----------
    levels, fault : str
        Names in `LEVELS`, and in `FAULTS` or `OF_FEW`.
    windows_per_day, events : int
        Of each window.
    begins, lasts : float
        In days.
    remains : float
        Part of the fault that there is in its second half.
    """

    levels: str
    fault: str
    windows_per_day: int = 24
    events: int = 60
    begins: float = 22.375
    lasts: float = 8 / 24
    remains: float = 1.0

    @property
    def what(self) -> Fault:
        """The fault."""
        return FAULTS[self.fault] if self.fault in FAULTS else OF_FEW[self.fault][1]

    @property
    def days(self) -> int:
        """Days that are followed."""
        ends = self.begins + self.lasts
        return int(np.ceil(ends)) + FOLLOWED_DAYS if self.lasts < FOR_GOOD else int(ends)


@dataclass(frozen=True)
class Recovered:
    """What became of the alarms about a fault.

    Attributes
    ----------
    signals : int
    alerts : list of int
        Of each signal that alarmed.
    unbroken : int
        Signals of which one alert stood until the fault ended.
    hours : list of float
        From the end of the fault until its last alert was over, of each signal that alarmed; none if it lasts for good.
    """

    signals: int
    alerts: list[int]
    unbroken: int
    hours: list[float]

    def __str__(self) -> str:
        found = len(self.alerts)
        if not found:
            return f"{0:6.0%}"
        line = f"{found / self.signals:6.0%} {np.mean(self.alerts):12.2f} {self.unbroken / found:9.0%}"
        return (
            line + "".join(f" {hours:12.1f}" for hours in np.quantile(self.hours, [0.5, 0.9])) if self.hours else line
        )


def measured(setting: Setting, signals: int, seed: int) -> Recovered:
    """Follow signals through a fault."""
    stands = standing(setting, signals, seed)
    hours = 24 / setting.windows_per_day
    start, stop = (round(day * setting.windows_per_day) for day in (setting.begins, setting.begins + setting.lasts))
    stop = min(stop, stands.shape[1])
    spells = [alerts_of(np.flatnonzero(row), RESOLVE_AFTER_HOURS / hours) for row in stands]
    faulty = [[(a, b) for a, b in of_signal if b >= start and a < stop] for of_signal in spells]
    found = [of_signal for of_signal in faulty if of_signal]
    return Recovered(
        signals=signals,
        alerts=[len(of_signal) for of_signal in found],
        unbroken=sum(len(of_signal) == 1 and of_signal[0][1] >= stop - 1 for of_signal in found),
        hours=[max(of_signal[-1][1] + 1 - stop, 0) * hours for of_signal in found if setting.lasts < FOR_GOOD],
    )


def alerts_of(windows: NDArray[np.intp], gap: float) -> list[tuple[int, int]]:
    """Return the first and the last window of each alert, of which no more than ``gap`` in a row are quiet."""
    if not len(windows):
        return []
    breaks = np.flatnonzero(np.diff(windows) > max(gap, 1.0))
    firsts, lasts = np.r_[windows[0], windows[breaks + 1]], np.r_[windows[breaks], windows[-1]]
    return list(zip(firsts.tolist(), lasts.tolist(), strict=True))


def standing(setting: Setting, signals: int, seed: int) -> NDArray[np.bool_]:
    """Return where an alarm stands, bool[signals, windows]."""
    rng = np.random.default_rng(seed)
    fault, per_day = setting.what, setting.windows_per_day
    levels = LEVELS[setting.levels](rng, signals, setting.days, per_day)
    times = np.arange(setting.days * per_day) / per_day
    since = times - setting.begins + 1e-9
    faulty = np.where(since < setting.lasts / 2, 1.0, setting.remains) * ((since >= 0) & (since < setting.lasts))
    shape = (signals, len(times))
    if fault.missing:
        values = rng.binomial(setting.events, fault.usual + fault.missing * faulty, shape).astype(np.float64)
    else:
        values = levels + fault.shift * faulty + rng.normal(0, 1 / np.sqrt(setting.events), shape)
    charts = ModelCharts(Settings(false_alarms=signals / 300, signals=signals, windows_per_day=per_day))
    charts.add([[(RATE, RATES) if fault.missing else (SCORE, LOCATION)]] * signals, 0)
    days = [
        _watched(charts, day, values[:, day * per_day : (day + 1) * per_day], setting) for day in range(setting.days)
    ]
    return np.concatenate(days, axis=1)


def _watched(charts: ModelCharts, day: int, values: Floats, setting: Setting) -> NDArray[np.bool_]:
    ones, places = np.ones(values.shape), (np.arange(values.shape[1]) + 0.5) / values.shape[1]
    charts.begin(day, weekend=day % 7 >= 5)
    verdicts = charts.watch(Evidence(np.ascontiguousarray(values), setting.events * ones, ones, 0 * ones, ones, places))
    charts.close()
    return np.asarray(verdicts[:, :, STATUS] >= STANDS)


def main() -> None:
    """Print a line for each setting."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--signals", type=int, default=100, help="of each setting (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="(default: %(default)s)")
    parser.add_argument("--day", type=float, default=22.375, help="on which faults begin (default: %(default)s)")
    options = parser.parse_args()
    print("window  levels      fault         lasts            found  alerts each  unbroken  over after h   nine in ten")
    for per_day, events, names in ((24, 60, list(LEVELS)), (288, 40, ["iid", "AR 0.5"])):
        for levels, fault in ((levels, fault) for levels in names for fault in FAULTS):
            if FAULTS[fault].missing and levels != "iid":
                continue
            for lasts, remains, words in LASTING:
                setting = Setting(levels, fault, per_day, events, options.day, lasts, remains)
                became = measured(setting, options.signals, options.seed)
                print(f"{1440 // per_day:3} min  {levels:11} {fault:13} {words:15} {became}", flush=True)
    for fault, (events, _) in OF_FEW.items():
        setting = Setting("iid", fault, 24, events, options.day, FOR_GOOD)
        for lasts, words in ((5.0, "5 days"), (FOR_GOOD, "for good")):
            became = measured(replace(setting, lasts=lasts), options.signals, options.seed)
            print(f" 60 min  {f'iid, of {events}':11} {fault:13} {words:15} {became}", flush=True)


if __name__ == "__main__":
    main()
