"""Fold batches of names into additive summaries, many features and many rows at a time.

Why a summary keeps the names that it keeps is explained in `detectors.sketch.category_summary`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from detectors.sketch.category_summary import (
    INVALID,
    CategoryLayout,
    CategorySummary,
    Invalid,
    Value,
    name_hash,
    sampled,
    sum_categories,
    summarize,
)
from detectors.sketch.coded import Coded
from detectors.sketch.entries import (
    ENTRIES,
    FIELDS,
    FIRST_NAME,
    INVALID_CODE,
    MISSING,
    NONE,
    SUMS,
    add,
    evict,
    read_row,
    rebuild_buckets,
)

__all__ = [
    "INVALID",
    "CategoryFold",
    "CategoryLayout",
    "CategorySummary",
    "Invalid",
    "name_hash",
    "sampled",
    "sum_categories",
    "summarize",
]

Integers = npt.NDArray[np.int64]
Array = npt.NDArray[Any]

# A batch is worked on in chunks, between which memory is tidied up.
CHUNK = 4096
# How many names that no row needs are remembered, to spare looking them up again.
IDLE_NAMES = 4096


class CategoryFold:
    """Counts of the names of F category features in many rows, folded from columns.

    Memory follows the names that summaries will show, not the names that went by, even for a column of user ids.

    Parameters
    ----------
    layouts
        One layout per feature.

    Examples
    --------
    >>> fold = CategoryFold([CategoryLayout(known=("DE", "FR"))])
    >>> fold.ensure(1)
    >>> fold.fold(np.array([0, 0, 0, 0]), [["DE", None, "DE", INVALID]])
    >>> summary, = fold.take(0)
    >>> summary.names, summary.counts.tolist(), summary.missing, summary.invalid
    (('DE',), [2], 1, 1)
    """

    def __init__(self, layouts: Sequence[CategoryLayout]) -> None:
        self.layouts = tuple(layouts)
        self._columns = [_Column(layout) for layout in self.layouts]
        self._rows = 0

    @property
    def rows(self) -> int:
        """How many rows there is room for."""
        return self._rows

    def ensure(self, rows: int) -> None:
        """Make room for rows 0 … `rows` - 1; new rows are empty."""
        if rows <= self._rows:
            return
        self._rows = max(rows, 2 * self._rows)
        for column in self._columns:
            column.ensure(self._rows)

    def fold(self, rows: Integers, columns: Sequence[Sequence[Value]]) -> None:
        """Count a batch. It may be cut and ordered anyhow without changing any summary.

        Parameters
        ----------
        rows
            int64[n]: the row that each event belongs to.
        columns
            For each feature n names, as a list or as a `Coded`, which is faster; None is a missing value, `INVALID`
            one that is not a name.

        Raises
        ------
        ValueError
            If the lengths do not fit, or a row is not within what `ensure` made room for.
        TypeError
            If a value is neither a string nor None nor `INVALID`; the batch is then counted in part.
        """
        rows = np.ascontiguousarray(rows, dtype=np.int64)
        lengths = [len(column) for column in columns]
        if rows.ndim != 1 or lengths != [rows.size] * len(self._columns):
            lengths_in_words = f"{len(lengths)} of {min(lengths, default=0)} to {max(lengths, default=0)}"
            raise ValueError(f"expected {len(self._columns)} columns of {rows.size} names, not {lengths_in_words}")
        if rows.size and not 0 <= rows.min() <= rows.max() < self._rows:
            raise ValueError(f"rows lie between {rows.min()} and {rows.max()}, room is for {self._rows}")
        for column, names in zip(self._columns, columns, strict=True):
            column.fold(rows, Coded.of(names))

    def peek(self, row: int) -> list[CategorySummary]:
        """Return the summary of each feature in a row, which stays as it is."""
        return [column.summary(row) for column in self._columns]

    def take(self, row: int) -> list[CategorySummary]:
        """Return the summary of each feature in a row, and empty the row for its next use."""
        summaries = self.peek(row)
        self._clear(row)
        return summaries

    def snapshot(self, rows: Sequence[int]) -> dict[str, Array]:
        """Return the content of some rows as arrays that do not depend on how it came about.

        Returns
        -------
        ``sums`` int64[rows, F, 4] (missing, invalid, other, number of names), and for all names one after another
        ``counts`` int64[k], ``text`` uint8[...] (UTF-8) and ``lengths`` int64[k] (bytes).
        """
        summaries = [summary for row in rows for summary in self.peek(row)]
        sums = [(s.missing, s.invalid, s.other, len(s.names)) for s in summaries]
        texts = [name.encode("utf-8", "surrogatepass") for s in summaries for name in s.names]
        return {
            "sums": np.array(sums, dtype=np.int64).reshape(len(rows), len(self._columns), 4),
            "counts": np.concatenate([np.empty(0, dtype=np.int64), *(s.counts for s in summaries)]),
            "text": np.frombuffer(b"".join(texts), dtype=np.uint8).copy(),
            "lengths": np.array([len(text) for text in texts], dtype=np.int64),
        }

    def restore(self, rows: Sequence[int], snapshot: Mapping[str, Array]) -> None:
        """Put a snapshot into rows, the first of it into the first of them; what they held is dropped.

        Raises
        ------
        ValueError
            If the snapshot has another number of rows or features, or there is no room for a row.
        """
        if snapshot["sums"].shape != (len(rows), len(self._columns), 4):
            raise ValueError(f"a snapshot of shape {snapshot['sums'].shape} does not fit {len(rows)} rows")
        if rows and not 0 <= min(rows) <= max(rows) < self._rows:
            raise ValueError(f"rows lie between {min(rows)} and {max(rows)}, room is for {self._rows}")
        names = iter(_split(snapshot["text"].tobytes(), snapshot["lengths"].tolist()))
        counts = iter(snapshot["counts"].tolist())
        for row, of_features in zip(rows, snapshot["sums"].tolist(), strict=True):
            self._clear(row)
            for column, (missing, invalid, other, size) in zip(self._columns, of_features, strict=True):
                column.put(row, list(islice(names, size)), list(islice(counts, size)), (missing, invalid, other))

    def _clear(self, row: int) -> None:
        for column in self._columns:
            column.clear(row)


class _Codes(dict[Value, int]):
    """From a value to its code; a name that is not there gets one."""

    def __init__(self) -> None:
        super().__init__({None: MISSING, INVALID: INVALID_CODE})
        self.names: list[str] = [""] * FIRST_NAME
        self.hashes: list[int] = [0] * FIRST_NAME
        self.unused: list[int] = []

    def __missing__(self, name: Value) -> int:
        if not isinstance(name, str):
            raise TypeError(f"a name must be a string, None or INVALID, not {name!r}")
        if self.unused:
            code = self.unused.pop()
            self.names[code], self.hashes[code] = name, name_hash(name)
        else:
            code = len(self.names)
            self.names.append(name)
            self.hashes.append(name_hash(name))
        self[name] = code
        return code

    def forget(self, codes: Iterable[int]) -> None:
        for code in codes:
            del self[self.names[code]]
            self.names[code] = ""
            self.unused.append(code)


class _Column:
    """One feature: a hash table from (row, code) to a count, whose entries are also chained by row."""

    def __init__(self, layout: CategoryLayout) -> None:
        self.layout = layout
        self._codes = _Codes()
        for name in layout.known:
            self._codes[name]  # looking a name up gives it a code
        self._first_unknown = len(self._codes)
        self._idle_limit = len(self._codes) + IDLE_NAMES
        self._row_limit = len(layout.known) + layout.sample + max(layout.sample, 256)
        self._sums = np.zeros((0, SUMS), dtype=np.int64)
        self._heads = np.empty(0, dtype=np.int64)
        self._uses = np.zeros(len(self._codes), dtype=np.int64)
        self._entries = np.zeros((0, FIELDS), dtype=np.int64)
        self._buckets = np.full(1, NONE, dtype=np.int64)
        self._free = np.empty(0, dtype=np.int64)
        self._free_count = np.zeros(1, dtype=np.int64)

    def ensure(self, rows: int) -> None:
        extra = rows - self._heads.size
        self._sums = np.concatenate((self._sums, np.zeros((extra, SUMS), dtype=np.int64)))
        self._heads = np.concatenate((self._heads, np.full(extra, NONE, dtype=np.int64)))

    def fold(self, rows: Integers, names: Coded[Value]) -> None:
        for start in range(0, rows.size, CHUNK):
            chunk = rows[start : start + CHUNK]
            self._add(chunk, self._codes_of(names[start : start + CHUNK]), ONES[: chunk.size])
            self._tidy()

    def _codes_of(self, names: Coded[Value]) -> Integers:
        """Return this column's codes of names; tidying up changes them, so they hold for a chunk."""
        few = len(names.names) <= len(names)
        distinct = names.names if few else names
        codes = np.fromiter(map(self._codes.__getitem__, distinct), dtype=np.int64, count=len(distinct))
        return codes[names.codes] if few else codes

    def summary(self, row: int) -> CategorySummary:
        self._cut_to_sample(row)
        codes, counts = self._content(row)
        names = self._codes.names
        of_names = {names[code]: count for code, count in zip(codes.tolist(), counts.tolist(), strict=True)}
        missing, invalid, other = self._sums[row, :ENTRIES].tolist()
        return summarize(self.layout, of_names, missing, invalid, other)

    def _content(self, row: int) -> tuple[Integers, Integers]:
        size = int(self._sums[row, ENTRIES])
        codes, counts = np.empty(size, dtype=np.int64), np.empty(size, dtype=np.int64)
        read_row(row, self._entries, self._heads, codes, counts)
        return codes, counts

    def put(self, row: int, names: list[str], counts: list[int], sums: tuple[int, int, int]) -> None:
        codes = np.array([self._codes[name] for name in names], dtype=np.int64)
        self._add(np.full(codes.size, row, dtype=np.int64), codes, np.array(counts, dtype=np.int64))
        self._sums[row, :ENTRIES] = sums

    def clear(self, row: int) -> None:
        everything = np.ones(self._uses.size, dtype=np.bool_)
        self._evict(row, everything)
        self._sums[row] = 0

    def _add(self, rows: Integers, codes: Integers, amounts: Integers) -> None:
        if self._uses.size < len(self._codes.names):
            extra = max(len(self._codes.names) - self._uses.size, self._uses.size)
            self._uses = np.concatenate((self._uses, np.zeros(extra, dtype=np.int64)))
        while self._free_count[0] < codes.size:
            self._add_entries()
        add(
            rows, codes, amounts, self._sums, self._heads, self._uses, self._entries, self._buckets, self._free,
            self._free_count,
        )  # fmt: skip

    def _evict(self, row: int, leaves: npt.NDArray[np.bool_]) -> None:
        evict(
            row, leaves, self._sums, self._heads, self._uses, self._entries, self._buckets, self._free,
            self._free_count,
        )  # fmt: skip

    def _add_entries(self) -> None:
        first = self._entries.shape[0]
        extra = max(256, first)
        fresh = np.full((extra, FIELDS), NONE, dtype=np.int64)
        self._entries = np.concatenate((self._entries, fresh))
        self._buckets = np.full(first + extra, NONE, dtype=np.int64)
        rebuild_buckets(self._entries, self._buckets)
        count = int(self._free_count[0])
        # Every entry may come back, so the stack of free ones has room for all of them.
        self._free = np.concatenate((self._free, np.zeros(extra, dtype=np.int64)))
        self._free[count : count + extra] = np.arange(first, first + extra)
        self._free_count[0] = count + extra

    def _tidy(self) -> None:
        """Drop names that no summary will show: first from rows, then those that no row needs."""
        for row in np.flatnonzero(self._sums[:, ENTRIES] > self._row_limit).tolist():
            self._cut_to_sample(row)
        if len(self._codes) > self._idle_limit:
            uses = self._uses[: len(self._codes.names)]
            idle = set(np.flatnonzero(uses == 0).tolist()) - set(self._codes.unused)
            self._codes.forget(code for code in sorted(idle) if code >= self._first_unknown)
            self._idle_limit = max(len(self.layout.known) + IDLE_NAMES, 2 * len(self._codes))

    def _cut_to_sample(self, row: int) -> None:
        if self._sums[row, ENTRIES] <= self.layout.sample:
            return
        codes, _ = self._content(row)
        unknown = codes[codes >= self._first_unknown]
        if unknown.size <= self.layout.sample:
            return
        hashes = np.array([self._codes.hashes[code] for code in unknown.tolist()], dtype=np.uint64)
        leaves = np.zeros(self._uses.size, dtype=np.bool_)
        # Names whose hash equals the first one to leave all stay for now: summarize() tells them apart by name.
        threshold = np.partition(hashes, self.layout.sample)[self.layout.sample]
        leaves[unknown[hashes > threshold]] = True
        self._evict(row, leaves)


ONES = np.ones(CHUNK, dtype=np.int64)


def _split(text: bytes, lengths: Sequence[int]) -> list[str]:
    names = []
    start = 0
    for length in lengths:
        names.append(text[start : start + length].decode("utf-8", "surrogatepass"))
        start += length
    return names
