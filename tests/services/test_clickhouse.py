"""The endpoint that other tests rely on does what they rely on."""

from __future__ import annotations

import doctest
import importlib
import math
import os
import pkgutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from clickhouse_driver import Client, errors
from hypothesis import given
from hypothesis import strategies as st

import tests.services.clickhouse
from tests.services.clickhouse import Endpoint, EndpointError, Faults, Target, begin
from tests.services.clickhouse.blocks import UnknownTypeError, read_block
from tests.services.clickhouse.compression import ChecksumError, frames, read_frame
from tests.services.clickhouse.endpoint import ROOT
from tests.services.clickhouse.stream import Stream, string
from tests.services.processes import free_port

LOST = (errors.NetworkError, EOFError, OSError)
"""How clickhouse-driver says that a connection ended."""

WITHOUT_EVENTS = 54455
"""The last revision in which a client does not wait for events after each block that it sends."""


@pytest.fixture
def numbers(clickhouse_database: Target) -> Target:
    """A database with an empty table ``numbers`` of one column ``n``."""
    make_numbers(clickhouse_database)
    return clickhouse_database


def make_numbers(target: Target) -> None:
    with target.client() as client:
        client.execute(
            "CREATE TABLE numbers (n Int64) ENGINE = MergeTree ORDER BY n "
            "SETTINGS non_replicated_deduplication_window = 1000"
        )


def insert(target: Target, *numbers: int, token: str = "", **options: Any) -> None:
    with target.client(settings={"insert_deduplication_token": token}, **options) as client:
        client.execute("INSERT INTO numbers VALUES", [(number,) for number in numbers])


def stored(target: Target) -> list[int]:
    with target.client() as client:
        return [number for (number,) in client.execute("SELECT n FROM numbers ORDER BY n")]


def code_of(client: Client, *call: Any, **options: Any) -> int:
    with pytest.raises(errors.ServerException) as raised:
        client.execute(*call, **options)
    return int(raised.value.code)


# Values

ROWS: dict[str, tuple[str, list[Any]]] = {
    "integers": ("Int64", [-(2**63), 2**63 - 1, 0]),
    "floats": ("Float64", [0.1, -math.inf, 5e-324]),
    "text": ("String", ["", "it's é \0", "x" * 70_000]),
    "names": ("LowCardinality(String)", ["a", "b", "a"]),
    "names or nothing": ("LowCardinality(Nullable(String))", ["a", None, "a"]),
    "numbers or nothing": ("Nullable(Int64)", [1, None, 3]),
    "integer lists": ("Array(Int64)", [[], [1, 2], [-3]]),
    "text lists": ("Array(String)", [["a", ""], [], ["é" * 200]]),
    "name lists": ("Array(LowCardinality(String))", [["a", "b"], [], ["a"]]),
    "empty name lists": ("Array(LowCardinality(String))", [[], [], []]),
    "lists of lists": ("Array(Array(Nullable(Int64)))", [[[1, None], []], [], [[2]]]),
    "tuples": ("Tuple(n Int64, `a b` Array(String))", [(1, ["a"]), (2, []), (3, ["b", "c"])]),
    "maps": ("Map(String, Array(Int64))", [{"a": [1]}, {}, {"b": [], "c": [2, 3]}]),
    "times": ("DateTime64(3, 'UTC')", [datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2, 3)]),
    "decimals": ("Decimal(18, 2)", [Decimal("1.50"), Decimal("-0.01"), Decimal(0)]),
    "fixed": ("FixedString(3)", ["abc", "abd", "xyz"]),
    "choices": ("Enum8('a, (' = 1, 'it\\'s' = 2)", ["a, (", "it's", "a, ("]),
    "identifiers": ("UUID", [UUID(int=number) for number in (1, 2, 2**128 - 1)]),
    "aggregates": ("SimpleAggregateFunction(max, Int64)", [1, 2, 3]),
    "truths": ("Bool", [True, False, True]),
}


@pytest.mark.parametrize(("kind", "values"), ROWS.values(), ids=ROWS)
def test_values_come_back_as_they_were_inserted(kind: str, values: list[Any], clickhouse_database: Target) -> None:
    rows = list(enumerate(values))
    for compression in (False, "lz4"):
        with clickhouse_database.client(compression=compression) as client:
            client.execute(f"CREATE OR REPLACE TABLE v (i Int64, v {kind}) ENGINE = MergeTree ORDER BY i")
            assert client.execute("INSERT INTO v (i, v) VALUES", rows) == len(rows)
            assert client.execute("SELECT i, v FROM v ORDER BY i") == rows


def test_a_float_that_is_no_number_stays_one(clickhouse_database: Target) -> None:
    with clickhouse_database.client(settings={"use_numpy": True}) as client:
        client.execute("CREATE TABLE v (v Float64) ENGINE = Memory")
        client.execute("INSERT INTO v VALUES", [np.array([np.nan, 1.5])], columnar=True)
        (found,) = client.execute("SELECT v FROM v", columnar=True)
    np.testing.assert_array_equal(found, [np.nan, 1.5])


def test_a_result_is_an_arrow_table(clickhouse: Target) -> None:
    with clickhouse.client() as client:
        table = client.query_arrow("SELECT number AS n, toLowCardinality(toString(n)) AS t FROM numbers(100000)")
    assert table.num_rows == 100_000
    assert table["t"][99_999].as_py() == "99999"


def test_a_large_result_comes_in_several_blocks(clickhouse: Target) -> None:
    with clickhouse.client() as client:
        sizes = [len(batch) for batch in client.query_arrow_stream("SELECT number FROM numbers(300000)")]
    assert sum(sizes) == 300_000
    assert len(sizes) > 1


def test_a_type_that_the_endpoint_cannot_send_is_an_error_that_names_it(clickhouse_endpoint: Endpoint) -> None:
    with clickhouse_endpoint.client() as client, pytest.raises(errors.ServerException, match="Dynamic"):
        client.execute("SELECT CAST(1 AS Dynamic)")


# Statements


@pytest.mark.parametrize(
    "value", ["it's", "\\", "\\'", "tab\tline\nnull\0", "'; DROP TABLE numbers; --", "é\u2028", "{x:String}", "\\N", ""]
)
def test_a_parameter_is_a_value_and_nothing_else(value: str, numbers: Target) -> None:
    with numbers.client(settings={"server_side_params": True}) as client:
        values = {"x": value, "y": [value, "a"], "n": -5, "f": 0.1}
        found = client.execute("SELECT {x:String}, {y:Array(String)}, {n:Int64}, {f:Float64}", values)
        assert found == [(value, [value, "a"], -5, 0.1)]
        assert client.execute("EXISTS TABLE numbers") == [(1,)]


def test_a_parameter_that_is_missing_or_of_another_type_is_an_error(clickhouse: Target) -> None:
    with clickhouse.client(settings={"server_side_params": True}) as client:
        assert code_of(client, "SELECT {x:String}", {"y": "z"}) == 456
        assert code_of(client, "SELECT {x:Int64}", {"x": "z"}) == 457


def test_settings_hold_for_their_statement(clickhouse: Target) -> None:
    ask = "SELECT getSetting('max_threads')"
    with clickhouse.client(settings={"max_threads": 3}) as client:
        assert client.execute(ask, settings={"max_threads": 2}) == [(2,)]
        assert client.execute(ask) == [(3,)]


def test_what_one_connection_sets_another_never_sees(clickhouse: Target) -> None:
    ask = "SELECT getSetting('max_threads'), currentDatabase()"
    with clickhouse.client() as one, clickhouse.client() as other:
        before = other.execute(ask)
        one.execute("SET max_threads = 3")
        one.execute("USE system")
        assert one.execute(ask) == [(3, "system")]
        assert other.execute(ask) == before


def test_a_setting_that_is_unknown_is_an_error_only_if_it_matters(clickhouse: Target) -> None:
    for important, known in ((False, True), (True, False)):
        with clickhouse.client(settings_is_important=important, settings={"no_such_setting": 1}) as client:
            if known:
                assert client.execute("SELECT 1") == [(1,)]
            else:
                assert code_of(client, "SELECT 1") == 115


def test_a_statement_that_only_reads_may_not_write(numbers: Target) -> None:
    with numbers.client(settings={"readonly": 2}) as client:
        assert client.execute("SELECT count() FROM numbers") == [(0,)]
        assert code_of(client, "DROP TABLE numbers") == 164


def test_an_insert_of_several_blocks_is_one_part_and_one_token(numbers: Target) -> None:
    with numbers.client(settings={"insert_block_size": 10, "insert_deduplication_token": "once"}) as client:
        for _ in range(2):
            client.execute("INSERT INTO numbers VALUES", [(number,) for number in range(35)])
        assert client.execute("SELECT count() FROM system.parts WHERE active AND database = currentDatabase()") == [
            (1,)
        ]
    assert stored(numbers) == list(range(35))


def test_threads_insert_at_once_and_each_token_counts_once(numbers: Target) -> None:
    def twice(number: int) -> None:
        insert(numbers, number, token=f"token {number}")
        insert(numbers, number, token=f"token {number}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(twice, range(40)))
    assert stored(numbers) == list(range(40))


def test_a_client_that_stops_waiting_has_its_statement_cancelled(clickhouse: Target) -> None:
    endless = "SELECT max(number % 7) FROM system.numbers"
    with clickhouse.client() as client:
        begin(client, endless)
        client.connection.receive_packet()
    ask = "SELECT count() FROM system.processes WHERE query LIKE 'SELECT max(number %%'"
    with clickhouse.client() as client:
        wait_until(lambda: client.execute(ask) == [(0,)])


def wait_until(condition: Callable[[], bool], limit_s: float = 120) -> None:
    deadline_s = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline_s, "the condition did not come true"
        time.sleep(0.05)


# Faults


@pytest.mark.parametrize(
    ("kind", "kept"), [("drop_in_data", []), ("drop_before", []), ("drop_after", [3]), ("drop_in_result", [3])]
)
@pytest.mark.parametrize("reset", [False, True])
def test_a_dropped_insert_is_whole_or_not_there(
    kind: str, kept: list[int], reset: bool, numbers: Target, faults: Faults
) -> None:
    before = faults.injected[kind]
    faults.inject(kind, statement="insert", reset=reset)
    with pytest.raises(LOST):
        insert(numbers, 3, token="mine")
    assert stored(numbers) == kept
    assert faults.injected[kind] == before + 1
    assert faults.ledger()[-1]["token"] == "mine"


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "drop_in_result"])
def test_a_dropped_select_ends_the_connection(kind: str, clickhouse: Target, faults: Faults) -> None:
    with clickhouse.client() as client:
        faults.inject(kind, statement="select")
        with pytest.raises(LOST):
            client.execute("SELECT number FROM numbers(1000)")
        assert client.execute("SELECT 1") == [(1,)]


def test_an_error_comes_as_often_as_was_asked_and_only_to_what_fits(numbers: Target, faults: Faults) -> None:
    faults.inject("error", code=252, times=2, matching=r"INTO numbers", message="Too many parts")
    with numbers.client() as client:
        assert client.execute("SELECT 1") == [(1,)]
        for _ in range(2):
            assert code_of(client, "INSERT INTO numbers VALUES", [(1,)]) == 252
        client.execute("INSERT INTO numbers VALUES", [(2,)])
    assert stored(numbers) == [2]


def test_an_error_may_come_although_all_was_done(numbers: Target, faults: Faults) -> None:
    faults.inject("error_after", code=159, statement="insert")
    with numbers.client() as client:
        assert code_of(client, "INSERT INTO numbers VALUES", [(1,)]) == 159
    assert stored(numbers) == [1]


def send_insert(client: Client, number: int, token: str) -> None:
    """Send a whole insert and do not wait for its answer, which clients of revision `WITHOUT_EVENTS` can."""
    begin(client, "INSERT INTO numbers VALUES", {"insert_deduplication_token": token})
    client.send_data(client.receive_sample_block(), [(number,)])


def test_an_answer_may_come_too_late(numbers: Target, faults: Faults) -> None:
    faults.inject("delay", delay_s=60, statement="insert")
    with numbers.client(client_revision=WITHOUT_EVENTS) as client:
        send_insert(client, 3, "once")
        wait_until(lambda: stored(numbers) == [3])
        client.connection.socket.settimeout(0.1)
        with pytest.raises(TimeoutError):
            client.receive_end_of_insert_query()


def test_an_insert_may_be_executed_when_its_client_has_long_given_up(numbers: Target, faults: Faults) -> None:
    faults.inject("delay_before", delay_s=0.5, statement="insert")
    with numbers.client(client_revision=WITHOUT_EVENTS) as client:
        send_insert(client, 3, "once")
    wait_until(lambda: stored(numbers) == [3])
    insert(numbers, 3, token="once")
    assert stored(numbers) == [3]


def test_faults_at_random_are_the_same_for_the_same_seed(numbers: Target, faults: Faults) -> None:
    def run() -> list[str]:
        faults.at_random(0.3, seed=7)
        before = len(faults.ledger())
        for number in range(30):
            insert_until_acknowledged(numbers, number, token=f"token {number}")
        faults.clear()
        return [entry["kind"] for entry in faults.ledger()[before:]]

    first = run()
    assert first == run()
    assert set(first) == {"drop_in_data", "drop_before", "drop_after"}
    assert stored(numbers) == list(range(30))


def insert_until_acknowledged(target: Target, number: int, token: str) -> None:
    for _ in range(50):
        try:
            insert(target, number, token=token)
            return
        except LOST:
            continue
    raise AssertionError("fifty connections ended, one after the other")


def test_connections_are_refused_meanwhile_and_accepted_again(clickhouse_endpoint: Endpoint) -> None:
    with clickhouse_endpoint.client() as client:
        client.execute("SELECT 1")
        with clickhouse_endpoint.refusing(), pytest.raises(errors.NetworkError, match="refused"):
            client.execute("SELECT 1")
        assert client.execute("SELECT 1") == [(1,)]


@pytest.mark.parametrize(
    ("kind", "statement", "words"),
    [("explode", "any", "no fault 'explode'"), ("delay", "update", "not 'update'"), ("error", "any", "needs a code")],
)
def test_a_fault_that_cannot_be_is_refused(kind: str, statement: str, words: str, faults: Faults) -> None:
    with pytest.raises(ValueError, match=words):
        faults.inject(kind, statement=statement)


# The process


@pytest.fixture(scope="module")
def own() -> Iterator[Endpoint]:
    """An endpoint that may be killed, and wants a password."""
    with Endpoint(users={"default": "", "leeway": "it's secret"}) as endpoint:
        yield endpoint


def test_what_was_acknowledged_survives_a_kill(own: Endpoint) -> None:
    make_numbers(own)
    own.faults.inject("drop_after", times=100)
    with pytest.raises(LOST):
        insert(own, 3, token="once")
    address = own.address
    own.restart()
    assert own.address == address
    insert(own, 3, token="once")
    assert stored(own) == [3]
    assert own.faults.injected == {"drop_after": 1}


def test_only_who_knows_the_password_gets_in(own: Endpoint) -> None:
    with own.client(user="leeway", password="it's secret") as client:
        assert client.execute("SELECT 1") == [(1,)]
    with own.client(user="leeway") as client:
        assert code_of(client, "SELECT 1") == 516


def test_a_port_in_use_is_an_error_that_names_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(EndpointError, match=f"port {port} of 127.0.0.1 is in use"), Endpoint(port=port):
            raise AssertionError("an endpoint answered on a port that was taken")


def test_data_in_use_is_an_error_that_ends_with_the_log(own: Endpoint) -> None:
    with pytest.raises(EndpointError, match=r"(?s)did not start; .*lock"), Endpoint(own.data):
        raise AssertionError("two endpoints share their data")


@pytest.mark.parametrize("end", ["input", "SIGTERM"])
def test_the_program_says_when_it_is_ready_and_ends_when_it_should(end: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.services.clickhouse", "--port", str(free_port())]
    with subprocess.Popen(
        [*command, "--data", str(tmp_path)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        word, address = program.stdout.readline().split()
        assert word == "ready"
        with Target.at(address).client() as client:
            assert client.execute("SELECT 1") == [(1,)]
        if end == "input":
            program.stdin.close()
        else:
            os.kill(program.pid, signal.SIGTERM)
        assert program.wait(60) == 0


# The bytes


@given(st.lists(st.binary(max_size=300), max_size=20), st.integers(1, 200))
def test_strings_are_the_same_however_they_arrive(values: list[bytes], size: int) -> None:
    data = b"".join(map(string, values)) + b"rest"
    pieces = iter([data[at : at + size] for at in range(0, len(data), size)])
    stream = Stream(lambda: next(pieces, b""))
    assert stream.strings(len(values)) + stream.read(4) == data
    assert stream.ended()


@given(st.binary(max_size=5_000), st.sampled_from(["NONE", "LZ4", "LZ4HC", "ZSTD"]))
def test_a_frame_holds_what_was_put_in(data: bytes, method: str) -> None:
    stream = Stream.of(frames(data, method))
    assert (read_frame(stream) if data else b"") == data
    assert stream.ended()


def test_a_damaged_frame_is_noticed() -> None:
    damaged = bytearray(frames(b"abc" * 100))
    damaged[-1] ^= 1
    with pytest.raises(ChecksumError):
        read_frame(Stream.of(bytes(damaged)))


def test_a_block_that_ends_early_or_has_an_unknown_type_is_an_error() -> None:
    with pytest.raises(EOFError):
        read_block(Stream.of(b"\x01\x02" + string("a") + string("Int64") + b"\x00" * 15))
    with pytest.raises(UnknownTypeError, match="Ring"):
        read_block(Stream.of(b"\x01\x02" + string("a") + string("Ring")))


@pytest.mark.parametrize(
    "module", sorted(found.name for found in pkgutil.iter_modules(tests.services.clickhouse.__path__))
)
def test_the_examples_in_the_documentation_are_true(module: str) -> None:
    assert doctest.testmod(importlib.import_module(f"tests.services.clickhouse.{module}")).failed == 0
