"""Members of our group that do not share our store: what they read is missing here, and nothing else would say so."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import structlog

from monitor.alerts.wording import listed
from monitor.clock import Clock
from monitor.errors import SourceError
from monitor.sources.contract import Member
from sinks.receivers.times import utc

__all__ = ["ForeignMembers"]

log = structlog.get_logger("leeway.worker")


class ForeignMembers:
    """What was last seen of a group.

    Parameters
    ----------
    group : str
    read : callable
        Returns the members; None while the group settles who reads what.
    clock : Clock

    Attributes
    ----------
    group : str
    sentence : str
        What people should know, and what to do; empty if all members share the store.
    count : int or None
        How many do not; None before the group was seen.

    Examples
    --------
    >>> from monitor.clock import ManualClock
    >>> ours = Member("leeway", "10.0.0.1", True, frozenset({("events", 0)}))
    >>> other = Member("leeway", "10.0.0.2", False, frozenset({("events", 1)}))
    >>> members = ForeignMembers("shared", lambda: [ours, other], ManualClock())
    >>> members.look()
    >>> members.sentence[:63]
    '1 of 2 members of the Kafka group shared does not share this st'
    >>> members.sentence.partition("missing here: ")[2]
    'events/1. Give every store a `kafka.group` of its own'
    """

    def __init__(self, group: str, read: Callable[[], Sequence[Member] | None], clock: Clock) -> None:
        self.group = group
        self.sentence = ""
        self.count: int | None = None
        self._read, self._clock = read, clock
        self._since_ms = 0
        self._failure = ""

    def look(self) -> None:
        """Look at the group; what was seen before stays if it does not answer, or is settling."""
        try:
            members = self._read()
        except SourceError as error:
            if str(error) != self._failure:
                log.warning("nobody knows whether others are in the group", group=self.group, reason=str(error))
            self._failure = str(error)
            return
        self._failure = ""
        if members is None:
            return
        foreign = [member for member in members if not member.shares_store]
        if foreign and not self.count:
            self._since_ms = self._clock.now_ms()
        self.sentence = _sentence(self.group, foreign, len(members), self._since_ms) if foreign else ""
        self.count = len(foreign)


def _sentence(group: str, foreign: Sequence[Member], members: int, since_ms: int) -> str:
    verb = "does" if len(foreign) == 1 else "do"
    hosts = listed([f"{member.name} at {member.host}" for member in foreign])
    partitions = listed(sorted(f"{topic}/{number}" for member in foreign for topic, number in member.partitions))
    missing = f"What is read there is missing here: {partitions}. " if partitions else ""
    return (
        f"{len(foreign)} of {members} members of the Kafka group {group} {verb} not share this store, since"
        f" {utc(since_ms)}: {hosts}. {missing}Give every store a `kafka.group` of its own"
    )
