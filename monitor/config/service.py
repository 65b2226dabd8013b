"""The configuration of the service: where things are kept, who is told, which models are watched."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from monitor.config.model import Strict
from monitor.config.values import DurationMs, Lifetime, Name

__all__ = [
    "Api",
    "KafkaCluster",
    "LogReceiver",
    "Receiver",
    "Retention",
    "Service",
    "ServiceSpec",
    "StoreSpec",
    "WebhookReceiver",
]


class Retention(Strict):
    """How long results are kept, each by its own time; `forever` unless said otherwise."""

    panes: Lifetime = Field(default=None, description="summaries as long as the model's `pane`, by their start")
    panes_5m: Lifetime = Field(default=None, description="summaries of 5 minutes")
    panes_1h: Lifetime = Field(default=None, description="summaries of an hour")
    scores: Lifetime = Field(default=None, description="what detectors said of windows, by their end")
    scores_1h: Lifetime = Field(default=None, description="scores by the hour, for long spans")
    scores_1d: Lifetime = Field(default=None, description="scores by the day")
    findings: Lifetime = Field(default=None, description="single observations at which a detector fired")
    alerts: Lifetime = Field(default=None, description="transitions of alerts, and what was sent about them")
    dead_letters: Lifetime = Field(
        default=None, description="messages that could not be used, by the record's own time; those without stay"
    )


class StoreSpec(Strict):
    """Where results are kept."""

    kind: Literal["chdb", "memory"] = Field(
        default="chdb", description="`chdb` is ClickHouse in the process; `memory` forgets at exit"
    )
    path: str = Field(default="data/store", description="the embedded store's directory; one process at a time")
    keep: Retention = Field(default_factory=Retention, description="how long; `memory` keeps all until it exits")


class KafkaCluster(Strict):
    """The cluster that `kafka:` sources are read from."""

    bootstrap: list[str] = Field(default_factory=lambda: ["localhost:9092"], min_length=1)
    group: str = Field(default="leeway", min_length=1)
    consumers: int = Field(default=1, ge=1, le=64, description="consumers of the group in this process")
    start: Literal["earliest", "latest"] = Field(
        default="earliest", description="where to start a partition that has no checkpoint"
    )
    options: dict[str, str | int | float | bool] = Field(
        default_factory=dict, description="passed to kafka-python's consumer as they are"
    )


class Api(Strict):
    """The HTTP API."""

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65_535, description="0 takes a free port")
    max_body_bytes: int = Field(default=16 * 1024 * 1024, gt=0)


class LogReceiver(Strict):
    """Writes alerts to the service's log."""

    kind: Literal["log"]
    name: Name = "log"


class WebhookReceiver(Strict):
    """Posts Alertmanager's version-4 body."""

    kind: Literal["webhook"]
    name: Name
    url: str = Field(pattern=r"^https?://")
    timeout: DurationMs = Field(default=10_000, gt=0)
    headers: dict[str, str] = Field(default_factory=dict)
    send_resolved: bool = True


Receiver = Annotated[LogReceiver | WebhookReceiver, Field(discriminator="kind")]


class ServiceSpec(Strict):
    """Everything that is not about one model."""

    models: list[str] = Field(
        default_factory=lambda: ["models/*.yaml"], description="paths or globs, relative to this file"
    )
    store: StoreSpec = Field(default_factory=StoreSpec)
    kafka: KafkaCluster = Field(default_factory=KafkaCluster)
    api: Api = Field(default_factory=Api)
    ingest_log: str = Field(default="data/ingest.log", description="where POST /v1/events is kept until it is read")
    receivers: list[Receiver] = Field(default=[LogReceiver(kind="log")])
    external_url: str = Field(default="", description="how people reach the API; links in alerts start with it")
    checkpoint_every: DurationMs = Field(default=10_000, gt=0)
    idle_after: DurationMs = Field(
        default=60_000,
        gt=0,
        description="a partition that is read to its end and silent this long no longer holds windows back",
    )

    @field_validator("receivers")
    @classmethod
    def _names_differ(cls, value: list[LogReceiver | WebhookReceiver]) -> list[LogReceiver | WebhookReceiver]:
        names = [receiver.name for receiver in value]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two receivers are named {name!r}")
        return value


class Service(Strict):
    """The service's file; a model's file on its own runs with these defaults."""

    api_version: Literal["leeway/v1"] = Field(default="leeway/v1", alias="apiVersion")
    kind: Literal["Service"] = "Service"
    spec: ServiceSpec = Field(default_factory=ServiceSpec)
