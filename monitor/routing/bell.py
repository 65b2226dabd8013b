"""What wakes whoever follows a store: those of its own process that write news ring it.

Stages talk through the store alone, and each looks there by itself now and then. The bell only spares a stage of the
same process the wait until then.
"""

from __future__ import annotations

import threading
from weakref import WeakKeyDictionary

from sinks.store.contract import Store

__all__ = ["bell_of"]


def bell_of(store: Store) -> threading.Event:
    """Return the bell of a store, which everybody shares who writes it or follows it.

    Examples
    --------
    >>> from sinks.store.memory import MemoryStore
    >>> store = MemoryStore()
    >>> bell_of(store).set()
    >>> bell_of(store).is_set(), bell_of(MemoryStore()).is_set()
    (True, False)
    """
    return _BY_STORE.setdefault(store, threading.Event())


_BY_STORE: WeakKeyDictionary[Store, threading.Event] = WeakKeyDictionary()
