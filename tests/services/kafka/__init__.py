"""Real Apache Kafka brokers on this machine, for the tests and for the demonstration.

No container engine is needed: Maven copies the published jars into a cache folder once, and a
broker is a Java process on loopback ports (KRaft, one node that is controller and broker).

From a shell, in the repository::

    python -m tests.services.kafka fetch
    python -m tests.services.kafka run --port 9092 --data /tmp/kafka

``run`` prints ``ready 127.0.0.1:9092`` once the broker answers, and stops it on SIGTERM, SIGINT or
when standard input, if that is a pipe, is closed.
"""

from __future__ import annotations

from tests.services.kafka.broker import Broker
from tests.services.kafka.cluster import Cluster
from tests.services.kafka.jars import KafkaUnavailableError, fetch, version
from tests.services.kafka.replicated import ThreeBrokers
from tests.services.kafka.secure import SecureBroker

__all__ = [
    "Broker",
    "Cluster",
    "KafkaUnavailableError",
    "SecureBroker",
    "ThreeBrokers",
    "fetch",
    "version",
]
