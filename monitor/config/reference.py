"""The configuration reference, written from the configuration's own classes."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import AwareDatetime, BaseModel, BeforeValidator, SecretStr
from pydantic.fields import FieldInfo

from monitor.config import (
    access,
    alerting,
    baseline,
    detect,
    formats,
    freshness,
    heartbeat,
    incidents,
    kafka,
    keep,
    layers,
    listener_tls,
    model,
    naive,
    oidc,
    performance,
    privacy,
    prometheus,
    quotas,
    rates,
    registry,
    routes,
    schema,
    service,
    subscriptions,
    traces,
)
from monitor.config import alertmanager_entries as entries
from monitor.config.written import as_written, reader_of_field
from monitor.routing import interval_spec as intervals
from monitor.values import parse_duration, parse_lifetime, parse_share
from sinks.receivers import RECEIVERS, parameters_class

__all__ = ["reference", "rewrite"]

SECTIONS: tuple[tuple[str, type[BaseModel]], ...] = (
    ("metadata", model.Metadata),
    ("spec", model.ModelSpec),
    ("spec.sources[]", model.SourceSpec),
    ("spec.sources[].models", model.ModelsByName),
    ("spec.sources[].event_time", model.EventTime),
    ("spec.sources[].format, kind: avro", formats.AvroFormat),
    ("spec.sources[].format, kind: protobuf", formats.ProtobufFormat),
    ("spec.sources[].format, kind: json_schema", formats.JsonSchemaFormat),
    ("spec.sources[].format, kind: csv", formats.CsvFormat),
    ("spec.sources[].dead_letters, spec.kafka.dead_letters", model.DeadLetterTopic),
    ("spec.schema", schema.Schema),
    ("spec.schema.features.NAME, spec.schema.prediction.NAME, spec.schema.labels.NAME", schema.FieldSpec),
    ("spec.schema.features.NAME.privacy, and that of prediction and labels", privacy.Buckets),
    ("spec.segments[]", model.SegmentSpec),
    ("spec.baseline, kind: dataset", baseline.DatasetBaseline),
    ("spec.baseline, kind: first_events", baseline.FirstEventsBaseline),
    ("spec.baseline, kind: rolling", baseline.RollingBaseline),
    ("spec.baseline, kind: period", baseline.PeriodBaseline),
    ("spec.detect", detect.Detect),
    ("spec.detect.defaults", detect.Defaults),
    ("spec.detect.rules[]", detect.Rule),
    ("spec.alerts", model.Alerts),
    ("spec.keep", keep.Keep),
    ("spec.keep.for", keep.KeepFor),
    ("spec.freshness", freshness.Freshness),
    ("spec.performance", performance.Performance),
    ("spec.performance.baselines.NAME, kind: prior", naive.PriorAnswer),
    ("spec.performance.baselines.NAME, kind: constant", naive.ConstantAnswer),
    ("spec.performance.baselines.NAME, kind: seasonal", naive.SeasonalAnswer),
    ("spec.performance.baselines.NAME, kind: moving_average", naive.MovingAverageAnswer),
    ("spec.performance.baselines.NAME, kind: field", naive.FieldAnswer),
    ("spec.performance.interval", performance.IntervalSpec),
    ("spec.performance.estimates.NAME", performance.EstimateSpec),
)
SERVICE_SECTIONS: tuple[tuple[str, type[BaseModel]], ...] = (
    ("spec", service.ServiceSpec),
    ("spec.store, kind: chdb", service.ChdbStoreSpec),
    ("spec.store, kind: clickhouse", service.ClickhouseStoreSpec),
    ("spec.store.tls", service.ClickhouseTls),
    ("spec.store, kind: memory", service.MemoryStoreSpec),
    ("spec.store.keep", service.Retention),
    ("spec.kafka", kafka.KafkaCluster),
    ("spec.kafka.tls", kafka.KafkaTls),
    ("spec.kafka.sasl", kafka.KafkaSasl),
    ("spec.kafka.sasl.token", kafka.KafkaToken),
    ("spec.schema_registry", registry.SchemaRegistry),
    ("spec.schema_registry.tls", registry.RegistryTls),
    ("spec.api", service.Api),
    ("spec.api.rates", rates.ApiRates),
    ("spec.api.tls", listener_tls.ListenerTls),
    ("spec.access", access.Access),
    ("spec.access.tokens[]", access.ConfiguredToken),
    ("spec.privacy", privacy.Privacy),
    ("spec.quotas.NAMESPACE", quotas.Quota),
    ("spec.access.certificates[]", access.CertificateRole),
    ("spec.access.oidc", oidc.Oidc),
    ("spec.access.oidc.roles", oidc.OidcRoles),
    ("spec.access.oidc.login", oidc.OidcLogin),
    ("spec.heartbeat", heartbeat.Heartbeat),
    ("spec.traces", traces.Traces),
    ("spec.incidents", incidents.Incidents),
    ("spec.alerting", alerting.Alerting),
    ("spec.alerting.leeway", alerting.AlertingOptions),
    ("spec.alerting.global", entries.AlertingGlobal),
    ("spec.alerting.route, and its routes[]", routes.RouteSpec),
    ("spec.alerting.route.leeway, and that of its routes[]", routes.LeewayOptions),
    ("spec.alerting.route.leeway.hold, and that of its routes[]", routes.HoldSpec),
    ("spec.alerting.route.leeway.escalate[], and that of its routes[]", routes.StepSpec),
    ("spec.alerting.leeway.digests[]", alerting.DigestSpec),
    ("spec.alerting.receivers[]", alerting.AlertReceiver),
    ("spec.alerting.global.http_config, and that of entries", entries.HttpConfig),
    ("spec.alerting.receivers[].webhook_configs[]", entries.WebhookConfig),
    ("spec.alerting.receivers[].email_configs[]", entries.EmailConfig),
    ("spec.alerting.receivers[].pagerduty_configs[]", entries.PagerdutyConfig),
    ("spec.alerting.receivers[].opsgenie_configs[]", entries.OpsgenieConfig),
    ("spec.alerting.receivers[].slack_configs[]", entries.SlackConfig),
    ("spec.alerting.inhibit_rules[]", alerting.InhibitRule),
    ("spec.alerting.time_intervals[], spec.alerting.mute_time_intervals[]", intervals.NamedIntervals),
    ("spec.alerting.time_intervals[].time_intervals[]", intervals.IntervalSpec),
    ("spec.alerting.time_intervals[].time_intervals[].times[]", intervals.TimeRange),
    ("spec.subscriptions", subscriptions.Subscriptions),
    ("spec.subscriptions.email", subscriptions.EmailSubscribers),
    ("spec.subscriptions.webhook", subscriptions.WebhookSubscribers),
    *((f"spec.receivers[], kind: {kind}", parameters_class(kind)) for kind in RECEIVERS),
)
FORMATS = [kind.model_fields["kind"].annotation.__args__[0] for kind in formats.FORMAT_KINDS]


def reference() -> str:
    """Return the tables of every section, as Markdown."""
    lines = ["## A model's file: `kind: Model`", ""]
    for path, section in SECTIONS:
        lines += _section(path, section)
    lines += ["## What models have in common: `kind: Defaults`", ""]
    lines += _section("metadata", layers.DefaultsMetadata)
    lines += ["## The service's file: `kind: Service`", ""]
    for path, section in SERVICE_SECTIONS:
        lines += _section(path, section)
    return "\n".join(lines).rstrip() + "\n"


def _section(path: str, section: type[BaseModel]) -> list[str]:
    summary = (inspect.getdoc(section) or "").partition("\n")[0]
    head = [f"### {path}", "", summary, "", "| key | type | default | meaning |", "|---|---|---|---|"]
    rows = [_row(field.alias or name, field) for name, field in section.model_fields.items()]
    return [*head, *rows, ""]


def _row(key: str, field: FieldInfo) -> str:
    kind = _WRITTEN.get(reader_of_field(field)) or _kind(field.annotation)
    return f"| `{key}` | {kind} | {_default(field)} | {field.description or ''} |"


_WRITTEN: dict[Any, str] = {
    parse_duration: "duration",
    prometheus.parse_prometheus_duration: "duration",
    parse_lifetime: "duration or `forever`",
    parse_share: "true, false or percentage",
    formats.by_name: f"{', '.join(f'`{kind}`' for kind in FORMATS)}, or section",
    registry.several: "text or list of text",
    prometheus.matchers: "list of text",
    intervals.minute_of: "text",
}

_PLAIN: dict[Any, str] = {
    str: "text",
    AwareDatetime: "time",
    SecretStr: "text",
    int: "number",
    float: "number",
    bool: "true or false",
    type(None): "nothing",
}


def _kind(annotation: Any) -> str:
    if hasattr(annotation, "__metadata__"):
        is_read = any(isinstance(item, BeforeValidator) for item in annotation.__metadata__)
        annotation = str if is_read else annotation.__origin__
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is None:
        return _PLAIN.get(annotation, "section")
    if str(origin) == "typing.Literal":
        return ", ".join(f"`{value}`" for value in arguments)
    if origin is list:
        return f"list of {_kind(arguments[0])}"
    if origin is dict:
        return "mapping"
    if origin is tuple:
        return "pair of numbers"
    kinds = [_kind(argument) for argument in arguments if getattr(argument, "__origin__", argument) is not type(None)]
    return " or ".join(dict.fromkeys(kinds))


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    value = field.get_default(call_default_factory=True)
    if (text := as_written(field, value)) is not value:
        if isinstance(text, list):
            return f"`[{', '.join(map(str, text))}]`"
        return f"`{str(text).lower() if isinstance(text, bool) else text}`"
    if value is None or value == "" or isinstance(value, (BaseModel, SecretStr)) or value in ({}, []):
        return ""
    if isinstance(value, list) and isinstance(value[0], BaseModel):
        return "a log receiver"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def rewrite(document: Path) -> None:
    """Replace the tables at the end of ``document``; what stands before them stays."""
    text = document.read_text(encoding="utf-8")
    document.write_text(text[: text.index("## A model's file")] + reference(), encoding="utf-8")


if __name__ == "__main__":
    rewrite(Path(sys.argv[1]))
