"""Rows of panes in flat arrays, whatever store they come from: a month of them holds a hundred million counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.judged import Key
from monitor.watch import Watch
from sinks.store.contract import Query, Store
from sinks.store.rows import checked_query
from sinks.store.sql import select
from sinks.store.sqlstore import SqlStore

__all__ = ["PaneRows", "Ragged", "read_panes"]

Integers = NDArray[np.int64]

_NUMBERS = ("pane_start_ms", "n", "missing", "invalid", "out_of_range", "other", "min", "max")
_TEXTS = ("signal", "segment", "version", "layout")
_LISTS = ("cells", "counts", "names")


@dataclass(frozen=True)
class Ragged:
    """Lists of integers one after another.

    Attributes
    ----------
    values : int64 array
    starts : int64 array [rows + 1]
    """

    values: Integers
    starts: Integers


@dataclass(frozen=True)
class PaneRows:
    """Panes on time of one model.

    Attributes
    ----------
    series : dict
        From version, segment, signal to the numbers of its rows: distributions whose layout is the configuration's.
    volume : dict of str to int64 array
        The numbers of the rows that count events, by segment.
    starts_ms, n : int64 array [rows]
    sums : int64 array [rows, SUMS]
    extremes : float64 array [rows, 2]
    cells, counts, names : Ragged
        Of names the numbers in ``known_names``.
    known_names : sequence of str
    """

    series: Mapping[Key, Integers]
    volume: Mapping[str, Integers]
    starts_ms: Integers
    n: Integers
    sums: Integers
    extremes: NDArray[np.float64]
    cells: Ragged
    counts: Ragged
    names: Ragged
    known_names: Sequence[str]


def read_panes(store: Store, watch: Watch, low_ms: int, high_ms: int, signals: Sequence[str] | None = None) -> PaneRows:
    """Read a model's panes that start within ``[low_ms, high_ms)``.

    Parameters
    ----------
    store : Store
    watch : Watch
    low_ms, high_ms : int
    signals : sequence of str or None
        Only these.
    """
    where: dict[str, Any] = {"model": watch.name, "late_at_ms": 0}
    if signals is not None:
        where["signal"] = list(signals)
    low, high = {"pane_start_ms": low_ms}, {"pane_start_ms": high_ms}
    query = Query("panes", where, low, high, columns=_NUMBERS + _TEXTS + _LISTS)
    return _arranged(watch, _from_sql(store, query) if isinstance(store, SqlStore) else _from_rows(store, query))


@dataclass(frozen=True)
class _Flat:
    """Columns of rows: numbers, texts as numbers of texts, and lists."""

    numbers: Mapping[str, NDArray[Any]]
    texts: Mapping[str, tuple[Integers, Sequence[str]]]
    lists: Mapping[str, Ragged]
    known_names: Sequence[str]


def _arranged(watch: Watch, flat: _Flat) -> PaneRows:
    signal, signals = flat.texts["signal"]
    segment, segments = flat.texts["segment"]
    version, versions = flat.texts["version"]
    layout, layouts = flat.texts["layout"]
    kind = ((signal * len(segments) + segment) * len(versions) + version) * len(layouts) + layout
    order = np.argsort(kind, kind="stable")
    present, begins = np.unique(kind[order], return_index=True)
    series: dict[Key, Integers] = {}
    volume: dict[str, list[Integers]] = {}
    for rows in np.split(order, begins[1:]) if len(present) else []:
        first = rows[0]
        name, where = signals[signal[first]], segments[segment[first]]
        mine = watch.layouts.get(name)
        if name == "volume":
            volume.setdefault(where, []).append(rows)
        elif mine is not None and mine.id == layouts[layout[first]]:
            series[versions[version[first]], where, name] = rows
    numbers = flat.numbers
    return PaneRows(
        series=series,
        volume={where: np.concatenate(rows) for where, rows in volume.items()},
        starts_ms=numbers["pane_start_ms"],
        n=numbers["n"],
        sums=np.stack([numbers[name] for name in ("n", "missing", "invalid", "out_of_range", "other")], axis=1),
        extremes=np.stack([numbers["min"], numbers["max"]], axis=1),
        cells=flat.lists["cells"],
        counts=flat.lists["counts"],
        names=flat.lists["names"],
        known_names=flat.known_names,
    )


def _from_sql(store: SqlStore, query: Query) -> _Flat:
    import pyarrow.compute

    table = store.arrow(*select(checked_query(query)))

    def column(name: str) -> Any:
        return table[name].combine_chunks()

    def ragged(name: str) -> tuple[Any, Integers]:
        lists = column(name)
        return pyarrow.compute.list_flatten(lists), _starts(pyarrow.compute.list_value_length(lists).to_numpy())

    texts = {}
    for name in _TEXTS:
        encoded = column(name).dictionary_encode()
        texts[name] = (encoded.indices.to_numpy().astype(np.int64), encoded.dictionary.to_pylist())
    lists = {}
    for name in ("cells", "counts"):
        values, starts = ragged(name)
        lists[name] = Ragged(values.to_numpy(), starts)
    values, starts = ragged("names")
    encoded = values.dictionary_encode()
    lists["names"] = Ragged(encoded.indices.to_numpy().astype(np.int64), starts)
    numbers = {name: column(name).to_numpy() for name in _NUMBERS}
    return _Flat(numbers, texts, lists, encoded.dictionary.to_pylist())


def _from_rows(store: Store, query: Query) -> _Flat:
    rows = store.read(query)
    names, known = _coded([name for names in rows["names"] for name in names])
    lists = {name: Ragged(_joined(rows[name]), _starts([len(some) for some in rows[name]])) for name in _LISTS[:2]}
    lists["names"] = Ragged(names, _starts([len(some) for some in rows["names"]]))
    return _Flat({n: rows[n] for n in _NUMBERS}, {n: _coded(rows[n]) for n in _TEXTS}, lists, known)


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
