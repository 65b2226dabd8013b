"""The numbered migrations, and which of them a store still needs.

``migrations/0001_tables.sql``, ``0002_…``: forward only, every statement harmless when repeated, so that an
interrupted upgrade is finished by running it again. A statement ends with a semicolon at the end of a line.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from importlib import resources

from sinks.store.contract import StoreError

__all__ = ["Migration", "migrations", "pending"]

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


def migrations() -> tuple[Migration, ...]:
    """Return every migration there is, oldest first.

    Examples
    --------
    >>> [migration.version for migration in migrations()][:1]
    [1]
    """
    files = resources.files("sinks.store").joinpath("migrations").iterdir()
    found = [(match, file) for file in files if (match := _NAME.fullmatch(file.name))]
    steps = [Migration(int(match[1]), match[2], _statements(file.read_text("utf-8"))) for match, file in found]
    return tuple(sorted(steps, key=lambda step: step.version))


def pending(applied: Collection[int], where: str) -> tuple[Migration, ...]:
    """Return the migrations that a store with the versions ``applied`` lacks.

    Parameters
    ----------
    applied : collection of int
    where : str
        Names the store in the error.

    Raises
    ------
    StoreError
        If the store has a version that this code does not know.

    Examples
    --------
    >>> pending([step.version for step in migrations()], "data")
    ()
    """
    known = migrations()
    newest = known[-1].version
    if applied and max(applied) > newest:
        raise StoreError(
            f"the store at {where} has schema version {max(applied)}, this version of Leeway knows {newest}: "
            "start the newer version that wrote it, or use another directory"
        )
    return tuple(step for step in known if step.version not in applied)


def _statements(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in re.split(r";\s*(?:\n|$)", text) if part.strip())
