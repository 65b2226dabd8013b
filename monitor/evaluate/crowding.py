"""How many events of each model carry versions that are too many to be told apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from monitor.clock import Clock
from monitor.watch import Watch

__all__ = ["Crowding"]

WITHIN_S = 3_600.0


class Crowding:
    """Counts the events of evaluated windows, for metrics and for an alert.

    Parameters
    ----------
    clock : Clock

    Attributes
    ----------
    other : Counter of str
        Events under the version `other`, by model.

    Examples
    --------
    >>> from monitor.clock import ManualClock
    >>> crowding = Crowding(ManualClock())
    >>> crowding.note("fraud", 100, 90)
    >>> crowding.shares()
    {'fraud': (100, 90)}
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.other: Counter[str] = Counter()
        # Other threads look at these, so they are replaced and never changed.
        self._recent: dict[str, tuple[tuple[float, int, int], ...]] = {}
        self._began_s = clock.monotonic_s()

    def note(self, model: str, events: int, other: int) -> None:
        """Windows with so many events were evaluated."""
        self.other[model] += other
        if other or model in self._recent:
            now_s = self._clock.monotonic_s()
            recent = [counts for counts in self._recent.get(model, ()) if counts[0] > now_s - WITHIN_S]
            self._recent[model] = (*recent, (now_s, events, other))

    def shares(self) -> dict[str, tuple[int, int]]:
        """Return, of models with any, the events of the last hour and those of them under the version `other`."""
        now_s, shares = self._clock.monotonic_s(), {}
        for model, counted in sorted(self._recent.copy().items()):
            recent = [counts for counts in counted if counts[0] > now_s - WITHIN_S]
            if other := sum(of_windows for _, _, of_windows in recent):
                shares[model] = sum(events for _, events, _ in recent), other
        return shares

    def is_over(self) -> bool:
        """Whether windows have been looked at for as long as they count: of a model without traffic there are none."""
        return self._clock.monotonic_s() - self._began_s > WITHIN_S

    def titles(self, watches: Mapping[str, Watch]) -> dict[str, str]:
        """Return what an alert about each such model says."""
        shares = self.shares().items()
        return {model: _title(watches[model], *share) for model, share in shares if model in watches}


def _title(watch: Watch, events: int, other: int) -> str:
    schema = watch.model.spec.schema_
    return (
        f"{watch.name} has more versions than the {schema.max_versions} that are told apart at one time: {other:,} of"
        f" the last hour's {events:,} events count as version `other`. Is {schema.version!r} (schema.version) a request"
        " id? Name a field that changes with a deployment, or raise schema.max_versions"
    )
