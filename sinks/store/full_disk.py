"""Nothing is lost of what the engine in this process writes while its disk is full, which it does not notice.

What may have been written without room is not acknowledged, and is written anew when it is repeated, whatever the
engine remembers of it; parts that were cut off give way to those that they replaced.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import structlog

from sinks.store.contract import StoreError
from sinks.store.cut_parts import CutPart, PartsOnDisk
from sinks.store.sessions import CLOSE_WITHIN_S, Turns

__all__ = ["FullDisk"]

log = structlog.get_logger("leeway.store")

LOOK_EVERY_S = 30.0
"""How often to look for parts that were cut off: well within the time for which the engine keeps what they replaced."""

ALONE_WITHIN_S = 10.0
"""How long statements may go on before tables are attached anew; after that these wait for the next look."""


class FullDisk:
    """What watches over the writes of one engine.

    Parameters
    ----------
    path : Path
        On the disk.
    free_bytes : int
        Of what is written while there is less room, nobody can be sure.
    ask : callable
        Runs a statement and returns its result in the engine's format JSONCompactEachRow.
    on_look : callable
        Called after each look.
    look_every_s : float
    """

    def __init__(
        self,
        path: Path,
        free_bytes: int,
        ask: Callable[[str], str],
        on_look: Callable[[], None] = lambda: None,
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        self._path, self._free_bytes, self._on_look, self._look_every_s = path, free_bytes, on_look, look_every_s
        self._parts, self._mending, self._turns = PartsOnDisk(ask), threading.Lock(), Turns()
        self._set_aside, self._doubts = "", 0
        self._doubting = threading.Lock()
        self._closed = threading.Event()
        self._looking = threading.Thread(target=self._look, name="parts on the disk", daemon=True)

    def start(self) -> None:
        """Begin to look.

        Raises
        ------
        StoreError
            As ``ask`` does, if the engine does not answer.
        """
        self._set_aside = self._parts.set_aside()
        self._looking.start()

    def free(self) -> int:
        """Return how many bytes of the disk are free."""
        disk = os.statvfs(self._path)
        return disk.f_bavail * disk.f_frsize

    def reading(self) -> AbstractContextManager[None]:
        """Hold while a statement reads; no table is attached anew meanwhile."""
        return self._turns.shared()

    @contextmanager
    def writing(self) -> Iterator[str]:
        """Hold while a statement writes; lends what to add to the tokens of inserts.

        Raises
        ------
        StoreError
            If a table is away; at the end, if what was written may not be there. May be tried again.
        """
        with self._turns.shared():
            if reason := self.tables_away():
                raise StoreError(reason, retryable=True)
            doubts = self._doubts
            try:
                yield self._set_aside + (f"-{doubts}" if doubts else "")
            finally:
                # Others write meanwhile, and look at the disk: what one of them doubts no other takes back.
                if self.free() < self._free_bytes:
                    with self._doubting:
                        self._doubts += 1
            if doubts != self._doubts:
                raise StoreError(
                    f"store at {self._path}: not enough free space was left while it wrote", retryable=True
                )

    def tables_away(self) -> str:
        """Return why nothing is written since the engine has not given tables back, for people; empty if it has."""
        away = self._parts.away
        if not away:
            return ""
        names = ", ".join(sorted(table for _, table in away))
        return (
            f"the engine has not given back tables of the store at {self._path} that a full disk had cut parts of off: "
            f"nothing is written until it does; Leeway tries again, as does a restart: {names} ({min(away.values())})"
        )

    def mend(self) -> bool:
        """Have parts that were cut off give way to what they replaced; return whether there were any."""
        with self._mending:
            if self._closed.is_set():
                return False
            cut, away = self._parts.cut(), sorted(self._parts.away)
            if not cut and not away:
                return False
            with self._turns.alone(ALONE_WITHIN_S) as is_alone:
                if not is_alone:
                    return False
                self._reload(cut, away)
        tables = {table for _, table, _ in cut} | {table for _, table in away}
        reloaded = sorted(tables - {table for _, table in self._parts.away})
        if reloaded:
            message = "a full disk has cut off parts of the store; what they replaced is in use again"
            log.warning(message, tables=reloaded)
        return True

    def _reload(self, cut: list[CutPart], away: list[tuple[str, str]]) -> None:
        try:
            for table in away:
                self._parts.attach(table)
            self._parts.reload(cut)
        finally:
            self._set_aside = self._parts.set_aside()
            for (_, name), reason in self._parts.away.items():
                log.error("the engine does not give a table of the store back", table=name, reason=reason)

    def _look(self) -> None:
        while not self._closed.wait(self._look_every_s):
            try:
                self.mend()
            except StoreError as error:
                log.warning("nobody knows whether a full disk has cut off parts of the store", reason=str(error))
            self._on_look()

    def close(self) -> None:
        """Look no more. A look that is under way is waited for, :data:`CLOSE_WITHIN_S` at most; it uses ``ask``."""
        self._closed.set()
        if self._looking.is_alive():
            self._looking.join(CLOSE_WITHIN_S)
        if self._mending.acquire(timeout=CLOSE_WITHIN_S):
            self._mending.release()
