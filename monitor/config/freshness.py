"""When a model is silent for too long."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from monitor.values import DurationMs, Strict

__all__ = ["Freshness", "FreshnessOrOff"]


class Freshness(Strict):
    """How long a model's events may stay away, by the clock; learned from its own gaps unless it is stated."""

    expect: DurationMs | None = Field(
        default=None, ge=1_000, description="at least one event within this time; without it the gaps are learned"
    )


def _off(value: object) -> object:
    # YAML takes `off` for false.
    return None if value is False or value == "off" else value


FreshnessOrOff = Annotated[
    Freshness | None, BeforeValidator(_off, json_schema_input_type=Freshness | Literal["off", False] | None)
]
