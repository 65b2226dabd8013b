"""How windows are cut for the traffic that a sample shows, and which segments it can carry."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from monitor.draft import names
from monitor.draft.batches import Batches
from monitor.draft.column import Column
from monitor.draft.fields import Guess
from monitor.draft.sample import Sample
from monitor.draft.times import Traffic
from monitor.values import DAY_MS

__all__ = ["Cut", "Segments", "cut_for", "lateness_for", "segments_for"]

MINUTE_MS, HOUR_MS = 60_000, 3_600_000

WINDOWS = (
    (5 * MINUTE_MS, 10_000),
    (15 * MINUTE_MS, MINUTE_MS),
    (HOUR_MS, 5 * MINUTE_MS),
    (6 * HOUR_MS, 30 * MINUTE_MS),
    (DAY_MS, HOUR_MS),
)
"""Lengths of windows to choose from, with the panes that suit them, in ms."""

ENOUGH_EVENTS = 500
FEWEST_EVENTS = 20

DEFAULT_LATENESS_MS, DEFAULT_AHEAD_MS = 30_000, 30 * MINUTE_MS
MOST_LATENESS_MS, MOST_AHEAD_MS = DAY_MS, 7 * DAY_MS

NICE_MS = (30_000, MINUTE_MS, 5 * MINUTE_MS, 15 * MINUTE_MS, 30 * MINUTE_MS, HOUR_MS, 6 * HOUR_MS, 12 * HOUR_MS)
NICE_DAYS = (1, 2, 3, 7)

SEGMENT_SIZES = range(2, 9)
LEAST_SEGMENT_SHARE = 0.05


@dataclass(frozen=True)
class Cut:
    """How windows are cut.

    Attributes
    ----------
    window_ms, pane_ms : int
    min_samples : int
    events : float or None
        In a usual window; None if the traffic is not known.
    offset_ms : int
        By which the grid of windows is shifted.
    """

    window_ms: int
    pane_ms: int
    min_samples: int
    events: float | None
    offset_ms: int = 0


@dataclass(frozen=True)
class Segments:
    """A field by which traffic may be watched apart.

    Attributes
    ----------
    path : str
    values : list of str
        The most frequent first.
    share : float
        Of the events that the smallest of them has.
    """

    path: str
    values: list[str]
    share: float


def cut_for(events_per_hour: float | None, batches: Batches | None = None) -> Cut:
    """Return the shortest windows that hold enough events; of events that come in batches, those that have one in each.

    Examples
    --------
    >>> cut_for(3_600)
    Cut(window_ms=900000, pane_ms=60000, min_samples=180, events=900.0, offset_ms=0)
    >>> cut_for(None)
    Cut(window_ms=300000, pane_ms=10000, min_samples=100, events=None, offset_ms=0)
    """
    if batches is not None:
        return Cut(batches.window_ms, HOUR_MS, _min_samples(batches.events), batches.events, batches.offset_ms)
    if events_per_hour is None:
        return Cut(*WINDOWS[0], min_samples=ENOUGH_EVENTS // 5, events=None)
    fitting = (each for each in WINDOWS if events_per_hour * each[0] / HOUR_MS >= ENOUGH_EVENTS)
    window_ms, pane_ms = next(fitting, WINDOWS[-1])
    events = events_per_hour * window_ms / HOUR_MS
    return Cut(window_ms, pane_ms, _min_samples(events), events)


def _min_samples(events: float) -> int:
    # A quiet hour has a fifth of the usual traffic and is a window all the same.
    return int(min(ENOUGH_EVENTS, max(FEWEST_EVENTS, events // 5)))


def lateness_for(traffic: Traffic | None) -> tuple[int, int]:
    """Return `allowed_lateness` and `max_ahead` in ms: twice what the sample shows, and the defaults at least.

    Where events are in no order, the first may be as far ahead of those behind it as any comes late.
    """
    if traffic is None:
        return DEFAULT_LATENESS_MS, DEFAULT_AHEAD_MS
    usual_step_ms = int(HOUR_MS / traffic.events_per_hour)
    lateness_ms = max(DEFAULT_LATENESS_MS, 2 * traffic.disorder_ms, 4 * usual_step_ms)
    ahead_ms = max(DEFAULT_AHEAD_MS, 2 * traffic.gap_ms, traffic.disorder_ms)
    return min(_nice(lateness_ms), MOST_LATENESS_MS), min(_nice(ahead_ms), MOST_AHEAD_MS)


def segments_for(sample: Sample, guesses: Sequence[Guess], cut: Cut) -> list[Segments]:
    """Return fields worth watching by segment, the likeliest first: few categories, each with enough traffic."""
    if cut.events is None:
        return []
    columns = (Column(each.path, sample.columns[each.path]) for each in guesses if _may_divide(each))
    ranked = sorted(_segments(columns, cut.events), key=lambda each: (_rank(each.path), -each.share, each.path))
    return ranked


def _may_divide(guess: Guess) -> bool:
    is_category = guess.role == "feature" and guess.type == "category"
    # The values of segments stand in the file.
    return is_category and not names.personal_by_name(guess.path.rpartition(".")[2])


def _segments(columns: Iterator[Column], events: float) -> Iterator[Segments]:
    for column in columns:
        counted = column.counts.most_common()
        share = counted[-1][1] / len(column.values)
        if len(counted) in SEGMENT_SIZES and share >= LEAST_SEGMENT_SHARE and share * events >= FEWEST_EVENTS:
            yield Segments(column.path, [value for value, _ in counted], share)


def _rank(path: str) -> int:
    return 0 if set(names.words(path.rpartition(".")[2])) & names.SEGMENTS else 1


def _nice(length_ms: int) -> int:
    lengths = [*NICE_MS, *(days * DAY_MS for days in NICE_DAYS)]
    return next((each for each in lengths if each >= length_ms), lengths[-1])
