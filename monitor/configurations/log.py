"""Every version of a model's configuration, in the store; the last one of each model is in force.

A model has one owner. That of a model whose document is a file is the file: only who changes the file changes the
model. That of any other model is the API. A file for a model that the API owns is passed over, and said to be, until
the API gives the model up.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from hashlib import sha256
from typing import Literal

from monitor.clock import Clock
from monitor.errors import InputError
from sinks.store.change_log import append_first
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of

__all__ = [
    "ANY",
    "HEAD",
    "MOST_MODELS",
    "MOST_VERSIONS",
    "Change",
    "ConfigurationLog",
    "ConflictError",
    "Owner",
    "Version",
    "check_replaced",
    "digest_of",
]

Owner = Literal["file", "api", "nobody"]

MOST_MODELS, MOST_NAMES, MOST_VERSIONS = 10_000, 20_000, 10_000
"""Models that the API may own, names that it may have given up besides, and versions that it may add to one model.

No limit keeps anybody from a file, or from giving a model up.
"""

MOST_CHARACTERS = 2_000


class ConflictError(InputError):
    """Somebody else has changed the configuration meanwhile."""


@dataclass(frozen=True)
class Version:
    """A configuration that was accepted.

    Attributes
    ----------
    model : str
    version : int
        Counted from 1; 0 of what no store has.
    digest : str
        Of the document.
    owner : {"file", "api", "nobody"}
        ``nobody`` where the API has given the model up: there is no document then.
    file : str
        Where the document stood, of a file.
    author, reason : str
    document : str
        As it was written; empty where only a list of versions was asked for.
    at_ms : int
    template : str
        Like which one the model has registered itself; empty of any other, and once somebody has taken it over.
    """

    model: str
    version: int
    digest: str
    owner: Owner
    file: str = ""
    author: str = ""
    reason: str = ""
    document: str = ""
    at_ms: int = 0
    template: str = ""


@dataclass(frozen=True)
class Change:
    """A configuration that is to be accepted.

    Attributes
    ----------
    model, document : str
    owner : {"file", "api", "nobody"}
    file, author, reason, template : str
    """

    model: str
    document: str
    owner: Owner = "api"
    file: str = ""
    author: str = ""
    reason: str = ""
    template: str = ""


HEAD = tuple(field.name for field in fields(Version) if field.name != "document")
"""Columns of a version without its document."""

ANY = "*"
"""Whichever version is in force."""

POLLED = ("model", "version", "digest", "owner", "at_ms", "template")


def digest_of(document: str) -> str:
    """Return what a document is known by: a change of one character is another one.

    Examples
    --------
    >>> digest_of("kind: Model")
    'd7599d150d0efa84'
    """
    return sha256(document.encode()).hexdigest()[:16]


class ConfigurationLog:
    """The versions in one store.

    Of changes of one model that are accepted at the same moment, in whichever processes, the store takes one; each of
    the others follows it as the next version, or is refused if it was to replace another one.

    Parameters
    ----------
    store : Store
    clock : Clock

    Examples
    --------
    >>> from monitor.clock import ManualClock
    >>> from sinks.store.memory import MemoryStore
    >>> log = ConfigurationLog(MemoryStore(), ManualClock(now_ms=5))
    >>> log.put(Change("fraud", "kind: Model", author="ann", reason="to begin with")).version
    1
    >>> log.put(Change("fraud", "kind: Model")).version, log.newest("fraud").author
    (1, 'ann')
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock

    def heads(self) -> dict[str, Version]:
        """Return the last version of each model, without its document, and without what people have said of it.

        Raises
        ------
        StoreError
        """
        newest = Query("configurations", descending=True, first_by=("model",), columns=POLLED)
        return {row["model"]: Version(**row) for row in reversed(rows_of(self._store.read(newest)))}

    def newest(self, model: str) -> Version | None:
        """Return the last version of a model; None if it has none.

        Raises
        ------
        StoreError
        """
        return next(self._read({"model": model}, limit=1), None)

    def is_of_api(self, model: str) -> bool:
        """Whether the API owns a model.

        Raises
        ------
        StoreError
        """
        newest = self.newest(model)
        return newest is not None and newest.owner == "api"

    def version(self, model: str, number: int) -> Version | None:
        """Return one version of a model; None if there is no such version.

        Raises
        ------
        StoreError
        """
        return next(self._read({"model": model, "version": number}), None)

    def every(self, model: str) -> list[Version]:
        """Return every version of a model with its document, the last one first.

        Raises
        ------
        StoreError
        """
        return list(self._read({"model": model}))

    def put(self, change: Change, replaces: Collection[str] | None = None) -> Version:
        """Write down that a configuration is accepted, and return it; what is in force already is no version.

        Parameters
        ----------
        change : Change
        replaces : collection of str or None
            Which ones may be replaced, by digest or number, or :data:`ANY`; empty if there is to be none yet. Whatever
            there is, or is not, if None.

        Raises
        ------
        ConflictError
            Another one is in force.
        InputError
            The API is to own too many.
        StoreError
        """
        while True:
            newest = self.newest(change.model)
            check_replaced(newest, replaces)
            if newest is not None and (newest.digest, newest.owner) == (digest_of(change.document), change.owner):
                return newest
            version = self._next(change, newest)
            if self._written(version) == version:
                return version

    def _next(self, change: Change, newest: Version | None) -> Version:
        number = 1 if newest is None else newest.version + 1
        if change.owner == "api":
            self._check_room(change.model, number)
        return Version(
            change.model,
            number,
            digest_of(change.document),
            change.owner,
            change.file,
            change.author[:MOST_CHARACTERS],
            change.reason[:MOST_CHARACTERS],
            change.document,
            max(self._clock.now_ms(), 0 if newest is None else newest.at_ms + 1),
            change.template,
        )

    def _written(self, version: Version) -> Version:
        """Return the version that has this number: this one, or one that was written before."""
        model, number = version.model, version.version
        return append_first(
            self._store,
            "configurations",
            asdict(version),
            f"{model}/{number - 1}",
            lambda: self.version(model, number),
        )

    def _read(self, where: Mapping[str, object], limit: int | None = None) -> Iterator[Version]:
        query = Query("configurations", where, descending=True, limit=limit)
        return (Version(**row) for row in rows_of(self._store.read(query)))

    def _check_room(self, model: str, number: int) -> None:
        if number > MOST_VERSIONS:
            raise InputError(f"{model} has {MOST_VERSIONS:,} versions, which is the most: it may only be given up")
        heads = self.heads()
        owned = sum(head.owner == "api" for head in heads.values())
        if (model not in heads or heads[model].owner != "api") and owned >= MOST_MODELS:
            raise InputError(f"the API owns {MOST_MODELS:,} models already: give one up first")
        if model not in heads and len(heads) - owned >= MOST_NAMES:
            raise InputError(
                f"{MOST_NAMES:,} names of models are known that the API does not own, and their versions are kept for"
                " ever: take one of these"
            )


def check_replaced(newest: Version | None, replaces: Collection[str] | None) -> None:
    """Raise an error unless what is in force is what somebody wants to replace.

    Examples
    --------
    >>> check_replaced(Version("fraud", 3, "4e07", "api"), ["2", "3"])
    >>> check_replaced(Version("fraud", 3, "4e07", "api", author="bob"), ["2"])
    Traceback (most recent call last):
    ...
    monitor.configurations.log.ConflictError: version 3 (4e07) of fraud is in force, by bob, and not 2
    """
    if replaces is None:
        return
    if newest is None or newest.owner == "nobody":
        if replaces:
            raise ConflictError(f"{' or '.join(replaces)} is to be replaced, and there is no configuration")
    elif not {newest.digest, str(newest.version), ANY} & {*replaces}:
        by = f", by {newest.author}" if newest.author else ""
        other = f"not {' or '.join(replaces)}" if replaces else "none is to be there yet"
        raise ConflictError(
            f"version {newest.version} ({newest.digest}) of {newest.model} is in force{by}, and {other}"
        )
