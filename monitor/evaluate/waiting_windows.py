"""Windows that are complete and wait: by the machine's clock their time has not come yet.

Either that clock is wrong or those of the events, and what is evaluated stays: events that come for these windows when
the clock is right again would count in none. When a window is evaluated changes nothing about it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from monitor.clock import DOUBTED_FOR_S, Clock, Leaps
from monitor.evaluate.catching_up import CatchingUp
from monitor.watch import Watch
from sinks.parameters import format_duration
from sinks.receivers.times import utc
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of

__all__ = ["WaitingWindows"]

ASKED_WITHIN_S, HELD_AT_MOST_S = 10.0, 600.0
"""After the clock came back: by when whoever reads partitions asks for theirs, and how long windows wait for that."""


class WaitingWindows:
    """Which models have some, and up to which time windows are evaluated.

    Parameters
    ----------
    clock : Clock
    watches : mapping of str to Watch
    store : Store

    Attributes
    ----------
    catching_up : CatchingUp
        Models with complete windows that wait for nothing but their turn.
    to_ms : dict of str to int or None
        Up to where the windows of a model are complete, if some of them wait; of each model that was looked at.
    """

    def __init__(self, clock: Clock, watches: Mapping[str, Watch], store: Store) -> None:
        self._clock, self._watches, self._store, self._leaps = clock, watches, store, Leaps(clock)
        self._returned_ms, self._returned_s = 0, -math.inf
        self.catching_up = CatchingUp()
        self._held_ms: dict[str, int] = {}
        self._is_held: dict[str, bool] = {}
        self.to_ms: dict[str, int | None] = {}

    def until_ms(self, model: str, complete_ms: int) -> int:
        """Return up to where a model's windows are evaluated of those that are complete.

        It is asked after what is complete was read: a clock that leapt before that is noticed.

        Raises
        ------
        StoreError
        """
        sources = self._watches[model].model.spec.watched_sources
        lateness_ms = max(source.allowed_lateness for source in sources)
        if self._leaps.take_return_ms():
            self._returned_ms, self._returned_s = self._clock.now_ms(), self._clock.monotonic_s()
        ahead_ms = max(0, self._leaps.ahead_ms())
        now_ms = self._clock.now_ms() - ahead_ms
        held_ms = self._hold(model)
        self._is_held[model] = held_ms is not None
        if held_ms is not None:
            return min(complete_ms, held_ms - lateness_ms)
        # What is ahead while the clock is doubted is ahead because of it.
        allowed_ms = 0 if ahead_ms else max(source.max_ahead for source in sources)
        return complete_ms if complete_ms <= now_ms + allowed_ms else now_ms - lateness_ms

    def note(self, model: str, to_ms: int | None) -> None:
        """Up to where windows of a model are complete that were not evaluated; it is no news if they soon will be."""
        self.to_ms[model] = None if self._is_held.get(model) else to_ms

    def titles(self) -> dict[str, str]:
        """Return what an alert about each model of which windows wait says."""
        ahead_ms, now_ms = self._leaps.ahead_ms(), self._clock.now_ms()
        return {
            model: _title(model, to_ms, now_ms, ahead_ms)
            for model, to_ms in sorted(self.to_ms.copy().items())
            if to_ms is not None and model in self._watches
        }

    def _hold(self, model: str) -> int | None:
        """Return where a model's events go on once the clocks of partitions have followed; None if they have.

        What is complete may have been read before they had: once more than it is so.
        """
        since_s, last_ms = self._clock.monotonic_s() - self._returned_s, self._held_ms.pop(model, None)
        if since_s < HELD_AT_MOST_S:
            asked_ms = self._returned_ms - round(1000 * ASKED_WITHIN_S)
            back_ms = list(_coming_back(self._store, model, asked_ms))
            if back_ms or since_s < ASKED_WITHIN_S:
                self._held_ms[model] = min([self._returned_ms, *back_ms])
        return self._held_ms.get(model, last_ms)


def _coming_back(store: Store, model: str, since_ms: int) -> Iterator[int]:
    """The times to which clocks of partitions go back, asked for since then, whose progress does not show it yet."""
    progress = {
        (row["topic"], row["partition"]): (row["next_offset"], row["closed_ms"])
        for row in rows_of(store.read(Query("progress", {"model": model})))
    }
    for row in rows_of(store.read(Query("set_clocks", {"model": model}))):
        next_offset, closed_ms = progress.get((row["topic"], row["partition"]), (0, 0))
        is_shown = row["newest_ms"] <= row["to_ms"] or next_offset > row["from_offset"] or closed_ms <= row["to_ms"]
        if row["updated_ms"] >= since_ms and (row["from_offset"] < 0 or not is_shown):
            yield row["to_ms"]


def _title(model: str, to_ms: int, now_ms: int, ahead_ms: int) -> str:
    """What people should know, and what to do.

    Examples
    --------
    >>> _title("fraud", 1_700_086_380_000, 1_700_086_460_000, 86_400_000)[:84]
    'the windows of fraud up to 2023-11-15 22:13 UTC wait: the clock of this machine went'
    """
    fact = f"the windows of {model} up to {utc(to_ms)} wait: "
    if ahead_ms > 0:
        return (
            f"{fact}the clock of this machine went {format_duration(round(ahead_ms, -3))} ahead at once, and is"
            f" doubted for {format_duration(round(DOUBTED_FOR_S * 1000))}. If it is wrong, set it right; if it is"
            " right, restart Leeway to go on at once"
        )
    return (
        f"{fact}their time has not come yet, the clock of this machine says {utc(now_ms)}. If that is wrong, set it"
        f" right; else a clock of producers is wrong: `leeway clocks back {model}`"
    )
