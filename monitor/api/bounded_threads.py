"""Calls that may hang, from code that must not: each is waited for only so long, and few threads hang with them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from anyio import CapacityLimiter, fail_after
from anyio.to_thread import run_sync

__all__ = ["BoundedThreads"]

Result = TypeVar("Result")


class BoundedThreads:
    """Threads of their own: questions may have taken all others, and wait for the store.

    A call that nobody waits for any more keeps its place until it ends: a store that hangs costs no more threads.

    Parameters
    ----------
    places : int
        How many calls run at once.
    """

    def __init__(self, places: int) -> None:
        self._count = places
        self._places, self._limiter = asyncio.Semaphore(places), CapacityLimiter(places)
        self._hanging: set[asyncio.Task[Any]] = set()

    async def run(self, call: Callable[[], Result], patience_s: float) -> Result:
        """Return what a call returns.

        Raises
        ------
        TimeoutError
            If it takes too long: it goes on by itself; or if so many do that there is no place for it.
        """
        if len(self._hanging) >= self._count:
            raise TimeoutError("calls before it hang")
        with fail_after(patience_s):
            await self._places.acquire()
            task = asyncio.create_task(run_sync(call, limiter=self._limiter))
            task.add_done_callback(self._end)
            try:
                await asyncio.wait({task})
            finally:
                if not task.done():
                    self._hanging.add(task)
        return task.result()

    def _end(self, task: asyncio.Task[Any]) -> None:
        self._places.release()
        self._hanging.discard(task)
        if not task.cancelled():
            task.exception()  # nobody may be waiting for it any more
