"""A ClickHouse on this machine for the tests: the native protocol, executed by chDB, with faults on demand.

It speaks to clickhouse-driver as a server does, in a process of its own, since chDB allows one directory a process.
From a shell, in the repository::

    python -m tests.services.clickhouse --port 9000 --data /tmp/clickhouse

prints ``ready 127.0.0.1:9000`` and serves until SIGTERM, SIGINT or, if standard input is a pipe, its end.

What it does not do: temporary and external tables, the types Dynamic, JSON and Variant, totals and extremes, logs,
and the binary protocol between servers.
"""

from tests.services.clickhouse.endpoint import Endpoint, EndpointError, named_or_started
from tests.services.clickhouse.faults import Faults
from tests.services.clickhouse.target import Target, begin

__all__ = ["Endpoint", "EndpointError", "Faults", "Target", "begin", "named_or_started"]
