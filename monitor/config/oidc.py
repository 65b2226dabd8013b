"""Single sign-on: tokens of an OpenID issuer, and which roles they give."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, SecretStr, field_validator

from monitor.access.expected import Expected, is_protected
from monitor.access.roles import Grant, Role
from monitor.access.tokens import MOST_NAMESPACES
from monitor.config.registry import several
from monitor.values import DAY_MS, DurationMs, Name, Strict

__all__ = ["BOUND", "Namespaces", "Oidc", "OidcGrant", "OidcLogin", "OidcRoles"]

LEAST_CHARACTERS = 32

Namespaces = Annotated[list[Name], Field(min_length=1, max_length=MOST_NAMESPACES)]
"""To which somebody is bound: an empty list, or nothing behind the key, would read as none, and mean all."""

BOUND = "for the models of these namespaces alone; of all if absent"


class OidcGrant(Strict):
    """A role in some namespaces."""

    role: Role = Field(description="what the holder may do")
    namespaces: Namespaces = Field(default_factory=list, description=BOUND)


def _as_grant(value: object) -> object:
    return {"role": value} if isinstance(value, str) else value


OidcGrantOrRole = Annotated[OidcGrant, BeforeValidator(_as_grant, json_schema_input_type=OidcGrant | Role)]


class OidcRoles(Strict):
    """Roles by what an issuer says of a person or program."""

    claim: str = Field(
        default="groups",
        min_length=1,
        description="which claim of the token says it, a text or a list; dots lead into sections: `realm_access.roles`",
    )
    map: dict[str, OidcGrantOrRole] = Field(
        min_length=1,
        max_length=1_000,
        description="the role that each value gives, or `{role, namespaces}`; of several the largest role counts, "
        "where it is given",
    )

    @property
    def grants(self) -> dict[str, Grant]:
        """What each value gives."""
        return {value: Grant(each.role, tuple(each.namespaces)) for value, each in self.map.items()}


class OidcLogin(Strict):
    """People log in at the issuer with their browsers, for the pages; needs `spec.external_url`."""

    client_id: str = Field(min_length=1, description="what the issuer calls this service")
    client_secret: SecretStr = Field(
        default=SecretStr(""),
        description=f"by reference: `${{OIDC_CLIENT_SECRET}}`, at least {LEAST_CHARACTERS} random characters; without "
        "it, sessions are of one process and end with it",
    )
    scopes: list[str] = Field(
        default_factory=lambda: ["openid", "profile", "email"], min_length=1, description="what the issuer is asked for"
    )
    session: DurationMs = Field(
        default=8 * 3_600_000, ge=60_000, le=30 * DAY_MS, description="after how long people log in again"
    )

    @field_validator("client_secret")
    @classmethod
    def _is_long(cls, secret: SecretStr) -> SecretStr:
        if 0 < len(secret.get_secret_value()) < LEAST_CHARACTERS:
            raise ValueError(
                f"a secret has at least {LEAST_CHARACTERS} random characters: sessions are signed with it, and whoever "
                "guesses it is an administrator; have the issuer make a new one"
            )
        return secret

    @field_validator("scopes")
    @classmethod
    def _asks_for_an_id(cls, scopes: list[str]) -> list[str]:
        if "openid" not in scopes:
            raise ValueError("without `openid` the issuer does not say who logs in")
        return scopes


class Oidc(Strict):
    """Tokens of an OpenID issuer are taken, beside the service's own."""

    issuer: str = Field(
        description="its address, exactly as its tokens have it in `iss`: `https://login.example.org/realms/main`"
    )
    audience: Annotated[list[str], BeforeValidator(several, json_schema_input_type=str | list[str])] = Field(
        min_length=1, max_length=20, description="for whom tokens must be (`aud`): one of these"
    )
    roles: OidcRoles
    name: str = Field(
        default="sub", min_length=1, description="which claim names the holder, in the audit log and in what they make"
    )
    clock_skew: DurationMs = Field(default=60_000, le=600_000, description="so far its clock may be from ours")
    keep: DurationMs = Field(default=DAY_MS, gt=0, description="how long its keys count while it does not answer")
    login: OidcLogin | None = Field(default=None, description="how people log in with a browser")
    ca: str = Field(
        default="", description="file of the certificates to trust, relative to this file; the public ones if empty"
    )

    @field_validator("issuer")
    @classmethod
    def _is_protected(cls, issuer: str) -> str:
        if not is_protected(issuer):
            raise ValueError("expected https://…: who could change what it answers could be anybody here")
        return issuer

    @property
    def expected(self) -> Expected:
        """What a token must say."""
        return Expected(self.issuer, tuple(self.audience), self.clock_skew // 1000)
