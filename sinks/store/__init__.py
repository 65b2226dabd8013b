"""Where results are kept. ``STORES`` lists every store there is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sinks.store.contract import Store, StoreError

__all__ = ["STORES", "open_store"]


def _memory() -> Store:
    from sinks.store.memory import MemoryStore

    return MemoryStore()


def _chdb(**settings: Any) -> Store:
    from sinks.store.chdb import ChdbStore

    return ChdbStore(**settings)


def _clickhouse(**settings: Any) -> Store:
    from sinks.store.clickhouse import ClickhouseStore

    return ClickhouseStore.from_settings(**settings)


STORES: dict[str, Callable[..., Store]] = {
    "memory": _memory,
    "chdb": _chdb,
    "clickhouse": _clickhouse,
}
"""Every store by name: a function from its settings to the store. Imports happen inside, since some take seconds."""


def open_store(kind: str, path: str = "", **settings: Any) -> Store:
    """Open the store ``kind`` and bring its tables up to date.

    Parameters
    ----------
    kind : str
        A name in :data:`STORES`.
    path : str
        The directory of ``chdb``.
    **settings
        What the store of that kind takes.

    Raises
    ------
    StoreError
        If there is no such store, or it cannot be opened.

    Examples
    --------
    >>> store = open_store("memory")
    >>> store.close()
    """
    if kind not in STORES:
        raise StoreError(f"there is no store {kind!r}; stores: {', '.join(STORES)}")
    store = STORES[kind](**({"path": path} if path else {}), **settings)
    # A store that could not be brought up to date would hold its directory, or connections, for nobody.
    try:
        store.migrate()
    except BaseException:
        store.close()
        raise
    return store
