"""Windows that are complete and wait: by the machine's clock their time has not come yet.

Either that clock is wrong or those of the events, and what is evaluated stays: events that come for these windows when
the clock is right again would count in none. When a window is evaluated changes nothing about it.
"""

from __future__ import annotations

from collections.abc import Mapping

from monitor.clock import DOUBTED_FOR_S, Clock, Leaps
from monitor.watch import Watch
from sinks.parameters import format_duration
from sinks.receivers.times import utc

__all__ = ["WaitingWindows"]


class WaitingWindows:
    """Which models have some, and up to which time windows are evaluated.

    Parameters
    ----------
    clock : Clock
    watches : mapping of str to Watch

    Attributes
    ----------
    to_ms : dict of str to int or None
        Up to where the windows of a model are complete, if some of them wait; of each model that was looked at.
    """

    def __init__(self, clock: Clock, watches: Mapping[str, Watch]) -> None:
        self._clock, self._watches, self._leaps = clock, watches, Leaps(clock)
        self.to_ms: dict[str, int | None] = {}

    def until_ms(self, model: str, complete_ms: int) -> int:
        """Return up to where a model's windows are evaluated of those that are complete.

        It is asked after what is complete was read: a clock that leapt before that is noticed.
        """
        sources, now_ms = self._watches[model].model.spec.watched_sources, self._leaps.earliest_ms()
        if complete_ms <= now_ms + max(source.max_ahead for source in sources):
            return complete_ms
        return now_ms - max(source.allowed_lateness for source in sources)

    def titles(self) -> dict[str, str]:
        """Return what an alert about each model of which windows wait says."""
        ahead_ms, now_ms = self._leaps.ahead_ms(), self._clock.now_ms()
        return {
            model: _title(model, to_ms, now_ms, ahead_ms)
            for model, to_ms in sorted(self.to_ms.copy().items())
            if to_ms is not None
        }


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
