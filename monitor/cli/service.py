"""A running service that is asked to change something, which a store alone cannot do."""

from __future__ import annotations

import getpass
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import click

from monitor.cli.answers import DEFAULT_URL
from monitor.cli.credentials import NO_CREDENTIALS, Credentials, credentials
from monitor.cli.records import Option, record
from monitor.errors import InputError

if TYPE_CHECKING:
    from monitor.client.leeway import Leeway

__all__ = [
    "Acknowledgement",
    "MarkedSeries",
    "RefusedError",
    "RunningService",
    "ServiceOrStore",
    "acknowledgement",
    "asking",
    "by",
    "comment",
    "path",
    "series",
    "service",
    "service_or_store",
]

TIMEOUT_S = 30.0


class RefusedError(InputError):
    """A service has refused a request.

    Parameters
    ----------
    message : str
    status : int
    errors : sequence of dict
        ``field``, ``message`` and, of a document, ``line`` of everything that is wrong.
    """

    def __init__(self, message: str, status: int, errors: Sequence[Mapping[str, Any]] = ()) -> None:
        super().__init__(message)
        self.status, self.errors = status, errors


@dataclass(frozen=True)
class RunningService:
    """A service, by its address, and with what it is asked."""

    url: str = DEFAULT_URL
    credentials: Credentials = NO_CREDENTIALS

    def client(self, timeout_s: float = TIMEOUT_S) -> Leeway:
        """Return what asks it, once: whoever waits at a terminal decides whether to ask again."""
        from monitor.client.leeway import Leeway

        shown = self.credentials
        return Leeway(self.url, token=shown.token, tls=shown.tls, timeout_s=timeout_s, retries=0)

    def send(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        timeout_s: float = TIMEOUT_S,
        hint: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Send a request once, since it may change something, and return the document that answers it.

        A body that is text is sent as it is, of the type that ``headers`` state.

        Raises
        ------
        RefusedError, SourceError
            If the service refuses the request, or does not answer it.
        """
        import httpx

        from monitor.client.connection import headers_with
        from monitor.client.errors import advised
        from monitor.errors import SourceError

        as_document = {} if body is None or isinstance(body, str) else {"Content-Type": "application/json"}
        stated: dict[str, Any] = {"headers": headers_with(self.credentials.token) | as_document | dict(headers or {})}
        stated |= {"verify": self.credentials.tls.context()}
        stated |= {"content": body if isinstance(body, str) else "" if body is None else _as_json(body)}
        try:
            answer = httpx.request(method, f"{self.url.rstrip('/')}{path}", timeout=timeout_s, **stated)
            document = answer.json() if answer.content else {}
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise SourceError(f"{self.url} cannot be reached: {error}{hint}", retryable=True) from error
        except ValueError as error:
            raise SourceError(f"{self.url} is no Leeway service: it does not answer JSON", retryable=False) from error
        if answer.is_success:
            return document
        # The routes of Alertmanager's API answer with a string.
        detail = document.get("detail", answer.status_code) if isinstance(document, dict) else document
        if answer.status_code >= 500:
            raise SourceError(f"{self.url}: {detail}", retryable=True)
        errors = document.get("errors", ()) if isinstance(document, dict) else ()
        raise RefusedError(advised(answer.status_code, str(detail)), answer.status_code, errors)


@dataclass(frozen=True)
class ServiceOrStore:
    """A running service; or the configuration of a store that no service has open.

    Raises
    ------
    click.UsageError
        If options exclude each other.
    """

    url: str | None
    credentials: Credentials
    config: str | None

    def __post_init__(self) -> None:
        if self.url is not None and self.config is not None:
            raise click.UsageError("--url and --config exclude each other.")

    @property
    def service(self) -> RunningService:
        """The service that is asked, if no configuration is named."""
        return RunningService(self.url or DEFAULT_URL, self.credentials)


def service_or_store(help_text: str) -> Option:
    """Return the decorator that adds the options; the command takes ``source``."""
    return record(
        "source",
        ServiceOrStore,
        click.option("--url", help=f"Of the running service.  [default: {DEFAULT_URL}]"),
        credentials,
        click.option("--config", type=click.Path(), help=help_text),
    )


service = record(
    "service",
    RunningService,
    click.option("--url", default=DEFAULT_URL, help=f"Of the running service.  [default: {DEFAULT_URL}]"),
    credentials,
)
"""Adds the option that names a service; the command takes ``service``."""

comment = click.option("--comment", default="", help="What others should know.")
by = click.option("--by", default=getpass.getuser, help="Who you are.  [default: your name on this machine]")


@dataclass(frozen=True)
class Acknowledgement:
    """Who takes alerts on, or gives them back."""

    comment: str
    by: str
    undo: bool

    @property
    def body(self) -> dict[str, Any]:
        """The body of the request."""
        return {"created_by": self.by, "comment": self.comment, "undo": self.undo}


acknowledgement = record(
    "acknowledgement",
    Acknowledgement,
    comment,
    by,
    click.option("--undo", is_flag=True, help="Take it back: the alert is repeated again."),
)
"""Adds the options of an acknowledgement; the command takes ``acknowledgement``."""


@dataclass(frozen=True)
class MarkedSeries:
    """Of what somebody says something, beside the signal, and who does."""

    segment: str
    version: str
    by: str

    @property
    def body(self) -> dict[str, Any]:
        """Its part of the body of a request."""
        return {"segment": self.segment, "version": self.version, "created_by": self.by}


series = record(
    "series",
    MarkedSeries,
    click.option("--segment", default="", help="Such as country=DE.  [default: all of the traffic]"),
    click.option("--version", default="", help="[default: every version that there is]"),
    click.option("--author", "by", default=getpass.getuser, help="Who you are.  [default: your name on this machine]"),
)
"""Adds the options that name a segment, a version and an author; the command takes ``series``."""


def asking(path: str, **parameters: object) -> str:
    """Return a path with parameters; those that are None are left out.

    Examples
    --------
    >>> asking("/v1/models", at=5, by=None)
    '/v1/models?at=5'
    """
    query = urlencode({name: value for name, value in parameters.items() if value is not None})
    return f"{path}?{query}" if query else path


def _as_json(body: object) -> str:
    try:
        return json.dumps(body, allow_nan=False)
    except ValueError as error:
        raise InputError("a number is infinite or none: expected one that JSON has") from error


def path(*parts: str) -> str:
    """Return the path of a route.

    Raises
    ------
    QuestionError
        A part of it is empty.

    Examples
    --------
    >>> path("v1", "alerts", "a/b", "ack")
    '/v1/alerts/a%2Fb/ack'
    """
    from monitor.client.requests import quoted

    return "".join(f"/{quoted(part)}" for part in parts)
