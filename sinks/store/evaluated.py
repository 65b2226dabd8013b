"""How far windows are evaluated, as stored: after a crash some are evaluated again, and must not be decided anew."""

from __future__ import annotations

from collections.abc import Callable

from sinks.store.contract import Query, Store

__all__ = ["first_unwritten"]


def first_unwritten(
    store: Store, model: str, next_end_ms: int, step_ms: int, alerts: str, is_own: Callable[[str], bool]
) -> int:
    """Return the end of the first window of which nothing is stored yet.

    Whatever people decide has effect from there on. After a crash evaluation goes on from its checkpoint, behind which
    windows may have been evaluated, and people have decided by what these said.

    Parameters
    ----------
    store : Store
    model : str
    next_end_ms, step_ms : int
        End of the window that is evaluated next, and how far apart windows are.
    alerts : str
        The table of alerts that are made of these windows.
    is_own : callable
        Whether the windows of a signal are among these.

    Raises
    ------
    StoreError

    Examples
    --------
    >>> from sinks.store.memory import MemoryStore
    >>> store = MemoryStore()
    >>> store.migrate()
    >>> first_unwritten(store, "fraud", 60_000, 10_000, "alerts", lambda signal: True)
    60000
    """
    where = {"model": model}
    scores = store.read(Query("scores", where, {"window_end_ms": next_end_ms}, columns=("signal", "window_end_ms")))
    of_alerts = store.read(Query(alerts, where, {"at_ms": next_end_ms}, columns=("at_ms",)))
    own = {name: is_own(name) for name in set(scores["signal"])}
    written = [end for name, end in zip(scores["signal"], scores["window_end_ms"], strict=True) if own[name]]
    newest_ms = max(map(int, [*written, *of_alerts["at_ms"]]), default=None)
    if newest_ms is None:
        return next_end_ms
    return next_end_ms + ((newest_ms - next_end_ms) // step_ms + 1) * step_ms
