"""Who may reach the API: whoever has a token, or everybody."""

from __future__ import annotations

import re
from ipaddress import ip_address
from itertools import combinations
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, SecretStr, Tag, field_validator, model_validator

from monitor.access.roles import Grant, Role
from monitor.access.tokens import MOST_NAME, Token, digest_of
from monitor.config.oidc import BOUND, Namespaces, Oidc
from monitor.values import Strict, WrongPartError

__all__ = ["Access", "AccessSpec", "CertificateRole", "ConfiguredToken", "unguarded"]

LEAST_CHARACTERS = 32
SUBJECT = r"(CN=|DNS:|URI:|email:)\S(.*\S)?"


class ConfiguredToken(Strict):
    """A token that the configuration has, for the first administrator and for programs."""

    name: str = Field(min_length=1, max_length=MOST_NAME, description="who holds it")
    role: Role = Field(description="what the holder may do")
    namespaces: Namespaces = Field(default_factory=list, description=BOUND)
    token: SecretStr = Field(
        description=f"its secret, by reference: `${{LEEWAY_TOKEN}}`; at least {LEAST_CHARACTERS} random characters"
    )

    @field_validator("token")
    @classmethod
    def _is_long(cls, token: SecretStr) -> SecretStr:
        secret = token.get_secret_value()
        if len(secret) < LEAST_CHARACTERS or not secret.isascii() or not secret.isprintable() or " " in secret:
            raise ValueError(
                f"a token has at least {LEAST_CHARACTERS} characters of ASCII without blanks, such as from "
                "`openssl rand -hex 32`"
            )
        return token


class CertificateRole(Strict):
    """A role for whoever shows a client certificate, which an authority of `spec.api.tls.client_ca` has signed."""

    subject: str = Field(
        max_length=300,
        description="what the certificate is for: `CN=` and its common name, or `DNS:`, `URI:` or `email:` and an "
        "alternative name, all of it",
    )
    role: Role = Field(description="what the holder may do")
    namespaces: Namespaces = Field(default_factory=list, description=BOUND)

    @field_validator("subject")
    @classmethod
    def _is_of_a_kind(cls, subject: str) -> str:
        if not re.fullmatch(SUBJECT, subject):
            raise ValueError("expected `CN=`, `DNS:`, `URI:` or `email:` and a name, such as CN=prometheus")
        return subject


class Access(Strict):
    """Who may reach the API: whoever has a token, or a certificate."""

    tokens: list[ConfiguredToken] = Field(
        default_factory=list, max_length=100, description="beside those that `leeway token create` makes"
    )
    certificates: list[CertificateRole] = Field(
        default_factory=list,
        max_length=1_000,
        description="roles by client certificate, where `spec.api.tls` has a `client_ca`",
    )
    oidc: Oidc | None = Field(default=None, description="an OpenID issuer, whose tokens are taken too")
    metrics: Literal["viewer", "open"] = Field(
        default="viewer", description="who may read `/metrics`: whoever has a token of a viewer, or everybody"
    )

    @model_validator(mode="after")
    def _tokens_differ(self) -> Self:
        for token, other in combinations(self.configured(), 2):
            if token.name == other.name:
                raise ValueError(f"two tokens are named {token.name!r}")
            if token.digest == other.digest:
                raise ValueError(f"the tokens {token.name!r} and {other.name!r} have one secret: which is it?")
        return self

    @model_validator(mode="after")
    def _subjects_differ(self) -> Self:
        if len(self.grants_of_certificates()) < len(self.certificates):
            raise WrongPartError(("certificates",), "two entries have one subject: which role is it?")
        return self

    def grants_of_certificates(self) -> dict[str, Grant]:
        """Return what each certificate gives, by what it is for."""
        return {each.subject: Grant(each.role, tuple(each.namespaces)) for each in self.certificates}

    def configured(self) -> list[Token]:
        """Return the tokens that it has itself."""
        return [
            Token(
                token.name,
                token.role,
                digest_of(token.token.get_secret_value()),
                namespaces=tuple(token.namespaces),
            )
            for token in self.tokens
        ]


def _kind_of(access: Any) -> str:
    if access is None or access == "none":
        return access or "unset"
    return "section" if isinstance(access, (dict, Access)) else "other"


AccessSpec = Annotated[
    Annotated[None, Tag("unset")] | Annotated[Literal["none"], Tag("none")] | Annotated[Access, Tag("section")],
    Discriminator(
        _kind_of,
        custom_error_type="unknown_access",
        custom_error_message="expected `none`, or a section: `{}` asks for tokens",
    ),
]
"""``none`` in so many words asks for no token. So does None, by which nothing was said: for loopback only."""


def unguarded(access: AccessSpec, host: str) -> str:
    """Return why a service may not listen on an address; empty if it may.

    Examples
    --------
    >>> unguarded(None, "127.0.0.1"), unguarded("none", "0.0.0.0"), unguarded(Access(), "0.0.0.0")
    ('', '', '')
    >>> unguarded(None, "0.0.0.0").partition(":")[0]
    "other machines reach '0.0.0.0', and nothing says who may ask this service"
    """
    if access is not None or _is_loopback(host):
        return ""
    return (
        f"other machines reach {host!r}, and nothing says who may ask this service: anyone could erase people and "
        "silence alerts. Ask for tokens with `access: {}` under `spec`, or open it to everybody with `access: none`"
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
