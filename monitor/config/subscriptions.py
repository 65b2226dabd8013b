"""Which addresses of their own people may subscribe, beside the receivers that the configuration names."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from monitor.values import DurationMs, Name, Strict

__all__ = ["EmailSubscribers", "Subscriptions", "WebhookSubscribers"]

Host = Annotated[str, Field(pattern=r"^(\*|(\*\.)?[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*)$")]


class _Subscribers(Strict):
    hosts: list[Host] = Field(
        min_length=1, description='`example.org`, `"*.example.org"` for all below it, or `"*"` for any'
    )

    def allows(self, host: str) -> bool:
        """Whether addresses of a host may subscribe."""
        name = host.lower()
        patterns = [pattern.lower() for pattern in self.hosts]
        below = tuple(pattern[1:] for pattern in patterns if pattern.startswith("*."))
        return "*" in patterns or name in patterns or name.endswith(below)


class EmailSubscribers(_Subscribers):
    """Mail addresses that may subscribe; `hosts` are what stands behind their @."""

    through: Name = Field(description="a receiver of kind email, whose server and sender are used")


class WebhookSubscribers(_Subscribers):
    """Hosts of webhooks that may subscribe; they are posted Alertmanager's version-4 body."""

    timeout: DurationMs = Field(default=10_000, gt=0)
    allow_private: bool = Field(
        default=False, description="whether their addresses may be in a private network or on this machine"
    )


class Subscriptions(Strict):
    """Addresses of their own that people may subscribe; receivers of the configuration they always may."""

    email: EmailSubscribers | None = None
    webhook: WebhookSubscribers | None = None
