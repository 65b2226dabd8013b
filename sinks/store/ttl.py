"""What the engine says of the lifetimes that tables have."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sinks.store.sqlstore import SqlStore

__all__ = ["present"]


def present(store: SqlStore) -> dict[str, str]:
    """Return the TTL of every table that has one, as the engine writes it."""
    found = store.query(
        "SELECT name, engine_full FROM system.tables WHERE database = currentDatabase() AND engine_full LIKE '% TTL %'"
    )
    ttls = {}
    for name, engine in zip(found["name"], found["engine_full"], strict=True):
        match = re.search(r" TTL (.+?)(?: SETTINGS |$)", engine, re.DOTALL)
        if match:
            ttls[name.removesuffix("_local")] = match[1]
    return ttls
