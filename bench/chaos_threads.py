"""What goes on beside a run of chaos, in threads of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Self

__all__ = ["Background"]


class Background:
    """Works from when it is entered until it is left; its threads end once the event ``_stop`` is set.

    Parameters
    ----------
    *works : callable
        Each for a thread.
    """

    def __init__(self, *works: Callable[[], None]) -> None:
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=work, name=f"{type(self).__name__}{work.__name__}") for work in works]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Return once all threads have ended."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
