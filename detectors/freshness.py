"""How long a stream may be silent, learned from its own gaps by hour of week, in compiled code.

Time is weighed by the traffic of its hour: where a stream usually has `rate` events a second, a silence of `t` seconds
lacks ``rate * t`` of them, and gaps counted in lacking events look alike by day and by night. A silence is too long if
it lacks more than the tail of the stream's own gaps allows. Beyond the :data:`TAIL` longest gaps, which begin at ``u``,
lengths are taken for generalised Pareto (Pickands 1975) with the mean ``m`` of their excesses and a shape ``s >= 0`` by
moments; that ``m`` is known of ``k`` gaps alone adds ``1 / (k - 1)`` to the shape (as Lomax is the prediction of an
exponential). The threshold is ``u + m (1 - s) / s' (n**s' - 1)``, ``s' = s + 1 / (k - 1)``, where ``n`` of the longest
gaps are expected in :data:`BUDGET_S`, one of them beyond it. It is no less than the longest gap that was seen and a
margin, and never below :data:`FLOOR_S`. Streams that are hardly busy at any known hour are judged by seconds instead.

An hour of the week is known once it was watched, or the same hour of another day of its kind (Monday to Friday,
Saturday and Sunday). In an hour that is not, a silence may last :data:`UNKNOWN_FLOOR_S`, and a share of all that was
watched.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from detectors.kernel import inlined, kernel

__all__ = ["BUDGET_S", "FLOOR_S", "HOURS", "UNKNOWN_FLOOR_S", "Gaps", "Silences", "hour_of_week"]

HOURS = 168
BUDGET_S = 90 * 86_400.0
"""In which one silence of a stream that is nothing new may be taken for one."""

FLOOR_S, UNKNOWN_FLOOR_S = 300.0, 600.0
"""No shorter silence is too long, since a deployment takes minutes; the second where the hour is not known."""

MARGIN = 0.25
"""By how much the longest gap may be exceeded; in the first weeks by more, up to as much again."""
TAIL = 30
"""So many of the longest gaps show how gaps end."""

LEAST_GAPS = 3.0
LEAST_EVENTS = 10.0
"""So many events must be lacking, where it is by their number that a silence is too long."""

KNOWN_S = 1_800.0
"""An hour of the week is known once it was watched for so long."""

FIRST_DAY_S = 86_400.0
WEEK_S, TWO_WEEKS_S = 604_800.0, 1_209_600.0
FIRST_SHARE = 0.125
"""In the first day a silence may last this share of what was watched, where the hour is not known; then as long."""

PRIOR_EVENTS = 0.1
KEEP_CELLS, KEEP_GAPS = 0.7, 0.84
"""What is left of a week's hours, and of its gaps, a week later: half-lives of two and of four weeks."""

MOST_WEEKS = 8.0
"""No more is forgotten at once: a clock that jumps by years takes not everything with it."""

FAR, FAR_WEIGHT, SEEN_WEIGHT = 3.0, 0.3, 0.5
"""A gap that was alarmed, and is so many times longer than what is known, is nothing to expect until it comes again."""

SEASONAL = 3.0
"""By missing events silence is measured where a week without any would miss so many times what is too many."""

BINS, BINS_PER_OCTAVE = 100, 4
SECONDS, EVENTS = 0, 1
COUNTED, WATCHED = 0, 1
(
    AGE_S, KNOWN_AGE_S, LACKING, IN_UNKNOWN, WEIGHED_S, WATCHED_S, SEEN, WEEK, HOUR, HOUR_EVENTS, HOUR_S,
) = range(11)  # fmt: skip
NUMBERS = 11
LATE, ALLOWED_S, RATE, KNOWN = range(4)
ANSWERS = 4

Floats = npt.NDArray[np.float64]


def hour_of_week(at_ms: int) -> tuple[int, int]:
    """Return the week since the epoch and the hour in it, both from Monday 00:00 UTC.

    Examples
    --------
    >>> hour_of_week(0)  # a Thursday
    (0, 72)
    """
    return divmod(at_ms // 3_600_000 + 72, HOURS)


@dataclass(frozen=True)
class Silences:
    """What is to be said of the silence of each stream.

    Attributes
    ----------
    late : bool array [n]
        Whether it is too long.
    age_s : float64 array [n]
        How long it has been watched.
    allowed_s : float64 array [n]
        How long it may last, beginning in this hour; infinity where that is not known.
    rate : float64 array [n]
        Events a second at this hour of the week, or on the whole where the hour is not known.
    known : bool array [n]
        Whether the hour of the week is known.
    """

    late: npt.NDArray[np.bool_]
    age_s: Floats
    allowed_s: Floats
    rate: Floats
    known: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Gaps:
    """What is known of the gaps of streams, a row for each.

    Attributes
    ----------
    cells : float64 array [n, 2, 168]
        By hour of the week: events, and seconds watched.
    lengths : float64 array [n, 2, 100]
        How many gaps there were, by length in seconds and in events that were lacking; quarters of octaves.
    numbers : float64 array [n, 11]

    Examples
    --------
    >>> gaps = Gaps.empty(1)
    >>> hour_ms = 3_600_000
    >>> for minute in range(24 * 60):
    ...     gaps.observe(minute * 60_000, np.array([20.0]), np.array([60.0]), np.array([False]))
    >>> for minute in range(24 * 60, 24 * 60 + 12):
    ...     gaps.observe(minute * 60_000, np.array([0.0]), np.array([60.0]), np.array([False]))
    >>> silences = gaps.silences((24 * 60 + 12) * 60_000)
    >>> silences.late.tolist(), silences.age_s.tolist(), (1 / silences.rate).round(1).tolist()
    ([True], [720.0], [3.0])
    """

    cells: Floats
    lengths: Floats
    numbers: Floats

    @classmethod
    def empty(cls, count: int) -> Gaps:
        """Return what is known of streams that were never watched."""
        return cls(np.zeros((count, 2, HOURS)), np.zeros((count, 2, BINS)), np.zeros((count, NUMBERS)))

    @classmethod
    def joined(cls, states: Sequence[Mapping[str, Floats]]) -> Gaps:
        """Return several streams' states, as :meth:`state` gave them, as one."""
        if not states:
            return cls.empty(0)
        return cls(*(np.stack([state[field.name] for state in states]) for field in fields(cls)))

    def state(self, row: int) -> dict[str, Floats]:
        """Return the state of one stream."""
        return {field.name: getattr(self, field.name)[row] for field in fields(self)}

    def observe(self, at_ms: int, events: Floats, watched_s: Floats, alarmed: npt.NDArray[np.bool_]) -> None:
        """Take in what came in a short time.

        Parameters
        ----------
        at_ms : int
            Its end.
        events : float64 array [n]
            That came.
        watched_s : float64 array [n]
            For how much of it the stream was watched: a silence lasts only while somebody looks.
        alarmed : bool array [n]
            Whether the silence that the events end was found too long.
        """
        week, hour = hour_of_week(at_ms)
        # Without a stream nothing is compiled, which takes a hundred megabytes.
        if len(self.numbers):
            _observe(self.cells, self.lengths, self.numbers, week, hour, events, watched_s, alarmed)

    def silences(self, at_ms: int, least_age_s: float = 0.0, sharers: Floats | None = None) -> Silences:
        """Return what is to be said of the silences at a time.

        Parameters
        ----------
        at_ms : int
        least_age_s : float
            Of younger silences nothing is said.
        sharers : float64 array [n] or None
            How many streams share the budget of each; none shares it with another if None.
        """
        answers = np.zeros((len(self.numbers), ANSWERS))
        budgets_s = BUDGET_S * (np.ones(len(self.numbers)) if sharers is None else sharers)
        hour = hour_of_week(at_ms)[1]
        if len(self.numbers):
            _silences(self.cells, self.lengths, self.numbers, hour, least_age_s, budgets_s, answers)
        return Silences(
            answers[:, LATE] > 0,
            self.numbers[:, AGE_S].copy(),
            answers[:, ALLOWED_S],
            answers[:, RATE],
            answers[:, KNOWN] > 0,
        )


@kernel
def _observe(
    cells: Floats,
    lengths: Floats,
    numbers: Floats,
    week: int,
    hour: int,
    events: Floats,
    watched_s: Floats,
    alarmed: npt.NDArray[np.bool_],
) -> None:
    answer = np.zeros(2)
    for i in range(numbers.shape[0]):
        if week != numbers[i, WEEK] or hour != numbers[i, HOUR]:
            _begin_hour(cells[i], lengths[i], numbers[i], week, hour)
        if events[i] > 0:
            _end_silence(lengths[i], numbers[i], alarmed[i])
            if watched_s[i] > 0:
                lengths[i, SECONDS, 0] += events[i] - 1
                lengths[i, EVENTS, 0] += events[i] - 1
        else:
            _rate(cells[i], hour, answer)
            numbers[i, AGE_S] += watched_s[i]
            if answer[1] > 0:
                numbers[i, KNOWN_AGE_S] += watched_s[i]
                numbers[i, LACKING] += watched_s[i] * answer[0]
            else:
                numbers[i, IN_UNKNOWN] = 1.0
        if watched_s[i] > 0:
            numbers[i, HOUR_EVENTS] += events[i]
            numbers[i, HOUR_S] += watched_s[i]
            numbers[i, WEIGHED_S] += watched_s[i]
            numbers[i, WATCHED_S] += watched_s[i]


@kernel
def _begin_hour(cells: Floats, lengths: Floats, numbers: Floats, week: int, hour: int) -> None:
    """Take in the hour that is over, which could not say of itself that it is quiet; forget some with each week."""
    cells[COUNTED, int(numbers[HOUR])] += numbers[HOUR_EVENTS]
    cells[WATCHED, int(numbers[HOUR])] += numbers[HOUR_S]
    numbers[HOUR_EVENTS] = numbers[HOUR_S] = 0.0
    if numbers[WEEK] and week > numbers[WEEK]:
        weeks = min(week - numbers[WEEK], MOST_WEEKS)
        for k in range(2):
            for j in range(HOURS):
                cells[k, j] *= KEEP_CELLS**weeks
            for j in range(BINS):
                lengths[k, j] *= KEEP_GAPS**weeks
        numbers[WEIGHED_S] *= KEEP_GAPS**weeks
    numbers[WEEK], numbers[HOUR] = week, hour


@kernel
def _end_silence(lengths: Floats, numbers: Floats, alarmed: bool) -> None:
    if numbers[SEEN]:
        _learn(lengths[SECONDS], numbers[AGE_S], numbers[WEIGHED_S], alarmed)
        if not numbers[IN_UNKNOWN]:
            _learn(lengths[EVENTS], numbers[LACKING], numbers[WEIGHED_S], alarmed)
    numbers[AGE_S] = numbers[KNOWN_AGE_S] = numbers[LACKING] = numbers[IN_UNKNOWN] = 0.0
    numbers[SEEN] = 1.0


@kernel
def _silences(
    cells: Floats, lengths: Floats, numbers: Floats, hour: int, least_age_s: float, budgets_s: Floats, answers: Floats
) -> None:
    rate = np.zeros(2)
    for i in range(numbers.shape[0]):
        age_s = numbers[i, AGE_S]
        if age_s < least_age_s:
            continue
        longest_s = _longest(lengths[i, SECONDS], numbers[i, WEIGHED_S], budgets_s[i])
        most_events = max(_longest(lengths[i, EVENTS], numbers[i, WEIGHED_S], budgets_s[i]), LEAST_EVENTS)
        _rate(cells[i], hour, rate)
        if rate[1] <= 0:
            before_s = numbers[i, WATCHED_S] - age_s
            share = FIRST_SHARE if before_s < FIRST_DAY_S else 1.0
            allowed_s = max(UNKNOWN_FLOOR_S, longest_s, share * before_s)
            late = age_s >= allowed_s
        else:
            lacks, lasts = numbers[i, LACKING] >= most_events, numbers[i, KNOWN_AGE_S] >= longest_s
            allowed_s = max(FLOOR_S, min(longest_s, most_events / rate[0]))
            late = age_s >= FLOOR_S and (lacks or lasts)
            if late and lacks != lasts:
                is_seasonal = _week_events(cells[i]) >= SEASONAL * most_events
                late = (lacks and is_seasonal) or (lasts and (not is_seasonal or numbers[i, WATCHED_S] >= TWO_WEEKS_S))
        answers[i, LATE] = 1.0 if late and numbers[i, SEEN] else 0.0
        answers[i, ALLOWED_S] = allowed_s
        answers[i, RATE] = _usual_rate(cells[i], numbers[i], hour)
        answers[i, KNOWN] = rate[1]


@kernel
def _learn(counts: Floats, length: float, weighed_s: float, alarmed: bool) -> None:
    """Count a gap; one that was alarmed and far beyond what was known counts for little until it comes again."""
    is_far = alarmed and length > FAR * _longest(counts, weighed_s, BUDGET_S)
    counts[_bin(length)] += FAR_WEIGHT if is_far else 1.0


@inlined
def _bin(length: float) -> int:
    return 0 if length < 1.0 else min(BINS - 1, 1 + int(BINS_PER_OCTAVE * math.log2(length)))


@inlined
def _edge(index: int) -> float:
    """Where a bin begins."""
    return 0.0 if index == 0 else 2.0 ** ((index - 1) / BINS_PER_OCTAVE)


@kernel
def _longest(counts: Floats, weighed_s: float, budget_s: float) -> float:
    """How long a gap may be, once in a budget; infinity where too few are known."""
    total = 0.0
    longest = lowest = 0
    for j in range(BINS - 1, -1, -1):
        if counts[j] > 0:
            total += counts[j]
            lowest = j
            if longest == 0 and total >= SEEN_WEIGHT:
                longest = j
            if total >= TAIL:
                break
    if total < LEAST_GAPS or weighed_s <= 0:
        return math.inf
    weight_to_take = count = min(total, TAIL)
    start = _edge(lowest)
    excess = squares = 0.0
    for j in range(BINS - 1, lowest - 1, -1):
        beyond = (_edge(j) + _edge(j + 1)) / 2 - start
        weight = min(counts[j], weight_to_take)
        weight_to_take -= weight
        excess += weight * beyond
        squares += weight * beyond**2
    mean = excess / count
    shape = max(0.0, 0.5 * (1.0 - mean**2 / max(squares / count - mean**2, 1e-9))) if mean > 0 else 0.0
    predicted = shape + 1.0 / (count - 1.0)
    expected = count * max(budget_s / weighed_s, 1.0)
    threshold = start + mean * (1.0 - shape) / predicted * (expected**predicted - 1.0)
    margin = 1.0 + max(MARGIN, min(1.0, WEEK_S / weighed_s))
    return float(max(threshold, margin * _edge(longest + 1)))


@kernel
def _total(cells: Floats, kind: int) -> float:
    total = 0.0
    for hour in range(HOURS):
        total += cells[kind, hour]
    return total


@kernel
def _cell(cells: Floats, hour: int, answer: Floats) -> None:
    """Write events and seconds of an hour of the week, or of the same hour of other days of its kind."""
    answer[0] = cells[COUNTED, hour]
    answer[1] = cells[WATCHED, hour]
    if answer[1] >= KNOWN_S:
        return
    first_day, end_day = (0, 5) if hour < 120 else (5, 7)
    answer[0] = answer[1] = 0.0
    for day in range(first_day, end_day):
        answer[0] += cells[COUNTED, 24 * day + hour % 24]
        answer[1] += cells[WATCHED, 24 * day + hour % 24]


@kernel
def _rate(cells: Floats, hour: int, answer: Floats) -> None:
    """Write the rate that an hour has at least, and whether the hour is known.

    What opens and closes by a timetable does so not to the minute, and clocks are set forward and back by an hour. Of
    an hour beside a quieter one, as far as that is known, the quieter one's rate counts, by as much less again.
    """
    seconds = _total(cells, WATCHED)
    prior_s = PRIOR_EVENTS * seconds / max(_total(cells, COUNTED), PRIOR_EVENTS)
    _cell(cells, hour, answer)
    is_known = 1.0 if answer[1] >= KNOWN_S else 0.0
    own = (answer[0] + PRIOR_EVENTS) / max(answer[1] + prior_s, 1.0)
    least = own
    for neighbour in ((hour + HOURS - 1) % HOURS, (hour + 1) % HOURS):
        _cell(cells, neighbour, answer)
        if answer[1] >= KNOWN_S:
            least = min(least, (answer[0] + PRIOR_EVENTS) / (answer[1] + prior_s))
    answer[0] = least * least / own
    answer[1] = is_known


@kernel
def _week_events(cells: Floats) -> float:
    """How many events a silence of a week would lack."""
    total, answer = 0.0, np.zeros(2)
    for hour in range(HOURS):
        _rate(cells, hour, answer)
        total += 3600.0 * answer[0]
    return total


@kernel
def _usual_rate(cells: Floats, numbers: Floats, hour: int) -> float:
    """The hour's own rate, or that of all hours where it is not known or nearly nothing comes."""
    answer = np.zeros(2)
    _cell(cells, hour, answer)
    if answer[1] < KNOWN_S or answer[0] < 1.0:
        answer[0] = _total(cells, COUNTED) + numbers[HOUR_EVENTS]
        answer[1] = _total(cells, WATCHED) + numbers[HOUR_S] - numbers[AGE_S]
    return float(answer[0] / max(answer[1], 1.0))
