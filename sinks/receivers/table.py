"""A receiver that writes to a table of a ClickHouse server."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import suppress
from functools import partial
from typing import Annotated, Any, Literal

from clickhouse_driver import Client
from clickhouse_driver.errors import Error, ServerException
from pydantic import AfterValidator, Field, SecretStr

from sinks.parameters import DurationMs
from sinks.receivers.contract import Delivered, Notification, Outcome, Refused, Retry
from sinks.receivers.parameters import Parameters
from sinks.receivers.times import moment
from sinks.store.failures import RETRYABLE
from sinks.time_limit import begun

__all__ = ["Table", "TableParameters"]

LEAVE_AGAIN_S = 0.1
NAME = re.compile(r"\w+(\.\w+)?")
CREATE = """
CREATE TABLE IF NOT EXISTS {table} (
    receiver LowCardinality(String),
    group_key String,
    status LowCardinality(String),
    fingerprint String,
    labels Map(String, String),
    annotations Map(String, String),
    starts_at DateTime64(3, 'UTC'),
    ends_at DateTime64(3, 'UTC'),
    generator_url String
) ENGINE = ReplacingMergeTree ORDER BY (group_key, fingerprint, starts_at, status, receiver)
"""


def _is_clickhouse(url: SecretStr) -> SecretStr:
    if not url.get_secret_value().startswith(("clickhouse://", "clickhouses://")):
        raise ValueError("an address begins with clickhouse:// or clickhouses://")
    return url


def _is_table(name: str) -> str:
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a table: letters, digits and _, and a dot after a database")
    return name


class TableParameters(Parameters):
    """Writes a row for each alert that is notified to a table of a ClickHouse server."""

    kind: Literal["clickhouse"]
    url: Annotated[SecretStr, AfterValidator(_is_clickhouse)] = Field(
        description="`clickhouse://user:password@host:port/database`, by reference; `clickhouses://` for TLS"
    )
    table: Annotated[str, AfterValidator(_is_table)] = Field(
        default="alerts_told", description="made if it is not there"
    )
    timeout: DurationMs = Field(default=10_000, gt=0, description="for connecting, writing and all answers, altogether")


class Table:
    """Writes a row for each alert of a notification; the table is made if it is not there.

    Delivered means that the server acknowledged the rows. A repetition has the same key, so that one row of it stays
    (read with ``FINAL``).

    Parameters
    ----------
    parameters : TableParameters
    """

    Parameters = TableParameters

    def __init__(self, parameters: TableParameters) -> None:
        self.name, self.send_resolved = parameters.name, parameters.send_resolved
        self._table = parameters.table
        self._url, self._timeout_s = parameters.url.get_secret_value(), parameters.timeout / 1000
        self._server = _Server(self._url, self._timeout_s)

    def send(self, notification: Notification) -> Outcome:
        """Write the rows, once."""
        rows = [
            {
                "receiver": notification.receiver,
                "group_key": notification.group_key,
                "status": alert.status,
                "fingerprint": alert.fingerprint,
                "labels": dict(alert.labels),
                "annotations": dict(alert.annotations),
                "starts_at": moment(alert.starts_at_ms),
                "ends_at": moment(alert.ends_at_ms if alert.status == "resolved" else 0),
                "generator_url": alert.generator_url,
            }
            for alert in notification.alerts
        ]
        if not rows:
            return Delivered()
        writing = begun(f"clickhouse-{self.name}", partial(self._server.write, self._table, rows))
        if not wait([writing], self._timeout_s).done:
            begun(f"leave-{self.name}", partial(self._server.leave, writing))
            self._server = _Server(self._url, self._timeout_s)
            return Retry(f"table {self._table!r}: no answer in time", may_have_it=True)
        try:
            writing.result()
        except ServerException as error:
            first = error.message.partition("Stack trace")[0].strip()[:200]
            reason = f"table {self._table!r}: error {error.code}: {first}"
            return Retry(reason) if error.code in RETRYABLE else Refused(reason)
        except (Error, OSError, EOFError) as error:
            # Half an answer may be left on the connection.
            self._server.close()
            return Retry(f"table {self._table!r}: {type(error).__name__}", may_have_it=True)
        return Delivered()

    def close(self) -> None:
        """Close the connection; a notification whose ``send`` did not return may or may not be there."""
        self._server.close()


class _Server:
    """A connection that can be left: the driver's time-outs bound each wait for a byte."""

    def __init__(self, url: str, timeout_s: float) -> None:
        self._client = Client.from_url(url)
        for connection in self._client.connections:
            connection.connect_timeout = connection.send_receive_timeout = timeout_s
        self._is_left = False

    def write(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write rows to a table, which is made if it is not there."""
        # Each time: somebody may have dropped the table to empty it.
        self._client.execute(CREATE.format(table=table))
        if not self._is_left:
            self._client.execute(f"INSERT INTO {table} ({', '.join(rows[0])}) VALUES", rows)

    def leave(self, writing: Future[None]) -> None:
        """Have whoever writes wait for nothing any more, and close it."""
        self._is_left = True
        # Again: a name that is looked up, or another address that is tried, becomes a connection only later.
        while not wait([writing], LEAVE_AGAIN_S).done:
            for connection in self._client.connections:
                connection.disable_reconnect = True
                if (handle := connection.socket) is not None:
                    # It may have ended by itself meanwhile.
                    with suppress(OSError):
                        handle.shutdown(socket.SHUT_RDWR)
        self.close()

    def close(self) -> None:
        """Let go of the connection."""
        self._client.disconnect()
