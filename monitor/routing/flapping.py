"""Alerts that fire and end again and again: from when, and for how long, they are held.

An alert that comes back is another alert, with an id of its own. What flaps is therefore a *condition*
(:attr:`monitor.routing.routed_alert.RoutedAlert.condition`): alerts whose labels differ in no more than id, severity
and incident. It changes when the first of its alerts begins to fire, and when the last one ends. After `changes`
changes within `within` it is held, and notified as firing whatever it does, until it has not changed for
`until_steady`; changes before that do not count any more.

Times are those of the transitions. What is known of a condition follows from its transitions alone, and taking one up
twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

__all__ = ["Changes", "Flapping", "Hold"]


@dataclass(frozen=True)
class Hold:
    """When a condition counts as flapping.

    Parameters
    ----------
    changes : int
    within_ms, until_steady_ms : int
    """

    changes: int
    within_ms: int
    until_steady_ms: int

    @property
    def name(self) -> str:
        """The same for the same numbers."""
        return f"{self.changes}/{self.within_ms}/{self.until_steady_ms}"


@dataclass(frozen=True)
class Changes:
    """The changes of one condition.

    Attributes
    ----------
    firing : tuple of str
        Ids of its alerts that fire.
    at_ms : tuple of int
        The newest changes, at most as many as have to come within the time.
    held_ms : int or None
        When it began to be held.

    Examples
    --------
    >>> hold, known = Hold(changes=3, within_ms=100, until_steady_ms=50), Changes()
    >>> for at_ms, fires in ((0, True), (40, False), (80, True), (81, True)):
    ...     known = known.after(hold, "a", at_ms, fires=fires)
    >>> known.held_ms, known.holds(hold, 129), known.holds(hold, 130)
    (80, True, False)
    """

    firing: tuple[str, ...] = ()
    at_ms: tuple[int, ...] = ()
    held_ms: int | None = None

    def after(self, hold: Hold, alert_id: str, at_ms: int, *, fires: bool) -> Changes:
        """Return what is known after a transition of one of the alerts."""
        # After a start transitions are read again; those before the newest change are counted already.
        if self.at_ms and at_ms < self.at_ms[-1]:
            return self
        others = [other for other in self.firing if other != alert_id]
        firing = tuple(sorted([*others, alert_id])) if fires else tuple(others)
        if bool(firing) == bool(self.firing):
            return replace(self, firing=firing)
        counted = () if self.held_ms is not None and not self.holds(hold, at_ms) else self.at_ms
        changes = (*counted, at_ms)[-hold.changes :]
        held_ms = self.held_ms if counted else None
        if held_ms is None and len(changes) == hold.changes and at_ms - changes[0] <= hold.within_ms:
            held_ms = at_ms
        return Changes(firing, changes, held_ms)

    def holds(self, hold: Hold, now_ms: int) -> bool:
        """Whether the condition is held; not where a clock that was ahead has dated its newest change."""
        return self.held_ms is not None and abs(now_ms - self.at_ms[-1]) < hold.until_steady_ms

    def is_past(self, hold: Hold, now_ms: int) -> bool:
        """Whether nothing depends on it any more."""
        return not self.firing and now_ms - self.at_ms[-1] > max(hold.within_ms, hold.until_steady_ms)


class Flapping:
    """The changes of all conditions, for each way to hold them.

    Parameters
    ----------
    holds : iterable of Hold

    Examples
    --------
    >>> hold = Hold(changes=2, within_ms=100, until_steady_ms=50)
    >>> flapping = Flapping([hold])
    >>> for at_ms, fires in ((0, True), (40, False)):
    ...     flapping.note("c", "a", at_ms, [hold] if fires else [])
    >>> flapping.held(hold, "c", 60).held_ms
    40
    """

    def __init__(self, holds: Iterable[Hold] = ()) -> None:
        self._holds = {hold.name: hold for hold in holds}
        self._known: dict[tuple[str, str], Changes] = {}
        self._unwritten: set[tuple[str, str]] = set()

    @property
    def is_off(self) -> bool:
        """Whether nothing is ever held."""
        return not self._holds

    def note(self, condition: str, alert_id: str, at_ms: int, firing: Collection[Hold]) -> None:
        """Take up a transition of an alert, which fires for these holds, and for others not (any more)."""
        for hold in self._holds.values():
            key = hold.name, condition
            former = self._known.get(key, Changes())
            after = former.after(hold, alert_id, at_ms, fires=hold in firing)
            if after != former:
                self._known[key] = after
                self._unwritten.add(key)

    def held(self, hold: Hold, condition: str, now_ms: int) -> Changes | None:
        """Return the changes of a condition, if it is held."""
        changes = self._known.get((hold.name, condition))
        return changes if changes is not None and changes.holds(hold, now_ms) else None

    def forget(self, now_ms: int) -> None:
        """Forget the conditions on which nothing depends any more."""
        past = [key for key, changes in self._known.items() if changes.is_past(self._holds[key[0]], now_ms)]
        for key in past:
            del self._known[key]

    # -- a process's memory ----------------------------------------------------------------------------------------

    def unwritten(self) -> Iterator[tuple[str, int, dict[str, Any]]]:
        """Yield what has changed since it was asked for last: a name, the newest change, and the state."""
        for key in sorted(self._unwritten & self._known.keys()):
            changes = self._known[key]
            yield "/".join(key), changes.at_ms[-1], asdict(changes)
        self._unwritten.clear()

    def read(self, name: str, state: Mapping[str, Any]) -> None:
        """Take up what was yielded once; that of a way to hold that is not configured any more is left out."""
        hold, _, of = name.rpartition("/")
        if hold in self._holds:
            self._known[hold, of] = Changes(tuple(state["firing"]), tuple(state["at_ms"]), state["held_ms"])
