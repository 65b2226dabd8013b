"""What the store on a server promises: rows there once or not at all, whatever breaks; errors that say what to do."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any

import pytest

from sinks.store import clients, open_store
from sinks.store.clickhouse import ClickhouseStore
from sinks.store.clients import Address, Tls
from sinks.store.contract import Query, StoreError
from sinks.store.failures import RETRYABLE
from sinks.store.filling import begin, end, unfinished
from sinks.store.identity import identity_of
from sinks.store.schema import migrations
from tests.services.certificates import make_certificate
from tests.services.clickhouse import Endpoint, Faults, Target
from tests.services.processes import free_port
from tests.sinks.store.conftest import settings_of
from tests.sinks.store.samples import plain

PASSING = {"TOO_MANY_PARTS": 252, "MEMORY_LIMIT_EXCEEDED": 241, "TABLE_IS_READ_ONLY": 242, "KEEPER_EXCEPTION": 999}
LASTING = {"UNKNOWN_TABLE": 60, "TYPE_MISMATCH": 53, "ACCESS_DENIED": 497, "READONLY": 164, "WRONG_PASSWORD": 193}
ROWS = 40


@pytest.fixture
def unmerged(server: ClickhouseStore) -> Iterator[ClickhouseStore]:
    """The same with findings that are never merged, so that a row that is there twice is seen twice."""
    server.command("ALTER TABLE findings MODIFY SETTING max_bytes_to_merge_at_max_space_in_pool = 1")
    yield server
    server.command("ALTER TABLE findings RESET SETTING max_bytes_to_merge_at_max_space_in_pool")


def append(store: ClickhouseStore, token: str = "a", count: int = ROWS) -> None:
    store.append("findings", plain("findings", count, offset=range(count)), token)


def stored(store: ClickhouseStore) -> int:
    """How many rows lie in the table, those that others replace included."""
    return int(store.query("SELECT count() AS n FROM findings SETTINGS final = 0")["n"][0])


@contextmanager
def another(server: ClickhouseStore, target: Target, **settings: Any) -> Iterator[ClickhouseStore]:
    """A second store on the tables of ``server``."""
    database = server.where.rpartition("/")[2]
    with closing(ClickhouseStore.from_settings(**settings_of(target.within(database), **settings))) as opened:
        yield opened


def test_a_new_store_has_the_tables_of_all_migrations(server: ClickhouseStore, clickhouse: Target) -> None:
    """With columns, engines, lifetimes, keys, indices and comments, which are all in the statement that makes them."""
    sql = "SELECT name, create_table_query AS made FROM system.tables WHERE database = currentDatabase() ORDER BY name"

    def described(store: ClickhouseStore) -> dict[str, str]:
        database, rows = store.where.rpartition("/")[2], store.query(sql)
        return {name: made.replace(f"{database}.", "") for name, made in zip(rows["name"], rows["made"], strict=True)}

    with clickhouse.client() as client:
        client.execute("CREATE DATABASE by_migrations")
        with closing(ClickhouseStore.from_settings(**settings_of(clickhouse.within("by_migrations")))) as migrated:
            for step in migrations():
                for statement in step.statements:
                    migrated.command(statement)
            assert described(migrated) == described(server)
        client.execute("DROP DATABASE by_migrations")


# --- inserts that fail on their way


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("kind", ["drop_in_data", "drop_before", "drop_after", "drop_in_result"])
def test_an_insert_whose_connection_breaks_is_there_once(
    unmerged: ClickhouseStore, faults: Faults, kind: str, reset: bool
) -> None:
    faults.inject(kind, statement="insert", times=2, reset=reset)
    append(unmerged)
    assert stored(unmerged) == ROWS


@pytest.mark.parametrize("kind", ["error", "error_after"])
@pytest.mark.parametrize("code", PASSING.values(), ids=list(PASSING))
def test_an_error_that_passes_is_waited_for(unmerged: ClickhouseStore, faults: Faults, kind: str, code: int) -> None:
    faults.inject(kind, statement="insert", code=code)
    append(unmerged)
    assert stored(unmerged) == ROWS


@pytest.mark.parametrize("code", LASTING.values(), ids=list(LASTING))
def test_an_error_that_lasts_is_raised_at_once(unmerged: ClickhouseStore, faults: Faults, code: int) -> None:
    injected_before = faults.injected["error"]
    faults.inject("error", statement="insert", code=code, times=2, message="no such thing")
    with pytest.raises(StoreError, match=f"Code: {code}.*no such thing") as refusal:
        append(unmerged)
    assert not refusal.value.retryable
    assert faults.injected["error"] == injected_before + 1
    assert "Stack trace" not in str(refusal.value)


def test_an_insert_gives_up_in_time_and_may_be_tried_again(
    unmerged: ClickhouseStore, clickhouse_endpoint: Endpoint, faults: Faults
) -> None:
    faults.inject("drop_after", statement="insert", times=1_000)
    with another(unmerged, clickhouse_endpoint, append_timeout_ms=300) as store:
        with pytest.raises(StoreError, match=clickhouse_endpoint.address) as refusal:
            append(store)
        assert refusal.value.retryable
        faults.clear()
        append(store)
    assert stored(unmerged) == ROWS


def test_an_answer_that_does_not_come_is_an_insert_to_repeat(
    unmerged: ClickhouseStore, clickhouse_endpoint: Endpoint, faults: Faults
) -> None:
    faults.inject("delay", statement="insert", delay_s=3.0)
    with another(unmerged, clickhouse_endpoint, timeout_ms=400) as store:
        append(store)
    assert stored(unmerged) == ROWS


def test_reads_and_writes_of_a_cluster_say_that_every_replica_must_give_the_same(
    unmerged: ClickhouseStore, clickhouse_endpoint: Endpoint, faults: Faults
) -> None:
    ordered = {"insert_quorum_parallel": "0", "select_sequential_consistency": "1", "insert_quorum_timeout": "9000"}
    kinds: list[tuple[dict[str, Any], dict[str, str]]] = [
        ({"cluster": "prod"}, {"insert_quorum": "auto"} | ordered),
        ({"cluster": "prod", "quorum": 3}, {"insert_quorum": "3"} | ordered),
        ({"cluster": "prod", "quorum": 1}, {}),
        ({}, {}),
    ]
    for settings, expected in kinds:
        injected_before = len(faults.ledger())
        faults.inject("delay", times=3)
        with another(unmerged, clickhouse_endpoint, timeout_ms=9_000, **settings) as store:
            append(store)
            store.read(Query("findings"))
            store.command("INSERT INTO findings SELECT * FROM findings LIMIT 0")
        sent = [entry["settings"] for entry in faults.ledger()[injected_before:]]
        about_replicas = {*ordered, "insert_quorum"}
        assert [{name: value for name, value in each.items() if name in about_replicas} for each in sent] == [
            expected
        ] * 3


def test_every_identity_of_a_cluster_goes_to_one_shard(
    server: ClickhouseStore, clickhouse_endpoint: Endpoint, faults: Faults
) -> None:
    injected_before = len(faults.ledger())
    faults.inject("delay", statement="insert", times=2)
    with another(server, clickhouse_endpoint, cluster="prod") as store:
        identity_of(store)
        append(store)
    sent = [entry["settings"] for entry in faults.ledger()[injected_before:]]
    assert [settings.get("insert_shard_id") for settings in sent] == ["1", None]


def test_a_replica_that_lacks_what_another_acknowledged_is_not_believed(
    unmerged: ClickhouseStore, faults: Faults
) -> None:
    append(unmerged)
    faults.inject("error", statement="select", code=289, times=2, message="Replica doesn't have part")
    assert stored(unmerged) == ROWS


def test_every_repetition_carries_the_same_token(unmerged: ClickhouseStore, faults: Faults) -> None:
    injected_before = len(faults.ledger())
    faults.inject("drop_before", statement="insert", times=3)
    append(unmerged, "one")
    append(unmerged, "two")
    tokens = [entry["token"] for entry in faults.ledger()[injected_before:]]
    assert len(tokens) == 3
    assert len(set(tokens)) == 1
    assert len(tokens[0]) == 32


def test_inserts_outlive_a_server_that_is_killed_and_started_again(
    unmerged: ClickhouseStore, clickhouse_endpoint: Endpoint
) -> None:
    done = threading.Event()

    def write(worker: int) -> int:
        for number in range(1_000):
            rows = plain("findings", 20, topic=f"t{worker}", offset=range(number * 20, number * 20 + 20))
            unmerged.append("findings", rows, f"{worker}/{number}")
            if done.is_set():
                return number + 1
        return 1_000

    with ThreadPoolExecutor(2) as pool:
        writers = [pool.submit(write, worker) for worker in range(2)]
        clickhouse_endpoint.restart()
        done.set()
        appends = sum(writer.result() for writer in writers)
    # Repetitions that the server has not recognised would be more rows, lost inserts less.
    assert stored(unmerged) == appends * 20
    assert len(unmerged.read(Query("findings"))["offset"]) == appends * 20


def test_twenty_failures_among_300_000_rows_lose_and_double_nothing(unmerged: ClickhouseStore, faults: Faults) -> None:
    injected_before = sum(faults.injected.values())
    faults.at_random(0.3, seed=4, kinds=("drop_in_data", "drop_before", "drop_after", "drop_in_result", "error_after"))

    def write(worker: int) -> None:
        for number in range(20):
            rows = plain("findings", 5_000, topic=f"t{worker}", offset=range(number * 5_000, number * 5_000 + 5_000))
            unmerged.append("findings", rows, f"{worker}/{number}")

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(write, range(3)))
    faults.clear()
    assert sum(faults.injected.values()) >= injected_before + 20
    assert stored(unmerged) == 300_000
    findings = unmerged.read(Query("findings", columns=("topic", "offset")))
    assert findings["topic"] == ["t0"] * 100_000 + ["t1"] * 100_000 + ["t2"] * 100_000
    assert findings["offset"].tolist() == [*range(100_000)] * 3


# --- statements


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "drop_in_result", "error"])
def test_a_read_is_tried_again(server: ClickhouseStore, faults: Faults, kind: str) -> None:
    append(server)
    faults.inject(kind, statement="select", matching="findings", code=159, times=2)
    assert len(server.read(Query("findings"))["offset"]) == ROWS


def test_a_read_that_is_wrong_is_not_tried_again(server: ClickhouseStore, faults: Faults) -> None:
    injected_before = faults.injected["error"]
    faults.inject("error", statement="select", code=62, times=2)
    with pytest.raises(StoreError) as refusal:
        server.query("SELECT 1")
    assert not refusal.value.retryable
    assert faults.injected["error"] == injected_before + 1


def test_a_command_is_sent_once_since_nobody_knows_whether_it_may_be_repeated(
    server: ClickhouseStore, faults: Faults
) -> None:
    injected_before = faults.injected["drop_after"]
    faults.inject("drop_after", matching="INSERT INTO progress SELECT", times=2)
    with pytest.raises(StoreError, match="outcome of the statement is unknown") as refusal:
        server.command("INSERT INTO progress SELECT 'm', 't', 0, 0, 0, 0")
    assert refusal.value.retryable
    assert faults.injected["drop_after"] == injected_before + 1
    faults.clear()
    assert len(server.read(Query("progress"))["model"]) == 1


@pytest.mark.parametrize("kind", ["error", "error_after", "drop_after"])
@pytest.mark.parametrize("into", ["panes_1h", "touched"])
def test_a_refresh_is_tried_again_while_an_append_waits_for_its_quorum(
    server: ClickhouseStore, faults: Faults, into: str, kind: str
) -> None:
    server.append("panes", plain("panes", 1, pane_start_ms=0, pane_ms=300_000), "a")
    faults.inject(kind, matching=f"INSERT INTO {into} SELECT", code=286, times=2)
    assert server.refresh(0) == 1
    assert server.read(Query("panes_1h"))["n"].tolist() == [1]
    assert server.refresh(0) == 0, "no mark is left"


def test_a_store_is_filled_although_an_append_waits_for_its_quorum(server: ClickhouseStore, faults: Faults) -> None:
    faults.inject("error_after", matching="INSERT INTO fillings SELECT", code=286, times=2)
    assert not begin(server, "a backup")
    assert unfinished(server) == "a backup"
    end(server, "a backup")
    assert unfinished(server) == ""


def test_tables_are_upgraded_although_an_append_waits_for_its_quorum(server: ClickhouseStore, faults: Faults) -> None:
    newest = migrations()[-1].version
    server.command(f"ALTER TABLE schema_migrations DELETE WHERE version = {newest} SETTINGS mutations_sync = 2")
    assert not server.is_current()
    faults.inject("error_after", matching="INSERT INTO schema_migrations SELECT", code=286, times=2)
    server.migrate()
    assert server.is_current()


def test_a_connection_that_has_been_idle_too_long_is_made_again(
    server: ClickhouseStore, clickhouse_endpoint: Endpoint
) -> None:
    append(server)
    with clickhouse_endpoint.refusing():
        pass
    append(server, "b")
    server.command("OPTIMIZE TABLE findings FINAL")
    assert stored(server) == ROWS


def test_a_large_append_is_one_part_and_its_repetition_none(server: ClickhouseStore) -> None:
    rows = plain("progress", 150_000, partition=range(150_000))
    for _ in range(2):
        server.append("progress", rows, "large")
    counts = server.query("SELECT count() AS n FROM progress SETTINGS final = 0")["n"]
    sql = "SELECT name FROM system.parts WHERE table = 'progress' AND active AND database = {d:String}"
    parts = server.query(sql, {"d": server.where.rpartition("/")[2]})["name"]
    assert (counts, len(parts)) == ([150_000], 1)


# --- servers and who may use them


def test_a_server_that_is_not_there_is_named_and_may_come(clickhouse: Target) -> None:
    gone = Target("127.0.0.1", free_port(), password="s3cret")
    with closing(
        ClickhouseStore.from_settings(**settings_of(gone, append_timeout_ms=100, connect_timeout_ms=100))
    ) as store:
        for attempt in (lambda: append(store), lambda: store.query("SELECT 1"), store.migrate):
            with pytest.raises(StoreError, match=f"{gone.address}.*refused") as refusal:
                attempt()
            assert refusal.value.retryable
            assert "s3cret" not in str(refusal.value) + repr(store.__dict__)


@contextmanager
def hanging_up() -> Iterator[int]:
    """A port that accepts every connection and ends it at once."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                connection, _ = listener.accept()
                with connection:
                    if connection.recv(1) == b"\0":
                        return

        thread = threading.Thread(target=serve)
        thread.start()
        port = listener.getsockname()[1]
        try:
            yield port
        finally:
            with socket.create_connection(("127.0.0.1", port)) as connection:
                connection.send(b"\0\0")
            thread.join()


@pytest.mark.parametrize("first", ["refuses", "hangs up"])
def test_another_host_is_asked_when_one_fails(server: ClickhouseStore, clickhouse: Target, first: str) -> None:
    with hanging_up() as port:
        bad = f"127.0.0.1:{port if first == 'hangs up' else free_port()}"
        with another(server, clickhouse, hosts=[bad, clickhouse.address], cluster="all") as store:
            append(store)
            assert len(store.read(Query("findings"))["offset"]) == ROWS


def test_the_next_host_takes_over_while_one_is_broken(
    server: ClickhouseStore, clickhouse_endpoint: Endpoint, faults: Faults
) -> None:
    hosts = [clickhouse_endpoint.address, f"localhost:{clickhouse_endpoint.port}"]
    with another(server, clickhouse_endpoint, hosts=hosts, cluster="all") as store:
        append(store, "a")
        faults.inject("error", statement="insert", code=242)
        append(store, "b", 2 * ROWS)
        with pytest.raises(StoreError, match=r"store at localhost:"):
            store.query("SELECT nothing")
    assert len(server.read(Query("findings"))["offset"]) == 2 * ROWS


@pytest.mark.parametrize("settings", [{"hosts": ["a", "b"]}, {"quorum": 2}])
def test_servers_that_do_not_know_each_others_tokens_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(StoreError, match="need the name of the cluster"):
        ClickhouseStore.from_settings(**settings)


@pytest.mark.parametrize("settings", [{"database": "a`b"}, {"database": ""}, {"cluster": "it's"}])
def test_names_that_could_end_a_quotation_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(StoreError, match="is no name of a"):
        ClickhouseStore.from_settings(**settings)


def test_a_database_that_is_not_there_is_made(clickhouse: Target) -> None:
    target = clickhouse.within("made_by_migrate")
    with closing(open_store("clickhouse", **settings_of(target))) as store:
        assert len(store.read(Query("scores"))["n"]) == 0
    with clickhouse.client() as client:
        client.execute("DROP DATABASE made_by_migrate")


def test_a_store_from_a_newer_version_is_refused_and_left_alone(server: ClickhouseStore, clickhouse: Target) -> None:
    tables = server.query("SELECT name FROM system.tables WHERE database = currentDatabase()")["name"]
    server.command("INSERT INTO schema_migrations VALUES (999, 'from the future')")
    try:
        with (
            pytest.raises(StoreError, match=r"schema version 999.*newer version") as refusal,
            another(server, clickhouse) as store,
        ):
            store.migrate()
        assert clickhouse.address in str(refusal.value)
        assert server.query("SELECT name FROM system.tables WHERE database = currentDatabase()")["name"] == tables
    finally:
        server.command("ALTER TABLE schema_migrations DELETE WHERE version = 999 SETTINGS mutations_sync = 1")


def test_a_server_that_is_too_old_is_refused_with_the_oldest_that_is_not(
    server: ClickhouseStore, clickhouse: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "OLDEST_VERSION", (99, 3))
    with (
        another(server, clickhouse) as store,
        pytest.raises(StoreError, match=r"the server is ClickHouse \d+\.\d+\.\d+; 99\.3 is the oldest") as refusal,
    ):
        store.query("SELECT 1")
    assert not refusal.value.retryable


@pytest.mark.parametrize("compression", ["lz4", "zstd", "none"])
def test_blocks_go_compressed_or_not(server: ClickhouseStore, clickhouse: Target, compression: str) -> None:
    with another(server, clickhouse, compression=compression) as store:
        append(store, count=5_000)
        assert store.read(Query("findings"))["offset"].tolist() == list(range(5_000))


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    """A server with TLS and a password."""
    folder = tmp_path_factory.mktemp("guarded")
    with Endpoint(users={"leeway": "s3cret"}, certificate=make_certificate(folder)) as endpoint:
        (endpoint.data / "ca.pem").write_text((folder / "certificate.pem").read_text())
        yield endpoint


def of(endpoint: Endpoint, **settings: Any) -> ClickhouseStore:
    port = endpoint.port if settings.get("tls") is None else endpoint.secure_port
    defaults: dict[str, Any] = {"database": "default", "user": "leeway", "password": "s3cret", "timeout_ms": 2_000}
    return ClickhouseStore.from_settings(hosts=[f"127.0.0.1:{port}"], **(defaults | settings))


@pytest.mark.parametrize("who", [{"password": "wr0ng"}, {"user": "nobody"}, {"password": ""}])
def test_a_wrong_password_is_refused_at_once_and_never_shown(guarded: Endpoint, who: dict[str, str]) -> None:
    with closing(of(guarded, **who)) as store, pytest.raises(StoreError, match="AUTHENTICATION_FAILED") as refusal:
        store.migrate()
    assert not refusal.value.retryable
    assert guarded.address in str(refusal.value)
    assert not any(secret in f"{refusal.value!r}{refusal.value.__cause__}" for secret in ("wr0ng", "s3cret"))


@pytest.mark.parametrize("tls", ["with its authority", "unverified"])
def test_a_server_is_spoken_to_with_tls(guarded: Endpoint, tls: str) -> None:
    settings = {"ca": str(guarded.data / "ca.pem")} if tls == "with its authority" else {"verify": False}
    with closing(of(guarded, tls=settings)) as store:
        assert store.query("SELECT currentUser() AS who, 7 AS n")["n"].tolist() == [7]


def test_a_certificate_that_nobody_trusts_is_refused_at_once(guarded: Endpoint) -> None:
    with closing(of(guarded, tls=Tls())) as store, pytest.raises(StoreError, match="certificate") as refusal:
        store.query("SELECT 1")
    assert not refusal.value.retryable


@pytest.mark.parametrize("role", ["ca", "certificate", "key"])
def test_a_certificate_file_that_is_not_there_is_named(role: str) -> None:
    with pytest.raises(StoreError, match=rf"/nowhere\.pem.*{role}"):
        ClickhouseStore.from_settings(tls={role: "/nowhere.pem"})


def test_a_port_that_wants_tls_does_not_hang(guarded: Endpoint) -> None:
    plain_text = Address((f"127.0.0.1:{guarded.secure_port}",), "default", timeout_ms=300, connect_timeout_ms=300)
    store = ClickhouseStore(plain_text)
    with closing(store), pytest.raises(StoreError, match=str(guarded.secure_port)):
        store.query("SELECT 1")


def test_a_server_that_takes_connections_and_says_nothing_is_told_from_one_that_refuses() -> None:
    heard: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as mute:
        host = f"127.0.0.1:{mute.getsockname()[1]}"
        store = ClickhouseStore(Address((host,), "d", timeout_ms=200, connect_timeout_ms=200))
        store.hear_answers(heard.append)
        with closing(store), pytest.raises(StoreError, match=rf"^store at {host}/d: nothing came in time \({host}\)$"):
            store.query("SELECT 1")
    assert set(heard) == {f"store at {host}/d: nothing came in time ({host})"}


def test_the_codes_that_pass_are_called_what_the_engine_calls_them(server: ClickhouseStore) -> None:
    sql = "SELECT errorCodeToName(arrayJoin({codes:Array(Int32)})) AS name"
    assert server.query(sql, {"codes": list(RETRYABLE)})["name"] == list(RETRYABLE.values())


def test_hosts_have_the_port_of_their_protocol() -> None:
    hosts = ("a", "b:9001", "::1", "[::1]:9002")
    assert str(Address(hosts, "d")) == "a:9000,b:9001,[::1]:9000,[::1]:9002/d"
    assert Address(("a",), "d", tls=Tls()).endpoints() == [("a", 9440)]
    assert "s3cret" not in repr(Address(hosts, "d", password="s3cret"))
