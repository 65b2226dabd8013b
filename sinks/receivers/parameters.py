"""What every receiver's parameters have; each kind states its own beside the receiver."""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import AfterValidator, Field, SecretStr

from sinks.parameters import Name, Strict

__all__ = ["Parameters", "SecretUrl"]


def _is_http(url: SecretStr) -> SecretStr:
    if not url.get_secret_value().startswith(("http://", "https://")):
        raise ValueError("an address begins with http:// or https://")
    return url


SecretUrl = Annotated[SecretStr, AfterValidator(_is_http)]
"""An address of HTTP, which is often a secret itself."""


class Parameters(Strict):
    """What every receiver has."""

    takes_summaries: ClassVar[bool] = True
    """Whether digests may go there; not to what opens and closes something at the other end."""

    kind: str
    name: Name
    send_resolved: bool = Field(default=True, description="whether resolved alerts are notified too")

    def named(self, name: str) -> Self:
        """Return the same under the name of one entry of a receiver, such as ``pager/0``."""
        return self.model_copy(update={"name": name})
