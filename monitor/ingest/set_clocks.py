"""Clocks that a person has set back, in the store.

What a partition's messages become is a function of the log, the configuration, and of what people decided: a clock that
was set back is a logged input. A person asks for it; whoever reads the partition writes down from which offset on it
holds, before the first event is folded under it. So whoever reads the partition again, from whatever checkpoint, sets
the clock back at the same event.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.clock import Clock
from monitor.events import Partition
from sinks.store.change_log import ChangeLog
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of

__all__ = ["ASKED", "SetClock", "SettingBack", "ask_to_set", "read_set_clocks", "take_up"]

Integers = NDArray[np.int64]

ASKED = -1
"""``from_offset`` until whoever reads the partition has taken it up."""


@dataclass(frozen=True)
class SetClock:
    """A partition's clock that somebody sets back.

    Attributes
    ----------
    model, topic, partition : str, str, int
    to_ms : int
        The event time to which the clock goes back; it does not go forward.
    created_by, reason : str
    updated_ms : int
        When somebody asked for it, or it was taken up.
    from_offset : int
        The first event that is folded under it; :data:`ASKED` until that is settled.
    newest_ms : int
        Where the clock stood there.
    id : str
        Empty: made of what is asked, and of when.
    """

    model: str
    topic: str
    partition: int
    to_ms: int
    created_by: str
    reason: str
    updated_ms: int = 0
    from_offset: int = ASKED
    newest_ms: int = 0
    id: str = ""

    @property
    def has_effect(self) -> bool:
        """Whether the clock was ahead of where it was set."""
        return self.from_offset != ASKED and self.newest_ms > self.to_ms


class SettingBack:
    """How often one model's clock on a partition has been set back, and where it will be.

    Attributes
    ----------
    done : int
        How often it has been.

    Examples
    --------
    >>> set_back = SettingBack()
    >>> set_back.know([SetClock("fraud", "scores", 0, 1_000, "ann", "wrong", from_offset=5, newest_ms=90_000)])
    >>> set_back.count_before_next(np.array([3, 4, 5, 6])), set_back.due(4), set_back.due(5)
    (2, [], [1000])
    >>> set_back.keys(np.array([0, 20_000, 95_000]), np.array([10_000, 10_000, 10_000])).tolist()
    [10001, -1, 0]
    """

    def __init__(self) -> None:
        self.done = 0
        self._clocks: list[SetClock] = []

    def know(self, clocks: Sequence[SetClock]) -> None:
        """Take in those that have effect, in the order of their offsets; each time all of them."""
        self._clocks = list(clocks)

    def restore(self, done: int | None, next_offset: int) -> None:
        """Go on from a checkpoint, which may be from before clocks were set back.

        Of those at the very offset it is not known then: to set a clock to where it stands changes nothing.
        """
        passed = sum(each.from_offset < next_offset for each in self._clocks)
        self.done = passed if done is None else done

    def due(self, offset: int) -> list[int]:
        """Return the times to which the clock goes back before the event at an offset."""
        first = self.done
        while self.done < len(self._clocks) and self._clocks[self.done].from_offset <= offset:
            self.done += 1
        return [each.to_ms for each in self._clocks[first : self.done]]

    @property
    def earliest_ms(self) -> int | None:
        """The earliest of the times to which the clock is still to go back; None if it is to go back to none."""
        return min((each.to_ms for each in self._clocks[self.done :]), default=None)

    def count_before_next(self, offsets: Integers) -> int:
        """Return how many of the events come before the next one at which the clock goes back."""
        if self.done == len(self._clocks):
            return len(offsets)
        return int(np.searchsorted(offsets, self._clocks[self.done].from_offset))

    def keys(self, pane: Integers, closed: Integers) -> Integers:
        """Return what panes are keyed by beside their start: 0 on time, where the watermark stood if late.

        Panes that a clock had passed may be written already: additions to them are keyed by less than 0, and late
        ones by as many ms more as the clock was set back before.
        """
        past_ms = [each.newest_ms for each in self._clocks[: self.done]]
        on_time: Any = np.where(pane < max(past_ms), -len(past_ms), 0) if past_ms else 0
        return np.where(pane < closed, closed + len(past_ms), on_time).astype(np.int64)


def ask_to_set(store: Store, clock: Clock, request: SetClock) -> SetClock:
    """Note what somebody asks for, and return it with its id.

    Raises
    ------
    StoreError

    Examples
    --------
    >>> from monitor.clock import ManualClock
    >>> from sinks.store.memory import MemoryStore
    >>> store = MemoryStore()
    >>> request = ask_to_set(store, ManualClock(5), SetClock("fraud", "scores", 0, 1_000, "ann", "wrong clock"))
    >>> take_up(store, request, from_offset=70, newest_ms=9_000).has_effect
    True
    >>> [(each.from_offset, each.newest_ms) for each in read_set_clocks(store, ("scores", 0))]
    [(70, 9000)]
    """
    request = replace(request, updated_ms=clock.now_ms())
    text = json.dumps(sorted(vars(request).items()))
    request = replace(request, id=hashlib.blake2b(text.encode(), digest_size=8).hexdigest())
    ChangeLog(store, "set_clocks").put([dict(vars(request))])
    return request


def take_up(store: Store, request: SetClock, from_offset: int, newest_ms: int) -> SetClock:
    """Note from which offset on it holds, and where the clock stood there.

    Raises
    ------
    StoreError
    """
    taken_up = replace(request, from_offset=from_offset, newest_ms=newest_ms)
    ChangeLog(store, "set_clocks").put([dict(vars(taken_up))], {request.id: dict(vars(request))})
    return taken_up


def read_set_clocks(store: Store, partition: Partition | None = None) -> list[SetClock]:
    """Return the clocks that were set of a partition, or of all, in the order in which they take effect.

    Raises
    ------
    StoreError
    """
    where = {} if partition is None else {"topic": partition[0], "partition": partition[1]}
    read = [SetClock(**row) for row in rows_of(store.read(Query("set_clocks", where)))]
    # Those that nobody has taken up come last.
    return sorted(read, key=lambda each: (each.from_offset == ASKED, each.from_offset, each.updated_ms, each.id))
