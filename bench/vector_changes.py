"""What the rule `change` sees of vectors, and how often it is wrong of them.

``python -m bench.vector_changes`` leads the rule through windows of an hour: of streams in which nothing changes, weeks
of them, of which the first two are counted apart; and of changes that begin at nine on the 29th day and last. Counts of
false alarms stand beside how many were accepted, and of changes the share of trials that are found in the first window,
in the first two, and in a day.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress

from bench.vectors import SIGNAL, topics_of, watch_by
from detectors.change.renewal import Renewal, Replacement
from detectors.chart.legend import DRIFT, STATUS, SUMS, SURPRISE, THRESHOLD
from detectors.sketch import JointFold, JointLayout
from monitor.evaluate.change import Changes
from monitor.evaluate.columns import Columns
from monitor.evaluate.contrasts import Contrasts
from monitor.evaluate.finding_contrasts import contrasts_of
from monitor.evaluate.model_evidence import Part
from monitor.evaluate.verdict_columns import Verdicts
from monitor.evaluate.windows import Windows
from monitor.events import SeriesKey
from monitor.watch import Watch

Floats = NDArray[np.float64]
Draw = Callable[[np.random.Generator, int, int], Floats]
"""So many vectors of the window of a number."""

HOUR_MS, DAY = 3_600_000, 24
KEY: SeriesKey = ("", "", SIGNAL)
QUIET_DAYS, FIRST_DAYS = 42, 14
ONSET = 28 * DAY + 9
WITHIN = (1, 2, DAY)
BURSTS = -1


class _Evidence:
    """The contrasts of one signal, from windows."""

    def __init__(self, watch: Watch) -> None:
        contrasts = contrasts_of(watch, "", SIGNAL)
        assert contrasts is not None
        assert contrasts.own is not None
        self._columns, self._own = Columns(watch.layouts[SIGNAL]), contrasts.own
        self.contrasts: dict[SeriesKey, Contrasts] = {KEY: contrasts}
        self.formers: dict[SeriesKey, SeriesKey] = {}

    def parts(self, panes: Windows, ends_ms: range) -> dict[SeriesKey, Part]:
        """Return what windows say."""
        first, stop = np.searchsorted(panes.ends_ms, (ends_ms[0], ends_ms[-1] + 1)).tolist()
        rows = slice(first, stop)
        windows = Windows(panes.ends_ms[rows], panes.counts[rows], panes.sums[rows], panes.extremes[rows])
        part = Part.nothing(len(self.contrasts[KEY].kinds), stop - first)
        evidence = self._own.evidence(windows, self._columns)
        part.put(evidence, windows.sums.sum(axis=1), np.arange(stop - first))
        return {KEY: part}

    def look_day(self, panes: Windows) -> int:
        """Never: coordinates of vectors stay."""
        return 1 << 40

    def renewals(self, day: int, may_renew: Callable[[SeriesKey], bool]) -> dict[SeriesKey, Renewal | Replacement]:
        """None."""
        return {}

    def snapshot(self) -> list[dict[str, Any]]:
        """Nothing: nobody asks."""
        return []

    def restore(self, states: Sequence[Mapping[str, Any]]) -> None:
        """Nothing."""


def alarms(watch: Watch, draw: Draw, counts: Sequence[int], seed: int) -> list[int]:
    """Return the numbers of the windows that alarm, of windows of so many vectors each."""
    found = []
    for verdicts in verdicts_of(watch, draw, counts, seed):
        numbers, codes = verdicts.measured.numbers[:, 0], verdicts.measured.codes[:, 0]
        passes = (codes[:, STATUS] == DRIFT) & (numbers[:, SURPRISE] > numbers[:, THRESHOLD])
        found += (verdicts.ends_ms[passes] // HOUR_MS - 1).tolist()
    return found


def verdicts_of(watch: Watch, draw: Draw, counts: Sequence[int], seed: int) -> Iterator[Verdicts]:
    """Yield what the rule says of windows of so many vectors each, an hour apart."""
    rng, layout = np.random.default_rng(seed), watch.layouts[SIGNAL]
    assert isinstance(layout, JointLayout)
    fold = JointFold(layout)
    fold.ensure(1)
    sums = np.zeros((len(counts), SUMS), dtype=np.int64)
    folded = np.zeros((len(counts), layout.size), dtype=np.int64)
    for t, count in enumerate(counts):
        fold.fold(np.zeros(count, dtype=np.int64), draw(rng, count, t))
        summary = fold.take(0)
        folded[t], sums[t, 0] = summary.sums, summary.n
    ends_ms = (1 + np.arange(len(counts), dtype=np.int64)) * HOUR_MS
    windows = Windows(ends_ms, folded, sums, np.tile([np.inf, -np.inf], (len(counts), 1)))
    changes = Changes(watch, None, evidence=_Evidence(watch))
    yield from changes.advance(windows, range(HOUR_MS, len(counts) * HOUR_MS + 1, HOUR_MS))


# -- streams ---------------------------------------------------------------------------------------------------


def normal(d: int, *, by: Any = 0.0, times: Any = 1.0) -> Draw:
    """Independent numbers, which from the onset on are moved, and spread as many times as far."""

    def draw(rng: np.random.Generator, n: int, t: int) -> Floats:
        x = rng.normal(size=(n, d))
        return np.asarray(x * times + by if t >= ONSET else x)

    return draw


def one(d: int, by: float) -> Floats:
    """One of some numbers."""
    return np.asarray(by * (np.arange(d) == d // 2))


def along(levels: Floats) -> Draw:
    """Independent numbers about levels, float64[T, d]."""
    return lambda rng, n, t: rng.normal(size=(n, levels.shape[1])) + levels[t]


def of_days(seed: int, d: int, sd: float) -> Floats:
    """Levels of which each day has its own."""
    return np.repeat(np.random.default_rng(seed).normal(0, sd, (QUIET_DAYS, d)), DAY, axis=0)


def of_hours(seed: int, d: int, sd: float, carry: float) -> Floats:
    """Levels that depend on those of the hour before."""
    steps = np.random.default_rng(seed).normal(0, sd * np.sqrt(1 - carry**2), (QUIET_DAYS * DAY, d))
    levels = np.zeros_like(steps)
    for t in range(1, len(levels)):
        levels[t] = carry * levels[t - 1] + steps[t]
    return levels


def walking(seed: int, d: int, sd: float) -> Floats:
    """Levels that go so far in 90 days."""
    return np.cumsum(np.random.default_rng(seed).normal(0, sd / np.sqrt(90 * DAY), (QUIET_DAYS * DAY, d)), axis=0)


def clustered(d: int, size: int) -> Draw:
    """Vectors that come some at a time, and are nearly alike then."""

    def draw(rng: np.random.Generator, n: int, t: int) -> Floats:
        x = np.repeat(rng.normal(size=(-(-n // size), d)), size, axis=0)[:n]
        return np.asarray(x + 0.3 * rng.normal(size=(n, d)))

    return draw


def correlated(to: float) -> Draw:
    """Two numbers with a correlation of 0.8, which becomes another one."""

    def draw(rng: np.random.Generator, n: int, t: int) -> Floats:
        together = to if t >= ONSET else 0.8
        x = rng.normal(size=(n, 2))
        x[:, 1] = together * x[:, 0] + np.sqrt(1 - together**2) * x[:, 1]
        return x

    return draw


def embeddings(new: float = 0.0, shares: Callable[[int], Floats] | None = None) -> Draw:
    """Embeddings of 384 numbers near one of eight topics; from the onset on a share is of a ninth."""

    def draw(rng: np.random.Generator, n: int, t: int) -> Floats:
        topic = rng.choice(8, n, p=None if shares is None else shares(t))
        return topics_of(rng, np.where(rng.random(n) < new, 8, topic) if t >= ONSET else topic)

    return draw


def shares_of_days(seed: int) -> Callable[[int], Floats]:
    """Shares of topics of which each day has its own."""
    levels = np.exp(np.random.default_rng(seed).normal(0, 0.3, (QUIET_DAYS, 8)))
    return lambda t: np.asarray(levels[t // DAY] / levels[t // DAY].sum())


def in_season(t: int) -> Floats:
    """Shares of topics, two of which have their hours."""
    shares = np.full(8, 1 / 8)
    shares[:2] += 0.08 * np.sin(2 * np.pi * t / DAY) * np.array([1, -1])
    return shares


def in_bursts(seed: int, n: int) -> list[int]:
    """Numbers of vectors with a season, which differ by a factor of e besides."""
    hours = np.arange(QUIET_DAYS * DAY)
    swell = np.exp(np.random.default_rng(seed).normal(0, 1, len(hours))) * (1 + 0.8 * np.sin(2 * np.pi * hours / DAY))
    return [int(count) for count in n * swell]


QUIET: Sequence[tuple[str, int, int, Callable[[int], Draw]]] = [
    ("independent, 10 numbers", 10, 3, lambda seed: normal(10)),
    ("independent, 10 numbers", 10, 60, lambda seed: normal(10)),
    ("independent, 10 numbers", 10, 1000, lambda seed: normal(10)),
    ("Student's t(3), 16 numbers", 16, 60, lambda seed: lambda rng, n, t: rng.standard_t(3, size=(n, 16))),
    ("20 at a time, 16 numbers", 16, 200, lambda seed: clustered(16, 20)),
    ("AR 0.9 between hours, 0.3 sd, 16 numbers", 16, 60, lambda seed: along(of_hours(seed, 16, 0.3, 0.9))),
    ("levels of days, 0.25 sd, 16 numbers", 16, 200, lambda seed: along(of_days(seed, 16, 0.25))),
    ("random walk, 0.3 sd in 90 days, 16 numbers", 16, 200, lambda seed: along(walking(seed, 16, 0.3))),
    ("bursts of volume, 16 numbers", 16, BURSTS, lambda seed: normal(16)),
    ("embeddings of 384", 384, 60, lambda seed: embeddings()),
    ("embeddings, a season of topics", 384, 60, lambda seed: embeddings(shares=in_season)),
    ("embeddings, topics of days", 384, 60, lambda seed: embeddings(shares=shares_of_days(seed))),
]
"""Streams in which nothing changes: numbers of a vector, vectors of a window, and what draws them."""

CHANGED: Sequence[tuple[str, int, int, Draw]] = [
    ("all of 64 numbers move by 0.1 sd", 64, 60, normal(64, by=0.1)),
    ("all of 64 numbers move by 0.25 sd", 64, 60, normal(64, by=0.25)),
    ("all of 64 numbers move by 0.7 sd", 64, 60, normal(64, by=0.7)),
    ("one of 64 numbers moves by 1 sd", 64, 60, normal(64, by=one(64, 1.0))),
    ("one of 64 numbers moves by 3 sd", 64, 60, normal(64, by=one(64, 3.0))),
    ("all of 64 numbers spread 1.05 times as far", 64, 60, normal(64, times=1.05)),
    ("all vectors are one", 64, 60, normal(64, times=0.0)),
    ("one of 10 numbers moves by 0.5 sd", 10, 60, normal(10, by=one(10, 0.5))),
    ("one of 10 numbers moves by 0.25 sd", 10, 1000, normal(10, by=one(10, 0.25))),
    ("one of 10 numbers spreads twice as far", 10, 60, normal(10, times=1 + one(10, 1.0))),
    ("correlation of two numbers 0.8 → 0", 2, 60, correlated(0.0)),
    ("correlation of two numbers 0.8 → 0.5", 2, 1000, correlated(0.5)),
    ("20 % of embeddings are of a new topic", 384, 60, embeddings(0.2)),
    ("5 % of embeddings are of a new topic", 384, 60, embeddings(0.05)),
    ("5 % of embeddings are of a new topic", 384, 1000, embeddings(0.05)),
]


def watch_of(d: int) -> Watch:
    """A model of a vector of so many numbers, by the defaults, at one false alarm in seven days."""
    norm = 1.0 if d == 384 else d**0.5
    return watch_by(d, norm, {"false_alarms": "1 per 7d", "defaults": {"window": "1h"}})


def false_alarms(streams: int, text: str = "") -> Iterator[dict[str, Any]]:
    """Yield how often the rule alarms of streams in which nothing changes."""
    for name, d, n, make in QUIET:
        if text not in name:
            continue
        watch, early, late = watch_of(d), 0, 0
        for seed in range(streams):
            counts = in_bursts(seed, 60) if n == BURSTS else [n] * (QUIET_DAYS * DAY)
            windows = alarms(watch, make(seed), counts, 1000 + seed)
            early += sum(window < FIRST_DAYS * DAY for window in windows)
            late += sum(window >= FIRST_DAYS * DAY for window in windows)
        accepted = streams * FIRST_DAYS / 7, streams * (QUIET_DAYS - FIRST_DAYS) / 7
        yield {"stream": name, "vectors": n, "early": early, "late": late, "accepted": accepted}


def delays(trials: int, text: str = "") -> Iterator[dict[str, Any]]:
    """Yield how soon changes are found, by shares of trials."""
    for name, d, n, draw in CHANGED:
        if text not in name:
            continue
        watch, windows = watch_of(d), []
        for seed in range(trials):
            later = [t for t in alarms(watch, draw, [n] * (ONSET + DAY), 2000 + seed) if t >= ONSET]
            windows.append(later[0] - ONSET + 1 if later else np.inf)
        shares = {f"within_{within}": float(np.mean(np.array(windows) <= within)) for within in WITHIN}
        yield {"change": name, "vectors": n, **shares}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.vector_changes", description=__doc__)
    parser.add_argument("--streams", type=int, default=20, help="streams of each kind in which nothing changes")
    parser.add_argument("--trials", type=int, default=20, help="trials of each change")
    parser.add_argument("--of", default="", help="only lines whose name has this in it")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        quiet = list(
            progress.track(false_alarms(options.streams, options.of), len(QUIET), description="nothing changes")
        )
        changed = list(progress.track(delays(options.trials, options.of), len(CHANGED), description="changes"))
    if options.json:
        print(json.dumps({"false_alarms": quiet, "found": changed}))
        return
    print("| nothing changes | vectors an hour | first 14 days, of accepted | later, of accepted |\n|---|---|---|---|")
    for row in quiet:
        of_first, of_later = row["accepted"]
        vectors = row["vectors"] if row["vectors"] != BURSTS else "60, × or ÷ e"
        print(f"| {row['stream']} | {vectors} | {row['early']} of {of_first:.0f} | {row['late']} of {of_later:.0f} |")
    print("\n| change | vectors an hour | in the first window | in two | in a day |\n|---|---|---|---|---|")
    for row in changed:
        shares = " | ".join(f"{100 * row[f'within_{within}']:.0f} %" for within in WITHIN)
        print(f"| {row['change']} | {row['vectors']} | {shares} |")


if __name__ == "__main__":
    main()
