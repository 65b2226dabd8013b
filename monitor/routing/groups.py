"""Groups of alerts that are notified together, and a look at one of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import NamedTuple

from monitor.delivery.target import Target
from monitor.routing.routed_alert import RoutedAlert, place
from monitor.routing.routes import Route
from monitor.routing.sent import Content, digest

__all__ = ["Flush", "Group", "Reason"]

PATIENCE_MS = 10_000
"""A flush takes at least this long before it counts as failed, else `group_interval`."""

_NOTHING = Content(frozenset(), frozenset())


class Reason(NamedTuple):
    """Why a receiver is notified, or not, of an alert or a group.

    Attributes
    ----------
    notify : bool
    why : str
        ``held``, ``inhibited``, ``silenced``, ``muted``, ``sent``, ``known``, ``acknowledged`` or ``waiting``.
    detail : str
    fingerprint : str
        Empty if it is about the whole group.
    target : str
        Empty if it is about every entry of the receiver.
    silence : str
        The id of the silence that keeps an alert quiet; empty if none does.
    """

    notify: bool
    why: str
    detail: str
    fingerprint: str = ""
    target: str = ""
    silence: str = ""


@dataclass
class Group:
    """Alerts that are notified together.

    Attributes
    ----------
    queue : deque
        Where the route has `every_change`: changes that wait until the one before them was looked at.
    since : frozenset of (str, int)
        Where the route has `escalate`: since when its receiver is notified of what fires.
    untried : set of Target
        For whom there was no time at the last look: they come first.
    """

    route: Route
    labels: Mapping[str, str]
    key: str
    next_ms: int
    alerts: dict[str, RoutedAlert] = field(default_factory=dict)
    was_flushed: bool = False
    is_looked_at: bool = True
    flush: Flush | None = None
    since: frozenset[tuple[str, int]] = frozenset()
    queue: deque[Sequence[RoutedAlert]] = field(default_factory=deque)
    untried: set[Target] = field(default_factory=set)

    @cached_property
    def digest(self) -> str:
        """Stands for the key where label values have no place."""
        return digest(self.key)

    @property
    def is_needed(self) -> bool:
        """Whether it holds anything, or somebody is being notified of what it held."""
        return bool(self.alerts or self.queue or self.flush)

    @property
    def held(self) -> list[RoutedAlert]:
        """All that it holds, or will: an alert is there more than once while a change of it waits."""
        return [*self.alerts.values(), *chain.from_iterable(self.queue)]

    @property
    def ordered(self) -> list[RoutedAlert]:
        """Its alerts, in Alertmanager's order: by job, instance, and then all labels."""
        return sorted(self.alerts.values(), key=lambda alert: place(alert.labels))

    def put(self, change: Sequence[RoutedAlert], now_ms: int) -> None:
        """Take up what has become of an alert; one that began long ago does not wait for others."""
        if self.route.options.every_change and not (self.is_looked_at and self.flush is None):
            # The state before it was not looked at, or receivers are being notified of it.
            self.queue.append(change)
            return
        self.is_looked_at = False
        for alert in change:
            self.alerts[alert.fingerprint] = alert
            # Alertmanager's rule: an alert that is older than `group_wait` has waited, as after a restart.
            waited = alert.starts_ms + self.route.options.group_wait_ms < now_ms
            if self.route.options.every_change if self.was_flushed else waited:
                self.next_ms = now_ms

    def begin(self, now_ms: int) -> None:
        """Note that it is looked at now."""
        self.next_ms = now_ms + self.route.options.group_interval_ms
        self.was_flushed = self.is_looked_at = True

    def end(self, now_ms: int) -> None:
        """Note that its flush has ended, and take up the change that waited for that."""
        if self.flush is not None and self.flush.is_repeated:
            self.next_ms, self.is_looked_at = now_ms, False
        self.flush = None
        if self.queue and self.is_looked_at:
            self.put(self.queue.popleft(), now_ms)


@dataclass
class Flush:
    """One look at a group: who is notified of what.

    Attributes
    ----------
    group : Group
    at_ms : int
    alerts : tuple of RoutedAlert
        All that the group held: it may hold the next changes of them before this is written down.
    over : tuple of RoutedAlert
    targets : dict of Target to tuple of RoutedAlert
        What to send; it may be nothing, where only ends are new to a receiver that does not want them.
    former_ms : dict of Target to int
        When each of them took a notification last; those that never did are left out.
    content : Content
        What is noted as notified.
    flapping : frozenset of str
        Those that stand for a condition that is held.
    stand_at : frozenset of (str, int)
        Alerts, with the times of the transitions at which they stand, where the route has `only_changes` or
        `every_change`.
    since : frozenset of (str, int)
        Since when the route's receiver is notified of those that fire, where the route has `escalate`.
    escalated : dict of Target to (str, str)
        Whether those are notified to whom the route escalates: a word, and why.
    held : frozenset of str
        Of those that are over, the ones that stay for their end to be notified later.
    reasons : list of Reason
    is_repeated : bool
        Whether the group is looked at anew at once, as somebody may know more than was taken for granted.
    """

    group: Group
    at_ms: int
    alerts: tuple[RoutedAlert, ...]
    over: tuple[RoutedAlert, ...]
    targets: dict[Target, tuple[RoutedAlert, ...]] = field(default_factory=dict)
    former_ms: dict[Target, int] = field(default_factory=dict)
    content: Content = _NOTHING
    flapping: frozenset[str] = frozenset()
    stand_at: frozenset[tuple[str, int]] = frozenset()
    since: frozenset[tuple[str, int]] = frozenset()
    escalated: dict[Target, tuple[str, str]] = field(default_factory=dict)
    held: frozenset[str] = frozenset()
    reasons: list[Reason] = field(default_factory=list)
    waiting: set[Target] = field(default_factory=set)
    failed: bool = False
    is_repeated: bool = False

    def why(self, target: Target) -> str:
        """Why a receiver is notified."""
        return next(reason.detail for reason in self.reasons if reason.target == target.name)

    def unchanged(self, target: Target) -> int:
        """How many that fire a receiver is not sent, since it knows them as they are."""
        return len(self.content.firing.difference(alert.fingerprint for alert in self.targets[target]))

    @property
    def until_ms(self) -> int:
        """When those that have not taken it by then count as failed."""
        return self.at_ms + max(PATIENCE_MS, self.group.route.options.group_interval_ms)
