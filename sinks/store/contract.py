"""What a store promises, and the tables it holds. Read this page first.

A store keeps what Leeway found: columns in, columns out. Rows carry natural keys; a row whose key is already
there replaces it, so that a replay overwrites itself. Inside one ``append`` keys do not repeat.

Guarantee: when ``append`` returns, the rows survive the end of the process, and every later ``read`` sees them.
``append`` of the same rows with the same token any number of times is one append.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

__all__ = [
    "BUCKETS",
    "DERIVED",
    "DRIFTING",
    "READABLE",
    "TABLES",
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
    """The store cannot do what was asked.

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
class Column:
    """One column: its name, and its kind: ``str``, ``bytes``, ``int``, ``float``, ``ints`` or ``strs`` (arrays)."""

    name: str
    kind: str


@dataclass(frozen=True)
class Table:
    """One table.

    Attributes
    ----------
    name : str
    columns : tuple of Column
    key : tuple of str
        The natural key, which is also the order in which rows are read.
    newest_by : str
        Of rows with the same key the one with the largest value here stays; empty: the one appended last.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    newest_by: str = ""

    def column(self, name: str) -> Column:
        """Return the column ``name``; KeyError if the table has none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"table {self.name!r} has no column {name!r}")


def _table(name: str, columns: str, key: str, newest_by: str = "") -> Table:
    pairs = (item.split(":") for item in columns.split())
    return Table(name, tuple(Column(n, k) for n, k in pairs), tuple(key.split()), newest_by)


TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        # One row per series, pane, partition; late_at_ms is 0 for the events that came in time. Late events of a
        # pane are additions to it, keyed by the pane in which the partition's watermark stood when they came.
        _table(
            "panes",
            "model:str signal:str segment:str version:str pane_start_ms:int late_at_ms:int topic:str partition:int "
            "pane_ms:int layout:str n:int missing:int invalid:int out_of_range:int cells:ints counts:ints names:strs "
            "other:int sum_q:int sum_q2:int min:float max:float",
            "model signal segment version pane_start_ms late_at_ms topic partition",
        ),
        _table(
            "scores",
            "model:str signal:str segment:str version:str detector:str window_end_ms:int window_ms:int statistic:float "
            "effect:float min_effect:float p_value:float surprise:float surprise_limit:float status:str n:int "
            "baseline_n:int baseline_from_ms:int baseline_to_ms:int idle:str detail:str",
            "model signal segment version detector window_end_ms",
        ),
        _table(
            "findings",
            "model:str signal:str version:str detector:str topic:str partition:int offset:int event_ms:int value:float "
            "score:float status:str level:float",
            "model signal version detector topic partition offset",
        ),
        # The log of alert transitions; signals and labels are JSON.
        _table(
            "alerts",
            "model:str alert_id:str sequence:int state:str at_ms:int starts_ms:int ends_ms:int version:str segment:str "
            "severity:str title:str labels:str signals:str",
            "model alert_id sequence",
        ),
        _table(
            "notifications",
            "alert_id:str sequence:int receiver:str outcome:str reason:str attempts:int at_ms:int",
            "alert_id sequence receiver",
        ),
        # Why a receiver was told, or was not, about a transition: a row when that changes. See 0032_decisions.sql.
        _table(
            "decisions",
            "alert_id:str sequence:int receiver:str route:str at_ms:int why:str detail:str",
            "alert_id sequence receiver route at_ms",
        ),
        # Who has taken an alert on, as it stood at a transition.
        _table(
            "acknowledgements",
            "alert_id:str updated_ms:int sequence:int taken_back:int created_by:str comment:str",
            "alert_id",
            newest_by="updated_ms",
        ),
        # What people do not want to be told about; matchers and intervals as they are written.
        _table(
            "silences",
            "id:str updated_ms:int starts_ms:int ends_ms:int matchers:str created_by:str comment:str "
            "intervals:str tells:str",
            "id",
            newest_by="updated_ms",
        ),
        # Alerts that somebody else posted, as they stand; labels and annotations are JSON.
        _table(
            "posted",
            "fingerprint:str position:int labels:str annotations:str starts_ms:int ends_ms:int updated_ms:int "
            "has_timeout:int link:str",
            "fingerprint",
            newest_by="position",
        ),
        # Who wants to be told about which alerts; see 0036_subscriptions.sql.
        _table(
            "subscriptions",
            "id:str updated_ms:int created_ms:int ended:int matchers:str receiver:str address:str group_by:str "
            "group_wait_ms:int group_interval_ms:int repeat_interval_ms:int created_by:str comment:str",
            "id",
            newest_by="updated_ms",
        ),
        _table(
            "checkpoints",
            "stage:str name:str partition:int position:int config:str state:bytes",
            "stage name partition",
            newest_by="position",
        ),
        # How far a partition has closed its panes: written after the rows it speaks of.
        _table(
            "progress",
            "model:str topic:str partition:int closed_ms:int newest_ms:int next_offset:int",
            "model topic partition",
            newest_by="next_offset",
        ),
        # From which offset on which configuration of a model was in force, and how the partition's clock stood there.
        _table(
            "epochs",
            "topic:str partition:int model:str from_offset:int config:str newest_ms:int closed_ms:int number:int",
            "topic partition model from_offset",
            newest_by="number",
        ),
        # Under which incident an alert was told first.
        _table("incident_alerts", "alert_id:str incident:str fired_ms:int", "alert_id"),
        # What was announced to have been changed; labels are JSON.
        _table(
            "deployments",
            "id:str updated_ms:int at_ms:int name:str version:str models:strs topics:strs labels:str link:str "
            "created_by:str",
            "id",
            newest_by="updated_ms",
        ),
        # When events of each version of a model were first seen: the start of the first pane that has one.
        _table("versions", "model:str version:str first_ms:int", "model version"),
        # Messages that were gone before they were read, and the stretch of event time that may lack them.
        _table(
            "gaps",
            "model:str topic:str partition:int first_offset:int next_offset:int from_ms:int to_ms:int",
            "model topic partition first_offset",
        ),
        # Which partitions there are, and which are silent. The row of who has read furthest counts.
        _table(
            "partitions",
            "topic:str partition:int idle:int next_offset:int",
            "topic partition",
            newest_by="next_offset",
        ),
        _table(
            "dead_letters",
            "topic:str partition:int offset:int model:str field:str action:str reason:str detail:str record_ms:int "
            "payload:bytes payload_bytes:int",
            "topic partition offset model field",
        ),
        # Rejected messages that were put back on their streams, and where they stand there.
        _table(
            "retries",
            "topic:str partition:int offset:int attempt:int at_ms:int to_partition:int to_offset:int",
            "topic partition offset attempt",
        ),
        # Single events, for models that keep some: by place in the log, with the time first (see 0010_events.sql).
        _table(
            "events",
            "model:str event_ms:int topic:str partition:int offset:int record_ms:int version:str id:str subject:str "
            "fields:str",
            "model event_ms topic partition offset",
        ),
        _table(
            "predictions",
            "model:str signal:str event_ms:int topic:str partition:int offset:int version:str segments:strs id:str "
            "subject:str value:float label:str",
            "model signal event_ms topic partition offset",
        ),
        _table(
            "labels",
            "model:str signal:str event_ms:int topic:str partition:int offset:int id:str subject:str value:float "
            "label:str",
            "model signal event_ms topic partition offset",
        ),
        # Who was erased, by a keyed hash, and the key.
        _table(
            "erasures",
            "subject_hash:str model:str at_ms:int until_ms:int state:str fields:strs report:str",
            "subject_hash model at_ms",
        ),
        _table("erasure_keys", "at_ms:int key:str", "at_ms key"),
    )
}
"""Every table that is written, by name; ``migrations/*.sql`` creates the same."""

_TIER = (
    "model:str signal:str segment:str version:str pane_start_ms:int late:int layout:str pane_ms:int n:int missing:int "
    "invalid:int out_of_range:int cells:ints counts:ints names:strs other:int sum_q:int sum_q2:int min:float max:float"
)

DERIVED: dict[str, Table] = {
    table.name: table
    for table in (
        # The score with the largest window_end_ms of each series and detector.
        Table("latest", TABLES["scores"].columns, TABLES["scores"].key[:-1]),
        # Panes added up to 5 minutes and to an hour, over all topics and partitions; those of which the stretch is no
        # multiple are left out. ``late`` is 1 for what came late, else 0. Names and counts are added up name by name:
        # a row may hold more names than its layout samples, and adding summaries (one is enough) cuts them.
        _table("panes_5m", _TIER, "model signal segment version pane_start_ms late layout"),
        _table("panes_1h", _TIER, "model signal segment version pane_start_ms late layout"),
    )
}
"""Tables that a store derives from those of ``TABLES``: to be read like them, and never stale; not to be written."""

READABLE = TABLES | DERIVED
"""Every table that ``Query`` may name."""


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
    limit : int or None
    columns : tuple of str
        All if empty.
    floors : mapping of column to mapping of model to bound
        ``floor <= column``, with another floor for each model; rows of models without one are left out.
    """

    table: str
    where: Mapping[str, Any] = field(default_factory=dict)
    low: Mapping[str, float] = field(default_factory=dict)
    high: Mapping[str, float] = field(default_factory=dict)
    order: tuple[str, ...] = ()
    descending: bool = False
    after: tuple[Any, ...] = ()
    limit: int | None = None
    columns: tuple[str, ...] = ()
    floors: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

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


BUCKETS = _table(
    "buckets",
    "model:str signal:str segment:str version:str detector:str bucket_start_ms:int bucket_end_ms:int windows:int n:int "
    "ok:int warning:int drift:int no_data:int learning:int statistic_min:float statistic_mean:float "
    "statistic_max:float severity:float worst_window_end_ms:int worst_window_ms:int worst_statistic:float "
    "worst_effect:float worst_min_effect:float worst_p_value:float worst_surprise:float worst_surprise_limit:float "
    "worst_status:str worst_n:int worst_baseline_n:int worst_baseline_from_ms:int worst_baseline_to_ms:int "
    "worst_idle:str worst_detail:str",
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
        Windows that end in this stretch, ``from_ms <= window_end_ms < to_ms``: the first and the last bucket may be
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
        All if empty. What is not asked for need not be read.
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


DRIFTING = _table(
    "drifting",
    "model:str signal:str segment:str version:str severity:float detector:str detectors:strs first_drift_ms:int "
    "last_drift_ms:int",
    "model signal segment version",
)
"""The columns that ``Store.drifting`` returns; not a table that is kept.

``severity`` is the largest ``effect / min_effect`` of the windows in drift, of any detector, and ``detector`` the one
that found it, among equals the first by name. ``detectors`` are all that saw drift, the strongest first. The two times
are the ends of the first and of the last window in drift.
"""


@dataclass(frozen=True)
class Drifting:
    """Which series to rank by how far they drifted; those with a severity above 0.

    Attributes
    ----------
    from_ms, to_ms : int
        Windows that end in this stretch, ``from_ms <= window_end_ms < to_ms``.
    where : mapping of column to value, or to a list of values of which one must match
        Columns of the series: ``model``, ``signal``, ``segment``, ``version``, ``detector``.
    limit : int or None
        Most series. They come by severity, the largest first, and then by model, signal, segment and version.
    """

    from_ms: int
    to_ms: int
    where: Mapping[str, Any] = field(default_factory=dict)
    limit: int | None = None


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

    def buckets(self, buckets: Buckets) -> Columns:
        """Return the columns of ``BUCKETS``: what the scores were like in each stretch of time.

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

    def refresh(self, settle_ms: int = 600_000) -> int:
        """Bring roll-ups up to date with what was written; to be called now and then, by any number of processes.

        No answer depends on it: it makes them fast.

        Parameters
        ----------
        settle_ms : int
            Only hours of event time that have been left alone for this long; longer than an append may take.

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
