"""Which partitions decide how far windows are complete, as whoever reads them has said it in the store."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from monitor.config.model import ModelSpec
from monitor.events import ENDED, Partition
from sinks.store.contract import Query, Store
from sinks.store.rows import as_list

__all__ = ["NOTHING_MS", "Closed", "Horizon", "Standing", "horizon", "horizons", "read_closed", "standing"]

Standing = Mapping[Partition, bool]
"""Every partition that has been seen, and whether it is silent."""

NOTHING_MS = -ENDED
"""Before this no pane starts."""


@dataclass(frozen=True)
class Closed:
    """How far one partition has closed a model's panes.

    Attributes
    ----------
    closed_ms, newest_ms : int
        Up to where its panes are closed, and the newest event time it has seen.
    """

    closed_ms: int
    newest_ms: int


@dataclass(frozen=True)
class Horizon:
    """Which partitions decide how far windows are complete.

    Attributes
    ----------
    expected : frozenset of Partition
        Partitions that are being read; one of them without any pane holds everything back.
    idle : frozenset of Partition
        Those of them that no longer hold windows back.
    """

    expected: frozenset[Partition] = frozenset()
    idle: frozenset[Partition] = frozenset()

    def complete_ms(self, closed: Mapping[Partition, Closed]) -> int | None:
        """Return up to where every partition has closed its panes; None if one of them has not begun.

        Examples
        --------
        >>> slow, fast, silent = ("t", 0), ("t", 1), ("t", 2)
        >>> closed = {slow: Closed(20, 25), fast: Closed(60, 70), silent: Closed(10, 12)}
        >>> Horizon(frozenset({slow, fast, silent}), frozenset({silent})).complete_ms(closed)
        20
        >>> Horizon(frozenset({slow, ("t", 3)})).complete_ms(closed) is None
        True
        """
        if not closed or not self.expected - self.idle <= closed.keys():
            return None
        unended = {partition: so_far.closed_ms for partition, so_far in closed.items() if so_far.closed_ms < ENDED}
        bounds = [closed_ms for partition, closed_ms in unended.items() if partition not in self.idle]
        if bounds:
            return min(bounds)
        # Of silent partitions the furthest counts: nothing more is known to come from any of them.
        if unended:
            return max(unended.values())
        return max(so_far.newest_ms for so_far in closed.values()) + 1

    def counted_ms(self, closed: Mapping[Partition, Closed], to_ms: int) -> dict[Partition, int]:
        """Return up to where panes of each partition count in windows that end at or before ``to_ms``.

        Examples
        --------
        >>> slow, silent, empty = ("t", 0), ("t", 1), ("t", 2)
        >>> horizon = Horizon(frozenset({slow, silent, empty}), frozenset({silent, empty}))
        >>> counted_ms = horizon.counted_ms({slow: Closed(20, 25), silent: Closed(10, 12)}, 20)
        >>> counted_ms == {slow: ENDED, silent: 10, empty: NOTHING_MS}
        True
        """
        nothing = dict.fromkeys(self.expected, NOTHING_MS)
        return nothing | {
            partition: so_far.closed_ms if partition in self.idle and so_far.closed_ms < to_ms else ENDED
            for partition, so_far in closed.items()
        }


def read_closed(store: Store, models: Collection[str]) -> dict[str, dict[Partition, Closed]]:
    """Return how far the partitions of some models are, by model: one question, however many they are.

    Raises
    ------
    StoreError
    """
    rows = store.read(Query("progress", {"model": list(models)}))
    by_model: dict[str, dict[Partition, Closed]] = {name: {} for name in models}
    for model, *partition, closed_ms, newest_ms in zip(
        *(as_list(rows[name]) for name in ("model", "topic", "partition", "closed_ms", "newest_ms")), strict=True
    ):
        by_model[model][partition[0], partition[1]] = Closed(closed_ms, newest_ms)
    return by_model


def standing(store: Store) -> dict[Partition, bool]:
    """Return every partition that has been seen, and whether it is silent."""
    rows = store.read(Query("partitions", columns=("topic", "partition", "idle")))
    names = zip(rows["topic"], rows["partition"].tolist(), strict=True)
    return dict(zip(names, map(bool, rows["idle"].tolist()), strict=True))


def horizon(partitions: Standing, spec: ModelSpec) -> Horizon | None:
    """Return which partitions a model's windows wait for.

    Parameters
    ----------
    partitions : mapping
        What :func:`standing` returns.
    spec : ModelSpec

    Returns
    -------
    Horizon or None
        None until every topic that the model names has been seen.

    Examples
    --------
    >>> schema = {"features": {"x": {"type": "numeric"}}}
    >>> spec = ModelSpec.model_validate({"sources": [{"kafka": ["a", "/c.*/"]}], "schema": schema})
    >>> horizon({("a", 0): False, ("a", 1): True, ("b", 0): False}, spec).idle
    frozenset({('a', 1)})
    >>> horizon({("c1", 0): False}, spec) is None
    True
    """
    return horizons(partitions, {"": spec})[""]


def horizons(partitions: Standing, specs: Mapping[str, ModelSpec]) -> dict[str, Horizon | None]:
    """Return what :func:`horizon` does, of each model: of a thousand none is asked for the topics of all others."""
    by_topic: dict[str, list[Partition]] = {}
    for partition in partitions:
        by_topic.setdefault(partition[0], []).append(partition)
    return {name: _horizon(partitions, by_topic, spec) for name, spec in specs.items()}


def _horizon(partitions: Standing, by_topic: Mapping[str, list[Partition]], spec: ModelSpec) -> Horizon | None:
    named = {stream for source in spec.watched_sources for stream in source.named}
    if not named <= by_topic.keys():
        return None
    topics = {topic for topic in by_topic if spec.is_watched(topic)} if spec.patterns else named
    expected = frozenset(partition for topic in topics for partition in by_topic[topic])
    return Horizon(expected, frozenset(partition for partition in expected if partitions[partition]))
