"""Which label each prediction has, at some age and now; pure functions over columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sinks.store.label_join import EARLIEST_MS
from sinks.store.spans import HOUR_MS

__all__ = ["PAIRS", "Joined", "Pairs"]

PAIRS = 5_000_000
"""So many pairs of a prediction and a label are held at once."""

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]
Columns = Mapping[str, Any]

NONE = -1


@dataclass(frozen=True)
class Joined:
    """What is known of n predictions by some time.

    Attributes
    ----------
    is_known : bool array [n]
        Whether the prediction itself was.
    label : int64 array [n]
        Which row of the labels says what it was; -1 where none does.
    numbers : mapping of str to float64 array [n]
        By signal, the numbers that labels say; NaN where none does.
    delay_ms : int64 array [n]
        How long after the prediction the first label was said; of those without a label it means nothing.
    """

    is_known: NDArray[np.bool_]
    label: Integers
    numbers: Mapping[str, Floats]
    delay_ms: Integers


class Pairs:
    """Every prediction with every label of its event.

    Predictions of one hour that share an id share their label, and no more than :data:`PAIRS` pairs are
    held at once, or those of one of them: an id that stands in for many events does not fill memory.

    Parameters
    ----------
    predicted : mapping
        Columns ``event_ms``, ``known_ms`` and ``id_digest`` of n predictions.
    labels : mapping
        Columns of the table ``labels``, in any order; a row may be there twice.

    Examples
    --------
    >>> predicted = {"event_ms": np.array([0, 9]), "known_ms": np.array([0, 9]), "id_digest": np.array([7, 8])}
    >>> labels = {"id_digest": [7, 7], "signal": ["label:y", "label:y"], "event_ms": [20, 30], "topic": ["t", "t"],
    ...     "partition": [0, 0], "offset": [1, 0], "known_ms": [20, 30], "value": [1.0, 2.0], "retracted": [0, 0]}
    >>> pairs = Pairs(predicted, labels)
    >>> pairs.by(np.array([25, 25]), "label:y").label.tolist(), pairs.by(np.array([99, 99]), "label:y").label.tolist()
    ([0, -1], [1, -1])
    """

    def __init__(self, predicted: Columns, labels: Columns) -> None:
        self._predicted, self._labels = predicted, labels
        times = (np.asarray(labels[name], dtype=np.int64) for name in ("partition", "offset", "event_ms", "id_digest"))
        partition, offset, said_ms, digest = times
        # By the labels' own times, then by their places in the log.
        self._order = np.lexsort((offset, partition, _ranks(labels["topic"]), said_ms, digest))
        self._digest, self._said_ms = digest[self._order], said_ms[self._order]
        self._known_ms = np.asarray(labels["known_ms"], dtype=np.int64)[self._order]
        self._signals = np.array(labels["signal"], dtype=object)[self._order]

    def by(self, until_ms: Integers, signal: str, others: Sequence[str] = ()) -> Joined:
        """Return what was known before ``until_ms``, a time for each prediction.

        Parameters
        ----------
        until_ms : int64 array [n]
        signal : str
            The label that predictions are compared with.
        others : sequence of str
            Labels that say a number beside it.
        """
        predicted_ms, known_ms = (
            np.asarray(self._predicted[name], dtype=np.int64) for name in ("event_ms", "known_ms")
        )
        distinct, of_prediction = self._distinct(until_ms)
        rows = {each: np.full(len(distinct), NONE, dtype=np.int64) for each in (signal, *others)}
        first_ms = np.full(len(distinct), np.iinfo(np.int64).max)
        for question, label in self._pairs(distinct, until_ms):
            for name, newest in rows.items():
                chosen = self._signals[label] == name
                # Pairs stand in the order of labels, and of several assignments the last one stays.
                newest[question[chosen]] = self._order[label[chosen]]
            chosen = self._signals[label] == signal
            np.minimum.at(first_ms, question[chosen], self._said_ms[label[chosen]])
        is_known, newest = known_ms < until_ms, self._not_retracted(rows[signal])[of_prediction]
        numbers = {other: self._number(self._not_retracted(rows[other]))[of_prediction] for other in others}
        delay_ms = np.maximum(first_ms[of_prediction] - predicted_ms, 0)
        return Joined(is_known, np.where(is_known, newest, NONE), numbers, delay_ms)

    def _distinct(self, until_ms: Integers) -> tuple[Integers, Integers]:
        """One prediction of each id, hour and time, and the place among them of each prediction's."""
        digests = np.asarray(self._predicted["id_digest"], dtype=np.int64)
        keys = digests, self._hours_ms, np.asarray(until_ms, dtype=np.int64)
        order = np.lexsort(keys[::-1])
        is_first = np.ones(len(order), dtype=np.bool_)
        is_first[1:] = np.logical_or.reduce([np.diff(key[order]) != 0 for key in keys])
        of_prediction = np.empty(len(order), dtype=np.int64)
        of_prediction[order] = np.cumsum(is_first) - 1
        return order[is_first], of_prediction

    def _pairs(self, distinct: Integers, until_ms: Integers) -> Iterator[tuple[Integers, Integers]]:
        """Yield pairs of one of ``distinct`` and a label that was known in time, those of one of them together."""
        digests = np.asarray(self._predicted["id_digest"], dtype=np.int64)[distinct]
        until_ms, earliest_ms = until_ms[distinct], self._hours_ms[distinct] - EARLIEST_MS
        first, stop = (np.searchsorted(self._digest, digests, side=side) for side in ("left", "right"))
        counts = np.where(digests == 0, 0, stop - first)
        first_pair, start = np.cumsum(counts) - counts, 0
        while start < len(distinct):
            end = int(np.searchsorted(first_pair + counts, first_pair[start] + PAIRS, side="right"))
            end = max(end, start + 1)
            question = np.repeat(np.arange(start, end), counts[start:end])
            number = np.arange(len(question)) + first_pair[start]
            label = first[question] + number - first_pair[question]
            in_time = (self._known_ms[label] < until_ms[question]) & (self._said_ms[label] >= earliest_ms[question])
            yield question[in_time], label[in_time]
            start = end

    @property
    def _hours_ms(self) -> Integers:
        hours: Integers = np.asarray(self._predicted["event_ms"], dtype=np.int64) // HOUR_MS * HOUR_MS
        return hours

    def _not_retracted(self, rows: Integers) -> Integers:
        """The labels that do not take back what was said."""
        retracted = np.append(np.asarray(self._labels["retracted"], dtype=np.int64), 0)
        return np.where(retracted[rows] > 0, NONE, rows)

    def _number(self, rows: Integers) -> Floats:
        values: Floats = np.append(np.asarray(self._labels["value"], dtype=np.float64), np.nan)[rows]
        return values


def _ranks(names: Sequence[str]) -> Integers:
    return np.unique(np.array(names, dtype=object).astype(str), return_inverse=True)[1].astype(np.int64)
