"""Questions that add up very many panes: few at once, and none that is too large."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Annotated

from fastapi import Depends, Request

from monitor.api.problems import ProblemError, bad_parameter
from monitor.panes.distributions import Part, size_of
from monitor.watch import Watch

__all__ = ["Comparisons", "TheComparisons", "check_size"]

MOST_SUMS = 5_000_000
WAIT_S = 5.0


class Comparisons:
    """Lets a few comparisons be worked out at once.

    Parameters
    ----------
    most : int

    Examples
    --------
    >>> comparisons = Comparisons(1)
    >>> with comparisons.turn():
    ...     pass
    """

    def __init__(self, most: int) -> None:
        self._most, self._turns = most, threading.BoundedSemaphore(most)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Take a turn, after a short wait if there is none.

        Raises
        ------
        ProblemError
        """
        if not self._turns.acquire(timeout=WAIT_S):
            detail = f"{self._most} comparisons are being worked out, as many as `spec.api.max_comparisons` allows"
            raise ProblemError("busy", detail, max_comparisons=self._most)
        try:
            yield
        finally:
            self._turns.release()


async def comparisons_of(request: Request) -> Comparisons:
    """Return the turns of the application."""
    comparisons: Comparisons = request.app.state.comparisons
    return comparisons


TheComparisons = Annotated[Comparisons, Depends(comparisons_of)]


def check_size(watch: Watch, part: Part, signals: Collection[str] | None, field: str = "from") -> None:
    """Raise a problem that says what would be less, if a part of a model's events is too much to add up."""
    size = size_of(watch, part, signals)
    if size > MOST_SUMS:
        raise bad_parameter(
            field,
            f"{size:,} sums of panes would have to be added up, and at most {MOST_SUMS:,} are: ask for a shorter span "
            "or for fewer signals. Whole hours are read from sums of an hour, where `detect.pane` divides it",
        )
