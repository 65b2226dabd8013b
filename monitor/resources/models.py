"""The models that are watched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from monitor.resources.contract import Question, Row, TimeMs, described
from monitor.resources.history import Status

__all__ = ["ModelDetail", "ModelSummary", "Models", "Series", "UnregisteredModel", "UnregisteredModels"]


@dataclass(frozen=True, kw_only=True)
class ModelSummary(Row):
    """A model in the list of all."""

    table = ("name", "namespace", "owner", "signals", ("sources", lambda row: ", ".join(row["sources"])))

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
    verb = "List the models that are watched, or names that have appeared and are not."


@dataclass(frozen=True, kw_only=True)
class UnregisteredModel(Row):
    """A name that messages give a model, and that no model of their stream has."""

    table = (
        "name",
        "template",
        "topic",
        "messages",
        ("first", "first_ms"),
        ("last", "last_ms"),
        ("at", lambda row: f"{row['topic']}/{row['partition']}:{row['offset']}"),
        "reason",
    )

    name: str = described("empty where messages name no model, and of names that are too many to be counted apart")
    template: str = described("the model's file that says `models` of the stream")
    topic: str
    messages: int = described("as far as the stream is read; they are in no model")
    first_ms: TimeMs | None = described("the time of the first record; null where records have none")
    last_ms: TimeMs | None = described("the time of the last one")
    partition: int = described("where the first one stands")
    offset: int
    reason: str = described("why there is no such model")


@dataclass(frozen=True, kw_only=True)
class UnregisteredModels(Question):
    """Names that have appeared on streams that name models, and that are no models."""

    path = "/v1/unregistered-models"
    answer = UnregisteredModel
    is_paged = False
