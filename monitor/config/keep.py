"""Which single events of a model are stored, and for how long."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from monitor.values import DAY_MS, FieldPath, Lifetime, Share, Strict

__all__ = ["NONE", "Keep", "KeepFor", "KeepOrNone"]


class KeepFor(Strict):
    """How long after an event's own time its rows are kept."""

    events: Lifetime = Field(default=30 * DAY_MS)
    predictions: Lifetime = Field(default=180 * DAY_MS)
    labels: Lifetime = Field(default=180 * DAY_MS)


class Keep(Strict):
    """Which single events are stored, beside the summaries; none unless this says so."""

    events: Share = Field(default=0.0, description="share of the events that are kept with their fields")
    predictions: Share = Field(
        default=0.0, description="share of the events whose predictions are kept; holds the share of `events`"
    )
    labels: bool = Field(default=True, description="whether what sources of `kind: labels` say is kept")
    subject: FieldPath | None = Field(
        default=None, description="path of whom an event is about, such as `customer.id`: what `leeway erase` looks for"
    )
    without: list[str] = Field(default_factory=list, description="signals that kept events are stored without")
    summaries_only: bool = Field(
        default=False,
        description="nothing of a single event leaves memory: no finding, label or content of a dead letter either; "
        "`keep: none` is short for it",
    )
    for_: KeepFor = Field(default_factory=KeepFor, alias="for", description="how long")


NONE = {"summaries_only": True}
"""What `keep: none` is short for."""


def _or_none(value: Any) -> Any:
    return NONE if value == "none" else value


KeepOrNone = Annotated[Keep, BeforeValidator(_or_none, json_schema_input_type=Keep | Literal["none"])]
