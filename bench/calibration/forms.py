"""How much is measured: a short form of minutes, and the long form that the documentation shows."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bench.calibration.false_alarms import Setting
from bench.calibration.grid import GRIDS
from bench.calibration.power import Course
from bench.calibration.streams import STREAMS

__all__ = ["LONG", "SEEDS", "SHORT", "Form", "Size"]

SEEDS = {"tuning": 1_000, "table": 700_001_000}
"""Whoever changes the rule looks at the first seeds only; the documentation shows the others."""


DAYS = {"5m": (21, 15), "1h": (35, 25), "1d": (84, 42)}
"""Days in control, and those in which something is to be found, by the length of windows."""


@dataclass(frozen=True)
class Size:
    """How many models of how many features are watched for how many days.

    Attributes
    ----------
    window : str
    features, models, days : int
    """

    window: str
    features: int
    models: int
    days: int


@dataclass(frozen=True)
class Form:
    """What is measured.

    Attributes
    ----------
    in_control : tuple of Size
        For every stream.
    courses : tuple of Course
        In which everything happens that can happen to the stream.
    """

    in_control: tuple[Size, ...]
    courses: tuple[Course, ...]

    def settings(
        self, streams: list[str], windows: list[str], features: list[int], events: int | None = None
    ) -> list[Setting]:
        """Return where false alarms are counted; an empty list of names stands for all of them."""
        return [
            Setting(stream, GRIDS[size.window].holding(events), size.features, size.models, size.days)
            for size in self.in_control
            if not windows or size.window in windows
            if not features or size.features in features
            for stream in streams or STREAMS
        ]

    def chosen_courses(self, streams: list[str], windows: list[str], events: int | None = None) -> list[Course]:
        """Return where things happen; an empty list of names stands for all of them."""
        return [
            replace(course, grid=course.grid.holding(events))
            for course in self.courses
            if not windows or course.grid.name in windows
            if not streams or course.stream in streams
        ]


def courses(window: str, trials: int, *streams: str) -> tuple[Course, ...]:
    """Return the courses of some streams; levels of days also change from midnight on, with a day of their own."""
    before, after = DAYS[window]
    hours = {stream: (10, 0) if stream == "daylevels" and window != "1d" else (10,) for stream in streams}
    return tuple(
        Course(stream, GRIDS[window], trials, before, after, hour) for stream in streams for hour in hours[stream]
    )


SHORT = Form(
    in_control=(
        Size("5m", 10, models=2, days=28),
        Size("1h", 10, models=4, days=56),
        Size("1h", 50, models=1, days=35),
        Size("1d", 10, models=4, days=200),
        Size("1d", 50, models=1, days=200),
        Size("1d", 200, models=1, days=90),
    ),
    courses=(
        *courses("5m", 5, "iid", "season"),
        *courses("1h", 10, "iid", "season", "ar09", "daylevels", "names5"),
        *courses("1d", 10, "iid", "ar09", "names5"),
    ),
)
"""Some seven minutes of a free core."""

OF_NUMBERS = ("iid", "t3", "lognormal", "season", "ar05", "ar09", "daylevels", "clusters", "missing", "bursts")
OF_NAMES = ("names5", "names500", "rate1", "mixseason", "mixdays")

LONG = Form(
    in_control=(
        Size("5m", 10, models=3, days=42),
        Size("5m", 50, models=3, days=42),
        Size("5m", 200, models=3, days=42),
        Size("1h", 10, models=10, days=90),
        Size("1h", 50, models=4, days=90),
        Size("1h", 200, models=2, days=90),
        Size("1d", 10, models=10, days=200),
        Size("1d", 50, models=6, days=200),
        Size("1d", 200, models=4, days=200),
    ),
    courses=(
        *courses("5m", 50, *OF_NUMBERS, *OF_NAMES),
        *courses("1h", 50, *OF_NUMBERS, *OF_NAMES),
        *courses("1d", 50, *OF_NUMBERS, *OF_NAMES),
    ),
)
"""Every cell, with at least ten alarms that a budget of 1 per 7d accepts after the first days."""
