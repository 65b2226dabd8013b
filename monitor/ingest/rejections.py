"""Models of which nearly everything that comes is rejected: for alerts, and for notes of a service that is ready.

Nothing that is stored depends on it, so it goes by this machine's clock.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from monitor.clock import Clock
from monitor.events import REJECTED, Partition, Problem

__all__ = ["FEWEST", "Rejected", "Rejections"]

SPAN_S = 600
STEP_S = 60
FEWEST, ALARMING = 100, 0.9


@dataclass(frozen=True)
class Rejected:
    """What became of the newest messages of a topic that were a model's.

    Attributes
    ----------
    model, topic : str
    messages, rejected : int
        In the last :data:`SPAN_S` in which some came.
    reason : str
        Why most of them were rejected.
    example : tuple of int
        Partition and offset of the newest that was rejected for it.
    """

    model: str
    topic: str
    messages: int
    rejected: int
    reason: str
    example: tuple[int, int]

    @property
    def name(self) -> str:
        """Model and topic, as alerts name them."""
        return f"{self.model} {self.topic}"

    @property
    def is_alarming(self) -> bool:
        """Whether people should know."""
        return self.rejected >= FEWEST and self.rejected >= ALARMING * self.messages

    @property
    def sentence(self) -> str:
        """What people should know, and what to do.

        Examples
        --------
        >>> Rejected("fraud", "scores", 700, 700, "not_json", (0, 41)).sentence[:70]
        'fraud: 700 of the last 700 messages of scores were rejected, and count'
        """
        partition, offset = self.example
        return (
            f"{self.model}: {self.rejected:,} of the last {self.messages:,} messages of {self.topic} were rejected, and"
            f" count nowhere, most of them as {self.reason}, such as offset {offset} of partition {partition}."
            f" `leeway dead-letters show {self.topic} {partition} {offset}` says what it holds"
        )


@dataclass
class _Step:
    """A minute in which messages came."""

    number: int
    messages: int = 0
    reasons: Counter[str] = field(default_factory=Counter)


@dataclass
class _Recent:
    steps: deque[_Step] = field(default_factory=deque)
    examples: dict[str, tuple[int, int]] = field(default_factory=dict)


class Rejections:
    """Counts them. One thread notes, others may ask.

    What came last counts, however long ago that is: a file that was read to its end does not get well by itself.

    Parameters
    ----------
    clock : Clock

    Examples
    --------
    >>> from monitor.clock import ManualClock
    >>> rejections = Rejections(ManualClock())
    >>> bad = [("", Problem(offset, REJECTED, "not_json", "", "")) for offset in range(300)]
    >>> rejections.note(("scores", 0), {"fraud": 10}, bad)
    >>> [(each.model, each.rejected, each.messages, each.is_alarming) for each in rejections.newest()]
    [('fraud', 300, 310, True)]
    """

    def __init__(self, clock: Clock) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._recent: dict[tuple[str, str], _Recent] = {}

    def note(self, partition: Partition, events: Mapping[str, int], problems: Iterable[tuple[str, Problem]]) -> None:
        """Count the messages of one batch.

        Parameters
        ----------
        partition : Partition
        events : mapping of str to int
            How many became events, or labels, of each model that reads the topic.
        problems : iterable of (str, Problem)
            The model is empty where a message is none of anybody's.
        """
        reasons: dict[str, Counter[str]] = {}
        examples: dict[tuple[str, str], int] = {}
        for model, problem in problems:
            if problem.action == REJECTED:
                reasons.setdefault(model, Counter())[problem.reason] += 1
                examples[model, problem.reason] = problem.offset
        step, (topic, number) = int(self._clock.monotonic_s() // STEP_S), partition
        with self._lock:
            for model, count in events.items():
                of_model = reasons.get("", Counter()) + reasons.get(model, Counter())
                if not (count or of_model):
                    continue
                recent = self._recent.setdefault((model, topic), _Recent())
                while recent.steps and recent.steps[0].number <= step - SPAN_S // STEP_S:
                    recent.steps.popleft()
                if not recent.steps or recent.steps[-1].number != step:
                    recent.steps.append(_Step(step))
                recent.steps[-1].messages += count + of_model.total()
                recent.steps[-1].reasons.update(of_model)
                for (of, reason), offset in examples.items():
                    if of in ("", model):
                        recent.examples[reason] = (number, offset)

    def forget(self, partitions: Iterable[Partition] | None) -> None:
        """Drop the topics of partitions that others read from now on; not those that are read again (None)."""
        topics = {topic for topic, _ in partitions or ()}
        with self._lock:
            self._recent = {key: of for key, of in self._recent.items() if key[1] not in topics}

    def newest(self) -> list[Rejected]:
        """Return what became of the newest messages, by model and topic."""
        rows = []
        with self._lock:
            for (model, topic), recent in sorted(self._recent.items()):
                reasons = Counter[str]()
                for step in recent.steps:
                    reasons.update(step.reasons)
                [(reason, _)] = reasons.most_common(1) or [("", 0)]
                messages, example = sum(step.messages for step in recent.steps), recent.examples.get(reason, (0, 0))
                rows.append(Rejected(model, topic, messages, reasons.total(), reason, example))
        return rows
