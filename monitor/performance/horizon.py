"""Up to when predictions and labels are known: what hours that are judged wait for, and which partitions they do not.

A partition that is silent holds nothing back, as with windows (:mod:`monitor.evaluate.horizon`). When it is taken for
silent is the clock's decision, and so is which partitions there are by then, so it is written down before anything
follows from it: what of a silent partition was known by then counts, and nothing that comes later, nor anything of a
partition that is added later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from monitor.config.model import ModelSpec
from monitor.evaluate.horizon import NOTHING_MS, Closed, Horizon, Standing
from monitor.events import ENDED, Partition
from sinks.store.batch import add_row, append, empty_rows
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of
from sinks.store.spans import Span

__all__ = ["Known", "Reach", "decided", "decisions", "reach_of"]

Known = Mapping[Partition, int]
"""Of some partitions: what was known before this counts, and nothing else. Of all others everything does."""


@dataclass(frozen=True)
class Reach:
    """How far the partitions of predictions and labels of a model are.

    Attributes
    ----------
    closed : mapping of Partition to Closed
    next_offset : mapping of Partition to int
        Up to where rows of each are stored.
    labels : frozenset of Partition
        Those of them that carry labels.
    horizon : Horizon or None
        None until every topic has been seen.
    """

    closed: Mapping[Partition, Closed]
    next_offset: Mapping[Partition, int]
    labels: frozenset[Partition]
    horizon: Horizon | None

    @property
    def complete_ms(self) -> int | None:
        """Up to when everything is known; None if that cannot be said of some partition."""
        return None if self.horizon is None else self.horizon.complete_ms(self.closed)

    def held_back_by(self) -> list[tuple[Partition, int | None]]:
        """Return the partitions for which hours wait, the furthest behind first, and up to when each is known.

        One that has ended is waited for by none.
        """
        if self.horizon is None:
            return []
        waited_for = self.horizon.expected - self.horizon.idle
        standing = {partition: self.closed.get(partition) for partition in waited_for}
        known_ms = {each: None if so_far is None else so_far.closed_ms for each, so_far in standing.items()}
        unended = {partition: ms for partition, ms in known_ms.items() if ms is None or ms < ENDED}
        return sorted(unended.items(), key=lambda item: (item[1] is not None, item[1] or 0, item[0]))

    def counted_ms(self, at_ms: int) -> Known:
        """Return what counts of each partition in hours that are judged at a time."""
        return {} if self.horizon is None else self.horizon.counted_ms(self.closed, at_ms)

    def excluding(self, counted_ms: Known) -> Known:
        """Return what counts of partitions of which not everything does, where that was decided of some."""
        # Rows from before partitions could be added name none that counts as a whole.
        others_ms = NOTHING_MS if ENDED in counted_ms.values() else ENDED
        so_far = {partition: counted_ms.get(partition, others_ms) for partition in {*counted_ms, *self.closed}}
        return {partition: ms for partition, ms in so_far.items() if ms < ENDED}


def reach_of(store: Store, model: str, spec: ModelSpec, partitions: Standing | None) -> Reach:
    """Return how far the predictions and labels of a model are.

    Parameters
    ----------
    store : Store
    model : str
    spec : ModelSpec
    partitions : mapping or None
        What :func:`monitor.evaluate.horizon.standing` returns; None where no partition is waited for, since all of them
        have ended.

    Raises
    ------
    StoreError
    """
    closed, next_offset, labels = {}, {}, set()
    for table in ("progress", "label_progress"):
        for row in rows_of(store.read(Query(table, {"model": model}))):
            partition = row["topic"], row["partition"]
            if _carries(spec, row["topic"], ("labels",) if table == "label_progress" else ("event", "prediction")):
                closed[partition] = Closed(row["closed_ms"], row["newest_ms"])
                next_offset[partition] = row["next_offset"]
                labels |= {partition} if table == "label_progress" else set()
    horizon = Horizon() if partitions is None else _horizon(spec, partitions)
    return Reach(closed, next_offset, frozenset(labels), horizon)


def _horizon(spec: ModelSpec, partitions: Standing) -> Horizon | None:
    joined = ("event", "prediction", "labels")
    named = {stream for source in spec.sources if source.kind in joined for stream in source.named}
    if not named <= {topic for topic, _ in partitions}:
        return None
    expected = frozenset(each for each in partitions if _carries(spec, each[0], joined))
    return Horizon(expected, frozenset(each for each in expected if partitions[each]))


def _carries(spec: ModelSpec, topic: str, kinds: Sequence[str]) -> bool:
    source = spec.source_of(topic)
    return source is not None and source.kind in kinds


def decided(store: Store, model: str, times_ms: Sequence[int], reach: Reach) -> dict[int, Known]:
    """Return what counts of partitions of which not everything does in hours that are judged at some times.

    What is decided anew is stored when this returns, so that whoever judges them again goes by it.

    Raises
    ------
    StoreError
    """
    by_time = _stored(store, model, min(times_ms), max(times_ms))
    rows = empty_rows("performance_horizons")
    for at_ms in sorted(set(times_ms) - by_time.keys()):
        by_time[at_ms] = reach.counted_ms(at_ms)
        names = [f"{topic}/{number}" for topic, number in sorted(by_time[at_ms])]
        counted = [ms for _, ms in sorted(by_time[at_ms].items())]
        add_row(rows, {"model": model, "at_ms": at_ms, "partitions": names, "counted_ms": counted})
    append(store, "performance_horizons", rows)
    return {at_ms: reach.excluding(counted_ms) for at_ms, counted_ms in by_time.items()}


def decisions(store: Store, model: str, span: Span, reach: Reach) -> dict[int, Known]:
    """Return what was decided of the times of a span, its end among them, where not everything counts.

    Raises
    ------
    StoreError
    """
    by_time = _stored(store, model, *span)
    excluded = {at_ms: reach.excluding(counted_ms) for at_ms, counted_ms in by_time.items()}
    return {at_ms: counted_ms for at_ms, counted_ms in excluded.items() if counted_ms}


def _stored(store: Store, model: str, first_ms: int, last_ms: int) -> dict[int, Known]:
    bounds = {"at_ms": first_ms}, {"at_ms": last_ms + 1}
    rows = rows_of(store.read(Query("performance_horizons", {"model": model}, *bounds)))
    return {row["at_ms"]: _known(row["partitions"], row["counted_ms"]) for row in rows}


def _known(names: Sequence[str], counted_ms: Sequence[int]) -> Known:
    parts = (name.rpartition("/") for name in names)
    return {(topic, int(number)): int(ms) for (topic, _, number), ms in zip(parts, counted_ms, strict=True)}
