"""What was changed, by whom, what of persons was read, and what was refused; in the store, for administrators."""

from __future__ import annotations

import hashlib
import uuid
from collections import OrderedDict
from dataclasses import asdict, dataclass

from monitor.clock import Clock
from sinks.store.batch import append
from sinks.store.contract import Store

__all__ = ["MOST_CHARACTERS", "Allowance", "Entry", "Repeats", "write_entry"]

MOST_CHARACTERS = 300
REPEATED_WITHIN_S = 60.0
MOST_REPEATED = 10_000


@dataclass(frozen=True)
class Entry:
    """A change, a look at data of persons, or an attempt that was refused.

    Attributes
    ----------
    who, role : str
        Name and role of the token; empty without a good one. Of a command on the store itself, the user who ran it.
    address : str
        Where the request came from: the last proxy, if there is one; of a command, its machine.
    operation : str
        Method and path of the route; only the method if there is none. Or the command.
    subject : str
        What it was about, else the path of the request.
    status : int
        The answer's.
    reason : str
        Why it was refused; empty for what was done.
    unlisted : int
        How many before this one have no entry: attempts that were refused, or of the same look the same minute.
    """

    who: str
    role: str
    address: str
    operation: str
    subject: str
    status: int
    reason: str = ""
    unlisted: int = 0


def write_entry(store: Store, clock: Clock, entry: Entry) -> None:
    """Add an entry.

    Raises
    ------
    StoreError

    Examples
    --------
    >>> from monitor.clock import ManualClock
    >>> from sinks.store.contract import Query
    >>> from sinks.store.memory import MemoryStore
    >>> store = MemoryStore()
    >>> write_entry(store, ManualClock(5), Entry("ann", "editor", "::1", "POST /v1/marks", "fraud", 200))
    >>> store.read(Query("audit", columns=("at_ms", "who", "status")))
    {'at_ms': array([5]), 'who': ['ann'], 'status': array([200])}
    """
    texts = {
        name: value[:MOST_CHARACTERS] if isinstance(value, str) else value for name, value in asdict(entry).items()
    }
    row = {"at_ms": clock.now_ms(), "id": uuid.uuid4().hex, **texts}
    append(store, "audit", {name: [value] for name, value in row.items()})


class Repeats:
    """What was listed in the last minute, and how often it came again since.

    Parameters
    ----------
    clock : Clock

    Examples
    --------
    >>> from monitor.clock import ManualClock
    >>> clock = ManualClock()
    >>> repeats = Repeats(clock)
    >>> [repeats.take("ann reads") for _ in range(3)], repeats.take("bob reads")
    ([0, None, None], 0)
    >>> clock.advance(60)
    >>> repeats.take("ann reads")
    2
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._listed: OrderedDict[bytes, tuple[float, int]] = OrderedDict()

    def take(self, key: str) -> int | None:
        """Return how many were not listed before this one; None if this one is not listed either."""
        now_s = self._clock.monotonic_s()
        # Questions may be long, and there may be many.
        digest = hashlib.sha256(key.encode(errors="backslashreplace")).digest()
        listed_s, unlisted = self._listed.get(digest, (float("-inf"), 0))
        is_repeated = now_s - listed_s < REPEATED_WITHIN_S
        self._listed[digest] = (listed_s, unlisted + 1) if is_repeated else (now_s, 0)
        self._listed.move_to_end(digest)
        if len(self._listed) > MOST_REPEATED:
            self._listed.popitem(last=False)
        return None if is_repeated else unlisted


class Allowance:
    """How many refused attempts are listed: some at once, then so many a minute; others are counted.

    Parameters
    ----------
    clock : Clock
    at_once, per_minute : int

    Examples
    --------
    >>> from monitor.clock import ManualClock
    >>> clock = ManualClock()
    >>> allowance = Allowance(clock, at_once=2, per_minute=6)
    >>> [allowance.take() for _ in range(4)]
    [0, 0, None, None]
    >>> clock.advance(10)
    >>> allowance.take(), allowance.take()
    (2, None)
    """

    def __init__(self, clock: Clock, at_once: int = 30, per_minute: int = 10) -> None:
        self._clock, self._at_once, self._per_s = clock, at_once, per_minute / 60
        self._left, self._filled_s = float(at_once), clock.monotonic_s()
        self._unlisted = 0

    def take(self) -> int | None:
        """Return how many were not listed before this one; None if this one is not listed either."""
        now_s = self._clock.monotonic_s()
        self._left = min(self._at_once, self._left + (now_s - self._filled_s) * self._per_s)
        self._filled_s = now_s
        if self._left < 1:
            self._unlisted += 1
            return None
        self._left -= 1
        unlisted, self._unlisted = self._unlisted, 0
        return unlisted
