"""The tokens that are good now, as one process knows them: what others change in the store is known within seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

import structlog
from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from monitor.access.token_log import TokenLog
from monitor.access.tokens import Token, holder
from monitor.api.bounded_threads import BoundedThreads
from monitor.clock import Clock
from sinks.store.contract import Store, StoreError

__all__ = ["REREAD_S", "LiveTokens"]

REREAD_S = 2.0
KEPT_S = 900.0
"""How long tokens of the store stay good while it does not answer."""

AGAIN_S = 10.0
USED_S = 60.0
PATIENCE_S = 2.0
SLOW_AGE_S = 30.0
"""How old the tokens that a slow store gave may be before a request waits for newer ones."""

ENDED_MS = 30 * 86_400_000
"""How long one hears why a token is good for nothing; then nobody knows it."""

GONE = "nobody knows this token: it is mistyped, or of another service"

log = structlog.get_logger("leeway.api")


class LiveTokens:
    """Finds the token of a secret.

    Parameters
    ----------
    store : Store
    clock : Clock
    configured : sequence of Token
        Of the configuration: they need no store.
    """

    def __init__(self, store: Store, clock: Clock, configured: Sequence[Token]) -> None:
        self._log, self._clock, self._configured = TokenLog(store, clock), clock, _by_digest(configured)
        self._stored = StoredTokens(self._log, clock)
        self._writer = BoundedThreads(1)
        self._noted_s: dict[str, float] = {}

    async def holder(self, secret: str) -> Token | str:
        """Return the good token that a secret is of, or why there is none.

        Raises
        ------
        StoreError
            If that cannot be known now.
        """
        if configured := holder(self._configured, secret):
            return configured
        await self._stored.refresh()
        token = holder(self._stored.by_digest, secret)
        if token is None:
            return GONE
        return _ended(token) if token.has_ended(self._clock.now_ms()) else token

    async def is_good(self, token: Token) -> bool:
        """Whether a token that was good still is.

        Raises
        ------
        StoreError
            If that cannot be known now.
        """
        if not token.id:
            return not token.has_ended(self._clock.now_ms())
        await self._stored.refresh()
        stored = self._stored.by_digest.get(token.digest)
        return stored is not None and not stored.has_ended(self._clock.now_ms())

    async def note_use(self, token: Token) -> None:
        """Write down that a token is used, once a minute; what fails is only logged."""
        now_s = self._clock.monotonic_s()
        if not token.id or now_s - self._noted_s.get(token.id, float("-inf")) < USED_S:
            return
        self._noted_s[token.id] = now_s
        try:
            await self._writer.run(partial(self._log.note_use, token), PATIENCE_S)
        except (StoreError, TimeoutError) as error:
            log.warning("the last use of a token is not written", token=token.name, reason=str(error))

    def change(self, *tokens: Token) -> None:
        """Go by tokens that this process has written, at once."""
        self._stored.change(*tokens)


class StoredTokens:
    """The tokens of the store, as they were read last.

    One read is under way at most. Requests wait a little for it, then go by what was known.

    Parameters
    ----------
    log : TokenLog
    clock : Clock

    Attributes
    ----------
    by_digest : dict of str to Token
    """

    def __init__(self, log: TokenLog, clock: Clock) -> None:
        self._log, self._clock = log, clock
        self.by_digest: dict[str, Token] = {}
        self._due_s = self._read_s = float("-inf")
        self._reading: asyncio.Task[list[Token]] | None = None
        self._reader = CapacityLimiter(1)
        self._is_slow = self._is_overdue = False
        # What this process has changed since a read began that has not seen it.
        self._changed: dict[str, Token] = {}
        self._changes = 0

    async def refresh(self) -> None:
        """Read them again if it is time, and wait a little for it.

        Raises
        ------
        StoreError
            If nobody knows for long which are good.
        """
        if self._reading is None and self._clock.monotonic_s() >= self._due_s:
            self._start_reading()
        may_wait = not self._is_overdue and not (self._is_slow and self._age_s() <= SLOW_AGE_S)
        if self._reading is not None and may_wait:
            await self._wait(self._reading)
        if self._age_s() > KEPT_S:
            raise StoreError("the store does not say which tokens are good", retryable=True)

    def change(self, *tokens: Token) -> None:
        """Go by tokens that this process has written, at once; what is being read may be from before."""
        changed = _by_digest(tokens)
        self._changed |= changed
        self.by_digest = self.by_digest | changed
        self._changes += 1
        self._due_s = float("-inf")

    def _start_reading(self) -> None:
        self._reading = asyncio.create_task(run_sync(self._log.all, limiter=self._reader))
        # From before the store is asked: it may answer with what was true then.
        self._reading.add_done_callback(partial(self._take, self._clock.monotonic_s(), self._changes))

    async def _wait(self, reading: asyncio.Task[list[Token]]) -> None:
        done, _ = await asyncio.wait({reading}, timeout=PATIENCE_S)
        if not done and not self._is_overdue:
            self._is_overdue = self._is_slow = True
            log.warning("the store takes long to say which tokens are good: those of before stay good for a while")

    def _take(self, began_s: float, changes: int, reading: asyncio.Task[list[Token]]) -> None:
        self._reading, self._is_overdue = None, False
        now_s = self._clock.monotonic_s()
        if reading.cancelled():
            return
        if error := reading.exception():
            log.warning("tokens are not read: those of before stay good for a while", reason=str(error))
            self._due_s = now_s + AGAIN_S
            return
        saw_changes = changes == self._changes
        if saw_changes:
            self._changed = {}
        self.by_digest = self._worth_knowing(reading.result()) | self._changed
        self._is_slow = now_s - began_s > PATIENCE_S
        self._read_s, self._due_s = began_s, began_s + REREAD_S if saw_changes else float("-inf")

    def _worth_knowing(self, tokens: Sequence[Token]) -> dict[str, Token]:
        since_ms = self._clock.now_ms() - ENDED_MS
        return _by_digest([token for token in tokens if not 0 < (token.revoked_ms or token.expires_ms) <= since_ms])

    def _age_s(self) -> float:
        return self._clock.monotonic_s() - self._read_s


def _by_digest(tokens: Sequence[Token]) -> dict[str, Token]:
    return {token.digest: token for token in tokens}


def _ended(token: Token) -> str:
    return f"the token {token.name!r} {'was revoked' if token.revoked_ms else 'has expired'}"
