"""The configuration of the service: where results are stored, who is notified, which models are watched."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, SecretStr, Tag, field_validator, model_validator

from monitor.access.expected import is_protected
from monitor.config.access import Access, AccessSpec
from monitor.config.alerting import Alerting
from monitor.config.every_receiver import alerting_by_alert, alerting_by_incident
from monitor.config.heartbeat import Heartbeat
from monitor.config.incidents import Incidents
from monitor.config.kafka import KafkaCluster
from monitor.config.listener_tls import ListenerTls
from monitor.config.pictures import PictureLinks, are_linked
from monitor.config.privacy import Privacy
from monitor.config.quotas import Quota
from monitor.config.rates import ApiRates
from monitor.config.receivers import Receiver
from monitor.config.registry import SchemaRegistry
from monitor.config.subscriptions import Subscriptions
from monitor.config.traces import Traces
from monitor.values import DAY_MS, DurationMs, Lifetime, Name, Strict, WrongPartError
from sinks.receivers import read_parameters

__all__ = [
    "Api",
    "ChdbStoreSpec",
    "ClickhouseStoreSpec",
    "ClickhouseTls",
    "MemoryStoreSpec",
    "Retention",
    "Service",
    "ServiceSpec",
    "StoreSpec",
]


class Retention(Strict):
    """How long results are kept, each by its own time; but for `panes`, `forever` by default."""

    panes: Lifetime = Field(
        default=14 * DAY_MS,
        description="summaries as long as the model's `pane`, by their start; by default longer for models whose"
        " windows are not whole sums of 5 minutes, and never shorter than a model is behind",
    )
    panes_5m: Lifetime = Field(default=None, description="summaries of 5 minutes")
    panes_1h: Lifetime = Field(default=None, description="summaries of an hour")
    scores: Lifetime = Field(default=None, description="what detectors said of windows, by their end")
    scores_1h: Lifetime = Field(default=None, description="scores by the hour, for long spans")
    scores_1d: Lifetime = Field(default=None, description="scores by the day")
    findings: Lifetime = Field(default=None, description="single observations at which a detector fired")
    alerts: Lifetime = Field(default=None, description="transitions of alerts, and what was sent about them")
    job_runs: Lifetime = Field(default=30 * DAY_MS, description="what became of runs of jobs")
    audit: Lifetime = Field(
        default=400 * DAY_MS, description="what was changed or looked at by whom, and what was refused"
    )
    dead_letters: Lifetime = Field(
        default=None, description="messages that could not be used, by the record's own time; those without stay"
    )


class _Store(Strict):
    """What every kind of store has."""

    keep: Retention = Field(default_factory=Retention, description="how long; `memory` keeps all until it exits")


class ChdbStoreSpec(_Store):
    """ClickHouse in the process: the store of one machine."""

    kind: Literal["chdb"] = "chdb"
    path: str = Field(default="data/store", description="its directory; one process at a time")

    def settings(self) -> dict[str, Any]:
        """Return what :func:`sinks.store.open_store` takes."""
        return {"path": self.path}


class ClickhouseTls(Strict):
    """Encryption between the service and ClickHouse; `{}` is enough where the server has a public certificate."""

    ca: str = Field(default="", description="file of the certificates to trust; the public ones if empty")
    certificate: str = Field(default="", description="file of a certificate of the service's own")
    key: str = Field(default="", description="file of its key")
    verify: bool = Field(default=True, description="false trusts any server: for trials only")


class ClickhouseStoreSpec(_Store):
    """A ClickHouse server, or a cluster: the store of several processes or machines."""

    kind: Literal["clickhouse"]
    hosts: list[Annotated[str, Field(pattern=r"^(\[[0-9A-Fa-f:.]+\]|[^:\s]+)(:[0-9]{1,5})?$")]] = Field(
        default_factory=lambda: ["localhost"],
        min_length=1,
        description="in order of preference; the port is 9000, or 9440 with `tls`; several only with `cluster`",
    )
    database: str = Field(default="leeway", pattern=r"^\w+$", description="made if it is not there")
    user: str = Field(default="default", min_length=1)
    password: SecretStr = Field(default=SecretStr(""), description="by reference: `${CLICKHOUSE_PASSWORD}`")
    compression: Literal["lz4", "zstd", "none"] = Field(default="lz4", description="of what is sent")
    tls: ClickhouseTls | None = Field(default=None, description="without it nothing is encrypted")
    cluster: str = Field(
        default="",
        pattern=r"^[\w.-]*$",
        description="name of a cluster in the servers' `remote_servers`: tables are replicated and distributed over it",
    )
    quorum: int = Field(
        default=0,
        ge=0,
        description="replicas of a shard that must have rows before they count as kept; 0 is most of them, 1 gives up"
        " that every read sees them",
    )
    connect_timeout: DurationMs = Field(default=5_000, gt=0)
    timeout: DurationMs = Field(default=30_000, gt=0, description="longest wait for the next bytes of an answer")
    append_timeout: DurationMs = Field(default=90_000, gt=0, description="how long an insert is tried again")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if not self.cluster and (len(self.hosts) > 1 or self.quorum):
            raise ValueError("several hosts, or a quorum, need the `cluster` that they belong to")
        return self

    def settings(self) -> dict[str, Any]:
        """Return what :func:`sinks.store.open_store` takes."""
        return {
            "hosts": self.hosts,
            "database": self.database,
            "user": self.user,
            "password": self.password.get_secret_value(),
            "compression": self.compression,
            "tls": self.tls.model_dump() if self.tls is not None else None,
            "cluster": self.cluster,
            "quorum": self.quorum,
            "connect_timeout_ms": self.connect_timeout,
            "timeout_ms": self.timeout,
            "append_timeout_ms": self.append_timeout,
        }


class MemoryStoreSpec(_Store):
    """Tables in memory, forgotten at the end: for trials."""

    kind: Literal["memory"]

    def settings(self) -> dict[str, Any]:
        """Return what :func:`sinks.store.open_store` takes."""
        return {}


# A function and not the name of the field: a file may leave `kind` out.
def _kind_of(store: Any) -> str:
    kind = store.get("kind", "chdb") if isinstance(store, dict) else getattr(store, "kind", "chdb")
    return str(kind)


StoreSpec = Annotated[
    Annotated[ChdbStoreSpec, Tag("chdb")]
    | Annotated[ClickhouseStoreSpec, Tag("clickhouse")]
    | Annotated[MemoryStoreSpec, Tag("memory")],
    Discriminator(
        _kind_of,
        custom_error_type="unknown_store",
        custom_error_message="the kinds of store are chdb, clickhouse and memory",
    ),
]
"""Where results are kept, by `kind`; `chdb` if none is named."""


class Api(Strict):
    """The HTTP API."""

    host: str = Field(default="127.0.0.1", description="others than this machine's own need `spec.access`")
    port: int = Field(default=8080, ge=0, le=65_535, description="0 takes a free port")
    prefix: str = Field(
        default="",
        pattern=r"^(/[A-Za-z0-9_.~-]+)*$",
        description="a path below which all routes are, such as `/leeway`, for a proxy that passes paths on",
    )
    max_body_bytes: int = Field(
        default=16 * 1024 * 1024, gt=0, description="of any request, as it comes and as it unpacks"
    )
    hosts: list[str] = Field(
        default_factory=list,
        description="names by which it is asked, beside addresses, names without a dot and that of `external_url`; "
        "`*` stands for any part of a name",
    )
    max_streams: int = Field(default=500, gt=0, description="of alerts, open at once; more are refused with 503")
    max_requests: int = Field(
        default=100, gt=0, description="answered at once, beside streams; more are refused with 503"
    )
    max_posted_alerts: int = Field(
        default=50_000, gt=0, description="that fire at once; others are refused with 429, and an alert says so"
    )
    max_posted_bytes: int = Field(
        default=128 * 1024 * 1024, gt=0, description="of the labels and annotations of those, together"
    )
    max_comparisons: int = Field(
        default=2, gt=0, description="of distributions, worked out at once; others wait five seconds, then get a 503"
    )
    max_connections: int = Field(
        default=1_000, gt=0, description="open at once; one more takes the place of the one that is silent longest"
    )
    request_timeout: DurationMs = Field(
        default=30_000,
        description="how long the headers of a request, and then its body, may take to arrive, or an answer to be read",
    )
    rates: ApiRates = Field(default_factory=ApiRates)
    tls: ListenerTls | None = Field(default=None, description="without it nothing is encrypted")

    @model_validator(mode="after")
    def _check_room(self) -> Self:
        if self.max_streams + self.max_requests > self.max_connections:
            raise ValueError("`max_connections` must leave room for `max_streams` and `max_requests` together")
        return self


class SelfTest(Strict):
    """Whether Leeway still detects is tried in the process that evaluates; an alert says if it does not."""


class ServiceSpec(Strict):
    """Everything that is not about one model."""

    models: list[str] = Field(
        default_factory=lambda: ["models/*.yaml"], description="paths or globs, relative to this file"
    )
    store: StoreSpec = Field(
        default_factory=ChdbStoreSpec,
        description="where results are kept: `kind` is `chdb` (in the process), `clickhouse` (a server) or `memory`",
    )
    kafka: KafkaCluster = Field(default_factory=KafkaCluster)
    schema_registry: SchemaRegistry | None = Field(
        default=None, description="where the schemas of Avro, Protobuf and JSON-Schema messages are kept"
    )
    api: Api = Field(default_factory=Api)
    access: AccessSpec = Field(
        default=None,
        description="who may reach the API: whoever has a token, or with `none` everybody; without it the API listens "
        "on this machine alone",
    )
    privacy: Privacy = Field(
        default_factory=Privacy, description="the key of digests, and whether only summaries are kept of all models"
    )
    quotas: dict[Name, Quota] = Field(
        default_factory=dict, description="how much each namespace may have; one that is not named is not limited"
    )
    ingest_log: str = Field(default="data/ingest.log", description="where POST /v1/events is kept until it is read")
    receivers: list[Receiver] = Field(default_factory=lambda: [read_parameters({"kind": "log"})])
    alerting: Alerting | None = Field(
        default=None,
        description="Alertmanager's configuration, pasted; without it every receiver is notified of every alert",
    )
    incidents: Incidents = Field(default_factory=Incidents)
    subscriptions: Subscriptions = Field(
        default_factory=Subscriptions, description="which addresses of their own people may subscribe; none by default"
    )
    heartbeat: Heartbeat | None = Field(
        default=None, description="who is pinged while everything works, and notices when it does not"
    )
    pictures: PictureLinks | None = Field(
        default=None, description="signs links to pictures of alerts, for receivers that show them by links"
    )
    traces: Traces | None = Field(default=None, description="where spans of what the stages do are sent")
    self_test: SelfTest | None = Field(
        default=None, description="`{}` has a model with a drift that is known run through Leeway every 15 minutes"
    )
    external_url: str = Field(default="", description="how people reach the API; links in alerts start with it")
    checkpoint_every: DurationMs = Field(default=10_000, gt=0)
    idle_after: DurationMs = Field(
        default=60_000,
        gt=0,
        description="windows no longer wait for a partition that is read to its end and silent this long, and name it",
    )

    @model_validator(mode="after")
    def _certificates_are_asked_for(self) -> Self:
        authorities = self.api.tls.client_ca if self.api.tls is not None else ""
        if isinstance(self.access, Access) and self.access.certificates and not authorities:
            message = "nobody is asked for a certificate: `spec.api.tls.client_ca` says of which authorities"
            raise WrongPartError(("access", "certificates"), message)
        return self

    @model_validator(mode="after")
    def _pictures_have_an_address(self) -> Self:
        by_links = [index for index, each in enumerate(self.receivers) if are_linked(each)]
        if by_links and self.pictures is None:
            message = "pictures by links are signed: `spec.pictures.key` has the key"
            raise WrongPartError(("receivers", by_links[0], "pictures"), message)
        if self.pictures is not None and not self.external_url:
            raise WrongPartError(("pictures",), "links to pictures start with `spec.external_url`: say what it is")
        return self

    @model_validator(mode="after")
    def _browsers_come_back(self) -> Self:
        oidc = self.access.oidc if isinstance(self.access, Access) else None
        if oidc is not None and oidc.login is not None and not is_protected(self.external_url):
            message = "browsers come back to `spec.external_url`, which must be https://… for that"
            raise WrongPartError(("access", "oidc", "login"), message)
        return self

    @model_validator(mode="after")
    def _groups_alerts_in_one_way(self) -> Self:
        if self.incidents.notify and self.alerting is not None:
            raise ValueError("incidents.notify is for services without alerting: group_by: [incident] in a route")
        return self

    @cached_property
    def routing(self) -> Alerting:
        """Who is notified of what: ``alerting``, or without it a route for each receiver."""
        if self.alerting is not None:
            return self.alerting
        names = [receiver.name for receiver in self.receivers]
        return alerting_by_incident(names) if self.incidents.notify else alerting_by_alert(names)

    @field_validator("receivers")
    @classmethod
    def _names_differ(cls, value: list[Receiver]) -> list[Receiver]:
        names = [receiver.name for receiver in value]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two receivers are named {name!r}")
        return value

    @model_validator(mode="after")
    def _subscribers_are_reached(self) -> Self:
        mail = self.subscriptions.email
        servers = [receiver.name for receiver in self.receivers if receiver.kind == "email"]
        if mail is not None and mail.through not in servers:
            message = f"no receiver of kind email is named {mail.through!r}"
            raise WrongPartError(("subscriptions", "email", "through"), message)
        return self


class Service(Strict):
    """The service's file; a model's file on its own runs with these defaults."""

    api_version: Literal["leeway/v1"] = Field(default="leeway/v1", alias="apiVersion")
    kind: Literal["Service"] = "Service"
    spec: ServiceSpec = Field(default_factory=ServiceSpec)
