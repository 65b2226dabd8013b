"""Which alerts are one incident."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from monitor.values import DurationMs, Strict

__all__ = ["Incidents"]


class Incidents(Strict):
    """Which alerts, of any models, belong together."""

    together: DurationMs = Field(
        default=600_000, ge=0, description="alerts that fire this soon after the first of an incident belong to it"
    )
    shared: DurationMs = Field(
        default=3_600_000,
        ge=0,
        description="so do those that fire this soon after it and share a deployment, a new version or a topic with it",
    )
    notify: bool = Field(
        default=False,
        description="notify receivers of incidents, not of each alert; with `alerting`, `group_by: [incident]` does",
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.together > self.shared:
            raise ValueError("what has something in common belongs together for at least as long: together <= shared")
        return self
