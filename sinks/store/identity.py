"""Who a store is: a name of its own, kept in the store itself, the same for every process that shares the store."""

from __future__ import annotations

import uuid

from sinks.store.contract import Query, Store
from sinks.store.filling import IDENTITY

__all__ = ["identity_of"]

_DIGITS = 12


def identity_of(store: Store) -> str:
    """Return the store's identity; whoever asks first makes it.

    A backup does not hold it: a store that is restored is another one.

    Parameters
    ----------
    store : Store
        With its tables.

    Raises
    ------
    StoreError

    Examples
    --------
    >>> from sinks.store.memory import MemoryStore
    >>> store = MemoryStore()
    >>> identity_of(store) == identity_of(store)
    True
    >>> identity_of(store) == identity_of(MemoryStore())
    False
    """
    if not (identities := _read(store)):
        # Several processes may find none at once. All of them append under one token, so that the first one's stays; on
        # a cluster too, where all identities go to one shard.
        store.append(IDENTITY, {"id": [uuid.uuid4().hex[:_DIGITS]]}, IDENTITY)
        identities = _read(store)
    return min(identities)


def _read(store: Store) -> list[str]:
    return list(store.read(Query(IDENTITY))["id"])
