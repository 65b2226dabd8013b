"""The broker that other tests rely on does what they rely on."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from tests.services.cache import ROOT, UnavailableError
from tests.services.kafka import Broker, Cluster, KafkaUnavailableError, ThreeBrokers, fetch


def produce(cluster: Cluster, topic: str, values: list[bytes]) -> None:
    producer = KafkaProducer(bootstrap_servers=cluster.bootstrap, acks="all")
    for value in values:
        producer.send(topic, value)
    producer.flush()
    producer.close()


def consume(cluster: Cluster, topic: str, count: int) -> list[bytes]:
    consumer = KafkaConsumer(bootstrap_servers=cluster.bootstrap, auto_offset_reset="earliest")
    partition = TopicPartition(topic, 0)
    consumer.assign([partition])
    consumer.seek_to_beginning(partition)
    values: list[bytes] = []

    def enough() -> bool:
        for records in consumer.poll(timeout_ms=200).values():
            values.extend(record.value for record in records)
        return len(values) >= count

    wait_until(enough)
    consumer.close()
    return values


def wait_until(condition: Callable[[], bool], limit_s: float = 120) -> None:
    deadline_s = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline_s, "the condition did not come true"
        time.sleep(0.05)


def answers(address: str) -> bool:
    host, port = address.split(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError:
        return False
    return True


def run_as_a_program(*arguments: str, environment: dict[str, str] | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.services.kafka", *arguments],
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def address_when_ready(program: subprocess.Popen[str]) -> str:
    assert program.stdout is not None
    word, address = program.stdout.readline().split()
    assert word == "ready"
    return address


def test_a_produced_message_is_consumed(kafka: Cluster, topic: str) -> None:
    produce(kafka, topic, [b"one", b"two"])
    assert consume(kafka, topic, 2) == [b"one", b"two"]


def test_a_topic_has_the_partitions_and_settings_that_were_asked_for(kafka: Cluster, topic_name: str) -> None:
    kafka.create_topic(topic_name, partitions=3, configs={"retention.ms": "12345"})
    with kafka.admin() as admin:
        (described,) = admin.describe_topics([topic_name])
    assert len(described["partitions"]) == 3
    assert all(partition["leader_id"] >= 0 for partition in described["partitions"])


@pytest.mark.slow
def test_messages_outlive_a_crash_and_the_broker_that_took_them(tmp_path: Path) -> None:
    with Broker(tmp_path) as first:
        address = first.bootstrap
        first.create_topic("kept")
        produce(first, "kept", [b"before"])
        first.kill()
        assert not first.running
        first.start()
        assert first.bootstrap == address
        produce(first, "kept", [b"after"])
    with Broker(tmp_path) as second:
        assert consume(second, "kept", 2) == [b"before", b"after"]


def test_three_brokers_keep_what_two_of_them_have_acknowledged(three_brokers: ThreeBrokers, topic_name: str) -> None:
    three_brokers.create_topic(topic_name, replicas=3)
    leader = three_brokers.leader(topic_name, 0)
    produce(three_brokers, topic_name, [b"before"])
    leader.kill()
    try:
        produce(three_brokers, topic_name, [b"after"])
        assert consume(three_brokers, topic_name, 2) == [b"before", b"after"]
        assert three_brokers.leader(topic_name, 0) is not leader
    finally:
        leader.start()


def test_what_a_broker_kept_in_a_folder_of_its_own_goes_with_it() -> None:
    with Broker() as broker:
        assert broker.running
    assert not broker.data.exists()


def test_a_port_in_use_is_an_error_that_names_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(KafkaUnavailableError, match=f"port {port} of 127.0.0.1 is in use"), Broker(port=port):
            raise AssertionError("a broker answered on a port that was taken")


def test_a_broker_that_cannot_run_is_an_error_that_ends_with_its_log(tmp_path: Path) -> None:
    (tmp_path / "segments").mkdir()
    (tmp_path / "segments" / "meta.properties").write_text("version=1\ncluster.id=another\nnode.id=7\n")
    with pytest.raises(KafkaUnavailableError, match=r"(?s)the broker stopped;.*node id 7"), Broker(tmp_path):
        raise AssertionError("a broker answered on the data of another node")


def test_the_program_says_when_it_is_ready_and_ends_with_its_input(tmp_path: Path) -> None:
    with run_as_a_program("run", "--data", str(tmp_path)) as program:
        address = address_when_ready(program)
        assert answers(address)
        assert program.stdin is not None
        program.stdin.close()
        assert program.wait(120) == 0
    assert not answers(address)
    assert list(tmp_path.glob("segments/*")), "a folder that was named is kept"


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGKILL, -signal.SIGKILL)])
def test_no_broker_outlives_the_program_that_started_it(number: int, status: int, tmp_path: Path) -> None:
    with run_as_a_program("run", "--data", str(tmp_path)) as program:
        address = address_when_ready(program)
        program.send_signal(number)
        assert program.wait(120) == status
    wait_until(lambda: not answers(address))


def a_maven_that(script: str, folder: Path) -> dict[str, str]:
    """Put a program called mvn first on the path; `$out` is the folder that it is to fill."""
    folder.mkdir()
    maven = folder / "mvn"
    maven.write_text(f"#!/bin/sh\nfor argument; do out=${{argument#-DoutputDirectory=}}; done\n{script}\n")
    maven.chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}", "LEEWAY_CACHE": str(folder.parent / "cache")}


def test_two_processes_that_fetch_at_once_fetch_once(tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    environment = a_maven_that(f'echo called >> {calls}; mkdir "$out"; sleep 0.5; touch "$out/a.jar"', tmp_path / "bin")
    programs = [run_as_a_program("fetch", environment=environment) for _ in range(2)]
    printed = {program.communicate(timeout=60)[0].strip() for program in programs}
    (jars,) = printed
    assert [path.name for path in Path(jars).iterdir()] == ["a.jar"]
    assert calls.read_text().splitlines() == ["called"]


def test_a_fetch_that_fails_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    environment = a_maven_that('mkdir "$out"; echo no such artifact >&2; exit 1', tmp_path / "bin")
    program = run_as_a_program("fetch", environment=environment)
    _, errors = program.communicate(timeout=60)
    assert program.returncode == 1
    assert "no such artifact" in errors
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["kafka.lock"]


def test_a_missing_maven_names_the_command_that_installs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnavailableError, match=r"mvn is missing: run \.ci/packages java mvn"):
        fetch(tmp_path / "cache")
