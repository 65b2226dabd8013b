"""With which panes windows are evaluated, in the store: an input that the clock decided.

A partition that is read to its end and silent holds no window back. When it falls silent depends on the clock, and so
does which of its panes there are by then. So up to where the panes of each partition count is written down before a
window is evaluated. Whoever evaluates it again, after a crash or in a replay with this log, takes those panes and no
others, whatever has come since. What comes later counts in its panes, and in windows that are evaluated later.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from monitor.evaluate.horizon import NOTHING_MS, Closed, Horizon
from monitor.events import ENDED, Partition
from monitor.values import DAY_MS
from sinks.store.batch import Rows, add_row, append, empty_rows
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of

__all__ = ["Basis", "HorizonLog", "read_bases"]


@dataclass(frozen=True)
class Basis:
    """With which panes some windows are evaluated.

    Attributes
    ----------
    from_ms, to_ms : int
        Ends of the first and of the last of them.
    counted_ms : mapping of Partition to int
        Panes of a partition count that start before this; those of other partitions do not.
    is_first : bool
        Whether the model had no window before.
    """

    from_ms: int
    to_ms: int
    counted_ms: Mapping[Partition, int]
    is_first: bool = False

    def missing(self, end_ms: int) -> str:
        """Name the partitions without which the window that ends there is evaluated.

        Examples
        --------
        >>> Basis(60, 120, {("t", 0): 1 << 62, ("t", 1): 80}).missing(90)
        't/1'
        """
        return ",".join(_name(partition) for partition, ms in sorted(self.counted_ms.items()) if ms < end_ms)

    def reach_ms(self, horizon: Horizon, closed: Mapping[Partition, Closed]) -> int:
        """Return the end of the last window whose panes are there, which may lie before the first one's.

        Of a silent partition nothing is waited for: if panes of it are not there, its log has lost their events.

        Parameters
        ----------
        horizon : Horizon
        closed : mapping of Partition to Closed
            Of the partitions that the model reads.

        Examples
        --------
        >>> basis = Basis(60, 120, {("t", 0): 1 << 62, ("t", 1): 80})
        >>> basis.reach_ms(Horizon(), {("t", 0): Closed(100, 105), ("t", 1): Closed(90, 95)})
        100
        """
        reach_ms = self.to_ms
        for partition in self.counted_ms.keys() - horizon.idle:
            if partition in closed and closed[partition].closed_ms < self.counted_ms[partition]:
                reach_ms = min(reach_ms, closed[partition].closed_ms)
            elif partition in horizon.expected - closed.keys() and self.counted_ms[partition] > NOTHING_MS:
                return NOTHING_MS
        return reach_ms

    def by_day(self, step_ms: int) -> Iterator[Basis]:
        """Yield it in parts, each of windows that end on one day: windows may go on for ever, and rows may not."""
        from_ms = self.from_ms
        while from_ms <= self.to_ms:
            last_ms = min(self.to_ms, (from_ms // DAY_MS + 1) * DAY_MS - 1)
            to_ms = from_ms + (last_ms - from_ms) // step_ms * step_ms
            yield replace(self, from_ms=from_ms, to_ms=to_ms, is_first=self.is_first and from_ms == self.from_ms)
            from_ms = to_ms + step_ms

    def goes_on_as(self, other: Basis, step_ms: int) -> bool:
        """Whether another one is about the windows behind its own, on the same day and with the same panes."""
        is_next = self.to_ms + step_ms == other.from_ms and self.from_ms // DAY_MS == other.to_ms // DAY_MS
        return is_next and self.counted_ms == other.counted_ms


class HorizonLog:
    """With which panes the windows of one model are evaluated, from some window on.

    Parameters
    ----------
    store : Store
    model : str
    step_ms : int
        How far apart windows are.
    next_end_ms : int or None
        End of the first window that is not evaluated yet; None if none is.

    Examples
    --------
    >>> from sinks.store.memory import MemoryStore
    >>> store = MemoryStore()
    >>> log = HorizonLog(store, "fraud", 20, None)
    >>> log.decide(Basis(60, 100, {("t", 0): 80}, is_first=True))
    >>> log.decide(Basis(120, 140, {("t", 0): 80}))
    >>> [(basis.from_ms, basis.to_ms, basis.is_first) for basis in read_bases(store, "fraud")]
    [(60, 140, True)]
    >>> again = HorizonLog(store, "fraud", 20, None)
    >>> again.first_end_ms, again.at(120).missing(120), again.at(160)
    (60, 't/0', None)
    """

    def __init__(self, store: Store, model: str, step_ms: int, next_end_ms: int | None) -> None:
        self._store, self._model, self._step_ms = store, model, step_ms
        self._bases: list[Basis] = []
        self.reload(next_end_ms)

    def reload(self, next_end_ms: int | None) -> None:
        """Take in what was decided, by whomever, of this window and those behind it.

        Raises
        ------
        StoreError
        """
        # What was decided last may go on.
        from_ms = NOTHING_MS if next_end_ms is None else next_end_ms - self._step_ms
        self._bases = read_bases(self._store, self._model, from_ms)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is decided."""
        return not self._bases

    @property
    def first_end_ms(self) -> int | None:
        """The end of the first window of all, if that was decided."""
        return self._bases[0].from_ms if self._bases and self._bases[0].is_first else None

    def at(self, end_ms: int) -> Basis | None:
        """Return with what the window that ends there is evaluated, and those behind it; None if that is open.

        Where two that evaluate have decided at once, what begins later holds from there on.
        """
        covering = [basis for basis in self._bases[: self._begun_by(end_ms)] if end_ms <= basis.to_ms]
        if not covering:
            return None
        return replace(covering[-1], to_ms=min(covering[-1].to_ms, self.open_until_ms(end_ms)))

    def open_until_ms(self, end_ms: int) -> int:
        """Return up to where nothing else is decided than for the window that ends there, if for that."""
        count = self._begun_by(end_ms)
        return self._bases[count].from_ms - 1 if count < len(self._bases) else ENDED

    def _begun_by(self, end_ms: int) -> int:
        """How many of the bases begin with this window or one before it."""
        return bisect_right(self._bases, end_ms, key=lambda basis: basis.from_ms)

    def decide(self, basis: Basis) -> None:
        """Write down with what windows are evaluated of which that was open.

        It is read back then: another that evaluates may have decided at the same moment, and what is stored holds.

        Raises
        ------
        StoreError
        """
        parts = list(basis.by_day(self._step_ms))
        count = self._begun_by(basis.from_ms)
        if count and self._bases[count - 1].goes_on_as(parts[0], self._step_ms):
            parts[0] = replace(self._bases[count - 1], to_ms=parts[0].to_ms)
        append(self._store, "horizons", self._rows(parts))
        self.reload(basis.from_ms)

    def _rows(self, bases: Iterable[Basis]) -> Rows:
        rows = empty_rows("horizons")
        for basis in bases:
            partitions = sorted(basis.counted_ms)
            row = {
                "model": self._model,
                "from_ms": basis.from_ms,
                "to_ms": basis.to_ms,
                "partitions": [_name(partition) for partition in partitions],
                "counted_ms": [basis.counted_ms[partition] for partition in partitions],
                "is_first": int(basis.is_first),
            }
            add_row(rows, row)
        return rows


def read_bases(store: Store, model: str, from_ms: int = NOTHING_MS, to_ms: int = ENDED) -> list[Basis]:
    """Return with what the windows of a model were evaluated that end within ``[from_ms, to_ms)``, in their order.

    Raises
    ------
    StoreError
    """
    rows = rows_of(store.read(Query("horizons", {"model": model}, {"to_ms": from_ms}, {"from_ms": to_ms})))
    return [
        Basis(row["from_ms"], row["to_ms"], _counted_ms(row["partitions"], row["counted_ms"]), bool(row["is_first"]))
        for row in rows
    ]


def _counted_ms(partitions: Iterable[str], counted_ms: Iterable[int]) -> dict[Partition, int]:
    named = (name.rpartition("/") for name in partitions)
    return {(topic, int(number)): int(ms) for (topic, _, number), ms in zip(named, counted_ms, strict=True)}


def _name(partition: Partition) -> str:
    return f"{partition[0]}/{partition[1]}"
