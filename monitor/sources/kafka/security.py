"""Encryption and authentication towards Kafka: the client's options, and what it says when a broker refuses."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from functools import partial
from typing import Any

from kafka.errors import IllegalSaslStateError, SaslAuthenticationFailedError, UnsupportedSaslMechanismError
from kafka.net.compat import KafkaNetClient
from kafka.net.manager import KafkaConnectionManager
from kafka.net.selector import NetworkSelector

from monitor.clock import SystemClock
from monitor.config.kafka import KafkaCluster, KafkaTls
from monitor.errors import InputError, SourceError
from monitor.sources.kafka.token import TokenProvider

__all__ = ["REFUSALS", "AuthenticatedClient", "check_encryption", "security_of", "trust"]

REFUSALS = (SaslAuthenticationFailedError, UnsupportedSaslMechanismError, IllegalSaslStateError, SourceError)
"""What authentication fails with when the client should stop trying; the last is of our own token provider."""


def security_of(cluster: KafkaCluster) -> dict[str, Any]:
    """Return the options with which any client of the cluster connects.

    Raises
    ------
    InputError
        A certificate cannot be used.
    """
    chosen = {**cluster.security(), "client_id": cluster.client_id, "kafka_client": AuthenticatedClient}
    if cluster.tls is not None:
        chosen["ssl_context"] = trust(cluster.tls)
    if cluster.sasl is not None and cluster.sasl.token is not None:
        chosen["sasl_oauth_token_provider"] = TokenProvider(cluster.sasl.token, SystemClock())
    return chosen


def trust(tls: KafkaTls) -> ssl.SSLContext:
    """Return whom to trust, and what to show.

    Raises
    ------
    InputError
        A file is missing or holds something else.
    """
    try:
        context = ssl.create_default_context(cafile=tls.ca or None)
    except OSError as error:
        raise InputError(f"kafka.tls.ca: {tls.ca}: {_said(error)}") from error
    if tls.certificate:
        try:
            context.load_cert_chain(tls.certificate, tls.key or None, tls.key_password.get_secret_value)
        except OSError as error:
            raise InputError(f"kafka.tls.certificate and key: {tls.certificate}: {_said(error)}") from error
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def check_encryption(connection: socket.socket, host: str, address: str, context: ssl.SSLContext) -> None:
    """Shake hands once; the client would only log what is wrong, again and again.

    Raises
    ------
    SourceError
        Not retryable: the certificate is not trusted, or there is no TLS.
    OSError
        The connection broke.
    """
    try:
        context.wrap_socket(connection, server_hostname=host).close()
    except ssl.SSLCertVerificationError as error:
        raise SourceError(
            f"the certificate of Kafka at {address} is not trusted: {error.verify_message}; check kafka.tls.ca, and"
            " that the address is one that the certificate names",
            retryable=False,
        ) from error
    except ssl.SSLError as error:
        raise SourceError(
            f"Kafka at {address} does not speak TLS as we do: {_said(error)}; check the port of kafka.bootstrap, or"
            " leave kafka.tls out",
            retryable=False,
        ) from error


class AuthenticatedClient(KafkaNetClient):  # type: ignore[misc]
    """The client, with a memory for refusals by brokers and by the server of tokens."""

    def __init__(self, net: Any = None, manager: Any = None, **configs: Any) -> None:
        net = NetworkSelector(**configs) if net is None else net
        super().__init__(net, _Manager(net, **configs) if manager is None else manager, **configs)

    @property
    def refusal(self) -> Exception | None:
        """Why somebody last refused us; None if nobody did."""
        return getattr(self._manager, "refusal", None)


class _Manager(KafkaConnectionManager):  # type: ignore[misc]
    """Hears of refusals, two of whose ways kafka-python 3.0.12 blocks.

    A broker that refuses says why and hangs up; the client throws away what it received together with the end of the
    connection. And it means to end a bootstrap that was refused, but looks for the error where it is not.
    """

    refusal: Exception | None = None

    async def _build_transport(self, node: Any, timeout_at: float | None = None) -> Any:
        transport = await super()._build_transport(node, timeout_at=timeout_at)
        transport._sock_recv = partial(_data_first, transport._sock_recv)
        return transport

    async def _connect(
        self, node: Any, conn: Any, reset_backoff_on_connect: bool = True, timeout_at: float | None = None
    ) -> None:
        refusals: list[Exception] = []
        authenticate = conn._sasl_authenticate

        async def remembered(timeout_at: float | None = None) -> None:
            try:
                await authenticate(timeout_at)
            except REFUSALS as error:
                self.refusal = error
                refusals.append(error)
                raise

        conn._sasl_authenticate = remembered  # also what authenticates again while the connection is open
        await super()._connect(node, conn, reset_backoff_on_connect=reset_backoff_on_connect, timeout_at=timeout_at)
        if refusals:
            self._auth_failures[node.node_id] = refusals[-1]


def _data_first(receive: Callable[[], tuple[bytes, Exception | None]]) -> tuple[bytes, Exception | None]:
    """What was received, and only when there is no more of it the end of the connection."""
    data, error = receive()
    return data, None if data else error


def _said(error: OSError) -> str:
    reason = getattr(error, "reason", None)
    return str(reason or error.strerror or error)
