"""The models that are watched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from monitor.resources.contract import Question, Row, TimeMs, described
from monitor.resources.history import Status

__all__ = ["ModelDetail", "ModelSummary", "Models", "Series"]


@dataclass(frozen=True, kw_only=True)
class ModelSummary(Row):
    """A model in the list of all."""

    name: str
    namespace: str
    owner: str
    labels: dict[str, str]
    signals: int | None = described("how many signals are watched; null without the configuration")
    sources: list[str] = described("topics, files and HTTP streams")


@dataclass(frozen=True, kw_only=True)
class Series(Row):
    """A series in its newest window."""

    signal: str
    segment: str
    version: str
    state: Status = described("the gravest of its detectors: drift, warning, learning, no_data, ok")
    window_end_ms: TimeMs
    detectors: dict[str, Status]


@dataclass(frozen=True, kw_only=True)
class ModelDetail(ModelSummary):
    """A model, its configuration with all defaults, and the state of its series."""

    configuration: dict[str, Any]
    uses: dict[str, dict[str, dict[str, Any]]] = described("detectors and their parameters, by signal")
    series: list[Series] = described("every series that was ever evaluated")


@dataclass(frozen=True, kw_only=True)
class Models(Question):
    """The models that are watched."""

    path = "/v1/models"
    answer = ModelSummary
    is_paged = False
