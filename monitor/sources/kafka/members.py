"""The members of a Kafka group, and which of them share this store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from monitor.config.kafka import KafkaCluster
from monitor.errors import SourceError
from monitor.events import Partition
from monitor.sources.contract import Member
from monitor.sources.kafka.assignor import user_data
from monitor.sources.kafka.connection import check_reachable, connected, explained
from monitor.sources.kafka.security import security_of

__all__ = ["KafkaMembers"]

_BOOTSTRAP_MS = 10_000


class KafkaMembers:
    """Reads who is in the group that a service's sources are members of.

    Parameters
    ----------
    cluster : KafkaCluster
    store_id : str
        The identity of the service's store.
    """

    def __init__(self, cluster: KafkaCluster, store_id: str) -> None:
        self._cluster = cluster
        # As the client gives bytes back.
        self._own = user_data(store_id).decode(errors="backslashreplace")
        self._where = ", ".join(cluster.bootstrap)

    def read(self) -> list[Member] | None:
        """Return every member; None while the group settles who reads what.

        Raises
        ------
        SourceError
            No broker answers, or the service may not describe its group.
        """
        options = self._options()
        if "proxy_url" not in options:
            check_reachable(self._cluster.bootstrap, options.get("ssl_context"))
        client = connected(options, self._where, KafkaAdminClient)
        try:
            group = client.describe_groups([self._cluster.group])[self._cluster.group]
        except KafkaError as error:
            raise explained(error, self._where) from error
        finally:
            client.close()
        if group["group_state"] == "Dead":
            return []
        if group["error"]:
            raise SourceError(f"Kafka at {self._where}: {group['error']}", retryable=True)
        return [self._member(member) for member in group["members"]] if group["group_state"] == "Stable" else None

    def _options(self) -> dict[str, Any]:
        settings = KafkaAdminClient.DEFAULT_CONFIG
        chosen = {name: value for name, value in self._cluster.options.items() if name in settings}
        bootstrap = {"bootstrap_servers": self._cluster.bootstrap, "bootstrap_timeout_ms": _BOOTSTRAP_MS}
        return {**bootstrap, **chosen, **security_of(self._cluster)}

    def _member(self, member: Mapping[str, Any]) -> Member:
        return Member(
            name=member["client_id"],
            host=member["client_host"].removeprefix("/"),
            shares_store=_decoded(member["member_metadata"]).get("user_data") == self._own,
            partitions=frozenset(_partitions(_decoded(member["member_assignment"]))),
        )


def _decoded(metadata: Any) -> Mapping[str, Any]:
    """Return what a member says of itself; nothing where it is no consumer's."""
    return metadata if isinstance(metadata, Mapping) else {}


def _partitions(assignment: Mapping[str, Any]) -> Iterator[Partition]:
    for assigned in assignment.get("assigned_partitions", ()):
        for number in assigned["partitions"]:
            yield assigned["topic"], number
