"""Which partitions decide how far windows are complete, as whoever reads them has said it in the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from monitor.config.model import ModelSpec
from monitor.events import Partition
from sinks.store.contract import Query, Store

__all__ = ["Horizon", "Standing", "horizon", "standing"]

Standing = Mapping[Partition, bool]
"""Every partition that has been seen, and whether it is silent."""


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
    topics = {topic for topic in {topic for topic, _ in partitions} if spec.is_watched(topic)}
    if not {name for source in spec.watched_sources for name in source.named} <= topics:
        return None
    expected = frozenset(partition for partition in partitions if partition[0] in topics)
    return Horizon(expected, frozenset(partition for partition in expected if partitions[partition]))
