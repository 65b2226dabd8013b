"""What every receiver's parameters have; each kind states its own beside the receiver."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, ValidationError, ValidatorFunctionWrapHandler, WrapValidator

from sinks.parameters import Name, Strict

__all__ = ["Parameters", "PicturesBy", "SecretUrl"]


def _is_http(url: SecretStr) -> SecretStr:
    if not url.get_secret_value().startswith(("http://", "https://")):
        raise ValueError("an address begins with http:// or https://")
    return url


SecretUrl = Annotated[SecretStr, AfterValidator(_is_http)]
"""An address of HTTP, which is often a secret itself."""


def _one_mistake(value: object, read: ValidatorFunctionWrapHandler) -> object:
    try:
        return read(value)
    except ValidationError as error:
        raise ValueError("expected true, false, `link` or `upload`") from error


PicturesBy = Annotated[bool | Literal["link", "upload"], WrapValidator(_one_mistake)]
"""How a channel gets pictures; true is ``link``."""


class Parameters(Strict):
    """What every receiver has."""

    takes_summaries: ClassVar[bool] = True
    """Whether digests may go there; not to what opens and closes something at the other end."""

    forgets: ClassVar[bool] = False
    """Whether the other end loses what it was sent when it restarts, and is not troubled by repetitions."""

    kind: str
    name: Name
    send_resolved: bool = Field(default=True, description="whether resolved alerts are notified too")

    def named(self, name: str) -> Self:
        """Return the same under the name of one entry of a receiver, such as ``pager/0``."""
        return self.model_copy(update={"name": name})
