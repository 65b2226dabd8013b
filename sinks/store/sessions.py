"""Sessions of the ClickHouse in this process, and the right to the directory they share."""

from __future__ import annotations

import errno
import fcntl
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sinks.store.contract import StoreError
from sinks.store.failures import engine_error

__all__ = ["DirectoryLock", "InUseError", "Sessions", "Turns"]

CLOSE_WITHIN_S = 30.0
"""Whoever closes waits so long for statements of others."""


class InUseError(StoreError):
    """Another process has the directory of a store, or this one has a store already."""


class DirectoryLock:
    """The right of one store to one directory, given up at the latest when the process ends.

    The engine refuses a second user as well, but says neither who holds the directory nor what to do.

    Parameters
    ----------
    path : Path
        Made if it is not there, for this user alone: the engine lets everybody read its files.

    Raises
    ------
    InUseError
        If another process holds the directory, or this one holds any.
    StoreError
        If it cannot be written.
    """

    _held: Path | None = None
    _holding = threading.Lock()

    def __init__(self, path: Path) -> None:
        self._path = path
        with DirectoryLock._holding:
            self._check_unheld()
            self._file = self._locked()
            DirectoryLock._held = path

    def _check_unheld(self) -> None:
        held = DirectoryLock._held
        if held is not None:
            raise InUseError(
                f"cannot open the store at {self._path}: this process already has the store at {held} open, and "
                "can have one at a time; share that one, or close it first"
            )

    def _locked(self) -> int:
        try:
            self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self._path / "leeway.lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise self._unwritable(error) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._sign(descriptor)
        except OSError as error:
            holder = os.read(descriptor, 32).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise self._refusal(error, holder) from error
        return descriptor

    @staticmethod
    def _sign(descriptor: int) -> None:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)

    def _unwritable(self, error: OSError) -> StoreError:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        return StoreError(f"cannot write to the store directory {self._path}: {error.strerror}", retryable=full)

    def _refusal(self, error: OSError, holder: str) -> StoreError:
        if not isinstance(error, BlockingIOError):
            return self._unwritable(error)
        return InUseError(
            f"the store at {self._path} is in use by process {holder}: a store directory belongs to one process. "
            "The API lives with the store: ask the running service, or stop it first. Several processes need a "
            "ClickHouse server"
        )

    def release(self) -> None:
        """Give the directory up; a second time does nothing."""
        with DirectoryLock._holding:
            if self._file >= 0:
                os.close(self._file)
                self._file = -1
                DirectoryLock._held = None


class Turns:
    """Any number of statements at a time, or one that wants to be alone.

    Examples
    --------
    >>> turns = Turns()
    >>> with turns.shared(), turns.alone(within_s=0) as is_alone:
    ...     print(is_alone)
    False
    """

    def __init__(self) -> None:
        self._busy, self._is_alone = 0, False
        self._changed = threading.Condition()

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Take part, once nobody is alone."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_alone)
            self._busy += 1
        try:
            yield
        finally:
            with self._changed:
                self._busy -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self, within_s: float) -> Iterator[bool]:
        """Have others wait; whether those under way ended in time, else everybody goes on. For one thread at a time."""
        with self._changed:
            self._is_alone = True
            self._is_alone = is_alone = self._changed.wait_for(lambda: self._busy == 0, within_s)
            self._changed.notify_all()
        try:
            yield is_alone
        finally:
            with self._changed:
                self._is_alone = False
                self._changed.notify_all()


class Sessions:
    """Sessions with one set of settings; each serves one thread at a time, and then the next.

    Parameters
    ----------
    path : Path
    settings : mapping of str to value
        Numbers and names from code only: they are pasted.
    configuration : str
        A file for the engine; only the first session of a process starts that.
    """

    def __init__(self, path: Path, settings: Mapping[str, int | str], configuration: str) -> None:
        self._path, self._configuration = path, configuration
        self._set = "SET " + ", ".join(f"{name} = {value!r}" for name, value in settings.items())
        self._idle: list[Any] = []
        self._borrowers: list[int] = []
        self._closed = False
        self._changed = threading.Condition()

    @contextmanager
    def session(self) -> Iterator[Any]:
        """Lend a session.

        Raises
        ------
        StoreError
            Instead of whatever the engine raises inside, if it cannot be loaded, and if the sessions are closed.
        """
        borrower, healthy = threading.get_ident(), False
        session = self._take(borrower)
        try:
            if session is None:
                session = self._opened()
            yield session
            healthy = True
        except RuntimeError as error:
            raise engine_error(str(self._path), str(error)) from error
        finally:
            self._give_back(borrower, session, healthy)

    def _take(self, borrower: int) -> Any:
        with self._changed:
            if self._closed:
                raise StoreError(f"the store at {self._path} is closed")
            self._borrowers.append(borrower)
            return self._idle.pop() if self._idle else None

    def _opened(self) -> Any:
        session: Any = self._engine()(f"{self._path}?config-file={self._configuration}")
        try:
            session.query(self._set)
        except BaseException:
            session.close()
            raise
        return session

    def _engine(self) -> Any:
        # Takes seconds, and a thousandth of that once it is loaded.
        try:
            from chdb.session import Session
        except Exception as error:  # it fails to load in any way that its package, or a library of the system, has
            if _is_interrupt(error):
                raise KeyboardInterrupt from error
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise StoreError(
                f"cannot open the store at {self._path}: its engine, the package chdb, does not load: {reason}"
            ) from error
        return Session

    def _give_back(self, borrower: int, session: Any, healthy: bool) -> None:
        # What a failed statement had put out comes out again before the next statement's result (chdb 26.9.0):
        # such a session is never used again.
        is_kept = healthy and not self._closed
        try:
            if session is not None and not is_kept:
                session.close()
        finally:
            with self._changed:
                self._borrowers.remove(borrower)
                if is_kept:
                    self._idle.append(session)
                self._changed.notify_all()

    def close(self) -> list[str]:
        """Close every session, those in use when they are given back; return the names of threads that still have one.

        Such a thread is waited for, :data:`CLOSE_WITHIN_S` at most. The one that closes never is: an interrupt may have
        kept it from giving a session back.
        """
        with self._changed:
            self._closed = True
            self._changed.wait_for(lambda: not self._others(), CLOSE_WITHIN_S)
            while self._idle:
                self._idle.pop().close()
            names = {thread.ident: thread.name for thread in threading.enumerate()}
            return [names.get(borrower, "a thread that has ended") for borrower in self._others()]

    def _others(self) -> set[int]:
        return {*self._borrowers} - {threading.get_ident()}


def _is_interrupt(error: BaseException | None) -> bool:
    """Whether an error came of an interrupt, which chdb turns into another one while it loads (26.9.0)."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None
