"""Keys of the Kafka cluster: what is refused, with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.config import ConfigError, load
from monitor.config.kafka import KafkaCluster
from monitor.sources.kafka.connection import options_of
from tests.cli.console import by_line

MODEL = """\
apiVersion: leeway/v1
kind: Model
metadata: {name: m}
spec: {sources: [{kafka: m}], schema: {features: {amount: {type: numeric}}}}
"""


def cluster_of(folder: Path, written: str) -> KafkaCluster:
    (folder / "model.yaml").write_text(MODEL)
    service = f"apiVersion: leeway/v1\nkind: Service\nspec:\n  models: []\n  kafka: {written}\n"
    (folder / "leeway.yaml").write_text(service)
    return load(folder).service.spec.kafka


@pytest.mark.parametrize(
    ("written", "mistake"),
    [
        ("{bootstrap: []}", "spec.kafka.bootstrap: List should have at least 1 item"),
        ("{records: fast}", "spec.kafka.records: Input should be 'auto', 'batches' or 'plain'"),
        ("{tls: {cert: a}}", "spec.kafka.tls.cert: unknown key"),
        ("{tls: {key: a}}", "spec.kafka.tls: a key needs the certificate"),
        ("{sasl: {user: a}}", "spec.kafka.sasl.mechanism: required key is missing"),
        ("{sasl: {mechanism: GSSAPI}}", "spec.kafka.sasl.mechanism: Input should be 'PLAIN', 'SCRAM-SHA-256'"),
        ("{sasl: {mechanism: PLAIN, password: b}}", "spec.kafka.sasl: PLAIN needs a user and a password"),
        ("{sasl: {mechanism: SCRAM-SHA-256, user: a}}", "spec.kafka.sasl: SCRAM-SHA-256 needs a user and a password"),
        ("{sasl: {mechanism: PLAIN, user: a, password: '${NOWHERE}'}}", "variable NOWHERE is not set"),
        ("{sasl: {mechanism: PLAIN, token: {file: a}}}", "spec.kafka.sasl: PLAIN takes a user and a password"),
        ("{sasl: {mechanism: OAUTHBEARER}}", "spec.kafka.sasl: OAUTHBEARER needs a token"),
        ("{sasl: {mechanism: OAUTHBEARER, user: a, token: {file: a}}}", "spec.kafka.sasl: OAUTHBEARER takes a token"),
        ("{sasl: {mechanism: OAUTHBEARER, token: {}}}", "spec.kafka.sasl.token: name exactly one of value, file, url"),
        (
            "{sasl: {mechanism: OAUTHBEARER, token: {file: a, value: b}}}",
            "spec.kafka.sasl.token: name exactly one of value, file, url; found value, file",
        ),
        (
            "{sasl: {mechanism: OAUTHBEARER, token: {url: 'https://a', client_id: b}}}",
            "spec.kafka.sasl.token: a url needs client_id and client_secret",
        ),
        (
            "{sasl: {mechanism: OAUTHBEARER, token: {url: 'https://me:secret@a'}}}",
            "spec.kafka.sasl.token.url: String should match",
        ),
        ("{sasl: {mechanism: OAUTHBEARER, token: {file: a, scope: b}}}", "spec.kafka.sasl.token: client_id, client_"),
        ("{instance: 'a b'}", "spec.kafka.instance: String should match"),
        ("{session_timeout: 10}", "spec.kafka.session_timeout: expected a duration with its unit"),
        ("{options: {group_instance_id: a}}", "spec.kafka: options: group_instance_id has a key of its own, instance"),
        ("{tls: {}, options: {ssl_cafile: a}}", "spec.kafka: options: ssl_cafile does not go with tls or sasl"),
    ],
)
def test_a_wrong_cluster_is_named_with_its_line_and_path(tmp_path: Path, written: str, mistake: str) -> None:
    with pytest.raises(ConfigError) as refused:
        cluster_of(tmp_path, written)
    assert f"{tmp_path / 'leeway.yaml'}:5: " in by_line(refused.value)
    assert mistake in str(refused.value)


@pytest.mark.parametrize(
    ("topics", "mistake"),
    [
        ("orders eu", "spec.sources.0.kafka: a topic's name has letters, digits and ._- only"),
        ("/orders", "spec.sources.0.kafka: a topic's name has letters, digits and ._- only, a pattern stands in slash"),
        ("[a, '/b(/']", "spec.sources.0.kafka.1: '/b(/' is no regular expression: missing )"),
        (r"/(a|b)\1/", r"spec.sources.0.kafka: '/(a|b)\\1/' holds flags, named groups or references to groups"),
        ("'/(?i)a/'", "spec.sources.0.kafka: '/(?i)a/' holds flags"),
        ("'/(?P<n>a)/'", "spec.sources.0.kafka: '/(?P<n>a)/' holds flags, named groups"),
        ("[]", "spec.sources.0: kafka: name at least one topic or pattern"),
        ("[a, a]", "spec.sources.0: 'a' is named twice"),
        ("/bad.*/", "spec.sources.0.dead_letters: model 'm' reads this topic"),
    ],
)
def test_topics_that_cannot_be_are_named_with_their_place(tmp_path: Path, topics: str, mistake: str) -> None:
    written = MODEL.replace("kafka: m", f"kafka: {topics}, dead_letters: bad-ones")
    (tmp_path / "model.yaml").write_text(written)
    with pytest.raises(ConfigError) as refused:
        load(tmp_path)
    assert f"{tmp_path / 'model.yaml'}:4: {mistake}" in by_line(refused.value)


def test_a_pattern_and_a_name_that_it_matches_have_one_format(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(MODEL.replace("kafka: m", "kafka: orders"))
    other = MODEL.replace("name: m", "name: n").replace(
        "kafka: m", "kafka: /ord.*/, format: {kind: csv, columns: [amount]}"
    )
    (tmp_path / "b.yaml").write_text(other)
    with pytest.raises(ConfigError, match=r"b.yaml:4:35: spec.sources.0.format: model 'm' gives '/ord"):
        load(tmp_path)


def test_a_password_comes_from_the_environment_and_is_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKA_PASSWORD", "s3cret")
    cluster = cluster_of(tmp_path, "{sasl: {mechanism: PLAIN, user: a, password: '${KAFKA_PASSWORD}'}}")
    assert "s3cret" not in repr(cluster)
    assert options_of(cluster, bounded=False)["sasl_plain_password"] == "s3cret"


def test_every_consumer_of_a_process_is_a_member_of_its_own(tmp_path: Path) -> None:
    cluster = cluster_of(tmp_path, "{instance: node-7, consumers: 2, rack: b, client_id: us, session_timeout: 6s}")
    first, second = (options_of(cluster, bounded=False, member=member) for member in range(2))
    assert (first["group_instance_id"], second["group_instance_id"]) == ("node-7-0", "node-7-1")
    assert (first["client_rack"], first["client_id"]) == ("b", "us")
    assert (first["session_timeout_ms"], first["heartbeat_interval_ms"]) == (6_000, 2_000)
    assert options_of(cluster, bounded=True)["group_instance_id"] is None
