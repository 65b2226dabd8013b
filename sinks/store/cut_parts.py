"""Parts that the engine has put into use although a full disk has cut them off, and the way back to what they replaced.

chDB 26.9 does not look at what the system answers to a write. Where there is no room, a merge ends with a part of empty
files, which takes the place of those that it was made of, and an insert is acknowledged. A server gives up and says so.

What a part has replaced is removed only :data:`KEPT_S` later, if the engine runs with :func:`engine_configuration`. A
table that is attached anew, as each is at a start, sets aside what it cannot read and goes back to what is still there.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from sinks.store.contract import StoreError

__all__ = ["KEPT_S", "CutPart", "PartsOnDisk", "engine_configuration"]

KEPT_S = 480
"""How long parts stay that others have replaced. A server's default; chDB removes them at once."""

ATTEMPTS = 600
_UNCOUNTED = frozenset(
    ("checksums.txt", "columns.txt", "columns_substreams.txt", "default_compression_codec.txt", "metadata_version.txt")
)
"""Files of a part that its size does not count, and that are never empty."""


class CutPart(NamedTuple):
    """A part in use of which bytes are missing.

    Attributes
    ----------
    database, table : str
    path : str
        Its folder.
    """

    database: str
    table: str
    path: str


def engine_configuration(free_bytes: int) -> bytes:
    """Return a configuration file for the engine in this process.

    Parameters
    ----------
    free_bytes : int
        Neither an insert nor a merge begins that may leave less room than this.
    """
    return (
        f"<clickhouse><merge_tree><old_parts_lifetime>{KEPT_S}</old_parts_lifetime></merge_tree>"
        f"<storage_configuration><disks><default><keep_free_space_bytes>{free_bytes}</keep_free_space_bytes>"
        "</default></disks></storage_configuration></clickhouse>"
    ).encode()


class PartsOnDisk:
    """The parts of an engine whose files can be looked at.

    Parameters
    ----------
    ask : callable
        Runs a statement and returns its result in the engine's format JSONCompactEachRow; raises StoreError.
    """

    def __init__(self, ask: Callable[[str], str]) -> None:
        self._ask = ask
        self._looked_at: set[str] = set()
        self._away: dict[tuple[str, str], str] = {}

    @property
    def away(self) -> Mapping[tuple[str, str], str]:
        """Why the engine has not given a table back, by database and name."""
        return dict(self._away)

    def cut(self) -> list[CutPart]:
        """Return those that are in use and not whole; each part is looked at until it was found whole, or reloaded."""
        rows = self._rows("SELECT database, table, path, toString(bytes_on_disk) FROM system.parts WHERE active")
        new = [row for row in rows if row[2] not in self._looked_at]
        cut = [CutPart(*row[:3]) for row in new if _is_cut(row[2], int(row[3]))]
        self._looked_at = {row[2] for row in rows} - {part.path for part in cut}
        return cut

    def reload(self, parts: Iterable[CutPart]) -> None:
        """Attach their tables anew; nobody may use these meanwhile. One that the engine does not give back is away.

        Raises
        ------
        StoreError
            If a table cannot be detached; the others are attached anew.
        """
        parts_of: dict[tuple[str, str], set[str]] = {}
        failure: StoreError | None = None
        for part in parts:
            parts_of.setdefault(part[:2], set()).add(part.path)
        for table, paths in sorted(parts_of.items()):
            try:
                self._ask(f"DETACH TABLE {_quoted(table)}")
            except StoreError as error:
                failure = error
            else:
                # One that the engine can read after all stays in use.
                self._looked_at |= paths
            self._away[table] = "it is being attached anew"
            self.attach(table, ATTEMPTS)
        if failure:
            raise failure

    def attach(self, table: tuple[str, str], attempts: int = 1) -> None:
        """Have the engine give a table back that is away, if it does."""
        for attempt in range(attempts):
            try:
                self._ask(f"ATTACH TABLE {_quoted(table)}")
            except StoreError as error:
                # A statement that fails may have been carried out, and then the table is there.
                if "already exists" not in str(error):
                    self._away[table] = str(error)
                    if "still used" not in str(error):
                        return
                    if attempt + 1 < attempts:
                        self._ask("SELECT sleep(0.1)")
                    continue
            del self._away[table]
            return

    def set_aside(self) -> str:
        """Return a digest of the names of all parts that the engine could not read; empty if there are none.

        With it in its token, an insert whose rows are gone is not taken for one that is there.
        """
        rows = self._rows(
            "SELECT database, table, name FROM system.detached_parts WHERE startsWith(reason, 'broken') ORDER BY ALL"
        )
        return hashlib.blake2b(json.dumps(rows).encode(), digest_size=16).hexdigest() if rows else ""

    def _rows(self, sql: str) -> list[list[str]]:
        return [json.loads(line) for line in self._ask(sql).splitlines()]


def _quoted(table: tuple[str, str]) -> str:
    return ".".join(f"`{name}`" for name in table)


def _is_cut(path: str, counted_bytes: int) -> bool:
    """Whether a part's files are shorter than the engine takes them for."""
    sizes: dict[str, int] = {}
    try:
        for folder, _, names in os.walk(path):
            sizes |= {os.path.join(folder, name): os.path.getsize(os.path.join(folder, name)) for name in names}
    except FileNotFoundError:  # replaced and removed meanwhile
        return False
    uncounted = {file for file in sizes if os.path.basename(file) in _UNCOUNTED}
    is_short = sum(sizes[file] for file in sizes.keys() - uncounted) < counted_bytes
    return bool(sizes) and (is_short or not all(sizes[file] for file in uncounted))
