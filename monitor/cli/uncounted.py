"""Events of a trial that count in no window, since they come in another order than that of their times."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from monitor.config import Model
from monitor.config.model import SourceSpec
from monitor.decoders import Decoded, TopicPlan
from monitor.draft.times import Traffic, traffic_of
from monitor.draft.window import lateness_for
from monitor.events import Records
from monitor.ingest.sightings import Sightings
from monitor.ingest.watermark import FUTURE, EventClock
from monitor.values import format_duration

__all__ = ["Arrivals", "TimedSightings", "Uncounted", "uncounted"]

Integers = NDArray[np.int64]

WORTH_SAYING, FEWEST = 0.01, 10
"""Of the events of a topic, and how many: fewer may always come late."""

MOST_REMAINING = 0.5
"""Of what is lost: a setting that leaves more does not help."""


@dataclass
class Arrivals:
    """The events of one model from one topic, in the order in which they came.

    Attributes
    ----------
    event_ms, record_ms : dict of int to list of int64 array
        By partition.
    """

    event_ms: dict[int, list[Integers]] = field(default_factory=dict)
    record_ms: dict[int, list[Integers]] = field(default_factory=dict)

    @property
    def events(self) -> int:
        """How many there are."""
        return sum(len(times) for parts in self.event_ms.values() for times in parts)

    def traffic(self) -> Traffic | None:
        """Return how many come, and in which order; None if it cannot be known."""
        by_partition = {number: np.concatenate(parts) for number, parts in self.event_ms.items()}
        times = [time for own in by_partition.values() for time in own.tolist()]
        return traffic_of(times, [number for number, own in by_partition.items() for _ in range(len(own))])

    def lost(self, pane_ms: int, lateness_ms: int, ahead_ms: int) -> tuple[int, int]:
        """Return how many of them are late, and how many are rejected as `future`, with such a clock."""
        late = future = 0
        for number, parts in self.event_ms.items():
            times, clock = np.concatenate(parts), EventClock(pane_ms, lateness_ms, ahead_ms)
            _, status, closed_ms = clock.advance(times, np.concatenate(self.record_ms[number]), end=True)
            is_future = status == FUTURE
            late += int(np.count_nonzero(~is_future & (times // pane_ms * pane_ms < closed_ms)))
            future += int(np.count_nonzero(is_future))
        return late, future


class TimedSightings(Sightings):
    """Also takes in when events were, by model and topic.

    Attributes
    ----------
    arrivals : dict of (str, str) to Arrivals
    """

    def __init__(self) -> None:
        super().__init__()
        self.arrivals: dict[tuple[str, str], Arrivals] = {}

    def note(self, records: Records, plans: Callable[[str], Iterable[TopicPlan]], decoded: Decoded) -> None:
        """Take in what became of messages of one topic."""
        super().note(records, plans, decoded)
        for model, events in decoded.events.items():
            arrivals = self.arrivals.setdefault((model, records.topic), Arrivals())
            arrivals.event_ms.setdefault(records.partition, []).append(events.event_ms)
            arrivals.record_ms.setdefault(records.partition, []).append(events.record_ms)


@dataclass(frozen=True)
class Uncounted:
    """Events of one model from one topic that count in no window, and what would count them.

    Attributes
    ----------
    model, topic : str
    events, late, future : int
        How many came; how many of them were late, and how many were rejected as `future`.
    disorder_ms : int
        How far one comes behind a newer one at most.
    allowed_lateness_ms, max_ahead_ms : int or None
        What to set; None where that stays as it is.
    remaining : int
        How many count in no window then.
    """

    model: str
    topic: str
    events: int
    late: int
    future: int
    disorder_ms: int
    allowed_lateness_ms: int | None
    max_ahead_ms: int | None
    remaining: int

    def __str__(self) -> str:
        lost, share = self.late + self.future, min(99, 100 * (self.late + self.future) // self.events)
        reasons = [f"{self.late:,} came `late`"] * bool(self.late)
        reasons += [f"{self.future:,} were rejected as `future`"] * bool(self.future)
        return (
            f"{self.model}: {lost:,} of {self.events:,} events of {self.topic} ({max(1, share)} %) count in no "
            f"window: {', '.join(reasons)}, as they come up to {_rough(self.disorder_ms)} behind newer ones. "
            f"{self._advice()}"
        )

    def _advice(self) -> str:
        settings = {"allowed_lateness": self.allowed_lateness_ms, "max_ahead": self.max_ahead_ms}
        to_set = [f"`{key}: {format_duration(value)}`" for key, value in settings.items() if value is not None]
        if not to_set:
            return "Sort them by their time, or mend the clocks that stamp them: `allowed_lateness` does not help"
        counting = f"all but {self.remaining:,} of them count" if self.remaining else "all of them count"
        return f"Set {' and '.join(to_set)} of its source: with that {counting}. Or sort them by their time"


def uncounted(models: Mapping[str, Model], arrivals: Mapping[tuple[str, str], Arrivals]) -> Iterator[Uncounted]:
    """Yield of which models and topics a share worth saying counts in no window."""
    for (name, topic), arrived in sorted(arrivals.items()):
        source = models[name].spec.source_of(topic) if name in models else None
        if source is not None and source.kind != "labels":
            losses = _losses(models[name], topic, source, arrived)
            if losses.late + losses.future >= max(FEWEST, WORTH_SAYING * losses.events):
                yield losses


def _losses(model: Model, topic: str, source: SourceSpec, arrived: Arrivals) -> Uncounted:
    pane_ms, traffic = model.spec.detect.pane, arrived.traffic()
    late, future = arrived.lost(pane_ms, source.allowed_lateness, source.max_ahead)
    lateness_ms, furthest_ms = map(max, lateness_for(traffic), (source.allowed_lateness, source.max_ahead))
    remaining, ahead_ms = min(
        (sum(arrived.lost(pane_ms, lateness_ms, ahead_ms)), ahead_ms) for ahead_ms in (source.max_ahead, furthest_ms)
    )
    helps = remaining <= MOST_REMAINING * (late + future)
    return Uncounted(
        model.metadata.name,
        topic,
        arrived.events,
        late,
        future,
        traffic.disorder_ms if traffic else 0,
        lateness_ms if helps and lateness_ms > source.allowed_lateness else None,
        ahead_ms if helps and ahead_ms > source.max_ahead else None,
        remaining if helps else late + future,
    )


def _rough(length_ms: int) -> str:
    """Write a length in its two largest units."""
    unit_ms = 60_000 if length_ms >= 3_600_000 else 1_000
    return format_duration(max(1, length_ms // unit_ms) * unit_ms)
