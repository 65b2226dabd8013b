"""What incidents are made of, from the store: alerts that fired, what was changed, and who reads which topics."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from monitor.alerts.alert_log import read_alert_log
from monitor.alerts.transition import POSTED
from monitor.incidents.deployments import read_deployments
from monitor.incidents.incidents import Change, Firing
from monitor.messages import LOG_TRUNCATED, OFFSETS_LOST
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of

__all__ = ["FIRING_COLUMNS", "Topics", "firing_of", "firings_apart", "read_changes", "read_topics"]

FIRING_COLUMNS = ("model", "alert_id", "sequence", "state", "at_ms", "starts_ms", "labels")

FEWEST_ROWS, MOST_ROWS = 500, 10_000
"""How many transitions are read at once at first, and at most: each time twice as many."""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Topics:
    """Which models read which topics.

    Attributes
    ----------
    by_model : mapping of str to frozenset of str
    """

    by_model: Mapping[str, frozenset[str]]

    @property
    def readers(self) -> dict[str, int]:
        """How many models read each topic."""
        return Counter(topic for topics in self.by_model.values() for topic in topics)


def read_topics(store: Store, is_watched: Mapping[str, Callable[[str], bool]]) -> Topics:
    """Return the topics that models have read; of a model whose configuration is at hand those that it still reads.

    Parameters
    ----------
    store : Store
    is_watched : mapping of str to callable
        Whether a model that is configured reads a topic.

    Raises
    ------
    StoreError
    """
    by_model: dict[str, set[str]] = {}
    rows = store.read(Query("progress", columns=("model", "topic", "partition")))
    for name, topic in set(zip(rows["model"], rows["topic"], strict=True)):
        if name not in is_watched or is_watched[name](topic):
            by_model.setdefault(name, set()).add(topic)
    return Topics({name: frozenset(topics) for name, topics in by_model.items()})


def firing_of(row: Row, topics: Topics) -> Firing:
    """Return what a transition to ``firing`` says.

    Parameters
    ----------
    row : mapping
        Of the table ``alerts``.
    topics : Topics
    """
    labels = msgspec.json.decode(row["labels"])
    # Alerts about Leeway itself, and those that others post, are of no model; they may name one, or a topic.
    model = labels.get("model", row["model"])
    return Firing(
        model,
        row["alert_id"],
        int(row["at_ms"]),
        int(row["starts_ms"]),
        labels,
        topics=topics.by_model.get(model, frozenset({labels["topic"]} if "topic" in labels else ())),
        lost=labels["topic"] if labels.get("alertname") in (LOG_TRUNCATED, OFFSETS_LOST) else "",
        elsewhere=row["model"] == POSTED,
    )


def firings_apart(store: Store, topics: Topics, apart_ms: int, until_ms: int | None) -> Iterator[list[Firing]]:
    """Yield alerts that fired, in groups that are further apart than some time, the newest first.

    No incident reaches from one of them into another, if it takes alerts for no longer than that.

    Parameters
    ----------
    store : Store
    topics : Topics
    apart_ms : int
    until_ms : int or None
        Of those that fired later none is read.

    Raises
    ------
    StoreError
    """
    high = {} if until_ms is None else {"at_ms": until_ms + 1}
    query = Query("alerts", {"state": "firing"}, high=high, order=("at_ms",), descending=True, columns=FIRING_COLUMNS)
    group: list[Firing] = []
    count = limit = FEWEST_ROWS
    while count == limit:
        limit = min(2 * limit, MOST_ROWS)
        columns = read_alert_log(store, replace(query, limit=limit))
        for firing in (firing_of(row, topics) for row in rows_of(columns)):
            if group and group[-1].fired_ms - firing.fired_ms > apart_ms:
                yield group
                group = []
            group.append(firing)
        count, query = len(columns["at_ms"]), replace(query, after=query.cursor(columns))
    if group:
        yield group


def read_changes(store: Store, since_ms: int = 0) -> list[Change]:
    """Return everything from a time on that may be why models behave differently.

    Raises
    ------
    StoreError
    """
    announced = [deployment.change for deployment in read_deployments(store, since_ms)]
    versions = _new_versions(rows_of(store.read(Query("versions"))))
    return announced + [change for change in versions if change.at_ms >= since_ms]


def _new_versions(rows: Iterable[Row]) -> Iterable[Change]:
    """The versions that came after others of their model: the first ones are no change."""
    by_model: dict[str, dict[str, int]] = {}
    for row in rows:
        by_model.setdefault(row["model"], {})[row["version"]] = int(row["first_ms"])
    for model, versions in by_model.items():
        begins_ms = min(versions.values())
        for version, first_ms in versions.items():
            if first_ms > begins_ms:
                name = json.dumps([model, version])
                yield Change("version", name, model, first_ms, version=version, models=frozenset({model}))
