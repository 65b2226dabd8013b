"""A driver sees the same from the endpoint as from a real server: Debian's, and hence in the words of 2018.

Packets of progress are left out where packets are compared: how many there are depends on how long something takes.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clickhouse_driver import Client
from clickhouse_driver.errors import NetworkError, ServerException
from clickhouse_driver.protocol import ServerPacketTypes

from tests.services.certificates import make_certificate
from tests.services.clickhouse import Endpoint, Target, begin
from tests.services.clickhouse.debian import DebianServer

Servers = tuple[DebianServer, Endpoint]

OLD_REVISION = 54412
COMPRESSIONS = [False, "lz4", "lz4hc", "zstd"]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate and its key."""
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="module")
def servers(certificate: tuple[Path, Path]) -> Iterator[Servers]:
    """Debian's server and the endpoint, each with an empty table ``pairs``."""
    with DebianServer(certificate) as debian, Endpoint(certificate=certificate) as endpoint:
        yield debian, endpoint


@pytest.fixture(autouse=True)
def pairs(servers: Servers) -> None:
    """An empty table on both."""
    for server in servers:
        with server.client() as client:
            client.execute("DROP TABLE IF EXISTS pairs")
            client.execute("CREATE TABLE pairs (a Int64, b String) ENGINE = MergeTree PARTITION BY tuple() ORDER BY a")


class Seen:
    """What one client sees of a server."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.packets: list[str] = []
        self._receive = client.connection.receive_packet
        client.connection.receive_packet = self._recorded

    def _recorded(self) -> Any:
        packet = self._receive()
        self.packets.append(ServerPacketTypes.to_str(packet.type))
        return packet

    def execute(self, *arguments: Any, **options: Any) -> tuple[Any, list[str]]:
        """Return a statement's result, or its error's code, and the packets that came, repetitions taken together."""
        self.packets.clear()
        try:
            result = self.client.execute(*arguments, **options)
        except ServerException as error:
            result = f"error {error.code}"
        # A newer server also tells what a table's columns default to; the driver passes it over.
        told = [packet for packet in self.packets if packet not in {"Progress", "TableColumns"}]
        return result, [packet for packet, _ in itertools.groupby(told)]


def both(servers: Servers, *statements: Any, **options: Any) -> list[list[tuple[Any, list[str]]]]:
    """Return what each server answers to the same statements on one connection, in the revision of the older one."""
    answers = []
    for server in servers:
        with server.client(client_revision=OLD_REVISION, **options) as client:
            seen = Seen(client)
            calls = [(statement,) if isinstance(statement, str) else statement for statement in statements]
            answers.append([seen.execute(*call) for call in calls])
    return answers


ROWS = [(1, "x"), (2, "it's é"), (3, "")]

STATEMENTS: dict[str, list[Any]] = {
    "a value": ["SELECT 1"],
    "several blocks": ["SELECT number, toString(number) FROM system.numbers LIMIT 200000"],
    "no row": ["SELECT 1 AS x WHERE 0", "SELECT a, b FROM pairs"],
    "an insert": [("INSERT INTO pairs (a, b) VALUES", ROWS), "SELECT * FROM pairs ORDER BY a"],
    "an insert in another order": [("INSERT INTO pairs (b, a) VALUES", [("y", 1)]), "SELECT a, b FROM pairs"],
    "an insert of all columns": [("INSERT INTO pairs VALUES", ROWS), "SELECT count() FROM pairs"],
    "an insert of some columns": [("INSERT INTO pairs (a) VALUES", [(7,)]), "SELECT * FROM pairs"],
    "an insert of nothing": [("INSERT INTO pairs (a, b) VALUES", []), "SELECT count() FROM pairs"],
    "an insert into an unknown table": [("INSERT INTO nowhere VALUES", ROWS)],
    "an insert into an unknown column": [("INSERT INTO pairs (a, c) VALUES", ROWS)],
    "an unknown table": ["SELECT * FROM nowhere"],
    "an unknown column": ["SELECT c FROM pairs"],
    "a syntax error": ["SELEC 1"],
    "two statements in one": ["SELECT 1; SELECT 2", "DROP TABLE pairs; SELECT 1", "EXISTS TABLE pairs"],
    "an error within a result": ["SELECT throwIf(number = 100000) FROM numbers(200000)"],
    "tables": ["SHOW TABLES", "SHOW TABLES LIKE 'nowhere'", "EXISTS TABLE pairs", "DROP TABLE pairs", "SHOW TABLES"],
    "a format of the client's": ["SELECT 1 FORMAT JSON", "SELECT 1 AS x WHERE 0 FORMAT TabSeparated;"],
    "a setting that stays": ["SET max_threads = 3", "SELECT value FROM system.settings WHERE name = 'max_threads'"],
    "a database that stays": ["USE system", "SELECT currentDatabase()", "EXISTS TABLE pairs"],
    "an unknown database": ["USE nowhere"],
    "time that runs out": [
        ("SELECT max(number % 7) FROM system.numbers", None, False, None, None, {"max_execution_time": 1})
    ],
}


@pytest.mark.parametrize("statements", STATEMENTS.values(), ids=STATEMENTS)
def test_a_statement_brings_the_same_packets_and_the_same_answer(statements: list[Any], servers: Servers) -> None:
    debian, endpoint = both(servers, *statements)
    assert endpoint == debian


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_compression_changes_nothing(compression: str | bool, servers: Servers) -> None:
    rows = [(number, f"text {number % 100}") for number in range(100_000)]
    insert = ("INSERT INTO pairs VALUES", rows)
    debian, endpoint = both(servers, insert, "SELECT * FROM pairs ORDER BY a", "SELEC", compression=compression)
    assert endpoint == debian
    assert endpoint[1][0] == rows


def test_values_of_every_type_that_both_know_are_the_same(servers: Servers) -> None:
    values = (
        "toInt64(-1), toUInt8(255), 1.5, toFloat32(0.25), -1/0, 'é\\0', toFixedString('ab', 3), [1, 2], ['a', 'b'], "
        "CAST([] AS Array(String)), [[1], []], toNullable('x'), CAST(NULL AS Nullable(Int64)), [1, NULL], (1, 'x'), "
        "toDate('2020-01-02'), toDateTime('2020-01-02 03:04:05'), toUUID('61f0c404-5cb3-11e7-907b-a6006ad3dba0'), "
        "toDecimal64(1.5, 2), CAST('a' AS Enum8('a' = 1)), CAST('b' AS Enum16('b' = 300)), toInt16(-300)"
    )
    debian, endpoint = both(servers, f"SELECT {values}", f"SELECT {values} FROM numbers(3)")
    assert endpoint == debian


def test_both_name_themselves_and_agree_on_a_revision(servers: Servers) -> None:
    for server in servers:
        with server.client(client_revision=OLD_REVISION) as client:
            client.execute("SELECT 1")
            info = client.connection.server_info
            assert (info.name, info.used_revision, info.get_timezone()) == ("ClickHouse", OLD_REVISION, "Etc/UTC")
            assert client.connection.ping()


@pytest.mark.parametrize(("user", "code"), [("default", 193), ("nobody", 192)])
def test_who_may_not_connect_gets_an_error(user: str, code: int, servers: Servers) -> None:
    assert refusals(servers, user=user, password="wrong") == [code, 516]  # today one code for both, which tells less


def test_an_unknown_database_is_an_error_on_connecting(servers: Servers) -> None:
    assert refusals(servers, database="nowhere") == [81, 81]


def refusals(servers: Servers, **options: str) -> list[int]:
    codes = []
    for server in servers:
        with server.client(**options) as client, pytest.raises(ServerException) as raised:
            client.execute("SELECT 1")
        codes.append(raised.value.code)
    return codes


def test_encrypted_connections_work_alike(servers: Servers, certificate: tuple[Path, Path]) -> None:
    for server in servers:
        trusted = {"secure": True, "port": server.secure_port, "ca_certs": str(certificate[0])}
        with server.client(**trusted, compression=True) as client:
            assert client.execute("INSERT INTO pairs VALUES", ROWS) == 3
            assert client.execute("SELECT * FROM pairs ORDER BY a") == ROWS


def test_what_speaks_no_tls_gets_nothing_at_the_secure_port(servers: Servers) -> None:
    for server in servers:
        with server.client(port=server.secure_port) as client, pytest.raises((EOFError, NetworkError)):
            client.execute("SELECT 1")


@pytest.mark.parametrize("complete_blocks", [0, 1])
def test_an_insert_whose_client_goes_leaves_no_rows(complete_blocks: int, servers: Servers) -> None:
    for server in servers:
        with server.client(client_revision=OLD_REVISION) as client:
            begin(client, "INSERT INTO pairs VALUES")
            client.receive_sample_block()
            block = b"\x02\x00\x01\x00\x02\xff\xff\xff\xff\x00\x02\x02\x01a\x05Int64" + struct.pack("<qq", 1, 2)
            block += b"\x01b\x06String\x01x\x01y"
            client.connection.socket.sendall(block * complete_blocks + block[:30])
        with server.client() as client:
            assert client.execute("SELECT count() FROM pairs") == [(0,)]


@pytest.mark.parametrize(
    "statement", ["SELECT number FROM system.numbers", "SELECT max(number % 7) FROM system.numbers"]
)
def test_a_cancelled_statement_ends_and_the_connection_goes_on(statement: str, servers: Servers) -> None:
    for server in servers:
        with server.client(client_revision=OLD_REVISION) as client:
            packets = packets_of_cancelled(client, statement)
            assert packets[-1] == "EndOfStream"
            assert "Exception" not in packets
            assert client.connection.ping()


def test_a_long_statement_shows_that_it_goes_on(servers: Servers) -> None:
    for server in servers:
        with server.client(client_revision=OLD_REVISION) as client:
            assert "Progress" in packets_of_cancelled(client, "SELECT max(number % 7) FROM system.numbers", after=3)


def packets_of_cancelled(client: Client, statement: str, after: int = 1) -> list[str]:
    """Return the packets of a statement without end, which is cancelled after so many of them."""
    begin(client, statement)
    packets: list[str] = []
    while not packets or packets[-1] not in {"EndOfStream", "Exception"}:
        packets.append(ServerPacketTypes.to_str(client.connection.receive_packet().type))
        if len(packets) == after:
            client.connection.send_cancel()
    return packets


def test_an_insert_from_a_select_is_done_when_the_answer_ends(servers: Servers) -> None:
    statements = ["INSERT INTO pairs SELECT number, 'x' FROM numbers(5)", "SELECT count() FROM pairs"]
    answers = both(servers, *statements)
    # An old server ends with an empty block, as after a SELECT; a new one has no such thing to say.
    assert [[result for result, _ in answer] for answer in answers] == [[[], [(5,)]]] * 2
    assert [answer[0][1][-1] for answer in answers] == ["EndOfStream"] * 2


def test_the_target_of_a_client_is_what_it_names(servers: Servers) -> None:
    for server in servers:
        with Target.at(f"clickhouse://default@{server.address}/system").client() as client:
            assert client.execute("SELECT currentDatabase()") == [("system",)]
