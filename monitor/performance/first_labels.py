"""Which label of a prediction is its first, and in which order errors are shown to detectors; pure functions.

An error is known in the hour in which both its prediction and its first label are. Errors of one hour stand in the
order of their labels in the log, and those of one label in the order of their predictions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.events import ENDED, Partition
from monitor.performance.horizon import Known
from sinks.store.label_join import EARLIEST_MS
from sinks.store.spans import HOUR_MS, Span

__all__ = ["FirstLabels", "doubts", "first_labels"]

Integers = NDArray[np.int64]
Bools = NDArray[np.bool_]
Columns = Mapping[str, Any]

_HOUR_BITS = 30


@dataclass(frozen=True)
class FirstLabels:
    """Predictions with their first labels, in the order in which these errors are shown to detectors.

    Attributes
    ----------
    hour_ms : int64 array [n]
        In which both were known.
    prediction, label : int64 array [n]
        Rows of the columns.
    """

    hour_ms: Integers
    prediction: Integers
    label: Integers


def first_labels(predicted: Columns, labels: Columns, span: Span, counted: Mapping[int, Known]) -> FirstLabels:
    """Return the errors that became known in a span of whole hours.

    Parameters
    ----------
    predicted, labels : mapping
        Columns of the tables, in any order; a row may be there twice. All labels that were known before the end of the
        span of predictions that are there, but those that take something back.
    span : tuple of int
    counted : mapping
        By an hour, what counts of partitions of which not everything does that was known by its end.

    Examples
    --------
    >>> log = {"topic": ["t", "t"], "partition": np.array([0, 0]), "offset": np.array([0, 1])}
    >>> predicted = {**log, "event_ms": np.array([5, 6]), "known_ms": np.array([5, 6]), "id_digest": np.array([7, 8])}
    >>> labels = {**log, "event_ms": np.array([40, 20]), "known_ms": np.array([40, 20]), "id_digest": np.array([8, 8])}
    >>> first = first_labels(predicted, labels, (0, HOUR_MS), {})
    >>> first.prediction.tolist(), first.label.tolist()
    ([1], [0])
    """
    if not len(predicted["event_ms"]) or not len(labels["event_ms"]):
        nothing = np.empty(0, dtype=np.int64)
        return FirstLabels(nothing, nothing, nothing)
    of_labels, of_predictions = _Rows.ordered(labels), _Rows.ordered(predicted)
    candidates = _Candidates(of_labels)
    first = candidates.first(of_predictions, counted)
    rows = np.flatnonzero(first >= 0)
    hour_ms = np.maximum(of_labels.hour_ms[first[rows]], of_predictions.hour_ms[rows])
    is_within = (hour_ms >= span[0]) & (hour_ms < span[1])
    rows, hour_ms = rows[is_within], hour_ms[is_within]
    log_rank = of_labels.log_rank[first[rows]]
    order = np.lexsort((of_predictions.log_rank[rows], log_rank, hour_ms))
    chosen = rows[order]
    return FirstLabels(hour_ms[order], of_predictions.row[chosen], of_labels.row[first[chosen]])


def doubts(counted: Mapping[int, Known]) -> list[tuple[Partition, Span]]:
    """Return when partitions were known to have said what may not count: whatever was not known by the end of an hour.

    Of all other rows it is certain that they count in each hour from their own on.

    Parameters
    ----------
    counted : mapping
        As :func:`first_labels` takes it.

    Examples
    --------
    >>> doubts({0: {("t", 0): 5}, HOUR_MS: {("t", 0): 5}, 9 * HOUR_MS: {("t", 0): 9 * HOUR_MS}})
    [(('t', 0), (5, 7200000)), (('t', 0), (32400000, 36000000))]
    """
    spans: dict[Partition, list[Span]] = {}
    for hour_ms, of_hour in sorted(counted.items()):
        for partition, known_ms in of_hour.items():
            from_ms, to_ms = known_ms, hour_ms + HOUR_MS
            if from_ms >= to_ms:
                continue
            of_partition = spans.setdefault(partition, [])
            while of_partition and from_ms <= of_partition[-1][1]:
                from_ms = min(from_ms, of_partition.pop()[0])
            of_partition.append((from_ms, to_ms))
    return [(partition, span) for partition, of_partition in sorted(spans.items()) for span in of_partition]


@dataclass(frozen=True)
class _Rows:
    """Rows of a table, each message once: by digest, the hour in which each was known, and its rank in the log."""

    row: Integers
    digest: Integers
    hour_ms: Integers
    known_ms: Integers
    said_ms: Integers
    log_rank: Integers
    partition: Integers
    partitions: Sequence[Partition]

    @classmethod
    def ordered(cls, columns: Columns) -> _Rows:
        known_ms, said_ms, digest, partition, offset = (
            np.asarray(columns[name], dtype=np.int64)
            for name in ("known_ms", "event_ms", "id_digest", "partition", "offset")
        )
        topic = np.unique(np.array(columns["topic"], dtype=object).astype(str), return_inverse=True)[1].astype(np.int64)
        in_log = np.lexsort((offset, partition, topic))
        is_new = np.ones(len(in_log), dtype=np.bool_)
        log_position = np.stack([topic, partition, offset])[:, in_log]
        is_new[1:] = (log_position[:, 1:] != log_position[:, :-1]).any(axis=0)
        log_rank = np.empty(len(in_log), dtype=np.int64)
        log_rank[in_log] = np.cumsum(is_new) - 1
        hour_ms = known_ms // HOUR_MS * HOUR_MS
        once = in_log[is_new]
        row = once[np.lexsort((log_rank[once], hour_ms[once], digest[once]))]
        _, first, of_row = np.unique(
            np.stack([topic, partition])[:, row], axis=1, return_index=True, return_inverse=True
        )
        partitions = [(str(columns["topic"][at]), int(partition[at])) for at in row[first].tolist()]
        return cls(
            row, digest[row], hour_ms[row], known_ms[row], said_ms[row], log_rank[row], of_row.ravel(), partitions
        )  # fmt: skip

    def counts(self, hour_ms: Integers, index: Integers, counted: Mapping[int, Known]) -> Bools:
        """Whether rows counted in hours that were decided upon."""
        counts = np.ones(len(index), dtype=np.bool_)
        for of_ms in np.unique(hour_ms[np.isin(hour_ms, list(counted))]).tolist():
            bounds_ms = np.array([counted[of_ms].get(partition, ENDED) for partition in self.partitions])
            at = np.flatnonzero(hour_ms == of_ms)
            rows = index[at]
            counts[at] = self.known_ms[rows] < bounds_ms[self.partition[rows]]
        return counts


class _Candidates:
    """Labels, of which each prediction has the first that counts."""

    def __init__(self, labels: _Rows) -> None:
        self._labels = labels
        self._digests, self._rank = np.unique(labels.digest, return_inverse=True)
        self._key = self._keys(self._rank.astype(np.int64), labels.hour_ms)

    @staticmethod
    def _keys(rank: Integers, hour_ms: Integers) -> Integers:
        """By digest and hour at once; hours that are thousands of years away share one."""
        hour = np.clip(hour_ms // HOUR_MS, -(1 << (_HOUR_BITS - 1)), (1 << (_HOUR_BITS - 1)) - 1)
        return (rank << _HOUR_BITS) + hour + (1 << (_HOUR_BITS - 1))

    def first(self, predictions: _Rows, counted: Mapping[int, Known]) -> Integers:
        """Return the first label of each prediction; -1 where there is none."""
        labels = self._labels
        rank = np.searchsorted(self._digests, predictions.digest)
        inside = np.minimum(rank, len(self._digests) - 1)
        has_labels = self._digests[inside] == predictions.digest
        earliest_ms = predictions.said_ms // HOUR_MS * HOUR_MS - EARLIEST_MS
        # What was known by then was said before it.
        at = np.searchsorted(self._key, self._keys(inside, earliest_ms))
        stop = np.searchsorted(self._rank, inside, side="right")
        first = np.full(len(rank), -1, dtype=np.int64)
        waiting = np.flatnonzero(has_labels & (at < stop))
        while len(waiting):
            label = at[waiting]
            hour_ms = np.maximum(labels.hour_ms[label], predictions.hour_ms[waiting])
            fits = labels.said_ms[label] >= earliest_ms[waiting]
            if counted:
                fits &= labels.counts(hour_ms, label, counted) & predictions.counts(hour_ms, waiting, counted)
            first[waiting[fits]] = label[fits]
            at[waiting] += 1
            waiting = waiting[~fits]
            waiting = waiting[at[waiting] < stop[waiting]]
        return first
