"""What has never been seen: a field that no message has, a source none of whose messages is an event of the model.

A path with a typing mistake looks like data that is missing, and a `where` that matches nothing like no traffic. Both
are told as what they most likely are: a configuration that does not fit the messages.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from monitor.decoders import Decoded, TopicPlan
from monitor.events import Events, Records

__all__ = ["FEWEST", "Sightings", "Unseen", "unseen_by_all"]

Floats = NDArray[np.float64]

FEWEST = 200
"""Messages, or events, of which one should have shown what is looked for."""

LONGEST_SAMPLE_BYTES = 10_000


@dataclass(frozen=True)
class Unseen:
    """What no message has shown.

    Attributes
    ----------
    model, topic : str
    signal : str
        A field without a value; empty where no message became an event.
    path : str
        Where the field was looked for.
    messages : int
        Of the topic; of a field the events.
    where : dict of str to str, int or bool
        What a message has to hold to be the model's.
    reason : str
        Why most of the model's messages were rejected, where none became an event; empty if none was.
    """

    model: str
    topic: str
    signal: str
    path: str
    messages: int
    where: dict[str, str | int | bool] = field(default_factory=dict)
    reason: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        """Of what it is said: model, topic and signal."""
        return self.model, self.topic, self.signal

    def __str__(self) -> str:
        if self.signal:
            return (
                f"{self.model}: none of {self.messages:,} events of {self.topic} has a value of {self.signal}, "
                f"which is looked for at `{self.path}`"
            )
        why = f"`where` asks for {', '.join(f'{path}={value}' for path, value in self.where.items())}"
        if self.reason:
            why = f"most were rejected: {self.reason}"
        return f"{self.model}: none of {self.messages:,} messages of {self.topic} became an event; {why}"


class Sightings:
    """What the messages of one process have shown so far.

    Attributes
    ----------
    most_samples : int
        How many messages of each topic are kept, to say what they hold instead.
    samples : dict of str to list of bytes
        By topic.
    keeps_numbers : bool
        Whether the finite values of numbers are kept, to say whether their cells tell them apart.
    numbers : dict of (str, str) to list of float64 arrays
        By model and signal.
    """

    def __init__(self) -> None:
        self.most_samples = 0
        self.samples: dict[str, list[bytes]] = {}
        self.keeps_numbers = False
        self.numbers: dict[tuple[str, str], list[Floats]] = {}
        self._sources: dict[str, list[_Source]] = {}

    def note(self, records: Records, plans: Callable[[str], Iterable[TopicPlan]], decoded: Decoded) -> None:
        """Take in what became of messages of one topic; ``plans`` returns what models want from it."""
        topic = records.topic
        if topic not in self._sources:
            self._sources[topic], self.samples[topic] = [_Source(plan, topic) for plan in plans(topic)], []
        if (missing := self.most_samples - len(self.samples[topic])) > 0:
            small = (bytes(payload) for payload in records.payloads if payload and len(payload) < LONGEST_SAMPLE_BYTES)
            self.samples[topic] += islice(small, missing)
        for source in self._sources[topic]:
            source.note(len(records), decoded)
            if self.keeps_numbers:
                for key, values in source.numbers(decoded):
                    self.numbers.setdefault(key, []).append(values)

    def unseen(self, fewest: int = FEWEST) -> list[Unseen]:
        """Return what at least so many messages have not shown."""
        return [each for source in self._read for each in source.unseen(fewest)]

    def seen(self) -> set[tuple[str, str, str]]:
        """Return of what something was seen: model, topic and signal, which is empty for any event."""
        return {key for source in self._read for key in source.seen()}

    @property
    def _read(self) -> list[_Source]:
        # Other threads look at this too: a list is made at once, whatever is added meanwhile.
        return [source for sources in list(self._sources.values()) for source in sources]


def unseen_by_all(of_sources: Sequence[Sightings]) -> list[Unseen]:
    """Return what none of several readers of the same topics has seen, with the messages of all of them."""
    seen = {key for sightings in of_sources for key in sightings.seen()}
    unseen: dict[tuple[str, str, str], Unseen] = {}
    for each in (each for sightings in of_sources for each in sightings.unseen(fewest=1)):
        if each.key not in seen:
            former = unseen.get(each.key)
            unseen[each.key] = each if former is None else replace(each, messages=each.messages + former.messages)
    return list(unseen.values())


class _Source:
    """One model's view of a topic."""

    def __init__(self, plan: TopicPlan, topic: str) -> None:
        self._plan, self._topic = plan, topic
        self._messages = self._events = 0
        self._reasons: Counter[str] = Counter()
        self._waiting = set(plan.signals)

    def note(self, messages: int, decoded: Decoded) -> None:
        self._messages += messages
        events = decoded.events.get(self._plan.model)
        if events is None or not len(events):
            if not self._events:
                self._reasons.update(p.reason for model, p in decoded.problems if model in ("", self._plan.model))
            return
        self._events += len(events)
        if self._waiting:
            self._waiting.difference_update(set(self._shown(events)))

    def numbers(self, decoded: Decoded) -> Iterator[tuple[tuple[str, str], Floats]]:
        """Yield the finite values of each number, by model and signal."""
        events = decoded.events.get(self._plan.model)
        if events is not None and len(events):
            for row, signal in enumerate(self._plan.numeric):
                yield (self._plan.model, signal), events.numeric[row][np.isfinite(events.numeric[row])]

    def _shown(self, events: Events) -> Iterator[str]:
        """Yield the signals that are waited for of which some event has a value, of whatever kind."""
        for row, signal in enumerate(self._plan.numeric):
            if signal in self._waiting and not np.isnan(events.numeric[row]).all():
                yield signal
        for column, signal in zip(events.category, self._plan.category, strict=True):
            if signal in self._waiting and any(column.names[code] is not None for code in set(column.codes.tolist())):
                yield signal
        for vectors, signal in zip(events.vectors, self._plan.vectors, strict=True):
            if signal in self._waiting and not np.isnan(vectors).all():
                yield signal

    def unseen(self, fewest: int) -> Iterator[Unseen]:
        plan = self._plan
        if self._messages >= fewest and not self._events:
            reason = self._reasons.most_common(1)[0][0] if self._reasons else ""
            yield Unseen(plan.model, self._topic, "", "", self._messages, dict(plan.source.where), reason)
        elif self._events >= fewest:
            waiting = self._waiting.copy()
            for signal, spec in plan.signals.items():
                if signal in waiting:
                    path = spec.path or signal.partition(":")[2]
                    yield Unseen(plan.model, self._topic, signal, path, self._events)

    def seen(self) -> Iterator[tuple[str, str, str]]:
        """Yield of what something was seen."""
        if self._events:
            waiting = self._waiting.copy()
            for signal in ("", *(signal for signal in self._plan.signals if signal not in waiting)):
                yield self._plan.model, self._topic, signal
