"""Who is notified of what, as configured."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from monitor.delivery.target import Target
from monitor.routing.flapping import Hold
from monitor.routing.incident_labels import IncidentNames
from monitor.routing.inhibition import Rule
from monitor.routing.intervals import Interval
from monitor.routing.likely_causes import ChangesBefore
from monitor.routing.routes import Route
from monitor.routing.subscriptions import Subscription
from monitor.routing.timetable import Digest
from sinks.receivers.contract import Receiver

__all__ = ["Plan"]


@dataclass(frozen=True)
class Plan:
    """Who is notified of what.

    Attributes
    ----------
    root : Route
    receivers : mapping of Target to Receiver
    rules : sequence of Rule
    intervals : mapping of str to sequence of Interval
    silence_notices : sequence of str
        Receivers that are notified when any silence begins, and when it is over.
    digests : mapping of str to Digest
        Receivers that are sent summaries.
    reached : callable
        From a subscription to the entries that it notifies, each with what builds its receiver; InputError, if there
        are none.
    incidents : IncidentNames or None
        Where alerts have the label of their incident.
    changes : ChangesBefore or None
        Where they have not: what came before each of them.
    former_models : collection of str
        That are no longer watched: what becomes of alerts about those that were met before is notified, too.
    """

    root: Route
    receivers: Mapping[Target, Receiver]
    rules: Sequence[Rule] = ()
    intervals: Mapping[str, Sequence[Interval]] = field(default_factory=dict)
    silence_notices: Sequence[str] = ()
    digests: Mapping[str, Digest] = field(default_factory=dict)
    reached: Callable[[Subscription], Mapping[Target, Callable[[], Receiver]]] = lambda _: {}
    incidents: IncidentNames | None = None
    changes: ChangesBefore | None = None
    former_models: Collection[str] = ()

    @property
    def holds(self) -> set[Hold]:
        """The ways in which routes hold alerts that flap."""
        return {route.options.hold for route in self.root.walk() if route.options.hold is not None}

    @property
    def notifies_every_change(self) -> bool:
        """Whether some route notifies each transition."""
        return any(route.options.every_change for route in self.root.walk())

    @property
    def longest_repeat_ms(self) -> int:
        """The longest time after which a group that has not changed is notified again."""
        # Where every change is notified, what is over is not needed to know what is new.
        options = [route.options for route in self.root.walk() if not route.options.every_change]
        return max((option.repeat_interval_ms for option in options), default=0)
