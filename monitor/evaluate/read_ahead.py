"""Windows of the past: how many to learn from, and their panes, read while those before them are evaluated."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from detectors.change.legend import LAG_DAYS, REFERENCE_DAYS
from monitor.config.baseline import FirstEventsBaseline, RollingBaseline
from monitor.panes.reading import PaneRows, read_panes
from monitor.values import DAY_MS
from monitor.watch import Watch
from sinks.store.contract import Store

__all__ = ["CELLS_AT_ONCE", "in_batches", "learning_ms", "read_ahead"]


CELLS_AT_ONCE = 16_000_000
"""Counts of panes that are read in one go: about 100 MB, of which two are in memory at a time."""


def learning_ms(watch: Watch) -> int | None:
    """How much history the configuration needs before it can alarm; None for all there is.

    Examples
    --------
    A baseline of a data set needs no history, but the variation of each signal and four days' volume do.
    """
    spec = watch.model.spec
    if isinstance(spec.baseline, FirstEventsBaseline):
        return None
    defaults = spec.detect.defaults
    span_ms = spec.baseline.span if isinstance(spec.baseline, RollingBaseline) else 0
    windows_ms = span_ms + 2 * defaults.learn_windows * defaults.window
    if spec.detect.rule == "change":
        windows_ms = max(windows_ms, (REFERENCE_DAYS + LAG_DAYS) * DAY_MS)
    return max(windows_ms, 28 * DAY_MS) if "volume" in watch.uses.get("volume", {}) else windows_ms


def in_batches(ends_ms: range, cells: int) -> list[range]:
    """Cut ends of windows into batches whose panes fit into memory.

    Parameters
    ----------
    ends_ms : range
    cells : int
        Counts in the panes of all of them.

    Examples
    --------
    >>> in_batches(range(0, 10, 2), 2 * CELLS_AT_ONCE)
    [range(0, 6, 2), range(6, 10, 2)]
    """
    count = max(1, -(-cells // CELLS_AT_ONCE))
    length = max(1, -(-len(ends_ms) // count))
    return [ends_ms[start : start + length] for start in range(0, len(ends_ms), length)]


def read_ahead(
    store: Store, watch: Watch, batches: Iterable[range], signals: Sequence[str] | None, table: str
) -> Iterator[tuple[PaneRows, range]]:
    """Read each batch while the one before it is evaluated: the store and the kernels both work outside of Python.

    Parameters
    ----------
    store : Store
    watch : Watch
    batches : iterable of range
        Ends of windows.
    signals : sequence of str or None
        Only these.
    table : str
        Of panes.

    Yields
    ------
    (PaneRows, range)
    """
    window_ms = watch.model.spec.detect.defaults.window
    with ThreadPoolExecutor(1, thread_name_prefix="panes") as reader:
        waiting: deque[tuple[Future[PaneRows], range]] = deque()
        for ends in batches:
            reach = (ends[0] - window_ms, ends[-1])
            waiting.append((reader.submit(read_panes, store, watch, *reach, signals, table), ends))
            if len(waiting) > 1:
                panes, earlier = waiting.popleft()
                yield panes.result(), earlier
        for panes, ends in waiting:
            yield panes.result(), ends
