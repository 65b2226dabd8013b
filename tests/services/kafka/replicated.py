"""Three brokers that are one cluster: every message on all of them, acknowledged by two."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from tests.services.kafka.broker import Broker
from tests.services.kafka.cluster import Cluster
from tests.services.processes import free_port

__all__ = ["ThreeBrokers"]

HEAP = "320m"


class ThreeBrokers(Cluster):
    """A cluster that goes on when one of its brokers stops.

    Attributes
    ----------
    brokers : dict of int to Broker
        By node id; a test may stop, kill and start them, and starts again what it stopped.
    """

    def __init__(self) -> None:
        self.brokers = {node: Broker(heap=HEAP) for node in (1, 2, 3)}
        controllers = {node: free_port() for node in self.brokers}
        for node, broker in self.brokers.items():
            broker.node, broker.controllers = node, controllers
        super().__init__(",".join(broker.bootstrap for broker in self.brokers.values()))
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            for broker in self.brokers.values():
                stack.push(broker.__exit__)
            # The last one would wait half a minute for the others, to hand over what nobody needs any more.
            stack.callback(self._kill_all)
            # None of them answers before two are there.
            with ThreadPoolExecutor(len(self.brokers)) as pool:
                list(pool.map(Broker.launch, self.brokers.values()))
                list(pool.map(Broker.wait, self.brokers.values()))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def _kill_all(self) -> None:
        for broker in self.brokers.values():
            broker.kill()

    def leader(self, topic: str, partition: int) -> Broker:
        """The broker that leads a partition now."""
        with self.admin() as client:
            [described] = client.describe_topics([topic])
        [node] = [one["leader_id"] for one in described["partitions"] if one["partition_index"] == partition]
        return self.brokers[node]

    def log_tail(self, lines: int = 40) -> str:
        """Return the last lines of every broker's log."""
        return "\n".join(broker.log_tail(lines) for broker in self.brokers.values())
