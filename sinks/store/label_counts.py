"""How many labels a span of time has, and how many of them correct, take back, or are of no prediction that is stored.

Labels are counted by the times that they state. Statements read without FINAL: a row that was written twice is the
same label twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sinks.store.connection import Connection
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of
from sinks.store.spans import HOUR_MS, Span

__all__ = ["LabelCounts", "label_counts"]

MOST_LABELS = 1_000_000
"""So many labels of a span are looked at together; of more its halves are, one after the other."""

_OF_SIGNAL = "model = {model:String} AND signal = {signal:String}"
_OF_SPAN = f"{_OF_SIGNAL} AND event_ms >= {{from_ms:Int64}} AND event_ms < {{to_ms:Int64}}"
_DIGESTS = f"SELECT id_digest FROM labels WHERE {_OF_SPAN}"

_LABELS = f"SELECT count() AS labels FROM labels WHERE {_OF_SPAN} SETTINGS final = 0"

_ORDER = "PARTITION BY id_digest ORDER BY event_ms, topic, `partition`, `offset`"
_COUNTS = f"""
SELECT
    count() AS labels,
    countIf(retracted > 0) AS taken_back,
    countIf(retracted = 0 AND number > 1 AND said != former) AS corrected,
    countIf(id_digest NOT IN (
        SELECT id_digest FROM predicted WHERE model = {{model:String}} AND id_digest IN ({_DIGESTS}))) AS unmatched
FROM
(
    SELECT
        id_digest, event_ms, retracted, (retracted, reinterpretAsUInt64(value), label) AS said,
        row_number() OVER in_order AS number,
        any(said) OVER just_before AS former
    FROM
    (
        SELECT DISTINCT id_digest, event_ms, topic, `partition`, `offset`, retracted, value, label FROM labels
        WHERE {_OF_SIGNAL} AND event_ms < {{to_ms:Int64}} AND id_digest IN ({_DIGESTS})
    )
    WINDOW in_order AS ({_ORDER}), just_before AS ({_ORDER} ROWS BETWEEN 1 PRECEDING AND 1 PRECEDING)
)
WHERE event_ms >= {{from_ms:Int64}}
SETTINGS final = 0
"""


@dataclass(frozen=True)
class LabelCounts:
    """What the labels of a span of time say.

    Attributes
    ----------
    labels : int
    corrected : int
        Those that say something else than the one before them of the same event.
    taken_back : int
        Those that take back what was said.
    unmatched : int
        Those of whose event no prediction is stored.
    """

    labels: int = 0
    corrected: int = 0
    taken_back: int = 0
    unmatched: int = 0

    def __add__(self, other: LabelCounts) -> LabelCounts:
        return LabelCounts(
            self.labels + other.labels,
            self.corrected + other.corrected,
            self.taken_back + other.taken_back,
            self.unmatched + other.unmatched,
        )


def label_counts(store: Store, model: str, signal: str, span: Span, most: int = MOST_LABELS) -> LabelCounts:
    """Count the labels of a span of their own times; the end does not belong to it.

    Parameters
    ----------
    store : Store
    model, signal : str
    span : tuple of int
    most : int
        How many labels are looked at together; of an hour they are, however many it has.

    Raises
    ------
    StoreError
    """
    if not isinstance(store, Connection):
        return _counted(store, model, signal, span)
    from_ms, to_ms = span
    values = {"model": model, "signal": signal, "from_ms": from_ms, "to_ms": to_ms}
    if to_ms - from_ms > HOUR_MS and int(store.query(_LABELS, values)["labels"][0]) > most:
        middle_ms = (from_ms + to_ms) // 2
        halves = (from_ms, middle_ms), (middle_ms, to_ms)
        first, second = (label_counts(store, model, signal, half, most) for half in halves)
        return first + second
    counts = store.query(_COUNTS, values)
    return LabelCounts(**{name: int(column[0]) for name, column in counts.items()})


def _counted(store: Store, model: str, signal: str, span: Span) -> LabelCounts:
    columns = ("id_digest", "event_ms", "topic", "partition", "offset", "retracted", "value", "label")
    query = Query("labels", {"model": model, "signal": signal}, {}, {"event_ms": span[1]}, columns=columns)
    digests = store.read(Query("predicted", {"model": model}, columns=("id_digest",)))["id_digest"]
    predicted = set(np.asarray(digests).tolist())
    counts, former = LabelCounts(), dict[int, tuple[Any, ...]]()
    for row in sorted(rows_of(store.read(query)), key=_order):
        answer = row["retracted"], repr(row["value"]), row["label"]
        earlier = former.get(row["id_digest"], answer)
        former[row["id_digest"]] = answer
        if row["event_ms"] >= span[0]:
            is_retraction = row["retracted"] > 0
            corrects = not is_retraction and answer != earlier
            counts += LabelCounts(1, int(corrects), int(is_retraction), int(row["id_digest"] not in predicted))
    return counts


def _order(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in ("event_ms", "topic", "partition", "offset"))
