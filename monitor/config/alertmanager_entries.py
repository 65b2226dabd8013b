"""The entries of Alertmanager's receivers, each translated to a receiver of Leeway's that does the same.

What people read is worded by Leeway: Go's templates, and what decorates messages, are passed over, and
:meth:`Entry.passed_over` names them. Whatever decides who is notified is taken, or refused by its name.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    PlainSerializer,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from monitor.config.prometheus import Pasted, PrometheusDuration
from monitor.errors import InputError
from monitor.values import format_duration
from sinks.receivers import read_parameters
from sinks.receivers.parameters import Parameters
from sinks.redaction import basic

__all__ = [
    "AlertingGlobal",
    "EmailConfig",
    "Entry",
    "HttpConfig",
    "OpsgenieConfig",
    "PagerdutyConfig",
    "SlackConfig",
    "WebhookConfig",
]

SLACK_API = "https://slack.com/api/chat.postMessage"
TLS_PORT = 465
HOST_AND_PORT = r"^(\S+:[0-9]{1,5})?$"


def _masked(secret: SecretStr | None) -> str | None:
    """As Alertmanager writes secrets, and its clients read them."""
    return "<secret>" if secret is not None and secret.get_secret_value() else None


Secret = Annotated[SecretStr, PlainSerializer(_masked, when_used="json")]


WORDS = "without effect: Leeway words messages itself"
Word = Annotated[str, Field(description=WORDS)]
Flag = Annotated[bool, Field(description=WORDS)]


def _address(value: SecretStr | None) -> SecretStr | None:
    if value is not None and not re.match(r"https?://[^/\s]", value.get_secret_value()):
        raise ValueError("expected an address that begins with http:// or https://")
    return value


class BasicAuth(Pasted):
    """A name and a password."""

    username: str = ""
    password: Secret = SecretStr("")


class Authorization(Pasted):
    """The header `Authorization`."""

    type: str = "Bearer"
    credentials: Secret = SecretStr("")


class HttpConfig(Pasted):
    """How requests are made; `tls_config`, `oauth2` and files of secrets are not supported."""

    basic_auth: BasicAuth | None = None
    authorization: Authorization | None = None
    bearer_token: Secret = Field(default=SecretStr(""), description="the old way to write `authorization`")
    proxy_url: str = Field(default="", description="the proxy that requests go through")
    follow_redirects: bool = Field(default=True, description="without effect: Leeway follows none")
    enable_http2: bool = Field(default=True, description="without effect")

    @model_validator(mode="after")
    def _says_it_once(self) -> Self:
        if [self.basic_auth is not None, self.authorization is not None, bool(self.bearer_token)].count(True) > 1:
            raise ValueError("give one of basic_auth, authorization and bearer_token")
        return self

    @property
    def token(self) -> str:
        """What a bearer has, if that is how requests are authorized."""
        if self.authorization is not None and self.authorization.type.lower() == "bearer":
            return self.authorization.credentials.get_secret_value()
        return self.bearer_token.get_secret_value()

    @property
    def header(self) -> str:
        """The header `Authorization`; empty if there is none."""
        if self.basic_auth is not None:
            return basic(self.basic_auth.username, self.basic_auth.password.get_secret_value())
        if self.authorization is not None:
            return f"{self.authorization.type} {self.authorization.credentials.get_secret_value()}"
        return f"Bearer {self.token}" if self.token else ""


class AlertingGlobal(Pasted):
    """What Alertmanager keeps for all receivers."""

    resolve_timeout: PrometheusDuration = Field(
        default=300_000,
        description="when an alert that others post without an end is resolved, if it is not posted again",
    )
    http_config: HttpConfig | None = None
    smtp_from: str = ""
    smtp_smarthost: str = Field(default="", pattern=HOST_AND_PORT)
    smtp_hello: str = Field(default="", description="without effect: mails come from this machine's name")
    smtp_auth_username: str = ""
    smtp_auth_password: Secret = SecretStr("")
    smtp_auth_password_file: str = ""
    smtp_require_tls: bool = True
    slack_api_url: Secret | None = None
    slack_api_url_file: str = ""
    pagerduty_url: str = "https://events.pagerduty.com/v2/enqueue"
    opsgenie_api_url: str = "https://api.opsgenie.com/"
    opsgenie_api_key: Secret = SecretStr("")
    opsgenie_api_key_file: str = ""

    _is_address = field_validator("slack_api_url")(_address)

    @model_validator(mode="after")
    def _says_secrets_once(self) -> Self:
        for name in ("smtp_auth_password", "slack_api_url", "opsgenie_api_key"):
            if getattr(self, name) and getattr(self, f"{name}_file"):
                raise ValueError(f"give one of {name} and {name}_file")
        return self


class Entry(Pasted):
    """What every entry has."""

    send_resolved: bool = True

    def entry(self) -> dict[str, Any]:
        """Return it as Alertmanager writes it, secrets left out."""
        written = self.model_dump(mode="json", by_alias=True, exclude={"allow_private"}, exclude_unset=True)
        return {**written, "send_resolved": self.send_resolved}

    def passed_over(self) -> list[str]:
        """Return the keys that say how messages look, and have no effect."""
        stated = {name: field for name, field in type(self).model_fields.items() if name in self.model_fields_set}
        return sorted(field.alias or name for name, field in stated.items() if field.description == WORDS)

    def missing(self, shared: AlertingGlobal) -> str:
        """Say what neither it nor the globals say, and it needs; empty if nothing."""
        return ""

    def parameters(self, name: str, shared: AlertingGlobal) -> Parameters:
        """Return the parameters of a receiver that is such an entry.

        Raises
        ------
        InputError
            If a file that it names cannot be read, or the receiver cannot be what it says.
        """
        try:
            stated = {key: value for key, value in self._stated(shared).items() if value not in ("", None)}
            return read_parameters({"name": "entry", "send_resolved": self.send_resolved, **stated}).named(name)
        except OSError as error:
            raise InputError(f"the receiver {name}: {error.filename}: {error.strerror}") from error
        except ValidationError as error:
            # The messages alone: an input may be a secret.
            raise InputError(f"the receiver {name}: {'; '.join(item['msg'] for item in error.errors())}") from error

    def _stated(self, shared: AlertingGlobal) -> dict[str, Any]:
        raise NotImplementedError


class PostedEntry(Entry):
    """What every entry has that is posted to."""

    http_config: HttpConfig | None = Field(default=None, description="that of the globals if absent")
    allow_private: bool = Field(
        default=False, description="Leeway's own: whether the address may be in a private network or on this machine"
    )

    def _http(self, shared: AlertingGlobal) -> HttpConfig:
        return self.http_config or shared.http_config or HttpConfig()

    def _posted(self, shared: AlertingGlobal) -> dict[str, Any]:
        return {"proxy": self._http(shared).proxy_url, "allow_private": self.allow_private}


def _held(secret: SecretStr | None, file: str) -> str:
    """Return a secret, as it stands there or in a file."""
    if secret is not None and secret.get_secret_value():
        return secret.get_secret_value()
    return Path(file).read_text(encoding="utf-8").strip() if file else ""


class WebhookConfig(PostedEntry):
    """Posts Alertmanager's version-4 body."""

    url: Secret | None = Field(default=None, description="never shown; better by reference: `${HOOK_URL}`")
    url_file: str = Field(
        default="",
        pattern="^(/.*)?$",
        description="instead, a file that holds it, by its whole path; read at each notification",
    )
    send_resolved: bool = True
    max_alerts: int = Field(default=0, ge=0, description="so many alerts at most, and a count of the others; 0 is all")
    timeout: PrometheusDuration = Field(default=0, description="the receiver's own 10s if 0")

    _is_address = field_validator("url")(_address)

    @model_validator(mode="after")
    def _has_one_address(self) -> Self:
        if (self.url is None) == (not self.url_file):
            raise ValueError("give either url or url_file")
        return self

    def _stated(self, shared: AlertingGlobal) -> dict[str, Any]:
        header = self._http(shared).header
        return {
            "kind": "webhook",
            "url": self.url,
            "url_file": self.url_file,
            "max_alerts": self.max_alerts,
            "headers": {"Authorization": header} if header else None,
            "timeout": format_duration(self.timeout) if self.timeout else "",
            **self._posted(shared),
        }


class SlackConfig(PostedEntry):
    """Writes to a Slack channel."""

    send_resolved: bool = False
    api_url: Secret | None = None
    api_url_file: str = ""
    channel: str = ""
    actions: list[Any] = Field(default_factory=list, description=WORDS)
    fields_: list[Any] = Field(default_factory=list, description=WORDS, alias="fields")
    mrkdwn_in: list[Any] = Field(default_factory=list, description=WORDS)
    short_fields: Flag = False
    link_names: Flag = False
    callback_id: Word = ""
    color: Word = ""
    fallback: Word = ""
    footer: Word = ""
    icon_emoji: Word = ""
    icon_url: Word = ""
    image_url: Word = ""
    pretext: Word = ""
    text: Word = ""
    thumb_url: Word = ""
    title: Word = ""
    title_link: Word = ""
    username: Word = ""

    _is_address = field_validator("api_url")(_address)

    @model_validator(mode="after")
    def _has_one_address(self) -> Self:
        if self.api_url is not None and self.api_url_file:
            raise ValueError("give either api_url or api_url_file")
        return self

    def missing(self, shared: AlertingGlobal) -> str:
        """See :class:`Entry`."""
        urls = (self.api_url, self.api_url_file, shared.slack_api_url, shared.slack_api_url_file)
        return "" if any(urls) else "give api_url or api_url_file, or slack_api_url of the globals"

    def _stated(self, shared: AlertingGlobal) -> dict[str, Any]:
        own = self.api_url is not None or self.api_url_file
        url = _held(self.api_url, self.api_url_file) if own else _held(shared.slack_api_url, shared.slack_api_url_file)
        token = self._http(shared).token if url == SLACK_API else ""
        return {"kind": "slack", "url": url, "channel": self.channel, "token": token, **self._posted(shared)}


class PagerdutyConfig(PostedEntry):
    """Opens and resolves incidents in PagerDuty (Events API v2)."""

    send_resolved: bool = True
    routing_key: Secret = SecretStr("")
    routing_key_file: str = ""
    service_key: Secret = Field(default=SecretStr(""), description="refused: of the Events API v1")
    service_key_file: str = ""
    url: str = ""
    images: list[Any] = Field(default_factory=list, description=WORDS)
    links: list[Any] = Field(default_factory=list, description=WORDS)
    details: dict[str, Any] = Field(default_factory=dict, description=WORDS)
    class_: Word = Field(default="", alias="class")
    client: Word = ""
    client_url: Word = ""
    component: Word = ""
    description: Word = ""
    group: Word = ""
    severity: Word = ""
    source: Word = ""

    @model_validator(mode="after")
    def _has_one_key(self) -> Self:
        if self.service_key or self.service_key_file:
            raise ValueError(
                "service_key is of the Events API v1: give the routing_key of an Events API v2 integration"
            )
        if bool(self.routing_key) == bool(self.routing_key_file):
            raise ValueError("give either routing_key or routing_key_file")
        return self

    def _stated(self, shared: AlertingGlobal) -> dict[str, Any]:
        key = _held(self.routing_key, self.routing_key_file)
        url = self.url or shared.pagerduty_url
        return {"kind": "pagerduty", "routing_key": key, "url": url, **self._posted(shared)}


class Responder(Pasted):
    """Whom Opsgenie notifies, by one of three names; their types are no templates."""

    type: Annotated[
        Literal["team", "teams", "escalation", "schedule", "user"],
        BeforeValidator(lambda value: value.lower() if isinstance(value, str) else value),
    ]
    id: str = ""
    name: str = ""
    username: str = ""

    @model_validator(mode="after")
    def _is_named(self) -> Self:
        if not (self.id or self.name or self.username):
            raise ValueError("a responder has an id, a name or a username")
        return self


class OpsgenieConfig(PostedEntry):
    """Opens and closes alerts in Opsgenie."""

    send_resolved: bool = True
    api_key: Secret = SecretStr("")
    api_key_file: str = ""
    api_url: str = ""
    responders: list[Responder] = Field(default_factory=list, description="whom Opsgenie notifies")
    tags: str = Field(default="", description="with commas between them")
    actions: Word = ""
    description: Word = ""
    details: dict[str, Any] = Field(default_factory=dict, description=WORDS)
    entity: Word = ""
    message: Word = ""
    note: Word = ""
    priority: Word = ""
    source: Word = ""
    update_alerts: Flag = False

    @model_validator(mode="after")
    def _has_one_key(self) -> Self:
        if self.api_key and self.api_key_file:
            raise ValueError("give either api_key or api_key_file")
        return self

    def missing(self, shared: AlertingGlobal) -> str:
        """See :class:`Entry`."""
        keys = (self.api_key, self.api_key_file, shared.opsgenie_api_key, shared.opsgenie_api_key_file)
        return "" if any(keys) else "give api_key or api_key_file, or opsgenie_api_key of the globals"

    def _stated(self, shared: AlertingGlobal) -> dict[str, Any]:
        own = _held(self.api_key, self.api_key_file)
        # `teams` are the teams of a name with commas between them.
        teams = [name.strip() for each in self.responders if each.type == "teams" for name in each.name.split(",")]
        others = [each for each in self.responders if each.type != "teams"]
        return {
            "kind": "opsgenie",
            "api_key": own or _held(shared.opsgenie_api_key, shared.opsgenie_api_key_file),
            "url": (self.api_url or shared.opsgenie_api_url).rstrip("/"),
            "teams": teams,
            "responders": [responder.model_dump(exclude_defaults=True) for responder in others],
            "tags": [tag.strip() for tag in self.tags.split(",") if tag.strip()],
            **self._posted(shared),
        }


class EmailConfig(Entry):
    """Sends e-mail."""

    send_resolved: bool = False
    to: str = Field(min_length=1, description="with commas between several")
    from_: str = Field(default="", alias="from")
    smarthost: str = Field(default="", pattern=HOST_AND_PORT)
    auth_username: str = ""
    auth_password: Secret = SecretStr("")
    auth_password_file: str = ""
    require_tls: bool | None = None
    headers: dict[str, str] = Field(default_factory=dict, description=WORDS)
    hello: Word = ""
    html: Word = ""
    text: Word = ""

    @model_validator(mode="after")
    def _names_headers_once(self) -> Self:
        if len({name.title() for name in self.headers}) < len(self.headers):
            raise ValueError("a header stands twice")
        return self

    def missing(self, shared: AlertingGlobal) -> str:
        """See :class:`Entry`."""
        if not (self.smarthost or shared.smtp_smarthost):
            return "give smarthost, or smtp_smarthost of the globals"
        return "" if self.from_ or shared.smtp_from else "give from, or smtp_from of the globals"

    def _stated(self, shared: AlertingGlobal) -> dict[str, Any]:
        host, _, port = (self.smarthost or shared.smtp_smarthost).rpartition(":")
        requires_tls = shared.smtp_require_tls if self.require_tls is None else self.require_tls
        username = self.auth_username or shared.smtp_auth_username
        password = _held(self.auth_password, self.auth_password_file) if username else ""
        if username and not password:
            password = _held(shared.smtp_auth_password, shared.smtp_auth_password_file)
        return {
            "kind": "email",
            "host": host,
            "port": int(port),
            "sender": self.from_ or shared.smtp_from,
            "to": [address.strip() for address in self.to.split(",")],
            "security": "tls" if int(port) == TLS_PORT else "starttls" if requires_tls else "none",
            "username": username,
            "password": password,
        }
