"""Where a ClickHouse is to be found, whoever runs it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from clickhouse_driver import Client

__all__ = ["Target", "begin"]


@dataclass
class Target:
    """A ClickHouse that answers at an address.

    Attributes
    ----------
    host : str
    port : int
        Of the native protocol.
    user, password, database : str
    secure : bool
        Whether ``port`` wants TLS.
    cluster : str
        Name of the cluster that the server belongs to; empty if none is named.
    """

    host: str
    port: int
    user: str = "default"
    password: str = ""
    database: str = "default"
    secure: bool = False
    cluster: str = ""

    @classmethod
    def at(cls, text: str) -> Target:
        """Return what ``host:port`` or ``clickhouse[s]://user:password@host:port/database?cluster=NAME`` names.

        Examples
        --------
        >>> Target.at("db:9000").port, Target.at("clickhouses://me:it%27s@db/drift").password
        (9000, "it's")
        """
        parts = urlsplit(text if "://" in text else f"clickhouse://{text}")
        secure = parts.scheme == "clickhouses"
        return cls(
            parts.hostname or "localhost",
            parts.port or (9440 if secure else 9000),
            unquote(parts.username or "default"),
            unquote(parts.password or ""),
            parts.path.strip("/") or "default",
            secure,
            "".join(parse_qs(parts.query).get("cluster", ())),
        )

    @property
    def address(self) -> str:
        """Host and port as one text."""
        return f"{self.host}:{self.port}"

    def within(self, database: str) -> Target:
        """Return the same server with another database as the one to start in."""
        return Target(self.host, self.port, self.user, self.password, database, self.secure, self.cluster)

    @contextmanager
    def client(self, **options: Any) -> Iterator[Client]:
        """Lend a client of clickhouse-driver; ``options`` are its own, and win over what is known here."""
        known = {
            "host": self.host,
            "port": self.port,
            "user": self.user,
            "password": self.password,
            "database": self.database,
            "secure": self.secure,
        }
        with Client(**(known | options)) as client:
            yield client


def begin(client: Client, statement: str, settings: Mapping[str, Any] | None = None) -> None:
    """Send a statement and leave its answer to be read, or not: what ``Client.execute`` does is in one piece."""
    client.establish_connection(dict(settings or {}))
    client.connection.send_query(statement)
    client.connection.send_external_tables(None)
