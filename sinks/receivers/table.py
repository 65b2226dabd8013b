"""A receiver that writes to a table of a ClickHouse server."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from clickhouse_driver import Client
from clickhouse_driver.errors import Error, ServerException
from pydantic import AfterValidator, Field, SecretStr

from sinks.parameters import DurationMs
from sinks.receivers.contract import Delivered, Notification, Outcome, Refused, Retry
from sinks.receivers.parameters import Parameters
from sinks.receivers.times import moment
from sinks.store.failures import RETRYABLE

__all__ = ["Table", "TableParameters"]

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
    timeout: DurationMs = Field(
        default=10_000, gt=0, description="longest wait for a connection, and for the next bytes of an answer"
    )


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
        self._client = Client.from_url(parameters.url.get_secret_value())
        timeout_s = parameters.timeout / 1000
        self._client.connection.connect_timeout = timeout_s
        self._client.connection.send_receive_timeout = timeout_s

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
        try:
            # Each time: somebody may have dropped the table to empty it.
            self._client.execute(CREATE.format(table=self._table))
            self._client.execute(f"INSERT INTO {self._table} ({', '.join(rows[0])}) VALUES", rows)
        except ServerException as error:
            first = error.message.partition("Stack trace")[0].strip()[:200]
            reason = f"table {self._table!r}: error {error.code}: {first}"
            return Retry(reason) if error.code in RETRYABLE else Refused(reason)
        except (Error, OSError, EOFError) as error:
            # Half an answer may be left on the connection.
            self._client.disconnect()
            return Retry(f"table {self._table!r}: {type(error).__name__}", may_have_it=True)
        return Delivered()

    def close(self) -> None:
        """Close the connection; a notification whose ``send`` did not return may or may not be there."""
        self._client.disconnect()
