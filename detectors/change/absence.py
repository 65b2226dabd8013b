"""Which hours without events do not count towards the end of an alarm: those of a pause that comes every week.

An alarm stands on for a day in which nothing comes, but of days that are off: whole days of the calendar. Pauses keep
to others where working days reach over midnight, as they do in another time zone, or where the last night before a
weekend ends on a Friday, and the first one after it begins on a Sunday.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detectors.change.legend import ABSENT_FOR, DAYS, FIRST_DAY, FIRST_ROW, IS_OFF, STANDING, STUCK
from detectors.change.state import State

__all__ = ["excuse_pauses"]

WEEK = 7


def excuse_pauses(state: State, day: int, windows_per_day: int) -> None:
    """Do not count what a weekly pause has of the day that is over, and of the one that begins.

    Only series that are absent and have an alarm are concerned.

    Parameters
    ----------
    state : State
    day : int
        The one that begins.
    windows_per_day : int
    """
    absent = state.series[:, ABSENT_FOR] > 0
    if not absent.any():
        return
    first_rows = state.series[:, FIRST_ROW].astype(np.int64)
    alarmed = np.logical_or.reduceat(state.rows[:, STANDING] != 0, first_rows) | (state.series[:, STUCK] != 0)
    hours = state.hours_known.shape[2]
    for s in np.flatnonzero(absent & alarmed).tolist():
        series = state.series[s]
        behind, ahead = _usual_pause(_seen(state, s, day), hours)
        series[ABSENT_FOR] = max(series[ABSENT_FOR] - behind * windows_per_day / hours, 0.0)
        if series[IS_OFF] == 0:
            series[ABSENT_FOR] -= ahead * windows_per_day / hours


def _seen(state: State, s: int, day: int) -> npt.NDArray[np.bool_]:
    """Return in which hours of the two weeks before a day a series had events; before its first day in all of them."""
    days = np.arange(day - 2 * WEEK, day)
    nothing = np.isnan(state.hours_known[state.rows_of(s)][:, days % DAYS]).all(axis=0)
    is_before = days < int(state.series[s, FIRST_DAY])
    return np.asarray(~nothing | is_before[:, np.newaxis]).ravel()


def _usual_pause(seen: npt.NDArray[np.bool_], hours: int) -> tuple[int, int]:
    """Return how many hours of the day before, and of this one, were within a pause a week ago.

    It is longer than a day, since an alarm stands on for that, and shorter than a week: then the series is gone.

    Parameters
    ----------
    seen : bool array [14 H]
    hours : int

    Examples
    --------
    >>> seen = np.ones((14, 24), dtype=bool)
    >>> seen[6, 17:] = seen[7] = seen[8, :9] = False
    >>> _usual_pause(seen.ravel(), 24)
    (7, 24)
    """
    of_day = WEEK * hours
    behind, ahead = _until_first(seen[:of_day][::-1]), _until_first(seen[of_day:])
    if behind + ahead <= hours or ahead == of_day:
        return 0, 0
    return min(behind, hours), min(ahead, hours)


def _until_first(seen: npt.NDArray[np.bool_]) -> int:
    """Return how many hours pass until one in which something came."""
    return int(seen.argmax()) if seen.any() else seen.size
