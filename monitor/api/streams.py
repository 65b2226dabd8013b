"""Streams of what happens to alerts: one reader follows the log for all of them.

What it reads goes round in a ring, from which each stream takes what is its own. A stream that resumes, or whose
client reads so slowly that the ring has gone on without it, reads the store itself until it has caught up. An idle
stream costs nothing but its connection, and no stream takes a thread that questions wait for. What streams hold for
clients that read slowly is bounded for all of them together: the more there are, the less each holds.
"""

from __future__ import annotations

import asyncio
import math
import threading
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from itertools import islice

import structlog
from anyio import CapacityLimiter, move_on_after
from anyio.to_thread import run_sync
from sse_starlette.event import ServerSentEvent

from monitor.api.feed import EventIds, Feed, Happened, ends_of, fitting, positions_of
from monitor.api.problems import ProblemError
from monitor.routing.matchers import Matcher
from sinks.store.contract import Store, StoreError

__all__ = ["MayGoOn", "Ring", "Stream", "Streams"]

RING = 2_000
THREADS = 4
RETRY_MS = 2_000

HELD_BYTES = 16 << 20
"""Streams share this for transitions that their clients have not read, in characters as they are stored.

Read and written as JSON they take several times as much. Each stream may hold one, however long.
"""

NOT_GOOD = "this stream has ended: its token is not good any more"
AWAY = "this stream has ended: the store does not answer"
LOOK_S = 5.0

MayGoOn = Callable[[], Awaitable[bool]]

log = structlog.get_logger("leeway.api")


class Ring:
    """The newest transitions, numbered in the order in which they were read.

    Attributes
    ----------
    end : int
        How many there have been.
    changed : asyncio.Event
        Set once there is more, or will not be; a new one takes its place then.
    """

    def __init__(self) -> None:
        self._newest: deque[Happened] = deque(maxlen=RING)
        self.end = 0
        self.changed = asyncio.Event()

    def put(self, rows: Sequence[Happened]) -> None:
        """Add transitions."""
        self._newest.extend(rows)
        self.end += len(rows)
        self.wake()

    def wake(self) -> None:
        """Have everybody look."""
        changed, self.changed = self.changed, asyncio.Event()
        changed.set()

    def since(self, number: int) -> list[Happened] | None:
        """Return what came after the first ``number`` transitions; None if some of it is here no more."""
        oldest = self.end - len(self._newest)
        return None if number < oldest else list(islice(self._newest, number - oldest, None))


@dataclass
class Figures:
    """How the streams fare.

    Attributes
    ----------
    open : int
    held_bytes : int
        Characters of transitions that are held for their clients.
    on_end : callable
        Called with ``token`` or ``store`` when a stream ends by that.
    """

    open: int = 0
    held_bytes: int = 0
    on_end: Callable[[str], None] = lambda reason: None


class Streams:
    """The streams that are open.

    Parameters
    ----------
    store : Store
    models : callable
        Gives the names of all models whose alerts there may be; it may read the store.
    most : int
        How many may be open.
    poll_s : float
        How often the log is looked at.
    stopping : threading.Event
        Streams end when it is set.
    """

    def __init__(
        self, store: Store, models: Callable[[], Sequence[str]], most: int, poll_s: float, stopping: threading.Event
    ) -> None:
        self.store, self._models, self._most = store, models, most
        self._poll_s, self._stopping = poll_s, stopping
        self.threads = CapacityLimiter(THREADS)
        self._opening = asyncio.Lock()
        self.ring, self._ids = Ring(), EventIds()
        self._feed: Feed | None = None
        self._polling: asyncio.Task[None] | None = None
        self.figures = Figures()

    @property
    def open(self) -> int:
        """How many are open."""
        return self.figures.open

    def share(self) -> float:
        """How many characters of transitions each stream may hold."""
        return HELD_BYTES / max(1, self.open)

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Count as one of the streams meanwhile.

        Raises
        ------
        ProblemError
            If there are as many as there may be.
        """
        if self.open >= self._most:
            detail = f"{self._most} streams of alerts are open, as many as `spec.api.max_streams` allows"
            raise ProblemError("busy", detail, max_streams=self._most)
        self.figures.open += 1
        try:
            yield
        finally:
            self.figures.open -= 1
            if not self.open:
                self._leave()

    async def stream(self, models: Sequence[str], last_event_id: str | None, matchers: Sequence[Matcher]) -> Stream:
        """Return a stream of some models' alerts from a position on, or from now on; call it in a :meth:`place`.

        Raises
        ------
        CursorError, StoreError
        """
        resumed = positions_of(last_event_id) if last_event_id else None
        async with self._opening:
            if self._feed is None:
                self._feed = await run_sync(self._begin, limiter=self.threads)
        if self._polling is None:
            self._polling = asyncio.create_task(self._poll(self._feed))
        # Those of other models are not for everybody.
        positions = {log: at for log, at in self._feed.positions.items() if at[1] in models}
        return Stream(
            self,
            Feed(models, positions if resumed is None else resumed, matchers, self._ids),
            self.ring.end,
            is_behind=resumed is not None,
        )

    @property
    def is_stopping(self) -> bool:
        """Whether streams end since the service does."""
        return self._stopping.is_set()

    @property
    def is_followed(self) -> bool:
        """Whether more may come."""
        return self._polling is not None

    def _begin(self) -> Feed:
        models = self._models()
        return Feed(models, ends_of(self.store, models))

    async def _poll(self, feed: Feed) -> None:
        try:
            while not self._stopping.is_set():
                await self._read(feed.pages(self.store), feed)
                await asyncio.sleep(self._poll_s)
        except StoreError as error:
            # Clients connect again, and are answered by the store's error for as long as it lasts.
            log.warning("streams of alerts end, since the store did not answer", error=str(error), streams=self.open)
        finally:
            self._polling = None
            self.ring.wake()

    async def _read(self, pages: Iterator[list[Happened]], feed: Feed) -> None:
        """Put new transitions into the ring; a store that does not answer keeps no stream from ending."""
        page: list[Happened] | None = []
        while page is not None and not self._stopping.is_set():
            reading = asyncio.ensure_future(run_sync(next, pages, None, limiter=self.threads, abandon_on_cancel=True))
            while not (await asyncio.wait([reading], timeout=self._poll_s))[0]:
                if self._stopping.is_set():
                    reading.cancel()
                    return
            page = reading.result()
            if fresh := list(feed.unseen(page or ())):
                self.ring.put(fresh)

    def _leave(self) -> None:
        if self._polling is not None:
            self._polling.cancel()
        self._feed = self._polling = None


class Stream:
    """What one client is shown.

    Parameters
    ----------
    streams : Streams
    feed : Feed
    number : int
        How many transitions had gone into the ring where it begins.
    is_behind : bool
        Whether the store is read before the ring is.
    """

    def __init__(self, streams: Streams, feed: Feed, number: int, *, is_behind: bool) -> None:
        self._streams, self._feed = streams, feed
        self._number, self._is_behind = number, is_behind

    async def events(self, may_go_on: MayGoOn | None = None) -> AsyncIterator[ServerSentEvent]:
        """Yield server-sent events until the client leaves or may not go on, the service stops, or the store fails.

        The first holds nothing but the position, so that a client that is cut off before anything happens can resume;
        the last one says why no more come, unless the service stops.

        Parameters
        ----------
        may_go_on : callable or None
            Asked before whatever is sent, and every :data:`LOOK_S` while nothing is.
        """
        yield ServerSentEvent(id=self._feed.position, retry=RETRY_MS, sep="\n")
        try:
            async with aclosing(self._events(may_go_on)) as events:
                async for event in events:
                    # A client may take its time for each of them.
                    if may_go_on is not None and not await may_go_on():
                        self._streams.figures.on_end("token")
                        yield ServerSentEvent(comment=NOT_GOOD, sep="\n")
                        return
                    if event is not None:
                        yield event
        except StoreError as error:
            log.warning("a stream of alerts ends, since the store did not answer", error=str(error))
        if not self._streams.is_stopping:
            self._streams.figures.on_end("store")
            yield ServerSentEvent(comment=AWAY, sep="\n")

    async def _events(self, may_go_on: MayGoOn | None) -> AsyncGenerator[ServerSentEvent | None]:
        """Yield events, and nothing now and then, until there will be no more."""
        while True:
            yield None
            changed = self._streams.ring.changed
            if self._is_behind:
                self._number, self._is_behind = self._streams.ring.end, False
                async for page in self._pages():
                    for event in self._shown(page):
                        yield event
                    del page
            rows = self._streams.ring.since(self._number)
            if rows is None:
                self._is_behind = True
                continue
            rows = fitting(rows, self._streams.share())
            self._number += len(rows)
            for event in self._shown(rows):
                yield event
            if not rows:
                if not self._streams.is_followed:
                    return
                with move_on_after(math.inf if may_go_on is None else LOOK_S):
                    await changed.wait()

    async def _pages(self) -> AsyncIterator[list[Happened]]:
        pages = self._feed.pages(self._streams.store, self._streams.share)
        while (page := await run_sync(next, pages, None, limiter=self._streams.threads)) is not None:
            yield page
            del page

    def _shown(self, rows: Sequence[Happened]) -> Iterator[ServerSentEvent]:
        size = sum(row.size for row in rows)
        self._streams.figures.held_bytes += size
        try:
            for position, happened in self._feed.take(rows):
                yield ServerSentEvent(happened.text, event=happened.row["state"], id=position, sep="\n")
        finally:
            self._streams.figures.held_bytes -= size
