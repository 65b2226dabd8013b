"""Calls side by side: the engine lets go of Python while it works, so that two statements take two cores."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

__all__ = ["side_by_side"]


def side_by_side(*calls: Callable[[], Any]) -> list[Any]:
    """Call each in a thread of its own, the first in the caller's, and return what they return.

    Raises
    ------
    Exception
        Whatever the first of them that failed has raised, once all have ended.

    Examples
    --------
    >>> side_by_side(lambda: "a", lambda: "b")
    ['a', 'b']
    """
    first, *others = calls
    if not others:
        return [first()]
    # Leaving the block waits for all of them, also when the first has failed.
    with ThreadPoolExecutor(len(others)) as threads:
        begun = [threads.submit(call) for call in others]
        return [first(), *(call.result() for call in begun)]
