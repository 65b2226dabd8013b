"""Tokens in the store: making, reading and revoking them, and when each was last used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from monitor.access.roles import Role
from monitor.access.tokens import MOST_NAME, Token, digest_of, new_secret, prefix_of
from monitor.clock import Clock
from monitor.errors import InputError
from sinks.store.change_log import ChangeLog
from sinks.store.contract import Store

__all__ = ["MOST_TOKENS", "TokenLog"]

MOST_TOKENS = 1_000
"""That are good at once."""


class TokenLog:
    """The tokens of one store.

    Parameters
    ----------
    store : Store
    clock : Clock

    Examples
    --------
    >>> from monitor.clock import ManualClock
    >>> from sinks.store.memory import MemoryStore
    >>> log = TokenLog(MemoryStore(), ManualClock(now_ms=1_000))
    >>> token, secret = log.create("ci", "ingest", created_by="ann")
    >>> [(each.name, each.role) for each in log.all()], secret.startswith(token.prefix)
    ([('ci', 'ingest')], True)
    >>> log.revoke("ci", revoked_by="bob").revoked_ms
    1000
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._log, self._uses, self._clock = ChangeLog(store, "tokens"), ChangeLog(store, "token_uses"), clock

    def all(self) -> list[Token]:
        """Return all tokens that there ever were, in the order in which they were made.

        Raises
        ------
        StoreError
        """
        tokens = [Token(**{name: row[name] for name in row if name != "updated_ms"}) for row in self._log.rows()]
        return sorted(tokens, key=lambda token: (token.created_ms, token.id))

    def last_uses(self) -> dict[str, int]:
        """Return when each token was used last, by its id; what was never used is not in it.

        Raises
        ------
        StoreError
        """
        return {row["id"]: row["used_ms"] for row in self._uses.rows()}

    def create(self, name: str, role: Role, *, created_by: str, lasts_ms: int | None = None) -> tuple[Token, str]:
        """Make a token, and return it with its secret, which nobody can tell afterwards.

        Parameters
        ----------
        name : str
        role : Role
        created_by : str
        lasts_ms : int or None
            After how long it expires; never if None.

        Raises
        ------
        InputError
            A good token has that name, or there are too many.
        StoreError
        """
        now_ms, secret = self._clock.now_ms(), new_secret()
        self._check_room(name, now_ms)
        digest = digest_of(secret)
        token = Token(
            name,
            role,
            digest,
            prefix_of(secret),
            created_by,
            now_ms,
            0 if lasts_ms is None else now_ms + lasts_ms,
            id=digest[:12],
        )
        self._log.put([{**asdict(token), "updated_ms": now_ms}])
        return token, secret

    def revoke(self, name: str, *, revoked_by: str) -> Token:
        """Revoke the good token with a name, or any with an id, for ever; one that is revoked stays as it is.

        Raises
        ------
        InputError
            There is none.
        StoreError
        """
        token = self._named(name)
        if token.revoked_ms:
            return token
        now_ms = self._clock.now_ms()
        revoked = Token(**{**asdict(token), "revoked_ms": now_ms, "revoked_by": revoked_by})
        self._log.put([{**asdict(revoked), "updated_ms": now_ms}])
        return revoked

    def note_use(self, token: Token) -> None:
        """Write down that a token is used now.

        Apart from the token: who notes a use may not have heard yet that it is revoked, and must not undo that.

        Raises
        ------
        StoreError
        """
        self._uses.put([{"id": token.id, "used_ms": self._clock.now_ms()}])

    def _named(self, name: str) -> Token:
        tokens, now_ms = self.all(), self._clock.now_ms()
        for token in tokens:
            if token.id == name or (token.name == name and not token.has_ended(now_ms)):
                return token
        good = ", ".join(token.name for token in _good(tokens, now_ms))
        raise InputError(f"no token that is still good is named {name!r}; there are {good or 'none'}")

    def _check_room(self, name: str, now_ms: int) -> None:
        if not name.strip() or len(name) > MOST_NAME or not name.isprintable():
            raise InputError(f"a token has a name of 1 to {MOST_NAME} printable characters")
        good = _good(self.all(), now_ms)
        if name in {token.name for token in good}:
            raise InputError(f"a token is named {name!r} already: revoke it first, or take another name")
        if len(good) >= MOST_TOKENS:
            raise InputError(f"there are {MOST_TOKENS:,} tokens already: revoke those that nobody needs")


def _good(tokens: Sequence[Token], now_ms: int) -> list[Token]:
    return [token for token in tokens if not token.has_ended(now_ms)]
