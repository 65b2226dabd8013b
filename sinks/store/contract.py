"""What a store promises, and the tables it holds. Read this page first.

A store keeps what Leeway found: columns in, columns out. Rows carry natural keys; a row whose key is already
there replaces it, so that a replay overwrites itself. Inside one ``append`` keys do not repeat.

Guarantee: when ``append`` returns, the rows survive the end of the process, and every later ``read`` sees them.
``append`` of the same rows with the same token any number of times is one append.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from sinks.store.tables import DERIVED, READABLE, TABLES
from sinks.store.tables.table import Column, Table, table

__all__ = [
    "BUCKETS",
    "DERIVED",
    "DRIFTING",
    "READABLE",
    "TABLES",
    "TOTALS",
    "Buckets",
    "Column",
    "Drifting",
    "Query",
    "Store",
    "StoreError",
    "Table",
]

Columns = dict[str, Any]
"""A name for every column; int64 and float64 arrays for numbers, lists for the rest."""


class StoreError(Exception):
    """The store cannot do what it was called for.

    Parameters
    ----------
    message : str
    retryable : bool
        Whether the same call with the same token may succeed later.
    """

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.retryable = retryable


@dataclass(frozen=True)
class Query:
    """Which rows to read.

    Attributes
    ----------
    table : str
    where : mapping of column to value, or to a list of values of which one must match
    low, high : mapping of column to bound
        ``low <= column < high``.
    order : tuple of str
        Columns to sort by; the natural key if empty. Ties are settled by the natural key. NaN comes last.
    descending : bool
        Turns the whole order around, that of ties too.
    after : tuple
        Only rows behind this one: values of ``order`` and the natural key's remaining columns, as ``cursor``
        gives them. Not with an order by a float column.
    first_by : tuple of str
        Of rows that agree in these columns only the first in the order.
    limit : int or None
    columns : tuple of str
        All if empty.
    floors : mapping of column to mapping of model to bound
        ``floor <= column``, with another floor for each model; rows of models without one are left out.
    without : mapping of column to value, or to a list of values
        Rows with one of these are left out.
    containing : mapping of column to choices
        Each choice is a sequence of texts; the column has to contain all those of one choice.
    """

    table: str
    where: Mapping[str, Any] = field(default_factory=dict)
    low: Mapping[str, float] = field(default_factory=dict)
    high: Mapping[str, float] = field(default_factory=dict)
    order: tuple[str, ...] = ()
    descending: bool = False
    after: tuple[Any, ...] = ()
    first_by: tuple[str, ...] = ()
    limit: int | None = None
    columns: tuple[str, ...] = ()
    floors: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    without: Mapping[str, Any] = field(default_factory=dict)
    containing: Mapping[str, Sequence[Sequence[str]]] = field(default_factory=dict)

    def sort_columns(self) -> tuple[str, ...]:
        """The columns that settle the order completely."""
        return self.order + tuple(name for name in READABLE[self.table].key if name not in self.order)

    def cursor(self, rows: Columns) -> tuple[Any, ...]:
        """Return the ``after`` of the page behind ``rows``, which this query returned; empty if ``rows`` is.

        ``columns`` must hold ``sort_columns()``; KeyError if not.

        Examples
        --------
        >>> page = {"alert_id": ["a", "a"], "sequence": [1, 2], "receiver": ["ops", "ops"]}
        >>> Query("notifications").cursor(page)
        ('a', 2, 'ops')
        """
        columns = [rows[name] for name in self.sort_columns()]
        return tuple(column[-1] for column in columns) if len(columns[0]) else ()


BUCKETS = table(
    "buckets",
    "model:name signal:name segment:name version:name detector:name bucket_start_ms:int bucket_end_ms:int "
    "windows:int n:int ok:int warning:int drift:int no_data:int learning:int statistic_min:float statistic_mean:float "
    "statistic_max:float severity:float worst_window_end_ms:int worst_window_ms:int worst_statistic:float "
    "worst_effect:float worst_min_effect:float worst_p_value:float worst_surprise:float worst_surprise_limit:float "
    "worst_status:name worst_n:int worst_baseline_n:int worst_baseline_from_ms:int worst_baseline_to_ms:int "
    "worst_idle:name worst_detail:name",
    "bucket_end_ms model signal segment version detector",
)
"""The columns that ``Store.buckets`` returns; not a table that is kept.

``windows`` counts the windows and ``ok`` to ``learning`` those with each status; ``n`` adds up their events. Of the
statistics that are numbers ``statistic_min``, ``statistic_max`` and ``statistic_mean`` are taken, the last the exact
mean, rounded once; NaN if there are none. ``severity`` is the largest ``effect / min_effect`` of the windows in drift,
0 without one. ``worst_*`` is the window with the largest effect, among equals the latest; one whose effect is NaN
counts as the smallest there can be.
"""


@dataclass(frozen=True)
class Buckets:
    """Which scores to read, in buckets of time: one row for each bucket of each series and detector.

    Attributes
    ----------
    from_ms, to_ms : int
        Windows that end in this span, ``from_ms <= window_end_ms < to_ms``: the first and the last bucket may be
        cut.
    step_ms : int
        Length of a bucket. Ends are multiples of it, and a window belongs to the bucket in which it ends:
        ``bucket_start_ms < window_end_ms <= bucket_end_ms``. 0: one bucket, from ``from_ms`` to ``to_ms``.
    where : mapping of column to value, or to a list of values of which one must match
        Columns of the series: ``model``, ``signal``, ``segment``, ``version``, ``detector``.
    order : {"time", "worst"}
        By ``bucket_end_ms``; or by ``severity``, the largest first, and then by ``bucket_end_ms``. Ties are settled
        by model, signal, segment, version and detector, ascending.
    after : tuple
        Only buckets behind this one, as ``cursor`` gives it.
    limit : int or None
    among : tuple of tuple of str
        Only these series and detectors: model, signal, segment, version and detector of each; all if empty.
    columns : tuple of str
        All if empty. Other columns need not be read.
    """

    from_ms: int
    to_ms: int
    step_ms: int = 0
    where: Mapping[str, Any] = field(default_factory=dict)
    order: Literal["time", "worst"] = "time"
    after: tuple[Any, ...] = ()
    limit: int | None = None
    among: tuple[tuple[str, ...], ...] = ()
    columns: tuple[str, ...] = ()

    def sort_columns(self) -> tuple[str, ...]:
        """The columns that settle the order completely; ``severity`` descends, the others ascend."""
        return ("severity", *BUCKETS.key) if self.order == "worst" else BUCKETS.key

    def cursor(self, rows: Columns) -> tuple[Any, ...]:
        """Return the ``after`` of the page behind ``rows``, which these buckets gave; empty if ``rows`` is.

        Examples
        --------
        >>> page = {"bucket_end_ms": [60], "model": ["m"], "signal": ["s"], "segment": [""], "version": ["1"],
        ...         "detector": ["psi"]}
        >>> Buckets(0, 100, 60).cursor(page)
        (60, 'm', 's', '', '1', 'psi')
        """
        columns = [rows[name] for name in self.sort_columns()]
        return tuple(column[-1] for column in columns) if len(columns[0]) else ()


DRIFTING = table(
    "drifting",
    "model:name signal:name segment:name version:name severity:float detector:name detectors:strs:own "
    "first_drift_ms:int last_drift_ms:int part:int",
    "model signal segment version part",
)
"""The columns that ``Store.drifting`` returns; not a table that is kept.

``severity`` is the largest ``effect / min_effect`` of the windows in drift, of any detector, and ``detector`` the one
that found it, among equals the first by name. ``detectors`` are all that saw drift, the strongest first. The two times
are the ends of the first and of the last window in drift. ``part`` is that of the span, counted from 0.
"""


@dataclass(frozen=True)
class Drifting:
    """Which series to rank by how far they drifted; those with a severity above 0.

    Attributes
    ----------
    from_ms, to_ms : int
        Windows that end in this span, ``from_ms <= window_end_ms < to_ms``.
    where : mapping of column to value, or to a list of values of which one must match
        Columns of the series: ``model``, ``signal``, ``segment``, ``version``, ``detector``.
    limit : int or None
        Most series. They come by severity, the largest first, and then by model, signal, segment, version and part.
    parts : int
        Into how many parts of equal length the span is cut, from 1 on; each ranks series by its own windows.
    """

    from_ms: int
    to_ms: int
    where: Mapping[str, Any] = field(default_factory=dict)
    limit: int | None = None
    parts: int = 1

    def part_ends(self) -> list[int]:
        """Return where the parts but the last end, and the next ones begin.

        Examples
        --------
        >>> Drifting(0, 100, parts=3).part_ends()
        [33, 66]
        """
        return [self.from_ms + (self.to_ms - self.from_ms) * part // self.parts for part in range(1, self.parts)]


TOTALS = table(
    "totals",
    "signal:name layout:name n:int missing:int invalid:int out_of_range:int cells:ints counts:ints names:texts:names "
    "other:int sum_q:name sum_q2:name min:float max:float",
    "signal layout",
)
"""The columns that ``Store.totals`` returns; not a table that is kept.

``min`` and ``max`` are the smallest and the largest; ``sum_q`` and ``sum_q2`` are lists of int, since a year of far
values does not fit into 64 bits.
"""


class Store(Protocol):
    """Where results are kept."""

    def migrate(self) -> None:
        """Create or upgrade the tables; does nothing when they are current.

        Raises
        ------
        StoreError
            If the store was written by a newer version.
        """
        ...

    def is_current(self) -> bool:
        """Return whether every table is there as this version wants it: ``migrate`` would do nothing.

        Raises
        ------
        StoreError
            If the store was written by a newer version.
        """
        ...

    def append(self, table: str, columns: Mapping[str, Sequence[Any]], token: str) -> None:
        """Write rows; acknowledged when it returns.

        Parameters
        ----------
        table : str
        columns : mapping of str to sequence
            Every column of the table, all of one length; an empty append does nothing.
        token : str
            Names these very rows: a repetition is recognised by it.

        Raises
        ------
        StoreError
        """
        ...

    def read(self, query: Query) -> Columns:
        """Return the rows that ``query`` asks for, newest version of each key only."""
        ...

    def totals(self, query: Query) -> Columns:
        """Return the columns of ``TOTALS``: panes, or sums of them, that were counted in the same cells, added up.

        Names are added up without a sample's limit, as in the tiers: whoever adds summaries cuts them to it.

        Parameters
        ----------
        query : Query
            Of the table ``panes``, or of one of its tiers; its order and columns do not matter.

        Raises
        ------
        StoreError
        """
        ...

    def buckets(self, buckets: Buckets) -> Columns:
        """Return the columns of ``BUCKETS``: what the scores were like in each span of time.

        Raises
        ------
        StoreError
        """
        ...

    def drifting(self, drifting: Drifting) -> Columns:
        """Return the columns of ``DRIFTING``: the series that drifted, the worst first.

        Raises
        ------
        StoreError
        """
        ...

    def refresh(self, settle_ms: int = 600_000, is_enough: Callable[[], bool] = lambda: False) -> int:
        """Bring roll-ups up to date with what was written; to be called now and then, by any number of processes.

        No answer depends on it: it makes them fast.

        Parameters
        ----------
        settle_ms : int
            Only hours of event time that have been left alone for this long; longer than an append may take.
        is_enough : callable
            Asked between steps, of which each takes seconds; once it says so, the rest is left to the next call.

        Returns
        -------
        int
            How many hours of a model were brought up to date.

        Raises
        ------
        StoreError
        """
        ...

    def close(self) -> None:
        """Release the store; what was acknowledged is kept."""
        ...
