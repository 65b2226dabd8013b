"""The dead man's switch."""

from __future__ import annotations

from pydantic import Field, field_validator

from monitor.config.receivers import Receiver
from monitor.values import DurationMs, Strict

__all__ = ["Heartbeat"]

KINDS = ("webhook", "alertmanager")


class Heartbeat(Strict):
    """Who is pinged for as long as everything works, and notices when it does not."""

    receivers: list[Receiver] = Field(
        min_length=1, description="of kind `webhook` or `alertmanager`; they get pings alone"
    )
    every: DurationMs = Field(default=60_000, ge=1_000)

    @field_validator("receivers")
    @classmethod
    def _can_be_pinged(cls, value: list[Receiver]) -> list[Receiver]:
        for receiver in value:
            if receiver.kind not in KINDS:
                raise ValueError(f"a ping is for {' or '.join(KINDS)}, not for {receiver.kind}, which tells people")
        return value
