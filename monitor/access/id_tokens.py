"""Tokens that an OpenID issuer has signed: whether one is good, for whom, and what its holder may do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from joserfc import jwt
from joserfc.errors import ExpiredTokenError, InvalidClaimError, JoseError, MissingClaimError
from joserfc.jwk import KeySet
from joserfc.util import json_b64decode

from monitor.access.expected import Expected
from monitor.access.issuer import ALGORITHMS
from monitor.access.roles import Grant, Role
from monitor.access.tokens import MOST_NAME, Token

__all__ = ["NoRoleError", "TokenError", "claims_of", "holder_of", "is_signed", "key_id_of"]

MOST_CHARACTERS = 16_384
MOST_SECONDS = 2**40
TYPES = (None, "jwt", "at+jwt", "application/at+jwt")
"""Of a token's header. Others are for something else, such as for logging out."""

RANKS: tuple[Role, ...] = ("admin", "editor", "viewer", "ingest")
"""Of several roles the first counts."""


class TokenError(ValueError):
    """Why a token is good for nothing, for who shows it."""


class NoRoleError(TokenError):
    """The token is good, and its holder has no role here."""


def is_signed(secret: str) -> bool:
    """Whether a secret is a signed token, and none of the service's own.

    Examples
    --------
    >>> is_signed("leeway_abc"), is_signed("eyJhbGciOiJub25lIn0.e30.")
    (False, True)
    """
    return secret.startswith("ey") and secret.count(".") == 2


def key_id_of(token: str) -> str | None:
    """Return which key has signed a token, as it says itself; None if it does not.

    Raises
    ------
    TokenError
        If it can be none.
    """
    if len(token) > MOST_CHARACTERS:
        raise TokenError("the token is too long")
    header = _header(token)
    if header.get("alg") not in ALGORITHMS:
        raise TokenError(f"the token is signed by {header.get('alg')!r}; taken are {' and '.join(ALGORITHMS)}")
    kind = header.get("typ")
    if not (kind is None or isinstance(kind, str)) or (kind and kind.lower()) not in TYPES:
        raise TokenError(f"the token is for something else: its type is {kind!r}")
    key_id = header.get("kid")
    if key_id is not None and not isinstance(key_id, str):
        raise TokenError("the token does not say which key has signed it")
    return key_id


def claims_of(token: str, keys: KeySet, expected: Expected, now_s: int) -> dict[str, Any]:
    """Return what a token says, which an issuer's key has signed and which is for us and now.

    Raises
    ------
    TokenError
        If any of that is not so.
    """
    try:
        claims = jwt.decode(token, keys, algorithms=list(ALGORITHMS)).claims
    except (JoseError, ValueError, TypeError) as error:
        raise TokenError("the token is not signed by a key of the issuer") from error
    registry = jwt.JWTClaimsRegistry(
        now=now_s,
        leeway=expected.clock_skew_s,
        iss={"essential": True, "value": expected.issuer},
        aud={"essential": True, "values": list(expected.audiences)},
        exp={"essential": True},
        sub={"essential": True},
    )
    try:
        registry.validate(claims)
    except ExpiredTokenError:
        raise TokenError("the token has expired") from None
    except MissingClaimError as error:
        raise TokenError(f"the token lacks {error.claim!r}") from None
    except (InvalidClaimError, JoseError) as error:
        claim = getattr(error, "claim", "")
        raise TokenError(f"the token is not for this service, or not for now: its {claim!r} is wrong") from None
    # Of JSON as Python reads it, `exp` may be no number that a time is, and be later than any.
    if not (isinstance(claims["exp"], int | float) and 0 < claims["exp"] < MOST_SECONDS):
        raise TokenError("the token does not say when it expires")
    return dict(claims)


def holder_of(claims: Mapping[str, Any], grants: Mapping[str, Grant], roles_claim: str, name_claim: str) -> Token:
    """Return who a token is of, with the largest role of all that the configuration gives.

    It holds where that role is given, and not where only smaller ones are.

    Parameters
    ----------
    claims : mapping
        That have been checked.
    grants : mapping of str to Grant
        By the values of the claim.
    roles_claim, name_claim : str
        Names of claims; dots lead into sections where there is no such claim.

    Raises
    ------
    TokenError
        There is no role, or no name.

    Examples
    --------
    >>> claims = {"sub": "7", "email": "ann@example.org", "exp": 100, "groups": ["ml", "staff"]}
    >>> holder = holder_of(claims, {"ml": Grant("editor", ("risk",)), "staff": Grant("viewer")}, "groups", "email")
    >>> holder.name, holder.role, holder.namespaces, holder.expires_ms
    ('oidc:ann@example.org', 'editor', ('risk',), 100000)
    """
    name = _inside(claims, name_claim)
    if not isinstance(name, str) or not 0 < len(name) <= MOST_NAME or not name.isprintable():
        raise TokenError(f"the token's {name_claim!r} is no name of 1 to {MOST_NAME} printable characters")
    values = _inside(claims, roles_claim)
    listed: Sequence[Any] = values if isinstance(values, list) else [values]
    granted = [grants[value] for value in listed if isinstance(value, str) and value in grants]
    for role in RANKS:
        if bounds := [grant.namespaces for grant in granted if grant.role == role]:
            namespaces = tuple(sorted({each for of_grant in bounds for each in of_grant})) if all(bounds) else ()
            until_ms = int(float(claims["exp"]) * 1000)
            return Token(f"oidc:{name}", role, digest="", expires_ms=until_ms, namespaces=namespaces)
    raise NoRoleError(
        f"nothing in the {roles_claim!r} of {name!r} has a role here: spec.access.oidc.roles says what has"
    )


def _header(token: str) -> dict[str, Any]:
    try:
        header = json_b64decode(token.partition(".")[0].encode("ascii"))
    except (ValueError, TypeError):
        header = None
    if not isinstance(header, dict):
        raise TokenError("the token cannot be read")
    return header


def _inside(claims: Mapping[str, Any], name: str) -> Any:
    if name in claims:
        return claims[name]
    value: Any = claims
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value
