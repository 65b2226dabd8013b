"""Tokens for SASL OAUTHBEARER: stated, from a file, or from a server that gives them for a client's credentials.

What a server gives is used until shortly before it expires, also for connections that are authenticated again while
they are open. It is asked on the client's own thread, so for no longer than ``timeout``: heartbeats wait meanwhile.
"""

from __future__ import annotations

import ssl
import threading
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
from kafka.net.sasl.oauth import AbstractTokenProvider

from monitor.clock import Clock
from monitor.config.kafka import KafkaToken
from monitor.errors import InputError, SourceError
from sinks.time_limit import FAILURES, reason_of, within

__all__ = ["TokenProvider"]

EARLY_S = 30.0
"""So long before it expires, or a tenth of its life if that is less, a token is replaced."""


class TokenProvider(AbstractTokenProvider):  # type: ignore[misc]
    """Gives the client a token whenever it connects.

    Parameters
    ----------
    spec : KafkaToken
    clock : Clock
    transport : httpx.AsyncBaseTransport or None
        Carries the request to the server; the network if None.

    Raises
    ------
    InputError
        The certificates to trust cannot be read.
    """

    def __init__(self, spec: KafkaToken, clock: Clock, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._spec, self._clock, self._transport = spec, clock, transport
        self._trusted = _trusted(spec)
        self._lock = threading.Lock()
        self._cached = ""
        self._until_s = 0.0

    def token(self) -> str:
        """Return a token that is valid for now.

        Raises
        ------
        SourceError
            There is none. Retryable if the server did not answer or is in trouble; not if it refuses.
        """
        if self._spec.value is not None:
            return self._spec.value.get_secret_value()
        if self._spec.file is not None:
            return _from_file(self._spec.file)
        with self._lock:
            if not self._cached or self._clock.monotonic_s() >= self._until_s:
                asked_s = self._clock.monotonic_s()
                self._cached, lifetime_s = self._ask()
                self._until_s = asked_s + lifetime_s - min(EARLY_S, lifetime_s / 10)
            return self._cached

    def _ask(self) -> tuple[str, float]:
        spec = self._spec
        parameters = {"grant_type": "client_credentials"} | ({"scope": spec.scope} if spec.scope else {})
        # RFC 6749, 2.3.1: name and secret are encoded as in a form before they become basic authentication.
        who = (quote(spec.client_id, safe=""), quote(spec.client_secret.get_secret_value(), safe=""))
        try:
            answer = within(spec.timeout / 1000, self._answer(parameters, who))
        except (TimeoutError, httpx.TimeoutException) as error:
            raise SourceError(f"no token from {spec.url}: timed out after {spec.timeout} ms", retryable=True) from error
        except FAILURES as error:
            raise SourceError(f"no token from {spec.url}: {reason_of(error)}", retryable=True) from error
        if answer.status_code >= 500 or answer.status_code == 429:
            raise SourceError(f"no token from {spec.url}: it answers {answer.status_code}", retryable=True)
        body = _body(answer)
        token, lifetime_s = body.get("access_token"), body.get("expires_in", 0)
        if answer.status_code != 200 or not isinstance(token, str) or not token:
            reason = body.get("error_description") or body.get("error") or f"it answers {answer.status_code}"
            raise SourceError(
                f"{spec.url} gives no token: {reason}; check url, client_id, client_secret and scope of"
                " kafka.sasl.token",
                retryable=False,
            )
        # A life that is not stated is not guessed: the next connection asks again.
        return token, float(lifetime_s) if isinstance(lifetime_s, int | float | str) and str(lifetime_s) else 0.0

    async def _answer(self, parameters: dict[str, str], who: tuple[str, str]) -> httpx.Response:
        timeout_s = self._spec.timeout / 1000
        async with httpx.AsyncClient(verify=self._trusted, timeout=timeout_s, transport=self._transport) as client:
            return await client.post(str(self._spec.url), data=parameters, auth=who)


def _body(answer: httpx.Response) -> dict[str, Any]:
    try:
        body = answer.json()
    except ValueError:  # an answer that is no JSON holds no token, which is what the caller says
        return {}
    return body if isinstance(body, dict) else {}


def _from_file(file: str) -> str:
    try:
        token = Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"kafka.sasl.token.file: {file}: {error}", retryable=False) from error
    if not token:
        raise SourceError(f"kafka.sasl.token.file: {file} is empty", retryable=False)
    return token


def _trusted(spec: KafkaToken) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=spec.ca or None)
    except OSError as error:
        raise InputError(f"kafka.sasl.token.ca: {spec.ca}: {error.strerror or error}") from error
