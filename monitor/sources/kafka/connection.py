"""Connecting to Kafka: the client's options, what is checked before the first request, and what its errors mean."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from kafka import KafkaConsumer, codec
from kafka.cluster import get_ip_port_afi
from kafka.errors import (
    AuthorizationError,
    FencedInstanceIdError,
    IllegalSaslStateError,
    KafkaConfigurationError,
    KafkaError,
    KafkaTimeoutError,
    RetriableError,
    SaslAuthenticationFailedError,
    TopicAuthorizationFailedError,
    UnsupportedSaslMechanismError,
)

from monitor.config.kafka import KafkaCluster
from monitor.errors import InputError, SourceError
from monitor.sources.kafka.assignor import assignor_of
from monitor.sources.kafka.security import check_encryption, security_of

__all__ = ["check_codecs", "check_reachable", "connected", "explained", "options_of", "refusal_of"]

_CODECS = {"gzip": "zlib", "snappy": "python-snappy", "lz4": "lz4", "zstd": "zstandard"}
_BOOTSTRAP_MS = 10_000
_RECONNECT_MS = 1_000
_REACH_S = 5.0
_HEARTBEAT_MS = 3_000
_OURS: dict[str, Any] = {
    "enable_auto_commit": False,  # a commit is advice: positions come from checkpoints
    "auto_offset_reset": "none",  # so that a lost offset is an event that we see, not a silent jump
    "allow_auto_create_topics": False,
    "isolation_level": "read_committed",
}


def options_of(cluster: KafkaCluster, *, bounded: bool, member: int = 0, store_id: str = "") -> dict[str, Any]:
    """Return what the client is opened with; bounded, it joins no group.

    Parameters
    ----------
    cluster : KafkaCluster
    bounded : bool
    member : int
        Which of the process's consumers it is; each is a member of its own.
    store_id : str
        What it says of itself in the group.

    Raises
    ------
    InputError
        ``cluster.options`` holds an unknown option, or one that is not for the user to set; a certificate cannot be
        used.
    """
    ours = {*_OURS, "bootstrap_servers", "group_id", "kafka_client", "partition_assignment_strategy"}
    wrong = sorted(ours & set(cluster.options))
    wrong += sorted(set(cluster.options) - set(KafkaConsumer.DEFAULT_CONFIG))
    if wrong:
        raise InputError(f"kafka.options: unknown, or not to be set: {', '.join(wrong)}")
    defaults = {
        "bootstrap_timeout_ms": _BOOTSTRAP_MS,
        # The client's own limit of 30 s keeps it silent for a minute after a short restart of the only broker.
        "reconnect_backoff_max_ms": _RECONNECT_MS,
        "heartbeat_interval_ms": min(_HEARTBEAT_MS, cluster.session_timeout // 3),
    }
    named = {
        "bootstrap_servers": cluster.bootstrap,
        "client_rack": cluster.rack,
        "metadata_max_age_ms": cluster.refresh,
        "session_timeout_ms": cluster.session_timeout,
        "partition_assignment_strategy": [assignor_of(store_id)],
        "group_id": None if bounded else cluster.group,
        "group_instance_id": None if bounded or not cluster.instance else f"{cluster.instance}-{member}",
    }
    return {**defaults, **cluster.options, **security_of(cluster), **_OURS, **named}


def check_codecs() -> None:
    """Find out now, not at the first compressed message, what is missing.

    Raises
    ------
    SourceError
    """
    if find_spec("crc32c") is None:
        raise SourceError("the package crc32c is missing; without it reading is some 20 times slower", retryable=False)
    checks: dict[str, Callable[[], bool]] = {
        "gzip": codec.has_gzip,
        "snappy": codec.has_snappy,
        "lz4": codec.has_lz4,
        "zstd": codec.has_zstd,
    }
    for name, has in checks.items():
        if not has():
            raise SourceError(f"messages compressed with {name} need the package {_CODECS[name]}", retryable=False)


def check_reachable(bootstrap: Sequence[str], context: ssl.SSLContext | None = None) -> None:
    """Find out in one try; the client would log errors for ten seconds first, and forget a socket at each.

    Raises
    ------
    SourceError
        No broker answers, or one that answers is not to be trusted.
    InputError
        An address is none.
    """
    answers = []
    for address in bootstrap:
        try:
            host, port, _family = get_ip_port_afi(address)
            with socket.create_connection((host, port), timeout=_REACH_S) as connection:
                if context is not None:
                    check_encryption(connection, host, address, context)
        except OSError as error:
            answers.append(f"{address}: {error.strerror or error}")
        except ValueError as error:
            raise InputError(f"kafka.bootstrap: {address!r} is no host:port ({error})") from error
        else:
            return
    raise SourceError(f"no answer from Kafka at {'; '.join(answers)}", retryable=True)


def connected(options: Mapping[str, Any], where: str, kind: type[Any] = KafkaConsumer) -> Any:
    """Return a consumer, or raise with nothing left behind: its constructor leaves its thread and sockets open.

    Parameters
    ----------
    options : mapping
    where : str
        The brokers, for errors.
    kind : type
        ``KafkaProducer`` for one of these.

    Raises
    ------
    InputError
        The options do not fit together.
    SourceError
    """
    opened: list[Any] = []

    def remembered(**settings: Any) -> Any:
        opened.append(options["kafka_client"](**settings))
        return opened[-1]

    try:
        return kind(**{**options, "kafka_client": remembered})
    except BaseException as error:
        for client in opened:
            client.close()
        if isinstance(error, KafkaConfigurationError | ValueError | AssertionError):
            raise InputError(f"kafka.options: {error}") from error
        if isinstance(error, KafkaError):
            subject = "no answer from Kafka" if isinstance(error, RetriableError) else "Kafka"
            raise explained(error, where, subject) from error
        raise


def refusal_of(consumer: Any) -> Exception | None:
    """Why a broker, or the server of tokens, last refused a consumer; None if none did."""
    refusal: Exception | None = getattr(consumer._client, "refusal", None)
    return refusal


_CHECKS: tuple[tuple[type[KafkaError], str], ...] = (
    (SaslAuthenticationFailedError, "check mechanism, user, password or token of kafka.sasl"),
    (UnsupportedSaslMechanismError, "the listener does not take kafka.sasl.mechanism; check it, and the port"),
    (IllegalSaslStateError, "the listener does not take SASL now; check the port of kafka.bootstrap"),
    (AuthorizationError, "the service's user needs Describe and Read on its topics, and Read on its group"),
    (FencedInstanceIdError, "another process has the same kafka.instance; each needs one of its own"),
    (KafkaTimeoutError, "if brokers run there: do they want kafka.tls, a certificate or kafka.sasl?"),
)
"""What to check, by the client's error."""


def explained(error: Exception, where: str, subject: str = "Kafka") -> SourceError:
    """Return the error that people see: what happened, what to check, and whether to try again."""
    if isinstance(error, SourceError):
        return error
    detail = str(error) or type(error).__name__
    check = next((f"; {text}" for kind, text in _CHECKS if isinstance(error, kind)), "")
    topics = error.args[0] if isinstance(error, TopicAuthorizationFailedError) and error.args else ()
    return SourceError(
        f"{subject} at {where}: {detail}{check}", retryable=isinstance(error, RetriableError), topics=topics
    )
