"""Connections to ClickHouse servers: lent to one thread at a time, moved to another host when one fails.

The driver can be given several hosts as well (``alt_hosts``), but looks at the next one only while it connects. A host
that accepts and then drops (it restarts, is overloaded, has lost its Keeper) would be asked again and again: so the
choice is made here, after every failure that another host may not share.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from clickhouse_driver import Client
from clickhouse_driver import errors as driver_errors
from clickhouse_driver.errors import ServerException

from sinks.store.contract import StoreError
from sinks.store.failures import EngineError, engine_error

__all__ = ["OLDEST_VERSION", "Address", "Clients", "Tls"]

OLDEST_VERSION = (24, 8)
"""The oldest server that is accepted: what it does with tokens, FINAL and parameters is what the tables rely on."""

CLOSE_WITHIN_S = 60.0
"""Whoever closes waits so long for statements of others."""

# The driver logs every failed attempt with its traceback; here it becomes one error that names the host.
logging.getLogger("clickhouse_driver").propagate = False
logging.getLogger("clickhouse_driver").addHandler(logging.NullHandler())

_PORTS = {False: 9000, True: 9440}
_UNVERIFIED = "certificate verify failed"


@dataclass(frozen=True)
class Tls:
    """How a server proves who it is, and how we do.

    Attributes
    ----------
    ca : str
        File of certificates to trust; the public ones if empty.
    certificate, key : str
        Files of a certificate of our own and its key, for servers that ask for one.
    verify : bool
        False trusts any server: for trials only.

    Raises
    ------
    StoreError
        If one of the files is not there.
    """

    ca: str = ""
    certificate: str = ""
    key: str = ""
    verify: bool = True

    def __post_init__(self) -> None:
        for role in ("ca", "certificate", "key"):
            file = getattr(self, role)
            if file and not Path(file).is_file():
                raise StoreError(f"there is no file {file}, which tls names as {role}")

    def options(self) -> dict[str, Any]:
        """Return what the driver's client takes."""
        files = {"ca_certs": self.ca, "certfile": self.certificate, "keyfile": self.key}
        return {"secure": True, "verify": self.verify, **{name: file for name, file in files.items() if file}}


@dataclass(frozen=True)
class Address:
    """Where a database is, and who asks.

    Attributes
    ----------
    hosts : tuple of str
        ``host`` or ``host:port``; the port is 9000, or 9440 with ``tls``.
    database, user, password : str
    compression : str
        ``lz4``, ``zstd`` or ``none``.
    tls : Tls or None
        Without it nothing is encrypted.
    connect_timeout_ms, timeout_ms : int
        Longest wait for a connection, and for the next bytes of an answer.

    Examples
    --------
    >>> str(Address(("a", "b:9001"), "leeway", password="secret"))
    'a:9000,b:9001/leeway'
    """

    hosts: tuple[str, ...]
    database: str = "leeway"
    user: str = "default"
    password: str = field(default="", repr=False)
    compression: str = "lz4"
    tls: Tls | None = None
    connect_timeout_ms: int = 5_000
    timeout_ms: int = 30_000

    @classmethod
    def from_settings(
        cls, hosts: Sequence[str] = ("localhost",), tls: Tls | Mapping[str, Any] | None = None, **settings: Any
    ) -> Address:
        """Return the address that a configuration describes, where ``hosts`` is a list and ``tls`` a mapping."""
        return cls(tuple(hosts), tls=Tls(**tls) if isinstance(tls, Mapping) else tls, **settings)

    def __str__(self) -> str:
        endpoints = (f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.endpoints())
        return f"{','.join(endpoints)}/{self.database}"

    def endpoints(self) -> list[tuple[str, int]]:
        """Return host and port of each."""
        return [self._endpoint(host) for host in self.hosts]

    def within(self, database: str) -> Address:
        """Return the same servers with another database."""
        return replace(self, database=database)

    def _endpoint(self, text: str) -> tuple[str, int]:
        host, separator, port = text.rpartition(":")
        if not separator or not port.isdecimal() or (":" in host and not host.startswith("[")):
            host, port = text, str(_PORTS[self.tls is not None])
        return host.removeprefix("[").removesuffix("]"), int(port)

    def client(self, host: str, port: int, settings: Mapping[str, Any]) -> Client:
        """Return a client that is not yet connected."""
        try:
            return self._client(host, port, settings)
        except RuntimeError as error:  # a package for the compression is not there
            raise StoreError(f"store at {self}: {error}") from error

    def _client(self, host: str, port: int, settings: Mapping[str, Any]) -> Client:
        return Client(
            host,
            port,
            database=self.database,
            user=self.user,
            password=self.password,
            client_name="leeway",
            compression=False if self.compression == "none" else self.compression,
            connect_timeout=self.connect_timeout_ms / 1000,
            send_receive_timeout=self.timeout_ms / 1000,
            sync_request_timeout=self.connect_timeout_ms / 1000,
            tcp_keepalive=(60, 10, 3),  # a server that is gone is noticed, however long an answer may take
            settings={"strings_as_bytes": True, "server_side_params": True, **settings},
            **(self.tls.options() if self.tls else {}),
        )


class Clients:
    """Clients of one database; each serves one thread at a time, and then the next.

    Parameters
    ----------
    address : Address
    settings : mapping of str to value
        Of every statement.
    prepare : callable
        Gets every new client before it connects.

    Attributes
    ----------
    hear : callable
        Gets why a server has not answered, or nothing if one has: one that refuses a statement answers, too.
    """

    def __init__(self, address: Address, settings: Mapping[str, Any], prepare: Callable[[Client], None]) -> None:
        self._address = address
        self._settings = settings
        self._prepare = prepare
        self._endpoints = address.endpoints()
        self.hear: Callable[[str], None] = lambda reason: None
        self._preferred = 0
        self._idle: list[tuple[int, Client]] = []
        self._borrowers: list[int] = []
        self._closed = False
        self._changed = threading.Condition()

    @contextmanager
    def client(self) -> Iterator[Client]:
        """Lend a client, connected to the preferred host.

        Raises
        ------
        StoreError
            Instead of whatever the driver or the network raises inside, and if the clients are closed. After one that
            may be tried again the next host is preferred.
        """
        borrower, healthy = threading.get_ident(), False
        host_index, client = self._take(borrower)
        try:
            if client is None:
                client = self._opened(host_index)
            yield client
            healthy = True
            self.hear("")
        except (driver_errors.Error, OSError, EOFError) as error:
            raise self._explained(error, host_index) from error
        finally:
            self._give_back(borrower, host_index, client, healthy)

    def _take(self, borrower: int) -> tuple[int, Client | None]:
        with self._changed:
            if self._closed:
                raise StoreError(f"the store at {self._address} is closed")
            self._borrowers.append(borrower)
            # The one given back last: its server is likeliest to have kept the connection.
            return self._idle.pop() if self._idle else (self._preferred, None)

    def _opened(self, host_index: int) -> Client:
        client = self._address.client(*self._endpoints[host_index], self._settings)
        self._prepare(client)
        try:
            client.connection.connect()
            self._check_version(client, host_index)
        except BaseException:
            client.disconnect()
            raise
        return client

    def _check_version(self, client: Client, host_index: int) -> None:
        version = client.connection.server_info.version_tuple()
        if version[:2] < OLDEST_VERSION:
            server, oldest = (".".join(map(str, numbers)) for numbers in (version, OLDEST_VERSION))
            raise StoreError(
                f"store at {self._where(host_index)}: the server is ClickHouse {server}; {oldest} is the oldest"
            )

    def _give_back(self, borrower: int, host_index: int, client: Client | None, healthy: bool) -> None:
        # The driver has ended the connection of a statement that failed; what is left of it is not used again.
        is_kept = client is not None and healthy and not self._closed
        try:
            if client is not None and not is_kept:
                client.disconnect()
        finally:
            with self._changed:
                self._borrowers.remove(borrower)
                if client is not None and is_kept:
                    self._idle.append((host_index, client))
                self._changed.notify_all()

    def _explained(self, error: Exception, host_index: int) -> StoreError:
        where = self._where(host_index)
        if isinstance(error, ServerException):
            explained: StoreError = _refusal(error, where)
            self.hear("")
        else:
            explained = StoreError(f"store at {where}: {_said(error)}", retryable=_UNVERIFIED not in str(error))
            self.hear(str(explained))
        if explained.retryable:
            self._leave(host_index)
        return explained

    def _where(self, host_index: int) -> str:
        host, port = self._endpoints[host_index]
        return f"{f'[{host}]' if ':' in host else host}:{port}/{self._address.database}"

    def _leave(self, host_index: int) -> None:
        """Prefer the next host, and end idle connections to this one: they are broken too, or soon will be."""
        with self._changed:
            if self._preferred == host_index:
                self._preferred = (host_index + 1) % len(self._endpoints)
            broken = [client for index, client in self._idle if index == host_index]
            self._idle = [(index, client) for index, client in self._idle if index != host_index]
        for client in broken:
            client.disconnect()

    def close(self) -> None:
        """Close every client, those in use when they are given back.

        A thread that uses one is waited for, :data:`CLOSE_WITHIN_S` at most. The one that closes never is: an interrupt
        may have kept it from giving a client back.
        """
        with self._changed:
            self._closed = True
            self._changed.wait_for(lambda: {*self._borrowers} <= {threading.get_ident()}, CLOSE_WITHIN_S)
            while self._idle:
                self._idle.pop()[1].disconnect()


def _refusal(error: ServerException, where: str) -> EngineError:
    text = error.message.partition(". Stack trace:")[0].removeprefix("DB::Exception: ").strip()
    return engine_error(where, f"Code: {error.code}. {text}", error.code)


def _said(error: Exception) -> str:
    if isinstance(error, EOFError):
        return "the server closed the connection; the outcome of the statement is unknown"
    if isinstance(error, driver_errors.SocketTimeoutError):  # the driver says but where
        return f"nothing came in time {error.message}"
    if isinstance(error, driver_errors.Error):
        return str(error.message or error)
    return f"{type(error).__name__}: {error}"
