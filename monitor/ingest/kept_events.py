"""Which single events are stored, and as which rows.

Nothing is kept unless the model's ``keep`` says so. What is kept of an event follows from its place in the log and the
configuration alone, so that every replay keeps the same: a share is taken by a hash, of the event's identity where it
has one, so that what several sources say of one event is kept together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import msgspec
import numpy as np
import xxhash
from numpy.typing import NDArray

from detectors.sketch import Coded
from monitor.config.model import SourceSpec
from monitor.events import Events, Partition
from monitor.ingest.duplicates import digests
from monitor.packed import Texts
from monitor.watch import Watch
from sinks.store.batch import joined
from sinks.store.classes import EMPTY_CLASS

__all__ = ["NO_ID", "Keeper", "drawn", "texts_of"]

NO_ID = 0
"""In place of the digest of an id, where an event has none: no label is for it."""

Columns = dict[str, Any]
Integers = NDArray[np.int64]


class Keeper:
    """Makes the rows that are kept of one model's events on one partition.

    Parameters
    ----------
    watch : Watch
    source : SourceSpec
    partition : Partition
    """

    def __init__(self, watch: Watch, source: SourceSpec, partition: Partition) -> None:
        keep, self._hidden = watch.model.spec.keep, watch.privacy.hidden
        self._model, self._partition = watch.name, partition
        self._carried = watch.carried_by(source)
        self._event_share = keep.events
        carries_predictions = any(
            name.startswith("prediction:") for name in [*self._carried.numeric, *self._carried.category]
        )
        self._prediction_share = max(keep.events, keep.predictions) if carries_predictions and keep.predictions else 0.0
        plan = watch.model.spec.performance_plan
        is_joined = (
            plan is not None
            and plan.prediction
            in {*self._carried.numeric, *self._carried.category, *self._carried.rankings} - self._hidden
        )
        self._compared = plan.prediction if plan is not None and is_joined else ""
        self._naive = plan.naive_signal if plan is not None else None
        self._interval = (plan.interval if plan is not None else None) or (None, None)
        self._without = frozenset(keep.without) | self._hidden
        self._segmentations = [
            (segmentation.names, [self._carried.category.index(signal) for signal in segmentation.by])
            for segmentation in watch.segmentations
            if set(segmentation.by) <= set(self._carried.category)
        ]

    @property
    def keeps(self) -> bool:
        """Whether anything is kept at all."""
        return self._event_share > 0 or self._prediction_share > 0 or bool(self._compared)

    def rows(self, batch: Events, known_ms: Integers, counted_as: Sequence[str]) -> dict[str, Columns]:
        """Return what is kept of events that count, by table.

        Parameters
        ----------
        batch : Events
            Without duplicates, and without events that are not believed.
        known_ms : int64 array [n]
            When each was known: its own time, or the watermark if that was further.
        counted_as : sequence of str [n]
            The version that each counts as: the one that it states, or that of all others where there is no place.
        """
        drawn_of = {share: drawn(batch, share, *self._partition) for share in self._shares()}
        rows_of = {}
        if self._event_share:
            rows_of["events"] = self._events(batch, drawn_of[self._event_share])
        if self._prediction_share:
            rows_of["predictions"] = self._predictions(batch, drawn_of[self._prediction_share])
        if self._compared:
            rows_of["predicted"] = self._predicted(batch, known_ms, counted_as)
        return {table: rows for table, rows in rows_of.items() if len(rows["offset"])}

    def _shares(self) -> set[float]:
        return {self._event_share, self._prediction_share} - {0.0}

    def _shared(self, batch: Events, index: Integers) -> Columns:
        count = len(index)
        return {
            "model": [self._model] * count,
            "event_ms": batch.event_ms[index],
            "topic": [self._partition[0]] * count,
            "partition": np.full(count, self._partition[1], dtype=np.int64),
            "offset": batch.offsets[index],
            "id": texts_of(batch.ids, index),
            "subject": texts_of(batch.subjects, index),
            "version": texts_of(batch.versions, index),
        }

    def _events(self, batch: Events, index: Integers) -> Columns:
        return {**self._shared(batch, index), "record_ms": batch.record_ms[index], "fields": self._fields(batch, index)}

    def _fields(self, batch: Events, index: Integers) -> list[str]:
        """Each event's fields as a JSON object by signal; null for what is missing or could not be read."""
        columns: list[tuple[str, list[Any]]] = []
        for signal, numbers in zip(self._carried.numeric, batch.numeric, strict=True):
            picked = numbers[index]
            finite = np.isfinite(picked).tolist()
            columns.append((signal, [x if ok else None for x, ok in zip(picked.tolist(), finite, strict=True)]))
        for signal, values in zip(self._carried.category, batch.category, strict=True):
            columns.append((signal, [v if isinstance(v, str) else None for v in values.take(index)]))
        names = [signal for signal, _ in columns if signal not in self._without]
        shown = [values for signal, values in columns if signal not in self._without]
        if not shown:
            return ["{}"] * len(index)
        encode = _JSON.encode
        return [encode(dict(zip(names, values, strict=True))).decode() for values in zip(*shown, strict=True)]

    def _predictions(self, batch: Events, index: Integers) -> Columns:
        """One row for each part of each prediction that could be read."""
        shared = self._shared(batch, index)
        shared["segments"] = self._segments(batch, index)
        parts = []
        for signal, numbers in zip(self._carried.numeric, batch.numeric, strict=True):
            if self._is_shown_prediction(signal):
                values = numbers[index]
                carrying = np.flatnonzero(np.isfinite(values))
                parts.append(_part(shared, signal, carrying, values[carrying], [""] * len(carrying)))
        for signal, names in zip(self._carried.category, batch.category, strict=True):
            if self._is_shown_prediction(signal):
                picked = names.take(index).tolist()
                carrying = np.array([i for i, name in enumerate(picked) if isinstance(name, str)], dtype=np.int64)
                labels = [str(picked[i]) for i in carrying.tolist()]
                parts.append(_part(shared, signal, carrying, np.full(len(carrying), np.nan), labels))
        return joined(parts) if parts else {**shared, "offset": []}

    def _predicted(self, batch: Events, known_ms: Integers, counted_as: Sequence[str]) -> Columns:
        """One row for each event, with the part of its prediction that is compared with labels."""
        index = np.arange(len(batch), dtype=np.int64)
        shared = self._shared(batch, index)
        ids = shared.pop("id")
        is_named = np.array([text != "" for text in ids], dtype=np.bool_)
        hashes = digests(Texts.of(ids)).view(np.int64)
        numbers, names = self._values(batch, self._compared)
        naive_numbers, naive_names = self._values(batch, self._naive)
        low, high = (self._values(batch, end)[0] for end in self._interval)
        return {
            **shared,
            "version": list(counted_as),
            "known_ms": known_ms,
            "id_digest": np.where(is_named, hashes, NO_ID),
            "segments": self._segments(batch, index),
            "value": numbers,
            "label": names,
            "naive_value": naive_numbers,
            "naive_label": naive_names,
            "low": low,
            "high": high,
        }

    def _values(self, batch: Events, signal: str | None) -> tuple[NDArray[np.float64], list[str]]:
        """The numbers or names of a signal; NaN and empty texts where there are none.

        An empty text that is a class has :data:`sinks.store.classes.EMPTY_CLASS` beside it.
        """
        numbers, names = np.full(len(batch), np.nan), [""] * len(batch)
        if signal in self._carried.numeric:
            column = batch.numeric[self._carried.numeric.index(signal)]
            numbers = np.where(np.isfinite(column), column, np.nan)
        elif signal in self._carried.category:
            picked = batch.category[self._carried.category.index(signal)].tolist()
            names = [name if isinstance(name, str) else "" for name in picked]
            numbers[[name == "" for name in picked]] = EMPTY_CLASS
        elif signal in self._carried.rankings:
            names = texts_of(batch.rankings[self._carried.rankings.index(signal)], np.arange(len(batch)))
        return numbers, names

    def _is_shown_prediction(self, signal: str) -> bool:
        return signal.startswith("prediction:") and signal not in self._hidden

    def _segments(self, batch: Events, index: Integers) -> list[tuple[str, ...]]:
        """The segments that each event belongs to."""
        cuts = []
        for names, columns in self._segmentations:
            picked = [batch.category[column].take(index) for column in columns]
            # Of what is missing or no name there is no segment.
            cuts.append([names.get(cast("tuple[str, ...]", values)) for values in zip(*picked, strict=True)])
        if not cuts:
            return [()] * len(index)
        # Few combinations occur: each becomes a tuple once.
        combinations = list(zip(*cuts, strict=True))
        tuples = {segments: tuple(name for name in segments if name is not None) for segments in set(combinations)}
        return list(map(tuples.__getitem__, combinations))


_JSON = msgspec.json.Encoder()


def drawn(batch: Events, share: float, topic: str, partition: int) -> Integers:
    """Return which events belong to a share of all, by a hash: a smaller share is part of every larger one.

    Parameters
    ----------
    batch : Events
    share : float
        From 0 to 1.
    topic, partition : str, int
        Stand in for the identity of events without one, together with their offsets.

    Returns
    -------
    int64 array
        Their indices, ascending.

    Examples
    --------
    >>> offsets, nothing = np.arange(1000), np.zeros((0, 1000))
    >>> batch = Events(offsets, offsets, offsets, None, None, nothing, [])
    >>> some, more = drawn(batch, 0.05, "loans", 0), drawn(batch, 0.1, "loans", 0)
    >>> len(some), len(more), set(some.tolist()) <= set(more.tolist())
    (52, 117, True)
    """
    if share >= 1:
        return np.arange(len(batch), dtype=np.int64)
    digest = xxhash.xxh3_64_intdigest
    offsets = batch.offsets.tolist()
    hashes = np.fromiter(
        (
            digest(identity.encode("utf-8", "surrogatepass") if identity else f"{topic}/{partition}/{offset}".encode())
            for identity, offset in zip(batch.ids or [None] * len(offsets), offsets, strict=True)
        ),
        dtype=np.uint64,
        count=len(offsets),
    )
    return np.flatnonzero(hashes < np.uint64(int(share * 2**64)))


def texts_of(values: Texts | Coded[str] | Coded[str | None] | None, index: Integers) -> list[str]:
    """The texts at ``index``; empty where there is none."""
    return [""] * len(index) if values is None else [text or "" for text in values.take(index)]


def _part(shared: Columns, signal: str, carrying: Integers, value: NDArray[np.float64], label: list[str]) -> Columns:
    if len(carrying) == len(shared["offset"]):
        return {**shared, "signal": [signal] * len(carrying), "value": value, "label": label}
    rows = {
        name: values[carrying] if isinstance(values, np.ndarray) else [values[i] for i in carrying.tolist()]
        for name, values in shared.items()
    }
    return {**rows, "signal": [signal] * len(carrying), "value": value, "label": label}
