"""Whether an outage is found each time it comes again: of numbers and outages that are drawn by chance.

A number has 50 to 5,000 values an hour, a daily season, weekends and levels of days that differ more or less. From some
day on, every day or every few days, for one to five hours from midnight or from another hour, all of its values are
missing, or half of them, or all are two standard deviations too high or three too low::

    python -m bench.outages [--numbers 200] [--seed 1] [--json]

Of each kind: on how many days it came; on how many of them an alarm told so while it lasted, on how many only after it,
and on how many none did; and other alarms, of a year of one number.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from rich.progress import track

from detectors.change.model import Evidence
from tests.detectors.change_streams import NUMBER, Course, Number, charts_of, daily_season, follow

__all__ = ["GROUPS", "Outage", "Recurred", "drawn", "measured"]

DAYS = 63
"""For which a number is followed: six weeks after the last first outage."""

HOURS = 24
USUALLY_MISSING = 0.02

YOUNG = 14
"""Days of a number until which it is young."""

WHAT = {
    "missing": (1.0, 0.0),
    "half missing": (0.5, 0.0),
    "+2 sd": (USUALLY_MISSING, 2.0),
    "-3 sd": (USUALLY_MISSING, -3.0),
}
"""The share of values that are missing, and by how many standard deviations the others are too high."""


@dataclass(frozen=True)
class Outage:
    """A number, and what happens to it again and again.

    Attributes
    ----------
    seed : int
    what : str
        One of `WHAT`.
    hour, lasts : int
        When it begins, and for how many hours it lasts.
    begins, every : int
        The first day on which it comes, and after how many days it comes again.
    events : int
        Values of an hour.
    levels, weekend : float
        Standard deviation of the levels of days, and how far weekends are from other days, in standard deviations.
    """

    seed: int
    what: str
    hour: int
    lasts: int
    begins: int
    every: int
    events: int
    levels: float
    weekend: float

    @property
    def days(self) -> range:
        """On which it comes."""
        return range(self.begins, DAYS, self.every)


@dataclass(frozen=True)
class Recurred:
    """What alarms told of an outage.

    Attributes
    ----------
    outage : Outage
    told, late, missed : int
        Days of it on which one began while it lasted; those on which one began after it only; the others.
    others : int
        Alarms that began on other days, or earlier in the day.
    """

    outage: Outage
    told: int
    late: int
    missed: int
    others: int


def _grown(outage: Outage) -> bool:
    return outage.begins >= YOUNG


def _of(what: str) -> Callable[[Outage], bool]:
    return lambda outage: _grown(outage) and outage.what == what


GROUPS: dict[str, Callable[[Outage], bool]] = {
    "all": lambda outage: True,
    "first comes in the first week": lambda outage: outage.begins < 7,
    "first comes in the second week": lambda outage: 7 <= outage.begins < YOUNG,
    "first comes later": _grown,
    "later, every day": lambda outage: _grown(outage) and outage.every == 1,
    "later, from midnight": lambda outage: _grown(outage) and outage.hour == 0,
    "later, from another hour": lambda outage: _grown(outage) and outage.hour > 0,
    **{f"later, {what}": _of(what) for what in WHAT},
}
"""What is counted, by its name."""


def drawn(seed: int) -> Outage:
    """Draw an outage; half of them begin at midnight, where a day's level is not known yet."""
    rng = np.random.default_rng([seed, 1])
    lasts = int(rng.choice([1, 2, 3, 5]))
    return Outage(
        seed,
        what=str(rng.choice(list(WHAT))),
        hour=int(rng.integers(1, HOURS - lasts)) if rng.random() < 0.5 else 0,
        lasts=lasts,
        begins=int(rng.choice([3, 4, 5, 6, 8, 10, 12, 14, 17, 21])),
        every=int(rng.choice([1, 2, 3, 7])),
        events=int(rng.choice([50, 500, 5_000])),
        levels=float(rng.choice([0.0, 0.1, 0.25])),
        weekend=float(rng.choice([0.0, 0.3, 1.0])),
    )


def measured(outage: Outage) -> Recurred:
    """Follow a number through its outages."""
    raised = _followed(outage).alarms()
    ends = outage.hour + outage.lasts
    told = {day for day, hour in raised if day in outage.days and outage.hour <= hour < ends}
    late = {day for day, hour in raised if day in outage.days and hour >= ends} - told
    others = sum(day not in outage.days or hour < outage.hour for day, hour in raised)
    return Recurred(outage, len(told), len(late), len(outage.days) - len(told) - len(late), others)


def _followed(outage: Outage) -> Course:
    rng = np.random.default_rng([outage.seed, 2])
    number = Number(rng, events=outage.events, missing=USUALLY_MISSING)
    levels = outage.levels * rng.normal(size=DAYS)

    def day_of(day: int) -> Evidence:
        missing, values = np.full(HOURS, USUALLY_MISSING), daily_season(day, weekend=outage.weekend) + levels[day]
        if day in outage.days:
            hours = slice(outage.hour, outage.hour + outage.lasts)
            missing[hours], shift = WHAT[outage.what]
            values[hours] += shift
        return number.day(values, missing=missing)

    return follow(charts_of(NUMBER), range(DAYS), day_of)


def summary(recurred: Sequence[Recurred]) -> Iterator[tuple[str, dict[str, float]]]:
    """Yield what became of each group."""
    for name, belongs in GROUPS.items():
        group = [one for one in recurred if belongs(one.outage)]
        counts = {field: sum(getattr(one, field) for one in group) for field in ("told", "late", "missed", "others")}
        yield name, {"numbers": len(group), **counts}


def main() -> None:
    """Print a line for each group."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--numbers", type=int, default=200, help="that are drawn (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="(default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print what became of each number")
    options = parser.parse_args()
    seeds = range(options.seed * 100_000, options.seed * 100_000 + options.numbers)
    recurred = [
        measured(drawn(seed)) for seed in track(seeds, "outages", transient=True, disable=not sys.stderr.isatty())
    ]
    if options.json:
        print(json.dumps([asdict(one) for one in recurred]))
        return
    print(f"{'outages':32} {'numbers':>7} {'times':>6} {'told':>6} {'late':>6} {'missed':>6}  other alarms a year")
    for name, counts in summary(recurred):
        times = counts["told"] + counts["late"] + counts["missed"]
        if times:
            shares = "".join(f" {counts[field] / times:6.1%}" for field in ("told", "late", "missed"))
            others = counts["others"] * 365 / DAYS / counts["numbers"]
            print(f"{name:32} {counts['numbers']:7} {times:6}{shares}  {others:.1f}")


if __name__ == "__main__":
    main()
