"""Writes down what is changed, and what is refused, before it is answered."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import asdict

import structlog
from anyio import CapacityLimiter, fail_after
from anyio.to_thread import run_sync
from starlette.types import Message, Scope, Send

from monitor.access.audit_log import Allowance, Entry, write_entry
from monitor.access.tokens import Token
from monitor.clock import Clock
from sinks.store.contract import Store, StoreError

__all__ = ["Auditor", "about"]

PATIENCE_S = 5.0
THREADS = 2

log = structlog.get_logger("leeway.audit")
_subjects: ContextVar[list[str]] = ContextVar("subjects")


def about(*names: str) -> None:
    """Say what a change is about, where its path does not say it; nothing that an erasure is to forget."""
    if (subjects := _subjects.get(None)) is not None:
        subjects.append(" ".join(filter(None, names)))


class Auditor:
    """Writes the audit log of a process. What cannot be written there is an error in the process's own log.

    Parameters
    ----------
    store : Store
    clock : Clock
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._allowance = Allowance(clock)
        self._threads = CapacityLimiter(THREADS)

    def listening(self, scope: Scope, operation: str, token: Token, send: Send) -> Send:
        """Return what sends an answer once it is written down that there is one."""
        subjects: list[str] = []
        _subjects.set(subjects)

        async def send_audited(message: Message) -> None:
            if message["type"] == "http.response.start":
                subject = " ".join(subjects) or scope["path"]
                await self._write(_entry(scope, operation, token, subject, message["status"]))
            await send(message)

        return send_audited

    async def refused(self, scope: Scope, operation: str, token: Token | None, status: int, reason: str) -> None:
        """Write down that a request was refused; of very many, how many."""
        unlisted = self._allowance.take()
        if unlisted is not None:
            entry = _entry(scope, operation, token, scope["path"], status)
            await self._write(Entry(**{**asdict(entry), "reason": reason, "unlisted": unlisted}))

    async def _write(self, entry: Entry) -> None:
        try:
            with fail_after(PATIENCE_S):
                await run_sync(
                    write_entry, self._store, self._clock, entry, limiter=self._threads, abandon_on_cancel=True
                )
        except (StoreError, TimeoutError) as error:
            log.error("not in the audit log", error=str(error), **asdict(entry))


def _entry(scope: Scope, operation: str, token: Token | None, subject: str, status: int) -> Entry:
    address = scope["client"][0] if scope.get("client") else ""
    name, role = (token.name, token.role) if token is not None else ("", "")
    return Entry(name, role, address, operation or scope["method"], subject, status)
