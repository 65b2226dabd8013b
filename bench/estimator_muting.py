"""How often estimators are muted though they are right, and how soon once they are not.

Run ``python -m bench.estimator_muting``; it takes half a minute of CPU, prints tables of ``docs/estimates.md``. A day
has so many labelled events, each right with the probability that is estimated, but for what a day strays by itself: a
normal number for all of its events. ``usually off by`` is what fitting an estimator would say of it.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from detectors.estimate import FidelityChart

Floats = NDArray[np.float64]

SEED = 20_261_128
YEAR = 365
YEARS = 5
ESTIMATORS = 100
EASY, HARD = (6.0, 1.0), (3.0, 1.0)
"""Of Beta distributions: how probable it is that predictions are right."""

MEAN_SIZE = math.sqrt(2 / math.pi)
TIMES_USUAL, LEAST = 2.0, 0.02
"""As `monitor.performance.fidelity` has them."""

DAYS_OF = {"200 a day": 200, "1,000 a day": 1_000, "10,000 a day": 10_000}
STRAYS = (0.0, 0.01, 0.03)
CHUNKS = 20


def holds(random: np.random.Generator, days: int, strays: float) -> Floats:
    """Days do not depend on one another."""
    return random.normal(0.0, strays, days) if strays else np.zeros(days)


def alike(random: np.random.Generator, days: int, strays: float) -> Floats:
    """A day is like the one before it: the correlation is 0.7."""
    steps = holds(random, days, strays)
    for day in range(1, days):
        steps[day] = 0.7 * steps[day - 1] + math.sqrt(1 - 0.49) * steps[day]
    return steps


QUIET: dict[str, tuple[Callable[[np.random.Generator, int, float], Floats], tuple[float, float]]] = {
    "estimates hold": (holds, EASY),
    "events become harder, as estimated": (holds, HARD),
    "days are like those before": (alike, EASY),
}


def differences(
    random: np.random.Generator, labels: int, own: Floats, kind: tuple[float, float]
) -> tuple[Floats, Floats]:
    """Return realised minus estimated of each day, and how far that strays by chance."""
    first, second = kind
    mean = first / (first + second)
    of_one = mean * (1 - mean) - mean * (1 - mean) / (first + second + 1)
    # Sums of hundreds of outcomes, each by its own probability.
    chance = math.sqrt(of_one / labels)
    return own + random.normal(0.0, chance, len(own)), np.full(len(own), chance)


def usual_of(labels: int, strays: float) -> float:
    """Return how far such days are off on average, and chunks of as many events."""
    _, chance = differences(np.random.default_rng(0), labels, np.zeros(1), EASY)
    return MEAN_SIZE * math.hypot(float(chance[0]), strays)


def measured_of(random: np.random.Generator, labels: int, strays: float) -> float:
    """Return how far such chunks were off on average, as fitting measures it in so many of them as it has."""
    return float(np.abs(random.normal(0.0, usual_of(labels, strays) / MEAN_SIZE, CHUNKS)).mean())


def muted_on(off: Floats, chance: Floats, usual: float) -> list[int]:
    """Return on which days an estimator is muted; each time it begins anew."""
    # What fitting says of chunks holds the chance of their outcomes, as many here as a day has.
    own = math.sqrt(max((usual / MEAN_SIZE) ** 2 - float(chance[0]) ** 2, 0.0))
    margin, chart, days = max(TIMES_USUAL * usual, LEAST), FidelityChart(), []
    for day, (difference, by_chance) in enumerate(zip(off.tolist(), chance.tolist(), strict=True), start=1):
        if chart.take(difference, math.hypot(by_chance, own), margin):
            days.append(day)
            chart = FidelityChart()
    return days


def main(argv: Sequence[str] | None = None) -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--estimators", type=int, default=ESTIMATORS, help="of each row (default: %(default)s)")
    count = parser.parse_args(argv).estimators
    random = np.random.default_rng(SEED)
    print(
        f"| stream | muted in {count * YEARS:,} years of each of {len(DAYS_OF) * len(STRAYS)} estimators |\n|---|---|"
    )
    for name, (own_of, kind) in QUIET.items():
        muted = sum(
            len(
                muted_on(
                    *differences(random, labels, own_of(random, YEARS * YEAR, strays), kind), usual_of(labels, strays)
                )
            )
            for labels in DAYS_OF.values()
            for strays in STRAYS
            for _ in range(count)
        )
        print(f"| {name} | {muted} |")
    for words, usual_by in (("", usual_of), (", by 20 chunks", partial(measured_of, random))):
        border = sum(
            _at_the_border(random, labels, strays, usual_by(labels, strays))
            for labels in DAYS_OF.values()
            for strays in STRAYS
            for _ in range(count)
        )
        accepted = count * YEARS * 9 // 10
        print(f"| as far off as it may be{words}, every day | {border}, and at most {accepted:,} are accepted |")
    print()
    print("| labels | usually off by | may be off by | off by 5 points | by 10 | by 20 |\n|---|---|---|---|---|---|")
    for of_day, labels in DAYS_OF.items():
        for strays in STRAYS:
            usual = usual_of(labels, strays)
            delays = [_delay(random, labels, strays, drop, count) for drop in (0.05, 0.1, 0.2)]
            margin = max(TIMES_USUAL * usual, LEAST)
            print(f"| {of_day} | {100 * usual:.1f} points | {100 * margin:.1f} | " + " | ".join(delays) + " |")


def _at_the_border(random: np.random.Generator, labels: int, strays: float, usual: float) -> int:
    own = holds(random, YEARS * YEAR, strays) - max(TIMES_USUAL * usual, LEAST)
    return len(muted_on(*differences(random, labels, own, EASY), usual))


def _delay(random: np.random.Generator, labels: int, strays: float, drop: float, count: int) -> str:
    delays = []
    for _ in range(count):
        own = holds(random, YEAR, strays) - drop
        days = muted_on(*differences(random, labels, own, EASY), usual_of(labels, strays))
        delays.append(days[0] if days else YEAR + 1)
    median, late = (int(np.quantile(delays, q, method="inverted_cdf")) for q in (0.5, 0.95))
    return "never" if median > YEAR else f"{median} days ({late if late <= YEAR else 'never'})"


if __name__ == "__main__":
    main()
