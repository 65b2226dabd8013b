"""Tokens in the store: making, reading and revoking them, and when each was last used."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from hmac import compare_digest
from typing import Any

from monitor.access.roles import Role
from monitor.access.tokens import MARK, MOST_NAME, MOST_NAMESPACES, NAMESPACE, Token, digest_of, new_secret, prefix_of
from monitor.clock import Clock
from monitor.errors import InputError
from sinks.store.change_log import ChangeLog, append_first
from sinks.store.contract import Store

__all__ = ["MOST_TOKENS", "TokenLog", "check_namespaces"]

MOST_TOKENS = 1_000
"""That are good at once."""


class TokenLog:
    """The tokens of one store.

    Parameters
    ----------
    store : Store
    clock : Clock
    configured : sequence of Token
        Whose names are taken.

    Examples
    --------
    >>> from monitor.clock import ManualClock
    >>> from sinks.store.memory import MemoryStore
    >>> log = TokenLog(MemoryStore(), ManualClock(now_ms=1_000))
    >>> token, secret = log.create("ci", "ingest", created_by="ann")
    >>> [(each.name, each.role) for each in log.all()], secret.startswith(token.prefix)
    ([('ci', 'ingest')], True)
    >>> [each.revoked_ms for each in log.revoke("ci", revoked_by="bob")]
    [1000]
    """

    def __init__(self, store: Store, clock: Clock, configured: Sequence[Token] = ()) -> None:
        self._store, self._configured = store, tuple(configured)
        self._log, self._uses, self._clock = ChangeLog(store, "tokens"), ChangeLog(store, "token_uses"), clock

    def all(self) -> list[Token]:
        """Return all tokens that there ever were, in the order in which they were made.

        Raises
        ------
        StoreError
        """
        tokens = [_token(row) for row in self._log.rows()]
        return sorted(tokens, key=lambda token: (token.created_ms, token.id))

    def last_uses(self) -> dict[str, int]:
        """Return when each token was used last, by its id; what was never used is not in it.

        Raises
        ------
        StoreError
        """
        return {row["id"]: row["used_ms"] for row in self._uses.rows()}

    def create(
        self,
        name: str,
        role: Role,
        *,
        created_by: str,
        lasts_ms: int | None = None,
        namespaces: Sequence[str] = (),
    ) -> tuple[Token, str]:
        """Make a token, and return it with its secret, which nobody can tell afterwards.

        Parameters
        ----------
        name : str
        role : Role
        created_by : str
        lasts_ms : int or None
            After how long it expires; never if None.
        namespaces : sequence of str
            To which it is bound; to none if empty.

        Raises
        ------
        InputError
            A good token has that name, or there are too many.
        StoreError
        """
        now_ms, secret = self._clock.now_ms(), new_secret()
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
            namespaces=tuple(sorted(set(namespaces))),
        )
        check_namespaces(token.namespaces)
        while True:
            tokens = self.all()
            self._check_room(name, tokens, now_ms)
            if self._written(token, [each.id for each in tokens if each.name == name]) == token:
                return token, secret

    def _written(self, token: Token, former_ids: Sequence[str]) -> Token:
        """Return what is stored of a name beside its former tokens: this token, or one that was made before it."""

        def read() -> Token | None:
            tokens = [each for each in self.all() if each.name == token.name and each.id not in former_ids]
            return token if token in tokens else next(iter(tokens), None)

        follows = f"{token.name}/{former_ids[-1] if former_ids else ''}"
        return append_first(self._store, "tokens", _row(token, token.created_ms), follows, read)

    def revoke(self, name: str, *, revoked_by: str) -> list[Token]:
        """Revoke for ever all good tokens with a name, or any with an id or a secret, and return them.

        Two processes may have made tokens of one name at once, on a cluster. One that is revoked stays as it is.

        Raises
        ------
        InputError
            There is none.
        StoreError
        """
        now_ms = self._clock.now_ms()
        named = self._named(name, now_ms)
        revoked = [replace(each, revoked_ms=now_ms, revoked_by=revoked_by) for each in named if not each.revoked_ms]
        self._log.put([_row(each, now_ms) for each in revoked])
        return revoked or named

    def note_use(self, token: Token) -> None:
        """Write down that a token is used now.

        Apart from the token: who notes a use may not have heard yet that it is revoked, and must not undo that.

        Raises
        ------
        StoreError
        """
        self._uses.put([{"id": token.id, "used_ms": self._clock.now_ms()}])

    def _named(self, name: str, now_ms: int) -> list[Token]:
        tokens = self.all()
        good = _good(tokens, now_ms)
        if name.startswith(MARK):
            digest, shown = digest_of(name), "has this secret"
            named = [token for token in tokens if compare_digest(token.digest, digest)]
        else:
            shown = f"is named {name!r}"
            named = [token for token in tokens if token.id == name] or [token for token in good if token.name == name]
        if not named:
            names = ", ".join(token.name for token in good)
            raise InputError(f"no token that is still good {shown}; there are {names or 'none'}")
        return named

    def _check_room(self, name: str, tokens: Sequence[Token], now_ms: int) -> None:
        if not name.strip() or len(name) > MOST_NAME or not name.isprintable():
            raise InputError(f"a token has a name of 1 to {MOST_NAME} printable characters")
        if "/" in name or name.startswith(MARK):
            raise InputError(f"the name of a token has no `/` in it, and does not begin as secrets do, with `{MARK}`")
        good = _good(tokens, now_ms)
        if name in {token.name for token in self._configured}:
            raise InputError(f"the configuration has a token {name!r}: take another name")
        if name in {token.name for token in good}:
            raise InputError(f"a token is named {name!r} already: revoke it first, or take another name")
        if len(good) >= MOST_TOKENS:
            raise InputError(f"there are {MOST_TOKENS:,} tokens already: revoke those that nobody needs")


def check_namespaces(namespaces: Sequence[str]) -> None:
    """Refuse what is no namespace, or too many.

    Raises
    ------
    InputError

    Examples
    --------
    >>> check_namespaces(["risk"])
    """
    if len(namespaces) > MOST_NAMESPACES:
        raise InputError(f"a token is bound to {MOST_NAMESPACES} namespaces at most")
    if wrong := [each for each in namespaces if not re.fullmatch(NAMESPACE, each)]:
        raise InputError(f"{wrong[0]!r} is no namespace: it is written as models have it in `metadata.namespace`")


def _token(row: Mapping[str, Any]) -> Token:
    fields = {name: row[name] for name in row if name != "updated_ms"}
    return Token(**{**fields, "namespaces": tuple(row["namespaces"])})


def _row(token: Token, now_ms: int) -> dict[str, Any]:
    return {**asdict(token), "namespaces": list(token.namespaces), "updated_ms": now_ms}


def _good(tokens: Sequence[Token], now_ms: int) -> list[Token]:
    return [token for token in tokens if not token.has_ended(now_ms)]
