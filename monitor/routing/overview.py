"""How alerts stand at a time: who is notified of each, and what keeps it quiet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from monitor.routing.inhibition import Inhibition, Rule
from monitor.routing.intervals import Interval
from monitor.routing.routed_alert import RoutedAlert
from monitor.routing.routes import Route
from monitor.routing.silences import Silences

__all__ = ["Standing", "overview"]


@dataclass(frozen=True)
class Standing:
    """One alert.

    Attributes
    ----------
    alert : RoutedAlert
    routes : tuple of Route
        Those that take it.
    silenced_by, inhibited_by : tuple of str
        Ids of silences, fingerprints of alerts.
    muted : dict of str to str
        By the ids of routes that are muted, why.
    """

    alert: RoutedAlert
    routes: tuple[Route, ...]
    silenced_by: tuple[str, ...]
    inhibited_by: tuple[str, ...]
    muted: Mapping[str, str]

    @property
    def is_suppressed(self) -> bool:
        """Whether a silence or another alert keeps it quiet."""
        return bool(self.silenced_by or self.inhibited_by)


def overview(
    alerts: Sequence[RoutedAlert],
    root: Route,
    rules: Iterable[Rule],
    silences: Silences,
    intervals: Mapping[str, Sequence[Interval]],
    now_ms: int,
) -> Iterator[Standing]:
    """Yield how alerts stand.

    Examples
    --------
    >>> from monitor.routing.matchers import parse_matchers
    >>> from monitor.routing.routes import RouteOptions
    >>> from monitor.routing.silences import Silence
    >>> silences = Silences([Silence("s1", parse_matchers("model=fraud"), 0, 10)])
    >>> [found] = overview([RoutedAlert({"model": "fraud"}, 0)], Route(RouteOptions("mail")), [], silences, {}, 5)
    >>> found.silenced_by, found.is_suppressed
    (('s1',), True)
    """
    inhibition = Inhibition(rules)
    for alert in alerts:
        inhibition.put(alert)
    for alert in alerts:
        yield _standing(alert, root, inhibition, silences, intervals, now_ms)


def _standing(
    alert: RoutedAlert,
    root: Route,
    inhibition: Inhibition,
    silences: Silences,
    intervals: Mapping[str, Sequence[Interval]],
    now_ms: int,
) -> Standing:
    routes = tuple(root.matching(alert.matched))
    source = inhibition.by(alert, now_ms)
    muted = {route.id: route.muted(intervals, now_ms) for route in routes}
    return Standing(
        alert,
        routes,
        tuple(sorted(silence.id for silence in silences.all_by(alert, now_ms))),
        () if source is None else (source.fingerprint,),
        {name: why for name, why in muted.items() if why},
    )
