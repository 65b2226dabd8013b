"""Where the schemas of messages are kept that name theirs by a number."""

from __future__ import annotations

from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, field_validator, model_validator

from monitor.values import DurationMs, Strict

__all__ = ["RegistryTls", "SchemaRegistry", "several"]


class RegistryTls(Strict):
    """How servers at `https://` are trusted; needed only where their certificate is not a public one."""

    ca: str = Field(default="", description="file of the certificates to trust; the public ones if empty")
    certificate: str = Field(default="", description="file of a certificate of the service's own")
    key: str = Field(default="", description="file of its key")
    verify: bool = Field(default=True, description="false trusts any server: for trials only")


def several(value: object) -> Any:
    """One address as the list of one that it is short for."""
    return [value] if isinstance(value, str) else value


class SchemaRegistry(Strict):
    """A schema registry that speaks Confluent's REST interface."""

    url: Annotated[
        list[Annotated[str, Field(pattern=r"^https?://[^/\s]+")]],
        BeforeValidator(several, json_schema_input_type=str | list[str]),
    ] = Field(
        min_length=1,
        description="its address, or several addresses of one registry; the next one is tried if one fails",
    )
    user: str = Field(default="", description="for basic authentication")
    password: SecretStr = Field(default=SecretStr(""), description="by reference: `${REGISTRY_PASSWORD}`")
    token: SecretStr = Field(default=SecretStr(""), description="a bearer token instead, by reference")
    tls: RegistryTls = Field(default_factory=RegistryTls)
    timeout: DurationMs = Field(default=5_000, gt=0, description="longest wait for an answer, all of it")
    attempts: int = Field(default=3, ge=1, le=10, description="how often all addresses are tried before reading waits")

    @field_validator("url")
    @classmethod
    def _no_secrets_in_addresses(cls, value: list[str]) -> list[str]:
        for url in value:
            if urlsplit(url).username is not None:
                raise ValueError("a name and password belong in user and password, not in the address")
        return value

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        if self.token.get_secret_value() and self.user:
            raise ValueError("name a user or a token, not both")
        return self
