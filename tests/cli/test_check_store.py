"""`leeway check` on `spec.store`: what each kind takes, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.config import ConfigError, load
from monitor.config.service import ChdbStoreSpec, ClickhouseStoreSpec
from tests.cli.console import by_line

SERVER = "{kind: clickhouse, hosts: [db1, 'db2:9001', '[::1]:9000'], cluster: all, quorum: 2, user: leeway, "


def store_of(tmp_path: Path, written: str) -> ChdbStoreSpec | ClickhouseStoreSpec:
    file = tmp_path / "leeway.yaml"
    file.write_text(f"apiVersion: leeway/v1\nkind: Service\nspec:\n  models: []\n  store: {written}\n")
    (tmp_path / "model.yaml").write_text(
        "apiVersion: leeway/v1\nkind: Model\nmetadata: {name: m}\nspec: {sources: [{http: m}], schema: {features: "
        "{amount: {type: numeric}}}}\n"
    )
    store = load(tmp_path).service.spec.store
    assert isinstance(store, (ChdbStoreSpec, ClickhouseStoreSpec))
    return store


@pytest.mark.parametrize("written", ["{path: here}", "{kind: chdb, path: here}"])
def test_a_store_is_embedded_unless_it_says_otherwise(tmp_path: Path, written: str) -> None:
    assert store_of(tmp_path, written).settings() == {"path": "here"}


def test_a_server_takes_its_password_from_the_environment_and_never_shows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLICKHOUSE_PASSWORD", "s3cret")
    store = store_of(tmp_path, SERVER + "password: '${CLICKHOUSE_PASSWORD}', tls: {ca: ca.pem}, timeout: 20s}")
    assert store.settings() == {
        "hosts": ["db1", "db2:9001", "[::1]:9000"],
        "database": "leeway",
        "user": "leeway",
        "password": "s3cret",
        "compression": "lz4",
        "tls": {"ca": "ca.pem", "certificate": "", "key": "", "verify": True},
        "cluster": "all",
        "quorum": 2,
        "connect_timeout_ms": 5_000,
        "timeout_ms": 20_000,
        "append_timeout_ms": 90_000,
    }
    assert "s3cret" not in repr(store) + str(store.model_dump()) + store.model_dump_json()


@pytest.mark.parametrize(
    ("written", "mistake"),
    [
        ("{kind: clickhose}", "spec.store: the kinds of store are chdb, clickhouse and memory"),
        ("{kind: clickhouse, path: here}", "spec.store.path: unknown key"),
        ("{kind: chdb, hosts: [a]}", "spec.store.hosts: unknown key"),
        ("{kind: clickhouse, hosts: []}", "spec.store.hosts: List should have at least 1 item"),
        ("{kind: clickhouse, hosts: ['a b']}", "spec.store.hosts.0: String should match"),
        ("{kind: clickhouse, hosts: ['tcp://a']}", "spec.store.hosts.0: String should match"),
        ("{kind: clickhouse, database: 'a`b'}", "spec.store.database: String should match"),
        ("{kind: clickhouse, compression: gzip}", "spec.store.compression: Input should be 'lz4', 'zstd' or 'none'"),
        ("{kind: clickhouse, tls: {cert: a}}", "spec.store.tls.cert: unknown key"),
        ("{kind: clickhouse, hosts: [a, b]}", "spec.store: several hosts, or a quorum, need the `cluster`"),
        ("{kind: clickhouse, quorum: 2}", "spec.store: several hosts, or a quorum, need the `cluster`"),
        ("{kind: clickhouse, password: '${NOWHERE}'}", "spec.store.password: environment variable NOWHERE is not set"),
    ],
)
def test_a_wrong_store_is_named_with_its_line_and_path(tmp_path: Path, written: str, mistake: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        store_of(tmp_path, written)
    assert f"{tmp_path / 'leeway.yaml'}:5: {mistake}" in by_line(refusal.value)
