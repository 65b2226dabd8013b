"""Rows of panes in flat arrays, whatever store they come from: a month of them holds a hundred million counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.sketch.joint import VECTOR
from monitor.events import Partition, SeriesKey
from monitor.panes.codec import FINDINGS, signal_of_findings
from monitor.panes.coverage import ON_TIME
from monitor.watch import Watch
from sinks.store.arrow import number_array
from sinks.store.contract import Columns, Query, Store
from sinks.store.derived import TIERS
from sinks.store.rollups import tier_question
from sinks.store.rows import checked_query
from sinks.store.sql import select
from sinks.store.sqlstore import SqlStore

__all__ = ["PaneRows", "Piece", "Ragged", "SeriesPanes", "read_panes"]

Integers = NDArray[np.int64]

_NUMBERS = ("pane_start_ms", "n", "missing", "invalid", "out_of_range", "other", "min", "max")
_TEXTS = ("signal", "segment", "version", "layout")
_LISTS = ("cells", "counts", "names")
_PARTITION = ("topic", "partition")


# Cells of any layout fit into 16 bits, and a count that does not fit into 32 is an error; large blocks mean few pieces.
# Sums of vectors take 64: rows of them are left out where the configuration has none.
_NARROW = f"""
SELECT {", ".join(_NUMBERS + _TEXTS)}, accurateCast(cells, 'Array(Int16)') AS cells,
    accurateCast(counts, 'Array({{counts}})') AS counts, names
FROM ({{inner}})
WHERE {{condition}}
SETTINGS preferred_block_size_bytes = 500000000, max_block_size = 1000000, max_threads = 1,
    output_format_arrow_low_cardinality_as_dictionary = 1
"""


_COUNTED = (
    "pane_start_ms < transform(concat(topic, '/', toString(partition)), {partitions:Array(String)}, "
    "{counted_ms:Array(Int64)}, pane_start_ms)"
)
"""Which panes count; none of a partition that is not named."""


@dataclass(frozen=True)
class Ragged:
    """Lists of integers one after another.

    Attributes
    ----------
    values : integer array
    starts : int64 array [rows + 1]
    """

    values: NDArray[Any]
    starts: Integers


@dataclass(frozen=True)
class Piece:
    """Some panes on time of one model.

    Attributes
    ----------
    series : dict
        From version, segment, signal to the numbers of its rows: distributions whose layout and segment are the
        configuration's.
    volume : dict of str to int64 array
        The numbers of the rows that count events, by segment.
    starts_ms, n : int64 array [rows]
    sums : int64 array [rows, SUMS]
    extremes : float64 array [rows, 2]
    cells, counts, names : Ragged
        Of names the numbers in ``distinct_names``.
    distinct_names : sequence of str
    findings : dict
        As ``series``, the rows that count findings on a signal: of the configuration's detectors.
    """

    series: Mapping[SeriesKey, Integers]
    volume: Mapping[str, Integers]
    starts_ms: Integers
    n: Integers
    sums: Integers
    extremes: NDArray[np.float64]
    cells: Ragged
    counts: Ragged
    names: Ragged
    distinct_names: Sequence[str]
    findings: Mapping[SeriesKey, Integers] = field(default_factory=dict)


@dataclass(frozen=True)
class PaneRows:
    """Panes on time of one model, in the pieces in which the store gave them: to join those would copy them all.

    Attributes
    ----------
    pieces : list of Piece
    """

    pieces: Sequence[Piece]

    def series(self) -> list[SeriesKey]:
        """The series that have panes."""
        return sorted({key for piece in self.pieces for key in piece.series})

    def segments(self) -> set[str]:
        """The segments of which events were counted."""
        return {segment for piece in self.pieces for segment in piece.volume}

    def of(self, key: SeriesKey) -> SeriesPanes:
        """The panes of one series."""
        return [(piece, piece.series[key]) for piece in self.pieces if key in piece.series]

    def judged(self) -> list[SeriesKey]:
        """The series of which findings are counted."""
        return sorted({key for piece in self.pieces for key in piece.findings})

    def findings_of(self, key: SeriesKey) -> SeriesPanes:
        """The panes that count the findings on a series."""
        return [(piece, piece.findings[key]) for piece in self.pieces if key in piece.findings]

    def volume_of(self, segment: str) -> SeriesPanes:
        """The panes that count the events of a segment."""
        return [(piece, piece.volume[segment]) for piece in self.pieces if segment in piece.volume]


SeriesPanes = list[tuple[Piece, Integers]]
"""The panes of one series: pieces, each with the numbers of its rows."""


def read_panes(
    store: Store,
    watch: Watch,
    low_ms: int,
    high_ms: int,
    signals: Sequence[str] | None = None,
    table: str = "panes",
    counted_ms: Mapping[Partition, int] | None = None,
) -> PaneRows:
    """Read a model's panes that start within ``[low_ms, high_ms)``.

    Parameters
    ----------
    store : Store
    watch : Watch
    low_ms, high_ms : int
    signals : sequence of str or None
        Only these, and the findings on them.
    table : str
        ``panes``, or a table of panes that are added up.
    counted_ms : mapping of Partition to int, or None
        Only panes of these partitions that start before this; not with sums over partitions.
    """
    where: dict[str, Any] = {"model": watch.name} | ({"late": 0} if table in TIERS else {})
    if signals is not None:
        where["signal"] = [*signals, *(signal_of_findings(s) for s in signals if s in watch.finding_layouts)]
    low, high = {"pane_start_ms": low_ms}, {"pane_start_ms": high_ms} | ({} if table in TIERS else ON_TIME)
    columns = _NUMBERS + _TEXTS + _LISTS + (() if counted_ms is None else _PARTITION)
    query = Query(table, where, low, high, columns=columns)
    flat = (
        _from_sql(store, query, counted_ms, vectors=watch.has_vectors)
        if isinstance(store, SqlStore)
        else [_from_rows(store, query, counted_ms)]
    )
    return PaneRows([_arranged(watch, columns) for columns in flat])


@dataclass(frozen=True)
class _Flat:
    """Columns of rows: numbers, texts as numbers of texts, and lists."""

    numbers: Mapping[str, NDArray[Any]]
    texts: Mapping[str, tuple[Integers, Sequence[str]]]
    lists: Mapping[str, Ragged]
    distinct_names: Sequence[str]


def _arranged(watch: Watch, flat: _Flat) -> Piece:
    signal, signals = flat.texts["signal"]
    segment, segments = flat.texts["segment"]
    version, versions = flat.texts["version"]
    layout, layouts = flat.texts["layout"]
    code = ((signal * len(segments) + segment) * len(versions) + version) * len(layouts) + layout
    order = np.argsort(code, kind="stable")
    present, begins = np.unique(code[order], return_index=True)
    series: dict[SeriesKey, Integers] = {}
    findings: dict[SeriesKey, Integers] = {}
    volume: dict[str, list[Integers]] = {}
    for rows in np.split(order, begins[1:]) if len(present) else []:
        first = rows[0]
        name, segment_name = signals[signal[first]], segments[segment[first]]
        # Another configuration may have had others: this one would never have seen them.
        if segment_name not in watch.segment_names:
            continue
        judged = name.removeprefix(FINDINGS)
        expected = watch.layouts.get(name) if judged == name else watch.finding_layouts.get(judged)
        if name == "volume":
            volume.setdefault(segment_name, []).append(rows)
        elif expected is not None and expected.id == layouts[layout[first]]:
            of_kind = series if judged == name else findings
            of_kind[versions[version[first]], segment_name, judged] = rows
    numbers = flat.numbers
    return Piece(
        series=series,
        volume={name: np.concatenate(rows) for name, rows in volume.items()},
        starts_ms=numbers["pane_start_ms"],
        n=numbers["n"],
        sums=np.stack([numbers[name] for name in ("n", "missing", "invalid", "out_of_range", "other")], axis=1),
        extremes=np.stack([numbers["min"], numbers["max"]], axis=1),
        cells=flat.lists["cells"],
        counts=flat.lists["counts"],
        names=flat.lists["names"],
        distinct_names=flat.distinct_names,
        findings=findings,
    )


def _from_sql(
    store: SqlStore, query: Query, counted_ms: Mapping[Partition, int] | None, *, vectors: bool
) -> list[_Flat]:
    query = checked_query(query)
    if query.table in TIERS:
        inner, values = tier_question(store, query)
        # To sort rows takes longer than to read them, and sums do not depend on their order.
        inner = inner[: inner.rindex("\nORDER BY ")]
    else:
        inner, values = select(query, ordered=False)
    counts, condition = ("Int64", "true") if vectors else ("UInt32", f"NOT startsWith(layout, '{VECTOR}')")
    if counted_ms is not None:
        condition = f"{condition} AND {_COUNTED}"
        names = [f"{topic}/{number}" for topic, number in counted_ms]
        values |= {"partitions": names, "counted_ms": list(counted_ms.values())}
    table = store.arrow(_NARROW.format(inner=inner, counts=counts, condition=condition), values)
    return [_from_batch(batch) for batch in table.to_batches()]


def _from_batch(batch: Any) -> _Flat:
    numbers = {name: number_array(batch[name]) for name in _NUMBERS}
    lists = {name: _ragged(batch[name]) for name in ("cells", "counts")}
    codes, distinct_names = _encoded(batch["names"].flatten())
    lists["names"] = Ragged(codes, _ragged_starts(batch["names"]))
    return _Flat(numbers, {name: _encoded(batch[name]) for name in _TEXTS}, lists, distinct_names)


def _ragged(lists: Any) -> Ragged:
    return Ragged(number_array(lists.flatten()), _ragged_starts(lists))


def _ragged_starts(lists: Any) -> Integers:
    offsets = number_array(lists.offsets).astype(np.int64)
    return np.asarray(offsets - offsets[0])


def _encoded(texts: Any) -> tuple[Integers, list[str]]:
    import pyarrow

    encoded = texts if isinstance(texts, pyarrow.DictionaryArray) else texts.dictionary_encode()
    return number_array(encoded.indices).astype(np.int64), [str(text) for text in encoded.dictionary.to_pylist()]


def _from_rows(store: Store, query: Query, counted_ms: Mapping[Partition, int] | None) -> _Flat:
    rows = store.read(query)
    if counted_ms is not None:
        rows = _counted(rows, counted_ms)
    codes, distinct_names = _coded([name for names in rows["names"] for name in names])
    lists = {
        name: Ragged(_joined(rows[name]), _starts([len(integers) for integers in rows[name]])) for name in _LISTS[:2]
    }
    lists["names"] = Ragged(codes, _starts([len(names) for names in rows["names"]]))
    return _Flat({n: rows[n] for n in _NUMBERS}, {n: _coded(rows[n]) for n in _TEXTS}, lists, distinct_names)


def _counted(rows: Columns, counted_ms: Mapping[Partition, int]) -> Columns:
    """Rows of panes that count."""
    partitions = zip(rows["topic"], rows["partition"].tolist(), rows["pane_start_ms"].tolist(), strict=True)
    counts = [start_ms < counted_ms.get((topic, number), start_ms) for topic, number, start_ms in partitions]
    if all(counts):
        return rows
    return {name: _chosen(column, counts) for name, column in rows.items()}


def _chosen(column: Any, chosen: Sequence[bool]) -> Any:
    return column[np.array(chosen)] if isinstance(column, np.ndarray) else list(compress(column, chosen))


def _joined(arrays: Sequence[Integers]) -> Integers:
    return np.concatenate([np.zeros(0, dtype=np.int64), *arrays])


def _starts(lengths: Any) -> Integers:
    starts = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=starts[1:])
    return starts


def _coded(texts: Sequence[str]) -> tuple[Integers, list[str]]:
    """Texts as numbers of distinct ones."""
    numbers: dict[str, int] = {}
    codes = np.array([numbers.setdefault(text, len(numbers)) for text in texts], dtype=np.int64)
    return codes, list(numbers)
