"""Deployments: what was changed and when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from monitor.resources.contract import Moment, Question, Row, TimeMs, described

__all__ = ["Deployments", "KnownDeployment"]


def _changed(row: Mapping[str, Any]) -> str:
    return ", ".join([*row["models"], *row["topics"], *(f"{name}={value}" for name, value in row["labels"].items())])


@dataclass(frozen=True, kw_only=True)
class KnownDeployment(Row):
    """A deployment."""

    table = (("at", "at_ms"), "name", "version", ("changed", _changed), ("by", "created_by"), "link", "id")

    id: str
    at_ms: TimeMs
    name: str
    version: str
    models: list[str]
    topics: list[str]
    labels: dict[str, str]
    link: str
    created_by: str


@dataclass(frozen=True, kw_only=True)
class Deployments(Question):
    """What was announced to have been changed, the latest first."""

    path = "/v1/deployments"
    answer = KnownDeployment
    verb = "Announce what was changed, for incidents to name it, and list it."

    model: str | None = described("those that name this model", default=None)
    from_: Moment | None = None
    to: Moment | None = None
    limit: int | None = None
