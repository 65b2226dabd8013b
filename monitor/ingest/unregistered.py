"""Messages of one partition that are no model's, by the name that they give one, so many of these at most."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from monitor.decoders import Named
from monitor.events import Partition
from monitor.ingest.names import Names, name_groups
from sinks.store.batch import Rows, add_row, empty_rows

__all__ = ["MOST_NAMES", "UnregisteredNames", "union"]

MOST_NAMES = 500
"""Names of a template that are counted apart, in one partition; messages with others count under the empty name."""

LONGEST_NAME = 128
OTHERS = ""
_COLUMNS = ("reason", "messages", "first_offset", "last_offset", "first_ms", "last_ms")


class UnregisteredNames:
    """Counts them: what stands here is a function of the partition's log and of what was registered.

    Parameters
    ----------
    partition : Partition
    """

    def __init__(self, partition: Partition) -> None:
        self._partition = partition
        self._counts: dict[str, dict[str, dict[str, Any]]] = {}
        self._changed: set[tuple[str, str]] = set()

    def count(self, named: Mapping[str, Named], names: Names) -> int:
        """Take in the names of messages, in order; returns how many messages are of no model."""
        topic, messages = self._partition[0], 0
        for template, source in names.sources(topic):
            if template not in named:
                continue
            groups = sorted(name_groups(named[template]), key=lambda group: int(group[1][0]))
            for name, rows in groups:
                reason = names.reason(template, source, topic, name)
                if reason is not None:
                    # One beyond the room of its batch is the first of those that are too many.
                    self._add(template, name[:LONGEST_NAME], reason or "too_many", named[template], rows)
                    messages += len(rows)
        return messages

    def _add(self, template: str, name: str, reason: str, named: Named, rows: Any) -> None:
        counts = self._counts.setdefault(template, {})
        if name not in counts and len(counts) >= MOST_NAMES:
            name, reason = OTHERS, "others"
        first, newest = int(rows[0]), int(rows[-1])
        added = {
            "reason": reason,
            "messages": len(rows),
            "first_offset": int(named.offsets[first]),
            "last_offset": int(named.offsets[newest]),
            "first_ms": int(named.record_ms[first]),
            "last_ms": int(named.record_ms[newest]),
        }
        counts[name] = _added(counts[name], added) if name in counts else added
        self._changed.add((template, name))

    def beyond(self, names: Names) -> dict[str, set[str]]:
        """Return the names for which there is no room now, by template; other threads look at this too."""
        beyond: dict[str, set[str]] = {}
        for template, source in names.sources(self._partition[0]):
            for name in list(self._counts.get(template, ())):
                if names.reason(template, source, self._partition[0], name) in ("too_many", "refused"):
                    beyond.setdefault(template, set()).add(name)
        return beyond

    def rows(self) -> Rows:
        """Return the counts that have changed since the last time."""
        rows = empty_rows("unregistered_models")
        topic, partition = self._partition
        for template, name in sorted(self._changed):
            key = {"model": template, "topic": topic, "partition": partition, "name": name}
            add_row(rows, key | self._counts[template][name])
        self._changed.clear()
        return rows

    def snapshot(self) -> dict[str, Any]:
        """What the counts to come depend on."""
        return {
            template: {name: [count[column] for column in _COLUMNS] for name, count in counts.items()}
            for template, counts in self._counts.items()
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a snapshot."""
        self._counts = {
            template: {name: dict(zip(_COLUMNS, values, strict=True)) for name, values in counts.items()}
            for template, counts in state.items()
        }


def _added(former: Mapping[str, Any], added: Mapping[str, Any]) -> dict[str, Any]:
    """Add later messages; under one name may stand several, whose messages come in turn."""
    newer = max((former, added), key=lambda counts: counts["last_offset"])
    return {
        **former,
        "reason": "others" if "others" in (former["reason"], added["reason"]) else newer["reason"],
        "messages": former["messages"] + added["messages"],
        "last_offset": newer["last_offset"],
        "last_ms": newer["last_ms"],
    }


def union(parts: Iterable[Mapping[str, set[str]]]) -> dict[str, set[str]]:
    """Return the names of several parts, by template."""
    names: dict[str, set[str]] = {}
    for part in parts:
        for template, of_part in part.items():
            names.setdefault(template, set()).update(of_part)
    return names
