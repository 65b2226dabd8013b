"""The tokens that are good now, as one process knows them: what others change in the store is known within seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog
from anyio import CapacityLimiter, fail_after
from anyio.to_thread import run_sync

from monitor.access.token_log import TokenLog
from monitor.access.tokens import Token, holder
from monitor.clock import Clock
from sinks.store.contract import Store, StoreError

__all__ = ["REREAD_S", "LiveTokens"]

REREAD_S = 2.0
KEPT_S = 900.0
"""How long tokens of the store stay good while it does not answer."""

AGAIN_S = 10.0
USED_S = 60.0
PATIENCE_S = 2.0
THREADS = 2
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
        self.log, self._clock, self._configured = TokenLog(store, clock), clock, tuple(configured)
        self._stored: tuple[Token, ...] = ()
        self._due_s = self._read_s = float("-inf")
        self._reading = asyncio.Lock()
        # Of their own: questions may have taken all others, and wait for the store.
        self._threads = CapacityLimiter(THREADS)
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
        await self._reread()
        token = holder(self._stored, secret)
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
            return True
        await self._reread()
        return any(each.id == token.id and not each.has_ended(self._clock.now_ms()) for each in self._stored)

    async def note_use(self, token: Token) -> None:
        """Write down that a token is used, once a minute; what fails is only logged."""
        now_s = self._clock.monotonic_s()
        if not token.id or now_s - self._noted_s.get(token.id, float("-inf")) < USED_S:
            return
        self._noted_s[token.id] = now_s
        try:
            with fail_after(PATIENCE_S):
                await run_sync(self.log.note_use, token, limiter=self._threads, abandon_on_cancel=True)
        except (StoreError, TimeoutError) as error:
            log.warning("the last use of a token is not written", token=token.name, reason=str(error))

    def forget(self) -> None:
        """Read the store before the next answer: something has changed."""
        self._due_s = float("-inf")

    async def _reread(self) -> None:
        async with self._reading:
            if self._clock.monotonic_s() >= self._due_s:
                await self._read()
            if self._clock.monotonic_s() - self._read_s > KEPT_S:
                raise StoreError("the store does not say which tokens are good", retryable=True)

    async def _read(self) -> None:
        # From before the store is asked: it may answer with what was true then.
        began_s = self._clock.monotonic_s()
        try:
            with fail_after(PATIENCE_S):
                stored = await run_sync(self.log.all, limiter=self._threads, abandon_on_cancel=True)
        except (StoreError, TimeoutError) as error:
            log.warning("tokens are not read: those of before stay good for a while", reason=str(error))
            # Whoever waits for this answer goes on, and does not wait for one after the other.
            self._due_s = self._clock.monotonic_s() + AGAIN_S
        else:
            self._stored, self._read_s, self._due_s = tuple(stored), began_s, began_s + REREAD_S


def _ended(token: Token) -> str:
    return f"the token {token.name!r} {'was revoked' if token.revoked_ms else 'has expired'}"
