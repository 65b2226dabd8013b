"""Which label each prediction has, at some age and now; pure functions over columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Joined", "Pairs"]

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
        partition, offset, self._said_ms, digest = times
        self._known_ms = np.asarray(labels["known_ms"], dtype=np.int64)
        self._signals = np.array(labels["signal"], dtype=object)
        # By the labels' own times, then by their places in the log.
        order = np.lexsort((offset, partition, _ranks(labels["topic"]), self._said_ms, digest))
        digests = np.asarray(predicted["id_digest"], dtype=np.int64)
        first, stop = (np.searchsorted(digest[order], digests, side=side) for side in ("left", "right"))
        counts = np.where(digests == 0, 0, stop - first)
        self._prediction = np.repeat(np.arange(len(digests)), counts)
        within = np.arange(len(self._prediction)) - np.repeat(np.cumsum(counts) - counts, counts)
        self._label = order[np.repeat(first, counts) + within]

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
        is_known = np.asarray(self._predicted["known_ms"], dtype=np.int64) < until_ms
        in_time = self._known_ms[self._label] < until_ms[self._prediction]
        newest = self._newest(in_time, signal)
        numbers = {other: self._number(self._newest(in_time, other)) for other in others}
        return Joined(is_known, np.where(is_known, newest, NONE), numbers, self._delay_ms(in_time, signal))

    def _newest(self, in_time: NDArray[np.bool_], signal: str) -> Integers:
        """The last label of each prediction; none where that takes back what was said."""
        newest = np.full(len(self._predicted["id_digest"]), NONE, dtype=np.int64)
        chosen = in_time & (self._signals[self._label] == signal)
        # Pairs stand in the order of labels, and of several assignments the last one stays.
        newest[self._prediction[chosen]] = self._label[chosen]
        retracted = np.append(np.asarray(self._labels["retracted"], dtype=np.int64), 0)
        return np.where(retracted[newest] > 0, NONE, newest)

    def _number(self, rows: Integers) -> Floats:
        values: Floats = np.append(np.asarray(self._labels["value"], dtype=np.float64), np.nan)[rows]
        return values

    def _delay_ms(self, in_time: NDArray[np.bool_], signal: str) -> Integers:
        chosen = in_time & (self._signals[self._label] == signal)
        predicted_ms = np.asarray(self._predicted["event_ms"], dtype=np.int64)
        first_ms = np.full(len(predicted_ms), np.iinfo(np.int64).max)
        np.minimum.at(first_ms, self._prediction[chosen], self._said_ms[self._label[chosen]])
        return np.maximum(first_ms - predicted_ms, 0)


def _ranks(names: Sequence[str]) -> Integers:
    return np.unique(np.array(names, dtype=object).astype(str), return_inverse=True)[1].astype(np.int64)
