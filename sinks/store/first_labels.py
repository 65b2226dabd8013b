"""Predictions and labels that became known in a span of time, and the labels that their events had before.

Spans are of ``known_ms``, up to which everything of a partition is stored. Statements read without FINAL: a row may be
there twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sinks.store.connection import Connection
from sinks.store.contract import TABLES, Columns, Query, Store
from sinks.store.label_join import EARLIEST_MS
from sinks.store.spans import HOUR_MS, Span

__all__ = ["KnownSpan", "first_known_ms", "known_by_hour", "labels_until", "predictions_until"]

_PREDICTED = (
    "event_ms", "topic", "partition", "offset", "known_ms", "id_digest", "version", "segments", "value", "label",
)  # fmt: skip
_LABELS = ("event_ms", "topic", "partition", "offset", "known_ms", "id_digest", "value", "label")
_KINDS = {
    table: {name: TABLES[table].column(name).kind for name in names}
    for table, names in (("predicted", _PREDICTED), ("labels", _LABELS))
}

_OF_MODEL = "model = {model:String} AND id_digest != 0 AND event_ms < {to_ms:Int64}"
_SAYS = f"{_OF_MODEL} AND signal = {{signal:String}} AND retracted = 0"
_IN_SPAN = "known_ms >= {from_ms:Int64} AND known_ms < {to_ms:Int64}"
_LABELLED = f"SELECT id_digest FROM labels WHERE {_SAYS} AND {_IN_SPAN}"
_CAME = f"SELECT id_digest FROM predicted WHERE {_OF_MODEL} AND {_IN_SPAN}"

_NEVER_MS = -(1 << 62)
_DOUBT = (
    "arrayMax((name, doubt_from_ms, doubt_to_ms) -> if(name = concat(topic, '/', toString(partition)) "
    "AND known_ms >= doubt_from_ms AND known_ms < doubt_to_ms, doubt_to_ms, {never_ms:Int64}), "
    "{names:Array(String)}, {doubt_from_ms:Array(Int64)}, {doubt_to_ms:Array(Int64)})"
)
"""Up to when it is in doubt whether a row counts; long ago where it is not."""

_CERTAIN = f"{_DOUBT} = {{never_ms:Int64}}"
_HOUR = f"known_ms - positiveModulo(known_ms, {HOUR_MS})"
_EARLIEST = f"event_ms - positiveModulo(event_ms, {HOUR_MS}) - {EARLIEST_MS}"
_PREDICTION, _LABEL = (", ".join(f"`{name}`" for name in names) for names in (_PREDICTED, _LABELS))
_BEFORE = f"{_SAYS} AND known_ms < {{from_ms:Int64}}"


def _predictions_until(doubt: str, certain: str) -> str:
    return f"""
SELECT {_PREDICTION} FROM (
    SELECT {_PREDICTION}, {_EARLIEST} AS earliest_ms, {doubt} AS doubt_ms FROM predicted
    WHERE {_OF_MODEL} AND event_ms >= {{oldest_ms:Int64}} AND known_ms < {{to_ms:Int64}}
        AND (known_ms >= {{from_ms:Int64}} OR id_digest IN ({_LABELLED}))
) AS waiting LEFT ANY JOIN (
    SELECT id_digest, count() AS said, argMax((event_ms, {_HOUR}), (event_ms, known_ms)) AS last FROM labels
    WHERE {_BEFORE} AND id_digest IN ({_LABELLED}) AND {certain} GROUP BY id_digest
) AS earlier USING (id_digest)
WHERE known_ms >= {{from_ms:Int64}} OR said = 0 OR last.1 < earliest_ms OR last.2 < doubt_ms
SETTINGS final = 0, join_use_nulls = 0
"""


def _labels_until(certain: str, others: str) -> str:
    return f"""
SELECT {_LABEL} FROM (
SELECT {_LABEL} FROM labels WHERE {_SAYS} AND {_IN_SPAN}
UNION ALL
SELECT {", ".join(f"first.{number} AS `{name}`" for number, name in enumerate(_LABELS, 1))} FROM (
    SELECT argMin(({_LABEL}), ({_HOUR}, topic, partition, offset)) AS first
    FROM (SELECT {_LABEL} FROM labels WHERE {_BEFORE} AND id_digest IN ({_CAME}) AND {certain}) AS earlier
    INNER JOIN (
        SELECT DISTINCT id_digest, {_EARLIEST} AS earliest_ms FROM predicted WHERE {_OF_MODEL} AND {_IN_SPAN}
    ) AS came USING (id_digest)
    WHERE event_ms >= earliest_ms GROUP BY id_digest, earliest_ms)
{others})
SETTINGS final = 0
"""


_OTHERS = f"""
UNION ALL
SELECT {_LABEL} FROM labels WHERE {_BEFORE} AND (id_digest IN {{doubtful:Array(Int64)}}
    OR (NOT {_CERTAIN} AND (id_digest IN ({_LABELLED}) OR id_digest IN ({_CAME}))))
"""
_PREDICTIONS_UNTIL = {
    False: _predictions_until(f"{_NEVER_MS}", "1"),
    True: _predictions_until(_DOUBT, _CERTAIN),
}
_LABELS_UNTIL = {False: _labels_until("1", ""), True: _labels_until(_CERTAIN, _OTHERS)}
"""By whether something is in doubt."""

_BY_HOUR = f"""
SELECT hour_ms, count() AS rows FROM (
    SELECT {_HOUR} AS hour_ms FROM labels WHERE {_SAYS} AND {_IN_SPAN}
    UNION ALL SELECT {_HOUR} AS hour_ms FROM predicted WHERE {_OF_MODEL} AND {_IN_SPAN})
GROUP BY hour_ms ORDER BY hour_ms SETTINGS final = 0
"""

_FIRST = f"SELECT min(known_ms) AS first_ms, count() AS rows FROM labels WHERE {_SAYS} SETTINGS final = 0"

Partition = tuple[str, int]
Integers = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class KnownSpan:
    """What became known in a span of time of a model's predictions, and of one of its labels.

    Attributes
    ----------
    model, signal : str
    span : tuple of int
        From and to, of what was known; the end does not belong to it.
    doubts : sequence of (Partition, Span)
        Of what was known when in some partitions it is not certain whether it counts.
    """

    model: str
    signal: str
    span: Span
    doubts: Sequence[tuple[Partition, Span]] = ()

    @property
    def bound(self) -> dict[str, object]:
        """As parameters of statements."""
        return {"model": self.model, "signal": self.signal, "from_ms": self.span[0], "to_ms": self.span[1]}

    @property
    def bound_doubts(self) -> dict[str, object]:
        """The doubts as parameters of statements; none without any."""
        if not self.doubts:
            return {}
        partitions, spans = zip(*self.doubts, strict=True)
        return {
            "names": [f"{topic}/{number}" for topic, number in partitions],
            "doubt_from_ms": [from_ms for from_ms, _ in spans],
            "doubt_to_ms": [to_ms for _, to_ms in spans],
            "never_ms": _NEVER_MS,
        }

    def doubtful(self, rows: Columns) -> Bools:
        """Return which rows are in doubt."""
        is_doubtful = np.zeros(len(rows["known_ms"]), dtype=np.bool_)
        topics = np.array(rows["topic"], dtype=object) if self.doubts else is_doubtful
        for (topic, number), (from_ms, to_ms) in self.doubts:
            is_known_then = (rows["known_ms"] >= from_ms) & (rows["known_ms"] < to_ms)
            is_doubtful |= is_known_then & (topics == topic) & (rows["partition"] == number)
        return is_doubtful


def first_known_ms(store: Store, part: KnownSpan) -> int | None:
    """Return when the first label was known, of those that state a time before the end of the span; None without one.

    Raises
    ------
    StoreError
    """
    if isinstance(store, Connection):
        first = store.query(_FIRST, {name: value for name, value in part.bound.items() if name != "from_ms"})
        return int(first["first_ms"][0]) if int(first["rows"][0]) else None
    labels = _said(store, part)
    return int(labels["known_ms"].min()) if len(labels["known_ms"]) else None


def known_by_hour(store: Store, part: KnownSpan) -> dict[int, int]:
    """Return how many rows became known in each hour, about: one that was written twice may count twice.

    Raises
    ------
    StoreError
    """
    if isinstance(store, Connection):
        counts = store.query(_BY_HOUR, part.bound)
        return dict(zip(map(int, counts["hour_ms"]), map(int, counts["rows"]), strict=True))
    known_ms = np.concatenate([columns["known_ms"] for columns in (_said(store, part), _predicted(store, part))])
    known_ms = known_ms[(known_ms >= part.span[0]) & (known_ms < part.span[1])]
    hours, counts_of = np.unique(known_ms // HOUR_MS * HOUR_MS, return_counts=True)
    return dict(zip(hours.tolist(), counts_of.tolist(), strict=True))


def predictions_until(store: Store, part: KnownSpan, oldest_ms: int) -> Columns:
    """Return predictions, from a time on, that have a label, of events of which something became known in the span.

    An id may stand in for many events: those that certainly had a label before the span may be left out.

    Raises
    ------
    StoreError
    """
    if isinstance(store, Connection):
        bound = part.bound | part.bound_doubts | {"oldest_ms": oldest_ms}
        return store.fetch(_PREDICTIONS_UNTIL[bool(part.doubts)], bound, _KINDS["predicted"])
    predicted, labels = _predicted(store, part), _said(store, part)
    came = predicted["id_digest"][predicted["known_ms"] >= part.span[0]]
    is_of_span = (labels["known_ms"] >= part.span[0]) | np.isin(labels["id_digest"], came)
    is_labelled = np.isin(predicted["id_digest"], labels["id_digest"][is_of_span])
    return _taken(predicted, np.flatnonzero(is_labelled & (predicted["event_ms"] >= oldest_ms)))


def labels_until(store: Store, part: KnownSpan, waiting: Columns) -> Columns:
    """Return labels, up to the end of the span, of events of which something became known in it.

    Parameters
    ----------
    store : Store
    part : KnownSpan
    waiting : mapping
        What :func:`predictions_until` returns. Labels that are certainly the first one of none of them may be left out.

    Raises
    ------
    StoreError
    """
    if isinstance(store, Connection):
        doubtful = np.unique(np.asarray(waiting["id_digest"], dtype=np.int64)[part.doubtful(waiting)])
        others = part.bound_doubts | {"doubtful": doubtful.tolist()} if part.doubts else {}
        return store.fetch(_LABELS_UNTIL[bool(part.doubts)], part.bound | others, _KINDS["labels"])
    predicted, labels = _predicted(store, part), _said(store, part)
    new = [columns["id_digest"][columns["known_ms"] >= part.span[0]] for columns in (predicted, labels)]
    return _taken(labels, np.flatnonzero(np.isin(labels["id_digest"], np.concatenate(new))))


def _said(store: Store, part: KnownSpan) -> dict[str, Any]:
    where = {"model": part.model, "signal": part.signal, "retracted": 0}
    return _known(store, "labels", where, part)


def _predicted(store: Store, part: KnownSpan) -> dict[str, Any]:
    return _known(store, "predicted", {"model": part.model}, part)


def _known(store: Store, table: str, where: Mapping[str, Any], part: KnownSpan) -> dict[str, Any]:
    until = {"event_ms": part.span[1], "known_ms": part.span[1]}
    rows = store.read(Query(table, where, {}, until, columns=tuple(_KINDS[table])))
    return _taken(rows, np.flatnonzero(rows["id_digest"] != 0))


def _taken(columns: Columns, index: Integers) -> dict[str, Any]:
    return {
        name: column[index] if isinstance(column, np.ndarray) else [column[row] for row in index.tolist()]
        for name, column in columns.items()
    }
