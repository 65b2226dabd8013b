"""The client of a schema registry that speaks Confluent's REST interface.

A number stands for one schema for ever, so a schema is asked for once. Whatever the registry answers but a schema or
"there is none" is trouble that passes: nothing can be said of a message meanwhile, so reading has to wait.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx
import structlog
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from monitor.config.registry import RegistryTls, SchemaRegistry
from monitor.errors import InputError, SourceError
from sinks.redaction import Redaction, basic
from sinks.time_limit import FAILURES, reason_of, within

__all__ = ["Registered", "Registry"]

ACCEPT = "application/vnd.schemaregistry.v1+json, application/json"
_NO_SUCH = {40401, 40402, 40403}
"""What the registry calls a subject, a version and a schema that it does not have."""
log = structlog.get_logger("leeway.registry")


@dataclass(frozen=True)
class Registered:
    """A schema as the registry holds it.

    Attributes
    ----------
    kind : str
        ``AVRO``, ``PROTOBUF`` or ``JSON``.
    text : str
        Of Protobuf, the descriptor of its file in Base64.
    references : dict of str to Registered
        What it refers to, by the names it does so with.
    """

    kind: str
    text: str
    references: Mapping[str, Registered] = field(default_factory=dict)


class _Trouble(Exception):  # noqa: N818 -- passes, or becomes a SourceError
    """An answer that says nothing about the schema."""


class _Nothing(Exception):  # noqa: N818 -- an answer like any other
    """There is none."""


class Registry:
    """Asks for schemas by their number. May be used from several threads.

    Parameters
    ----------
    spec : SchemaRegistry

    Raises
    ------
    InputError
        A certificate cannot be used.
    """

    def __init__(self, spec: SchemaRegistry) -> None:
        password, token = spec.password.get_secret_value(), spec.token.get_secret_value()
        headers = {"accept": ACCEPT} | ({"authorization": f"Bearer {token}"} if token else {})
        self._spec = spec
        self._urls = [url.rstrip("/") for url in spec.url]
        self._options: dict[str, Any] = {
            "auth": (spec.user, password) if spec.user else None,
            "headers": headers,
            "timeout": None,
            "verify": _trust(spec.tls),
        }
        self._hide = Redaction([password, token, basic(spec.user, password)])
        self._known: dict[tuple[int, str], Registered] = {}
        self._lock = threading.Lock()

    failures: int = 0
    """Requests that were not answered as they should be."""

    def schema(self, number: int, form: str = "") -> Registered | None:
        """Return the schema with a number, with what it refers to; None if the registry does not have it all.

        Parameters
        ----------
        number : int
        form : str
            In which form to ask for it: ``serialized`` gives Protobuf as descriptors.

        Raises
        ------
        SourceError
            The registry did not say; retryable.
        """
        with self._lock:
            if (number, form) not in self._known:
                try:
                    body = self._ask(f"/schemas/ids/{number}", form)
                    self._known[number, form] = self._registered(body, form, ())
                except _Nothing:
                    return None
            return self._known[number, form]

    def close(self) -> None:
        """Nothing to release: a connection lasts as long as a question."""

    def _registered(self, body: Mapping[str, Any], form: str, above: tuple[str, ...]) -> Registered:
        references = {}
        for reference in body.get("references") or ():
            path = f"/subjects/{quote(reference['subject'], safe='')}/versions/{reference['version']}"
            if path in above:
                raise _Nothing
            # A version that was deleted from its subject still is what others refer to.
            referred = self._ask(path, form, deleted="true")
            references[reference["name"]] = self._registered(referred, form, (*above, path))
        return Registered(str(body.get("schemaType") or "AVRO"), str(body["schema"]), references)

    def _ask(self, path: str, form: str, **parameters: str) -> dict[str, Any]:
        query = parameters | ({"format": form} if form else {})
        trying = Retrying(
            retry=retry_if_exception_type(_Trouble),
            stop=stop_after_attempt(self._spec.attempts),
            wait=wait_random_exponential(multiplier=0.1, max=2.0),
            before_sleep=_say,
            reraise=True,
        )
        try:
            return trying(self._ask_everyone, path, query)
        except _Trouble as error:
            raise SourceError(f"the schema registry cannot be asked for {path}: {error}", retryable=True) from error

    def _ask_everyone(self, path: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        troubles = []
        for url in self._urls:
            try:
                return self._ask_one(url, path, parameters)
            except _Trouble as error:
                self.failures += 1
                troubles.append(f"{url}: {error}")
        raise _Trouble("; ".join(troubles))

    def _ask_one(self, url: str, path: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        try:
            answer = within(self._spec.timeout / 1000, self._answer(url + path, parameters))
        except TimeoutError as error:
            raise _Trouble(f"timed out after {self._spec.timeout} ms") from error
        except FAILURES as error:
            raise _Trouble(reason_of(error)) from error
        try:
            body = answer.json()
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise _Trouble(f"HTTP {answer.status_code} without a JSON object: is this a schema registry?")
        if answer.status_code == httpx.codes.NOT_FOUND and body.get("error_code") in _NO_SUCH:
            raise _Nothing
        if answer.status_code != httpx.codes.OK:
            raise _Trouble(f"HTTP {answer.status_code} {self._hide(str(body.get('message', '')))}".rstrip())
        if not isinstance(body.get("schema"), str) or not all(map(_is_reference, body.get("references") or ())):
            raise _Trouble("an answer that is no schema")
        return body

    async def _answer(self, address: str, parameters: Mapping[str, str]) -> httpx.Response:
        async with httpx.AsyncClient(**self._options) as client:
            return await client.get(address, params=parameters)


def _is_reference(value: object) -> bool:
    kinds = {"name": str, "subject": str, "version": int}
    return isinstance(value, dict) and all(isinstance(value.get(key), kind) for key, kind in kinds.items())


def _trust(tls: RegistryTls) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=tls.ca or None)
        if tls.certificate:
            context.load_cert_chain(tls.certificate, tls.key or None)
    except OSError as error:
        raise InputError(f"schema_registry.tls: {error.strerror or error}") from error
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _say(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome is not None else None
    log.warning("the schema registry did not answer; asking again", error=str(error))
