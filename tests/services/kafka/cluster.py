"""A Kafka that answers, whoever runs it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

from kafka import KafkaAdminClient

from tests.services.cache import java, run
from tests.services.kafka.jars import fetch

__all__ = ["Cluster"]


class Cluster:
    """A Kafka that answers at `bootstrap`, whoever runs it.

    Parameters
    ----------
    bootstrap
        Address as ``host:port``, or several of them with commas between.
    """

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap

    @property
    def addresses(self) -> list[str]:
        """The brokers' addresses."""
        return self.bootstrap.split(",")

    @contextlib.contextmanager
    def admin(self) -> Iterator[KafkaAdminClient]:
        """Yield an admin client that is closed afterwards."""
        client = KafkaAdminClient(bootstrap_servers=self.bootstrap, bootstrap_timeout_ms=5_000)
        try:
            yield client
        finally:
            client.close()

    def create_topic(
        self, name: str, partitions: int = 1, configs: Mapping[str, str] | None = None, replicas: int = 1
    ) -> None:
        """Create a topic and return once every partition of it has a leader.

        Parameters
        ----------
        name, partitions
            What to create.
        configs
            The topic's own settings, such as ``{"retention.ms": "1000"}``.
        replicas
            How many brokers have it.
        """
        options = {"num_partitions": partitions, "replication_factor": replicas, "configs": dict(configs or {})}
        with self.admin() as client:
            client.create_topics({name: options}, wait_for_metadata=True)

    def described_group(self, name: str) -> list[dict[str, str]]:
        """What Kafka's own tool, ``kafka-consumer-groups --describe``, says of a group: a row for each partition."""
        tool = ["-Dlog4j2.level=OFF", "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand"]
        said = run(java(fetch(), *tool, "--bootstrap-server", self.bootstrap, "--describe", "--group", name))
        lines = [line.split() for line in said.splitlines() if line.strip()]
        return [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]

    def delete_topic(self, name: str) -> None:
        """Delete a topic."""
        with self.admin() as client:
            client.delete_topics([name])
