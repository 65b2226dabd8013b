"""The Kafka cluster that is read: where it is, who we are to it, and as which members of which group."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, SecretStr, model_validator

from monitor.config.model import DeadLetterTopicOrName
from monitor.values import DurationMs, Strict

__all__ = ["KafkaCluster", "KafkaSasl", "KafkaTls", "KafkaToken"]

_KEYS = {
    "client_id": "client_id",
    "client_rack": "rack",
    "group_instance_id": "instance",
    "metadata_max_age_ms": "refresh",
    "session_timeout_ms": "session_timeout",
}
"""Options of the client that have a key of their own."""

_SECURITY = ("security_protocol", "ssl_", "sasl_")


class KafkaTls(Strict):
    """Encryption between the service and Kafka; `{}` is enough where brokers have public certificates."""

    ca: str = Field(default="", description="file of the certificates to trust; the public ones if empty")
    certificate: str = Field(default="", description="file of a certificate of the service's own")
    key: str = Field(default="", description="file of its key; empty if the certificate's file holds it")
    key_password: SecretStr = Field(default=SecretStr(""), description="of an encrypted key, by reference")
    verify: bool = Field(default=True, description="false trusts any broker: for trials only")

    @model_validator(mode="after")
    def _key_has_a_certificate(self) -> Self:
        if self.key and not self.certificate:
            raise ValueError("a key needs the certificate that it belongs to")
        if self.key_password.get_secret_value() and not self.certificate:
            raise ValueError("key_password is of a certificate's key, and there is no certificate")
        return self


class KafkaToken(Strict):
    """Where tokens of OAUTHBEARER come from: exactly one of `value`, `file` and `url`."""

    value: SecretStr | None = Field(default=None, description="the token itself, by reference: `${KAFKA_TOKEN}`")
    file: str | None = Field(default=None, description="a file that holds it, read again for each connection")
    url: Annotated[str, Field(pattern=r"^https?://[^/\s@]+(/\S*)?$")] | None = Field(
        default=None, description="a server that gives one for client_id and client_secret (client credentials)"
    )
    client_id: str = ""
    client_secret: SecretStr = Field(default=SecretStr(""), description="by reference: `${KAFKA_CLIENT_SECRET}`")
    scope: str = Field(default="", description="what is asked for, if the server wants it named")
    ca: str = Field(default="", description="file of the certificates to trust at `url`; the public ones if empty")
    timeout: DurationMs = Field(default=5_000, gt=0, description="longest wait for the server's answer, all of it")

    @model_validator(mode="after")
    def _from_one_place(self) -> Self:
        named = [key for key in ("value", "file", "url") if getattr(self, key)]
        if len(named) != 1:
            raise ValueError(f"name exactly one of value, file, url; found {', '.join(named) or 'none'}")
        asking = bool(self.client_id) and bool(self.client_secret.get_secret_value())
        if self.url and not asking:
            raise ValueError("a url needs client_id and client_secret")
        if not self.url and (self.client_id or self.client_secret.get_secret_value() or self.scope or self.ca):
            raise ValueError("client_id, client_secret, scope and ca are for a url")
        return self


class KafkaSasl(Strict):
    """Who the service is to Kafka."""

    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"]
    user: str = Field(default="", description="for all but `OAUTHBEARER`")
    password: SecretStr = Field(default=SecretStr(""), description="by reference: `${KAFKA_PASSWORD}`")
    token: KafkaToken | None = Field(default=None, description="for `OAUTHBEARER`")

    @model_validator(mode="after")
    def _fits_the_mechanism(self) -> Self:
        password = self.password.get_secret_value()
        if self.mechanism == "OAUTHBEARER":
            if self.token is None:
                raise ValueError("OAUTHBEARER needs a token: {value}, {file} or {url, client_id, client_secret}")
            if self.user or password:
                raise ValueError("OAUTHBEARER takes a token, and no user or password")
        elif self.token is not None:
            raise ValueError(f"{self.mechanism} takes a user and a password, and no token")
        elif not (self.user and password):
            raise ValueError(f"{self.mechanism} needs a user and a password")
        return self


class KafkaCluster(Strict):
    """The cluster that `kafka:` sources are read from."""

    bootstrap: list[str] = Field(
        default_factory=lambda: ["localhost:9092"],
        min_length=1,
        description="addresses of some brokers, host:port; they name the others",
    )
    tls: KafkaTls | None = Field(default=None, description="without it nothing is encrypted")
    sasl: KafkaSasl | None = Field(default=None, description="without it the service says no name")
    group: str = Field(
        default="",
        description="the consumer group; if empty the store's own, which processes that share the store share:"
        " `leeway-` and the store's identity",
    )
    consumers: int = Field(default=1, ge=1, le=64, description="consumers of the group in this process")
    instance: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9._-]{0,240}$",
        description="this process's own name in the group, such as `${HOSTNAME}`: a restart then moves no partition",
    )
    session_timeout: DurationMs = Field(
        default=45_000, ge=1_000, description="a member that is silent for so long loses its partitions to the others"
    )
    client_id: str = Field(default="leeway", min_length=1, description="in the brokers' logs, quotas and metrics")
    rack: str = Field(default="", description="where the service runs: replicas of the same `broker.rack` are read")
    refresh: DurationMs = Field(
        default=60_000, ge=100, description="how often new topics and partitions are looked for"
    )
    start: Literal["earliest", "latest"] = Field(
        default="earliest", description="where to start a partition that has no checkpoint"
    )
    on_truncation: Literal["continue", "stop"] = Field(
        default="continue",
        description="what to do when a topic was recreated or truncated: `continue` reads on, fires an alert and"
        " marks windows; `stop` ends the service",
    )
    dead_letters: DeadLetterTopicOrName = Field(
        default=None,
        description="a topic, or {topic, kept}, for messages that could not be used; a source may name another",
    )
    records: Literal["auto", "batches", "plain"] = Field(
        default="auto",
        description="`batches` reads many records at once, `plain` one by one; `auto` is `batches` where the client"
        " allows it",
    )
    options: dict[str, str | int | float | bool] = Field(
        default_factory=dict, description="passed to kafka-python's consumer as they are"
    )

    @model_validator(mode="after")
    def _options_are_others(self) -> Self:
        for option in self.options:
            if option in _KEYS:
                raise ValueError(f"options: {option} has a key of its own, {_KEYS[option]}")
            if option.startswith(_SECURITY) and (self.tls is not None or self.sasl is not None):
                raise ValueError(f"options: {option} does not go with tls or sasl; say it there")
        return self

    def security(self) -> dict[str, Any]:
        """Return the options of the client that are plain values: the protocol, and the name and password."""
        if self.tls is None and self.sasl is None:
            return {}
        protocol = {(False, True): "SSL", (True, False): "SASL_PLAINTEXT", (True, True): "SASL_SSL"}
        chosen = {"security_protocol": protocol[self.sasl is not None, self.tls is not None]}
        if self.sasl is not None:
            chosen["sasl_mechanism"] = self.sasl.mechanism
            if self.sasl.token is None:
                chosen["sasl_plain_username"] = self.sasl.user
                chosen["sasl_plain_password"] = self.sasl.password.get_secret_value()
        return chosen
