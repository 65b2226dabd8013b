"""What has come since the last look, from what those who read have stated."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from monitor.clock import Clock
from monitor.ingest.arrivals import COMPLETE, GONE, UNANSWERED, Flow
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of

__all__ = ["Follower", "Heard"]

READ_WITHIN_S = 45.0
"""A partition of which nobody said anything for so long is not read."""

LONGEST_STEP_S = 60.0
"""What lies between two looks that are further apart was not watched."""


@dataclass(frozen=True)
class Heard:
    """What was heard of some flows since the last look.

    Attributes
    ----------
    events : int
        That came.
    last_ms : int
        When the last event came that is known of; 0 if none is.
    watched_s : float
        How much of the time all of them were read to their ends.
    why_unwatched : str
        Why that is none now: ``behind`` if there is more than was read, ``unread`` if nobody reads, ``unanswered`` if
        no broker answers those who do; else empty.
    is_first : bool
        Whether some of them are met for the first time: what came before is not among the events.
    is_stated : bool
        Whether those who read have stated anything of all of them since the first look.
    """

    events: int
    last_ms: int
    watched_s: float
    why_unwatched: str = ""
    is_first: bool = False
    is_stated: bool = False

    @classmethod
    def of(cls, parts: Iterable[Heard]) -> Heard:
        """Return what was heard of all parts together."""
        heard = list(parts)
        return cls(
            sum(part.events for part in heard),
            max((part.last_ms for part in heard), default=0),
            min((part.watched_s for part in heard), default=0.0),
            next((part.why_unwatched for part in heard if part.why_unwatched), ""),
            any(part.is_first for part in heard),
            all(part.is_stated for part in heard),
        )


@dataclass
class _Followed:
    """A flow as it was stated last, and when that was news here."""

    number: int
    since_ms: int
    events: int
    news_s: float
    is_stated: bool


class Follower:
    """Follows the table ``arrivals``.

    Parameters
    ----------
    store : Store
    clock : Clock
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._followed: dict[Flow, _Followed] = {}
        self._looked_s: float | None = None

    def look(self) -> dict[Flow, Heard]:
        """Return what has come of each flow since the last look; flows that are gone are left out.

        Raises
        ------
        StoreError
        """
        rows = rows_of(self._store.read(Query("arrivals")))
        now_s = self._clock.monotonic_s()
        step_s = 0.0 if self._looked_s is None else now_s - self._looked_s
        self._looked_s = now_s
        heard: dict[Flow, Heard] = {}
        for row in rows:
            flow = Flow(row["model"], row["topic"], row["partition"], row["signal"])
            if row["standing"] == GONE:
                self._followed.pop(flow, None)
                continue
            former = self._followed.get(flow)
            is_news = former is None or row["number"] != former.number
            news_s = now_s if is_news or former is None else former.news_s
            same_count = former is not None and row["since_ms"] == former.since_ms
            events = row["events"] - (former.events if former is not None and same_count else 0)
            why = _why_unwatched(row["standing"], now_s - news_s)
            watched_s = 0.0 if why or former is None or step_s > LONGEST_STEP_S else step_s
            came = 0 if former is None else max(events, 0)
            is_stated = former is not None and (is_news or former.is_stated)
            heard[flow] = Heard(came, row["last_ms"], watched_s, why, former is None, is_stated)
            self._followed[flow] = _Followed(row["number"], row["since_ms"], row["events"], news_s, is_stated)
        return heard


def _why_unwatched(standing: int, silent_s: float) -> str:
    if silent_s > READ_WITHIN_S:
        return "unread"
    if standing == UNANSWERED:
        return "unanswered"
    return "" if standing == COMPLETE else "behind"
