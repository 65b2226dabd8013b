"""Streams of which nearly everything is rejected: nothing is watched of them, though messages come."""

from __future__ import annotations

from collections.abc import Mapping

from monitor.clock import Clock
from monitor.ingest.intake import Intake
from monitor.ingest.rejections import Rejected
from monitor.watch import Watch

__all__ = ["RejectedStreams"]

AFTER_S = 30.0
"""For so long nearly everything is to have been rejected: bad messages may stand one behind another by chance."""


class RejectedStreams:
    """Looks at how much of what is read here is rejected, for an alert of each stream.

    Parameters
    ----------
    clock : Clock
    watches : mapping of str to Watch
        By model.
    intake : Intake
    """

    def __init__(self, clock: Clock, watches: Mapping[str, Watch], intake: Intake) -> None:
        self._clock, self._watches, self._intake = clock, watches, intake
        self._since_s: dict[str, float] = {}

    def holding(self) -> dict[str, str]:
        """Return what people should know, by model and topic."""
        now_s = self._clock.monotonic_s()
        alarming = {each.name: each for each in self._intake.rejected() if each.is_alarming and self._is_read(each)}
        self._since_s = {name: self._since_s.get(name, now_s) for name in alarming}
        return {name: each.sentence for name, each in alarming.items() if now_s - self._since_s[name] >= AFTER_S}

    def is_over(self, name: str) -> bool:
        """Whether messages have come that are not rejected, or no model reads them any more."""
        model, _, topic = name.partition(" ")
        watch = self._watches.get(model)
        if watch is None or watch.model.spec.source_of(topic) is None:
            return True
        return any(each.name == name and not each.is_alarming for each in self._intake.rejected())

    def _is_read(self, rejected: Rejected) -> bool:
        watch = self._watches.get(rejected.model)
        return watch is not None and watch.model.spec.source_of(rejected.topic) is not None
