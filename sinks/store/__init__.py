"""Where results are kept. ``STORES`` lists every store there is."""

from __future__ import annotations

from collections.abc import Callable

from sinks.store.contract import Store, StoreError

__all__ = ["STORES", "open_store"]


def _memory(path: str) -> Store:
    from sinks.store.memory import MemoryStore

    return MemoryStore()


def _chdb(path: str) -> Store:
    from sinks.store.chdb import ChdbStore

    return ChdbStore(path)


STORES: dict[str, Callable[[str], Store]] = {
    "memory": _memory,
    "chdb": _chdb,
}
"""Every store by name: a function from a path to the store. Imports happen inside, since some take seconds."""


def open_store(kind: str, path: str = "") -> Store:
    """Open the store ``kind`` at ``path`` and bring its tables up to date.

    Parameters
    ----------
    kind : str
        A name in :data:`STORES`.
    path : str
        A directory for ``chdb``; ``memory`` has none.

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
    store = STORES[kind](path)
    try:
        store.migrate()
    except BaseException:
        store.close()
        raise
    return store
