"""Predictions and labels that are of the same event: which labels some predictions have, and whom new labels touch.

The store finds them, by the digests of ids; nothing of them is held elsewhere. Statements read without FINAL: a row
that was written twice is the same label twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from sinks.store.connection import Connection
from sinks.store.contract import TABLES, Columns, Query, Store
from sinks.store.spans import HOUR_MS

__all__ = [
    "EARLIEST_MS",
    "Positions",
    "hours_of_labels",
    "hours_of_predictions",
    "labels_of",
    "predictions_of_hours",
]

EARLIEST_MS = 7 * 86_400_000
"""Labels that are so much older than the hour of their prediction are not looked for."""

_LABELS = ("id_digest", "signal", "event_ms", "topic", "partition", "offset", "known_ms", "value", "label", "retracted")
_KINDS = {name: TABLES["labels"].column(name).kind for name in _LABELS}
_HOUR = f"event_ms - positiveModulo(event_ms, {HOUR_MS})"

_LABELS_OF = f"""
SELECT {", ".join(f"`{name}`" for name in _LABELS)} FROM labels
PREWHERE model = {{model:String}} AND signal IN {{signals:Array(String)}} AND event_ms >= {{earliest_ms:Int64}}
    AND event_ms < {{until_ms:Int64}}
WHERE known_ms < {{until_ms:Int64}} AND id_digest IN (
    SELECT id_digest FROM predicted
    WHERE model = {{model:String}} AND event_ms >= {{from_ms:Int64}} AND event_ms < {{to_ms:Int64}}
        AND {_HOUR} IN {{hours_ms:Array(Int64)}} AND id_digest != 0)
SETTINGS final = 0
"""

_OF_LOG = (
    "model = {model:String} AND topic = {topic:String} AND `partition` = {partition:Int64} "
    "AND `offset` >= {first:Int64} AND `offset` < {stop:Int64}"
)

_HOURS_OF_LABELS = f"""
SELECT DISTINCT {_HOUR} AS hour_ms FROM predicted
WHERE model = {{model:String}} AND id_digest != 0
    AND id_digest IN (SELECT id_digest FROM labels WHERE signal IN {{signals:Array(String)}} AND {_OF_LOG})
ORDER BY hour_ms SETTINGS final = 0
"""

_HOURS_OF_PREDICTIONS = (
    f"SELECT DISTINCT {_HOUR} AS hour_ms FROM predicted WHERE {_OF_LOG} ORDER BY hour_ms SETTINGS final = 0"
)

_PREDICTIONS = f"""
SELECT {_HOUR} AS hour_ms, count() AS predictions FROM predicted
WHERE model = {{model:String}} AND event_ms >= {{from_ms:Int64}} AND event_ms < {{to_ms:Int64}}
    AND hour_ms IN {{hours_ms:Array(Int64)}}
GROUP BY hour_ms SETTINGS final = 0
"""

_LABELS_THERE = (
    f"SELECT count() AS labels FROM labels WHERE signal IN {{signals:Array(String)}} AND {_OF_LOG} SETTINGS final = 0"
)

MOST_LABELS = 1_000_000
"""So many digests of labels are looked for at a time; of one message there may be several."""

Positions = tuple[str, int, int, int]
"""Topic, partition, first offset, and the one after the last."""


def labels_of(store: Store, model: str, signals: Sequence[str], hours_ms: Sequence[int], until_ms: int) -> Columns:
    """Return the labels of predictions of some hours that were known before a time, in any order.

    Parameters
    ----------
    store : Store
    model : str
    signals : sequence of str
        Of the labels.
    hours_ms : sequence of int
        Hours of the predictions' times, one at least.
    until_ms : int

    Returns
    -------
    dict
        Columns of the table ``labels``.

    Raises
    ------
    StoreError
    """
    from_ms, to_ms = min(hours_ms), max(hours_ms) + HOUR_MS
    earliest_ms = from_ms - EARLIEST_MS
    if isinstance(store, Connection):
        values = {"model": model, "signals": list(signals), "earliest_ms": earliest_ms, "until_ms": until_ms}
        values |= {"from_ms": from_ms, "to_ms": to_ms, "hours_ms": list(hours_ms)}
        return store.fetch(_LABELS_OF, values, _KINDS)
    predicted = store.read(
        Query(
            "predicted", {"model": model}, {"event_ms": from_ms}, {"event_ms": to_ms}, columns=("event_ms", "id_digest")
        )
    )
    bounds = {"event_ms": earliest_ms}, {"event_ms": until_ms, "known_ms": until_ms}
    labels = store.read(Query("labels", {"model": model, "signal": list(signals)}, *bounds, columns=_LABELS))
    is_of_hours = np.isin(predicted["event_ms"] // HOUR_MS * HOUR_MS, hours_ms)
    index = np.flatnonzero(np.isin(labels["id_digest"], predicted["id_digest"][is_of_hours]))
    return {
        name: column[index] if isinstance(column, np.ndarray) else [column[i] for i in index.tolist()]
        for name, column in labels.items()
    }


def hours_of_labels(
    store: Store, model: str, signals: Sequence[str], positions: Positions, most: int = MOST_LABELS
) -> list[int]:
    """Return the hours of the predictions that have labels among those at log positions, ascending.

    Offsets say little of how many labels there are: those of a log's next life begin far behind the ones before.

    Parameters
    ----------
    store : Store
    model : str
    signals : sequence of str
        Of the labels.
    positions : tuple
    most : int
        How many labels the store looks for at a time.

    Raises
    ------
    StoreError
    """
    if isinstance(store, Connection):
        topic, partition, first, stop = positions
        values = _bound(model, positions) | {"signals": list(signals)}
        if stop - first > most and int(store.query(_LABELS_THERE, values)["labels"][0]) > most:
            middle = (first + stop) // 2
            halves = (topic, partition, first, middle), (topic, partition, middle, stop)
            return sorted(
                {hour_ms for half in halves for hour_ms in hours_of_labels(store, model, signals, half, most)}
            )
        return _whole(store.query(_HOURS_OF_LABELS, values)["hour_ms"])
    where, low, high = _of_log(model, positions)
    labels = store.read(Query("labels", where | {"signal": list(signals)}, low, high, columns=("id_digest",)))
    predicted = store.read(Query("predicted", {"model": model}, columns=("event_ms", "id_digest")))
    has_label = np.isin(predicted["id_digest"], labels["id_digest"])
    return _whole(np.unique(predicted["event_ms"][has_label] // HOUR_MS * HOUR_MS))


def hours_of_predictions(store: Store, model: str, positions: Positions) -> list[int]:
    """Return the hours of the predictions at log positions.

    Raises
    ------
    StoreError
    """
    if isinstance(store, Connection):
        return _whole(store.query(_HOURS_OF_PREDICTIONS, _bound(model, positions))["hour_ms"])
    rows = store.read(Query("predicted", *_of_log(model, positions), columns=("event_ms",)))
    return _whole(np.unique(rows["event_ms"] // HOUR_MS * HOUR_MS))


def predictions_of_hours(store: Store, model: str, hours_ms: Sequence[int]) -> dict[int, int]:
    """Return how many predictions some hours have, about: one that was written twice may count twice.

    Raises
    ------
    StoreError
    """
    span = min(hours_ms), max(hours_ms) + HOUR_MS
    if isinstance(store, Connection):
        values = {"model": model, "from_ms": span[0], "to_ms": span[1], "hours_ms": list(hours_ms)}
        counts = store.query(_PREDICTIONS, values)
        return dict(zip(_whole(counts["hour_ms"]), _whole(counts["predictions"]), strict=True))
    bounds = {"event_ms": span[0]}, {"event_ms": span[1]}
    times = store.read(Query("predicted", {"model": model}, *bounds, columns=("event_ms",)))["event_ms"]
    hours, sizes = np.unique(times // HOUR_MS * HOUR_MS, return_counts=True)
    return dict(zip(_whole(hours), _whole(sizes), strict=True))


def _bound(model: str, positions: Positions) -> dict[str, object]:
    topic, partition, first, stop = positions
    return {"model": model, "topic": topic, "partition": partition, "first": first, "stop": stop}


def _of_log(model: str, positions: Positions) -> tuple[dict[str, object], dict[str, float], dict[str, float]]:
    topic, partition, first, stop = positions
    return {"model": model, "topic": topic, "partition": partition}, {"offset": first}, {"offset": stop}


def _whole(hours_ms: Iterable[int]) -> list[int]:
    return [int(hour_ms) for hour_ms in hours_ms]
