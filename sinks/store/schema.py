"""The numbered migrations, and which of them a store still needs.

``migrations/0001_tables.sql``, ``0002_…``: forward only, every statement harmless when repeated, so that an
interrupted upgrade is finished by running it again. A statement ends with a semicolon at the end of a line.

A store records number and name of each migration that it has run. Both, and the statements, are final once they have
landed; a test compares them with the list of those that have.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources

from sinks.store.connection import Connection
from sinks.store.contract import StoreError

__all__ = [
    "EARLIER",
    "RECORD",
    "Migration",
    "lacking",
    "migrations",
    "pending",
    "recorded",
    "split_statements",
    "version",
]

RECORD = "schema_migrations"
"""The table in which a store records its migrations."""

Recorded = tuple[int, str]
"""Number and name of a migration, as a store has them."""

EARLIER: dict[Recorded, int] = {
    # From 09c33a7 on these landed with room left for numbers between; 88cf1be gave them the numbers that followed 36.
    # Stores of both kinds are in use, and a number alone may mean either of two migrations.
    (40, "versions"): 37,
    (41, "deployments"): 38,
    (42, "incident_alerts"): 39,
    (50, "told"): 40,
    (51, "posted"): 41,
    (52, "flapping"): 42,
}
"""Migrations under numbers that they have had, with the number that each has now."""

_NAME = re.compile(r"(\d{4})_(\w+)\.sql")


@dataclass(frozen=True)
class Migration:
    """One step from a version to the next.

    Attributes
    ----------
    version : int
        Counts from 1.
    name : str
    statements : tuple of str
    """

    version: int
    name: str
    statements: tuple[str, ...]

    @property
    def digest(self) -> str:
        """The statements without their comments, which may still be corrected once a migration has landed."""
        bare = re.sub(r"^--.*\n", "", "\n".join(self.statements), flags=re.MULTILINE)
        return hashlib.sha256(bare.encode()).hexdigest()[:16]


@cache
def migrations() -> tuple[Migration, ...]:
    """Return every migration there is, oldest first.

    Examples
    --------
    >>> [migration.version for migration in migrations()][:1]
    [1]
    """
    files = resources.files("sinks.store").joinpath("migrations").iterdir()
    named = [(match, file) for file in files if (match := _NAME.fullmatch(file.name))]
    steps = [Migration(int(match[1]), match[2], split_statements(file.read_text("utf-8"))) for match, file in named]
    return tuple(sorted(steps, key=lambda step: step.version))


def recorded(store: Connection) -> set[Recorded]:
    """Return which migrations a store says it has run; none if it is empty."""
    sql = "SELECT name FROM system.tables WHERE database = currentDatabase() AND name = {name:String}"
    if not store.query(sql, {"name": RECORD})["name"]:
        return set()
    rows = store.query(f"SELECT version, name FROM {RECORD}")
    return set(zip(rows["version"].tolist(), rows["name"], strict=True))


def pending(store: Connection) -> tuple[Migration, ...]:
    """Return what ``store`` lacks; see :func:`lacking`."""
    return lacking(recorded(store), store.where)


def lacking(applied: Collection[Recorded], where: str) -> tuple[Migration, ...]:
    """Return the migrations that a store which has recorded ``applied`` lacks.

    One that has run under an earlier number comes without statements: only its record is missing. To be run in order,
    since a number is recorded anew only after the migration that had it before has another.

    Parameters
    ----------
    applied : collection of (int, str)
    where : str
        Names the store in the error.

    Raises
    ------
    StoreError
        If the store has a migration that this code does not know.

    Examples
    --------
    >>> lacking([(step.version, step.name) for step in migrations()], "data")
    ()
    """
    steps = migrations()
    current = {(step.version, step.name) for step in steps}
    if unknown := {*applied} - current - EARLIER.keys():
        number, name = max(unknown)
        raise StoreError(
            f"the store at {where} has schema version {number} ({name}), this version of Leeway knows "
            f"{steps[-1].version} ({steps[-1].name}): start the newer version that wrote it, or use another directory"
        )
    renumbered = {EARLIER[pair] for pair in applied if pair in EARLIER}
    return tuple(
        replace(step, statements=()) if step.version in renumbered else step
        for step in steps
        if (step.version, step.name) not in applied
    )


def version(applied: Collection[Recorded]) -> int:
    """Return the newest version among ``applied``, in today's numbers; 0 for an empty store.

    Examples
    --------
    >>> version([(36, "subscriptions"), (40, "versions")])
    37
    """
    return max((EARLIER.get(pair, pair[0]) for pair in applied), default=0)


def split_statements(text: str) -> tuple[str, ...]:
    r"""Return the statements of a file, each with the comments before it.

    Examples
    --------
    >>> split_statements("SELECT 1;\nSELECT ';';\n")
    ('SELECT 1', "SELECT ';'")
    """
    return tuple(part.strip() for part in re.split(r";\s*(?:\n|$)", text) if part.strip())
