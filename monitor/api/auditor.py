"""Writes down what is changed, what of persons is read, and what is refused, before it is answered."""

from __future__ import annotations

import re
from contextvars import ContextVar
from dataclasses import asdict, replace
from functools import partial
from urllib.parse import urlencode

import structlog
from starlette.datastructures import QueryParams
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from monitor.access.audit_log import MOST_CHARACTERS, Allowance, Entry, Repeats, write_entry
from monitor.access.tokens import MARK, Token, prefix_of
from monitor.api.bounded_threads import BoundedThreads
from monitor.api.problems import method_of
from monitor.clock import Clock
from sinks.store.contract import Store, StoreError

__all__ = ["Auditor", "about"]

PATIENCE_S = 5.0
THREADS = 2
MOST_READS = 600
"""Looks at data of persons that are listed in a minute."""

FORMS = ("cursor", "limit", "format")
"""Parameters of the pages of an answer, which is one answer."""

REVOCATION = "DELETE /v1/tokens/{token}"
SECRET = re.compile(rf"{MARK}[^/]+")
SECRET_VALUE = re.compile(rf"{MARK}[\w-]{{32,}}")
"""In a parameter, where names that begin likewise stand, too."""


log = structlog.get_logger("leeway.audit")
_subjects: ContextVar[list[str]] = ContextVar("subjects")


def about(*names: str) -> None:
    """Say what a change is about, where its path does not say it; nothing that an erasure is to forget."""
    if (subjects := _subjects.get(None)) is not None:
        subjects.extend(filter(None, names))


class Auditor:
    """Writes the audit log of a process. What cannot be written there is an error in the process's own log.

    Parameters
    ----------
    store : Store
    clock : Clock
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock
        # Strangers must not hide what is tried with a token.
        self._strangers, self._holders = Allowance(clock), Allowance(clock)
        self._reads, self._readers = Repeats(clock), Allowance(clock, MOST_READS, MOST_READS)
        self._threads = BoundedThreads(THREADS)
        self._lost = 0

    async def listed(self, app: ASGIApp, request: tuple[Scope, Receive, Send], operation: str, token: Token) -> None:
        """Let an application answer, and write down that it does before anybody reads it."""
        scope, receive, send = request
        subjects: list[str] = []
        _subjects.set(subjects)
        has_answer = False

        async def send_audited(message: Message) -> None:
            nonlocal has_answer
            if message["type"] == "http.response.start":
                has_answer = True
                await self._write(_entry(scope, operation, token, message["status"], " ".join(subjects)))
            await send(message)

        try:
            await app(scope, receive, send_audited)
        except Exception:
            if not has_answer:
                await self._write(_entry(scope, operation, token, 500, " ".join(subjects)))
            raise

    async def read(self, app: ASGIApp, request: tuple[Scope, Receive, Send], operation: str, token: Token) -> None:
        """Let an application answer, and write down that somebody has looked, once a minute for the same question."""
        scope, receive, send = request
        question = [pair for pair in QueryParams(scope["query_string"]).multi_items() if pair[0] not in FORMS]

        async def send_audited(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] < 400:
                await self._write_read(scope, operation, token, question, message["status"])
            await send(message)

        await app(scope, receive, send_audited)

    async def _write_read(
        self, scope: Scope, operation: str, token: Token, question: list[tuple[str, str]], status: int
    ) -> None:
        path = _path(scope, operation)
        unlisted = self._reads.take(f"{token.id} {token.name} {path} {urlencode(question)}")
        # Who makes up questions shall not fill the log, and hears of it as little as whoever asks the same.
        omitted = self._readers.take() if unlisted is not None else None
        if unlisted is not None and omitted is not None:
            entry = _entry(scope, operation, token, status, _asked(path, question))
            await self._write(replace(entry, unlisted=unlisted + omitted))

    async def refused(self, scope: Scope, operation: str, token: Token | None, status: int, reason: str) -> None:
        """Write down that a request was refused; of very many, how many."""
        unlisted = (self._strangers if token is None else self._holders).take()
        if unlisted is not None:
            entry = _entry(scope, operation, token, status)
            await self._write(replace(entry, reason=reason, unlisted=unlisted))

    async def _write(self, entry: Entry) -> None:
        try:
            await self._threads.run(partial(write_entry, self._store, self._clock, entry), PATIENCE_S)
        except (StoreError, TimeoutError) as error:
            self._lost += 1
            log.error("not in the audit log", error=str(error), lost=self._lost, **asdict(entry))


def _entry(scope: Scope, operation: str, token: Token | None, status: int, subject: str = "") -> Entry:
    address = scope["client"][0] if scope.get("client") else ""
    name, role = (token.name, token.role) if token is not None else ("", "")
    return Entry(name, role, address, operation or method_of(scope), subject or _path(scope, operation), status)


def _asked(path: str, question: list[tuple[str, str]]) -> str:
    """Return a path and a question; of one that is too long each parameter has its share, so that none hides others."""
    values: dict[str, list[str]] = {}
    for name, value in question:
        values.setdefault(_without_secrets(name, SECRET_VALUE), []).append(_without_secrets(value, SECRET_VALUE))
    parameters = [urlencode([(name, value) for value in several]) for name, several in values.items()]
    if len(path) + sum(len(parameter) + 1 for parameter in parameters) > MOST_CHARACTERS:
        share = max(10, (MOST_CHARACTERS - len(path)) // len(parameters) - 2)
        parameters = [text if len(text) <= share else f"{text[:share]}…" for text in parameters]
    return "?".join(filter(None, [path, "&".join(parameters)]))


def _path(scope: Scope, operation: str) -> str:
    """Return the path of a request without the secrets that somebody may have pasted into it."""
    if operation == REVOCATION:
        return operation.partition(" ")[2]
    return _without_secrets(scope["path"], SECRET)


def _without_secrets(text: str, secrets: re.Pattern[str]) -> str:
    return secrets.sub(lambda secret: f"{prefix_of(secret[0])}…", text)
