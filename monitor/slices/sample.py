"""Labelled events of which fields are stored: a sample of them that depends on their ids alone.

Which ids are read follows from their digests, the smallest first. So the same question reads the same events whatever
came first, until other events or labels come; those of a shorter answer are part of those of a longer one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from detectors.performance import Binary, Multiclass, Ranking
from detectors.performance.schemes import LARGEST
from monitor.config.performance import PerformancePlan
from monitor.errors import InputError
from monitor.ingest.duplicates import digests
from monitor.ingest.kept_events import NO_ID
from monitor.packed import Texts
from monitor.panes.distributions import Part
from monitor.performance.join import NONE, Pairs
from monitor.watch import Watch
from sinks.store.batch import joined
from sinks.store.classes import label_classes, predicted_classes
from sinks.store.contract import Query, Store
from sinks.store.label_join import EARLIEST_MS
from sinks.store.spans import HOUR_MS

__all__ = ["AROUND_MS", "MOST_EVENTS", "Counts", "Sample", "TooManyEventsError", "read_any_sample", "read_sample"]

MOST_EVENTS = 20_000
"""So many labelled events an answer is made of at most."""

MOST_IDS = 100_000
"""Of so many ids predictions and labels are looked for at most."""

MOST_STORED = 1_000_000
"""Of so many stored events the ids are read at most."""

AROUND_MS = HOUR_MS
"""Fields may come on a topic of their own: so much before or after the prediction of the event."""

MOST_ROWS = 1_000_000
"""So many predictions or labels of some ids are read at most: an id may stand in for many events."""

IDS_AT_ONCE = 10_000
PAGE_ROWS = 100_000
"""So many ids are read at once."""

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]
Columns = dict[str, Any]

_KEY = ("event_ms", "topic", "partition", "offset")
_PREDICTED = (*_KEY, "known_ms", "id_digest", "version", "segments", "value", "label")
_LABELS = ("id_digest", "signal", *_KEY, "known_ms", "id", "value", "label", "retracted")


class TooManyEventsError(InputError):
    """More events are stored than are read for one answer."""


@dataclass(frozen=True)
class Counts:
    """Of how many events a sample is.

    Attributes
    ----------
    stored : int
        Ids of which fields are stored, in the span and an hour around it; of :func:`read_any_sample` those that it
        has chosen from.
    looked_at : int
        Of how many of these predictions and labels were looked for, those with the smallest digests.
    unusable : int
        Labelled events that cannot be compared, such as without a prediction.
    """

    stored: int
    looked_at: int
    unusable: int


@dataclass(frozen=True)
class Sample:
    """Some labelled events, in the order of their ids' digests.

    Attributes
    ----------
    columns : dict
        ``event_ms``, ``topic``, ``partition``, ``offset``, ``version`` of n predictions, ``id``; what was predicted,
        as ``predicted_value`` and ``predicted_label``; and what was true, as ``value`` and ``label``, known at
        ``labelled_ms``.
    counts : Counts
    is_all : bool
        Whether no labelled event with stored fields was left out.
    """

    columns: Columns
    counts: Counts
    is_all: bool

    def __len__(self) -> int:
        return len(self.columns["event_ms"])


def read_sample(store: Store, watch: Watch, part: Part, most: int = MOST_EVENTS) -> Sample:
    """Read the labelled events of a part of a model's traffic, or a sample of them.

    Parameters
    ----------
    store : Store
    watch : Watch
        Of a model with ``spec.performance``.
    part : Part
        Of the time, version and segment of predictions.
    most : int

    Raises
    ------
    TooManyEventsError
        More than :data:`MOST_STORED` events are stored of the span, or some ids stand in for more than
        :data:`MOST_ROWS`.
    StoreError
    """
    return _looked_up(store, watch, part, _stored_digests(store, watch.name, part), (most, MOST_IDS))


def read_any_sample(
    store: Store, watch: Watch, part: Part, table: Literal["events", "predicted"], bounds: tuple[int, int]
) -> Sample:
    """Read what :func:`read_sample` does, of however many events are stored.

    Parameters
    ----------
    store : Store
    watch : Watch
        Of a model with ``spec.performance``.
    part : Part
    table : str
        Whose ids are looked for: those of ``events`` have fields, those of ``predicted`` a prediction.
    bounds : pair of int
        How many labelled events are returned, and of how many ids labels are looked for, at most: those with the
        smallest digests.

    Raises
    ------
    TooManyEventsError
        Some ids stand in for more than :data:`MOST_ROWS`.
    StoreError
    """
    smallest = np.empty(0, dtype=np.uint64)
    for page in _digest_pages(store, watch.name, part, table):
        # One more than is looked at says that there are more.
        smallest = np.union1d(smallest, page)[: bounds[1] + 1]
    return _looked_up(store, watch, part, smallest, bounds)


def _looked_up(store: Store, watch: Watch, part: Part, stored: NDArray[np.uint64], bounds: tuple[int, int]) -> Sample:
    """The labelled events with some digests, the smallest of which come first."""
    most, most_ids = bounds
    plan, parts, events, unusable, looked_at = watch.judged_plan, list[Columns](), 0, 0, 0
    while not parts or (looked_at < min(len(stored), most_ids) and events < most):
        chosen = stored[looked_at : min(looked_at + IDS_AT_ONCE, most_ids)]
        labelled = _labelled(store, watch, part, chosen)
        usable = _usable(plan, labelled)
        parts.append(_taken(labelled, np.flatnonzero(usable)))
        events, unusable = events + int(usable.sum()), unusable + int((~usable).sum())
        looked_at += len(chosen)
    columns = _taken(joined(parts), np.arange(min(events, most)))
    counts = Counts(len(stored), looked_at, unusable)
    return Sample(columns, counts, looked_at == len(stored) and events <= most)


def _stored_digests(store: Store, model: str, part: Part) -> NDArray[np.uint64]:
    """The digests of the ids of stored events, ascending."""
    hashes, rows = [np.empty(0, dtype=np.uint64)], 0
    for page in _digest_pages(store, model, part, "events"):
        rows += len(page)
        if rows > MOST_STORED:
            detail = f"more than {MOST_STORED:,} events of {model} are stored of this time: ask for a shorter span"
            raise TooManyEventsError(detail)
        hashes.append(np.unique(page))
    return np.unique(np.concatenate(hashes))


def _digest_pages(store: Store, model: str, part: Part, table: str) -> Iterator[NDArray[np.uint64]]:
    """Yield the digests of stored ids, a page at a time."""
    around_ms, column = (AROUND_MS, "id") if table == "events" else (0, "id_digest")
    query = Query(table, {"model": model}, high={"event_ms": part.to_ms + around_ms}, limit=PAGE_ROWS)
    query = replace(query, columns=(*query.sort_columns(), column))
    low_ms, after = part.from_ms - around_ms, tuple[Any, ...]()
    while True:
        page = store.read(replace(query, low={"event_ms": low_ms}, after=after))
        if table == "events":
            yield digests(Texts.of([text for text in page["id"] if text]))
        else:
            hashes = np.asarray(page["id_digest"], dtype=np.int64)
            # Predictions without an id have no label.
            yield hashes[hashes != NO_ID].view(np.uint64)
        if len(page["event_ms"]) < PAGE_ROWS:
            return
        low_ms, after = int(page["event_ms"][-1]), query.cursor(page)


def _labelled(store: Store, watch: Watch, part: Part, chosen: NDArray[np.uint64]) -> Columns:
    """Predictions of some ids that have a label by now, in the order of digests."""
    version = {} if part.version is None else {"version": part.version}
    where = {"model": watch.name, "id_digest": chosen.view(np.int64).tolist(), **version}
    span = {"event_ms": part.from_ms}, {"event_ms": part.to_ms}
    predicted = _read(store, Query("predicted", where, *span, columns=_PREDICTED))
    if part.segment:
        inside = [row for row, segments in enumerate(predicted["segments"]) if part.segment in segments]
        predicted = _taken(predicted, np.array(inside, dtype=np.int64))
    signal = watch.judged_plan.label
    ids = np.unique(predicted["id_digest"]).tolist()
    where = {"model": watch.name, "signal": signal, "id_digest": ids}
    labels = _read(store, Query("labels", where, {"event_ms": part.from_ms - EARLIEST_MS}, columns=_LABELS))
    latest = np.full(len(predicted["event_ms"]), np.iinfo(np.int64).max)
    row_of_label = Pairs(predicted, labels).by(latest, signal).label
    rows = np.flatnonzero(row_of_label != NONE)
    digest = np.asarray(predicted["id_digest"], dtype=np.int64).view(np.uint64)[rows]
    rows = rows[np.argsort(digest, kind="stable")]
    truth = _taken(labels, row_of_label[rows])
    return {
        **_taken({name: predicted[name] for name in (*_KEY, "version")}, rows),
        "id": truth["id"],
        "predicted_value": predicted["value"][rows],
        "predicted_label": [predicted["label"][row] for row in rows.tolist()],
        "value": truth["value"],
        "label": truth["label"],
        "labelled_ms": truth["known_ms"],
    }


def _read(store: Store, query: Query) -> Columns:
    """Read the rows of some ids, unless these stand in for too many events."""
    rows = store.read(replace(query, limit=MOST_ROWS + 1))
    if len(rows["event_ms"]) > MOST_ROWS:
        detail = (
            f"{query.table} of {query.where['model']} share their ids by the hundred thousand: ask for a shorter span"
        )
        raise TooManyEventsError(detail)
    return rows


def _usable(plan: PerformancePlan, labelled: Columns) -> NDArray[np.bool_]:
    """Which events can be compared: those that metrics count, whatever their weight."""
    predicted = np.asarray(labelled["predicted_value"], dtype=np.float64)
    rows = np.arange(len(predicted))
    true_classes = label_classes(labelled["label"], labelled["value"], rows)
    has_label = np.array([name is not None for name in true_classes], dtype=np.bool_)
    if isinstance(plan.scheme, Binary):
        return has_label & (predicted >= 0) & (predicted <= 1)
    if isinstance(plan.scheme, Multiclass):
        classes = predicted_classes(labelled["predicted_label"], predicted, rows)
        return has_label & np.array([name is not None for name in classes], dtype=np.bool_)
    if isinstance(plan.scheme, Ranking):
        return ~np.isnan(plan.scheme.losses(labelled["predicted_label"], labelled["label"]))
    usable: NDArray[np.bool_] = (np.abs(predicted) <= LARGEST) & (np.abs(np.asarray(labelled["value"])) <= LARGEST)
    return usable


def _taken(columns: Columns, rows: Integers) -> Columns:
    return {
        name: values[rows] if isinstance(values, np.ndarray) else [values[row] for row in rows.tolist()]
        for name, values in columns.items()
    }
