"""Who is told about alerts: the receivers of the service's file."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from monitor.values import DurationMs, Name, Strict

__all__ = [
    "FOR_MACHINES",
    "AlertmanagerReceiver",
    "AppriseReceiver",
    "ClickhouseReceiver",
    "EmailReceiver",
    "KafkaReceiver",
    "LogReceiver",
    "OpsgenieReceiver",
    "PagerDutyReceiver",
    "Receiver",
    "SlackReceiver",
    "TeamsReceiver",
    "WebhookReceiver",
]


FOR_MACHINES = ("alertmanager", "opsgenie", "pagerduty")
"""Kinds that open and close something at the other end, by what is told of a group."""


def _is_http(url: SecretStr) -> SecretStr:
    if not url.get_secret_value().startswith(("http://", "https://")):
        raise ValueError("an address begins with http:// or https://")
    return url


def _is_template(text: str) -> str:
    if not text:
        return text
    from sinks.receivers.text import wrong

    if message := wrong(text):
        raise ValueError(f"the template is no Jinja2: {message}")
    return text


SecretUrl = Annotated[SecretStr, AfterValidator(_is_http)]
Template = Annotated[str, AfterValidator(_is_template)]


class _Receiver(Strict):
    """What every receiver has."""

    def settings(self) -> dict[str, Any]:
        """Return what :func:`sinks.receivers.build` takes, secrets in the clear."""
        given = self.model_dump()
        if "timeout" in given:
            given["timeout_ms"] = given.pop("timeout")
        return {key: _revealed(value) for key, value in given.items()}


def _revealed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _revealed(entry) for key, entry in value.items()}
    return value.get_secret_value() if isinstance(value, SecretStr) else value


class LogReceiver(_Receiver):
    """Writes alerts to the service's log."""

    kind: Literal["log"]
    name: Name = "log"


class _Remote(_Receiver):
    """What every receiver outside the process has."""

    name: Name
    timeout: DurationMs = Field(default=10_000, gt=0)
    send_resolved: bool = Field(default=True, description="whether it is told about ends")


class _Posted(_Remote):
    """What every receiver has that is posted to."""

    allow_private: bool = Field(
        default=False, description="whether the address may be in a private network or on this machine"
    )


class _Worded(Strict):
    """What every receiver has that people read."""

    title: Template = Field(default="", description="Jinja2; see docs/alerts.md for what it may use")
    text: Template = Field(default="", description="Jinja2")


class WebhookReceiver(_Posted):
    """Posts Alertmanager's version-4 body."""

    kind: Literal["webhook"]
    url: SecretUrl = Field(description="by reference if it holds a secret: `${ALERTS_URL}`")
    headers: dict[str, SecretStr] = Field(default_factory=dict, description="values by reference if they are secrets")
    secret: SecretStr = Field(default=SecretStr(""), description="what bodies are signed with; empty: not signed")
    max_alerts: int = Field(default=0, ge=0, description="so many alerts at most, and a count of the others; 0 is all")


class AlertmanagerReceiver(_Posted):
    """Hands alerts to an Alertmanager, which routes them itself."""

    kind: Literal["alertmanager"]
    url: SecretUrl = Field(description="of Alertmanager, such as `http://alertmanager:9093`")
    headers: dict[str, SecretStr] = Field(default_factory=dict, description="values by reference if they are secrets")


class SlackReceiver(_Posted, _Worded):
    """Writes to a Slack channel."""

    kind: Literal["slack"]
    url: SecretUrl = Field(
        default=SecretStr("https://slack.com/api/chat.postMessage"),
        description="of an incoming webhook, by reference; with a token, Slack's API",
    )
    token: SecretStr = Field(default=SecretStr(""), description="of a bot, by reference; then `channel` says where")
    channel: str = ""

    @model_validator(mode="after")
    def _has_an_address(self) -> Self:
        if bool(self.token.get_secret_value()) != bool(self.channel):
            raise ValueError("token and channel go together")
        if not self.channel and "url" not in self.model_fields_set:
            raise ValueError("give the url of an incoming webhook, or token and channel")
        return self


class TeamsReceiver(_Posted, _Worded):
    """Writes to a channel of Microsoft Teams."""

    kind: Literal["teams"]
    url: SecretUrl = Field(description="of a workflow that is started by a webhook, by reference")


class PagerDutyReceiver(_Posted, _Worded):
    """Opens and resolves incidents in PagerDuty (Events API v2)."""

    kind: Literal["pagerduty"]
    routing_key: SecretStr = Field(description="of the service's integration, by reference")
    url: SecretUrl = SecretStr("https://events.pagerduty.com/v2/enqueue")


class OpsgenieReceiver(_Posted, _Worded):
    """Opens and closes alerts in Opsgenie."""

    kind: Literal["opsgenie"]
    api_key: SecretStr = Field(description="of an API integration, by reference")
    url: SecretUrl = Field(
        default=SecretStr("https://api.opsgenie.com"), description="in the EU https://api.eu.opsgenie.com"
    )
    teams: list[str] = Field(default_factory=list, description="names of the teams that are told")
    tags: list[str] = Field(default_factory=list)


class EmailReceiver(_Remote, _Worded):
    """Sends e-mail."""

    kind: Literal["email"]
    host: str = Field(description="of the SMTP server")
    sender: str = Field(pattern=r"@", description="the address that mails come from")
    to: list[Annotated[str, Field(pattern=r"@")]] = Field(min_length=1)
    port: int | None = Field(default=None, ge=1, le=65_535, description="587, 465 or 25, by `security`")
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str = ""
    password: SecretStr = Field(default=SecretStr(""), description="by reference: `${SMTP_PASSWORD}`")
    ca_file: str = Field(default="", description="file of the certificates to trust; the public ones if empty")
    pictures: bool = Field(default=True, description="whether small charts of what moved are in the mail")

    @model_validator(mode="after")
    def _passwords_are_encrypted(self) -> Self:
        if self.security == "none" and self.password.get_secret_value():
            raise ValueError("a password is not sent without encryption: set `security` to starttls or tls")
        if bool(self.username) != bool(self.password.get_secret_value()):
            raise ValueError("username and password go together")
        return self


class AppriseReceiver(_Worded, _Receiver):
    """Reaches any service that Apprise knows; needs `pip install 'leeway[apprise]'`."""

    kind: Literal["apprise"]
    name: Name
    url: SecretStr = Field(description="as Apprise's documentation has it, by reference")
    send_resolved: bool = Field(default=True, description="whether it is told about ends")


def _is_clickhouse(url: SecretStr) -> SecretStr:
    if not url.get_secret_value().startswith(("clickhouse://", "clickhouses://")):
        raise ValueError("an address begins with clickhouse:// or clickhouses://")
    return url


class ClickhouseReceiver(_Remote):
    """Writes a row for each alert that is told to a table of a ClickHouse server."""

    kind: Literal["clickhouse"]
    url: Annotated[SecretStr, AfterValidator(_is_clickhouse)] = Field(
        description="`clickhouse://user:password@host:port/database`, by reference; `clickhouses://` for TLS"
    )
    table: str = Field(default="alerts_told", pattern=r"^\w+(\.\w+)?$", description="made if it is not there")


class KafkaReceiver(_Remote):
    """Writes the webhook's body to a topic of the service's Kafka cluster, with the group's key."""

    kind: Literal["kafka"]
    topic: str = Field(min_length=1)
    timeout: DurationMs = Field(default=30_000, gt=0, description="for the acknowledgement")


Receiver = Annotated[
    LogReceiver
    | WebhookReceiver
    | AlertmanagerReceiver
    | SlackReceiver
    | TeamsReceiver
    | PagerDutyReceiver
    | OpsgenieReceiver
    | EmailReceiver
    | KafkaReceiver
    | ClickhouseReceiver
    | AppriseReceiver,
    Field(discriminator="kind"),
]
