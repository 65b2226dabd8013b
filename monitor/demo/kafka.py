"""A real Kafka broker for the demonstration: started, filled with the year's events, stopped at the end."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from monitor.errors import InputError, SourceError

__all__ = ["PARTITIONS", "broker", "produce"]

PARTITIONS = 4


@contextmanager
def broker(data: Path) -> Iterator[str]:
    """Run a broker; gives its address.

    Raises
    ------
    InputError
        If this is not a checkout of the repository, which knows how to fetch Kafka.
    SourceError
        If the broker does not start.
    """
    if not Path("tests/services/kafka").is_dir():
        raise InputError("the Kafka demo runs from the repository's folder: make demo SOURCE=kafka")
    command = [sys.executable, "-m", "tests.services.kafka", "run", "--data", str(data)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 -- the command is our own module
        assert process.stdout is not None
        try:
            answer = process.stdout.readline().split()
            if answer[:1] != ["ready"]:
                raise SourceError("the Kafka broker did not start; its own message stands above", retryable=False)
            yield answer[1]
        finally:
            process.terminate()


class _Identity(msgspec.Struct):
    event_id: str


def produce(bootstrap: str, topic: str, events: Path, on_progress: Callable[[int], None]) -> int:
    """Create the topic and write every line as a message, keyed by the event's identity.

    Parameters
    ----------
    bootstrap, topic : str
    events : Path
    on_progress : callable
        Called now and then with the bytes done.

    Returns
    -------
    int
        The number of messages.
    """
    from kafka import KafkaProducer
    from kafka.admin import KafkaAdminClient, NewTopic

    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    admin.create_topics([NewTopic(topic, PARTITIONS, 1)])
    admin.close()
    producer = KafkaProducer(bootstrap_servers=bootstrap, linger_ms=20, batch_size=1 << 18, compression_type="lz4")
    identity = msgspec.json.Decoder(_Identity)
    done = count = 0
    with events.open("rb") as file:
        for line in file:
            producer.send(topic, line.rstrip(), key=identity.decode(line).event_id.encode())
            done += len(line)
            count += 1
            if count % 10_000 == 0:
                on_progress(done)
    producer.flush()
    producer.close()
    return count
